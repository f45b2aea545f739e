//! Which triggers an event may concern, without asking all of them.
//!
//! A trigger is filed under each text that an event's type must equal, begin with or end with to
//! make a difference to it, and there under the part of the tree that it watches. What is found
//! is a superset: [`EventState::on_event`](super::EventState::on_event) decides.

use std::collections::{BTreeSet, HashMap};

use super::opposite::opposites;
use crate::{
    event::Under,
    glob::Glob,
    trigger::{EventRule, Trigger, When},
};

/// Triggers that watch events, filed by what they watch for.
#[derive(Clone, Debug, Default)]
pub struct EventIndex {
    equal: HashMap<Box<str>, Shelf>,
    begin: Ends,
    end: Ends,
    /// Those whose pattern says nothing about either end.
    rest: Shelf,
}

/// Shelves under beginnings or ends of types, with the lengths that occur.
#[derive(Clone, Debug, Default)]
struct Ends {
    shelves: HashMap<Box<str>, Shelf>,
    lengths: BTreeSet<usize>,
}

/// Triggers, by the part of the tree that they watch.
#[derive(Clone, Debug, Default)]
struct Shelf {
    everywhere: Vec<u32>,
    under: HashMap<Box<str>, Vec<u32>>,
}

impl EventIndex {
    /// Files all that watch events and are switched on. An event's candidates are told by their
    /// place in `triggers`.
    pub fn build<'a>(triggers: impl IntoIterator<Item = &'a Trigger>) -> Self {
        let mut index = Self::default();
        for (place, trigger) in triggers.into_iter().enumerate() {
            // More triggers than a `u32` can count fit into no memory.
            if let (When::Event(rule), true, Ok(place)) =
                (trigger.when(), trigger.enabled(), u32::try_from(place))
            {
                index.file(rule, place);
            }
        }
        index
    }

    fn file(&mut self, rule: &EventRule, place: u32) {
        let under = rule.under.as_ref().and_then(Under::literal);
        let under = under.as_deref();
        for types in [Some(&rule.event), rule.reset_by.as_ref()].into_iter().flatten() {
            self.shelf(types).put(under, place);
        }
        // An opposite matters only to a count that it can end.
        let literal = rule.event.literal().filter(|_| rule.in_a_row);
        for kind in literal.into_iter().flat_map(opposites) {
            self.equal.entry(kind.into()).or_default().put(under, place);
        }
    }

    fn shelf(&mut self, types: &Glob) -> &mut Shelf {
        let (prefix, suffix) = (types.prefix(), types.suffix());
        if let Some(kind) = types.literal() {
            self.equal.entry(kind.into()).or_default()
        } else if !prefix.is_empty() {
            self.begin.shelf(prefix)
        } else if !suffix.is_empty() {
            self.end.shelf(suffix)
        } else {
            &mut self.rest
        }
    }

    /// Puts the places of all triggers that an event of this type, of the Worknode with this
    /// path, may concern into `found`, in ascending order and each once.
    pub fn candidates(&self, kind: &str, path: &str, found: &mut Vec<u32>) {
        self.find(kind, Some(path), found);
    }

    /// The same for an event of any Worknode.
    pub fn candidates_anywhere(&self, kind: &str, found: &mut Vec<u32>) {
        self.find(kind, None, found);
    }

    fn find(&self, kind: &str, path: Option<&str>, found: &mut Vec<u32>) {
        found.clear();
        if let Some(shelf) = self.equal.get(kind) {
            shelf.take(path, found);
        }
        for shelf in self.begin.of(|length| kind.get(..length)) {
            shelf.take(path, found);
        }
        for shelf in self.end.of(|length| kind.get(kind.len().checked_sub(length)?..)) {
            shelf.take(path, found);
        }
        self.rest.take(path, found);
        found.sort_unstable();
        found.dedup();
    }
}

impl Ends {
    fn shelf(&mut self, text: &str) -> &mut Shelf {
        self.lengths.insert(text.len());
        self.shelves.entry(text.into()).or_default()
    }

    /// The shelves for what `part` cuts off at each length that occurs.
    fn of<'a>(&'a self, part: impl Fn(usize) -> Option<&'a str>) -> impl Iterator<Item = &'a Shelf> {
        self.lengths
            .iter()
            .filter_map(move |length| self.shelves.get(part(*length)?))
    }
}

impl Shelf {
    fn put(&mut self, under: Option<&str>, place: u32) {
        match under {
            None => self.everywhere.push(place),
            Some(path) => self.under.entry(path.into()).or_default().push(place),
        }
    }

