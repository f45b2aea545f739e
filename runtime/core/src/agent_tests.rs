//! Lives of agents and runs: every command in every state, and random histories.

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;

use crate::{
    agent::{Agent, AgentCommand, AgentEffect, AgentSpec, AgentStatus, Share, StartWhen, Tier, decide},
    error::Code,
    event::{Event, Principal},
    ids::{NodeId, RunId},
    lineage::Lineage,
    restart::{RestartKind, RestartPolicy},
    run::{Ending, Hold, ProcessIdentity, Purpose, Receipt, Run, RunLimits, RunStatus, StopCause},
    time::Timestamp,
};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn agent(kind: RestartKind) -> Agent {
    Agent::new(AgentSpec {
        profile: "implementation".into(),
        driver: "command".into(),
        tier: Tier::Implementation,
        start: StartWhen::Task,
        restart: RestartPolicy {
            kind,
            ..RestartPolicy::default()
        },
        limits: RunLimits::default(),
        asks: Share::default(),
        like: None,
        lineage: None,
    })
}

/// The same, spawned in the likeness of another.
fn spawned(kind: RestartKind) -> Agent {
    let mut agent = agent(kind);
    agent.spec.like = Some("coder".into());
    agent
}

fn run_id(n: u128) -> RunId {
    uuid::Uuid::from_u128(n).into()
}

fn process() -> ProcessIdentity {
    ProcessIdentity {
        pid: 42,
        start_time: 7,
        boot_id: "boot".into(),
    }
}

fn receipt(ending: Ending, cause: Option<StopCause>) -> Box<Receipt> {
    Box::new(Receipt {
        cause,
        processes_ended: 1,
        ..Receipt::new(ending, at(9))
    })
}

/// The agent after `command`, with what was to be done about it.
fn step(
    agent: &Agent,
    command: &AgentCommand,
    now: u64,
) -> Result<(Agent, Option<AgentEffect>), crate::error::Error> {
    let decision = decide(agent, command, &Principal::Operator, at(now))?;
    let after = decision
        .events
        .iter()
        .fold(agent.clone(), |agent, event| agent.apply(event, at(now)).unwrap());
    Ok((after, decision.effect))
}

fn started(kind: RestartKind, purpose: Purpose) -> Agent {
    let (agent, effect) = step(
        &agent(kind),
        &AgentCommand::Start {
            raised: Vec::new(),
            run: run_id(1),
            purpose,
            share: Share::default(),
        },
        1,
    )
    .unwrap();
    assert!(matches!(effect, Some(AgentEffect::Spawn(permit, _)) if permit.run() == run_id(1)));
    step(
        &agent,
        &AgentCommand::Started {
            run: run_id(1),
            process: process(),
        },
        2,
    )
    .unwrap()
    .0
}

fn exited(agent: &Agent, ending: Ending, cause: Option<StopCause>, now: u64) -> Agent {
    let command = AgentCommand::Exited {
        run: run_id(1),
        receipt: receipt(ending, cause),
        random: 0,
    };
    step(agent, &command, now).unwrap().0
}

#[test]
fn p6_an_agent_has_at_most_one_run() {
    let busy = started(RestartKind::Transient, Purpose::Standing);
    let again = AgentCommand::Start {
        raised: Vec::new(),
        run: run_id(2),
        purpose: Purpose::Standing,
        share: Share::default(),
    };
    assert!(step(&busy, &again, 3).is_err());
}

