//! Properties, and two oracles: another implementation, and a look at the clock every minute.

use chrono::TimeZone;
use proptest::prelude::*;

use super::*;

fn schedule(expression: &str, zone: &str) -> CronSchedule {
    CronSchedule::parse(expression, zone).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Days around which clocks are put forward or back somewhere.
const TURNS: [&str; 8] = [
    "2026-03-28T12:00:00Z",
    "2026-10-24T12:00:00Z",
    "2026-03-07T18:00:00Z",
    "2026-10-31T18:00:00Z",
    "2018-11-03T12:00:00Z",
    "2026-04-04T00:00:00Z",
    "2026-10-03T00:00:00Z",
    "2022-03-21T00:00:00Z",
];
const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "America/New_York",
    "UTC",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Tehran",
    "Pacific/Apia",
];

fn field(low: u8, high: u8) -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("*".to_owned()),
        1 => (1..=high.min(20)).prop_map(|step| format!("*/{step}")),
        3 => (low..=high).prop_map(|value| value.to_string()),
        1 => (low..=high, low..=high).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => (low..=high, low..=high).prop_map(|(a, b)| format!("{a},{b}")),
    ]
}

/// Marks that only day fields have: day, month, weekday.
const MARKS: [[&str; 3]; 8] = [
    ["L", "*", "*"],
    ["15W", "*", "*"],
    ["1W", "*", "*"],
    ["L,1", "2,3", "*"],
    ["*", "*", "5L"],
    ["*", "*", "MON#2"],
    ["*", "3,10", "0L"],
    ["L", "*", "MON#1"],
];

/// Early hours more often than others: that is when clocks are put.
fn hour() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["0", "1", "2", "3", "1-3", "*", "*/2", "23"]).prop_map(str::to_owned),
        field(0, 23)
    ]
}

fn expression() -> impl Strategy<Value = [String; 5]> {
    let dates = prop_oneof![
        3 => Just(["*", "*", "*"].map(str::to_owned)),
        1 => (field(1, 28), field(1, 12), field(0, 6)).prop_map(|(day, month, weekday)| [day, month, weekday]),
        1 => prop::sample::select(MARKS.to_vec()).prop_map(|marks| marks.map(str::to_owned)),
    ];
    (field(0, 59), hour(), dates)
        .prop_map(|(minute, hour, [day, month, weekday])| [minute, hour, day, month, weekday])
}

fn around_a_turn() -> impl Strategy<Value = Timestamp> {
    (prop::sample::select(TURNS.to_vec()), 0_u64..2 * 86_400_000)
        .prop_map(|(turn, plus)| at(turn).plus(std::time::Duration::from_millis(plus)))
}