    /// All that watch everywhere, and those that watch the path or one above it; without a path
    /// all.
    fn take(&self, path: Option<&str>, found: &mut Vec<u32>) {
        found.extend(&self.everywhere);
        if self.under.is_empty() {
            return;
        }
        let Some(path) = path else {
            return found.extend(self.under.values().flatten());
        };
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for above in ends.filter_map(|end| path.get(..end)) {
            found.extend(self.under.get(above).into_iter().flatten());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use worknode_core::{hlc::Hlc, time::Timestamp};

    use super::*;
    use crate::{
        event::{EventDecision, EventState, Seen},
        spec::TriggerSpec,
        trigger::compile,
    };

    fn trigger(name: &str, text: &str) -> Trigger {
        let text = format!("name = \"{name}\"\nnotify = \"operator\"\n{text}");
        compile(&toml::from_str::<TriggerSpec>(&text).unwrap()).unwrap()
    }

    fn found(index: &EventIndex, kind: &str, path: &str) -> Vec<u32> {
        let mut found = vec![99];
        index.candidates(kind, path, &mut found);
        found
    }

    #[test]
    fn an_event_finds_those_that_it_may_concern() {
        let triggers = [
            trigger("t0", "event = \"a_failed\"\nconsecutive = 2"),
            trigger("t1", "event = \"a_*\""),
            trigger("t2", "event = \"*_failed\""),
            trigger("t3", "event = \"*\"\ncooldown = \"1s\""),
            trigger("t4", "event = \"a_failed\"\nunder = \"team/x\""),
            trigger("t5", "event = \"b\"\nconsecutive = 2\nreset_by = \"c*\""),
            trigger("t6", "event = \"a_failed\"\nenabled = false"),
        ];
        let index = EventIndex::build(&triggers);
        assert_eq!(found(&index, "a_failed", "team/x/y"), [0, 1, 2, 3, 4]);
        assert_eq!(found(&index, "a_failed", "team/xy"), [0, 1, 2, 3]);
        assert_eq!(found(&index, "a_succeeded", "team"), [0, 1, 3]);
        assert_eq!(found(&index, "cab", "team"), [3, 5]);
        assert_eq!(found(&index, "", ""), [3]);
        let mut anywhere = Vec::new();
        index.candidates_anywhere("a_failed", &mut anywhere);
        assert_eq!(anywhere, [0, 1, 2, 3, 4]);
    }

    fn rule() -> impl Strategy<Value = String> {
        let event = prop::sample::select(vec![
            "a_failed", "b_failed", "a_*", "*_failed", "*", "?_passed", "b_passed",
        ]);
        let under = prop::sample::select(vec![
            "",
            "under = \"t\"",
            "under = \"t/x\"",
            "under = \"t/*\"",
            "under = \"*/y\"",
        ]);
        let count = prop::sample::select(vec![
            "",
            "consecutive = 2",
            "count = 2",
            "consecutive = 2\nreset_by = \"b*\"",
        ]);
        (event, under, count).prop_map(|(event, under, count)| {
            format!("event = \"{event}\"\ncooldown = \"1s\"\n{under}\n{count}")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Who is not a candidate would have ignored the event.
        #[test]
        fn p6_the_index_misses_nobody(
            rules in prop::collection::vec(rule(), 1..8),
            events in prop::collection::vec((
                prop::sample::select(vec!["a_failed", "a_passed", "b_failed", "b_passed", "other"]),
                prop::sample::select(vec!["t", "t/x", "t/y", "t/x/z"]),
            ), 1..20),
        ) {
            let triggers: Vec<Trigger> = rules.iter().enumerate().map(|(n, rule)| trigger(&format!("t{n}"), rule)).collect();
            let index = EventIndex::build(&triggers);
            let mut states = vec![EventState::default(); triggers.len()];
            let mut candidates = Vec::new();
            for (second, (kind, path)) in (1..).zip(events) {
                let stamp = Hlc { wall: Timestamp::from_millis(second * 1_000), counter: 0, origin: 1 };
                index.candidates(kind, path, &mut candidates);
                for (at, (trigger, state)) in (0..).zip(triggers.iter().zip(&mut states)) {
                    let decision = state.on_event(trigger, &Seen { kind, stamp, source: path, path, facts: None });
                    prop_assert!(candidates.contains(&at) || decision == EventDecision::Ignored, "{} {:?}", at, decision);
                }
            }
        }
    }
}
