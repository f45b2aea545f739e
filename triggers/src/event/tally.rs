//! What is counted for one source.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use worknode_core::{hlc::Hlc, time::Timestamp};

use super::EventDecision;
use crate::{
    firing::{Firing, Occurrence},
    trigger::EventRule,
};

/// The count of one source, or of all together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// Matching events since it last fired; no more than it takes.
    count: u32,
    /// When they were, if they have to be within a time; no more than it takes.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    recent: VecDeque<Timestamp>,
    /// When it fired last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fired: Option<Timestamp>,
    /// The last event of a burst that fires when it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settling: Option<Hlc>,
    /// Since when nothing came, as long as that has not fired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    silent_since: Option<Timestamp>,
}

impl Tally {
    /// It fired then, and counts from zero.
    pub(super) fn fired_at(at: Timestamp) -> Self {
        Self {
            fired: Some(at),
            ..Self::default()
        }
    }

    /// Silence begins then.
    pub(super) fn heard_at(at: Timestamp) -> Self {
        Self {
            silent_since: Some(at),
            ..Self::default()
        }
    }

    /// One event more that matches.
    pub(super) fn on_match(&mut self, trigger: &str, rule: &EventRule, stamp: Hlc) -> EventDecision {
        if !rule.absent_for.0.is_zero() {
            self.silent_since = Some(stamp.wall);
            return EventDecision::Heard;
        }
        let have = self.count_one(rule, stamp.wall);
        if have < rule.need {
            return EventDecision::Counted {
                have,
                need: rule.need,
            };
        }
        if !rule.debounce.0.is_zero() {
            self.settling = Some(stamp);
            let until = stamp.wall.plus(rule.debounce.0);
            return EventDecision::Settling { until };
        }
        if let Some(until) = self.cool_at(rule).filter(|until| stamp.wall < *until) {
            return EventDecision::Cooling { until };
        }
        self.fires(stamp.wall);
        EventDecision::Fire(Occurrence::of_event(trigger, stamp))
    }

    /// Starts the count anew. False when that changes nothing.
    pub(super) fn reset(&mut self, rule: &EventRule, at: Timestamp) -> bool {
        if !rule.absent_for.0.is_zero() {
            self.silent_since = Some(at);
            return true;
        }
        if !rule.in_a_row || (self.count == 0 && self.settling.is_none()) {
            return false;
        }
        self.count = 0;
        self.recent.clear();
        self.settling = None;
        true
    }

    /// When it fires by time, if nothing else happens.
    pub(super) fn due(&self, rule: &EventRule) -> Option<Timestamp> {
        let settled = self.settling.map(|last| last.wall.plus(rule.debounce.0));
        let absent = self.silent_since.filter(|_| !rule.absent_for.0.is_zero());
        let due = settled.or_else(|| absent.map(|since| since.plus(rule.absent_for.0)))?;
        Some(self.cool_at(rule).map_or(due, |cool| cool.max(due)))
    }

    /// Fires by time.
    pub(super) fn fire_by_time(&mut self, trigger: &str, source: &str, due: Timestamp) -> Option<Firing> {
        let occurrence = match (self.settling, self.silent_since) {
            (Some(last), _) => Occurrence::of_event(trigger, last),
            (None, Some(since)) => Occurrence::absence(trigger, source, since),
            (None, None) => return None,
        };
        self.fires(due);
        Some(Firing {
            occurrence,
            scheduled_at: due,
            due_at: due,
        })
    }

    /// Is there nothing in it that would be missed?
    pub(super) fn is_at_rest(&self, rule: &EventRule, now: Timestamp) -> bool {
        let cool = self.cool_at(rule).is_none_or(|until| until <= now);
        self.count == 0 && self.settling.is_none() && self.silent_since.is_none() && cool
    }

    fn fires(&mut self, at: Timestamp) {
        *self = Self::fired_at(at);
    }

    /// When its cooldown is over.
    fn cool_at(&self, rule: &EventRule) -> Option<Timestamp> {
        self.fired.map(|fired| fired.plus(rule.cooldown.0))
    }

    /// Counts one more; answers how many there are.
    fn count_one(&mut self, rule: &EventRule, at: Timestamp) -> u32 {
        // More than needed says nothing more.
        self.count = self.count.saturating_add(1).min(rule.need);
        if !rule.within.0.is_zero() {
            self.recent.push_back(at);
            let old = |first: &Timestamp| at.since(*first) > rule.within.0;
            while self.recent.front().is_some_and(old) || self.recent.len() > rule.need as usize {
                self.recent.pop_front();
            }
            self.count = u32::try_from(self.recent.len()).unwrap_or(rule.need);
        }
        self.count
    }
}
