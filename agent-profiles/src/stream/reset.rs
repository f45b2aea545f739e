//! When a provider gives again, as it says in its messages to people.

use std::time::Duration;

use chrono::{Days, NaiveTime, TimeZone};
use chrono_tz::Tz;
use worknode_core::time::Timestamp;

/// The longest pause that is believed. Beyond it, it is a slip in reading.
const LONGEST: Duration = Duration::from_secs(35 * 24 * 60 * 60);

/// The instant that `text` names, read at `at`.
pub(super) fn reset_at(text: &str, at: Timestamp) -> Option<Timestamp> {
    let lower = text.to_ascii_lowercase();
    epoch(&lower)
        .or_else(|| pause(&lower).map(|pause| at.plus(pause)))
        .or_else(|| instant(&lower, text))
        .or_else(|| time_of_day(&lower, text, at))
        .filter(|reset| *reset <= at.plus(LONGEST))
}

/// Seconds or milliseconds since 1970.
pub(super) fn from_epoch(number: u64) -> Timestamp {
    // As seconds, this many would be the year 5138.
    const MILLIS_FROM: u64 = 100_000_000_000;
    let millis = if number < MILLIS_FROM {
        number.saturating_mul(1_000)
    } else {
        number
    };
    Timestamp::from_millis(millis)
}

/// `usage limit reached|1795250000`
fn epoch(lower: &str) -> Option<Timestamp> {
    let after = lower.split_once("limit reached|")?.1;
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after[..end].parse().ok().map(from_epoch)
}

/// `try again in 3 days 4 hours`, `reset after 18h36m12s`, `"retryDelay": "34s"`, `retry-after: 2`
fn pause(lower: &str) -> Option<Duration> {
    const BEFORE: [&str; 9] = [
        "retry after",
        "retry-after",
        "retry in",
        "try again in",
        "reset after",
        "resets after",
        "resets in",
        "reset in",
        "retrydelay",
    ];
    BEFORE.iter().find_map(|before| {
        let after = lower.split_once(before)?.1;
        length(after.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()))
    })
}

/// A length of time at the beginning of `text`; a number alone is seconds.
fn length(text: &str) -> Option<Duration> {
    let (mut rest, mut sum, mut found) = (text, 0.0_f64, false);
    loop {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let Ok(number) = rest[..end].trim_end_matches('.').parse::<f64>() else {
            break;
        };
        rest = rest[end..].trim_start_matches(' ');
        let unit_end = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let Some(seconds) = seconds(&rest[..unit_end]) else {
            // What follows a length belongs to the sentence.
            if found {
                break;
            }
            return Duration::try_from_secs_f64(number).ok();
        };
        (sum, found) = (number.mul_add(seconds, sum), true);
        rest = rest[unit_end..].trim_start_matches([' ', ',']);
        rest = rest.strip_prefix("and ").unwrap_or(rest);
    }
    found.then(|| Duration::try_from_secs_f64(sum).ok()).flatten()
}

/// How many seconds one of the unit is.
fn seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" | "millisecond" | "milliseconds" => 0.001,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    })
}

/// `resets at 2026-11-21T18:00:00Z`
fn instant(lower: &str, text: &str) -> Option<Timestamp> {
    if !lower.contains("reset") && !lower.contains("again at") {
        return None;
    }
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '(' | ')' | ','));
    words
        .filter(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('T'))
        .find_map(|word| word.trim_end_matches('.').parse().ok())
}

