//! What follows from the view. Pure.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use worknode_core::{
    agent::{Agent, AgentStatus, StartWhen, Tier},
    bounds,
    git::CommitId,
    ids::NodeId,
    node::Node,
    run::{Purpose, RunStatus},
    task::{Approval, Task, TaskStatus},
    time::Timestamp,
};
use worknode_policies::dispatch::{self, Availability};

use super::view::{View, waiting_submission};
use crate::{definition::TeamDefinition, guard::Readiness};

/// One thing to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// All that the task depends on is completed.
    MarkReady {
        /// Which.
        task: NodeId,
    },
    /// Give a task to an agent.
    Work {
        /// Which.
        task: NodeId,
        /// To whom.
        agent: NodeId,
    },
    /// Let an agent look at a submission.
    Review {
        /// Of which task.
        task: NodeId,
        /// Who.
        agent: NodeId,
    },
    /// Start an agent for its standing duty.
    Duty {
        /// Who.
        agent: NodeId,
    },
    /// A backoff is over.
    Wake {
        /// Whose.
        agent: NodeId,
    },
    /// The holder of a task, whom the runtime does not run, has not been heard of.
    Lapse {
        /// Which.
        task: NodeId,
        /// Which claim of it.
        epoch: u64,
    },
    /// The run that held a task is over: submit what it left, or take the task back.
    Settle {
        /// Which.
        task: NodeId,
    },
    /// A run works on what is no longer its task: end it.
    StopRun {
        /// Whose.
        agent: NodeId,
    },
    /// Nothing goes on by itself.
    Finish {
        /// Where this is recorded.
        team: NodeId,
        /// Tasks that cannot go on without help.
        open: usize,
    },
}

impl Step {
    /// The Worknodes about which nothing else is decided while this is under way.
    pub(crate) fn touches(&self) -> Vec<NodeId> {
        match self {
            Self::MarkReady { task } | Self::Settle { task } | Self::Lapse { task, .. } => vec![*task],
            Self::Work { task, agent } | Self::Review { task, agent } => vec![*task, *agent],
            Self::Duty { agent } | Self::Wake { agent } | Self::StopRun { agent } => vec![*agent],
            Self::Finish { team, .. } => vec![*team],
        }
    }
}

/// What follows from the view at `now`, leaving alone what is `busy`.
pub(crate) fn decide(
    view: &View,
    team: &TeamDefinition,
    busy: &HashSet<NodeId>,
    now: Timestamp,
) -> Vec<Step> {
    let mut steps = Vec::new();
    steps.extend(task_steps(view, busy, now));
    if view.held {
        return steps;
    }
    steps.extend(agent_steps(view, team, busy, now));
    steps.extend(assignments(view, team, busy, &steps));
    if steps.is_empty() && busy.is_empty() && !view.finished {
        steps.extend(finish(view, team));
    }
    steps
}

/// What each task needs, apart from somebody to work on it.
fn task_steps(view: &View, busy: &HashSet<NodeId>, now: Timestamp) -> Vec<Step> {
    let index = &view.index;
    // Cancelled and wanted again, a task may still have the run that worked on it before (P2).
    let pending = index.unblocked.iter().map(|(_, task)| *task);
    let unblocked = pending
        .filter(|task| !is_worked_on(view, *task))
        .map(|task| Step::MarkReady { task });
    let settle = index
        .run_held
        .iter()
        .filter_map(|key| settle(view, view.tasks.get(key)?));
    let due = index.leases.iter().take_while(|(until, _)| *until <= now);
    let lapse = due.filter_map(|(_, id)| {
        let epoch = view.task(*id)?.task()?.status.claim()?.epoch;
        Some(Step::Lapse { task: *id, epoch })
    });
    let steps = unblocked.chain(settle).chain(lapse);
    steps
        .filter(|step| step.touches().iter().all(|id| !busy.contains(id)))
        .collect()
}

