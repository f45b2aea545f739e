//! Restart intensity, backoff and strategies.
//!
//! The meaning is OTP's (Erlang `supervisor`): a child is *permanent* (always restarted),
//! *transient* (restarted after an abnormal end) or *temporary* (never); more than `intensity`
//! restarts within `period` means that restarting does not help, and the problem moves up. The
//! backoff between restarts is ours: OTP restarts at once, which a process that costs money
//! to start should not.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    bounds,
    time::{Span, Timestamp, millis},
};

/// When a child that ended is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestartKind {
    /// Always.
    Permanent,
    /// After an abnormal end.
    #[default]
    Transient,
    /// Never.
    Temporary,
}

/// Who else is restarted when one child ends abnormally.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Nobody.
    #[default]
    OneForOne,
    /// Those that were started after it.
    RestForOne,
    /// Everybody.
    OneForAll,
}

impl Strategy {
    /// The children to stop and start again when `failed` ended, in the order of their start.
    /// Stop them in reverse. The failed one is among them; an unknown one affects nobody.
    #[must_use]
    pub fn affected<K: PartialEq + Clone>(self, started: &[K], failed: &K) -> Vec<K> {
        let Some(at) = started.iter().position(|child| child == failed) else {
            return Vec::new();
        };
        match self {
            Self::OneForOne => vec![failed.clone()],
            Self::RestForOne => started[at..].to_vec(),
            Self::OneForAll => started.to_vec(),
        }
    }
}

/// How often and how fast a child may be restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RestartPolicy {
    /// When a child that ended is started again.
    pub kind: RestartKind,
    /// Restarts allowed within `period`; one more and the child is quarantined.
    pub max_restarts: u32,
    /// The period of `max_restarts`.
    pub period: Span,
    /// Wait before the first restart; doubles with each one within the period.
    pub backoff: Span,
    /// The longest wait before a restart.
    pub max_backoff: Span,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            kind: RestartKind::default(),
            max_restarts: bounds::RESTARTS,
            period: Span(bounds::RESTART_PERIOD),
            backoff: Span(Duration::from_millis(500)),
            max_backoff: Span::secs(30),
        }
    }
}

/// What to do with a child that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Start it again after this wait.
    After(Duration),
    /// Leave it: its kind says so.
    Leave,
    /// Too many restarts: quarantine it and tell its parent.
    GiveUp,
}

/// The restarts of one child that still count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct RestartTracker {
    recent: Vec<Timestamp>,
}

impl RestartTracker {
    /// Decides about a child that ended at `now`. `random` spreads the wait over its upper
    /// half, so that children that fell together do not come back together.
    #[must_use]
    pub fn decide(&self, policy: &RestartPolicy, abnormal: bool, now: Timestamp, random: u64) -> Restart {
        let wanted = match policy.kind {
            RestartKind::Permanent => true,
            RestartKind::Transient => abnormal,
            RestartKind::Temporary => false,
        };
        if !wanted {
            return Restart::Leave;
        }
        let recent = self.within(policy.period.0, now).count();
        if recent >= usize::try_from(policy.max_restarts).unwrap_or(usize::MAX) {
            return Restart::GiveUp;
        }
        Restart::After(backoff(policy, recent, random))
    }

    /// The tracker after a restart at `now`. Forgets what no longer counts, so it never holds
    /// more than `max_restarts` entries.
    #[must_use]
    pub fn restarted(&self, policy: &RestartPolicy, now: Timestamp) -> Self {
        let recent = self.within(policy.period.0, now).chain([now]).collect();
        Self { recent }
    }

    /// How many restarts count at `now`.
    #[must_use]
    pub fn count(&self, policy: &RestartPolicy, now: Timestamp) -> usize {
        self.within(policy.period.0, now).count()
    }

    fn within(&self, period: Duration, now: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        // A clock that stepped back leaves entries in the future; they still count.
        self.recent
            .iter()
            .copied()
            .filter(move |&at| now.since(at) < period)
    }
}

fn backoff(policy: &RestartPolicy, restarts: usize, random: u64) -> Duration {
    let doublings = u32::try_from(restarts.min(30)).unwrap_or(30);
    let full = millis(policy.backoff.0)
        .saturating_mul(1 << doublings)
        .min(millis(policy.max_backoff.0));
    let half = full / 2;
    Duration::from_millis(half + random % (full - half + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert, proptest};

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn kinds_mean_what_otp_means() {
        let ask = |kind, abnormal| {
            let policy = RestartPolicy {
                kind,
                ..RestartPolicy::default()
            };
            RestartTracker::default().decide(&policy, abnormal, at(1), 0) != Restart::Leave
        };
        assert_eq!(
            [
                ask(RestartKind::Permanent, true),
                ask(RestartKind::Permanent, false)
            ],
            [true, true]
        );
        assert_eq!(
            [
                ask(RestartKind::Transient, true),
                ask(RestartKind::Transient, false)
            ],
            [true, false]
        );
        assert_eq!(
            [
                ask(RestartKind::Temporary, true),
                ask(RestartKind::Temporary, false)
            ],
            [false, false]
        );
    }

    #[test]
    fn p8_past_the_intensity_the_problem_moves_up_and_time_forgives() {
        let policy = RestartPolicy::default();
        let mut tracker = RestartTracker::default();
        for second in 0..3 {
            assert!(matches!(
                tracker.decide(&policy, true, at(second), 0),
                Restart::After(_)
            ));
            tracker = tracker.restarted(&policy, at(second));
        }
        assert_eq!(tracker.decide(&policy, true, at(3), 0), Restart::GiveUp);
        assert!(matches!(
            tracker.decide(&policy, true, at(60), 0),
            Restart::After(_)
        ));
    }

    #[test]
    fn strategies_affect_whom_otp_says() {
        let started = ["a", "b", "c"];
        assert_eq!(Strategy::OneForOne.affected(&started, &"b"), ["b"]);
        assert_eq!(Strategy::RestForOne.affected(&started, &"b"), ["b", "c"]);
        assert_eq!(Strategy::OneForAll.affected(&started, &"b"), ["a", "b", "c"]);
        assert!(Strategy::OneForAll.affected(&started, &"x").is_empty());
    }

    proptest! {
        #[test]
        fn p8_backoff_stays_within_its_bounds_and_the_tracker_stays_small(
            ends in prop::collection::vec((0_u64..100_000, any::<u64>()), 0..200),
        ) {
            let policy = RestartPolicy { max_restarts: 5, ..RestartPolicy::default() };
            let mut tracker = RestartTracker::default();
            for (now, random) in ends {
                let now = Timestamp::from_millis(now);
                if let Restart::After(wait) = tracker.decide(&policy, true, now, random) {
                    prop_assert!(wait <= policy.max_backoff.0);
                    prop_assert!(wait >= policy.backoff.0 / 2);
                    tracker = tracker.restarted(&policy, now);
                }
                prop_assert!(tracker.recent.len() <= 5);
            }
        }
    }
}
