//! Does this event fire that trigger?
//!
//! Pure state per trigger, folded from the events in their order. The same events give the same
//! state and the same firings, so a restart that goes on from a stored state, and sees events
//! again that it has seen before, fires nothing twice.
//!
//! Two rules need time beside events: `debounce` acts when a burst is over, `absent_for` when
//! nothing comes. Their holder asks [`EventState::next_due`] when to look, and looks with
//! [`EventState::on_time`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use worknode_core::{bounds, hlc::Hlc, time::Timestamp};
use worknode_query::Facts;

use crate::{
    firing::{Firing, Occurrence},
    spec::CountBy,
    trigger::{EventRule, Trigger, When},
};

mod index;
mod opposite;
mod tally;
mod under;

pub use self::{index::EventIndex, under::Under};
use self::{opposite::is_opposite, tally::Tally};

/// An event as triggers see it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Its type.
    pub kind: &'a str,
    /// Its identity and place in order.
    pub stamp: Hlc,
    /// Whose event it is: any text that is the same for the same Worknode.
    pub source: &'a str,
    /// The names of that Worknode and all above it, from the team down, joined by `/`.
    pub path: &'a str,
    /// What conditions are asked of. Needed when [`Trigger::needs_facts`] says so.
    pub facts: Option<&'a Facts>,
}

/// What a trigger remembers of the events it has seen. Can be stored, and gone on from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventState {
    /// The last event that made a difference; older ones are repetitions.
    last_seen: Option<Hlc>,
    /// Since when the trigger watches.
    begun: Option<Timestamp>,
    /// For each source that counts for itself; under no name for all of them.
    tallies: BTreeMap<String, Tally>,
    /// Nothing is due by time before this instant.
    quiet_until: Option<Timestamp>,
    /// When sources that are at rest were last forgotten.
    swept: Option<Timestamp>,
}

/// What one event means for a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventDecision {
    /// It fires.
    Fire(Occurrence),
    /// It counts, but there are not enough.
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
    /// It will fire when no other comes until then.
    Settling {
        /// When.
        until: Timestamp,
    },
    /// It is what the trigger waits for: silence begins anew.
    Heard,
    /// It is the opposite outcome: the count starts anew.
    Reset,
    /// The condition could not be answered, so that it does not count.
    Unjudged {
        /// Why not.
        reason: String,
    },
    /// It is from one source more than are watched at the same time, and does not count.
    TooManySources,
    /// It has nothing to do with the trigger, or was seen before.
    Ignored,
}

/// What an event is to a rule.
enum Part {
    Match,
    Reset,
    Nothing,
    Unjudged(String),
}

impl EventState {
    /// The state right after the trigger fired on the event with this stamp: what a restart
    /// without a stored state goes on from, when sources count together.
    #[must_use]
    pub fn fired_on(stamp: Hlc) -> Self {
        Self {
            tallies: BTreeMap::from([(String::new(), Tally::fired_at(stamp.wall))]),
            ..Self::new_at(stamp)
        }
    }

    /// The state of a trigger that is new at this stamp: it has not fired yet, and what came
    /// before is none of its business.
    #[must_use]
    pub fn new_at(stamp: Hlc) -> Self {
        Self {
            last_seen: Some(stamp),
            begun: Some(stamp.wall),
            ..Self::default()
        }
    }

    /// What the next event means.
    pub fn on_event(&mut self, trigger: &Trigger, seen: &Seen<'_>) -> EventDecision {
        let When::Event(rule) = trigger.when() else {
            return EventDecision::Ignored;
        };
        let terms = trigger.terms();
        let in_time = (terms.start..=terms.end).contains(&seen.stamp.wall);
        let repeated = self.last_seen.is_some_and(|last| seen.stamp <= last);
        if !trigger.enabled || !in_time || repeated {
            return EventDecision::Ignored;
        }
        match rule.part(seen) {
            Part::Match => self.on_match(trigger.name(), rule, seen),
            Part::Reset => self.on_reset(rule, seen),
            Part::Nothing => EventDecision::Ignored,
            Part::Unjudged(reason) => EventDecision::Unjudged { reason },
        }
    }

    /// When to look again, for what is due by time. At or before the instant at which it is.
    #[must_use]
    pub fn next_due(&self, trigger: &Trigger) -> Option<Timestamp> {
        let When::Event(rule) = trigger.when() else {
            return None;
        };
        let silence = self
            .begun
            .filter(|_| self.tallies.is_empty() && rule.waits_for_silence_of_all());
        let silent = silence.map(|begun| begun.plus(rule.absent_for.0));
        silent.or(self.quiet_until).filter(|_| trigger.enabled)
    }

