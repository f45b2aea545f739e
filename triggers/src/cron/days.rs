//! Which days match: the month and both day fields, and the marks that only they have.
//!
//! `L`, `W` and `#` depend on how long a month is and where its weeks lie, so they are asked of
//! the calendar, day by day. The engine behind this module only knows times of day.

use chrono::{Datelike, Days as Count, NaiveDate};

use super::{
    CronError,
    field::{DAY, Field, MONTH, WEEKDAY, digits},
};

/// Days that are looked at for a match. Within 28 years every date falls on every weekday, in
/// months of every shape; what does not match by then never does.
const HORIZON: usize = 28 * 366;
/// The last year in which anything fires.
const LAST_YEAR: i32 = 2100;
/// The bit of [`Days::nth`] for the last one in its month.
const LAST: u8 = 0;

/// The days on which a schedule fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Days {
    months: u64,
    /// Days of the month, bit n for day n.
    dates: u64,
    /// `L` and `L-n`: bit n for n days before the last.
    from_end: u32,
    /// `nW`: bit n for the working day that is nearest to day n, in the same month.
    nearest: u32,
    /// `LW`.
    last_working: bool,
    /// Bit n for weekday n, Sunday 0.
    weekdays: u64,
    /// For each weekday, bit n for its n-th in the month and bit [`LAST`] for the last.
    nth: [u8; 7],
    /// Both day fields are restricted: then one of them suffices.
    either: bool,
}

impl Days {
    /// Reads the fields for day, month and weekday.
    pub(super) fn parse(day: &str, month: &str, weekday: &str) -> Result<Self, CronError> {
        let mut days = Self {
            months: MONTH.parse(month)?.values(),
            dates: 0,
            from_end: 0,
            nearest: 0,
            last_working: false,
            weekdays: 0,
            nth: [0; 7],
            either: false,
        };
        let dates: Field = DAY.parse_beside(day, |item| days.mark_of_date(item))?;
        let weekdays: Field = WEEKDAY.parse_beside(weekday, |item| days.mark_of_weekday(item))?;
        days.dates = dates.values();
        days.weekdays = weekdays.values();
        days.either = !dates.starts_with_star && !weekdays.starts_with_star;
        Ok(days)
    }

