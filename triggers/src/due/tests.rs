use proptest::prelude::*;
use worknode_core::time::Span;

use super::*;
use crate::{spec::TriggerSpec, trigger::compile};

fn trigger(schedule: &str, misfire: &str) -> Trigger {
    let text = format!("name = \"t\"\n{schedule}\nmisfire = \"{misfire}\"\nnotify = \"operator\"");
    compile(&toml::from_str::<TriggerSpec>(&text).unwrap()).unwrap()
}

fn window(last: &str, now: &str) -> Window {
    Window {
        last: last.parse().unwrap(),
        now: now.parse().unwrap(),
    }
}

fn hours(firings: &[Firing]) -> Vec<String> {
    let hour = |firing: &Firing| firing.scheduled_at.to_string()[11..16].to_owned();
    firings.iter().map(hour).collect()
}

const HOURLY: &str = "cron = \"0 * * * *\"";

#[test]
fn a_punctual_occurrence_fires_whatever_the_policy() {
    for misfire in ["skip", "once", "all"] {
        let due = due(
            &trigger(HOURLY, misfire),
            window("2026-11-21T09:59:59Z", "2026-11-21T10:00:59Z"),
            100,
        );
        assert_eq!(hours(&due.fire), ["10:00"]);
        assert_eq!(due.skipped, []);
        assert_eq!(due.fire[0].occurrence.to_string(), "t@2026-11-21T10:00:00.000Z");
    }
}

#[test]
fn misfire_decides_about_late_ones_only() {
    let night = window("2026-11-21T05:30:00Z", "2026-11-21T10:00:00Z");
    let look = |misfire, catch_up| {
        let due = due(&trigger(HOURLY, misfire), night, catch_up);
        let skipped: Vec<Firing> = due.skipped.iter().map(|(firing, _)| firing.clone()).collect();
        (
            hours(&due.fire),
            hours(&skipped),
            due.skipped.first().map(|(_, reason)| *reason),
        )
    };
    let list = |hours: &[&str]| hours.iter().map(|hour| (*hour).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        look("skip", 100),
        (
            list(&["10:00"]),
            list(&["06:00", "07:00", "08:00", "09:00"]),
            Some(SkipReason::Missed)
        )
    );
    assert_eq!(
        look("once", 100),
        (
            list(&["09:00", "10:00"]),
            list(&["06:00", "07:00", "08:00"]),
            Some(SkipReason::Superseded)
        )
    );
    assert_eq!(
        look("all", 100),
        (
            list(&["06:00", "07:00", "08:00", "09:00", "10:00"]),
            list(&[]),
            None
        )
    );
    assert_eq!(
        look("all", 2),
        (
            list(&["08:00", "09:00", "10:00"]),
            list(&["06:00", "07:00"]),
            Some(SkipReason::CatchUpLimit)
        )
    );
}

#[test]
fn p8_a_year_of_seconds_is_bounded() {
    let year = window("2025-11-21T00:00:00Z", "2026-11-21T00:00:00Z");
    for schedule in ["cron = \"* * * * * *\"", "every = \"1s\""] {
        let due = due(&trigger(schedule, "all"), year, usize::MAX);
        assert_eq!(due.fire.len(), MAX_CATCH_UP + 61);
        assert_eq!(due.skipped.len(), LISTED);
        assert_eq!(due.unlisted, COUNTED);
    }
}

#[test]
fn a_window_that_does_not_go_forward_owes_nothing() {
    let hourly = trigger(HOURLY, "all");
    let back = window("2026-11-21T10:00:00Z", "2026-11-21T08:00:00Z");
    assert_eq!(due(&hourly, back, 100), Due::default());
    let still = window("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z");
    assert_eq!(due(&hourly, still, 100), Due::default());
}

#[test]
fn a_trigger_that_is_off_owes_nothing_and_wants_no_look() {
    let mut hourly = trigger(HOURLY, "all");
    hourly.enabled = false;
    let day = window("2026-11-20T10:00:00Z", "2026-11-21T10:00:00Z");
    assert_eq!(due(&hourly, day, 100), Due::default());
    assert_eq!(next_due(&hourly, day.last), None);
}

