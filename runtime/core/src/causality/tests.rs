use std::{cell::Cell, collections::BTreeMap, convert::Infallible};

use super::*;
use crate::{
    event::{Event, Principal},
    git::CommitId,
    ids::RunId,
    run::{Ending, Purpose, Receipt, RunLimits, RunSpec, StopCause},
    task::Claim,
    time::Timestamp,
};

/// A history in memory that counts what is asked of it.
#[derive(Default)]
struct Told {
    records: BTreeMap<Hlc, Record>,
    asked: Cell<usize>,
}

impl Told {
    fn put(&mut self, record: Record) -> Record {
        self.records.insert(record.at, record.clone());
        record
    }

    /// Tells an event of `node` by the runtime.
    fn tell(&mut self, wall: u64, node: NodeId, event: Event) -> Record {
        self.put(record(at(wall, 1), node, None, event))
    }
}

impl History for Told {
    type Error = Infallible;

    fn event(&self, at: Hlc) -> Result<Option<Record>, Infallible> {
        self.asked.set(self.asked.get() + 1);
        Ok(self.records.get(&at).cloned())
    }

    fn previous(&self, at: Hlc) -> Result<Option<Record>, Infallible> {
        let before = self.records.range(..at).rev();
        Ok(before
            .map(|(_, record)| record)
            .find(|record| record.at.origin == at.origin)
            .cloned())
    }

