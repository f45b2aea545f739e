//! Fields of an expression in words.

use super::{
    days::Days,
    field::{Field, HOUR, Kind, MINUTE, MONTH, SECOND, WEEKDAY},
};

/// Minutes of an hour, seconds of a minute: steps that divide it are the same all through.
const ROUND: u8 = 60;
/// Times of day that are listed one by one.
const LISTED: usize = 6;

const DAY_NAMES: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTH_NAMES: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The times of day, or nothing when a field cannot be read.
pub(super) fn times(second: &str, minute: &str, hour: &str) -> Option<String> {
    let field = |kind: &Kind, text: &str| kind.parse(text).ok();
    let (seconds, minutes, hours) = (
        field(&SECOND, second)?,
        field(&MINUTE, minute)?,
        field(&HOUR, hour)?,
    );
    if let (Some(second), Some(minute)) = (only(seconds), only(minutes)) {
        let clock = |hour: u8| {
            let seconds = if second == 0 {
                String::new()
            } else {
                format!(":{second:02}")
            };
            format!("{hour:02}:{minute:02}{seconds}")
        };
        let listed: Vec<String> = held(hours).map(clock).collect();
        if hour == "*" {
            return Some(format!("every hour at minute {minute}{}", at_second(seconds)));
        }
        if listed.len() <= LISTED {
            return Some(format!("at {}", and(&listed)));
        }
    }
    let of_hours = if hour == "*" {
        String::new()
    } else {
        format!(" of hour{} {}", plural(hours), list(hours, number))
    };
    let minute_words = every(minute, minutes, "minute");
    Some(if second == "0" {
        format!("{minute_words}{of_hours}")
    } else {
        let of_minutes = if minute == "*" {
            String::new()
        } else {
            format!(" {minute_words}")
        };
        format!("{}{of_minutes}{of_hours}", every(second, seconds, "second"))
    })
}

/// `s` for more than one.
fn plural(field: Field) -> &'static str {
    if only(field).is_some() { "" } else { "s" }
}

/// ` and second 30`, when it is not the first.
fn at_second(seconds: Field) -> String {
    match only(seconds) {
        Some(0) | None => String::new(),
        Some(second) => format!(" and second {second}"),
    }
}

/// `every minute`, `every 15 minutes`, `at minutes 0, 7 and 14`.
fn every(text: &str, field: Field, unit: &str) -> String {
    let step = text.strip_prefix("*/").and_then(|step| step.parse::<u8>().ok());
    match step {
        Some(1) => format!("every {unit}"),
        _ if text == "*" => format!("every {unit}"),
        Some(step) if ROUND.is_multiple_of(step) => format!("every {step} {unit}s"),
        _ => format!("at {unit}{} {}", plural(field), list(field, number)),
    }
}

/// Which days, with the month; empty when it is every day.
pub(super) fn days(day: &str, month: &str, weekday: &str) -> String {
    let either = Days::parse(day, month, weekday).is_ok_and(Days::takes_either);
    let dates = (day != "*").then(|| format!("on {}", date_words(day)));
    let weekdays = (weekday != "*").then(|| format!("on {}", weekday_words(weekday)));
    let joined = match (dates, weekdays) {
        (None, None) => String::new(),
        (Some(one), None) | (None, Some(one)) => format!(" {one}"),
        (Some(date), Some(weekday)) if either => format!(" {date}, and as well {weekday}"),
        (Some(date), Some(weekday)) => format!(" {date}, if that is {}", weekday.replacen("on ", "", 1)),
    };
    let months = MONTH.parse(month).ok().filter(|_| month != "*");
    let months =
        months.map(|months| format!(" in {}", list(months, |n| name(&MONTH_NAMES, n.wrapping_sub(1)))));
    joined + &months.unwrap_or_default()
}