/// Does a run that works on the task still live?
fn is_worked_on(view: &View, id: NodeId) -> bool {
    view.agents.values().any(|node| {
        let run = node.agent().and_then(|agent| agent.status.run());
        run.is_some_and(|run| matches!(run.spec.purpose, Purpose::Work { task, .. } if task == id))
    })
}

/// A task whose run is over is settled.
fn settle(view: &View, node: &Node) -> Option<Step> {
    let claim = node.task()?.status.claim()?;
    let run = view.run_of(claim.agent).map(|run| run.spec.id);
    (claim.run != run).then_some(Step::Settle { task: node.id })
}

/// What each agent needs, apart from work.
fn agent_steps(view: &View, team: &TeamDefinition, busy: &HashSet<NodeId>, now: Timestamp) -> Vec<Step> {
    let mut free = free_places(view, team);
    let mut steps = Vec::new();
    let configured = team.agents.iter().map(|agent| team.agent_node(&agent.name));
    for id in configured.chain(spawned(view)) {
        let Some(agent) = view.agents.get(&id).and_then(|node| node.agent()) else {
            continue;
        };
        if busy.contains(&id) {
            continue;
        }
        let step = step_of(view, id, agent, free > 0, now);
        free -= usize::from(matches!(step, Some(Step::Duty { .. })));
        steps.extend(step);
    }
    steps
}

/// Is it one that begins by itself, and ready to?
fn is_on_duty(view: &View, id: NodeId, agent: &Agent) -> bool {
    agent.spec.start == StartWhen::Launch && !view.unready.contains_key(&id)
}

/// What one agent needs. `room`: may one more of those begin that are on duty from the start?
fn step_of(view: &View, id: NodeId, agent: &Agent, room: bool, now: Timestamp) -> Option<Step> {
    match &agent.status {
        AgentStatus::Idle if room && is_on_duty(view, id, agent) => Some(Step::Duty { agent: id }),
        AgentStatus::Backoff { until } if *until <= now => Some(Step::Wake { agent: id }),
        AgentStatus::Busy { .. } if works_on_lost_task(view, agent) => Some(Step::StopRun { agent: id }),
        _ => None,
    }
}

/// The agents that were spawned, in a fixed order.
fn spawned(view: &View) -> Vec<NodeId> {
    let is_spawned = |node: &Node| node.agent().is_some_and(|agent| agent.spec.like.is_some());
    let spawned = view.agents.values().filter(|node| is_spawned(node));
    let mut spawned: Vec<_> = spawned.map(|node| node.id).collect();
    spawned.sort_unstable();
    spawned
}

/// Does the agent's run work under a claim that is gone, without having submitted?
fn works_on_lost_task(view: &View, agent: &Agent) -> bool {
    let Some(run) = agent.status.run() else {
        return false;
    };
    let (Purpose::Work { task, .. }, RunStatus::Running { .. }) = (&run.spec.purpose, &run.status) else {
        return false;
    };
    let Some(task) = view.task(*task).and_then(|node| node.task()) else {
        return true;
    };
    match &task.status {
        TaskStatus::Claimed(claim) | TaskStatus::InProgress(claim) => claim.run != Some(run.spec.id),
        // It has done its part; it may end by itself.
        TaskStatus::InReview(_) | TaskStatus::Completed { .. } | TaskStatus::Ready => false,
        TaskStatus::Pending
        | TaskStatus::Blocked { .. }
        | TaskStatus::Failed { .. }
        | TaskStatus::Cancelled { .. } => true,
    }
}

fn free_places(view: &View, team: &TeamDefinition) -> usize {
    let live = view
        .agents
        .values()
        .filter(|node| node.agent().is_some_and(|a| a.status.run().is_some()));
    team.live_agents.saturating_sub(live.count())
}