#[test]
fn ends_lead_where_the_restart_kind_says() {
    let task = || Purpose::Work {
        task: NodeId::ROOT,
        epoch: 1,
    };
    let crash = || Ending::Code { code: 3 };
    let clean = || Ending::Code { code: 0 };
    let status = |kind, purpose, ending| exited(&started(kind, purpose), ending, None, 9).status.name();
    assert_eq!(status(RestartKind::Transient, task(), clean()), "idle");
    assert_eq!(status(RestartKind::Transient, task(), crash()), "backoff");
    assert_eq!(status(RestartKind::Temporary, task(), crash()), "stopped");
    assert_eq!(status(RestartKind::Temporary, task(), clean()), "idle");
    assert_eq!(
        status(RestartKind::Permanent, Purpose::Standing, clean()),
        "backoff"
    );
    assert_eq!(
        status(RestartKind::Transient, Purpose::Standing, clean()),
        "stopped"
    );
    assert_eq!(
        status(RestartKind::Transient, Purpose::Standing, crash()),
        "backoff"
    );
}

#[test]
fn p8_a_run_that_hits_a_limit_counts_as_a_crash_and_a_requested_stop_does_not() {
    let busy = started(RestartKind::Transient, Purpose::Standing);
    let killed = Ending::Signal { signal: 9 };
    assert_eq!(
        exited(&busy, killed.clone(), Some(StopCause::TimeLimit), 9)
            .status
            .name(),
        "backoff"
    );
    assert_eq!(
        exited(&busy, killed, Some(StopCause::Shutdown), 9).status.name(),
        "idle"
    );
}

#[test]
fn p4_kill_marks_first_then_stops_and_is_idempotent() {
    let busy = started(RestartKind::Permanent, Purpose::Standing);
    let kill = AgentCommand::Kill {
        reason: "enough".into(),
        grace: None,
    };
    let (stopping, effect) = step(&busy, &kill, 3).unwrap();
    assert!(matches!(effect, Some(AgentEffect::Stop { .. })));
    let (same, effect) = step(&stopping, &kill, 4).unwrap();
    assert!(effect.is_none());
    assert_eq!(same, stopping);
    let gone = exited(&same, Ending::Signal { signal: 15 }, None, 5);
    assert_eq!(
        gone.status,
        AgentStatus::Stopped {
            reason: "enough".into()
        }
    );
    assert_eq!(step(&gone, &kill, 6).unwrap().0, gone);
}

#[test]
fn p4_the_receipt_says_why_the_run_was_stopped() {
    let busy = started(RestartKind::Transient, Purpose::Standing);
    let (stopping, _) = step(
        &busy,
        &AgentCommand::StopRun {
            cause: StopCause::TimeLimit,
            grace: None,
        },
        3,
    )
    .unwrap();
    let exit = AgentCommand::Exited {
        run: run_id(1),
        receipt: receipt(Ending::Signal { signal: 9 }, None),
        random: 0,
    };
    let decision = decide(&stopping, &exit, &Principal::Runtime, at(4)).unwrap();
    let Some(Event::RunExited { receipt, .. }) = decision.events.first() else {
        panic!("{decision:?}")
    };
    assert_eq!(receipt.cause, Some(StopCause::TimeLimit));
}

#[test]
fn a_stop_that_overtakes_the_start_still_knows_its_process() {
    let (starting, _) = step(
        &agent(RestartKind::Transient),
        &AgentCommand::Start {
            raised: Vec::new(),
            run: run_id(1),
            purpose: Purpose::Standing,
            share: Share::default(),
        },
        1,
    )
    .unwrap();
    let (stopping, _) = step(
        &starting,
        &AgentCommand::StopRun {
            cause: StopCause::Shutdown,
            grace: None,
        },
        2,
    )
    .unwrap();
    let (known, _) = step(
        &stopping,
        &AgentCommand::Started {
            run: run_id(1),
            process: process(),
        },
        3,
    )
    .unwrap();
    assert_eq!(known.status.run().unwrap().status.process(), Some(&process()));
    assert_eq!(known.status.run().unwrap().status.name(), "stopping");
}

