//! Hybrid logical clock: one order for all events, close to wall time.
//!
//! Kulkarni et al., "Logical Physical Clocks" (2014). A stamp is the wall clock in
//! milliseconds, a counter for what happens within one, and the node that made it. Stamps of
//! one node strictly increase whatever its wall clock does; a stamp from elsewhere pushes the
//! clock forward, unless it is so far ahead that believing it would poison the order.
//!
//! Time is an argument here, because this crate reads no clock; that is why the rule is
//! written out instead of taken from a crate whose clock is a global function.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::time::Timestamp;

/// One point in the order of events. Also the identity of the event that happened there.
///
/// Text: `2026-11-21T10:24:30.123Z-0007-1a2b3c4d`; sorts as the stamp does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hlc {
    /// Wall clock part.
    pub wall: Timestamp,
    /// Order within one millisecond of the wall part.
    pub counter: u16,
    /// The node that made the stamp: tells stamps of two machines apart.
    pub origin: u32,
}

impl Hlc {
    /// Before every stamp that a clock gives.
    pub const ZERO: Self = Self {
        wall: Timestamp::from_millis(0),
        counter: 0,
        origin: 0,
    };
}

impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:04x}-{:08x}", self.wall, self.counter, self.origin)
    }
}

impl fmt::Debug for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not an HLC stamp.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a stamp, as in 2026-11-21T10:24:30.123Z-0000-1a2b3c4d")]
pub struct NotAStamp(pub String);

impl FromStr for Hlc {
    type Err = NotAStamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || NotAStamp(text.to_owned());
        let mut parts = text.rsplitn(3, '-');
        let (Some(origin), Some(counter), Some(wall)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(bad());
        };
        let hex = |part: &str, width: usize| {
            let canonical =
                part.len() == width && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            canonical.then(|| u32::from_str_radix(part, 16).ok()).flatten()
        };
        let stamp = Self {
            wall: wall.parse().map_err(|_| bad())?,
            counter: hex(counter, 4)
                .and_then(|c| u16::try_from(c).ok())
                .ok_or_else(bad)?,
            origin: hex(origin, 8).ok_or_else(bad)?,
        };
        // One stamp, one text: other spellings of the instant would not sort.
        if stamp.to_string() == text {
            Ok(stamp)
        } else {
            Err(bad())
        }
    }
}

impl schemars::JsonSchema for Hlc {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Hlc".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z-[0-9a-f]{4}-[0-9a-f]{8}$",
            "description": "A point in the order of events, as in 2026-11-21T10:24:30.123Z-0007-1a2b3c4d."
        })
    }
}

impl Serialize for Hlc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hlc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// The state from which the next stamp is made. Whoever appends events owns the only one.
#[derive(Clone, Debug)]
pub struct HlcClock {
    last: Hlc,
    max_drift: Duration,
}

/// A stamp from elsewhere is too far ahead of this machine's clock to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stamp {stamp} is {ahead:?} ahead of this machine's clock; at most {limit:?} is believed")]
pub struct DriftRefused {
    /// The stamp that was refused.
    pub stamp: Hlc,
    /// How far ahead it is.
    pub ahead: Duration,
    /// How far ahead it may be.
    pub limit: Duration,
}

impl HlcClock {
    /// A clock for node `origin` that continues after `last`, the newest stamp that was stored
    /// ([`Hlc::ZERO`] when there is none): a wall clock that was set back while the daemon was
    /// down cannot make the order run backwards.
    #[must_use]
    pub const fn resume(origin: u32, last: Hlc, max_drift: Duration) -> Self {
        Self {
            last: Hlc { origin, ..last },
            max_drift,
        }
    }

    /// The next stamp: strictly after every stamp this clock gave or accepted.
    pub fn tick(&mut self, now: Timestamp) -> Hlc {
        self.advance(now.max(self.last.wall))
    }

    /// Takes notice of a stamp from elsewhere, so that what follows is ordered after it.
    ///
    /// # Errors
    /// [`DriftRefused`] when it is further ahead of `now` than the bound; the clock is unmoved.
    pub fn observe(&mut self, stamp: Hlc, now: Timestamp) -> Result<(), DriftRefused> {
        let ahead = stamp.wall.since(now);
        if ahead > self.max_drift {
            return Err(DriftRefused {
                stamp,
                ahead,
                limit: self.max_drift,
            });
        }
        let (seen, own) = ((stamp.wall, stamp.counter), (self.last.wall, self.last.counter));
        if seen > own {
            (self.last.wall, self.last.counter) = seen;
        }
        Ok(())
    }

