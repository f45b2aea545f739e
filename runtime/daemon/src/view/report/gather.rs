//! What the store holds for a report.

use std::collections::{BTreeMap, HashMap, HashSet};

use worknode_actors::notes::{Decision, Issue};
use worknode_core::{
    agent::ended,
    error::Error,
    event::{Event, Record},
    hlc::Hlc,
    ids::NodeId,
    node::{Kind, Node},
    run::RunStatus,
    task::{PlanChange, TaskStatus},
    time::{Timestamp, millis},
};
use worknode_journal::{Back, Reader, Selector, StoredRun, limits};

use super::{ReportAgent, ReportLanding, ReportPhase, ReportTask, ReportTrouble, ReportUse, ReportView};

/// Tasks of one report.
const TASKS: usize = 2_000;
/// Runs of one report.
const RUNS: usize = 20_000;
/// Events of one task or phase that are told of.
const EVENTS: usize = 200;
/// Events of all tasks and phases that are looked at: those that say of no trouble are many.
const PATIENCE: usize = 200_000;
/// What did not go as it should, of one report: the newest.
const TROUBLE: usize = 2_000;
/// Decisions and issues of one report, each.
const NOTES: usize = 500;

/// Everything that a report says.
pub(super) fn gather(reader: &Reader, top: &Node, now: Timestamp) -> Result<ReportView, Error> {
    let mut cut = false;
    let tasks = select(reader, top.id, Kind::Task, TASKS, &mut cut)?;
    let mut names = Names::new(reader);
    let mut past = Past::new(reader);
    let mut trouble = Vec::new();
    let mut phases: Vec<(NodeId, ReportPhase)> = Vec::new();
    for task in &tasks {
        let told = trouble_of(&mut past, task, &mut names)?;
        let begun = told.begun;
        trouble.extend(told.trouble);
        put(&mut phases, task, begun, now, &mut names)?;
    }
    for (id, phase) in &phases {
        trouble.extend(deviations_of(&mut past, *id, &phase.name)?);
    }
    if phases.iter().all(|(id, _)| *id != top.id) {
        trouble.extend(deviations_of(&mut past, top.id, &top.name)?);
    }
    let ids: HashSet<NodeId> = tasks.iter().map(|task| task.id).collect();
    let runs = runs(reader, top, &tasks, &ids, &mut cut)?;
    for stored in &runs {
        trouble.extend(bad_end(stored, &names.of(stored.agent)?));
    }
    trouble.sort_by_key(|one| one.at);
    let older = trouble.len().saturating_sub(TROUBLE);
    trouble.drain(..older);
    cut |= past.cut || older > 0;
    let phases: Vec<ReportPhase> = phases.into_iter().map(|(_, phase)| phase).collect();
    Ok(ReportView {
        under: top.id,
        name: top.name.clone(),
        at: now,
        begun: phases.iter().filter_map(|phase| phase.begun).min(),
        finished: all_over(phases.iter().map(|phase| phase.finished)),
        tasks: tasks.len(),
        completed: tasks.iter().filter(|task| task.status() == "completed").count(),
        used: used(&runs, now),
        agents: agents(reader, &tasks, &runs, now)?,
        landed: landed(&tasks, &mut names)?,
        phases,
        trouble,
        decisions: decisions(reader, top.id, &mut cut)?,
        issues: issues(reader, top.id, &mut cut)?,
        cut,
    })
}

/// The names of Worknodes, each looked up once.
struct Names<'a> {
    reader: &'a Reader,
    known: HashMap<NodeId, String>,
}

impl<'a> Names<'a> {
    fn new(reader: &'a Reader) -> Self {
        Self {
            reader,
            known: HashMap::new(),
        }
    }

    fn of(&mut self, id: NodeId) -> Result<String, Error> {
        if let Some(name) = self.known.get(&id) {
            return Ok(name.clone());
        }
        let name = self
            .reader
            .node(id)?
            .map_or_else(|| id.to_string(), |node| node.name);
        self.known.insert(id, name.clone());
        Ok(name)
    }
}

