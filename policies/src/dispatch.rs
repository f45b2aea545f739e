//! Which agent gets which task or review?
//!
//! Deterministic: the same situation always gives the same answer, so that the decision can be
//! explained and replayed.
//!
//! - Reviews come first: finishing what is begun beats beginning more.
//! - Tasks go by priority, then in the order of the plan.
//! - A task goes to an idle agent of the implementation tier that its `agent` glob fits, and whose
//!   profile is its `role`, where it says so. Of
//!   several, to the one that the fewest other ready tasks could use, then by name.
//! - An agent that triggers start takes the tasks that are for it by its whole name, and no others.
//! - An agent that lost the task to a crash or a limit gets it again only when nobody else
//!   will do. While somebody else who will do is merely busy, the task waits for them.
//! - An agent never reviews its own submission, nor one that it has agreed with.

use std::collections::{BTreeMap, BTreeSet};

use worknode_core::{
    agent::{Agent, AgentStatus, StartWhen, Tier},
    ids::NodeId,
};

use crate::names;

/// Can an agent be given something to do?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Now.
    Idle,
    /// Not now, but by itself again: it has a live run, or backs off.
    Later,
    /// Not unless somebody acts: it is stopped or quarantined, or takes no tasks.
    Never,
}

impl Availability {
    /// What the state of `agent` means for dispatching.
    #[must_use]
    pub const fn of(agent: &Agent) -> Self {
        if matches!(agent.spec.start, StartWhen::Launch) {
            return Self::Never;
        }
        match &agent.status {
            AgentStatus::Idle => Self::Idle,
            AgentStatus::Busy { .. } if agent.stop_after_run.is_some() => Self::Never,
            AgentStatus::Busy { .. } | AgentStatus::Backoff { .. } => Self::Later,
            AgentStatus::Quarantined { .. } | AgentStatus::Stopped { .. } => Self::Never,
        }
    }
}

/// An agent of the team.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its Worknode.
    pub id: NodeId,
    /// Its name.
    pub name: &'a str,
    /// Its profile.
    pub profile: &'a str,
    /// What it may do at all.
    pub tier: Tier,
    /// Is it given only what is for it by name? So it is with agents that triggers start: it is
    /// their triggers that make tasks for them.
    pub by_name: bool,
    /// Can it be given something?
    pub availability: Availability,
}

/// A task that is ready.
#[derive(Clone, Copy, Debug)]
pub struct ReadyTask<'a> {
    /// Its Worknode.
    pub id: NodeId,
    /// Higher goes first.
    pub priority: i32,
    /// Its place in the plan; smaller goes first among equals.
    pub order: u64,
    /// Name or glob of the agents that may take it.
    pub agent: Option<&'a str>,
    /// Profile of the agents that may take it.
    pub role: Option<&'a str>,
    /// Agents that lost it to a crash or a limit.
    pub lost_by: &'a [NodeId],
}

/// A task in review for which a reviewer is wanted, and has not been found yet.
#[derive(Clone, Debug)]
pub struct WantedReview {
    /// Its Worknode.
    pub id: NodeId,
    /// Higher goes first.
    pub priority: i32,
    /// Its place in the plan; smaller goes first among equals.
    pub order: u64,
    /// The agent that handed it in.
    pub submitted_by: NodeId,
    /// Agents that have agreed already: another one is wanted.
    pub agreed: Vec<NodeId>,
}

/// Who gets what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The task to work on, or to review.
    pub task: NodeId,
    /// Who.
    pub agent: NodeId,
}

/// What to start now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dispatch {
    /// Reviews.
    pub reviews: Vec<Assignment>,
    /// Work.
    pub work: Vec<Assignment>,
}

