//! A schedule in words: when it fires, and what the turns of its clock do to it.

use std::fmt::Write as _;

use chrono::{DateTime, Duration, NaiveDateTime, Offset, TimeZone, Utc};
use worknode_core::time::Timestamp;

use super::{CronSchedule, Pace, wall, words};

/// How far turns of the clock are looked for: a year and a bit.
const AHEAD: i64 = 400;
/// Turns that are told.
const TURNS: usize = 2;
/// A clock that is put forward or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    /// What the clock would have shown then.
    from: NaiveDateTime,
    /// What it shows.
    to: NaiveDateTime,
}

impl CronSchedule {
    /// In words, for people: when it fires, in which zone, how the next two turns of the clock
    /// there change that, and the next three times after `from`.
    #[must_use]
    pub fn explain(&self, from: Timestamp) -> String {
        let mut text = format!("{}, in the zone {}.", self.in_words(), self.zone.name());
        let turns = self.turns(from.to_chrono());
        if turns.is_empty() {
            let _ = write!(
                text,
                "\nNo clock is put forward or back there within {AHEAD} days."
            );
        }
        for turn in turns {
            let _ = write!(text, "\n{}", self.at_turn(turn));
        }
        for next in self.iter_after(from).take(3) {
            let _ = write!(text, "\nNext: {} ({next})", self.local(next));
        }
        text
    }

    /// When it fires, without the zone.
    #[must_use]
    pub fn in_words(&self) -> String {
        let fields: Vec<&str> = self.fields.split(' ').collect();
        let [second, minute, hour, day, month, weekday] = fields[..] else {
            return self.fields.to_string();
        };
        let time =
            words::times(second, minute, hour).unwrap_or_else(|| format!("at {second} {minute} {hour}"));
        let days = words::days(day, month, weekday);
        let mut text = format!("{time}{days}");
        if let Some(first) = text.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        text
    }

    /// The next turns of the zone's clock.
    fn turns(&self, from: DateTime<Utc>) -> Vec<Turn> {
        let offset = |at: DateTime<Utc>| self.zone.offset_from_utc_datetime(&at.naive_utc()).fix();
        let mut found = Vec::new();
        let mut day = from;
        for _ in 0..AHEAD {
            let next = day + Duration::days(1);
            let (old, new) = (offset(day), offset(next));
            if old != new {
                let at = wall::offset_change(self.zone, day, next);
                let shown = |offset: chrono::FixedOffset| at.with_timezone(&offset).naive_local();
                found.push(Turn {
                    from: shown(old),
                    to: shown(new),
                });
                if found.len() == TURNS {
                    break;
                }
            }
            day = next;
        }
        found
    }

    /// What a turn is, and what it means for this schedule.
    fn at_turn(&self, turn: Turn) -> String {
        let clock = |at: NaiveDateTime| at.format("%H:%M").to_string();
        let forward = turn.to > turn.from;
        let (start, end) = if forward {
            (turn.from, turn.to)
        } else {
            (turn.to, turn.from)
        };
        let moved = format!(
            "On {} the clock goes {} from {} to {}: ",
            turn.from.format("%Y-%m-%d"),
            if forward { "forward" } else { "back" },
            clock(turn.from),
            clock(turn.to),
        );
        let hit = self.next_wall_from(start).filter(|at| *at < end);
        let meaning = match (hit, self.pace, forward) {
            (None, ..) => "that touches none of its times.".to_owned(),
            (Some(at), Pace::Fixed, true) => {
                format!(
                    "{} is not shown that day, and it fires at {} instead, once.",
                    clock(at),
                    clock(end)
                )
            }
            (Some(at), Pace::Fixed, false) => {
                format!(
                    "{} is shown twice that day, and it fires the first time only.",
                    clock(at)
                )
            }
            (Some(_), Pace::Interval, true) => "nothing fires in between; no time passes there.".to_owned(),
            (Some(_), Pace::Interval, false) => {
                format!(
                    "it fires through {} to {} twice, as time goes on.",
                    clock(start),
                    clock(end)
                )
            }
        };
        moved + &meaning
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_of_the_clock_are_told_with_what_they_mean() {
        let explain = |expression: &str| {
            let schedule = CronSchedule::parse(expression, "Europe/Berlin").unwrap();
            schedule.explain("2026-11-21T00:00:00Z".parse().unwrap())
        };
        assert_eq!(
            explain("30 2 * * *"),
            "At 02:30, in the zone Europe/Berlin.\n\
             On 2027-03-28 the clock goes forward from 02:00 to 03:00: 02:30 is not shown that day, and it fires at 03:00 instead, once.\n\
             On 2027-10-31 the clock goes back from 03:00 to 02:00: 02:30 is shown twice that day, and it fires the first time only.\n\
             Next: 2026-11-21T02:30:00+01:00 (2026-11-21T01:30:00.000Z)\n\
             Next: 2026-11-22T02:30:00+01:00 (2026-11-22T01:30:00.000Z)\n\
             Next: 2026-11-23T02:30:00+01:00 (2026-11-23T01:30:00.000Z)"
        );
        assert!(explain("0 9 * * *").contains("03:00: that touches none of its times."));
        assert!(explain("*/30 * * * *").contains("it fires through 02:00 to 03:00 twice"));
        let kolkata = CronSchedule::parse("0 9 * * *", "Asia/Kolkata").unwrap();
        assert!(
            kolkata
                .explain(Timestamp::from_millis(0))
                .contains("No clock is put")
        );
    }
}
