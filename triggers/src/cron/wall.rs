//! Between instants and what a clock on the wall shows, where the two do not run alike.

use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};
use worknode_query::nearest;

use super::CronError;

/// Where one wall-clock time is on the time line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Shown once.
    Once(DateTime<Utc>),
    /// Shown twice, because the clock was put back.
    Twice(DateTime<Utc>, DateTime<Utc>),
    /// Never shown, because the clock was put forward; with the first instant after the gap.
    Skipped(DateTime<Utc>),
}

/// The two passes of a repeated hour around an instant that lies in one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fold {
    /// The instant lies in the first pass.
    pub(super) first_pass: bool,
    /// What the clock shows when the second pass begins: the first time that is repeated.
    pub(super) wall_start: NaiveDateTime,
    /// What the clock shows when the second pass ends: the first time that is not repeated.
    pub(super) wall_end: NaiveDateTime,
}

/// What the clock in `zone` shows at `instant`.
pub(super) fn wall(zone: Tz, instant: DateTime<Utc>) -> NaiveDateTime {
    instant.with_timezone(&zone).naive_local()
}

/// Where `wall` is on the time line; `None` where the time zone data cannot say.
pub(super) fn place(zone: Tz, wall: NaiveDateTime) -> Option<Place> {
    let utc = |at: DateTime<Tz>| at.with_timezone(&Utc);
    Some(match zone.from_local_datetime(&wall) {
        LocalResult::Single(at) => Place::Once(utc(at)),
        LocalResult::Ambiguous(first, second) => Place::Twice(utc(first), utc(second)),
        LocalResult::None => Place::Skipped(utc(GapInfo::new(&wall, &zone)?.end?)),
    })
}

/// The repeated hour that `instant` lies in, if it does; `shown` is what the clock shows then.
pub(super) fn fold(zone: Tz, instant: DateTime<Utc>, shown: NaiveDateTime) -> Option<Fold> {
    let Some(Place::Twice(first, second)) = place(zone, shown) else {
        return None;
    };
    let turn = offset_change(zone, first, second);
    let wall_start = wall(zone, turn);
    Some(Fold {
        first_pass: instant == first,
        wall_start,
        wall_end: wall_start + (second - first),
    })
}

/// The first second with the new offset, known to lie in `(before, after]`.
pub(super) fn offset_change(zone: Tz, before: DateTime<Utc>, after: DateTime<Utc>) -> DateTime<Utc> {
    let offset = |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    let old = offset(before);
    let (mut low, mut high) = (before.timestamp(), after.timestamp());
    // The time zone database has whole seconds; an hour takes twelve steps.
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match DateTime::from_timestamp(middle, 0) {
            Some(at) if offset(at) == old => low = middle,
            _ => high = middle,
        }
    }
    before + Duration::seconds(high - before.timestamp())
}

/// Reads the name of a time zone.
pub(super) fn zone(name: &str) -> Result<Tz, CronError> {
    name.parse().map_err(|_| CronError::UnknownZone {
        found: name.chars().take(64).collect(),
        hint: guess(name).map(|zone| format!("did you mean `{zone}`?")),
    })
}

/// Letters that a name may be longer or shorter than what was meant.
const NEAR: usize = 3;

/// The zone whose name, or whose last part, is this but for upper and lower case, or else one of the
/// same region with a name that is near.
fn guess(name: &str) -> Option<&'static str> {
    let wanted = name.trim().replace(' ', "_");
    let whole = TZ_VARIANTS.iter().map(|zone| zone.name());
    let city = |zone: &&str| {
        zone.rsplit('/')
            .next()
            .is_some_and(|city| city.eq_ignore_ascii_case(&wanted))
    };
    whole
        .clone()
        .find(|zone| zone.eq_ignore_ascii_case(&wanted))
        .or_else(|| whole.clone().find(city))
        .or_else(|| {
            let (region, _) = wanted.split_once('/')?;
            let of_region = |zone: &&str| zone.split_once('/').is_some_and(|(other, _)| other == region);
            let alike = |zone: &&str| zone.len().abs_diff(wanted.len()) <= NEAR;
            nearest(&wanted, whole.filter(of_region).filter(alike))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn clock(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    #[test]
    fn a_skipped_time_knows_where_the_clock_goes_on() {
        for (zone, skipped, goes_on) in [
            (Tz::Europe__Berlin, "2026-03-29T02:30:00", "2026-03-29T01:00:00Z"),
            (
                Tz::Australia__Lord_Howe,
                "2026-10-04T02:15:00",
                "2026-10-03T15:30:00Z",
            ),
            (Tz::Pacific__Apia, "2011-12-30T12:00:00", "2011-12-30T10:00:00Z"),
        ] {
            assert_eq!(
                place(zone, clock(skipped)),
                Some(Place::Skipped(instant(goes_on)))
            );
        }
    }

    #[test]
    fn a_fold_is_seen_from_both_passes() {
        let expected = |first_pass| {
            Some(Fold {
                first_pass,
                wall_start: clock("2026-10-25T02:00:00"),
                wall_end: clock("2026-10-25T03:00:00"),
            })
        };
        let zone = Tz::Europe__Berlin;
        let fold = |zone, at| fold(zone, at, wall(zone, at));
        for (at, first_pass) in [
            ("2026-10-25T00:00:00Z", true),
            ("2026-10-25T00:59:59Z", true),
            ("2026-10-25T01:00:00Z", false),
            ("2026-10-25T01:59:59Z", false),
        ] {
            assert_eq!(fold(zone, instant(at)), expected(first_pass), "{at}");
        }
        assert_eq!(fold(zone, instant("2026-10-24T23:59:59Z")), None);
        assert_eq!(fold(zone, instant("2026-10-25T02:00:00Z")), None);
    }

    #[test]
    fn half_an_hour_folds_too() {
        let (zone, at) = (Tz::Australia__Lord_Howe, instant("2026-04-04T15:10:00Z"));
        let fold = fold(zone, at, wall(zone, at)).unwrap();
        assert_eq!(fold.wall_start, clock("2026-04-05T01:30:00"));
        assert_eq!(fold.wall_end, clock("2026-04-05T02:00:00"));
    }

    #[test]
    fn unknown_zones_come_with_a_guess() {
        let hint = |name| zone(name).unwrap_err().hint();
        assert_eq!(hint("europe/berlin").unwrap(), "did you mean `Europe/Berlin`?");
        assert_eq!(hint("new york").unwrap(), "did you mean `America/New_York`?");
        assert_eq!(hint("Europe/Berln").unwrap(), "did you mean `Europe/Berlin`?");
        assert_eq!(hint("Middle-earth/Shire"), None);
        assert!(zone(&"x".repeat(100_000)).unwrap_err().to_string().len() < 200);
    }
}
