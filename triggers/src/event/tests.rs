use proptest::prelude::*;

use super::*;
use crate::{spec::TriggerSpec, trigger::compile};

fn trigger(extra: &str) -> Trigger {
    let text = format!("name = \"broken\"\nevent = \"compilation_failed\"\nnotify = \"operator\"\n{extra}");
    compile(&toml::from_str::<TriggerSpec>(&text).unwrap()).unwrap()
}

fn stamp(second: u64) -> Hlc {
    Hlc {
        wall: Timestamp::from_millis(second * 1_000),
        counter: 0,
        origin: 1,
    }
}

/// Feeds events, one a second; `F` failed, `s` succeeded, `x` something else. What fires?
fn fired(trigger: &Trigger, events: &str) -> Vec<u64> {
    let mut state = EventState::default();
    let mut fired = Vec::new();
    for (second, event) in (1..).zip(events.chars()) {
        let kind = match event {
            'F' => "compilation_failed",
            's' => "compilation_succeeded",
            _ => "tests_succeeded",
        };
        let (next, decision) = state.on_event(trigger, kind, stamp(second));
        state = next;
        if matches!(decision, EventDecision::Fire(_)) {
            fired.push(second);
        }
    }
    fired
}

#[test]
fn every_matching_event_fires_by_default() {
    assert_eq!(fired(&trigger(""), "FxFsF"), [1, 3, 5]);
}

#[test]
fn in_a_row_means_without_the_opposite_between() {
    let twice = trigger("consecutive = 2");
    assert_eq!(fired(&twice, "FxF"), [3]);
    assert_eq!(fired(&twice, "FsF"), [] as [u64; 0]);
    assert_eq!(fired(&twice, "FsFF"), [4]);
    assert_eq!(fired(&twice, "FFFFF"), [2, 4]);
}

#[test]
fn a_cooldown_suppresses_and_the_first_event_after_it_fires() {
    assert_eq!(fired(&trigger("cooldown = \"3s\""), "FFFFFF"), [1, 4]);
    // Enough in a row during the cooldown: one more afterwards is all it takes.
    let both = trigger("cooldown = \"5s\"\nconsecutive = 2");
    assert_eq!(fired(&both, "FFFFFFFF"), [2, 7]);
    assert_eq!(fired(&both, "FFFFsxFF"), [2, 8]);
}

#[test]
fn the_decision_says_why() {
    let trigger = trigger("consecutive = 2\ncooldown = \"10s\"");
    let state = EventState::default();
    let (state, decision) = state.on_event(&trigger, "compilation_failed", stamp(1));
    assert_eq!(decision, EventDecision::Counted { have: 1, need: 2 });
    let (state, decision) = state.on_event(&trigger, "compilation_failed", stamp(2));
    assert_eq!(
        decision,
        EventDecision::Fire(Occurrence::of_event("broken", stamp(2)))
    );
    let (state, _) = state.on_event(&trigger, "compilation_failed", stamp(3));
    let (state, decision) = state.on_event(&trigger, "compilation_failed", stamp(4));
    let until = stamp(12).wall;
    assert_eq!(decision, EventDecision::Cooling { until });
    let (_, decision) = state.on_event(&trigger, "compilation_succeeded", stamp(5));
    assert_eq!(decision, EventDecision::Reset);
}

#[test]
fn p6_an_event_that_comes_twice_counts_once() {
    let trigger = trigger("consecutive = 2");
    let (state, _) = EventState::default().on_event(&trigger, "compilation_failed", stamp(5));
    let (again, decision) = state.on_event(&trigger, "compilation_failed", stamp(5));
    assert_eq!((again, decision), (state, EventDecision::Ignored));
}

#[test]
fn a_trigger_that_is_off_ignores_everything() {
    assert_eq!(fired(&trigger("enabled = false"), "FFF"), [] as [u64; 0]);
}

#[test]
fn opposites_are_of_one_family() {
    assert!(is_opposite("compilation_failed", "compilation_succeeded"));
    assert!(is_opposite("gate.passed", "gate.failed"));
    assert!(!is_opposite("compilation_failed", "tests_succeeded"));
    assert!(!is_opposite("compilation_failed", "compilation_started"));
    assert!(!is_opposite("failed", "succeeded"));
}

proptest! {
    #[test]
    fn p6_a_restart_after_any_firing_goes_on_as_if_there_had_been_none(
        events in "[Fs]{1,40}", consecutive in 1_u32..4, cooldown in 0_u64..6, cut in 0_usize..20,
    ) {
        let trigger = trigger(&format!("consecutive = {consecutive}\ncooldown = \"{cooldown}s\""));
        let whole = fired(&trigger, &events);
        if let Some(at) = whole.get(cut % whole.len().max(1)) {
            let mut state = EventState::fired_on(stamp(*at));
            let mut rest = Vec::new();
            for (second, event) in (1..).zip(events.chars()) {
                let kind = if event == 'F' { "compilation_failed" } else { "compilation_succeeded" };
                let (next, decision) = state.on_event(&trigger, kind, stamp(second));
                state = next;
                if matches!(decision, EventDecision::Fire(_)) {
                    rest.push(second);
                }
            }
            let after: Vec<u64> = whole.iter().copied().filter(|second| second > at).collect();
            prop_assert_eq!(rest, after);
        }
    }

    #[test]
    fn p6_no_two_firings_within_a_cooldown_and_none_without_enough(
        events in "[Fsx]{0,60}", consecutive in 1_u32..4, cooldown in 0_u64..6,
    ) {
        let trigger = trigger(&format!("consecutive = {consecutive}\ncooldown = \"{cooldown}s\""));
        let fired = fired(&trigger, &events);
        for pair in fired.windows(2) {
            prop_assert!(pair[1] - pair[0] >= cooldown);
        }
        for at in fired {
            let before = &events[..usize::try_from(at).unwrap()];
            let row = before.rsplit('s').next().unwrap_or_default().matches('F').count();
            prop_assert!(row >= consecutive as usize);
        }
    }
}
