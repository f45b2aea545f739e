//! What is seen of tasks, agents and events: as much as the world around them depends on.

use worknode_core::{
    agent::{Agent, AgentEffect, AgentStatus},
    event::Event,
    ids::NodeId,
    run::RunStatus,
    task::{Task, TaskStatus},
};

use super::{
    names,
    state::Ref,
    words::{AGENTS, Land, Run, agents},
};

/// Where a task stands, as far as the world around it cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    Open,
    Held {
        agent: u8,
        run: Run,
        /// When its lease was last set.
        era: u8,
    },
    Review {
        asked: bool,
        approved: bool,
    },
    Completed(Land),
    Over,
}

/// What is seen of a task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskSight {
    pub(crate) epoch: u8,
    pub(crate) stands: Stands,
}

/// What is seen of an agent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AgentSight {
    /// Its live run.
    pub(crate) run: Option<Run>,
    /// Whether that run's process is known.
    pub(crate) told: bool,
    /// Whether that run is to end.
    pub(crate) stopping: bool,
    /// Whether somebody must act before it works again.
    pub(crate) out: bool,
}

/// What an event means to somebody who watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A claim was given.
    Claimed { epoch: u8 },
    /// Something was written under a claim.
    Wrote { epoch: u8 },
    /// A claim ended.
    Ended { epoch: u8 },
    /// The claim, whichever it was, ended with the task.
    Dropped,
    /// Somebody approved what is in review.
    Approved,
    /// The task is said to have landed.
    Completed(Land),
    /// A run was decided.
    Queued(Run),
    /// A permit was given.
    Permit(Run),
    /// A stop was ordered.
    Stop(Run),
    /// A run is over; the number is that of its state.
    Exited(Run, Ref),
}

/// What is seen of a task, the agents having these identities.
pub(super) fn look_at_task(ids: &[NodeId; AGENTS], task: &Task) -> TaskSight {
    let stands = match &task.status {
        TaskStatus::Pending | TaskStatus::Ready => Stands::Open,
        TaskStatus::Claimed(claim) | TaskStatus::InProgress(claim) => {
            let agent = agents().find(|agent| ids[usize::from(*agent)] == claim.agent);
            Stands::Held {
                agent: agent.unwrap_or_default(),
                run: claim
                    .run
                    .and_then(names::run_of)
                    .unwrap_or(Run::Work { task: 0, epoch: 0 }),
                era: names::era(claim.lease_until),
            }
        }
        TaskStatus::InReview(review) => Stands::Review {
            asked: review.candidate.is_some(),
            approved: !review.approvals.is_empty(),
        },
        TaskStatus::Completed { commit, .. } => Stands::Completed(names::land_of(commit)),
        TaskStatus::Blocked { .. } | TaskStatus::Failed { .. } | TaskStatus::Cancelled { .. } => Stands::Over,
    };
    TaskSight {
        epoch: u8::try_from(task.epoch).unwrap_or(u8::MAX),
        stands,
    }
}

/// What is seen of an agent.
pub(super) fn look_at_agent(agent: &Agent) -> AgentSight {
    let run = agent.status.run();
    AgentSight {
        run: run.and_then(|run| names::run_of(run.spec.id)),
        told: run.is_some_and(|run| run.status.process().is_some()),
        stopping: run.is_some_and(|run| matches!(run.status, RunStatus::Stopping { .. })),
        out: matches!(
            agent.status,
            AgentStatus::Stopped { .. } | AgentStatus::Quarantined { .. }
        ),
    }
}

/// What a task's event means, when it means something.
pub(super) fn mark_of_task(event: &Event) -> Option<Mark> {
    let small = |epoch: &u64| u8::try_from(*epoch).unwrap_or(u8::MAX);
    match event {
        Event::TaskClaimed { claim } => Some(Mark::Claimed {
            epoch: small(&claim.epoch),
        }),
        Event::TaskStarted { epoch }
        | Event::ClaimRenewed { epoch, .. }
        | Event::TaskProgressed { epoch, .. } => Some(Mark::Wrote { epoch: small(epoch) }),
        Event::TaskSubmitted { epoch, .. }
        | Event::TaskReleased { epoch, .. }
        | Event::TaskBlocked { epoch, .. } => Some(Mark::Ended { epoch: small(epoch) }),
        Event::TaskCancelled { .. } => Some(Mark::Dropped),
        Event::TaskApproved { .. } => Some(Mark::Approved),
        Event::TaskCompleted { commit, .. } => Some(Mark::Completed(names::land_of(commit))),
        _ => None,
    }
}

/// What an agent's effect means.
pub(super) fn mark_of_effect(effect: &AgentEffect) -> Option<Mark> {
    match effect {
        AgentEffect::Spawn(permit, _) => names::run_of(permit.run()).map(Mark::Permit),
        AgentEffect::Stop { run, .. } => names::run_of(*run).map(Mark::Stop),
        AgentEffect::Freeze(_) | AgentEffect::Thaw(_) | AgentEffect::Answer(_) => None,
    }
}
