//! How long a task rests after an attempt that went wrong.

use std::time::Duration;

use crate::{bounds, time::millis};

/// The wait before the attempt after `attempts`: doubles with each one, within bounds, and is
/// spread over its upper half by `seed`, so that tasks that fell together do not come back
/// together.
#[must_use]
pub fn retry_after(attempts: u32, seed: u64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(30);
    let full = millis(bounds::RETRY_BACKOFF)
        .saturating_mul(1 << doublings)
        .min(millis(bounds::RETRY_BACKOFF_MOST));
    let half = full / 2;
    Duration::from_millis(half + mixed(seed) % (full - half + 1))
}

/// The seed of one attempt of one task: the same whenever it is asked for, other for each.
pub(super) fn seed(key: &str, epoch: u64) -> u64 {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    key.bytes().fold(epoch ^ 0xcbf2_9ce4_8422_2325, fold)
}

/// Spreads a number over all its bits (the finish of splitmix64).
const fn mixed(seed: u64) -> u64 {
    let a = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    b ^ (b >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, proptest};

    use super::*;

    proptest! {
        #[test]
        fn p8_the_wait_grows_and_stays_within_its_bounds(attempts: u32, seed in any::<u64>()) {
            let wait = retry_after(attempts, seed);
            prop_assert!(wait >= bounds::RETRY_BACKOFF / 2);
            prop_assert!(wait <= bounds::RETRY_BACKOFF_MOST);
            // Two attempts later even the shortest wait is longer than the longest now.
            let later = retry_after(attempts.saturating_add(2), seed);
            prop_assert!(later >= wait || later >= bounds::RETRY_BACKOFF_MOST / 2);
        }
    }

    #[test]
    fn tasks_that_fell_together_do_not_come_back_together() {
        let waits: std::collections::BTreeSet<_> = (0..100)
            .map(|n| retry_after(4, seed(&format!("task-{n}"), 4)))
            .collect();
        assert!(waits.len() > 80, "{} different waits", waits.len());
    }
}
