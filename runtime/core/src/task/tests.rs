//! Every reachable state × every event, and random lives.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{agent::Tier, error::Code};

const LEASE: Duration = Duration::from_secs(60);

fn commit(n: u8) -> CommitId {
    format!("{n:040x}").parse().unwrap()
}

fn tree(n: u8) -> TreeId {
    format!("{n:040x}").parse().unwrap()
}

fn node(n: u128) -> NodeId {
    uuid::Uuid::from_u128(n).into()
}

fn run(n: u128) -> RunId {
    uuid::Uuid::from_u128(n).into()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn spec(approval: Approval) -> TaskSpec {
    TaskSpec {
        key: "schema".into(),
        title: "Design the schema".into(),
        prompt: String::new(),
        files: vec!["schema.sql".into()],
        may_delete: Vec::new(),
        depends_on: Vec::new(),
        agent: None,
        deadline: None,
        gates: vec!["plan".into(), "tests".into()],
        approval,
        max_attempts: 3,
        priority: 0,
        max_duration: None,
        ..TaskSpec::default()
    }
}

fn verdict(gate: &str, of: u8, outcome: Outcome) -> Verdict {
    Verdict {
        gate: gate.into(),
        tree: tree(of),
        commit: commit(of),
        outcome,
        findings: Vec::new(),
        more_findings: 0,
        took_ms: 1,
        bound: None,
        signature: String::new(),
    }
}

fn landing(n: u8) -> Landing {
    Landing {
        tree: tree(n),
        commit: commit(n),
        base: commit(200),
    }
}

fn reviewer() -> Principal {
    Principal::Agent {
        node: node(8),
        name: "reviewer".into(),
        run: run(8),
        tier: Tier::Validation,
    }
}

/// One example of every event that speaks of tasks; `epoch` is the one that writes carry.
fn task_events(epoch: u64) -> Vec<Event> {
    let claim = Claim {
        agent: node(1),
        run: Some(run(1)),
        epoch: epoch + 1,
        lease_until: at(60),
    };
    vec![
        Event::TaskReady,
        Event::TaskClaimed { claim },
        Event::ClaimRenewed {
            epoch,
            lease_until: at(90),
        },
        Event::TaskStarted { epoch },
        Event::TaskProgressed {
            epoch,
            progress: Progress::default(),
        },
        Event::TaskSubmitted {
            epoch,
            commit: commit(1),
        },
        Event::TaskReleased {
            epoch,
            cause: ReleaseCause::Crashed,
            detail: String::new(),
            retry_at: Some(at(7)),
        },
        Event::TaskBlocked {
            epoch,
            reason: "no key".into(),
        },
        Event::VerdictRecorded {
            verdict: verdict("plan", 1, Outcome::Passed),
        },
        Event::ReviewRequested { candidate: commit(1) },
        Event::TaskApproved {
            by: reviewer(),
            commit: commit(1),
            note: String::new(),
            shown: String::new(),
            until: None,
        },
        Event::TaskRejected {
            by: Principal::Runtime,
            findings: Vec::new(),
        },
        Event::LandingStarted { landing: landing(1) },
        Event::LandingAbandoned {
            reason: "base moved".into(),
        },
        Event::TaskCompleted {
            tree: tree(1),
            commit: commit(1),
        },
        Event::TaskFailed { reason: "no".into() },
        Event::TaskCancelled { reason: "no".into() },
        Event::TaskRetried,
    ]
}

fn live(events: &[Event], approval: Approval) -> Task {
    events.iter().fold(Task::new(spec(approval)), |task, event| {
        task.apply(event).unwrap()
    })
}

/// A task in each state that can be reached, with the events that led there.
fn states() -> BTreeMap<&'static str, Vec<Event>> {
    let e = task_events(0);
    let claimed = vec![e[0].clone(), e[1].clone()];
    let with = |base: &[Event], more: &[Event]| [base, more].concat();
    let f = task_events(1);
    let in_progress = with(&claimed, &[f[3].clone()]);
    let in_review = with(&in_progress, &[f[5].clone()]);
    let passed = with(
        &in_review,
        &[
            Event::VerdictRecorded {
                verdict: verdict("plan", 1, Outcome::Passed),
            },
            Event::VerdictRecorded {
                verdict: verdict("tests", 1, Outcome::Passed),
            },
        ],
    );
    let approved = with(&passed, &[f[10].clone()]);
    let landing = with(&approved, &[f[12].clone()]);
    BTreeMap::from([
        ("pending", vec![]),
        ("ready", vec![e[0].clone()]),
        ("claimed", claimed),
        ("in_progress", in_progress.clone()),
        ("in_review", in_review),
        ("in_review, gates passed", passed),
        ("in_review, approved", approved),
        ("in_review, landing", landing.clone()),
        ("completed", with(&landing, &[f[14].clone()])),
        ("blocked", with(&in_progress, &[f[7].clone()])),
        ("failed", vec![e[15].clone()]),
        ("cancelled", vec![e[16].clone()]),
    ])
}