/// Those of a kind, in the order in which they came to be.
fn select(
    reader: &Reader,
    root: NodeId,
    kind: Kind,
    most: usize,
    cut: &mut bool,
) -> Result<Vec<Node>, Error> {
    let mut selector = Selector {
        root,
        kinds: vec![kind],
        limit: limits::PAGE,
        ..Selector::default()
    };
    let mut found = Vec::new();
    loop {
        let page = reader.select(&selector)?;
        found.extend(page.nodes.into_iter().map(|(node, _)| node));
        selector.after = page.next;
        if found.len() > most {
            *cut = true;
            break;
        }
        if selector.after.is_none() {
            break;
        }
    }
    found.sort_by_key(|node| (node.created, node.id));
    found.truncate(most);
    Ok(found)
}

/// Adds a task to its phase.
fn put(
    phases: &mut Vec<(NodeId, ReportPhase)>,
    node: &Node,
    begun: Option<Timestamp>,
    now: Timestamp,
    names: &mut Names<'_>,
) -> Result<(), Error> {
    let Some(task) = node.task() else { return Ok(()) };
    let finished = node.times.finished.map(|at| at.wall);
    let by = task.done_by.map(|agent| names.of(agent)).transpose()?;
    let shown = ReportTask {
        key: task.spec.key.clone(),
        title: task.spec.title.clone(),
        status: node.status().to_owned(),
        by,
        attempts: task.attempts,
        took_ms: begun.map(|begun| millis(finished.unwrap_or(now).since(begun))),
        estimate_ms: task.spec.estimate.map(millis),
        deliverables: task.spec.deliverables.clone(),
    };
    let parent = node.parent.unwrap_or(NodeId::ROOT);
    match phases.iter_mut().find(|(id, _)| *id == parent) {
        Some((_, phase)) => {
            phase.begun = phase.begun.into_iter().chain(begun).min();
            phase.finished = all_over([phase.finished, finished].into_iter());
            phase.tasks.push(shown);
        }
        None => phases.push((
            parent,
            ReportPhase {
                name: names.of(parent)?,
                begun,
                finished,
                tasks: vec![shown],
            },
        )),
    }
    Ok(())
}

/// The last of these instants, when all are known.
fn all_over(ends: impl Iterator<Item = Option<Timestamp>>) -> Option<Timestamp> {
    ends.collect::<Option<Vec<_>>>()?.into_iter().max()
}

/// What the events of a task say that did not go as it should, and when it was begun.
struct Told {
    begun: Option<Timestamp>,
    trouble: Vec<ReportTrouble>,
}

fn trouble_of(past: &mut Past<'_>, task: &Node, names: &mut Names<'_>) -> Result<Told, Error> {
    let types = [
        "task_claimed",
        "task_released",
        "task_blocked",
        "task_rejected",
        "task_failed",
        "task_cancelled",
        "landing_abandoned",
        "plan_changed",
        "rule_violated",
        "escalated",
    ];
    let events = past.newest(task.id, &types)?;
    let claims = events
        .iter()
        .filter(|record| matches!(record.event, Event::TaskClaimed { .. }));
    // Where nobody looked so far back, the Worknode itself remembers its last claim.
    let last = task.times.claimed;
    let claims = claims.map(|record| record.at.wall).chain(last.map(|at| at.wall));
    let begun = claims.min();
    let mut trouble = Vec::new();
    for record in &events {
        if let Some(what) = in_words(&record.event, names)? {
            trouble.push(told(record, &task.name, what));
        }
    }
    Ok(Told { begun, trouble })
}

fn told(record: &Record, of: &str, what: String) -> ReportTrouble {
    ReportTrouble {
        at: record.at.wall,
        event: record.event.type_name().to_owned(),
        of: of.to_owned(),
        what,
    }
}

/// What happened, as far back as one report looks.
struct Past<'a> {
    reader: &'a Reader,
    /// Events that may still be looked at.
    patience: usize,
    /// There is more than was looked at.
    cut: bool,
}

impl<'a> Past<'a> {
    const fn new(reader: &'a Reader) -> Self {
        Self {
            reader,
            patience: PATIENCE,
            cut: false,
        }
    }

