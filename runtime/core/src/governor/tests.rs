//! What a governor promises, on examples.

use super::*;
use crate::ids::NodeId;

mod properties;

fn run(n: usize) -> RunId {
    RunId::derived(NodeId::ROOT, &format!("run-{n}"))
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000_000 + seconds * 1_000)
}

fn quota(reset: Option<u64>) -> Stuck {
    Stuck::QuotaPaused {
        reset_at: reset.map(at),
    }
}

fn pool_of(runs: usize) -> Governor {
    let mut governor = Governor::new("claude", Patience::default());
    for n in 0..runs {
        assert_eq!(governor.admit(run(n), at(0)), Admission::Go);
    }
    governor
}

fn frozen(effects: &[Effect]) -> usize {
    effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Freeze(_)))
        .count()
}

fn recorded(effect: &Effect) -> Option<&Event> {
    match effect {
        Effect::Record(event) => Some(event),
        Effect::Freeze(_) | Effect::Thaw(_) => None,
    }
}

fn thawed(effects: &[Effect]) -> Vec<RunId> {
    let run = |effect: &Effect| match effect {
        Effect::Thaw(run) => Some(*run),
        Effect::Record(_) | Effect::Freeze(_) => None,
    };
    effects.iter().filter_map(run).collect()
}

#[test]
fn a_quota_holds_all_and_one_probe_frees_all() {
    let mut pool = pool_of(4);
    let effects = pool.stuck(run(2), &quota(Some(600)), at(0), 0);
    assert!(
        matches!(recorded(&effects[0]), Some(Event::PoolPaused { until, .. }) if *until == at(600)),
        "the event comes first: {effects:?}"
    );
    assert_eq!(frozen(&effects), 4, "the one that said it too");
    assert!(matches!(pool.admit(run(9), at(1)), Admission::Wait { until, .. } if until == at(600)));
    assert_eq!(pool.due(at(1)), Some(at(600)));
    assert_eq!(pool.tick(at(599)), []);
    let probe = thawed(&pool.tick(at(600)));
    assert_eq!(probe.len(), 1);
    assert_eq!(pool.tick(at(601)), [], "one, and no other");
    assert!(matches!(pool.admit(run(9), at(601)), Admission::Wait { .. }));
    let effects = pool.progressed(probe[0]);
    assert!(matches!(recorded(&effects[0]), Some(Event::PoolResumed { .. })));
    assert_eq!(thawed(&effects).len(), 3);
    assert_eq!(pool.admit(run(9), at(602)), Admission::Go);
}

#[test]
fn a_late_report_of_a_run_that_is_held_changes_nothing() {
    let mut pool = pool_of(3);
    let _ = pool.stuck(run(0), &quota(Some(600)), at(0), 0);
    let before = pool.clone();
    assert_eq!(pool.stuck(run(1), &quota(Some(9_000)), at(1), 0), []);
    assert_eq!(pool.stuck(run(0), &quota(None), at(2), 0), []);
    assert_eq!(
        pool.progressed(run(2)),
        [],
        "nor does an answer that was on its way"
    );
    assert_eq!(pool, before);
}

#[test]
fn with_nobody_held_the_next_start_is_the_probe() {
    let mut pool = pool_of(1);
    let _ = pool.stuck(run(0), &quota(Some(60)), at(0), 0);
    let _ = pool.gone(run(0), at(1));
    assert!(matches!(pool.admit(run(1), at(59)), Admission::Wait { .. }));
    assert_eq!(pool.due(at(59)), Some(at(60)), "who waits may ask again then");
    assert_eq!(pool.due(at(61)), None);
    assert_eq!(pool.admit(run(1), at(61)), Admission::Probe);
    assert_eq!(
        pool.admit(run(1), at(61)),
        Admission::Probe,
        "asked again, the same"
    );
    assert!(matches!(pool.admit(run(2), at(61)), Admission::Wait { .. }));
    assert_eq!(pool.progressed(run(1)).len(), 1);
    assert_eq!(pool.admit(run(2), at(62)), Admission::Go);
}

#[test]
fn a_probe_that_fails_goes_to_the_end_of_the_line() {
    let mut pool = pool_of(2);
    let _ = pool.stuck(run(0), &quota(Some(60)), at(0), 0);
    let first = thawed(&pool.tick(at(60)))[0];
    let effects = pool.stuck(first, &quota(Some(120)), at(61), 0);
    assert_eq!(frozen(&effects), 1, "the others are held already");
    let second = thawed(&pool.tick(at(3_600)))[0];
    assert_ne!(first, second);
}

#[test]
fn a_probe_that_ends_gives_its_turn_to_the_next() {
    let mut pool = pool_of(3);
    let _ = pool.stuck(run(0), &quota(Some(60)), at(0), 0);
    let first = thawed(&pool.tick(at(60)))[0];
    let second = thawed(&pool.gone(first, at(61)))[0];
    let third = thawed(&pool.gone(second, at(62)))[0];
    assert_eq!(pool.gone(third, at(63)), []);
    assert_eq!(pool.admit(run(7), at(63)), Admission::Probe);
}

