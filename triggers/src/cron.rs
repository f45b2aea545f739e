//! Cron expressions in a time zone: when do they fire next?
//!
//! The `cron` crate reads the times of day, but it never sees a time zone, a date or a five-field
//! expression. Our own field layer reads the text and hands it explicit values; dates are asked of
//! the calendar. Both run over a wall clock that has no daylight saving, and what they find is
//! placed on the time line here.

mod days;
mod error;
mod explain;
mod field;
mod times;
mod wall;
mod words;

use std::str::FromStr;

use chrono::{DateTime, Duration, NaiveDateTime, SecondsFormat, Timelike, Utc};
use chrono_tz::Tz;
use worknode_core::time::Timestamp;

pub use self::error::CronError;
use self::{
    days::Days,
    field::{HOUR, MINUTE, SECOND},
    times::Times,
    wall::Place,
};

/// Longest expression that is read, in bytes. All minutes written out are 170.
pub const MAX_LENGTH: usize = 256;

/// The time zone of a schedule that names none.
pub const DEFAULT_ZONE: &str = "UTC";

/// When to fire: a checked cron expression with its time zone.
///
/// Fires at whole seconds, in the years that its zone calls 1970 to 2100.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronSchedule {
    times: Times,
    days: Days,
    pace: Pace,
    zone: Tz,
    /// The six fields as they were written.
    fields: Box<str>,
}

/// How a schedule takes a clock that is put forward or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// Names times of day: each happens once, even when the clock shows it never or twice.
    Fixed,
    /// Has a `*` in second, minute or hour: keeps pace with elapsed time.
    Interval,
}

impl CronSchedule {
    /// Reads an expression of five fields (minute, hour, day, month, weekday), of six with the
    /// second in front, or a nickname such as `@daily`; and the IANA name of a time zone, which
    /// an expression that begins with `CRON_TZ=` has with it.
    ///
    /// # Errors
    /// [`CronError`] says which field is wrong, what was found and what is allowed; also when no
    /// day matches, as on the 30th of February.
    pub fn parse(expression: &str, zone: &str) -> Result<Self, CronError> {
        let (own_zone, fields) = split_zone(expression);
        let zone = wall::zone(own_zone.unwrap_or(zone))?;
        if expression.len() > MAX_LENGTH {
            return Err(CronError::TooLong {
                length: expression.len(),
            });
        }
        let fields: Vec<&str> = spelled_out(fields)?.split_ascii_whitespace().collect();
        let fields = match fields[..] {
            [minute, hour, day, month, weekday] => ["0", minute, hour, day, month, weekday],
            [second, minute, hour, day, month, weekday] => [second, minute, hour, day, month, weekday],
            _ => return Err(CronError::FieldCount { found: fields.len() }),
        };
        let schedule = Self::from_fields(fields, zone, expression)?;
        // 2000 begins a round of 28 years in which every calendar occurs.
        let start = DateTime::from_timestamp(946_684_800, 0).unwrap_or_default();
        if schedule.days.next_from(start.date_naive()).is_none() {
            return Err(CronError::NeverFires {
                expression: expression.to_owned(),
            });
        }
        Ok(schedule)
    }

    fn from_fields(text: [&str; 6], zone: Tz, expression: &str) -> Result<Self, CronError> {
        let [second, minute, hour] = [
            SECOND.parse(text[0])?,
            MINUTE.parse(text[1])?,
            HOUR.parse(text[2])?,
        ];
        let days = Days::parse(text[3], text[4], text[5])?;
        let times = [(&SECOND, second), (&MINUTE, minute), (&HOUR, hour)]
            .map(|(kind, field)| kind.engine_text(field))
            .join(" ");
        let times =
            cron::Schedule::from_str(&format!("{times} * * *")).map_err(|error| CronError::Engine {
                expression: expression.to_owned(),
                reason: error.to_string(),
            })?;
        let pace = if second.has_star || minute.has_star || hour.has_star {
            Pace::Interval
        } else {
            Pace::Fixed
        };
        Ok(Self {
            times: Times::of(&times),
            days,
            pace,
            zone,
            fields: text.join(" ").into(),
        })
    }