    fn newest(&mut self, node: NodeId, types: &[&str]) -> Result<Vec<Record>, Error> {
        let wanted = Back {
            node,
            types,
            until: None,
            most: EVENTS,
        };
        let found = self.reader.newest_of(&wanted, &mut self.patience)?;
        self.cut |= found.more;
        Ok(found.records)
    }
}

/// What an event of a task says of trouble; nothing when it is none.
fn in_words(event: &Event, names: &mut Names<'_>) -> Result<Option<String>, Error> {
    Ok(match event {
        Event::PlanChanged {
            change,
            after,
            reason,
            ..
        } => Some(plan_changed(*change, after.keys(), reason)),
        Event::RuleViolated { who, what, rule, .. } => {
            let who = match who.parse::<NodeId>() {
                Ok(id) => names.of(id)?,
                Err(_) => who.clone(),
            };
            Some(format!("{who} tried {what}, which {rule} forbids"))
        }
        Event::Escalated { step } => Some(format!("asked the {}: {}", step.to.name(), step.reason)),
        other => set_back(other),
    })
}

/// What an event says that sets a task back, or ends it otherwise than well.
fn set_back(event: &Event) -> Option<String> {
    match event {
        Event::TaskReleased { cause, detail, .. } => Some(given_up(cause.name(), detail)),
        Event::TaskBlocked { reason, .. } => Some(format!("blocked: {reason}")),
        Event::TaskFailed { reason } => Some(format!("failed: {reason}")),
        Event::TaskCancelled { reason } => Some(format!("cancelled: {reason}")),
        Event::LandingAbandoned { reason } => Some(format!("did not land: {reason}")),
        Event::TaskRejected { by, findings } => {
            let findings = findings.iter();
            let findings = findings.map(|finding| format!("{}: {}", finding.rule, finding.message));
            let findings: Vec<String> = findings.collect();
            Some(format!("refused by {by}: {}", findings.join("; ")))
        }
        _ => None,
    }
}

fn given_up(cause: &str, detail: &str) -> String {
    if detail.is_empty() {
        format!("given up by its holder ({cause})")
    } else {
        format!("given up by its holder ({cause}): {detail}")
    }
}

fn plan_changed<'a>(change: PlanChange, keys: impl Iterator<Item = &'a String>, reason: &str) -> String {
    let what = match change {
        PlanChange::Added => "added to the plan".to_owned(),
        PlanChange::Cancelled => "taken out of the plan".to_owned(),
        PlanChange::Changed => {
            let keys: Vec<&str> = keys.map(String::as_str).collect();
            format!("planned anew ({})", keys.join(", "))
        }
    };
    if reason.is_empty() {
        what
    } else {
        format!("{what}: {reason}")
    }
}

fn off_plan(deviation: u32, threshold: u32) -> String {
    let percent = |per_mille: u32| format!("{}.{} %", per_mille / 10, per_mille % 10);
    let (deviation, threshold) = (percent(deviation), percent(threshold));
    format!("deviates from the plan by {deviation}, and may by {threshold}")
}

/// When the executive tier had to be told of a phase, or of the team.
fn deviations_of(past: &mut Past<'_>, phase: NodeId, name: &str) -> Result<Vec<ReportTrouble>, Error> {
    let events = past.newest(phase, &["plan_deviated"])?;
    let above = events.iter().filter_map(|record| match &record.event {
        Event::PlanDeviated {
            deviation, threshold, ..
        } if deviation > threshold => Some(told(record, name, off_plan(*deviation, *threshold))),
        _ => None,
    });
    Ok(above.collect())
}

/// The runs on these tasks and those of agents below `top`, the oldest first.
fn runs(
    reader: &Reader,
    top: &Node,
    tasks: &[Node],
    ids: &HashSet<NodeId>,
    cut: &mut bool,
) -> Result<Vec<StoredRun>, Error> {
    // A task may have been there before it was moved here, and a run before there was a task.
    let created = tasks.iter().map(|task| task.created);
    let mut after = created.fold(top.created, Ord::min);
    let (mut found, mut below): (Vec<StoredRun>, HashMap<NodeId, bool>) = (Vec::new(), HashMap::new());
    let mut seen = 0;
    loop {
        let page = reader.runs_after(after, limits::PAGE)?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.begun;
        seen += page.len();
        for stored in page {
            let on_task = stored.run.spec.purpose.task().map(|task| ids.contains(&task));
            let counts = match on_task {
                Some(counts) => counts,
                None => is_below(reader, &mut below, stored.agent, top.id)?,
            };
            if counts {
                found.push(stored);
            }
        }
        if seen >= RUNS {
            *cut = true;
            return Ok(found);
        }
    }
}

