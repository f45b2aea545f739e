//! Where somebody stands who comes back to work: what it was doing, what is next, what was decided,
//! which errors are solved.
//!
//! Everything is looked up by index, and each list has its bound: how much has happened before
//! makes no difference.

use serde::{Deserialize, Serialize};
use worknode_actors::{
    inbox,
    notes::{self, Decision, Issue},
};
use worknode_core::{
    agent::{AgentStatus, Tier},
    error::Error,
    event::{Event, Record},
    hlc::Hlc,
    ids::{NodeId, RunId},
    node::{Kind, Node},
    task::TaskStatus,
    time::Timestamp,
    verdict::{Finding, Outcome},
};
use worknode_journal::{EventFilter, NodeFilter, Reader, Selector};

use super::{MessageView, TaskView, configured_team, find, task};

/// Events of a task that are looked at for what was done.
const LOOKED_AT: usize = 200;
/// Steps that are shown.
const STEPS: usize = 12;
/// Decisions, issues, and tasks in need of somebody that are shown, each.
const NOTES: usize = 8;
/// Runs of an agent that are looked through for the one that worked on a task.
const RUNS: usize = 8;

/// Where an agent stands, or the team when none is named.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ContinueView {
    /// The team's name.
    pub team: String,
    /// When this was true.
    pub at: Timestamp,
    /// The agent; nothing for the team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentPart>,
    /// The task that it works on, or worked on last and that is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskView>,
    /// What the task asks for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prompt: String,
    /// What was done, the newest last.
    pub done: Vec<Step>,
    /// Files that it said it edited.
    pub files: Vec<String>,
    /// Files that the task may change.
    pub may_change: Vec<String>,
    /// What was decided: about the task first, then the newest.
    pub decisions: Vec<Decision>,
    /// What went wrong: in the task first, then the newest that is solved.
    pub issues: Vec<Issue>,
    /// What is in the way.
    pub blockers: Vec<String>,
    /// Messages that wait to be acknowledged.
    pub messages: Vec<MessageView>,
    /// What the last gates and reviewers objected to.
    pub findings: Vec<Finding>,
    /// What to do next.
    pub next: Vec<String>,
}

/// The agent that comes back.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AgentPart {
    /// Its Worknode.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// Its tier.
    pub tier: Tier,
    /// Where it stands.
    pub status: String,
    /// Its live run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Step {
    /// The event that says so.
    pub event: Hlc,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub by: String,
    /// What.
    pub what: String,
}

/// Where `agent` stands (by name or id), or the team.
///
/// # Errors
/// `not_found` when there is no such agent, or the store cannot be read.
pub fn continuation(reader: &Reader, agent: Option<&str>, now: Timestamp) -> Result<ContinueView, Error> {
    let team = configured_team(reader)?;
    let mut view = ContinueView {
        team: team.map_or_else(String::new, |team| team.name),
        at: now,
        agent: None,
        task: None,
        prompt: String::new(),
        done: Vec::new(),
        files: Vec::new(),
        may_change: Vec::new(),
        decisions: Vec::new(),
        issues: Vec::new(),
        blockers: Vec::new(),
        messages: Vec::new(),
        findings: Vec::new(),
        next: Vec::new(),
    };
    match agent {
        Some(name) => of_agent(reader, &find(reader, Kind::Agent, name)?, &mut view)?,
        None => of_team(reader, &mut view)?,
    }
    Ok(view)
}

fn of_agent(reader: &Reader, node: &Node, view: &mut ContinueView) -> Result<(), Error> {
    if let Some(agent) = node.agent() {
        view.agent = Some(AgentPart {
            id: node.id,
            name: node.name.clone(),
            tier: agent.spec.tier,
            status: agent.status.name().to_owned(),
            run: agent.status.run().map(|run| run.spec.id),
        });
        view.blockers.extend(in_the_way(&agent.status));
    }
    let task = present_task(reader, node)?;
    if let Some(task) = &task {
        of_task(reader, task, view)?;
    }
    let waiting = inbox::waiting_for(reader, node, task.as_ref())?;
    view.messages = waiting.iter().map(|kept| MessageView::of(kept, true)).collect();
    view.files = edited(reader, node)?;
    add_notes(reader, task.as_ref(), view)?;
    view.next = next(task.as_ref(), view);
    Ok(())
}