    /// The first instant strictly after `after` at which this fires. `None` after the year 2100.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        // Schedules fire at whole seconds, so what is after this one is after the fraction too.
        let after = after.to_chrono().with_nanosecond(0)?;
        let next = match self.pace {
            Pace::Fixed => self.next_fixed(after),
            Pace::Interval => self.next_interval(after),
        }?;
        Some(Timestamp::from_chrono(next))
    }

    /// All instants after `after`, in order. May be very many: take what is needed.
    pub fn iter_after(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        std::iter::successors(self.next_after(after), |at| self.next_after(*at))
    }

    /// The zone's name.
    #[must_use]
    pub fn zone_name(&self) -> &'static str {
        self.zone.name()
    }

    /// `at` as a clock in the schedule's zone shows it, with the offset.
    #[must_use]
    pub fn local(&self, at: Timestamp) -> String {
        at.to_chrono()
            .with_timezone(&self.zone)
            .to_rfc3339_opts(SecondsFormat::Secs, false)
    }

    /// Each wall-clock time counts once: in a fold its first pass, in a gap the end of the gap.
    /// So placed, later times on the clock are never earlier on the time line.
    fn next_fixed(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let shown = wall::wall(self.zone, after);
        let shown = match wall::fold(self.zone, after, shown) {
            // All that the second pass shows has had its turn.
            Some(fold) if !fold.first_pass => fold.wall_end - Duration::seconds(1),
            _ => shown,
        };
        match wall::place(self.zone, self.next_wall(shown)?)? {
            Place::Once(at) | Place::Twice(at, _) | Place::Skipped(at) => Some(at),
        }
    }

    /// Fires whenever the clock shows a match: never in a gap, in both passes of a fold.
    fn next_interval(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let shown = wall::wall(self.zone, after);
        let mut next = self.next_wall(shown)?;
        // Past the first pass, the clock shows the repeated hour again before it goes on.
        if let Some(fold) = wall::fold(self.zone, after, shown).filter(|fold| fold.first_pass)
            && next >= fold.wall_end
        {
            next = self.next_wall_from(fold.wall_start)?;
        }
        loop {
            match wall::place(self.zone, next)? {
                Place::Once(at) => return Some(at),
                Place::Twice(first, second) => return Some(if first > after { first } else { second }),
                Place::Skipped(gap_end) => next = self.next_wall_from(wall::wall(self.zone, gap_end))?,
            }
        }
    }

    /// The first match strictly after `shown` on a wall clock that is never moved.
    fn next_wall(&self, shown: NaiveDateTime) -> Option<NaiveDateTime> {
        let today = shown.date();
        if self.days.matches(today)
            && let Some(time) = self.times.after(shown.time())
        {
            return Some(today.and_time(time));
        }
        let day = self.days.next_from(today.succ_opt()?)?;
        Some(day.and_time(self.times.first()?))
    }

    /// The same, with `shown` itself as a candidate.
    fn next_wall_from(&self, shown: NaiveDateTime) -> Option<NaiveDateTime> {
        self.next_wall(shown - Duration::seconds(1))
    }
}

/// The zone that an expression has with it, and its fields: `CRON_TZ=Europe/Berlin 0 9 * * *`.
#[must_use]
pub fn split_zone(expression: &str) -> (Option<&str>, &str) {
    let text = expression.trim_ascii();
    let zoned = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ="));
    match zoned {
        Some(zoned) => {
            let (zone, fields) = zoned
                .split_once(|c: char| c.is_ascii_whitespace())
                .unwrap_or((zoned, ""));
            (Some(zone), fields)
        }
        None => (None, text),
    }
}

/// What a nickname stands for; other text as it is.
fn spelled_out(expression: &str) -> Result<&str, CronError> {
    let text = expression.trim_ascii();
    if !text.starts_with('@') {
        return Ok(text);
    }
    Ok(match text.to_ascii_lowercase().as_str() {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        _ => {
            return Err(CronError::UnknownNickname {
                found: text.to_owned(),
            });
        }
    })
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