    fn advance(&mut self, wall: Timestamp) -> Hlc {
        if wall > self.last.wall {
            (self.last.wall, self.last.counter) = (wall, 0);
        } else if let Some(next) = self.last.counter.checked_add(1) {
            self.last.counter = next;
        } else if self.last.wall < Timestamp::MAX {
            // 65,536 events within a millisecond: borrow from the next one.
            self.last.wall = self.last.wall.plus(Duration::from_millis(1));
            self.last.counter = 0;
        }
        // Else there is no later stamp. Whoever stores refuses one that does not increase, which
        // is better than one that goes back.
        self.last
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DRIFT: Duration = Duration::from_millis(500);

    proptest! {
        #[test]
        fn p10_stamps_increase_under_any_clock_steps(nows in prop::collection::vec(0_u64..4_000_000_000_000, 1..200)) {
            let mut clock = HlcClock::resume(7, Hlc::ZERO, DRIFT);
            let mut last = Hlc::ZERO;
            for now in nows {
                let stamp = clock.tick(Timestamp::from_millis(now));
                prop_assert!(stamp > last);
                prop_assert!(stamp.to_string() > last.to_string());
                prop_assert_eq!(stamp.to_string().parse::<Hlc>().unwrap(), stamp);
                last = stamp;
            }
        }

        #[test]
        fn p10_what_was_observed_comes_before_what_follows(now in 0_u64..1_000_000, ahead in 0_u64..=500, counter: u16) {
            let mut clock = HlcClock::resume(1, Hlc::ZERO, DRIFT);
            let now = Timestamp::from_millis(now);
            let seen = Hlc { wall: now.plus(Duration::from_millis(ahead)), counter, origin: 9 };
            clock.observe(seen, now).unwrap();
            let next = clock.tick(now);
            prop_assert!((next.wall, next.counter) > (seen.wall, seen.counter));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = text.parse::<Hlc>();
        }
    }

    #[test]
    fn drift_beyond_the_bound_is_refused_and_leaves_the_clock_unmoved() {
        let mut clock = HlcClock::resume(1, Hlc::ZERO, DRIFT);
        let now = Timestamp::from_millis(10_000);
        let far = Hlc {
            wall: Timestamp::from_millis(10_501),
            counter: 0,
            origin: 2,
        };
        assert_eq!(
            clock.observe(far, now).unwrap_err().ahead,
            Duration::from_millis(501)
        );
        assert_eq!(clock.tick(now).wall, now);
    }

    #[test]
    fn a_full_millisecond_borrows_from_the_next() {
        let full = Hlc {
            wall: Timestamp::from_millis(5),
            counter: u16::MAX,
            origin: 1,
        };
        let mut clock = HlcClock::resume(1, full, DRIFT);
        let next = clock.tick(Timestamp::from_millis(5));
        assert_eq!((next.wall.as_millis(), next.counter), (6, 0));
    }

    #[test]
    fn p10_a_clock_that_is_a_day_ahead_is_refused_whatever_came_before() {
        let mut clock = HlcClock::resume(1, Hlc::ZERO, crate::bounds::CLOCK_DRIFT);
        let now = Timestamp::from_millis(1_000_000);
        let before = clock.tick(now);
        let ahead = Hlc {
            wall: now.plus(Duration::from_secs(86_400)),
            counter: 0,
            origin: 2,
        };
        let refused = clock.observe(ahead, now).unwrap_err();
        assert_eq!(
            (refused.stamp, refused.limit),
            (ahead, crate::bounds::CLOCK_DRIFT)
        );
        // Neither is it believed in small steps: the bound is against this machine's clock.
        for step in 1..100 {
            let near = now.plus(Duration::from_millis(10 * step));
            let believed = clock.observe(Hlc { wall: near, ..ahead }, now).is_ok();
            assert_eq!(believed, near <= now.plus(crate::bounds::CLOCK_DRIFT));
        }
        let after = clock.tick(now);
        assert!(after > before && after.wall <= now.plus(crate::bounds::CLOCK_DRIFT));
    }

    #[test]
    fn a_clock_that_is_set_back_goes_on_from_where_it_was_until_time_catches_up() {
        let mut clock = HlcClock::resume(1, Hlc::ZERO, DRIFT);
        let (noon, morning) = (Timestamp::from_millis(50_000), Timestamp::from_millis(10_000));
        let last = clock.tick(noon);
        let back = clock.tick(morning);
        assert_eq!((back.wall, back.counter), (noon, last.counter + 1));
        // What others say is still measured by the clock as it is set now.
        let theirs = Hlc { origin: 2, ..last };
        assert!(clock.observe(theirs, morning).is_err());
        let later = noon.plus(Duration::from_millis(1));
        assert_eq!((clock.tick(later).wall, clock.tick(later).counter), (later, 1));
    }

    #[test]
    fn an_observed_full_millisecond_is_borrowed_from_as_well() {
        let mut clock = HlcClock::resume(1, Hlc::ZERO, DRIFT);
        let now = Timestamp::from_millis(5);
        let full = Hlc {
            wall: now,
            counter: u16::MAX,
            origin: 2,
        };
        clock.observe(full, now).unwrap();
        let next = clock.tick(now);
        assert_eq!((next.wall.as_millis(), next.counter), (6, 0));
        // An older one moves nothing.
        clock.observe(full, now).unwrap();
        assert_eq!(clock.tick(now).counter, 1);
    }

    #[test]
    fn at_the_end_of_time_stamps_stay_and_do_not_go_back() {
        let last = Hlc {
            wall: Timestamp::MAX,
            counter: u16::MAX,
            origin: 1,
        };
        let mut clock = HlcClock::resume(1, last, DRIFT);
        assert_eq!(clock.tick(Timestamp::MAX), last);
    }

    #[test]
    fn a_restart_with_an_older_wall_clock_continues_the_order() {
        let stored = Hlc {
            wall: Timestamp::from_millis(9_000),
            counter: 3,
            origin: 1,
        };
        let mut clock = HlcClock::resume(1, stored, DRIFT);
        assert!(clock.tick(Timestamp::from_millis(1_000)) > stored);
    }
}