#[test]
fn p8_a_probe_that_says_nothing_is_believed_in_the_end() {
    let mut pool = pool_of(3);
    let _ = pool.stuck(run(0), &quota(Some(60)), at(0), 0);
    let _ = pool.tick(at(60));
    assert_eq!(pool.due(at(60)), Some(at(360)));
    assert_eq!(pool.tick(at(359)), []);
    assert_eq!(thawed(&pool.tick(at(360))).len(), 2);
    assert_eq!(*pool.state(), PoolState::Open);
}

#[test]
fn p8_pauses_grow_and_are_bounded() {
    let mut pool = pool_of(1);
    let patience = Patience::default();
    let mut now = at(0);
    let mut waits = Vec::new();
    for _ in 0..12 {
        let _ = pool.stuck(run(0), &quota(None), now, u64::MAX);
        let until = pool.due(now).unwrap();
        waits.push(until.since(now));
        now = until;
        assert_eq!(thawed(&pool.tick(now)), [run(0)]);
    }
    assert!(
        waits.is_sorted() && waits[0] <= patience.first && waits[1] > waits[0],
        "{waits:?}"
    );
    assert!(waits.iter().all(|wait| *wait <= patience.guess));
    // What a provider says is bounded too.
    let effects = pool.stuck(run(0), &quota(Some(40_000_000)), now, 0);
    assert!(
        matches!(recorded(&effects[0]), Some(Event::PoolPaused { until, .. }) if *until == now.plus(patience.longest)),
        "{effects:?}"
    );
    assert_eq!(pool.due(now), Some(now.plus(patience.longest)));
}

#[test]
fn a_reset_time_that_was_wrong_is_not_believed_again_at_once() {
    let mut pool = pool_of(1);
    let _ = pool.stuck(run(0), &quota(Some(0)), at(10), 0);
    assert_eq!(pool.due(at(10)), Some(at(11)), "in the past: a moment");
    let _ = pool.tick(at(11));
    let _ = pool.stuck(run(0), &quota(Some(0)), at(12), 0);
    assert!(pool.due(at(12)).unwrap() >= at(12).plus(Patience::default().first));
}

#[test]
fn overload_of_one_is_its_own_affair_and_of_two_the_pool_s() {
    let mut pool = pool_of(3);
    assert_eq!(pool.stuck(run(0), &Stuck::Overloaded, at(0), 0), []);
    assert_eq!(pool.stuck(run(0), &Stuck::Overloaded, at(1), 0), []);
    assert_eq!(pool.progressed(run(1)), [], "an answer: it is not the provider");
    assert_eq!(pool.stuck(run(1), &Stuck::Overloaded, at(2), 0), []);
    assert_eq!(frozen(&pool.stuck(run(0), &Stuck::Overloaded, at(3), 0)), 3);
    let probe = thawed(&pool.tick(at(100)))[0];
    assert_eq!(
        frozen(&pool.stuck(probe, &Stuck::Overloaded, at(101), 0)),
        1,
        "a probe alone counts"
    );
}

#[test]
fn an_overloaded_run_that_is_gone_counts_no_more() {
    let mut pool = pool_of(3);
    let _ = pool.stuck(run(0), &Stuck::Overloaded, at(0), 0);
    let _ = pool.gone(run(0), at(1));
    assert_eq!(pool.stuck(run(1), &Stuck::Overloaded, at(2), 0), []);
}

#[test]
fn other_causes_are_not_the_pool_s() {
    let mut pool = pool_of(2);
    for stuck in [
        Stuck::WaitingOnHuman,
        Stuck::ContextExhausted,
        Stuck::Silent { since: at(0) },
    ] {
        assert_eq!(pool.stuck(run(0), &stuck, at(1), 0), []);
    }
    assert_eq!(*pool.state(), PoolState::Open);
}

#[test]
fn p8_a_clock_that_steps_back_holds_nobody_for_longer() {
    let mut pool = pool_of(2);
    let _ = pool.stuck(run(0), &quota(Some(100_000_000)), at(50_000_000), 0);
    let longest = Patience::default().longest;
    assert_eq!(pool.due(at(0)), Some(at(0).plus(longest)));
    assert_eq!(pool.tick(at(0)), []);
    assert_eq!(thawed(&pool.tick(at(0).plus(longest))).len(), 1);
}

#[test]
fn p7_a_paused_pool_is_paused_after_a_restart() {
    let mut pool = pool_of(2);
    let effects = pool.stuck(run(0), &quota(Some(600)), at(0), 0);
    let mut booted = Governor::new("claude", Patience::default());
    let mut other = Governor::new("codex", Patience::default());
    for effect in &effects {
        if let Effect::Record(event) = effect {
            booted.fold(event, at(0));
            other.fold(event, at(0));
        }
    }
    assert_eq!(booted.state(), pool.state());
    assert_eq!(*other.state(), PoolState::Open);
    assert_eq!(booted.adopt(run(0)), [Effect::Freeze(run(0))]);
    assert_eq!(booted.adopt(run(0)), [], "once");
    assert_eq!(thawed(&booted.tick(at(600))), [run(0)]);
}
