//! A daemon with a clock that is moved by hand: it sleeps, its clock is stepped, it is killed at
//! any point and starts again with what its journal holds. Each occurrence is met exactly once:
//! it fired, or it was skipped by policy, or it is counted among those that were too many to list.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use worknode_core::time::{Clock, ManualClock, Timestamp};
use worknode_triggers::{Occurrence, Trigger, TriggerSpec, Window, compile, due, next_due, upcoming};

const CATCH_UP: usize = 20;

/// What is on disk.
#[derive(Default)]
struct Journal {
    /// How often each occurrence was recorded as fired, and as skipped.
    records: BTreeMap<Occurrence, (u32, u32)>,
    /// The latest instant at which a recorded occurrence was due.
    last_due: Option<Timestamp>,
    /// Skipped ones that were counted and not listed.
    unlisted: usize,
}

impl Journal {
    /// As the journal does: an occurrence that is there is not recorded again.
    fn record(&mut self, occurrence: Occurrence, due_at: Timestamp, fired: bool) {
        self.last_due = self.last_due.max(Some(due_at));
        let entry = self.records.entry(occurrence).or_default();
        if *entry == (0, 0) {
            *entry = if fired { (1, 0) } else { (0, 1) };
        }
    }
}

/// What dies with the process.
struct Daemon {
    looked: Timestamp,
}

impl Daemon {
    fn start(journal: &Journal, new_at: Timestamp) -> Self {
        Self {
            looked: journal.last_due.unwrap_or(new_at),
        }
    }

    /// Looks at the window since the last look. Killed after so many records, it never comes to
    /// the end of it.
    fn look(
        &mut self,
        trigger: &Trigger,
        now: Timestamp,
        journal: &mut Journal,
        killed_after: Option<usize>,
    ) {
        if now <= self.looked {
            return;
        }
        let due = due(
            trigger,
            Window {
                last: self.looked,
                now,
            },
            CATCH_UP,
        );
        let skipped = due.skipped.into_iter().map(|(firing, _)| (firing, false));
        let fired = due.fire.into_iter().map(|firing| (firing, true));
        // Oldest first, so that what a restart starts from leaves nothing older behind.
        let mut all: Vec<_> = skipped.chain(fired).collect();
        all.sort_by_key(|(firing, _)| firing.due_at);
        // Counted once: together with the oldest that is listed.
        if killed_after != Some(0) {
            journal.unlisted += due.unlisted;
        }
        for (firing, fired) in all.into_iter().take(killed_after.unwrap_or(usize::MAX)) {
            journal.record(firing.occurrence, firing.due_at, fired);
        }
        self.looked = now;
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// So long nothing happens, and then the daemon looks.
    Sleep(Duration),
    /// It sleeps until the next occurrence, as its timer does, and looks.
    Timer,
    /// The clock is put.
    Forward(Duration),
    Back(Duration),
    /// Killed in the middle of a look, after so many records; started again some time later.
    Kill(usize, Duration),
}

fn step() -> impl Strategy<Value = Step> {
    let time = |seconds: u64| (1..seconds * 1_000).prop_map(Duration::from_millis);
    prop_oneof![
        3 => time(7_200).prop_map(Step::Sleep),
        1 => time(400_000).prop_map(Step::Sleep),
        4 => Just(Step::Timer),
        1 => time(10_000).prop_map(Step::Forward),
        2 => time(10_000).prop_map(Step::Back),
        2 => (0_usize..6, time(20_000)).prop_map(|(records, down)| Step::Kill(records, down)),
    ]
}

fn schedule() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "cron = \"*/7 * * * *\"\ntimezone = \"Europe/Berlin\"",
        "cron = \"30 2 * * *\"\ntimezone = \"America/New_York\"",
        "cron = \"15,45 1-3 * * *\"\ntimezone = \"Australia/Lord_Howe\"\njitter = \"10m\"",
        "cron = \"0 0 L * *\"\ntimezone = \"Pacific/Apia\"",
        "every = \"11m\"\njitter = \"10m\"",
        "every = \"3h\"\nbaseline = \"2026-03-01T01:00:00Z\"",
    ])
}

/// Around turns of the clocks, in seconds since 1970: 28 March, 24 October, 4 April of 2026.
fn start() -> impl Strategy<Value = Timestamp> {
    prop::sample::select(vec![1_774_728_000, 1_792_872_000, 1_775_296_800])
        .prop_map(|seconds: u64| Timestamp::from_millis(seconds * 1_000))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn p6_every_occurrence_fires_once_or_is_recorded_as_skipped(
        schedule in schedule(),
        misfire in prop::sample::select(vec!["skip", "once", "all"]),
        start in start(),
        steps in prop::collection::vec(step(), 1..25),
    ) {
        let text = format!("name = \"t\"\nnotify = \"operator\"\nmisfire = \"{misfire}\"\n{schedule}");
        let trigger = compile(&toml::from_str::<TriggerSpec>(&text).unwrap()).unwrap();
        let clock = ManualClock::at(start);
        let mut journal = Journal::default();
        let mut daemon = Daemon::start(&journal, start);
        let mut latest = start;
        for step in steps {
            match step {
                Step::Sleep(time) => clock.advance(time),
                Step::Timer => {
                    let Some(next) = next_due(&trigger, daemon.looked) else { continue };
                    clock.set(next.max(clock.now()));
                }
                Step::Forward(by) => clock.set(clock.now().plus(by)),
                Step::Back(by) => clock.set(clock.now().minus(by)),
                Step::Kill(records, down) => {
                    daemon.look(&trigger, clock.now(), &mut journal, Some(records));
                    clock.advance(down);
                    daemon = Daemon::start(&journal, start);
                }
            }
            daemon.look(&trigger, clock.now(), &mut journal, None);
            latest = latest.max(daemon.looked);
        }
        let all: Vec<Occurrence> = upcoming(&trigger, start)
            .take_while(|firing| firing.due_at <= latest)
            .map(|firing| firing.occurrence)
            .collect();
        for (occurrence, (fired, skipped)) in &journal.records {
            prop_assert_eq!(fired + skipped, 1, "{}", occurrence);
            prop_assert!(all.contains(occurrence), "{} was never due", occurrence);
        }
        prop_assert!(journal.records.len() + journal.unlisted >= all.len(), "{} of {}", journal.records.len(), all.len());
        if journal.unlisted == 0 {
            prop_assert_eq!(journal.records.len(), all.len());
        }
    }
}