    /// What is due by time: bursts that are over, and sources from which nothing came. The
    /// oldest first, at most [`bounds::TRIGGER_BATCH`]; then [`Self::next_due`] is in the past,
    /// and the next look finds more.
    pub fn on_time(&mut self, trigger: &Trigger, now: Timestamp) -> Vec<Firing> {
        let When::Event(rule) = trigger.when() else {
            return Vec::new();
        };
        if self.next_due(trigger).is_none_or(|due| now < due) {
            return Vec::new();
        }
        if rule.waits_for_silence_of_all()
            && let (true, Some(begun)) = (self.tallies.is_empty(), self.begun)
        {
            self.tallies.insert(String::new(), Tally::heard_at(begun));
        }
        let mut due: Vec<(Timestamp, String)> = self
            .tallies
            .iter()
            .filter_map(|(source, tally)| Some((tally.due(rule)?, source.clone())))
            .filter(|(due, _)| *due <= now)
            .collect();
        due.sort();
        due.truncate(bounds::TRIGGER_BATCH);
        let fired = due.into_iter().filter_map(|(due, source)| {
            let tally = self.tallies.get_mut(&source)?;
            tally.fire_by_time(trigger.name(), &source, due)
        });
        let fired: Vec<Firing> = fired.collect();
        let ends = trigger.terms().end;
        self.quiet_until = self.tallies.values().filter_map(|tally| tally.due(rule)).min();
        fired.into_iter().filter(|firing| firing.due_at <= ends).collect()
    }

    /// A source came into being that may stay silent, such as an agent that starts. Needed only
    /// with `absent_for` and `count_by = "source"`; all others need no notice.
    pub fn source_appeared(&mut self, trigger: &Trigger, source: &str, at: Timestamp) {
        if let When::Event(rule) = trigger.when()
            && !rule.absent_for.0.is_zero()
            && rule.count_by == CountBy::Source
            && (self.tallies.contains_key(source) || self.has_room(rule, at))
        {
            let tally = self
                .tallies
                .entry(source.to_owned())
                .or_insert_with(|| Tally::heard_at(at));
            let due = tally.due(rule);
            self.note_due(due);
        }
    }

    /// A source is gone: its silence means nothing any more.
    pub fn source_gone(&mut self, source: &str) {
        if !source.is_empty() {
            self.tallies.remove(source);
        }
    }

    fn on_match(&mut self, trigger: &str, rule: &EventRule, seen: &Seen<'_>) -> EventDecision {
        let key = rule.key(seen);
        if !self.tallies.contains_key(key) && !self.has_room(rule, seen.stamp.wall) {
            return EventDecision::TooManySources;
        }
        self.last_seen = Some(seen.stamp);
        let tally = self.tallies.entry(key.to_owned()).or_default();
        let decision = tally.on_match(trigger, rule, seen.stamp);
        let due = tally.due(rule);
        self.note_due(due);
        decision
    }

    fn on_reset(&mut self, rule: &EventRule, seen: &Seen<'_>) -> EventDecision {
        let Some(tally) = self.tallies.get_mut(rule.key(seen)) else {
            return EventDecision::Ignored;
        };
        if !tally.reset(rule, seen.stamp.wall) {
            return EventDecision::Ignored;
        }
        self.last_seen = Some(seen.stamp);
        EventDecision::Reset
    }

    /// May one source more be remembered? Those at rest are forgotten for it, at most once a
    /// second, so that a flood of sources costs no more than one of events.
    fn has_room(&mut self, rule: &EventRule, now: Timestamp) -> bool {
        if self.tallies.len() < bounds::TRIGGER_SOURCES {
            return true;
        }
        let recently = self.swept.is_some_and(|swept| now.since(swept).as_secs() < 1);
        if !recently {
            self.swept = Some(now);
            self.tallies.retain(|_, tally| !tally.is_at_rest(rule, now));
        }
        self.tallies.len() < bounds::TRIGGER_SOURCES
    }

    fn note_due(&mut self, due: Option<Timestamp>) {
        self.quiet_until = match (self.quiet_until, due) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

impl EventRule {
    /// What this event is to the rule.
    fn part(&self, seen: &Seen<'_>) -> Part {
        if self.under.as_ref().is_some_and(|under| !under.holds(seen.path)) {
            return Part::Nothing;
        }
        let resets = self
            .reset_by
            .as_ref()
            .is_some_and(|types| types.matches(seen.kind));
        if resets {
            return Part::Reset;
        }
        if !self.event.matches(seen.kind) {
            let opposite = |event| self.in_a_row && is_opposite(event, seen.kind);
            let opposite = self.event.literal().is_some_and(opposite);
            return if opposite { Part::Reset } else { Part::Nothing };
        }
        self.judged(seen.facts)
    }

    /// What an event of the right type is, by its facts.
    fn judged(&self, facts: Option<&Facts>) -> Part {
        let Some(condition) = &self.condition else {
            return Part::Match;
        };
        let Some(facts) = facts else {
            return Part::Unjudged("nothing is known of the event to answer `where`".to_owned());
        };
        match condition.holds(facts) {
            Ok(true) => Part::Match,
            // The same thing happened, and it was good this time.
            Ok(false) if self.in_a_row => Part::Reset,
            Ok(false) => Part::Nothing,
            Err(error) => Part::Unjudged(error.to_string()),
        }
    }

    /// Under which name it counts.
    fn key<'a>(&self, seen: &Seen<'a>) -> &'a str {
        match self.count_by {
            CountBy::All => "",
            CountBy::Source => seen.source,
        }
    }

    fn waits_for_silence_of_all(&self) -> bool {
        !self.absent_for.0.is_zero() && self.count_by == CountBy::All
    }
}

#[cfg(test)]
mod tests;