#[test]
fn p6_both_daylight_edges_fire_a_daily_job_once() {
    let daily = trigger("cron = \"30 2 * * *\"\ntimezone = \"Europe/Berlin\"", "all");
    for (day, expected) in [("2026-03-29", "01:00"), ("2026-10-25", "00:30")] {
        let window = window(&format!("{day}T00:00:00Z"), &format!("{day}T12:00:00Z"));
        assert_eq!(hours(&due(&daily, window, 100).fire), [expected]);
    }
}

#[test]
fn p8_what_is_beyond_the_last_firing_is_skipped() {
    let night = window("2026-11-21T05:30:00Z", "2026-11-21T10:00:00Z");
    let due = due(&trigger(HOURLY, "all"), night, 100).with_left(2);
    assert_eq!(hours(&due.fire), ["06:00", "07:00"]);
    assert_eq!(due.skipped.len(), 3);
    assert!(due.skipped.iter().all(|(_, reason)| *reason == SkipReason::Spent));
}

#[test]
fn a_trigger_may_have_its_own_bound_for_what_is_made_up() {
    let night = window("2026-11-21T05:30:00Z", "2026-11-21T10:00:00Z");
    let own = trigger("cron = \"0 * * * *\"\ncatch_up = 1", "all");
    assert_eq!(hours(&due(&own, night, 100).fire), ["09:00", "10:00"]);
}

fn schedule() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "*/7 * * * *",
            "30 2 * * *",
            "0 * * * *",
            "*/20 * * * * *",
            "0 9 * * MON-FRI",
            "15,45 1-3 * * *",
        ])
        .prop_map(|cron| format!("cron = \"{cron}\"\ntimezone = \"Europe/Berlin\"")),
        (1_u64..10_000).prop_map(|seconds| format!("every = \"{}\"", Span::secs(seconds))),
        (60_u64..10_000, 1_u64..10_000).prop_map(|(seconds, jitter)| {
            format!(
                "every = \"{}\"\njitter = \"{}\"",
                Span::secs(seconds),
                Span::secs(jitter)
            )
        }),
    ]
}

/// Around both daylight edges of 2026 in Berlin.
fn start() -> impl Strategy<Value = Timestamp> {
    prop_oneof![Just("2026-03-28T20:00:00Z"), Just("2026-10-24T20:00:00Z")]
        .prop_map(|text| text.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However a stretch of time is cut into windows, each occurrence is met exactly once.
    #[test]
    fn p5_p6_contiguous_windows_meet_each_occurrence_exactly_once(
        schedule in schedule(),
        misfire in prop::sample::select(vec!["skip", "once", "all"]),
        start in start(),
        cuts in prop::collection::vec(1_u64..7_200_000, 1..10),
    ) {
        let trigger = trigger(&schedule, misfire);
        let (mut last, mut met, mut unlisted) = (start, Vec::new(), 0);
        for cut in cuts {
            let now = last.plus(Duration::from_millis(cut));
            let due = due(&trigger, Window { last, now }, 50);
            unlisted += due.unlisted;
            prop_assert!(due.skipped.iter().all(|(firing, _)| firing.scheduled_at <= now));
            let skipped = due.skipped.into_iter().map(|(firing, _)| firing);
            met.extend(skipped.chain(due.fire).map(|firing| firing.scheduled_at));
            last = now;
        }
        met.sort();
        let all: Vec<_> = slots(&trigger, start, last).map(|slot| slot.scheduled).collect();
        prop_assert_eq!(met.len() + unlisted, all.len());
        prop_assert!(met.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(met.iter().all(|at| all.binary_search(at).is_ok()));
    }

    #[test]
    fn the_newest_are_those_that_a_walk_would_find(
        schedule in schedule(),
        start in start(),
        length in 0_u64..40_000_000,
        count in 0_usize..20,
    ) {
        let trigger = trigger(&schedule, "all");
        let until = start.plus(Duration::from_millis(length));
        let mut walked: Vec<_> = slots(&trigger, start, until).collect();
        walked.reverse();
        walked.truncate(count);
        prop_assert_eq!(newest(&trigger, start, until, count), walked);
    }
}
