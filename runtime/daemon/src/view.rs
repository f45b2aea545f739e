//! What people and programs see of the tree: built from the store when it is asked for, so that
//! it is as true as the facts are, and says how old they are (P11).

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use worknode_actors::{
    guard::blocked_by,
    store::{OPEN, all_of_kind, tasks_that_are},
};
use worknode_core::{
    agent::{Agent, AgentStatus, Tier},
    bounds,
    error::{Code, Error},
    event::{Event, PanicStage, Principal},
    hlc::Hlc,
    ids::{NodeId, RunId},
    node::{Kind, Node},
    raise::{Permission, Raise},
    run::{Receipt, RunStatus},
    task::{Approval, Progress, Review, Task, TaskStatus},
    time::Timestamp,
    verdict::{Finding, Outcome},
};
use worknode_journal::{Count, EventFilter, NodeFilter, Reader, StoredRun};
use worknode_policies::landing;
use worknode_process::Resources;

use crate::reload::ConfigView;

mod alarms;
mod analytics;
mod continuation;
mod estimates;
pub mod events;
mod find;
mod markdown;
mod message;
mod node;
pub mod plan;
pub mod prompts;
mod report;
mod run;
mod spawns;
pub(crate) mod uses;
mod why;

pub(crate) use self::run::pool_view;
pub use self::{
    alarms::StatusAlarm,
    analytics::{AgentNumbers, AgentsView, Latency, PipelineView, ProgressView, agents as agents_view},
    continuation::{AgentPart, ContinueView, Step, continuation, files_namespace, present_task},
    estimates::{EstimateRow, EstimatesView, estimates},
    find::find_node,
    message::MessageView,
    node::{AggregateView, FailedView, LinkView, NodePage, NodeView},
    prompts::{PromptAnswerView, PromptView},
    report::{
        ReportAgent, ReportLanding, ReportPhase, ReportTask, ReportTrouble, ReportUse, ReportView, report,
    },
    run::RunView,
    uses::UseView,
    why::{WhyView, why},
};
use self::{run::run_view, spawns::Spawns};

/// Characters of a run's id that may stand for it: fewer are only the time of its start.
const RUN_BEGINNING: usize = 8;
/// Children that are read at once.
const PAGE: usize = 1_000;
/// Worknodes that are counted of those whose name or id begins with a text.
const FITTING: usize = 100;
/// How many of them are named when that is not clear.
const CANDIDATES: usize = 5;
/// Runs of one agent that are looked through for a beginning of an id.
const RUNS: usize = 1_000;

/// What the shims of the live runs say of their processes; empty when no daemon was asked.
pub type Live = HashMap<RunId, Resources>;

/// The whole team at a glance.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StatusView {
    /// The team's name.
    pub team: String,
    /// When this was true.
    pub at: Timestamp,
    /// The daemon that answered; `None` when the store was read without one.
    pub daemon: Option<DaemonView>,
    /// Tasks by status.
    pub tasks: TaskCounts,
    /// Whether nothing goes on by itself any more.
    pub finished: bool,
    /// What waits for a person.
    pub attention: Vec<String>,
    /// What is wrong with triggers, and with the scheduler.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<StatusAlarm>,
    /// What a panic blocks.
    #[serde(default)]
    pub panic: Vec<PanicStage>,
    /// What the team uses of what it may, while a daemon says so.
    #[serde(default, rename = "use")]
    pub uses: Vec<UseView>,
    /// Credentials that pause, while a daemon says so.
    #[serde(default)]
    pub pools: Vec<PoolView>,
    /// What of the configuration is not in force, while a daemon says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigView>,
    /// How far the work is from the plan, while a daemon says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<plan::DeviationView>,
    /// The agents.
    pub agents: Vec<AgentView>,
}

/// Credentials that agents share and that give nothing for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PoolView {
    /// Their name.
    pub pool: String,
    /// `paused`, or `probing` while one run tries.
    pub status: String,
    /// When the next one tries, or all go on.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

/// The daemon in charge.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DaemonView {
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// Since when.
    pub since: Timestamp,
}

/// Tasks by status.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[expect(missing_docs, reason = "the names are the states of a task")]
pub struct TaskCounts {
    pub total: usize,
    pub pending: usize,
    pub ready: usize,
    pub claimed: usize,
    pub in_progress: usize,
    pub in_review: usize,
    pub completed: usize,
    pub blocked: usize,
    pub failed: usize,
    pub cancelled: usize,
}