fn is_below(
    reader: &Reader,
    known: &mut HashMap<NodeId, bool>,
    agent: NodeId,
    top: NodeId,
) -> Result<bool, Error> {
    if let Some(is) = known.get(&agent) {
        return Ok(*is);
    }
    let is = agent == top || reader.ancestors(agent)?.contains(&top);
    known.insert(agent, is);
    Ok(is)
}

fn used<'a>(runs: impl IntoIterator<Item = &'a StoredRun>, now: Timestamp) -> ReportUse {
    let mut used = ReportUse::default();
    for stored in runs {
        let end = match &stored.run.status {
            RunStatus::Exited { .. } => stored.updated.wall,
            _ => now,
        };
        used.runs += 1;
        used.busy_ms = used.busy_ms.saturating_add(millis(end.since(stored.begun.wall)));
        used.usage = used.usage.plus(&stored.run.usage);
    }
    used
}

/// A run that ended otherwise than well.
fn bad_end(stored: &StoredRun, agent: &str) -> Option<ReportTrouble> {
    let RunStatus::Exited { receipt } = &stored.run.status else {
        return None;
    };
    (!receipt.is_clean()).then(|| ReportTrouble {
        at: stored.updated.wall,
        event: "run_exited".to_owned(),
        of: agent.to_owned(),
        what: ended(receipt),
    })
}

fn agents(
    reader: &Reader,
    tasks: &[Node],
    runs: &[StoredRun],
    now: Timestamp,
) -> Result<Vec<ReportAgent>, Error> {
    let mut parts: BTreeMap<NodeId, (Vec<String>, Vec<&StoredRun>)> = BTreeMap::new();
    for node in tasks.iter().filter(|node| node.status() == "completed") {
        if let Some(agent) = node.task().and_then(|task| task.done_by) {
            parts.entry(agent).or_default().0.push(node.name.clone());
        }
    }
    for stored in runs {
        parts.entry(stored.agent).or_default().1.push(stored);
    }
    let mut agents = Vec::with_capacity(parts.len());
    for (id, (completed, runs)) in parts {
        let Some(node) = reader.node(id)? else { continue };
        let Some(agent) = node.agent() else { continue };
        agents.push(ReportAgent {
            tier: agent.spec.tier,
            profile: agent.spec.profile.clone(),
            completed,
            used: used(runs, now),
            name: node.name,
        });
    }
    agents.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(agents)
}

fn landed(tasks: &[Node], names: &mut Names<'_>) -> Result<Vec<ReportLanding>, Error> {
    let mut landed: Vec<(Hlc, ReportLanding)> = Vec::new();
    for node in tasks {
        let (Some(task), Some(at)) = (node.task(), node.times.finished) else {
            continue;
        };
        let TaskStatus::Completed { commit, .. } = &task.status else {
            continue;
        };
        let landing = ReportLanding {
            at: at.wall,
            task: node.name.clone(),
            by: task.done_by.map(|agent| names.of(agent)).transpose()?,
            commit: commit.to_string(),
        };
        landed.push((at, landing));
    }
    landed.sort_by_key(|(at, _)| *at);
    Ok(landed.into_iter().map(|(_, landing)| landing).collect())
}

fn decisions(reader: &Reader, top: NodeId, cut: &mut bool) -> Result<Vec<Decision>, Error> {
    let nodes = select(reader, top, Kind::Decision, NOTES, cut)?;
    nodes.iter().map(|node| Decision::read(reader, node)).collect()
}

fn issues(reader: &Reader, top: NodeId, cut: &mut bool) -> Result<Vec<Issue>, Error> {
    let nodes = select(reader, top, Kind::Issue, NOTES, cut)?;
    Ok(nodes.iter().map(Issue::read).collect())
}
