use super::*;

fn schedule(expression: &str, zone: &str) -> CronSchedule {
    CronSchedule::parse(expression, zone).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The next `count` local times, without the year's and the seconds' noise.
fn next(expression: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let schedule = schedule(expression, zone);
    let times = schedule.iter_after(at(from)).take(count);
    times
        .map(|at| schedule.local(at)[5..].replace(":00+", "+").replace(":00-", "-"))
        .collect()
}

const BERLIN: &str = "Europe/Berlin";
const BEFORE_GAP: &str = "2026-03-28T12:00:00Z";
const BEFORE_FOLD: &str = "2026-10-24T20:00:00Z";

#[test]
fn weekdays_count_from_sunday() {
    // 2026-11-21 is a Saturday.
    for (weekday, day) in [("0", "22"), ("7", "22"), ("SUN", "22"), ("1", "23"), ("6", "28")] {
        let found = next(&format!("0 9 * * {weekday}"), "UTC", "2026-11-21T09:00:00Z", 1);
        assert_eq!(found, [format!("11-{day}T09:00+00:00")], "{weekday}");
    }
}

#[test]
fn two_restricted_day_fields_mean_either_a_star_means_both() {
    let either = next("0 9 13 * FRI", "UTC", "2026-11-01T00:00:00Z", 4);
    assert_eq!(
        either.iter().map(|at| &at[..5]).collect::<Vec<_>>(),
        ["11-06", "11-13", "11-20", "11-27"]
    );
    let either = next("0 9 10 * FRI", "UTC", "2026-11-01T00:00:00Z", 3);
    assert_eq!(
        either.iter().map(|at| &at[..5]).collect::<Vec<_>>(),
        ["11-06", "11-10", "11-13"]
    );
    // Vixie: a field that starts with a star restricts, but does not offer.
    let both = next("0 9 */2 * MON", "UTC", "2026-11-01T00:00:00Z", 3);
    assert_eq!(
        both.iter().map(|at| &at[..5]).collect::<Vec<_>>(),
        ["11-09", "11-23", "12-07"]
    );
}

#[test]
fn a_sixth_field_in_front_is_the_second() {
    let found = schedule("15,45 30 9 * * *", "UTC")
        .iter_after(at("2026-11-21T09:30:15.500Z"))
        .take(2)
        .collect::<Vec<_>>();
    assert_eq!(
        found,
        [at("2026-11-21T09:30:45.000Z"), at("2026-11-22T09:30:15.000Z")]
    );
}

#[test]
fn nicknames_are_spelled_out() {
    for (nickname, fields) in [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@MIDNIGHT", "0 0 * * *"),
        (" @weekly ", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
    ] {
        assert_eq!(schedule(nickname, "UTC"), schedule(fields, "UTC"), "{nickname}");
    }
}

#[test]
fn p6_a_fixed_time_in_a_gap_fires_once_where_the_clock_goes_on() {
    assert_eq!(
        next("30 2 * * *", BERLIN, BEFORE_GAP, 2),
        ["03-29T03:00+02:00", "03-30T02:30+02:00"]
    );
    // Two times lost in the same gap are caught up together, and so is one that is due there.
    assert_eq!(
        next("15,45 2,3 * * *", BERLIN, BEFORE_GAP, 4),
        [
            "03-29T03:00+02:00",
            "03-29T03:15+02:00",
            "03-29T03:45+02:00",
            "03-30T02:15+02:00"
        ]
    );
    assert_eq!(
        next("0 2,3 * * *", BERLIN, BEFORE_GAP, 2),
        ["03-29T03:00+02:00", "03-30T02:00+02:00"]
    );
}

#[test]
fn p6_a_fixed_time_in_a_fold_fires_in_the_first_pass_only() {
    assert_eq!(
        next("30 2 * * *", BERLIN, BEFORE_FOLD, 2),
        ["10-25T02:30+02:00", "10-26T02:30+01:00"]
    );
    // Asked during either pass, the answer is the next day.
    for from in ["2026-10-25T00:30:00Z", "2026-10-25T01:15:00Z"] {
        assert_eq!(
            next("30 2 * * *", BERLIN, from, 1),
            ["10-26T02:30+01:00"],
            "{from}"
        );
    }
}

#[test]
fn an_interval_skips_a_gap_and_works_through_both_passes_of_a_fold() {
    assert_eq!(
        next("*/30 * * * *", BERLIN, "2026-03-29T00:15:00Z", 3),
        ["03-29T01:30+01:00", "03-29T03:00+02:00", "03-29T03:30+02:00"]
    );
    assert_eq!(
        next("*/30 * * * *", BERLIN, "2026-10-24T23:45:00Z", 5),
        [
            "10-25T02:00+02:00",
            "10-25T02:30+02:00",
            "10-25T02:00+01:00",
            "10-25T02:30+01:00",
            "10-25T03:00+01:00"
        ]
    );
}

#[test]
fn a_skipped_day_is_caught_up_and_a_dense_schedule_jumps_over_it() {
    // Samoa went over the date line: its clocks had no 30 December 2011.
    let apia = "Pacific/Apia";
    assert_eq!(
        next("0 9 30 12 *", apia, "2011-12-01T00:00:00Z", 2),
        ["12-31T00:00+14:00", "12-30T09:00+14:00"]
    );
    assert_eq!(
        next("* * * * * *", apia, "2011-12-30T09:59:59Z", 1),
        ["12-31T00:00+14:00"]
    );
}

#[test]
fn what_can_never_fire_is_refused() {
    for expression in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 30W 2 *", "0 0 L-29 2 *"] {
        let error = CronSchedule::parse(expression, "UTC").unwrap_err();
        assert!(matches!(error, CronError::NeverFires { .. }), "{error}");
    }
    // These are rare, not impossible.
    assert_eq!(
        next("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", 1),
        ["02-29T00:00+00:00"]
    );
    schedule("0 0 30 2 MON", "UTC");
    schedule("0 0 29 2 */6", "UTC");
}

#[test]
fn what_is_not_cron_is_refused_with_a_reason() {
    let error = |expression: &str| CronSchedule::parse(expression, "UTC").unwrap_err();
    assert_eq!(error("9 * *"), CronError::FieldCount { found: 3 });
    assert_eq!(error(""), CronError::FieldCount { found: 0 });
    assert_eq!(error("0 0 9 * * MON 2026"), CronError::FieldCount { found: 7 });
    assert!(error("@reboot").hint().unwrap().contains("event"));
    assert!(error("00 9** * * *").to_string().starts_with("hour field"));
    assert_eq!(error(&"1,".repeat(200)), CronError::TooLong { length: 400 });
    assert!(
        CronSchedule::parse("0 9 * * *", "Berlin")
            .unwrap_err()
            .is_about_zone()
    );
}

#[test]
fn an_expression_may_bring_its_zone() {
    let own = schedule("CRON_TZ=Europe/Berlin 0 9 * * *", "UTC");
    assert_eq!(own, schedule("0 9 * * *", BERLIN));
    assert_eq!(
        schedule(" TZ=Asia/Kolkata\t@daily", "UTC"),
        schedule("0 0 * * *", "Asia/Kolkata")
    );
    assert!(
        CronSchedule::parse("CRON_TZ=Berlin 0 9 * * *", "UTC")
            .unwrap_err()
            .is_about_zone()
    );
    assert!(CronSchedule::parse("CRON_TZ=", "UTC").is_err());
    assert_eq!(
        CronSchedule::parse("CRON_TZ=UTC", "UTC").unwrap_err(),
        CronError::FieldCount { found: 0 }
    );
}

#[test]
fn marks_work_through_a_year_change_and_a_leap_day() {
    assert_eq!(
        next("0 9 L * *", "UTC", "2027-12-31T09:00:00Z", 2),
        ["01-31T09:00+00:00", "02-29T09:00+00:00"]
    );
    assert_eq!(
        next("0 9 * * MON#1", BERLIN, "2026-12-30T00:00:00Z", 1),
        ["01-04T09:00+01:00"]
    );
}

#[test]
fn the_end_of_the_calendar_is_the_end_of_firing() {
    let yearly = schedule("@yearly", "UTC");
    assert_eq!(yearly.next_after(at("2100-06-01T00:00:00Z")), None);
    assert_eq!(yearly.next_after(Timestamp::MAX), None);
    let first = schedule("@hourly", "UTC").next_after(Timestamp::from_millis(0));
    assert_eq!(first, Some(at("1970-01-01T01:00:00Z")));
}