/// Why an agent does nothing.
fn in_the_way(status: &AgentStatus) -> Option<String> {
    match status {
        AgentStatus::Idle | AgentStatus::Busy { .. } => None,
        AgentStatus::Backoff { until } => Some(format!("the agent is not started again before {until}")),
        AgentStatus::Quarantined { reason } => Some(format!("the agent is quarantined: {reason}")),
        AgentStatus::Stopped { reason } => Some(format!("the agent is stopped: {reason}")),
    }
}

/// The task that an agent works on; without a live run, the one that it worked on last, as long as
/// that is not over.
///
/// # Errors
/// When the store cannot be read.
pub fn present_task(reader: &Reader, node: &Node) -> Result<Option<Node>, Error> {
    let Some(agent) = node.agent() else {
        return Ok(None);
    };
    if let Some(run) = agent.status.run() {
        let task = run.spec.purpose.task();
        return Ok(task.map(|id| reader.node(id)).transpose()?.flatten());
    }
    for stored in reader.runs_of(node.id, RUNS)? {
        if let Some(id) = stored.run.spec.purpose.task() {
            let task = reader.node(id)?;
            let is_open = |node: &Node| node.task().is_some_and(|task| !task.status.is_terminal());
            return Ok(task.filter(is_open));
        }
    }
    Ok(None)
}

fn of_task(reader: &Reader, node: &Node, view: &mut ContinueView) -> Result<(), Error> {
    let Some(state) = node.task() else { return Ok(()) };
    view.task = Some(task(reader, node.id)?);
    view.prompt.clone_from(&state.spec.prompt);
    view.may_change.clone_from(&state.spec.files);
    view.findings.clone_from(&state.findings);
    view.done = steps(reader, node.id)?;
    if let TaskStatus::Blocked { reason } = &state.status {
        view.blockers.push(format!("the task is blocked: {reason}"));
    }
    for id in node.dependencies() {
        let other = reader.node(id)?;
        let open = other.filter(|other| {
            let task = other.task();
            task.is_none_or(|task| !matches!(task.status, TaskStatus::Completed { .. }))
        });
        view.blockers
            .extend(open.map(|other| format!("`{}` comes first and is {}", other.name, other.status())));
    }
    Ok(())
}

/// The last of what was done on a task. So many events are looked at and no more: a long claim has
/// nothing but renewals.
fn steps(reader: &Reader, node: NodeId) -> Result<Vec<Step>, Error> {
    let filter = EventFilter {
        node: Some(node),
        newest_first: true,
        limit: LOOKED_AT,
        ..EventFilter::default()
    };
    let records = reader.events(&filter)?;
    let mut steps: Vec<Step> = records.iter().filter_map(step).take(STEPS).collect();
    steps.reverse();
    Ok(steps)
}

fn step(record: &Record) -> Option<Step> {
    Some(Step {
        event: record.at,
        at: record.at.wall,
        by: record.by.to_string(),
        what: by_holder(&record.event).or_else(|| in_review(&record.event))?,
    })
}

/// What its holders did, and what came of it without a review.
fn by_holder(event: &Event) -> Option<String> {
    Some(match event {
        Event::TaskClaimed { claim } => format!("claimed, epoch {}", claim.epoch),
        Event::TaskProgressed { progress, .. } => {
            let percent = progress.percent.map(|percent| format!("{percent} %: "));
            format!("{}{}", percent.unwrap_or_default(), progress.message)
        }
        Event::TaskSubmitted { commit, .. } => format!("handed in {}", commit.short()),
        Event::TaskReleased { detail, .. } => format!("given back: {detail}"),
        Event::TaskBlocked { reason, .. } => format!("blocked: {reason}"),
        Event::TaskFailed { reason } => format!("failed: {reason}"),
        Event::TaskRetried => "to be tried again".to_owned(),
        _ => return None,
    })
}

/// What was said of what was handed in, and whether it landed.
fn in_review(event: &Event) -> Option<String> {
    Some(match event {
        Event::VerdictRecorded { verdict } => {
            let failed = verdict.outcome == Outcome::Failed;
            format!(
                "gate {} {}",
                verdict.gate,
                if failed { "failed" } else { "passed" }
            )
        }
        Event::TaskApproved { .. } => "approved".to_owned(),
        Event::TaskRejected { findings, .. } => format!("rejected, {} findings", findings.len()),
        Event::LandingAbandoned { reason } => format!("did not land: {reason}"),
        Event::TaskCompleted { commit, .. } => format!("landed as {}", commit.short()),
        _ => return None,
    })
}