/// One agent.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AgentView {
    /// Its Worknode.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// Its tier.
    pub tier: Tier,
    /// Its profile.
    pub profile: String,
    /// Its driver.
    pub driver: String,
    /// Who spawned it: an agent, or the team when the operator did. Absent for an agent of the
    /// configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Where it stands.
    pub status: String,
    /// Since when.
    pub since: Timestamp,
    /// Why it stands there, when there is more to say.
    pub reason: Option<String>,
    /// Restarts that still count.
    pub restarts: usize,
    /// How its runs are kept in their box, while a daemon says so: `enforce`, `best-effort`, `off`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
    /// How many agents led to it by spawning, itself included; none for one of the configuration.
    #[serde(default)]
    pub depth: usize,
    /// How many agents it has spawned that live.
    #[serde(default)]
    pub spawned: usize,
    /// Its live run.
    pub run: Option<RunView>,
    /// What its runs and those of agents that it spawned use of what they may, while a daemon says
    /// so.
    #[serde(default, rename = "use", skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<UseView>,
}

/// One task.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TaskView {
    /// Its Worknode.
    pub id: NodeId,
    /// Its name in the plan.
    pub key: String,
    /// One line.
    pub title: String,
    /// The phase that it is in.
    pub phase: String,
    /// Where it stands.
    pub status: String,
    /// Since when.
    pub since: Timestamp,
    /// Who holds it, or handed it in.
    pub agent: Option<String>,
    /// Its highest epoch.
    pub epoch: u64,
    /// Attempts used.
    pub attempts: u32,
    /// Attempts allowed.
    pub max_attempts: u32,
    /// Tasks that come first.
    pub depends_on: Vec<String>,
    /// When it should be completed.
    pub deadline: Option<Timestamp>,
    /// What whoever begins to work on it may do beside the usual, each until its instant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub raised: Vec<RaisedView>,
    /// What its holder last said.
    pub progress: Option<Progress>,
    /// Objections to its last submission.
    pub findings: Vec<Finding>,
    /// Verdicts on the submission in review.
    pub verdicts: Vec<VerdictView>,
    /// The submitted or landed commit.
    pub commit: Option<String>,
    /// Digest of what is in review: the work, and what was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
    /// Why it stands there, when there is more to say.
    pub reason: Option<String>,
}

/// Rights beside the usual, for a time.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RaisedView {
    /// The firing that gave them.
    pub by: String,
    /// All that this tier may ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// And these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<Permission>,
    /// From here on they are worth nothing.
    pub until: Timestamp,
}

/// One verdict.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VerdictView {
    /// Which gate.
    pub gate: String,
    /// What it decided.
    pub outcome: Outcome,
    /// On which tree.
    pub tree: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What it found: what fails it, and what is only told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Findings that are not listed.
    #[serde(default)]
    pub more_findings: usize,
    /// What looked: names and versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, String>,
}

/// What became of one thing that was to be stopped.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KilledView {
    /// Its name, or the id of a run.
    pub target: String,
    /// `agent`, `task` or `run`.
    pub kind: String,
    /// Where it stood before.
    pub was: String,
    /// The run that was stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The proof; absent when nothing ran, and in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

/// What a panic, or its end, came to.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PanicView {
    /// What is blocked now.
    pub blocked: Vec<PanicStage>,
    /// What was blocked and is not any more.
    pub lifted: Vec<PanicStage>,
    /// What was stopped.
    pub stopped: Vec<KilledView>,
}

/// Which run something refers to.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RunRef {
    /// The run.
    pub id: RunId,
    /// Whose it is.
    pub agent: NodeId,
    /// Whether it is over.
    pub over: bool,
}

/// All Worknodes below `top`, parents before children.
///
/// # Errors
/// When the store cannot be read.
pub fn descendants(reader: &Reader, top: NodeId) -> Result<Vec<Node>, Error> {
    let (mut found, mut parents) = (Vec::new(), vec![top]);
    for _ in 0..=bounds::DEPTH {
        let mut next = Vec::new();
        for parent in parents {
            let children = children(reader, parent)?;
            next.extend(children.iter().map(|child| child.id));
            found.extend(children);
        }
        parents = next;
    }
    Ok(found)
}