#[test]
fn p8_too_many_crashes_quarantine_until_resumed() {
    let mut now = agent(RestartKind::Transient);
    for second in 0..4 {
        let start = AgentCommand::Start {
            raised: Vec::new(),
            run: run_id(1),
            purpose: Purpose::Standing,
            share: Share::default(),
        };
        now = step(&now, &start, second).unwrap().0;
        now = exited(&now, Ending::Code { code: 1 }, None, second);
        if now.status.name() == "backoff" {
            now = step(&now, &AgentCommand::BackoffOver, second).unwrap().0;
        }
    }
    assert_eq!(now.status.name(), "quarantined");
    assert_eq!(
        step(&now, &AgentCommand::Resume, 9).unwrap().0.status,
        AgentStatus::Idle
    );
}

#[test]
fn p9_a_run_has_the_time_that_what_its_agent_was_given_holds() {
    let mut agent = spawned(RestartKind::Temporary);
    agent.spec.limits.grace = Duration::from_secs(5);
    agent.spec.lineage = Some(Box::new(Lineage {
        ids: vec!["0".repeat(32)],
        operations: BTreeSet::new(),
        subtree: NodeId::ROOT,
        expires: at(100),
        files: Vec::new(),
        usd: None,
        tokens: None,
        depth: None,
        fan_out: None,
        audience: None,
    }));
    let start = AgentCommand::Start {
        raised: Vec::new(),
        run: run_id(1),
        purpose: Purpose::Standing,
        share: Share::default(),
    };
    let time = |now| {
        let (after, _) = step(&agent, &start, now)?;
        Ok::<_, crate::error::Error>(after.status.run().unwrap().spec.limits.time.as_secs())
    };
    assert_eq!(time(85).unwrap(), 10, "its grace is within what holds");
    assert_eq!(time(94).unwrap(), 1);
    for late in [95, 100, 101] {
        let refused = time(late).unwrap_err();
        assert_eq!(refused.code, Code::Refused, "{late}");
        assert!(refused.hint.is_some());
    }
    agent.spec.limits.time = Duration::from_secs(2);
    let (after, _) = step(&agent, &start, 85).unwrap();
    assert_eq!(
        after.status.run().unwrap().spec.limits.time.as_secs(),
        2,
        "its own is less"
    );
}

fn commands() -> Vec<AgentCommand> {
    vec![
        AgentCommand::Start {
            raised: Vec::new(),
            run: run_id(1),
            purpose: Purpose::Standing,
            share: Share::default(),
        },
        AgentCommand::Started {
            run: run_id(1),
            process: process(),
        },
        AgentCommand::StopRun {
            cause: StopCause::SilenceLimit,
            grace: None,
        },
        AgentCommand::Exited {
            run: run_id(1),
            receipt: receipt(Ending::Code { code: 1 }, None),
            random: 3,
        },
        AgentCommand::Exited {
            run: run_id(1),
            receipt: receipt(Ending::Code { code: 0 }, None),
            random: 3,
        },
        AgentCommand::BackoffOver,
        AgentCommand::Kill {
            reason: "k".into(),
            grace: None,
        },
        AgentCommand::Resume,
    ]
}

/// Every event that speaks of runs, for run 1.
fn run_events() -> Vec<Event> {
    let run = run_id(1);
    vec![
        Event::RunStarting { run },
        Event::RunStarted {
            run,
            process: process(),
        },
        Event::RunFrozen {
            run,
            hold: Hold::Asked,
            reason: String::new(),
        },
        Event::RunThawed { run },
        Event::RunStopping {
            run,
            cause: StopCause::Shutdown,
        },
        Event::RunExited {
            run,
            receipt: receipt(Ending::Unseen, None),
        },
    ]
}