/// Who gets which task or review.
fn assignments(view: &View, team: &TeamDefinition, busy: &HashSet<NodeId>, before: &[Step]) -> Vec<Step> {
    let starting = before
        .iter()
        .filter(|step| matches!(step, Step::Duty { .. }))
        .count();
    let under_way = busy.iter().filter(|id| view.agents.contains_key(id)).count();
    let live = team.live_agents.saturating_sub(free_places(view, team)) + starting + under_way;
    let staff = staff(view, team, busy);
    if !staff
        .iter()
        .any(|member| member.availability == Availability::Idle)
    {
        return Vec::new();
    }
    let (ready, wanted) = (ready_tasks(view, busy), wanted_reviews(view, busy));
    let decided = dispatch::dispatch(&ready, &wanted, &staff, live, team.live_agents);
    let work = decided.work.into_iter().map(|a| Step::Work {
        task: a.task,
        agent: a.agent,
    });
    let reviews = decided.reviews.into_iter().map(|a| Step::Review {
        task: a.task,
        agent: a.agent,
    });
    work.chain(reviews).collect()
}

fn staff<'a>(view: &View, team: &'a TeamDefinition, busy: &HashSet<NodeId>) -> Vec<dispatch::Candidate<'a>> {
    // Who has no run and still holds a task has just ended: its clone is needed until that is
    // settled, and the next run would take it away.
    let unsettled = &view.index.holders;
    let members = team.agents.iter().filter_map(|definition| {
        let id = team.agent_node(&definition.name);
        let agent = view.agents.get(&id)?.agent()?;
        let availability = match Availability::of(agent) {
            Availability::Idle if busy.contains(&id) || unsettled.contains_key(&id) => Availability::Later,
            other => other,
        };
        let availability = match (view.unready.get(&id), availability) {
            (Some(Readiness::Never), _) => Availability::Never,
            (Some(Readiness::Later), Availability::Idle) => Availability::Later,
            (_, other) => other,
        };
        Some(dispatch::Candidate {
            id,
            name: &definition.name,
            profile: &definition.spec.profile,
            tier: agent.spec.tier,
            by_name: agent.spec.start == StartWhen::Trigger,
            availability,
        })
    });
    members.collect()
}

fn ready_tasks<'a>(view: &'a View, busy: &HashSet<NodeId>) -> Vec<dispatch::ReadyTask<'a>> {
    let places = view.index.ready.iter().filter(|place| !busy.contains(&place.id));
    let mut keys: Vec<_> = places.map(|place| (place.created, place.id)).collect();
    keys.sort_unstable();
    let ready = (0_u64..).zip(keys).filter_map(|(order, key)| {
        let task = view.tasks.get(&key)?.task()?;
        Some(ready_task(key.1, order, task))
    });
    ready.collect()
}

fn ready_task(id: NodeId, order: u64, task: &Task) -> dispatch::ReadyTask<'_> {
    dispatch::ReadyTask {
        id,
        priority: task.spec.priority,
        order,
        agent: task.spec.agent.as_deref(),
        role: task.spec.role.as_deref(),
        lost_by: &task.lost_by,
    }
}

fn wanted_reviews(view: &View, busy: &HashSet<NodeId>) -> Vec<dispatch::WantedReview> {
    let under_review: HashSet<NodeId> = view
        .agents
        .values()
        .filter_map(|node| match node.agent()?.status.run()?.spec.purpose {
            Purpose::Review { task } => Some(task),
            _ => None,
        })
        .collect();
    let tasks = (0_u64..).zip(&view.index.in_review);
    let open = tasks.filter(|(_, (_, id))| !busy.contains(id) && !under_review.contains(id));
    open.filter_map(|(order, key)| wanted_review(view, view.tasks.get(key)?, order))
        .collect()
}

fn wanted_review(view: &View, node: &Node, order: u64) -> Option<dispatch::WantedReview> {
    let task = node.task()?;
    let commit = waiting_submission(node)?;
    let TaskStatus::InReview(review) = &task.status else {
        return None;
    };
    let by_agents = matches!(task.spec.approval, Approval::Validation | Approval::Quorum(_));
    let wanted = by_agents && silent(view, node.id, commit) < bounds::ATTEMPTS;
    wanted.then_some(dispatch::WantedReview {
        id: node.id,
        priority: task.spec.priority,
        order,
        submitted_by: review.submission.agent,
        agreed: review.agents_who_agreed().collect(),
    })
}