fn children(reader: &Reader, parent: NodeId) -> Result<Vec<Node>, Error> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = reader.children(parent, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.id);
        all.extend(page);
    }
}

/// The run that `of` names: a run by its id, or the last one of an agent or on a task.
///
/// # Errors
/// `not_found` when there is none.
pub fn last_run(reader: &Reader, of: &str) -> Result<RunRef, Error> {
    let stored = match find_among(reader, &[Kind::Agent, Kind::Task], of) {
        Ok(node) if node.kind == Kind::Agent => reader.runs_of(node.id, 1)?.pop(),
        Ok(task) => last_run_on(reader, &task)?,
        Err(error) if error.code == Code::NotFound => Some(find_run(reader, of)?.ok_or(error)?),
        Err(error) => return Err(error),
    };
    let stored = stored.ok_or_else(|| Error::new(Code::NotFound, format!("`{of}` has had no run yet")))?;
    let over = matches!(stored.run.status, RunStatus::Exited { .. });
    Ok(RunRef {
        id: stored.run.spec.id,
        agent: stored.agent,
        over,
    })
}

fn last_run_on(reader: &Reader, task: &Node) -> Result<Option<StoredRun>, Error> {
    let filter = EventFilter {
        node: Some(task.id),
        types: vec!["task_claimed".to_owned()],
        newest_first: true,
        limit: 1,
        ..EventFilter::default()
    };
    let claimed = reader.events(&filter)?.pop();
    match claimed.map(|record| record.event) {
        Some(Event::TaskClaimed { claim }) => claim.run.map_or(Ok(None), |run| Ok(reader.run(run)?)),
        _ => Ok(None),
    }
}

/// The whole team. `live` tells whether a daemon is in charge.
///
/// # Errors
/// When the store cannot be read.
pub fn status(reader: &Reader, now: Timestamp, live: Option<&Live>) -> Result<StatusView, Error> {
    let nothing = Live::new();
    let agents = agents(reader, now, live.unwrap_or(&nothing))?;
    let team = configured_team(reader)?;
    let panic = match &team {
        Some(team) => blocked_by(reader, team.id)?.into_iter().collect(),
        None => Vec::new(),
    };
    let recent = recent(reader)?;
    let alarms = alarms::standing(reader)?;
    let mut attention = attention(&waiting(reader)?, &agents);
    attention.extend(
        prompts::waiting(reader, NodeId::ROOT)?
            .iter()
            .map(PromptView::words),
    );
    attention.extend(alarms.iter().map(StatusAlarm::words));
    Ok(StatusView {
        alarms,
        team: team.map_or_else(String::new, |node| node.name),
        at: now,
        daemon: recent.daemon.filter(|_| live.is_some()),
        panic,
        uses: Vec::new(),
        pools: Vec::new(),
        config: None,
        tasks: count(reader)?,
        finished: recent.finished,
        attention,
        deviation: None,
        agents,
    })
}

/// People may have made teams of their own; the configuration's has its name in its identity, unless
/// somebody renamed it: then it is the first.
fn configured_team(reader: &Reader) -> Result<Option<Node>, Error> {
    let teams = all_of_kind(reader, Kind::Team)?;
    let is_configured =
        |team: &&Node| team.id == NodeId::derived(NodeId::ROOT, &format!("team:{}", team.name));
    let team = teams.iter().rfind(is_configured).or_else(|| teams.first());
    Ok(team.cloned())
}

/// The agents, in the order of the configuration; those that were spawned come last.
///
/// # Errors
/// When the store cannot be read.
pub fn agents(reader: &Reader, now: Timestamp, live: &Live) -> Result<Vec<AgentView>, Error> {
    let nodes = all_of_kind(reader, Kind::Agent)?;
    let mut names = HashMap::new();
    for node in &nodes {
        let run = node.agent().and_then(|agent| agent.status.run());
        if let Some(task) = run.and_then(|run| run.spec.purpose.task())
            && let Some(task) = reader.node(task)?
        {
            names.insert(task.id, task.name);
        }
    }
    let mut parents = keys(&nodes);
    parents.extend(keys(&all_of_kind(reader, Kind::Team)?));
    let known = Known {
        tasks: names,
        parents,
        spawns: Spawns::among(&nodes),
    };
    let view = |node: &Node| Some(agent_view(node, node.agent()?, &known, live, now));
    Ok(nodes.iter().filter_map(view).collect())
}

