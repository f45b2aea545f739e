//! Next-fire times against other implementations of cron, from files that `tests/data/generate.py`
//! wrote with them.
//!
//! Where ours differs on purpose, and so is not asked here:
//!
//! - **Stars within lists** (`1,*/5`). Debian's cron, and cronsim, look at the first character
//!   of minute and hour to tell a fixed time from an interval. We look for a star anywhere: a
//!   list with a star in it is no fixed time to its author either.
//! - **Seconds**. Cronsim keeps the rules for daylight saving to five fields; ours apply to six
//!   as well, since a second in front changes nothing about what `30 2 * * *` means.
//! - **Turns of the clock in croniter**. It counts a skipped time forward by the shift (02:30
//!   becomes 03:30) and fires in both passes of a repeated hour. Ours is Debian's rule.
//! - **Steps of days beside a weekday in croniter**. It takes either; Vixie's star rule takes
//!   both, and so do we.
//! - **Half an hour in cronsim**. It looks for the next hour in steps of an hour from the full
//!   one, and so loses the first half of it after Lord Howe's turn: `* 2 * * *` begins at 02:30
//!   there. See [`loses_half_an_hour`].
//! - **`3-3` in croniter** is a star. Ours is the third.
//! - **`L5`** for the last Friday is croniter's spelling; cronsim, Quartz and we write `5L`.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test")]

use serde::Deserialize;
use worknode_core::time::Timestamp;
use worknode_triggers::CronSchedule;

/// Expression, zone, from when, and the next instants, in seconds since 1970.
#[derive(Deserialize)]
struct Case(String, String, u64, Vec<u64>);

fn cases(json: &str) -> Vec<Case> {
    serde_json::from_str(json).unwrap()
}

fn next(case: &Case) -> Vec<u64> {
    let schedule = CronSchedule::parse(&case.0, &case.1).unwrap();
    let from = Timestamp::from_millis(case.2 * 1_000);
    let times = schedule.iter_after(from).take(case.3.len());
    times.map(|at| at.as_millis() / 1_000).collect()
}

/// The cases in which ours and theirs differ, as text.
fn differences(cases: &[Case]) -> Vec<String> {
    let differ = cases.iter().filter(|case| next(case) != case.3);
    differ
        .map(|case| {
            format!(
                "{} {} after {}: {:?}, not {:?}",
                case.0,
                case.1,
                case.2,
                next(case),
                case.3
            )
        })
        .collect()
}

/// An interval that names its hours, in the one zone whose clock is put by half an hour.
fn loses_half_an_hour(case: &Case) -> bool {
    let fields: Vec<&str> = case.0.split(' ').collect();
    let interval = fields[0].starts_with('*') || fields[1].starts_with('*');
    case.1 == "Australia/Lord_Howe" && interval && fields[1] != "*"
}

#[test]
fn p6_agrees_with_cronsim_around_every_turn() {
    let mut cases = cases(include_str!("data/cronsim.json"));
    assert!(cases.len() >= 1_500);
    cases.retain(|case| !loses_half_an_hour(case));
    assert!(cases.len() >= 1_400);
    assert_eq!(differences(&cases), [] as [String; 0]);
}

#[test]
fn p6_agrees_with_croniter_on_dates() {
    let cases = cases(include_str!("data/croniter.json"));
    assert!(cases.len() >= 800);
    assert_eq!(differences(&cases), [] as [String; 0]);
}
