//! Rules that are broken on purpose, each in one place: the exploration must find every one.

use std::collections::HashSet;

use worknode_core::{
    error::{Error, IllegalTransition},
    event::{Event, Principal, Record},
    firing::{self, Firing, FiringError},
    git::CommitId,
    ids::NodeId,
    run::RunStatus,
    task::{self, Claim, Landing, ReleaseCause, Task, TaskCommand, TaskDecision, TaskStatus},
    time::Timestamp,
    verdict::Outcome,
};
use worknode_policies::{
    landing::{self, Candidate, Step as Review},
    verdict::PublicKey,
};

use super::{
    promises,
    rules::{Rules, SHIPPED},
    scenes::{self, NONE, Scene},
    state::Chances,
    words::OCCURRENCES,
};
use crate::{
    definition::TeamDefinition,
    policy::land,
    team::{
        settlement::{Settlement, settlement},
        steps::{self, Step},
        view::View,
    },
};

/// A broken rule, and the promise that breaks with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defect {
    pub(crate) name: &'static str,
    pub(crate) promise: &'static str,
    /// The world in which it does harm.
    pub(crate) scene: Scene,
    pub(crate) rules: Rules,
}

/// All of them.
pub(crate) fn all() -> Vec<Defect> {
    let defect = |name, promise, chances, rules| Defect {
        name,
        promise,
        scene: scenes::small(name, chances),
        rules,
    };
    vec![
        defect(
            "a task can be claimed while it is held",
            promises::P1,
            NONE,
            Rules {
                task: claims_what_is_held,
                task_after: forgets_the_holder,
                ..SHIPPED
            },
        ),
        defect(
            "a write under an old claim is taken for the present holder's",
            promises::P1,
            Chances { bad_ends: 1, ..NONE },
            Rules {
                task: takes_any_epoch,
                ..SHIPPED
            },
        ),
        defect(
            "a lapsed claim is handed on while its run lives",
            promises::P2,
            Chances { lapses: 1, ..NONE },
            Rules {
                team: settles_at_the_lapse,
                settlement: never_keeps,
                ..SHIPPED
            },
        ),
        defect(
            "a task that is wanted again is given out while its old run lives",
            promises::P2,
            Chances {
                cancels: 1,
                retries: 1,
                ..NONE
            },
            Rules {
                team: marks_ready_at_once,
                ..SHIPPED
            },
        ),
        defect(
            "work lands on the verdict about another tree",
            promises::P3,
            Chances { pushes: 1, ..NONE },
            Rules {
                review: lands_on_any_verdict,
                task_after: counts_any_verdict,
                task: asks_no_questions,
                ..SHIPPED
            },
        ),
        defect(
            "the approval of one submission counts for the next",
            promises::P3,
            Chances {
                pushes: 1,
                failures: 1,
                ..NONE
            },
            Rules {
                task: approves_whatever_is_there,
                ..SHIPPED
            },
        ),
        defect(
            "a landing whose end nobody saw is taken for done",
            promises::P3,
            Chances { crashes: 1, ..NONE },
            Rules {
                landed: takes_it_for_landed,
                ..SHIPPED
            },
        ),
        defect(
            "a firing acts again when it is looked at again",
            promises::P6,
            Chances {
                crashes: 1,
                firings: [true; OCCURRENCES],
                ..NONE
            },
            Rules {
                firing: fires_again,
                ..SHIPPED
            },
        ),
        defect(
            "each daemon gives the run of a firing another identity",
            promises::P6,
            Chances {
                crashes: 1,
                firings: [true; OCCURRENCES],
                ..NONE
            },
            Rules {
                run_of_firing: |deaths| deaths,
                ..SHIPPED
            },
        ),
        defect(
            "a daemon starts what lives once more",
            promises::P6,
            Chances { crashes: 1, ..NONE },
            Rules {
                adopts: false,
                ..SHIPPED
            },
        ),
    ]
}

fn claims_what_is_held(
    known: &Task,
    command: &TaskCommand,
    by: &Principal,
    now: Timestamp,
) -> Result<TaskDecision, Error> {
    match command {
        TaskCommand::Claim { agent, run, lease } if known.status.claim().is_some() => {
            let claim = Claim {
                agent: *agent,
                run: *run,
                epoch: known.epoch + 1,
                lease_until: now.plus(*lease),
            };
            Ok(TaskDecision {
                events: vec![Event::TaskClaimed { claim }],
                permit: None,
            })
        }
        _ => task::decide(known, command, by, now),
    }
}

fn forgets_the_holder(known: &Task, event: &Event) -> Result<Task, IllegalTransition> {
    match event {
        Event::TaskClaimed { .. } if known.status.claim().is_some() => Task {
            status: TaskStatus::Ready,
            ..known.clone()
        }
        .apply(event),
        _ => known.apply(event),
    }
}

