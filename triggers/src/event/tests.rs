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

fn seen<'a>(kind: &'a str, second: u64, source: &'a str) -> Seen<'a> {
    Seen {
        kind,
        stamp: stamp(second),
        source,
        path: "team",
        facts: None,
    }
}

/// Shows the state one event.
fn show(state: &mut EventState, trigger: &Trigger, kind: &str, second: u64) -> EventDecision {
    state.on_event(trigger, &seen(kind, second, "team"))
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
        let decision = show(&mut state, trigger, kind, second);
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
    let mut state = EventState::default();
    let failed = |state: &mut EventState, second| show(state, &trigger, "compilation_failed", second);
    assert_eq!(failed(&mut state, 1), EventDecision::Counted { have: 1, need: 2 });
    let firing = EventDecision::Fire(Occurrence::of_event("broken", stamp(2)));
    assert_eq!(failed(&mut state, 2), firing);
    failed(&mut state, 3);
    let until = stamp(12).wall;
    assert_eq!(failed(&mut state, 4), EventDecision::Cooling { until });
    assert_eq!(
        show(&mut state, &trigger, "compilation_succeeded", 5),
        EventDecision::Reset
    );
}

#[test]
fn p6_an_event_that_comes_twice_counts_once() {
    let trigger = trigger("consecutive = 2");
    let mut state = EventState::default();
    show(&mut state, &trigger, "compilation_failed", 5);
    let before = state.clone();
    assert_eq!(
        show(&mut state, &trigger, "compilation_failed", 5),
        EventDecision::Ignored
    );
    assert_eq!(state, before);
}

#[test]
fn each_source_may_count_for_itself() {
    let trigger = trigger("consecutive = 2\ncount_by = \"source\"");
    let mut state = EventState::default();
    let mut fired = Vec::new();
    for (second, source) in (1..).zip(["a", "b", "c", "b", "a", "a"]) {
        let decision = state.on_event(&trigger, &seen("compilation_failed", second, source));
        fired.extend(matches!(decision, EventDecision::Fire(_)).then_some(second));
    }
    assert_eq!(fired, [4, 5]);
}

#[test]
fn a_count_does_not_mind_what_is_between_and_may_have_to_be_quick() {
    assert_eq!(fired(&trigger("count = 2"), "FsFsFF"), [3, 6]);
    assert_eq!(fired(&trigger("count = 3\nwithin = \"3s\""), "FxFxxFxFF"), [9]);
    assert_eq!(fired(&trigger("consecutive = 2\nwithin = \"1s\""), "FxFF"), [4]);
}

#[test]
fn a_named_type_starts_anew() {
    let trigger = trigger("consecutive = 2\nreset_by = \"tests_*\"");
    assert_eq!(fired(&trigger, "FxFF"), [4]);
}

#[test]
fn the_same_type_starts_anew_when_its_condition_does_not_hold() {
    let trigger = trigger("consecutive = 2\nwhere = \"event.data.code != 0\"");
    let mut state = EventState::default();
    let mut told = |second, code: Option<i64>| {
        let data = worknode_query::Fact::map([("code".to_owned(), code.into())]);
        let facts = Facts::new().with("event", Facts::new().with("data", data));
        let seen = Seen {
            facts: Some(&facts),
            ..seen("compilation_failed", second, "team")
        };
        state.on_event(&trigger, &seen)
    };
    assert_eq!(told(1, Some(1)), EventDecision::Counted { have: 1, need: 2 });
    assert_eq!(told(2, Some(0)), EventDecision::Reset);
    assert_eq!(told(3, Some(1)), EventDecision::Counted { have: 1, need: 2 });
    assert!(matches!(told(4, Some(1)), EventDecision::Fire(_)));
    let without = EventState::default().on_event(&trigger, &seen("compilation_failed", 1, "team"));
    assert!(matches!(without, EventDecision::Unjudged { .. }));
}

#[test]
fn a_burst_fires_once_when_it_is_over() {
    let trigger = trigger("debounce = \"10s\"");
    let mut state = EventState::new_at(stamp(0));
    for second in [1, 5, 9] {
        let until = stamp(second + 10).wall;
        assert_eq!(
            show(&mut state, &trigger, "compilation_failed", second),
            EventDecision::Settling { until }
        );
    }
    assert!(state.next_due(&trigger).is_some_and(|due| due <= stamp(19).wall));
    assert_eq!(state.on_time(&trigger, stamp(18).wall), []);
    let fired = state.on_time(&trigger, stamp(25).wall);
    assert_eq!(fired.len(), 1);
    assert_eq!(fired[0].occurrence, Occurrence::of_event("broken", stamp(9)));
    assert_eq!(fired[0].due_at, stamp(19).wall);
    assert_eq!(state.on_time(&trigger, stamp(99).wall), []);
    // A success in between calls it off.
    show(&mut state, &trigger, "compilation_failed", 100);
    assert_eq!(
        show(&mut state, &trigger, "compilation_succeeded", 101),
        EventDecision::Reset
    );
    assert_eq!(state.on_time(&trigger, stamp(200).wall), []);
}