/// Where croner reads cron in another way on purpose: it offers both days for `*/n` where Vixie
/// wants both to match, and takes a list of fixed times for an interval.
fn read_differently([minute, hour, day, _, weekday]: &[String; 5]) -> bool {
    let steps = |field: &str| field.starts_with("*/");
    let listed = |field: &str| field.contains([',', '-']);
    let fixed = !minute.contains('*') && !hour.contains('*');
    (steps(day) && weekday != "*")
        || (steps(weekday) && day != "*")
        || (fixed && (listed(minute) || listed(hour)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn p6_agrees_with_another_implementation_around_every_turn(
        fields in expression().prop_filter("read differently", |fields| !read_differently(fields)),
        zone in prop::sample::select(ZONES.to_vec()),
        from in around_a_turn(),
    ) {
        let text = fields.join(" ");
        let ours = schedule(&text, zone);
        let oracle: croner::Cron = text.parse().unwrap();
        let mut after = from;
        for _ in 0..12 {
            let found = ours.next_after(after).unwrap();
            let local = ours.zone.from_utc_datetime(&after.to_chrono().naive_utc());
            let expected = oracle.find_next_occurrence(&local, false).unwrap();
            prop_assert_eq!(found, Timestamp::from_chrono(expected.to_utc()), "{} {} {}", &text, zone, after);
            after = found;
        }
    }

    #[test]
    fn p6_occurrences_strictly_increase_and_none_lies_between(
        fields in expression(),
        second in field(0, 59),
        zone in prop::sample::select(ZONES.to_vec()),
        from in around_a_turn(),
        between in 0.0..1.0_f64,
    ) {
        let text = format!("{second} {}", fields.join(" "));
        let schedule = schedule(&text, zone);
        let mut after = from;
        for _ in 0..8 {
            let found = schedule.next_after(after).unwrap();
            prop_assert!(found > after, "{} {} after {}", text, zone, after);
            // Asked from anywhere before it, the answer is the same.
            let gap = found.since(after).mul_f64(between);
            let middle = after.plus(gap);
            if middle < found {
                prop_assert_eq!(schedule.next_after(middle), Some(found), "{} {} after {}", &text, zone, middle);
            }
            after = found;
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(expression in ".{0,40}", zone in ".{0,20}", after in 0..=Timestamp::MAX.as_millis()) {
        let _ = CronSchedule::parse(&expression, &zone);
        if let Ok(schedule) = CronSchedule::parse(&expression, "UTC") {
            let _ = schedule.next_after(Timestamp::from_millis(after));
        }
    }

    #[test]
    fn nothing_that_looks_like_cron_makes_it_panic(
        expression in "([0-9*/,?LW#-]|MON|FRI|SUN|JAN| ){0,40}",
        zone in prop::sample::select(ZONES.to_vec()),
        after in 0..=Timestamp::MAX.as_millis(),
    ) {
        match CronSchedule::parse(&expression, zone) {
            Ok(schedule) => {
                let _ = schedule.next_after(Timestamp::from_millis(after));
            }
            Err(error) => prop_assert!(!matches!(error, CronError::Engine { .. }), "{}", error),
        }
    }
}

/// The rule for daylight saving as it is told: look at the clock every minute of a day, and note
/// when it fires. Croner only says which minutes match, on a clock that nobody puts.
fn watch_the_clock(fields: &[String; 5], zone: Tz, from: Timestamp) -> Vec<Timestamp> {
    let oracle: croner::Cron = fields.join(" ").parse().unwrap();
    let matches = |shown: NaiveDateTime| oracle.is_time_matching(&shown.and_utc()).unwrap();
    let interval = fields[0].contains('*') || fields[1].contains('*');
    let start = from
        .to_chrono()
        .with_second(0)
        .unwrap()
        .with_nanosecond(0)
        .unwrap();
    let mut fired = Vec::new();
    for minute in 1..=24 * 60 {
        let now = start + Duration::minutes(minute);
        let shown = wall::wall(zone, now);
        let shown_before = wall::wall(zone, now - Duration::minutes(1));
        let skipped = (shown - shown_before).num_minutes() - 1;
        let first_time = zone.from_local_datetime(&shown).earliest().unwrap() == now;
        let lost = || (1..=skipped).any(|later| matches(shown_before + Duration::minutes(later)));
        let fires = if interval {
            matches(shown)
        } else {
            (matches(shown) && first_time) || lost()
        };
        if fires {
            fired.push(Timestamp::from_chrono(now));
        }
    }
    fired
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn p6_agrees_with_watching_the_clock(
        // Croner reads steps of days in another way, see above.
        fields in expression().prop_filter("steps of days", |[_, _, day, _, weekday]| {
            !day.starts_with("*/") && !weekday.starts_with("*/")
        }),
        zone in prop::sample::select(ZONES.to_vec()),
        from in around_a_turn(),
    ) {
        let schedule = schedule(&fields.join(" "), zone);
        let watched = watch_the_clock(&fields, schedule.zone, from);
        let start = from.to_chrono().with_second(0).unwrap().with_nanosecond(0).unwrap();
        let end = Timestamp::from_chrono(start + Duration::days(1));
        let found: Vec<_> = schedule
            .iter_after(Timestamp::from_chrono(start))
            .take_while(|at| *at <= end)
            .collect();
        prop_assert_eq!(found, watched, "{} {} {}", fields.join(" "), zone, from);
    }
}
