//! Times of day, as the engine understood them.
//!
//! Kept as bits: there may be a hundred thousand schedules, and each is asked after every firing.

use chrono::{NaiveTime, Timelike};
use cron::{Schedule, TimeUnitSpec};

/// Seconds, minutes and hours; bit n for value n. Each has at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    seconds: u64,
    minutes: u64,
    hours: u64,
}

impl Times {
    pub(super) fn of(schedule: &Schedule) -> Self {
        Self {
            seconds: bits(60, |second| schedule.seconds().includes(second)),
            minutes: bits(60, |minute| schedule.minutes().includes(minute)),
            hours: bits(24, |hour| schedule.hours().includes(hour)),
        }
    }

    /// The first of a day.
    pub(super) fn first(self) -> Option<NaiveTime> {
        Self::at(
            next_bit(self.hours, 0)?,
            next_bit(self.minutes, 0)?,
            next_bit(self.seconds, 0)?,
        )
    }

    /// The first of a day strictly after `time`; `None` when there is none left.
    pub(super) fn after(self, time: NaiveTime) -> Option<NaiveTime> {
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        let this_hour = self.hours & (1 << hour) != 0;
        if this_hour
            && self.minutes & (1 << minute) != 0
            && let Some(second) = next_bit(self.seconds, second + 1)
        {
            return Self::at(hour, minute, second);
        }
        if this_hour && let Some(minute) = next_bit(self.minutes, minute + 1) {
            return Self::at(hour, minute, next_bit(self.seconds, 0)?);
        }
        Self::at(
            next_bit(self.hours, hour + 1)?,
            next_bit(self.minutes, 0)?,
            next_bit(self.seconds, 0)?,
        )
    }

    fn at(hour: u32, minute: u32, second: u32) -> Option<NaiveTime> {
        NaiveTime::from_hms_opt(hour, minute, second)
    }
}

fn bits(end: u32, has: impl Fn(u32) -> bool) -> u64 {
    (0..end)
        .filter(|value| has(*value))
        .fold(0, |bits, value| bits | 1 << value)
}

/// The lowest bit that is set from `from` on.
fn next_bit(bits: u64, from: u32) -> Option<u32> {
    let rest = bits.checked_shr(from)?;
    (rest != 0).then(|| from + rest.trailing_zeros())
}