/// One agent. Nothing is read beside what it is about.
///
/// # Errors
/// When the store cannot be read, or the Worknode is no agent.
pub fn agent(reader: &Reader, node: &Node, now: Timestamp, live: &Live) -> Result<AgentView, Error> {
    let Some(agent) = node.agent() else {
        let message = format!("`{}` is of kind {}, not an agent", node.name, node.kind.name());
        return Err(Error::new(Code::Usage, message));
    };
    let task = agent.status.run().and_then(|run| run.spec.purpose.task());
    let task = task.map(|id| reader.node(id)).transpose()?.flatten();
    let mut above = Vec::new();
    for id in reader.ancestors(node.id)? {
        above.extend(reader.node(id)?);
    }
    let beneath = children(reader, node.id)?;
    let known = Known {
        tasks: keys(task.as_slice()),
        parents: keys(&above),
        spawns: Spawns::among(beneath.iter().chain(&above).chain([node])),
    };
    Ok(agent_view(node, agent, &known, live, now))
}

/// What else is known of the tree when an agent is shown.
struct Known<'a> {
    tasks: HashMap<NodeId, String>,
    /// Names of whoever may have spawned it.
    parents: HashMap<NodeId, String>,
    spawns: Spawns<'a>,
}

/// The tasks, in the order of the plan: all that are not over, and of the others the last thousand.
/// Those of long ago are found by a search.
///
/// # Errors
/// When the store cannot be read.
pub fn tasks(reader: &Reader) -> Result<Vec<TaskView>, Error> {
    let mut nodes = tasks_that_are(reader, &OPEN)?;
    nodes.extend(reader.last_finished(&Kind::Task, PAGE)?);
    nodes.sort_unstable_by_key(|node| (node.created, node.id));
    nodes.dedup_by_key(|node| node.id);
    let agents = keys(&all_of_kind(reader, Kind::Agent)?);
    let mut names = keys(&nodes);
    let mut phases = HashMap::new();
    for node in &nodes {
        for other in node.dependencies() {
            learn_name(reader, &mut names, other)?;
        }
        if let Some(phase) = node.parent {
            learn_name(reader, &mut phases, phase)?;
        }
    }
    let view = |node: &Node| Some(task_view(node, node.task()?, &names, &agents, &phases));
    Ok(nodes.iter().filter_map(view).collect())
}

/// One task.
///
/// # Errors
/// When the store cannot be read, and `not_found` when there is no such task.
pub fn task(reader: &Reader, id: NodeId) -> Result<TaskView, Error> {
    let found = reader.node(id)?;
    let missing = || Error::new(Code::NotFound, format!("there is no task {id}"));
    let node = found.ok_or_else(missing)?;
    let task = node.task().ok_or_else(missing)?;
    let name = |id: NodeId| -> Result<Option<(NodeId, String)>, Error> {
        Ok(reader.node(id)?.map(|node| (id, node.name)))
    };
    let named = |ids: Vec<NodeId>| -> Result<HashMap<NodeId, String>, Error> {
        let names = ids.into_iter().map(name).collect::<Result<Vec<_>, _>>()?;
        Ok(names.into_iter().flatten().collect())
    };
    let holder = match &task.status {
        TaskStatus::Claimed(claim) | TaskStatus::InProgress(claim) => Some(claim.agent),
        TaskStatus::InReview(review) => Some(review.submission.agent),
        _ => None,
    };
    let names = named(node.dependencies().collect())?;
    let agents = named(holder.into_iter().collect())?;
    let phases = named(node.parent.into_iter().collect())?;
    Ok(task_view(&node, task, &names, &agents, &phases))
}

fn learn_name(reader: &Reader, names: &mut HashMap<NodeId, String>, id: NodeId) -> Result<(), Error> {
    if !names.contains_key(&id)
        && let Some(node) = reader.node(id)?
    {
        names.insert(id, node.name);
    }
    Ok(())
}

fn keys(nodes: &[Node]) -> HashMap<NodeId, String> {
    nodes.iter().map(|node| (node.id, node.name.clone())).collect()
}

