//! What a run of an agent gets, and what it is found to have taken.

use std::time::Duration;

use super::*;
use crate::{
    agent::{Agent, AgentSpec, StartWhen, Tier},
    body::Body,
    hlc::Hlc,
    node::{self, Kind, Node, NodeChange, NodeState, Times},
    restart::RestartPolicy,
    run::{Ending, Receipt, Resources},
    time::Timestamp,
};

const MINUTE: u64 = 60_000;

fn agent(asks: Share) -> AgentSpec {
    AgentSpec {
        profile: "implementation".into(),
        driver: "command".into(),
        tier: Tier::Implementation,
        start: StartWhen::Task,
        restart: RestartPolicy::default(),
        limits: asks.of(RunLimits::default()),
        asks,
        like: None,
        lineage: None,
    }
}

/// A team with so much of one thing, for two agents.
fn team_with(unit: Unit, limit: u64) -> Ledger {
    let mut ledger = Ledger::default();
    let terms = Terms {
        limit: Budget::default().with(unit, Some(limit)),
        places: Some(2),
    };
    ledger.open(node(0), "web", None, terms).unwrap();
    for n in 1..=3 {
        let name = format!("coder-{n}");
        ledger
            .open(node(n), &name, Some(node(0)), Terms::default())
            .unwrap();
    }
    ledger
}

fn receipt(resources: Resources) -> Receipt {
    Receipt {
        started_at: Some(Timestamp::from_millis(1_000)),
        resources,
        ..Receipt::new(Ending::Code { code: 0 }, Timestamp::from_millis(61_000))
    }
}

#[test]
fn p8_memory_and_processes_come_back_and_the_rest_is_spent() {
    for unit in Unit::ALL {
        let mut ledger = team_with(unit, 1_000);
        ledger.reserve(run(1), node(1), exactly(unit, 600)).unwrap();
        assert!(ledger.reserve(run(2), node(2), exactly(unit, 600)).is_err());
        ledger.settle(run(1), Amount::default().with(unit, 500));
        let left = if unit.is_held() { 1_000 } else { 500 };
        assert_eq!(ledger.left(node(0)).unwrap().of(unit), Some(left), "{unit:?}");
    }
}

#[test]
fn p8_what_is_a_default_gives_way_and_what_was_asked_for_does_not() {
    // Half an hour is what a run has when nobody says anything.
    let mut ledger = team_with(Unit::Time, 40 * MINUTE);
    let by_default = Wish::of(&agent(Share::default()), Share::default());
    let share = ledger.reserve(run(1), node(1), by_default).unwrap();
    assert_eq!(share.of(Unit::Time), Some(20 * MINUTE));
    assert_eq!(share.of(Unit::Processes), Some(1_024), "not limited by anybody");

    let asked = agent(Share::time(Some(Duration::from_secs(30 * 60))));
    let refusal = ledger
        .reserve(run(2), node(2), Wish::of(&asked, Share::default()))
        .unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the budget does not allow another run: web has 20m of time left of 40m of time \
         (0s of time spent, 20m of time kept for live runs), and 30m of time are wanted"
    );
    // Whoever starts it may want less of it.
    let less = Share::time(Some(Duration::from_secs(15 * 60)));
    let share = ledger.reserve(run(2), node(2), Wish::of(&asked, less)).unwrap();
    assert_eq!(share.of(Unit::Time), Some(15 * MINUTE));
}

#[test]
fn p8_a_run_gets_what_it_was_granted() {
    let mut ledger = team_with(Unit::Memory, 1 << 30);
    let spec = agent(Share {
        cpu: Some(Duration::from_secs(60)),
        processes: Some(20),
        ..Share::default()
    });
    let granted = ledger
        .reserve(run(1), node(1), Wish::of(&spec, Share::default()))
        .unwrap();
    let limits = Share::from(granted).of(spec.limits);
    assert_eq!(limits.memory, Some(1 << 29));
    assert_eq!(
        (limits.cpu, limits.processes),
        (Some(Duration::from_secs(60)), Some(20))
    );
    // What the journal keeps of the run says the same, so the next daemon keeps the same for it.
    assert_eq!(Budget::from(&limits), granted);
}

#[test]
fn p8_of_what_comes_back_nobody_starts_with_next_to_nothing() {
    let mut ledger = team_with(Unit::Memory, 1_000);
    ledger
        .reserve(run(1), node(1), exactly(Unit::Memory, 995))
        .unwrap();
    let refusal = ledger.reserve(run(2), node(2), Wish::default()).unwrap_err();
    assert!(refusal.may_pass(), "the other gives it back");
}

#[test]
fn p8_what_was_measured_is_what_was_taken() {
    let share = Budget::default()
        .with(Unit::Time, Some(30_000))
        .with(Unit::Cpu, Some(9_000));
    let seen = receipt(Resources {
        time_ms: 20_000,
        cpu_ms: 300,
        memory_peak: 5,
        processes_peak: 7,
    });
    let taken = Amount::taken(share, &seen);
    assert_eq!((taken.of(Unit::Time), taken.of(Unit::Cpu)), (20_000, 300));
    assert_eq!((taken.of(Unit::Memory), taken.of(Unit::Processes)), (0, 0));

    let lost = Receipt {
        ending: Ending::Unseen,
        ..receipt(Resources::default())
    };
    let taken = Amount::taken(share, &lost);
    assert_eq!(
        (taken.of(Unit::Time), taken.of(Unit::Cpu)),
        (30_000, 9_000),
        "it may have taken all"
    );

    let never = Receipt::new(
        Ending::NotStarted { reason: "no".into() },
        Timestamp::from_millis(61_000),
    );
    assert_eq!(Amount::taken(share, &never), Amount::default());
}

#[test]
fn p8_a_spawned_agent_does_not_move_to_another_s_limits() {
    let mut spec = agent(Share::default());
    let (id, parent) = (node(1), Some(node(0)));
    let moved = |spec: &AgentSpec| {
        let hand = Node {
            id,
            parent,
            kind: Kind::Agent,
            name: "hand".into(),
            state: NodeState::Agent(Box::new(Agent::new(spec.clone()))),
            body: Body::default(),
            times: Times::default(),
            created: Hlc::ZERO,
            updated: Hlc::ZERO,
        };
        node::decide(&hand, &NodeChange::Move { to: NodeId::ROOT })
    };
    assert_eq!(moved(&spec).unwrap().len(), 1);
    spec.like = Some("coder".into());
    assert_eq!(moved(&spec).unwrap_err().code, Code::Refused);
}