/// How many reviews of this submission ended without a word.
fn silent(view: &View, task: NodeId, submission: CommitId) -> u32 {
    view.silent_reviews
        .get(&(task, submission))
        .copied()
        .unwrap_or_default()
}

/// Is nothing left that goes on by itself?
fn finish(view: &View, team: &TeamDefinition) -> Option<Step> {
    if view.index.is_anything_held() {
        return None;
    }
    let staff = &staff(view, team, &HashSet::new());
    let mut open = 0;
    let mut pending = Vec::new();
    for node in view.tasks.values() {
        let Some(task) = node.task() else { continue };
        match &task.status {
            TaskStatus::Completed { .. } | TaskStatus::Failed { .. } | TaskStatus::Cancelled { .. } => {}
            TaskStatus::Pending => pending.push(node),
            _ if goes_no_further(view, staff, node) => open += 1,
            _ => return None,
        }
    }
    open += stuck(view, staff, &pending)?;
    Some(Step::Finish {
        team: team.node(),
        open,
    })
}

/// Does nothing happen to the task by itself, apart from what it waits for?
fn goes_no_further(view: &View, staff: &[dispatch::Candidate<'_>], node: &Node) -> bool {
    node.task().is_none_or(|task| match &task.status {
        TaskStatus::Failed { .. } | TaskStatus::Cancelled { .. } | TaskStatus::Blocked { .. } => true,
        TaskStatus::Ready => !has_taker(staff, task),
        TaskStatus::InReview(_) => waits_for_nobody(view, staff, node),
        TaskStatus::Pending
        | TaskStatus::Claimed(_)
        | TaskStatus::InProgress(_)
        | TaskStatus::Completed { .. } => false,
    })
}

/// How many of the pending tasks can never become ready by themselves; `None` when one can. Each
/// dependency is looked at once: a plan may be one long chain, or have many ways to the same task.
fn stuck(view: &View, staff: &[dispatch::Candidate<'_>], pending: &[&Arc<Node>]) -> Option<usize> {
    let mut waiting: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
    let mut next = Vec::new();
    for node in pending {
        for id in node.dependencies() {
            match view.task(id) {
                Some(other) if other.status() == TaskStatus::Pending.name() => {
                    waiting.entry(id).or_default().push(node.id);
                }
                Some(other) if !goes_no_further(view, staff, other) => {}
                Some(_) | None => next.push(node.id),
            }
        }
    }
    let stuck = behind(next, waiting).len();
    (stuck == pending.len()).then_some(stuck)
}

/// Those that are begun with, and all that wait for one of them.
fn behind(mut next: Vec<NodeId>, mut waiting: HashMap<NodeId, Vec<NodeId>>) -> HashSet<NodeId> {
    let mut behind = HashSet::new();
    while let Some(id) = next.pop() {
        if behind.insert(id) {
            next.extend(waiting.remove(&id).into_iter().flatten());
        }
    }
    behind
}

/// Is there an agent that could take the task, now or later?
fn has_taker(staff: &[dispatch::Candidate<'_>], task: &Task) -> bool {
    let ready = ready_task(NodeId::ROOT, 0, task);
    staff.iter().any(|member| dispatch::will_do(&ready, member))
}

/// Does the submission wait for a reviewer that the team cannot give, and not for a person?
fn waits_for_nobody(view: &View, staff: &[dispatch::Candidate<'_>], node: &Node) -> bool {
    let Some(commit) = waiting_submission(node) else {
        return false;
    };
    if node
        .task()
        .is_none_or(|task| task.spec.approval != Approval::Validation)
    {
        return false;
    }
    let can_review = |member: &dispatch::Candidate<'_>| {
        member.tier == Tier::Validation && !member.by_name && member.availability != Availability::Never
    };
    let reviewer = staff.iter().any(can_review);
    silent(view, node.id, commit) >= bounds::ATTEMPTS || !reviewer
}

#[cfg(test)]
#[path = "steps_tests.rs"]
pub(crate) mod tests;