/// `resets 3pm (Europe/Berlin)`, `resets at 15:30 UTC`: the next time that it is so late there.
/// Without the zone it could be any time of the day, so it is none.
fn time_of_day(lower: &str, text: &str, at: Timestamp) -> Option<Timestamp> {
    let start = lower.find("resets")? + "resets".len();
    let after = lower.get(start..)?.trim_start();
    let after = after.strip_prefix("at ").unwrap_or(after);
    let end = after
        .find(|c: char| !c.is_ascii_alphanumeric() && c != ':')
        .unwrap_or(after.len());
    let time = clock(&after[..end])?;
    let zone = text
        .get(start..)?
        .split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | '.'))
        .find_map(|word| word.parse::<Tz>().ok())?;
    let now = at.to_chrono().with_timezone(&zone);
    (0..=1).find_map(|days| {
        let day = now.date_naive().checked_add_days(Days::new(days))?;
        let reset = zone.from_local_datetime(&day.and_time(time)).earliest()?;
        (reset > now).then(|| Timestamp::from_chrono(reset.to_utc()))
    })
}

/// `3pm`, `3:30pm`, `15:30`
fn clock(text: &str) -> Option<NaiveTime> {
    let (digits, later) = match (text.strip_suffix("am"), text.strip_suffix("pm")) {
        (Some(digits), _) => (digits, Some(0)),
        (_, Some(digits)) => (digits, Some(12)),
        _ => (text, None),
    };
    let (hour, minute) = match digits.split_once(':') {
        Some((hour, minute)) => (hour.parse::<u32>().ok()?, minute.parse().ok()?),
        // A bare number is no time of day.
        None => (digits.parse().ok().filter(|_| later.is_some())?, 0),
    };
    let hour = match later {
        Some(later) if (1..=12).contains(&hour) => hour % 12 + later,
        Some(_) => return None,
        None => hour,
    };
    NaiveTime::from_hms_opt(hour, minute, 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn reset_times_are_read_as_providers_write_them() {
        let now = at("2026-11-21T12:00:00Z");
        for (text, expected) in [
            ("Claude AI usage limit reached|1795284000", "2026-11-21T18:00:00Z"),
            ("limit reached|1795284000000", "2026-11-21T18:00:00Z"),
            ("You've hit your limit · resets 3pm (UTC)", "2026-11-21T15:00:00Z"),
            (
                "You've hit your limit · resets 11am (UTC)",
                "2026-11-22T11:00:00Z",
            ),
            (
                "limit reached ∙ resets 3:30pm (Europe/Berlin)",
                "2026-11-21T14:30:00Z",
            ),
            ("quota resets at 12am (America/New_York).", "2026-11-22T05:00:00Z"),
            ("resets at 15:30 UTC", "2026-11-21T15:30:00Z"),
            (
                "Your quota resets at 2026-11-21T18:00:00Z.",
                "2026-11-21T18:00:00Z",
            ),
            ("Please try again in 1.5s.", "2026-11-21T12:00:01.500Z"),
            ("try again in 3 days 4 hours 5 minutes.", "2026-11-24T16:05:00Z"),
            ("try again in 1 hour and 5 minutes", "2026-11-21T13:05:00Z"),
            ("Your quota will reset after 18h36m12s.", "2026-11-22T06:36:12Z"),
            (r#"{"retryDelay": "34s"}"#, "2026-11-21T12:00:34Z"),
            ("retry-after: 3600", "2026-11-21T13:00:00Z"),
            ("Retry after 20 please", "2026-11-21T12:00:20Z"),
        ] {
            assert_eq!(reset_at(text, now), Some(at(expected)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_or_could_be_any_is_none() {
        let now = at("2026-11-21T12:00:00Z");
        for text in [
            "",
            "rate limit exceeded",
            "resets 3pm",
            "resets soon (UTC)",
            "resets 25pm (UTC)",
            "limit reached|",
            "try again in a while",
            "try again in 1000000 hours",
            "limit reached|99999999999",
            "created 2026-11-21T18:00:00Z",
        ] {
            assert_eq!(reset_at(text, now), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "((resets|try again in|limit reached\\||retry after|[0-9.:]{1,12}|pm|h|UTC|é| )){0,12}|.{0,40}", at in any::<u64>()) {
            let _ = reset_at(&text, Timestamp::from_millis(at));
        }
    }
}