/// What the agent said that it edited, the newest first.
fn edited(reader: &Reader, agent: &Node) -> Result<Vec<String>, Error> {
    let Some(team) = configured_team(reader)? else {
        return Ok(Vec::new());
    };
    let namespace = worknode_actors::memory::namespace_id(team.id, &files_namespace(&agent.name));
    let nodes = reader.newest_below(namespace, &Kind::Memory, STEPS * 4)?;
    let file = |node: &Node| {
        let value = node.body.attributes.get(&"value".to_owned())?;
        value.0.get("file")?.as_str().map(str::to_owned)
    };
    Ok(nodes.iter().filter_map(file).collect())
}

/// Where it is remembered which files an agent edited.
#[must_use]
pub fn files_namespace(agent: &str) -> String {
    format!("{agent}/files")
}

fn add_notes(reader: &Reader, task: Option<&Node>, view: &mut ContinueView) -> Result<(), Error> {
    if let Some(task) = task {
        view.decisions = notes::decisions(reader, Some(task.id), NOTES)?;
        view.issues = notes::issues(reader, Some(task.id), None, NOTES)?;
    }
    let standing = notes::decisions(reader, None, NOTES)?.into_iter();
    for decision in standing.filter(|decision| decision.superseded_by.is_none()) {
        let known = view.decisions.iter().any(|one| one.id == decision.id);
        if !known && view.decisions.len() < 2 * NOTES {
            view.decisions.push(decision);
        }
    }
    for issue in notes::issues(reader, None, Some(true), NOTES)? {
        if !view.issues.iter().any(|one| one.id == issue.id) && view.issues.len() < 2 * NOTES {
            view.issues.push(issue);
        }
    }
    Ok(())
}

fn next(task: Option<&Node>, view: &ContinueView) -> Vec<String> {
    let mut next = Vec::new();
    if !view.messages.is_empty() {
        next.push(format!(
            "read {} messages, and acknowledge each: `worknode message ack STAMP`",
            view.messages.len()
        ));
    }
    let Some(task) = task.and_then(Node::task) else {
        if next.is_empty() && view.blockers.is_empty() {
            next.push("nothing is under way: the next ready task is claimed by itself, or with `worknode task next`".to_owned());
        }
        return next;
    };
    if !view.findings.is_empty() {
        next.push(format!("mend the {} findings below", view.findings.len()));
    }
    next.push(what_now(&task.status).to_owned());
    next
}

const fn what_now(status: &TaskStatus) -> &'static str {
    match status {
        TaskStatus::Pending => "wait until what comes first is completed",
        TaskStatus::Ready => "it waits to be claimed again",
        TaskStatus::Claimed(_) | TaskStatus::InProgress(_) => {
            "finish the task, commit, and hand it in: `worknode task submit`"
        }
        TaskStatus::InReview(_) => "wait for the gates and the review",
        TaskStatus::Blocked { .. } => "it waits for help: `worknode task retry` lets it go on",
        TaskStatus::Completed { .. } | TaskStatus::Failed { .. } | TaskStatus::Cancelled { .. } => {
            "the task is over"
        }
    }
}

fn of_team(reader: &Reader, view: &mut ContinueView) -> Result<(), Error> {
    for status in ["blocked", "failed", "in_review"] {
        let selector = Selector {
            kinds: vec![Kind::Task],
            statuses: vec![status.to_owned()],
            limit: NOTES,
            ..Selector::default()
        };
        for (node, _) in reader.select(&selector)?.nodes {
            let why = match node.task().map(|task| &task.status) {
                Some(TaskStatus::Blocked { reason } | TaskStatus::Failed { reason }) => format!(": {reason}"),
                _ => String::new(),
            };
            view.blockers
                .push(format!("task `{}` is {status}{why}", node.name));
        }
    }
    let agents = NodeFilter {
        kind: Some(Kind::Agent),
        status: Some("busy".to_owned()),
        limit: NOTES,
        ..NodeFilter::default()
    };
    for agent in reader.nodes(&agents)? {
        let task = present_task(reader, &agent)?;
        let on = task.map_or_else(|| "its duty".to_owned(), |task| format!("`{}`", task.name));
        view.next.push(format!(
            "`{}` works on {on}: `worknode continue {}`",
            agent.name, agent.name
        ));
    }
    if view.next.is_empty() && view.blockers.is_empty() {
        let nothing =
            "nothing is under way, and nothing waits for help: `worknode plan show` tells what there is";
        view.next.push(nothing.to_owned());
    }
    add_notes(reader, None, view)
}