#[test]
fn silence_fires_once_until_something_is_heard() {
    let trigger = trigger("absent_for = \"60s\"");
    let mut state = EventState::new_at(stamp(100));
    assert_eq!(state.next_due(&trigger), Some(stamp(160).wall));
    assert_eq!(
        show(&mut state, &trigger, "compilation_failed", 130),
        EventDecision::Heard
    );
    assert_eq!(state.on_time(&trigger, stamp(189).wall), []);
    let fired = state.on_time(&trigger, stamp(190).wall);
    assert_eq!(
        fired[0].occurrence,
        Occurrence::absence("broken", "", stamp(130).wall)
    );
    assert_eq!(state.on_time(&trigger, stamp(999).wall), []);
    assert_eq!(
        show(&mut state, &trigger, "compilation_failed", 1_000),
        EventDecision::Heard
    );
    assert_eq!(state.on_time(&trigger, stamp(1_060).wall).len(), 1);
}

#[test]
fn each_source_may_be_silent_for_itself() {
    let trigger = trigger("absent_for = \"60s\"\ncount_by = \"source\"");
    let mut state = EventState::new_at(stamp(0));
    state.source_appeared(&trigger, "a", stamp(10).wall);
    state.source_appeared(&trigger, "b", stamp(20).wall);
    state.source_appeared(&trigger, "c", stamp(20).wall);
    state.on_event(&trigger, &seen("compilation_failed", 50, "b"));
    state.source_gone("c");
    let fired: Vec<String> = state
        .on_time(&trigger, stamp(100).wall)
        .into_iter()
        .map(|firing| firing.occurrence.key)
        .collect();
    assert_eq!(fired, ["a@1970-01-01T00:00:10.000Z#absent"]);
    assert_eq!(state.on_time(&trigger, stamp(200).wall).len(), 1);
}

#[test]
fn p8_sources_are_bounded_and_those_at_rest_make_room() {
    let trigger = trigger("consecutive = 2\ncount_by = \"source\"");
    let mut state = EventState::default();
    let names: Vec<String> = (0..=bounds::TRIGGER_SOURCES)
        .map(|number| number.to_string())
        .collect();
    for (second, name) in (1..).zip(&names) {
        let decision = state.on_event(&trigger, &seen("compilation_failed", second, name));
        let full = usize::try_from(second).unwrap() > bounds::TRIGGER_SOURCES;
        assert_eq!(decision == EventDecision::TooManySources, full);
    }
    state.on_event(&trigger, &seen("compilation_succeeded", 20_000, "5"));
    let decision = state.on_event(&trigger, &seen("compilation_failed", 20_001, "new"));
    assert_eq!(decision, EventDecision::Counted { have: 1, need: 2 });
}

#[test]
fn a_trigger_that_is_off_ignores_everything() {
    assert_eq!(fired(&trigger("enabled = false"), "FFF"), [] as [u64; 0]);
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
                let decision = show(&mut state, &trigger, kind, second);
                if matches!(decision, EventDecision::Fire(_)) {
                    rest.push(second);
                }
            }
            let after: Vec<u64> = whole.iter().copied().filter(|second| second > at).collect();
            prop_assert_eq!(rest, after);
        }
    }

    /// Stored and read back after any event, and shown some events again: nothing is lost, and
    /// nothing fires twice.
    #[test]
    fn p6_a_stored_state_goes_on_as_if_nothing_had_happened(
        events in prop::collection::vec((0_u64..4, prop::sample::select(vec!['F', 's', 't']), 0_usize..3), 1..60),
        rule in prop::sample::select(vec![
            "consecutive = 2\ncount_by = \"source\"\ncooldown = \"3s\"", "count = 3\nwithin = \"6s\"",
            "debounce = \"3s\"\ncount_by = \"source\"", "absent_for = \"5s\"", "absent_for = \"5s\"\ncount_by = \"source\"\ncooldown = \"7s\"",
        ]),
        cut in 0_usize..60,
        again in 0_usize..5,
    ) {
        let trigger = trigger(rule);
        let mut second = 10;
        let events: Vec<(u64, char, &str)> = events.into_iter().map(|(wait, what, source)| {
            second += wait + 1;
            (second, what, ["a", "b", "c"][source])
        }).collect();
        let step = |state: &mut EventState, (second, what, source): (u64, char, &str)| {
            // Time passes up to the event, and then it happens.
            let mut fired: Vec<String> =
                state.on_time(&trigger, stamp(second).wall).into_iter().map(|firing| firing.occurrence.key).collect();
            let kind = match what { 'F' => "compilation_failed", 's' => "compilation_succeeded", _ => return fired };
            if let EventDecision::Fire(occurrence) = state.on_event(&trigger, &seen(kind, second, source)) {
                fired.push(occurrence.key);
            }
            fired
        };
        let mut whole = EventState::new_at(stamp(5));
        let expected: Vec<String> = events.iter().flat_map(|event| step(&mut whole, *event)).collect();

        let cut = cut % events.len();
        let mut state = EventState::new_at(stamp(5));
        let mut found: Vec<String> = events[..cut].iter().flat_map(|event| step(&mut state, *event)).collect();
        let stored = serde_json::to_string(&state).unwrap();
        let mut state: EventState = serde_json::from_str(&stored).unwrap();
        for (second, what, source) in &events[cut.saturating_sub(again)..cut] {
            let kind = if *what == 'F' { "compilation_failed" } else { "other" };
            prop_assert_eq!(state.on_event(&trigger, &seen(kind, *second, source)), EventDecision::Ignored);
        }
        found.extend(events[cut..].iter().flat_map(|event| step(&mut state, *event)));
        prop_assert_eq!(&found, &expected);
        let mut once = expected.clone();
        once.sort();
        once.dedup();
        prop_assert_eq!(once.len(), expected.len());
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
