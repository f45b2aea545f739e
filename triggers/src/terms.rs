//! What most triggers leave at its default: bounds, retries, what hinders.

use std::time::Duration;

use worknode_core::time::Timestamp;

use crate::{
    condition::Condition,
    spec::{Hindered, RetrySpec},
};

/// First wait before an action is tried again, when none is given.
pub const BACKOFF: Duration = Duration::from_secs(10);
/// Longest wait before an action is tried again.
pub const MAX_BACKOFF: Duration = Duration::from_secs(3600);
/// Failures in a row after which an alarm is raised, when nothing is given.
pub const ALARM_AFTER: u32 = 3;

/// The further terms of a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The most that an occurrence is put off; each by its own amount.
    pub jitter: Duration,
    /// Nothing is due before.
    pub start: Timestamp,
    /// Nothing is due after.
    pub end: Timestamp,
    /// How many missed occurrences are made up for, when not the usual number.
    pub catch_up: Option<usize>,
    /// How many firings may run beside each other, with `overlap = "allow"`.
    pub max_concurrent: Option<u32>,
    /// How often it acts in all.
    pub max_firings: Option<u64>,
    /// How an action that failed is tried again.
    pub retry: Option<Retry>,
    /// What to do while the provider gives nothing more.
    pub on_quota: Hindered,
    /// What to do while a panic holds everything.
    pub on_panic: Hindered,
    /// Failures in a row after which an alarm is raised; at least 1.
    pub alarm_after: u32,
    /// With a timetable: holds for the agents that the trigger is about.
    pub agents: Option<Condition>,
}

/// What every trigger has that says nothing else.
pub(crate) static USUAL: Terms = Terms {
    jitter: Duration::ZERO,
    start: Timestamp::from_millis(0),
    end: Timestamp::MAX,
    catch_up: None,
    max_concurrent: None,
    max_firings: None,
    retry: None,
    on_quota: Hindered::Wait,
    on_panic: Hindered::Skip,
    alarm_after: ALARM_AFTER,
    agents: None,
};

/// How an action that failed is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often in all.
    pub attempts: u32,
    /// Wait before the second attempt.
    pub backoff: Duration,
}

impl Retry {
    pub(crate) fn new(spec: RetrySpec) -> Self {
        Self {
            attempts: spec.attempts,
            backoff: spec.backoff.map_or(BACKOFF, |span| span.0),
        }
    }

    /// How long to wait after so many failed attempts; `None` when that was the last one.
    #[must_use]
    pub fn wait_after(&self, failed: u32) -> Option<Duration> {
        if failed == 0 || failed >= self.attempts {
            return None;
        }
        let doubled = 2_u32.saturating_pow(failed - 1);
        Some(self.backoff.saturating_mul(doubled).min(MAX_BACKOFF))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_each_wait_is_twice_the_last_and_attempts_end() {
        let retry = Retry {
            attempts: 5,
            backoff: Duration::from_secs(600),
        };
        let waits: Vec<_> = (0..7)
            .map(|failed| retry.wait_after(failed).map(|wait| wait.as_secs()))
            .collect();
        assert_eq!(
            waits,
            [None, Some(600), Some(1_200), Some(2_400), Some(3_600), None, None]
        );
        let endless = Retry {
            attempts: u32::MAX,
            backoff: Duration::MAX,
        };
        assert_eq!(endless.wait_after(u32::MAX - 1), Some(MAX_BACKOFF));
    }
}
