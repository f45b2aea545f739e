//! Stamps as SQLite row ids.
//!
//! An event's row id *is* its place in the order: 48 bits of milliseconds, 16 bits of counter.
//! So the table is ordered by time, a look-up by stamp needs no index, and inserts always go to
//! the table's end. The third part of a stamp, its origin, is the same for all events of one
//! journal and stands in its `meta` table. `datetime((at >> 16) / 1000, 'unixepoch')` reads it.

use worknode_core::{hlc::Hlc, time::Timestamp};

const COUNTER_BITS: u32 = 16;

/// The last instant whose stamps all have a row id, in the year 6429. A machine whose clock is
/// beyond it has no idea of the time.
pub(crate) const LAST: Timestamp = Timestamp::from_millis((1 << (63 - COUNTER_BITS)) - 2);

/// The row id of `stamp`. Past the year 6429 the number does not fit; it is then the largest
/// there is, which is right for a bound of a search. The writer refuses such a stamp.
pub(crate) fn key(stamp: Hlc) -> i64 {
    let number = (u128::from(stamp.wall.as_millis()) << COUNTER_BITS) | u128::from(stamp.counter);
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The stamp of the row `key`.
pub(crate) fn stamp(key: i64, origin: u32) -> Hlc {
    let number = u64::try_from(key).unwrap_or(0);
    Hlc {
        wall: Timestamp::from_millis(number >> COUNTER_BITS),
        counter: u16::try_from(number & u64::from(u16::MAX)).unwrap_or(0),
        origin,
    }
}

/// The row id after which all rows later than `stamp` begin, in a journal of `origin`.
pub(crate) fn after(stamp: Hlc, origin: u32) -> i64 {
    // A foreign stamp at the same instant may sort before the row of that number.
    let inclusive = i64::from(stamp.origin < origin);
    key(stamp).saturating_sub(inclusive)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_sort_as_stamps_and_come_back(a in 0_u64..1 << 47, b in 0_u64..1 << 47, c: u16, d: u16) {
            let one = Hlc { wall: Timestamp::from_millis(a), counter: c, origin: 7 };
            let two = Hlc { wall: Timestamp::from_millis(b), counter: d, origin: 7 };
            prop_assert_eq!(key(one).cmp(&key(two)), one.cmp(&two));
            prop_assert_eq!(stamp(key(one), 7), one);
        }
    }

    #[test]
    fn no_stamp_is_too_late_for_a_bound() {
        let last = Hlc {
            wall: Timestamp::MAX,
            counter: u16::MAX,
            origin: 0,
        };
        assert_eq!(key(last), i64::MAX);
        assert_eq!(stamp(i64::MIN, 3).wall.as_millis(), 0);
    }
}
