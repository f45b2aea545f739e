//! Does this event fire that trigger?
//!
//! Pure state per trigger, folded from the events in their order. The same events give the same
//! state and the same firings, so a restart replays them and nothing fires twice.

use worknode_core::{hlc::Hlc, time::Timestamp};

use crate::{
    firing::Occurrence,
    trigger::{EventRule, Trigger, When},
};

/// What a trigger remembers of the events it has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventState {
    /// Matching events in a row since the trigger last fired.
    count: u32,
    /// When the event was recorded that it fired on last.
    last_fired: Option<Timestamp>,
    /// The last event that made a difference; older ones are repetitions.
    last_seen: Option<Hlc>,
}

/// What one event means for a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventDecision {
    /// It fires.
    Fire(Occurrence),
    /// It counts, but there are not enough in a row.
    Counted {
        /// How many there are.
        have: u32,
        /// How many it takes.
        need: u32,
    },
    /// There are enough, but the trigger fired a short time ago. The first that matches
    /// afterwards fires.
    Cooling {
        /// When the trigger may fire again.
        until: Timestamp,
    },
    /// It is the opposite outcome: the count starts anew.
    Reset,
    /// It has nothing to do with the trigger, or was seen before.
    Ignored,
}

impl EventState {
    /// The state right after the trigger fired on the event with this stamp: what a restart
    /// goes on from.
    #[must_use]
    pub const fn fired_on(stamp: Hlc) -> Self {
        Self {
            count: 0,
            last_fired: Some(stamp.wall),
            last_seen: Some(stamp),
        }
    }

    /// The state of a trigger that is new at this stamp: it has not fired yet, and what came
    /// before is none of its business.
    #[must_use]
    pub const fn new_at(stamp: Hlc) -> Self {
        Self {
            count: 0,
            last_fired: None,
            last_seen: Some(stamp),
        }
    }

    /// What the next event means. `kind` is its type, `stamp` its identity and place in order.
    #[must_use]
    pub fn on_event(self, trigger: &Trigger, kind: &str, stamp: Hlc) -> (Self, EventDecision) {
        let When::Event(rule) = trigger.when() else {
            return (self, EventDecision::Ignored);
        };
        let seen = self.last_seen.is_some_and(|last| stamp <= last);
        if !trigger.enabled || seen {
            return (self, EventDecision::Ignored);
        }
        if *kind == *rule.event {
            self.on_match(trigger.name(), rule, stamp)
        } else if self.count > 0 && is_opposite(&rule.event, kind) {
            let state = Self {
                count: 0,
                last_seen: Some(stamp),
                ..self
            };
            (state, EventDecision::Reset)
        } else {
            (self, EventDecision::Ignored)
        }
    }

    fn on_match(self, trigger: &str, rule: &EventRule, stamp: Hlc) -> (Self, EventDecision) {
        let counted = Self {
            // More than needed says nothing more.
            count: self.count.saturating_add(1).min(rule.consecutive),
            last_seen: Some(stamp),
            ..self
        };
        if counted.count < rule.consecutive {
            let (have, need) = (counted.count, rule.consecutive);
            return (counted, EventDecision::Counted { have, need });
        }
        let until = self.last_fired.map(|fired| fired.plus(rule.cooldown.0));
        if let Some(until) = until.filter(|until| stamp.wall < *until) {
            return (counted, EventDecision::Cooling { until });
        }
        let fired = Self {
            count: 0,
            last_fired: Some(stamp.wall),
            ..counted
        };
        (fired, EventDecision::Fire(Occurrence::of_event(trigger, stamp)))
    }
}

/// Last words of event types that tell of a good end.
const GOOD: [&str; 5] = ["succeeded", "completed", "passed", "approved", "recovered"];
/// Last words of event types that tell of a bad end.
const BAD: [&str; 4] = ["failed", "rejected", "crashed", "broken"];

/// True when both types are of one family, which is all but the last word, and one tells of a
/// good end and the other of a bad one: `compilation_failed` and `compilation_succeeded`.
fn is_opposite(one: &str, other: &str) -> bool {
    let split = |kind| str::rsplit_once(kind, ['_', '.', '-']);
    let (Some((family, end)), Some((other_family, other_end))) = (split(one), split(other)) else {
        return false;
    };
    family == other_family
        && ((GOOD.contains(&end) && BAD.contains(&other_end))
            || (BAD.contains(&end) && GOOD.contains(&other_end)))
}

#[cfg(test)]
mod tests;