/// The Worknode of `kind` that `text` names: by its name, its id, or a unique beginning of it.
///
/// # Errors
/// `not_found`, or `usage` when the beginning fits several.
pub fn find(reader: &Reader, kind: Kind, text: &str) -> Result<Node, Error> {
    find_among(reader, &[kind], text)
}

/// The same among several kinds. A whole name of any of them counts before a mere beginning, so
/// that what happens to a task does not depend on what the agents are called.
///
/// # Errors
/// As [`find`].
pub fn find_among(reader: &Reader, kinds: &[Kind], text: &str) -> Result<Node, Error> {
    if let Some(node) = by_id(reader, kinds, text)? {
        return Ok(node);
    }
    for kind in kinds {
        let mut named = reader.named(kind, text, 2)?;
        if let (1, Some(node)) = (named.len(), named.pop()) {
            return Ok(node);
        }
    }
    let mut fitting = Vec::new();
    for kind in kinds.iter().filter(|_| !text.is_empty()) {
        fitting.extend(reader.named_like(kind, text, FITTING)?);
    }
    let of_id = reader.beginning_with(text, FITTING)?;
    fitting.extend(of_id.into_iter().filter(|node| kinds.contains(&node.kind)));
    fitting.sort_unstable_by_key(|node| node.id);
    fitting.dedup_by_key(|node| node.id);
    let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
    let names = names.join(" or ");
    let called = fitting.iter().map(|node| format!("{} ({})", node.name, node.id));
    let called: Vec<_> = called.take(CANDIDATES).collect();
    match (fitting.len(), fitting.pop()) {
        (1, Some(node)) => Ok(node),
        (0, _) => {
            Err(Error::new(Code::NotFound, format!("there is no {names} `{text}`")).hint(listing_hint(kinds)))
        }
        (several, _) => Err(ambiguous(text, several, &names, &called)),
    }
}

fn by_id(reader: &Reader, kinds: &[Kind], text: &str) -> Result<Option<Node>, Error> {
    let Ok(id) = text.parse::<NodeId>() else {
        return Ok(None);
    };
    let node = reader.node(id)?;
    Ok(node.filter(|node| kinds.contains(&node.kind)))
}

/// The run that `text` names: by its id, or at least eight characters of a unique beginning of
/// it, whether it is over or not.
///
/// # Errors
/// `usage` when the beginning fits several.
pub fn find_run(reader: &Reader, text: &str) -> Result<Option<StoredRun>, Error> {
    if let Ok(id) = text.parse::<RunId>() {
        return Ok(reader.run(id)?);
    }
    if text.len() < RUN_BEGINNING || !text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') {
        return Ok(None);
    }
    let mut fitting = Vec::new();
    for agent in all_of_kind(reader, Kind::Agent)? {
        let runs = reader.runs_of(agent.id, RUNS)?;
        fitting.extend(
            runs.into_iter()
                .filter(|stored| stored.run.spec.id.to_string().starts_with(text)),
        );
    }
    if fitting.len() > 1 {
        let ids = fitting.iter().map(|stored| stored.run.spec.id.to_string());
        let ids: Vec<_> = ids.take(CANDIDATES).collect();
        return Err(ambiguous(text, fitting.len(), "run", &ids));
    }
    Ok(fitting.pop())
}

fn ambiguous(text: &str, several: usize, what: &str, called: &[String]) -> Error {
    let more = if several > called.len() { ", …" } else { "" };
    Error::new(
        Code::Usage,
        format!("`{text}` is the beginning of {several} names or ids ({what})"),
    )
    .hint(format!("give more of one of {}{more}", called.join(", ")))
}

const fn listing_hint(kinds: &[Kind]) -> &'static str {
    match kinds {
        [Kind::Task] => "`worknode task list` shows them all",
        [Kind::Agent] => "`worknode ps` shows them all",
        _ => "`worknode tree` shows what there is",
    }
}

struct Recent {
    daemon: Option<DaemonView>,
    finished: bool,
}

