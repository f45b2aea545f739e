//! How much in which time: a token bucket, as one instant.
//!
//! The bucket holds as many tokens as the rate has events, and is full at first: so many may come
//! at once, and after that one in each part of the time. What is kept is not the tokens but the
//! instant at which the bucket would be full again (the generic cell rate algorithm), so nothing
//! has to be refilled while nobody comes.

use std::{cmp::Ordering, time::Duration};

use worknode_core::{membrane::Rate, time::Timestamp};

/// What has come lately. Times are microseconds since the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    full_at: u64,
}

impl Bucket {
    /// Takes one token at `now`.
    ///
    /// # Errors
    /// When there is none: how long until there is one.
    pub fn take(&mut self, rate: Rate, now: Timestamp) -> Result<(), Duration> {
        let now = micros(now);
        let (whole, each) = (period(rate), interval(rate));
        // A clock that was set back must not keep everybody out for as long as it went back.
        let full_at = self.full_at.clamp(now, now.saturating_add(whole));
        let after = full_at.saturating_add(each);
        let room_at = after.saturating_sub(whole);
        if rate.events == 0 || room_at > now {
            return Err(Duration::from_micros(room_at.saturating_sub(now).max(1)));
        }
        self.full_at = after;
        Ok(())
    }
}

/// Which of two lets less through?
pub(super) fn slower(one: Rate, other: Rate) -> Ordering {
    let scaled = |rate: Rate, by: Rate| u128::from(rate.events).saturating_mul(u128::from(period(by)));
    // One is slower when its events per its time are fewer: cross-multiplied, so that nothing is
    // rounded. Of equals the one with the smaller burst.
    scaled(one, other)
        .cmp(&scaled(other, one))
        .then(one.events.cmp(&other.events))
}

fn period(rate: Rate) -> u64 {
    u64::try_from(rate.per.0.as_micros()).unwrap_or(u64::MAX).max(1)
}

fn interval(rate: Rate) -> u64 {
    period(rate).div_ceil(u64::from(rate.events.max(1)))
}

const fn micros(at: Timestamp) -> u64 {
    at.as_millis().saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use worknode_core::time::Span;

    use super::*;

    fn rate(events: u32, seconds: u64) -> Rate {
        Rate {
            events,
            per: Span::secs(seconds),
        }
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn so_many_at_once_and_then_one_at_a_time() {
        let (mut bucket, rate) = (Bucket::default(), rate(4, 2));
        for _ in 0..4 {
            bucket.take(rate, at(10_000)).unwrap();
        }
        assert_eq!(bucket.take(rate, at(10_000)), Err(Duration::from_millis(500)));
        assert_eq!(bucket.take(rate, at(10_499)), Err(Duration::from_millis(1)));
        bucket.take(rate, at(10_500)).unwrap();
        assert!(bucket.take(rate, at(10_500)).is_err());
    }

    #[test]
    fn a_clock_that_is_set_back_costs_one_period_at_the_most() {
        let (mut bucket, rate) = (Bucket::default(), rate(1, 60));
        bucket.take(rate, at(100_000_000)).unwrap();
        let wait = bucket.take(rate, at(1_000)).unwrap_err();
        assert_eq!(wait, Duration::from_secs(60));
    }

    #[test]
    fn the_slower_is_found_without_rounding() {
        assert_eq!(slower(rate(1, 3), rate(10, 29)), Ordering::Less);
        assert_eq!(slower(rate(2, 2), rate(1, 1)), Ordering::Greater);
        assert_eq!(slower(rate(0, 1), rate(1, 1_000_000)), Ordering::Less);
    }

    proptest! {
        #[test]
        fn p8_never_more_than_the_burst_and_what_has_come_since(
            events in 1_u32..20, seconds in 1_u64..20, steps in prop::collection::vec(0_u64..3_000, 1..200),
        ) {
            let (mut bucket, rate) = (Bucket::default(), rate(events, seconds));
            let (mut now, mut let_in) = (1_000_000, 0_u64);
            let begun = now;
            for step in steps {
                now += step;
                match bucket.take(rate, at(now)) {
                    Ok(()) => let_in += 1,
                    Err(wait) => {
                        let mut later = bucket;
                        let then = now + u64::try_from(wait.as_micros().div_ceil(1_000)).unwrap();
                        prop_assert_eq!(later.take(rate, at(then)), Ok(()));
                    }
                }
                let refilled = (now - begun) * u64::from(events) / (seconds * 1_000);
                prop_assert!(let_in <= u64::from(events) + refilled);
            }
        }
    }
}