    fn of_node(
        &self,
        node: NodeId,
        before: Hlc,
        types: &[&'static str],
        limit: usize,
    ) -> Result<Vec<Record>, Infallible> {
        let earlier = self.records.range(..before).rev().map(|(_, record)| record);
        let fitting = earlier.filter(|r| r.node == node && types.contains(&r.event.type_name()));
        Ok(fitting.take(limit).cloned().collect())
    }
}

fn at(wall: u64, origin: u32) -> Hlc {
    Hlc {
        wall: Timestamp::from_millis(wall),
        counter: 0,
        origin,
    }
}

fn record(at: Hlc, node: NodeId, cause: Option<Hlc>, event: Event) -> Record {
    Record {
        at,
        node,
        by: Principal::Runtime,
        cause,
        version: 1,
        event,
    }
}

fn node(n: u8) -> NodeId {
    NodeId::from_parts(1, [n; 10])
}

fn run(n: u8) -> RunId {
    RunId::from_parts(1, [n; 10])
}

fn plain(wall: u64, origin: u32, cause: Option<Hlc>) -> Record {
    record(at(wall, origin), node(1), cause, Event::TaskReady)
}

#[test]
fn p10_origin_order_and_causes_make_the_relation() {
    let mut told = Told::default();
    let first = told.put(plain(1, 1, None));
    let second = told.put(plain(4, 1, None));
    let beside = told.put(plain(2, 2, None));
    let after = told.put(plain(5, 2, Some(at(4, 1))));
    let later = told.put(plain(6, 2, None));
    let third = told.put(plain(9, 3, Some(at(6, 2))));
    let relation = |a, b| relation(&told, a, b).unwrap();
    assert_eq!(relation(&first, &first), Relation::Same);
    assert_eq!(relation(&first, &second), Relation::Before);
    assert_eq!(relation(&second, &first), Relation::After);
    assert_eq!(relation(&first, &beside), Relation::Concurrent);
    assert_eq!(relation(&beside, &second), Relation::Concurrent);
    assert_eq!(relation(&second, &after), Relation::Before);
    // Over the order of an origin, and from there over a cause to another.
    assert_eq!(relation(&first, &later), Relation::Before);
    assert_eq!(relation(&third, &first), Relation::After);
    assert_eq!(relation(&third, &beside), Relation::After);
}

#[test]
fn p10_a_cause_that_is_not_stored_still_tells_its_origin() {
    let told = Told::default();
    let a = plain(3, 1, None);
    let b = plain(9, 2, Some(at(5, 1)));
    assert_eq!(relation(&told, &a, &b).unwrap(), Relation::Before);
    let c = plain(9, 2, Some(at(5, 3)));
    assert_eq!(relation(&told, &a, &c).unwrap(), Relation::Concurrent);
}

#[test]
fn a_walk_is_bounded_and_says_so() {
    let mut told = Told::default();
    for wall in 2..=(2 + LOOKED_AT as u64) {
        told.put(plain(wall, 2, None));
    }
    let (a, b) = (plain(1, 1, None), plain(1_000_000, 2, None));
    assert!(matches!(
        relation(&told, &a, &b),
        Err(Unrelated::TooFar { from, to }) if (from, to) == (a.at, b.at)
    ));
    assert!(told.asked.get() <= LOOKED_AT);
}

#[test]
fn p10_two_streams_become_one_in_order_without_doubles() {
    let (a, b, c, d) = (
        plain(1, 1, None),
        plain(2, 2, None),
        plain(3, 1, None),
        plain(4, 2, None),
    );
    let merged: Result<Vec<_>, _> =
        merge_streams([a.clone(), b.clone(), c.clone()], [b.clone(), d.clone()]).collect();
    assert_eq!(merged.unwrap(), [a.clone(), b.clone(), c, d]);
    assert_eq!(merge_streams([], []).count(), 0);
    assert_eq!(merge_streams([a.clone()], []).count(), 1);
}

#[test]
fn a_stream_that_goes_back_or_disagrees_is_an_error() {
    let (early, late) = (plain(1, 1, None), plain(2, 1, None));
    let back: Vec<_> = merge_streams([late.clone(), early.clone()], [late.clone()]).collect();
    assert_eq!(
        back.last(),
        Some(&Err(StreamError::OutOfOrder {
            at: early.at,
            after: late.at
        }))
    );
    let mut other = late.clone();
    other.event = Event::TaskRetried;
    let forked: Vec<_> = merge_streams([late.clone(), plain(3, 1, None)], [other]).collect();
    assert_eq!(forked, [Err(StreamError::Forked { at: late.at })]);
}

fn types(why: &Why) -> Vec<(How, &'static str)> {
    why.links
        .iter()
        .map(|link| (link.how, link.record.event.type_name()))
        .collect()
}

fn queued(purpose: Purpose) -> Event {
    Event::RunQueued {
        run: RunSpec {
            raised: Vec::new(),
            id: run(1),
            purpose,
            limits: RunLimits::default(),
        },
    }
}

fn exited(cause: Option<StopCause>) -> Event {
    let receipt = Receipt {
        cause,
        ..Receipt::new(Ending::Code { code: 1 }, Timestamp::from_millis(9))
    };
    Event::RunExited {
        run: run(1),
        receipt: Box::new(receipt),
    }
}

fn claimed(epoch: u64) -> Event {
    Event::TaskClaimed {
        claim: Claim {
            agent: node(2),
            run: Some(run(1)),
            epoch,
            lease_until: Timestamp::from_millis(60),
        },
    }
}

#[test]
fn p10_a_run_of_a_trigger_leads_back_to_the_event_that_fired_it() {
    let (team, agent) = (node(1), node(2));
    let mut told = Told::default();
    let event = told.tell(
        1,
        team,
        Event::Emitted {
            name: "go".into(),
            version: 1,
            data: serde_json::Map::new(),
        },
    );
    told.tell(
        2,
        team,
        Event::TriggerFired {
            trigger: "t".into(),
            occurrence: event.at.to_string(),
            due: event.at.wall,
            by: None,
        },
    );
    let purpose = Purpose::Fired {
        trigger: "t".into(),
        title: String::new(),
        prompt: String::new(),
    };
    told.put(record(at(3, 1), agent, Some(at(2, 1)), queued(purpose)));
    let stopping = Event::RunStopping {
        run: run(1),
        cause: StopCause::TimeLimit,
    };
    told.tell(4, agent, stopping);
    told.tell(5, agent, exited(Some(StopCause::TimeLimit)));
    let asked = told.tell(
        6,
        agent,
        Event::AgentQuarantined {
            reason: String::new(),
        },
    );
    let why = why(&told, asked).unwrap();
    let expected = [
        (How::Asked, "agent_quarantined"),
        (How::Implied, "run_exited"),
        (How::Implied, "run_stopping"),
        (How::Implied, "run_queued"),
        (How::Stated, "trigger_fired"),
        (How::Implied, "emitted"),
    ];
    assert_eq!(types(&why), expected);
    assert_eq!(why.end, End::Origin);
}

#[test]
fn p10_a_released_task_leads_to_the_end_of_its_run_and_on() {
    let (task, agent) = (node(1), node(2));
    let mut told = Told::default();
    told.tell(1, task, Event::TaskReady);
    told.tell(2, task, claimed(1));
    told.tell(3, agent, queued(Purpose::Work { task, epoch: 1 }));
    told.tell(4, agent, exited(None));
    let asked = told.tell(
        5,
        task,
        Event::TaskReleased {
            epoch: 1,
            cause: crate::task::ReleaseCause::Crashed,
            detail: String::new(),
            retry_at: None,
        },
    );
    let expected = [
        (How::Asked, "task_released"),
        (How::Implied, "run_exited"),
        (How::Implied, "run_queued"),
        (How::Implied, "task_claimed"),
        (How::Implied, "task_ready"),
    ];
    assert_eq!(types(&why(&told, asked).unwrap()), expected);
}

#[test]
fn p10_what_an_agent_did_leads_to_its_run_and_what_a_trigger_did_to_its_firing() {
    let (team, agent) = (node(1), node(2));
    let mut told = Told::default();
    let fired = Event::TriggerFired {
        trigger: "t".into(),
        occurrence: "2026".into(),
        due: Timestamp::from_millis(1),
        by: None,
    };
    told.tell(1, team, fired);
    let by_trigger = Record {
        by: Principal::Trigger { name: "t".into() },
        ..record(
            at(2, 1),
            team,
            None,
            Event::Notified {
                to: "operator".into(),
                message: String::new(),
            },
        )
    };
    let expected = [(How::Asked, "notified"), (How::Implied, "trigger_fired")];
    assert_eq!(types(&why(&told, by_trigger).unwrap()), expected);

    let process = crate::run::ProcessIdentity {
        pid: 1,
        start_time: 1,
        boot_id: String::new(),
    };
    told.tell(3, agent, Event::RunStarted { run: run(1), process });
    let by_agent = Record {
        by: Principal::Agent {
            node: agent,
            name: "a".into(),
            run: run(1),
            tier: crate::agent::Tier::Executive,
        },
        ..record(
            at(4, 1),
            node(9),
            None,
            Event::TaskCancelled {
                reason: String::new(),
            },
        )
    };
    let expected = [(How::Asked, "task_cancelled"), (How::Implied, "run_started")];
    assert_eq!(types(&why(&told, by_agent).unwrap()), expected);
}

#[test]
fn a_cause_that_is_gone_or_impossible_ends_the_chain_and_says_so() {
    let mut told = Told::default();
    let gone = told.put(plain(5, 1, Some(at(1, 7))));
    assert_eq!(why(&told, gone).unwrap().end, End::Missing { cause: at(1, 7) });
    let (one, other) = (plain(5, 1, Some(at(6, 1))), plain(6, 1, Some(at(5, 1))));
    told.put(one.clone());
    told.put(other);
    assert_eq!(why(&told, one).unwrap().end, End::Backwards { cause: at(6, 1) });
}

#[test]
fn a_chain_is_bounded_and_its_json_round_trips() {
    let mut told = Told::default();
    let mut last = told.put(plain(1, 1, None));
    for wall in 2..500 {
        last = told.put(plain(wall, 1, Some(last.at)));
    }
    let why = why(&told, last).unwrap();
    assert_eq!((why.links.len(), why.end), (LINKS, End::More));
    let text = serde_json::to_string(&why).unwrap();
    assert_eq!(serde_json::from_str::<Why>(&text).unwrap(), why);
}

/// Whatever is asked of whatever history, a walk ends, and each cause is before what it led to.
#[test]
fn p10_every_link_is_before_the_one_that_it_led_to() {
    let (team, agent) = (node(1), node(2));
    let mut told = Told::default();
    let commit: CommitId = "0123456789012345678901234567890123456789".parse().unwrap();
    let events = [
        Event::TaskReady,
        claimed(1),
        Event::TaskStarted { epoch: 1 },
        queued(Purpose::Work { task: team, epoch: 1 }),
        exited(None),
        Event::TaskSubmitted { epoch: 1, commit },
        Event::AgentReady,
        Event::TaskFailed {
            reason: String::new(),
        },
    ];
    for wall in 1..200_u64 {
        let event = events[usize::try_from(wall * 7 % 8).unwrap()].clone();
        let whose = if wall % 3 == 0 { team } else { agent };
        told.tell(wall, whose, event);
    }
    for asked in told.records.values() {
        let why = why(&told, asked.clone()).unwrap();
        let stamps: Vec<_> = why.links.iter().map(|link| link.record.at).collect();
        assert!(stamps.is_sorted_by(|a, b| a > b), "{stamps:?}");
    }
}
