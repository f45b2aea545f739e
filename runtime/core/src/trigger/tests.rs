use super::*;
use crate::event::{Principal, SCHEMA_VERSION};

fn at(second: u64) -> Hlc {
    Hlc {
        wall: Timestamp::from_millis(second * 1_000),
        counter: 0,
        origin: 1,
    }
}

fn told(second: u64, event: Event) -> Record {
    Record {
        at: at(second),
        node: crate::ids::NodeId::ROOT,
        by: Principal::Operator,
        cause: None,
        version: SCHEMA_VERSION,
        event,
    }
}

fn fired(due: u64, by: Option<Principal>) -> Event {
    Event::TriggerFired {
        trigger: "t".into(),
        occurrence: due.to_string(),
        due: at(due).wall,
        by: by.map(Box::new),
    }
}

fn acted(failed: bool, started: Option<Started>) -> Event {
    Event::TriggerActed {
        trigger: "t".into(),
        occurrence: "5".into(),
        outcome: "done".into(),
        failed,
        started,
    }
}

fn fold(events: impl IntoIterator<Item = (u64, Event)>) -> TriggerState {
    let mut state = None;
    for (second, event) in events {
        assert!(triggers_of(&event).contains(&"t".to_owned()));
        state = Some(TriggerState::after(state.as_ref(), "t", &told(second, event)));
    }
    state.unwrap()
}

fn watched() -> Event {
    Event::TriggersWatched {
        triggers: vec!["s".into(), "t".into()],
        digests: vec![6, 7],
    }
}

#[test]
fn p6_each_trigger_has_its_own_watermark() {
    let state = fold([(3, watched())]);
    assert_eq!((state.settled, state.fired), (at(3).wall, 0));
    assert_eq!(state.digest, Some(7));
    let state = fold([(3, watched()), (6, fired(5, None))]);
    assert_eq!((state.settled, state.fired), (at(5).wall, 1));
    // By hand settles nothing, and counts for nothing.
    let state = fold([(3, watched()), (9, fired(9, Some(Principal::Operator)))]);
    assert_eq!((state.settled, state.fired), (at(3).wall, 0));
    let passed = Event::TriggerPassed {
        trigger: "t".into(),
        until: at(8).wall,
        count: 700,
        reason: "missed".into(),
    };
    let state = fold([(3, watched()), (9, passed)]);
    assert_eq!(state.settled, at(8).wall);
    assert_eq!(state.skip.unwrap().occurrence, None);
}

#[test]
fn what_comes_back_begins_anew() {
    let dropped = Event::TriggersDropped {
        triggers: vec!["t".into()],
    };
    let gone = fold([(3, watched()), (6, fired(5, None)), (7, dropped.clone())]);
    assert!(!gone.watched);
    let back = fold([(3, watched()), (6, fired(5, None)), (7, dropped), (90, watched())]);
    assert_eq!((back.watched, back.settled, back.fired), (true, at(90).wall, 1));
}

#[test]
fn a_pause_is_over_when_it_is_resumed() {
    let paused = Event::TriggerPaused { trigger: "t".into() };
    let state = fold([(3, watched()), (5, paused.clone()), (6, paused.clone())]);
    assert_eq!(state.paused.as_ref().unwrap().at, at(5));
    let resumed = Event::TriggerResumed {
        trigger: "t".into(),
        passed: 4,
    };
    let state = fold([(3, watched()), (5, paused), (50, resumed)]);
    assert_eq!(
        (state.paused, state.settled, state.since),
        (None, at(50).wall, at(50))
    );
}

#[test]
fn failures_are_counted_in_a_row_and_a_start_is_not_yet_a_success() {
    let run = Some(Started::Run(crate::ids::RunId::from_parts(1, [0; 10])));
    let ended = |failed| Event::TriggerEnded {
        trigger: "t".into(),
        occurrence: "5".into(),
        outcome: "over".into(),
        failed,
    };
    let state = fold([
        (1, fired(5, None)),
        (2, acted(true, None)),
        (3, acted(false, run)),
        (4, ended(true)),
    ]);
    assert_eq!(state.failures, 2);
    let last = state.last.unwrap();
    assert_eq!(
        (last.outcome.as_deref(), last.failed, last.started),
        (Some("over"), true, run)
    );
    let state = fold([(1, acted(true, None)), (3, acted(false, run)), (4, ended(false))]);
    assert_eq!(state.failures, 0);
}

#[test]
fn an_alarm_stands_until_it_is_over() {
    let alarm = |cause, over| Event::TriggerAlarm {
        trigger: "t".into(),
        cause,
        detail: "late".into(),
        over,
    };
    let state = fold([
        (1, alarm(AlarmCause::Overdue, false)),
        (2, alarm(AlarmCause::Failing, false)),
        (3, alarm(AlarmCause::Overdue, true)),
    ]);
    let causes: Vec<_> = state.alarms.iter().map(|alarm| alarm.cause).collect();
    assert_eq!(causes, [AlarmCause::Failing]);
}