/// Gives out reviews and tasks, as many as `limit` runs allow beside the `live` ones.
#[must_use]
pub fn dispatch(
    ready: &[ReadyTask<'_>],
    wanted: &[WantedReview],
    team: &[Candidate<'_>],
    live: usize,
    limit: usize,
) -> Dispatch {
    let slots = limit.saturating_sub(live);
    let reviews = reviews(wanted, team, slots);
    let work = work(ready, team, slots - reviews.len());
    Dispatch { reviews, work }
}

/// Gives at most `slots` reviews to idle agents of the validation tier.
#[must_use]
pub fn reviews(wanted: &[WantedReview], team: &[Candidate<'_>], slots: usize) -> Vec<Assignment> {
    let mut wanted: Vec<_> = wanted.iter().collect();
    wanted.sort_by_key(|task| (std::cmp::Reverse(task.priority), task.order, task.id));
    wanted.dedup_by_key(|task| task.id);
    let mut idle = idle(team, Tier::Validation);
    idle.retain(|agent| !agent.by_name);
    let mut assignments = Vec::new();
    for task in wanted {
        if assignments.len() == slots || idle.is_empty() {
            break;
        }
        let other = |id: NodeId| id != task.submitted_by && !task.agreed.contains(&id);
        if let Some(at) = idle.iter().position(|agent| other(agent.id)) {
            let agent = idle.remove(at).id;
            assignments.push(Assignment { task: task.id, agent });
        }
    }
    assignments
}

/// Gives at most `slots` tasks to idle agents of the implementation tier.
#[must_use]
pub fn work(ready: &[ReadyTask<'_>], team: &[Candidate<'_>], slots: usize) -> Vec<Assignment> {
    let mut ready: Vec<_> = ready.iter().collect();
    ready.sort_by_key(|task| (std::cmp::Reverse(task.priority), task.order, task.id));
    let demand = demand(&ready, team);
    let mut free = idle(team, Tier::Implementation);
    free.sort_by_key(|agent| (demand.get(&agent.id).copied().unwrap_or(0), agent.name, agent.id));
    let mut given = BTreeSet::new();
    let mut assignments = Vec::new();
    for task in ready {
        if assignments.len() == slots || free.is_empty() {
            break;
        }
        if given.contains(&task.id) {
            continue;
        }
        let fresh_exists = somebody_new(task, team);
        let takes = |agent: &&Candidate<'_>| fits(task, agent) && !(fresh_exists && lost(task, agent));
        if let Some(at) = free.iter().position(takes) {
            let agent = free.remove(at).id;
            given.insert(task.id);
            assignments.push(Assignment { task: task.id, agent });
        }
    }
    assignments
}

/// Is there somebody who would do the task and has not lost it before?
fn somebody_new(task: &ReadyTask<'_>, team: &[Candidate<'_>]) -> bool {
    team.iter()
        .any(|agent| will_do(task, agent) && !lost(task, agent))
}

fn idle<'a, 'b>(team: &'a [Candidate<'b>], tier: Tier) -> Vec<&'a Candidate<'b>> {
    let is_idle = |agent: &&Candidate<'_>| agent.tier == tier && agent.availability == Availability::Idle;
    let mut idle: Vec<_> = team.iter().filter(is_idle).collect();
    idle.sort_by_key(|agent| (agent.id, agent.name));
    idle.dedup_by_key(|agent| agent.id);
    idle.sort_by_key(|agent| (agent.name, agent.id));
    idle
}

/// How many ready tasks could use each agent.
fn demand(ready: &[&ReadyTask<'_>], team: &[Candidate<'_>]) -> BTreeMap<NodeId, usize> {
    team.iter()
        .map(|agent| (agent.id, ready.iter().filter(|task| fits(task, agent)).count()))
        .collect()
}

/// May this agent ever take the task?
fn fits(task: &ReadyTask<'_>, agent: &Candidate<'_>) -> bool {
    agent.tier == Tier::Implementation
        && (!agent.by_name || task.agent == Some(agent.name))
        && task.agent.is_none_or(|pattern| names::fits(pattern, agent.name))
        && task.role.is_none_or(|role| role == agent.profile)
}

/// Will this agent be able to take the task, now or later, without anybody's help?
#[must_use]
pub fn will_do(task: &ReadyTask<'_>, agent: &Candidate<'_>) -> bool {
    agent.availability != Availability::Never && fits(task, agent)
}

fn lost(task: &ReadyTask<'_>, agent: &Candidate<'_>) -> bool {
    task.lost_by.contains(&agent.id)
}

#[cfg(test)]
mod tests;