/// What is legal, and where it leads. Everything else must be refused.
const LEGAL: &[(&str, &[(&str, &str)])] = &[
    (
        "pending",
        &[
            ("task_ready", "ready"),
            ("task_failed", "failed"),
            ("task_cancelled", "cancelled"),
        ],
    ),
    (
        "ready",
        &[
            ("task_claimed", "claimed"),
            ("task_failed", "failed"),
            ("task_cancelled", "cancelled"),
        ],
    ),
    (
        "claimed",
        &[
            ("claim_renewed", "claimed"),
            ("task_started", "in_progress"),
            ("task_released", "ready"),
            ("task_cancelled", "cancelled"),
        ],
    ),
    (
        "in_progress",
        &[
            ("claim_renewed", "in_progress"),
            ("task_progressed", "in_progress"),
            ("task_submitted", "in_review"),
            ("task_released", "ready"),
            ("task_blocked", "blocked"),
            ("task_cancelled", "cancelled"),
        ],
    ),
    (
        "in_review",
        &[
            ("verdict_recorded", "in_review"),
            ("review_requested", "in_review"),
            ("task_approved", "in_review"),
            ("task_rejected", "ready"),
            ("task_cancelled", "cancelled"),
        ],
    ),
    (
        "in_review, gates passed",
        &[
            ("verdict_recorded", "in_review"),
            ("review_requested", "in_review"),
            ("task_approved", "in_review"),
            ("task_rejected", "ready"),
            ("task_cancelled", "cancelled"),
        ],
    ),
    (
        "in_review, approved",
        &[
            ("verdict_recorded", "in_review"),
            ("review_requested", "in_review"),
            ("task_approved", "in_review"),
            ("task_rejected", "ready"),
            ("landing_started", "in_review"),
            ("task_cancelled", "cancelled"),
        ],
    ),
    (
        "in_review, landing",
        &[
            ("task_approved", "in_review"),
            ("landing_abandoned", "in_review"),
            ("task_completed", "completed"),
        ],
    ),
    ("completed", &[]),
    (
        "blocked",
        &[
            ("task_failed", "failed"),
            ("task_cancelled", "cancelled"),
            ("task_retried", "pending"),
        ],
    ),
    ("failed", &[("task_retried", "pending")]),
    ("cancelled", &[("task_retried", "pending")]),
];

#[test]
fn every_reachable_state_meets_every_event() {
    let states = states();
    assert_eq!(states.len(), LEGAL.len());
    for (name, legal) in LEGAL {
        let task = live(&states[name], Approval::Validation);
        for event in task_events(task.epoch) {
            let expected = legal
                .iter()
                .find(|(event_name, _)| *event_name == event.type_name());
            match (expected, task.apply(&event)) {
                (Some((_, next)), Ok(after)) => assert_eq!(after.status.name(), *next, "{name} + {event:?}"),
                (None, Err(_)) => {}
                (Some(_), Err(error)) => panic!("{name}: {error}"),
                (None, Ok(after)) => panic!(
                    "{name} accepted {} and became {}",
                    event.type_name(),
                    after.status.name()
                ),
            }
        }
    }
}