#[test]
fn every_run_state_meets_every_event() {
    const LEGAL: &[(&str, &[&str])] = &[
        ("queued", &["run_starting", "run_stopping", "run_exited"]),
        ("starting", &["run_started", "run_stopping", "run_exited"]),
        ("running", &["run_frozen", "run_stopping", "run_exited"]),
        (
            "frozen",
            &["run_frozen", "run_thawed", "run_stopping", "run_exited"],
        ),
        ("stopping", &["run_exited"]),
        ("exited", &[]),
    ];
    let Some(RunStatus::Running { .. }) = started(RestartKind::Transient, Purpose::Standing)
        .status
        .run()
        .map(|r| r.status.clone())
    else {
        panic!("a started agent has a running run")
    };
    let spec = started(RestartKind::Transient, Purpose::Standing)
        .status
        .run()
        .unwrap()
        .spec
        .clone();
    let queued = Run::queued(spec);
    let events = run_events();
    let walk = |path: &[usize]| {
        path.iter()
            .fold(queued.clone(), |run, &i| run.apply(&events[i], at(1)).unwrap())
    };
    let paths: [&[usize]; 6] = [&[], &[0], &[0, 1], &[0, 1, 2], &[0, 1, 4], &[0, 1, 5]];
    for ((name, legal), path) in LEGAL.iter().zip(paths) {
        let run = walk(path);
        assert_eq!(run.status.name(), *name);
        for event in &events {
            assert_eq!(
                run.apply(event, at(2)).is_ok(),
                legal.contains(&event.type_name()),
                "{name} + {}",
                event.type_name()
            );
        }
    }
}

proptest! {
    #[test]
    fn p6_random_lives_fold_back_and_never_hold_two_runs(choices in prop::collection::vec((0_usize..8, 0_u64..500), 0..60)) {
        let mut lived = agent(RestartKind::Transient);
        let mut history: Vec<(Event, Timestamp)> = Vec::new();
        for (choice, now) in choices {
            let Ok(decision) = decide(&lived, &commands()[choice], &Principal::Operator, at(now)) else { continue };
            if matches!(decision.effect, Some(AgentEffect::Spawn(..))) {
                prop_assert!(lived.status.run().is_none());
            }
            for event in decision.events {
                lived = lived.apply(&event, at(now)).unwrap();
                history.push((event, at(now)));
            }
        }
        let folded = history.iter().fold(agent(RestartKind::Transient), |agent, (event, at)| agent.apply(event, *at).unwrap());
        prop_assert_eq!(&folded, &lived);
        let stored = serde_json::to_string(&lived).unwrap();
        prop_assert_eq!(serde_json::from_str::<Agent>(&stored).unwrap(), lived);
    }
}

#[test]
fn p6_a_spawned_agent_is_never_started_again_by_itself() {
    let asked = || Purpose::Spawned {
        by: "boss".into(),
        title: "Look".into(),
        prompt: "Look around".into(),
    };
    for kind in [
        RestartKind::Permanent,
        RestartKind::Transient,
        RestartKind::Temporary,
    ] {
        for cause in [
            None,
            Some(StopCause::TimeLimit),
            Some(StopCause::Parent { name: "boss".into() }),
        ] {
            let start = AgentCommand::Start {
                raised: Vec::new(),
                run: run_id(1),
                purpose: asked(),
                share: Share::default(),
            };
            let (busy, _) = step(&spawned(kind), &start, 1).unwrap();
            let exited = AgentCommand::Exited {
                run: run_id(1),
                receipt: receipt(Ending::Code { code: 7 }, cause),
                random: 5,
            };
            let (after, _) = step(&busy, &exited, 9).unwrap();
            assert_eq!(after.status, AgentStatus::Idle);
        }
    }
    assert_eq!(asked().task(), None);
}

#[test]
fn what_was_stored_before_there_was_spawning_is_still_read() {
    let mut json = serde_json::to_value(agent(RestartKind::Permanent)).unwrap();
    let spec = json["spec"].as_object_mut().unwrap();
    assert!(!spec.contains_key("like"), "and is written as before");
    let read: Agent = serde_json::from_value(json).unwrap();
    assert_eq!(read, agent(RestartKind::Permanent));
    let read: Agent =
        serde_json::from_value(serde_json::to_value(spawned(RestartKind::Permanent)).unwrap()).unwrap();
    assert_eq!(read.spec.like.as_deref(), Some("coder"));
}