fn date_words(text: &str) -> String {
    let item = |item: &str| {
        let upper = item.to_ascii_uppercase();
        if upper == "L" {
            "the last day of the month".to_owned()
        } else if upper == "LW" {
            "the last working day of the month".to_owned()
        } else if let Some(before) = upper.strip_prefix("L-") {
            format!("the day {before} before the last of the month")
        } else if let Some(date) = upper.strip_suffix('W') {
            format!("the working day nearest to day {date}")
        } else if let Some(step) = upper.strip_prefix("*/") {
            format!("day 1 of the month and every {step} days after it")
        } else {
            format!("day {}", upper.replace('-', " to ").replace('/', " in steps of "))
        }
    };
    and(&text.split(',').map(item).collect::<Vec<_>>())
}

fn weekday_words(text: &str) -> String {
    let whole = |item: &str| {
        let named = WEEKDAY.parse(item).ok();
        named.map_or_else(|| item.to_owned(), |field| list(field, |n| name(&DAY_NAMES, n)))
    };
    let item = |item: &str| {
        let upper = item.to_ascii_uppercase();
        match upper.split_once('#') {
            Some((weekday, "L")) => format!("the last {} of the month", whole(weekday)),
            Some((weekday, nth)) => format!("{} number {nth} of the month", whole(weekday)),
            None => match upper.strip_suffix('L') {
                Some(weekday) => format!("the last {} of the month", whole(weekday)),
                None => whole(&upper),
            },
        }
    };
    and(&text.split(',').map(item).collect::<Vec<_>>())
}

fn name(names: &[&str], index: u8) -> String {
    names
        .get(usize::from(index))
        .map_or_else(|| index.to_string(), |name| (*name).to_owned())
}

fn number(value: u8) -> String {
    value.to_string()
}

/// The values of a field, in order.
fn held(field: Field) -> impl Iterator<Item = u8> {
    (0..64).filter(move |value| field.values() & (1 << value) != 0)
}

/// The value, when there is only one.
fn only(field: Field) -> Option<u8> {
    let mut values = held(field);
    values.next().filter(|_| values.next().is_none())
}

/// The values in words, with runs of three and more as ranges.
fn list(field: Field, word: impl Fn(u8) -> String) -> String {
    let mut runs: Vec<(u8, u8)> = Vec::new();
    for value in held(field) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == value => *last = value,
            _ => runs.push((value, value)),
        }
    }
    let mut words = Vec::new();
    for (first, last) in runs {
        if last - first < 2 {
            words.extend((first..=last).map(&word));
        } else {
            words.push(format!("{} to {}", word(first), word(last)));
        }
    }
    and(&words)
}

/// `a, b and c`.
fn and(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use crate::cron::CronSchedule;

    fn words(expression: &str) -> String {
        CronSchedule::parse(expression, "UTC").unwrap().in_words()
    }

    #[test]
    fn schedules_are_told_in_words() {
        for (expression, expected) in [
            ("0 9 * * MON-FRI", "At 09:00 on Monday to Friday"),
            ("30 2,14 * * *", "At 02:30 and 14:30"),
            ("15 30 9 * * *", "At 09:30:15"),
            ("*/15 * * * *", "Every 15 minutes"),
            ("*/7 * * * *", "At minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56"),
            ("* * * * * *", "Every second"),
            ("*/10 * 9 * * *", "Every 10 seconds of hour 9"),
            ("*/15 9-17 * * *", "Every 15 minutes of hours 9 to 17"),
            ("@hourly", "Every hour at minute 0"),
            ("0 0 13 * FRI", "At 00:00 on day 13, and as well on Friday"),
            (
                "0 0 */2 * MON",
                "At 00:00 on day 1 of the month and every 2 days after it, if that is Monday",
            ),
            ("0 18 L * *", "At 18:00 on the last day of the month"),
            (
                "0 18 LW,15W 3,6-9 *",
                "At 18:00 on the last working day of the month and the working day nearest to day 15 in March and June to September",
            ),
            (
                "0 18 * * FRIL,MON#2",
                "At 18:00 on the last Friday of the month and Monday number 2 of the month",
            ),
        ] {
            assert_eq!(words(expression), expected, "{expression}");
        }
    }
}