#[test]
fn p1_writes_with_an_old_epoch_are_refused_in_every_state() {
    for (name, events) in states() {
        let task = live(&events, Approval::Validation);
        for command in [
            TaskCommand::Start { epoch: 0 },
            TaskCommand::Renew {
                epoch: 0,
                lease: LEASE,
            },
            TaskCommand::Progress {
                epoch: 0,
                progress: Progress::default(),
            },
            TaskCommand::Submit {
                epoch: 0,
                commit: commit(1),
            },
            TaskCommand::Release {
                epoch: 0,
                cause: ReleaseCause::GivenBack,
                detail: String::new(),
            },
            TaskCommand::Block {
                epoch: 0,
                reason: String::new(),
            },
        ] {
            assert!(
                decide(&task, &command, &Principal::Runtime, at(1)).is_err(),
                "{name}: {command:?}"
            );
        }
    }
}

#[test]
fn p1_a_held_task_cannot_be_claimed() {
    for name in ["claimed", "in_progress"] {
        let task = live(&states()[name], Approval::Validation);
        let claim = TaskCommand::Claim {
            agent: node(2),
            run: Some(run(2)),
            lease: LEASE,
        };
        assert_eq!(
            decide(&task, &claim, &Principal::Runtime, at(1))
                .unwrap_err()
                .code,
            Code::Held
        );
    }
}

#[test]
fn p3_landing_needs_every_gate_on_this_tree_and_the_approval() {
    let land = |approval, verdicts: Vec<Verdict>, approved_by: Option<Principal>| {
        let mut task = live(&states()["in_review"], approval);
        for verdict in verdicts {
            task = task.apply(&Event::VerdictRecorded { verdict }).unwrap();
        }
        if let Some(by) = approved_by {
            task = task
                .apply(&Event::TaskApproved {
                    by,
                    commit: commit(1),
                    note: String::new(),
                    shown: String::new(),
                    until: None,
                })
                .unwrap();
        }
        decide(
            &task,
            &TaskCommand::BeginLanding { landing: landing(1) },
            &Principal::Runtime,
            at(1),
        )
        .is_ok()
    };
    let both = |of| {
        vec![
            verdict("plan", of, Outcome::Passed),
            verdict("tests", of, Outcome::Passed),
        ]
    };
    let passed = Outcome::Passed;
    assert!(land(Approval::None, both(1), None));
    assert!(land(Approval::Validation, both(1), Some(reviewer())));
    assert!(land(Approval::Operator, both(1), Some(Principal::Operator)));
    assert!(!land(Approval::None, vec![], None), "no verdict");
    assert!(
        !land(Approval::None, vec![verdict("plan", 1, passed)], None),
        "one of two gates"
    );
    assert!(!land(Approval::None, both(2), None), "verdicts on another tree");
    assert!(
        !land(
            Approval::None,
            vec![verdict("plan", 1, passed), verdict("tests", 1, Outcome::Failed)],
            None
        ),
        "a failed gate"
    );
    assert!(!land(Approval::Validation, both(1), None), "no approval");
    assert!(
        !land(Approval::Operator, both(1), Some(reviewer())),
        "an agent for the operator"
    );
    assert!(
        !land(Approval::Validation, both(1), Some(Principal::Runtime)),
        "the runtime does not approve"
    );
}

#[test]
fn p3_an_approval_counts_only_for_what_was_shown() {
    let task = live(&states()["in_review"], Approval::Validation);
    let late = TaskCommand::Approve {
        commit: commit(9),
        note: String::new(),
        shown: String::new(),
    };
    assert_eq!(
        decide(&task, &late, &reviewer(), at(1)).unwrap_err().code,
        Code::StaleEpoch
    );
}

#[test]
fn p6_submitting_twice_has_one_effect() {
    let task = live(&states()["in_review"], Approval::Validation);
    let again = TaskCommand::Submit {
        epoch: 1,
        commit: commit(1),
    };
    assert!(
        decide(&task, &again, &Principal::Runtime, at(1))
            .unwrap()
            .events
            .is_empty()
    );
}