/// What the newest events say of the daemon and the plan.
fn recent(reader: &Reader) -> Result<Recent, Error> {
    let daemon = reader.newest_event(&["daemon_started"], |record| match record.event {
        Event::DaemonStarted { version, pid } => Some(DaemonView {
            pid,
            version,
            since: record.at.wall,
        }),
        _ => None,
    });
    let finished = reader.newest_event(&["plan_finished", "plan_loaded"], |record| match record.event {
        Event::PlanFinished { .. } => Some(Some(record.at)),
        Event::PlanLoaded { .. } => Some(None),
        _ => None,
    });
    let finished = match finished?.flatten() {
        Some(at) => !goes_on_since(reader, at)?,
        None => false,
    };
    Ok(Recent {
        daemon: daemon?,
        finished,
    })
}

/// Is there something to do again since the plan was finished?
fn goes_on_since(reader: &Reader, finished: Hlc) -> Result<bool, Error> {
    let filter = EventFilter {
        after: finished,
        types: vec!["task_ready".to_owned(), "task_retried".to_owned()],
        limit: 1,
        ..EventFilter::default()
    };
    Ok(!reader.events(&filter)?.is_empty())
}

fn count(reader: &Reader) -> Result<TaskCounts, Error> {
    let found = reader.counts_of(&Kind::Task)?;
    let nodes = |found: &Count| usize::try_from(found.nodes).unwrap_or(usize::MAX);
    let of = |status: &str| found.iter().find(|found| found.status == status).map_or(0, nodes);
    Ok(TaskCounts {
        total: found.iter().map(nodes).fold(0, usize::saturating_add),
        pending: of("pending"),
        ready: of("ready"),
        claimed: of("claimed"),
        in_progress: of("in_progress"),
        in_review: of("in_review"),
        completed: of("completed"),
        blocked: of("blocked"),
        failed: of("failed"),
        cancelled: of("cancelled"),
    })
}

/// The tasks that may wait for a person, in the order of the plan: the first thousand of each state.
fn waiting(reader: &Reader) -> Result<Vec<Node>, Error> {
    let mut found = Vec::new();
    for status in ["blocked", "failed", "in_review"] {
        found.extend(reader.nodes(&NodeFilter {
            kind: Some(Kind::Task),
            status: Some(status.to_owned()),
            ..NodeFilter::default()
        })?);
    }
    found.sort_unstable_by_key(|node| (node.created, node.id));
    Ok(found)
}

/// What waits for a person, with what to do about it.
fn attention(tasks: &[Node], agents: &[AgentView]) -> Vec<String> {
    let tasks = tasks.iter().filter_map(|node| Some((&node.name, node.task()?)));
    let mut list: Vec<String> = tasks.filter_map(|(key, task)| asks_for(key, task)).collect();
    for agent in agents.iter().filter(|agent| agent.status == "quarantined") {
        let (name, why) = (&agent.name, agent.reason.as_deref().unwrap_or_default());
        list.push(format!(
            "agent {name} is quarantined: {why} (`worknode agent resume {name}`)"
        ));
    }
    list
}

fn asks_for(key: &str, task: &Task) -> Option<String> {
    match &task.status {
        TaskStatus::Blocked { reason } => Some(format!(
            "task {key} is blocked: {reason} (`worknode task retry {key}`)"
        )),
        TaskStatus::Failed { reason } => Some(format!(
            "task {key} failed: {reason} (`worknode task retry {key}`)"
        )),
        TaskStatus::InReview(review) if wants_operator(task.spec.approval, review) => Some(format!(
            "task {key} waits for your approval (`worknode approve {key}`)"
        )),
        _ => None,
    }
}

/// May the operator's word be what it waits for?
fn wants_operator(approval: Approval, review: &Review) -> bool {
    matches!(approval, Approval::Operator | Approval::Quorum(_))
        && review.candidate.is_some()
        && !review.is_approved(approval)
        && review.approvals.iter().all(|word| word.by != Principal::Operator)
}

fn agent_view(node: &Node, agent: &Agent, known: &Known<'_>, live: &Live, now: Timestamp) -> AgentView {
    let reason = match &agent.status {
        AgentStatus::Quarantined { reason } | AgentStatus::Stopped { reason } => Some(reason.clone()),
        AgentStatus::Backoff { until } => Some(format!("starts again at {until}")),
        AgentStatus::Idle | AgentStatus::Busy { .. } => None,
    };
    AgentView {
        id: node.id,
        name: node.name.clone(),
        tier: agent.spec.tier,
        profile: agent.spec.profile.clone(),
        driver: agent.spec.driver.clone(),
        parent: node
            .parent
            .filter(|_| agent.spec.like.is_some())
            .and_then(|parent| known.parents.get(&parent).cloned()),
        status: agent.status.name().to_owned(),
        since: node.updated.wall,
        reason,
        restarts: agent.restarts.count(&agent.spec.restart, now),
        sandbox: None,
        depth: known.spawns.depth(node.id),
        spawned: known.spawns.live(node.id),
        uses: Vec::new(),
        run: agent
            .status
            .run()
            .map(|run| run_view(run, &known.tasks, live.get(&run.spec.id), now)),
    }
}