    /// Takes `L`, `L-3`, `LW` and `15W`; false when the item is none of these.
    fn mark_of_date(&mut self, item: &str) -> Result<bool, CronError> {
        let upper = item.to_ascii_uppercase();
        if upper == "L" {
            self.from_end |= 1;
        } else if upper == "LW" {
            self.last_working = true;
        } else if let Some(before) = upper.strip_prefix("L-") {
            let before = digits(before).filter(|before| (1..=30).contains(before));
            let before = before.ok_or_else(|| DAY.fault(item, "which counts back past the month", None))?;
            self.from_end |= 1 << before;
        } else if let Some(date) = upper.strip_suffix('W').filter(|date| !date.contains('-')) {
            self.nearest |= 1 << DAY.value(item, date)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Takes `FRI#2`, `FRI#L` and `FRIL`; false when the item is none of these.
    fn mark_of_weekday(&mut self, item: &str) -> Result<bool, CronError> {
        let upper = item.to_ascii_uppercase();
        let (weekday, nth) = if let Some((weekday, nth)) = upper.split_once('#') {
            let counted = digits(nth).filter(|nth| (1..=5).contains(nth));
            let nth = if nth == "L" { Some(LAST) } else { counted };
            let hint = "a month has at most five of each weekday: write `#1` to `#5`, or `#L` for the last";
            let nth =
                nth.ok_or_else(|| WEEKDAY.fault(item, "which counts to none", Some(hint.to_owned())))?;
            (weekday, nth)
        } else if upper == "L" {
            let hint = "write `SUNL` for the last Sunday of the month; the last day of the month is `L` in \
                        the day field";
            return Err(WEEKDAY.fault(item, "which names no weekday", Some(hint.to_owned())));
        } else if let Some(weekday) = upper.strip_suffix('L') {
            (weekday, LAST)
        } else {
            return Ok(false);
        };
        let weekday = WEEKDAY.value(item, weekday)? % 7;
        if let Some(marks) = self.nth.get_mut(usize::from(weekday)) {
            *marks |= 1 << nth;
        }
        Ok(true)
    }

    /// Are both day fields restricted, so that one of them suffices?
    pub(super) const fn takes_either(self) -> bool {
        self.either
    }

    /// The first matching day from `date` on; `None` when there is none before the end of the
    /// calendar.
    pub(super) fn next_from(&self, date: NaiveDate) -> Option<NaiveDate> {
        let mut date = date;
        for _ in 0..HORIZON {
            if date.year() > LAST_YEAR {
                return None;
            }
            if self.months & (1 << date.month()) == 0 {
                let passed = date.num_days_in_month() as u32 - date.day();
                date = date.checked_add_days(Count::new(u64::from(passed) + 1))?;
            } else if self.fits(date) {
                return Some(date);
            } else {
                date = date.succ_opt()?;
            }
        }
        None
    }

    /// Does that day match?
    pub(super) fn matches(&self, date: NaiveDate) -> bool {
        self.months & (1 << date.month()) != 0 && self.fits(date)
    }

    fn fits(&self, date: NaiveDate) -> bool {
        if self.either {
            self.date_fits(date) || self.weekday_fits(date)
        } else {
            self.date_fits(date) && self.weekday_fits(date)
        }
    }

    fn date_fits(&self, date: NaiveDate) -> bool {
        let day = date.day();
        if self.dates & (1 << day) != 0 {
            return true;
        }
        if self.from_end == 0 && self.nearest == 0 && !self.last_working {
            return false;
        }
        let length = u32::from(date.num_days_in_month());
        self.from_end & (1 << (length - day)) != 0
            || (self.last_working && day == nearest_working(date, length))
            || self.is_nearest(date, length)
    }

    /// Is it the working day nearest to one of those that are marked? That one is at most two
    /// days away.
    fn is_nearest(&self, date: NaiveDate, length: u32) -> bool {
        let day = date.day();
        let around = day.saturating_sub(2).max(1)..=(day + 2).min(length);
        let marked = |wanted: &u32| self.nearest & (1 << *wanted) != 0;
        around
            .into_iter()
            .filter(marked)
            .any(|wanted| nearest_working(date, wanted) == day)
    }

    fn weekday_fits(&self, date: NaiveDate) -> bool {
        let weekday = date.weekday().num_days_from_sunday();
        if self.weekdays & (1 << weekday) != 0 {
            return true;
        }
        let marks = usize::try_from(weekday)
            .ok()
            .and_then(|weekday| self.nth.get(weekday));
        let Some(marks) = marks.filter(|marks| **marks != 0) else {
            return false;
        };
        let nth = date.day().div_ceil(7);
        let is_last = date.day() + 7 > u32::from(date.num_days_in_month());
        marks & (1 << nth) != 0 || (is_last && marks & (1 << LAST) != 0)
    }
}

/// The day in the month of `date` that is a working day and nearest to day `wanted`.
fn nearest_working(date: NaiveDate, wanted: u32) -> u32 {
    let length = u32::from(date.num_days_in_month());
    let weekday = date.with_day(wanted).map(|date| date.weekday());
    match weekday {
        Some(chrono::Weekday::Sat) if wanted == 1 => 3,
        Some(chrono::Weekday::Sat) => wanted - 1,
        Some(chrono::Weekday::Sun) if wanted == length => wanted - 2,
        Some(chrono::Weekday::Sun) => wanted + 1,
        _ => wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The matching days of 2026, as month-day.
    fn of_2026(day: &str, month: &str, weekday: &str) -> Vec<String> {
        let days = Days::parse(day, month, weekday).unwrap();
        let first = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
        let all = std::iter::successors(days.next_from(first), |date| days.next_from(date.succ_opt()?));
        all.take_while(|date| date.year() == 2026)
            .map(|date| date.format("%m-%d").to_string())
            .collect()
    }

    #[test]
    fn the_last_day_is_counted_from_the_end() {
        assert_eq!(of_2026("L", "1-4", "*"), ["01-31", "02-28", "03-31", "04-30"]);
        assert_eq!(of_2026("L-2", "2,3", "*"), ["02-26", "03-29"]);
        assert_eq!(of_2026("l,1", "2", "*"), ["02-01", "02-28"]);
        // Only months of 31 days have a day thirty days before their last.
        assert_eq!(of_2026("L-30", "1-4", "*"), ["01-01", "03-01"]);
    }

    #[test]
    fn the_nearest_working_day_stays_in_its_month() {
        // 2026: 1 August is a Saturday, 15 August too, 15 November and 31 May are Sundays.
        assert_eq!(of_2026("15W", "8,11", "*"), ["08-14", "11-16"]);
        assert_eq!(of_2026("1W", "8,2", "*"), ["02-02", "08-03"]);
        assert_eq!(of_2026("31W", "5", "*"), ["05-29"]);
        assert_eq!(of_2026("31W", "4,5", "*"), ["05-29"]);
        assert_eq!(of_2026("LW", "1,2,5", "*"), ["01-30", "02-27", "05-29"]);
    }

    #[test]
    fn weekdays_are_counted_within_the_month() {
        assert_eq!(of_2026("*", "11", "MON#2"), ["11-09"]);
        assert_eq!(of_2026("*", "10,11", "FRIL"), ["10-30", "11-27"]);
        assert_eq!(of_2026("*", "11", "5#L,0#1"), ["11-01", "11-27"]);
        assert_eq!(of_2026("*", "*", "TUE#5"), ["03-31", "06-30", "09-29", "12-29"]);
        assert_eq!(of_2026("*", "11", "WED#2,7L"), ["11-11", "11-29"]);
    }

    #[test]
    fn marks_restrict_and_so_either_field_suffices() {
        assert_eq!(of_2026("L", "11", "MON#1"), ["11-02", "11-30"]);
        assert_eq!(of_2026("*/2", "11", "MON#2"), ["11-09"]);
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        for (day, weekday) in [
            ("L-31", "*"),
            ("L-0", "*"),
            ("L-", "*"),
            ("32W", "*"),
            ("1-5W", "*"),
            ("W", "*"),
            ("L/2", "*"),
            ("MON", "*"),
            ("*", "L"),
            ("*", "MON#0"),
            ("*", "MON#6"),
            ("*", "MON#"),
            ("*", "#2"),
            ("*", "8L"),
            ("*", "MON-FRIL"),
            ("*", "MONW"),
        ] {
            assert!(Days::parse(day, "*", weekday).is_err(), "{day} {weekday}");
        }
    }
}
