//! What the store knows of each task, for the number that says how far the work is from the plan.
//! What the number means is said in `worknode_policies::deviation`.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use worknode_core::{
    error::Error,
    hlc::Hlc,
    ids::NodeId,
    node::{Kind, Node},
    task::{Task, TaskStatus},
    time::Timestamp,
};
use worknode_journal::{EventFilter, Reader};
use worknode_policies::{
    deviation::{self, Deviation, Facts},
    plan::Planned,
};

use crate::{definition::TeamDefinition, scheduler::TRIGGERED, store::tasks_of_plan};

/// One task, as far as deviation goes.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The task.
    pub task: NodeId,
    /// The phase that it is in.
    pub phase: Option<NodeId>,
    /// Who holds it, handed it in, or has done it.
    pub agent: Option<NodeId>,
    /// It is not over.
    pub open: bool,
    /// What is known of it.
    pub facts: Facts,
}

/// The tasks of the team, as [`tasks_of_plan`] has them.
///
/// # Errors
/// When the store cannot be read.
pub fn look(reader: &Reader, team: &TeamDefinition, now: Timestamp) -> Result<Vec<Seen>, Error> {
    let planned: HashSet<NodeId> = team.plan.iter().map(|(id, _)| *id).collect();
    let nodes = tasks_of_plan(reader, &planned)?;
    // Where there is no plan, nothing is outside it; and what triggers make, the configuration asks for.
    let triggered = Planned::phase_id(team.node(), TRIGGERED);
    let is_planned = |node: &Node, task: &Task| {
        planned.is_empty()
            || planned.contains(&node.id)
            || task.spec.amended
            || node.parent == Some(triggered)
    };
    let ends = phase_ends(team, &nodes);
    let mut seen = Vec::with_capacity(nodes.len());
    for node in &nodes {
        let Some(task) = node.task() else { continue };
        let begun = first_claim(reader, node, task)?;
        let open_before = node.parent.and_then(|phase| ends.get(&phase)).copied();
        let facts = Facts {
            planned: is_planned(node, task),
            begun: begun.is_some(),
            early: begun
                .is_some_and(|begun| open_before.is_some_and(|end| end.is_none_or(|end| begun < end))),
            estimate: task.spec.estimate,
            spent: begun.map_or(Duration::ZERO, |begun| end_of(node, now).since(begun.wall)),
            overdue: is_overdue(node, task, now),
            attempts: task.attempts,
            max_attempts: task.spec.max_attempts,
            claims: task.epoch,
            strayed: task.strayed,
        };
        seen.push(Seen {
            task: node.id,
            phase: node.parent,
            agent: worker(task),
            open: !task.status.is_terminal(),
            facts,
        });
    }
    Ok(seen)
}

/// The deviation of a task, a phase or an agent; of anything else, that of all.
#[must_use]
pub fn of(seen: &[Seen], target: &Node) -> Deviation {
    let is_in = |one: &&Seen| match target.kind {
        Kind::Task => one.task == target.id,
        Kind::Phase => one.phase == Some(target.id),
        Kind::Agent => one.agent == Some(target.id),
        _ => true,
    };
    deviation::of(seen.iter().filter(is_in).map(|one| &one.facts))
}

/// For each phase but the first, when all tasks of those before it were over; `None` while some are
/// not.
fn phase_ends(team: &TeamDefinition, nodes: &[Node]) -> HashMap<NodeId, Option<Hlc>> {
    let mut of_phase: HashMap<NodeId, Vec<&Node>> = HashMap::new();
    for node in nodes {
        if let Some(phase) = node.parent {
            of_phase.entry(phase).or_default().push(node);
        }
    }
    let phases = team.plan.iter().filter(|(_, spec)| spec.kind == Kind::Phase);
    let mut ends = HashMap::new();
    let mut before: Option<Option<Hlc>> = None;
    for (phase, _) in phases {
        if let Some(end) = before {
            ends.insert(*phase, end);
        }
        let tasks = of_phase.get(phase).map_or(&[][..], Vec::as_slice);
        if tasks.is_empty() {
            continue;
        }
        let own = tasks
            .iter()
            .map(|node| node.times.finished)
            .try_fold(Hlc::ZERO, |latest, finished| Some(latest.max(finished?)));
        before = Some(match before {
            Some(earlier) => own.zip(earlier).map(|(own, earlier)| own.max(earlier)),
            None => own,
        });
    }
    ends
}

/// When it was claimed first. The node remembers the last claim; where that was not the first, the
/// journal is asked.
fn first_claim(reader: &Reader, node: &Node, task: &Task) -> Result<Option<Hlc>, Error> {
    if task.epoch <= 1 {
        return Ok(node.times.claimed);
    }
    let filter = EventFilter {
        node: Some(node.id),
        types: vec!["task_claimed".to_owned()],
        limit: 1,
        ..EventFilter::default()
    };
    Ok(reader.events(&filter)?.pop().map(|record| record.at))
}

fn end_of(node: &Node, now: Timestamp) -> Timestamp {
    node.times.finished.map_or(now, |finished| finished.wall)
}

/// Not completed by its deadline. What was cancelled is not wanted, and so not late.
fn is_overdue(node: &Node, task: &Task, now: Timestamp) -> bool {
    let Some(deadline) = task.spec.deadline else {
        return false;
    };
    match task.status {
        TaskStatus::Cancelled { .. } => false,
        TaskStatus::Completed { .. } => end_of(node, now) > deadline,
        _ => now > deadline,
    }
}

const fn worker(task: &Task) -> Option<NodeId> {
    match &task.status {
        TaskStatus::Claimed(claim) | TaskStatus::InProgress(claim) => Some(claim.agent),
        TaskStatus::InReview(review) => Some(review.submission.agent),
        _ => task.done_by,
    }
}