fn task_view(
    node: &Node,
    task: &Task,
    names: &HashMap<NodeId, String>,
    agents: &HashMap<NodeId, String>,
    phases: &HashMap<NodeId, String>,
) -> TaskView {
    let name = |id: &NodeId| names.get(id).cloned().unwrap_or_else(|| id.to_string());
    let mut view = TaskView {
        id: node.id,
        key: node.name.clone(),
        title: task.spec.title.clone(),
        phase: node
            .parent
            .and_then(|id| phases.get(&id).cloned())
            .unwrap_or_default(),
        status: task.status.name().to_owned(),
        since: node.updated.wall,
        agent: task.status.claim().map(|claim| holder_name(claim.agent, agents)),
        epoch: task.epoch,
        attempts: task.attempts,
        max_attempts: task.spec.max_attempts,
        depends_on: node.dependencies().map(|id| name(&id)).collect(),
        deadline: task.spec.deadline,
        raised: raised(task),
        progress: task.progress.clone(),
        findings: task.findings.clone(),
        verdicts: Vec::new(),
        commit: None,
        shown: None,
        reason: None,
    };
    match &task.status {
        TaskStatus::InReview(review) => {
            view.agent = agents.get(&review.submission.agent).cloned();
            view.commit = Some(review.submission.commit.to_string());
            view.shown = Some(landing::shown(&task.spec, &review.submission.commit));
            view.verdicts = review.verdicts.values().map(verdict_view).collect();
            view.reason = Some(waiting_for(task.spec.approval, review));
        }
        TaskStatus::Completed { commit, .. } => view.commit = Some(commit.to_string()),
        TaskStatus::Blocked { reason } | TaskStatus::Failed { reason } | TaskStatus::Cancelled { reason } => {
            view.reason = Some(reason.clone());
        }
        TaskStatus::Pending | TaskStatus::Ready | TaskStatus::Claimed(_) | TaskStatus::InProgress(_) => {}
    }
    view
}

fn raised(task: &Task) -> Vec<RaisedView> {
    let view = |(by, raise): (&String, &Raise)| RaisedView {
        by: by.clone(),
        tier: raise.tier,
        permissions: raise.permissions.iter().copied().collect(),
        until: raise.until,
    };
    task.raised.iter().map(view).collect()
}

/// Who holds it: people know agents by name, and others at least by their identity.
fn holder_name(holder: NodeId, names: &HashMap<NodeId, String>) -> String {
    names.get(&holder).cloned().unwrap_or_else(|| holder.to_string())
}

fn verdict_view(verdict: &worknode_core::verdict::Verdict) -> VerdictView {
    VerdictView {
        gate: verdict.gate.clone(),
        outcome: verdict.outcome,
        tree: verdict.tree.to_string(),
        took_ms: verdict.took_ms,
        findings: verdict.findings.clone(),
        more_findings: verdict.more_findings,
        tools: verdict
            .bound
            .as_ref()
            .map(|bound| bound.tools.clone())
            .unwrap_or_default(),
    }
}

fn waiting_for(approval: Approval, review: &Review) -> String {
    let agreed = review.words(approval).count();
    let before_words = review.candidate.is_none() && agreed == 0;
    let waits = match approval {
        _ if review.landing.is_some() => "landing",
        _ if before_words => "gates",
        _ if review.is_approved(approval) => "about to land",
        other => return whose_word(other, agreed),
    };
    waits.to_owned()
}

fn whose_word(approval: Approval, agreed: usize) -> String {
    match approval {
        Approval::Operator => "waits for the operator".to_owned(),
        Approval::Quorum(wanted) => format!("{agreed} of {wanted} agree"),
        Approval::None | Approval::Validation => "waits for a reviewer".to_owned(),
    }
}