#[test]
fn a_fast_agent_begins_with_its_first_word() {
    let claimed = live(&states()["claimed"], Approval::None);
    let submit = TaskCommand::Submit {
        epoch: 1,
        commit: commit(1),
    };
    let events = decide(&claimed, &submit, &Principal::Runtime, at(1))
        .unwrap()
        .events;
    let names: Vec<_> = events.iter().map(Event::type_name).collect();
    assert_eq!(names, ["task_started", "task_submitted"]);
    // The runtime's own note that it began comes late, and changes nothing.
    let submitted = events
        .iter()
        .fold(claimed, |task, event| task.apply(event).unwrap());
    let late = decide(
        &submitted,
        &TaskCommand::Start { epoch: 1 },
        &Principal::Runtime,
        at(2),
    );
    assert!(late.unwrap().events.is_empty());
}

#[test]
fn p8_the_last_attempt_fails_the_task() {
    let mut task = Task::new(spec(Approval::None)).apply(&Event::TaskReady).unwrap();
    for attempt in 1..=3_u64 {
        for command in [
            TaskCommand::Claim {
                agent: node(1),
                run: Some(run(1)),
                lease: LEASE,
            },
            TaskCommand::Start { epoch: attempt },
            TaskCommand::Release {
                epoch: attempt,
                cause: ReleaseCause::Crashed,
                detail: "exit 3".into(),
            },
        ] {
            let decision = decide(&task, &command, &Principal::Runtime, at(attempt)).unwrap();
            task = decision
                .events
                .iter()
                .fold(task, |task, event| task.apply(event).unwrap());
        }
    }
    assert_eq!(task.status.name(), "failed");
}

#[test]
fn a_stop_on_request_uses_up_no_attempt() {
    let task = live(&states()["in_progress"], Approval::None);
    let released = task
        .apply(&Event::TaskReleased {
            epoch: 1,
            cause: ReleaseCause::Stopped,
            detail: String::new(),
            retry_at: None,
        })
        .unwrap();
    assert_eq!((released.attempts, released.lost_by.len()), (0, 0));
}

proptest! {
    /// Random lives: legal events are applied, others refused; epochs never fall, and folding
    /// the events that were accepted gives the state that was lived through.
    #[test]
    fn p1_recovery_by_folding_is_the_life_itself(choices in prop::collection::vec(0_usize..18, 0..80)) {
        let mut lived = Task::new(spec(Approval::Validation));
        let mut history = Vec::new();
        let mut epoch = 0;
        for choice in choices {
            let event = task_events(lived.epoch)[choice].clone();
            if let Ok(next) = lived.apply(&event) {
                prop_assert!(next.epoch >= epoch);
                if matches!(event, Event::TaskClaimed { .. }) {
                    prop_assert!(next.epoch > epoch);
                }
                epoch = next.epoch;
                let text = serde_json::to_string(&event).unwrap();
                history.push(serde_json::from_str::<Event>(&text).unwrap());
                lived = next;
            }
        }
        prop_assert_eq!(live(&history, Approval::Validation), lived.clone());
        let apart = Task::from_life(lived.spec.clone(), &lived.life().unwrap()).unwrap();
        prop_assert_eq!(&apart, &lived);
        let stored = serde_json::to_string(&lived).unwrap();
        prop_assert_eq!(serde_json::from_str::<Task>(&stored).unwrap(), lived);
    }
}

#[test]
fn p8_what_a_run_may_have_is_the_smaller_of_all_that_is_said_of_its_task() {
    use crate::agent::Share;
    let time = |secs| Some(Duration::from_secs(secs));
    let spec = |limits| TaskSpec {
        max_duration: time(60),
        limits,
        ..TaskSpec::default()
    };
    assert_eq!(spec(Share::default()).share(), Share::time(time(60)));
    let limits = Share {
        time: time(90),
        tokens: Some(5),
        ..Share::default()
    };
    let share = spec(limits).share();
    assert_eq!(
        (share.time, share.tokens, share.memory),
        (time(60), Some(5), None)
    );
    // A plan of before says the same as ever.
    let stored = serde_json::to_value(spec(Share::default())).unwrap();
    assert!(stored.get("limits").is_none());
}