fn takes_any_epoch(
    known: &Task,
    command: &TaskCommand,
    by: &Principal,
    now: Timestamp,
) -> Result<TaskDecision, Error> {
    let mut command = command.clone();
    match &mut command {
        TaskCommand::Progress { epoch, .. }
        | TaskCommand::Submit { epoch, .. }
        | TaskCommand::Release { epoch, .. }
        | TaskCommand::Block { epoch, .. } => *epoch = known.epoch,
        _ => {}
    }
    task::decide(known, &command, by, now)
}

fn settles_at_the_lapse(
    view: &View,
    team: &TeamDefinition,
    busy: &HashSet<NodeId>,
    now: Timestamp,
) -> Vec<Step> {
    let lapsed = view
        .tasks
        .values()
        .filter(|node| !busy.contains(&node.id))
        .filter(|node| {
            let claim = node.task().and_then(|task| task.status.claim());
            claim.is_some_and(|claim| claim.lease_until < now)
        });
    let mut all: Vec<Step> = lapsed.map(|node| Step::Settle { task: node.id }).collect();
    let taken = all.clone();
    let others = steps::decide(view, team, busy, now).into_iter();
    all.extend(others.filter(|step| !taken.contains(step)));
    all
}

fn marks_ready_at_once(
    view: &View,
    team: &TeamDefinition,
    busy: &HashSet<NodeId>,
    now: Timestamp,
) -> Vec<Step> {
    let mut all = steps::decide(view, team, busy, now);
    let pending = view
        .tasks
        .values()
        .filter(|node| !busy.contains(&node.id))
        .filter(|node| {
            let status = node.task().map(|task| &task.status);
            matches!(status, Some(TaskStatus::Pending))
        });
    let ready: Vec<Step> = pending.map(|node| Step::MarkReady { task: node.id }).collect();
    all.retain(|step| !ready.contains(step));
    all.extend(ready);
    all
}

fn never_keeps(run: Option<&RunStatus>) -> Settlement {
    match settlement(run) {
        Settlement::Keep => Settlement::Release(ReleaseCause::Lapsed, "the lease ran out".to_owned()),
        other => other,
    }
}

fn lands_on_any_verdict(known: &Task, candidate: &Candidate, base: &CommitId, key: &PublicKey) -> Review {
    let step = landing::next_step(known, candidate, base, key);
    match (&step, candidate, &known.status) {
        (Review::RunGates(_), Candidate::Made(landing), TaskStatus::InReview(review))
            if !review.approvals.is_empty() && passed_once(known) =>
        {
            Review::Land(landing.clone())
        }
        _ => step,
    }
}

fn asks_no_questions(
    known: &Task,
    command: &TaskCommand,
    by: &Principal,
    now: Timestamp,
) -> Result<TaskDecision, Error> {
    let event = match command {
        TaskCommand::BeginLanding { landing } => Event::LandingStarted {
            landing: landing.clone(),
        },
        TaskCommand::Complete { tree, commit } => Event::TaskCompleted {
            tree: tree.clone(),
            commit: commit.clone(),
        },
        _ => return task::decide(known, command, by, now),
    };
    Ok(TaskDecision {
        events: vec![event],
        permit: None,
    })
}

fn passed_once(known: &Task) -> bool {
    match &known.status {
        TaskStatus::InReview(review) => known.spec.gates.iter().all(|gate| {
            let verdict = review.verdicts.get(gate);
            verdict.is_some_and(|verdict| verdict.outcome == Outcome::Passed)
        }),
        _ => false,
    }
}

fn counts_any_verdict(known: &Task, event: &Event) -> Result<Task, IllegalTransition> {
    let tree = match event {
        Event::LandingStarted { landing } => &landing.tree,
        Event::TaskCompleted { tree, .. } => tree,
        _ => return known.apply(event),
    };
    let mut known = known.clone();
    if let TaskStatus::InReview(review) = &mut known.status {
        for verdict in review.verdicts.values_mut() {
            verdict.tree = tree.clone();
        }
    }
    known.apply(event)
}

fn approves_whatever_is_there(
    known: &Task,
    command: &TaskCommand,
    by: &Principal,
    now: Timestamp,
) -> Result<TaskDecision, Error> {
    match (command, &known.status) {
        (TaskCommand::Approve { note, shown, .. }, TaskStatus::InReview(review)) => {
            let command = TaskCommand::Approve {
                commit: review.submission.commit.clone(),
                note: note.clone(),
                shown: shown.clone(),
            };
            task::decide(known, &command, by, now)
        }
        _ => task::decide(known, command, by, now),
    }
}

fn takes_it_for_landed(landing: &Landing, _: bool) -> TaskCommand {
    land::settlement(landing, true)
}

fn fires_again(known: Option<&Firing>, record: &Record) -> Result<Firing, FiringError> {
    match record.event {
        Event::TriggerFired { .. } => firing::apply(None, record),
        _ => firing::apply(known, record),
    }
}
