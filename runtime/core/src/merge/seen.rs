//! What a replica has received, from whom.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{hlc::Hlc, time::Timestamp};

/// A version vector: for each origin the highest stamp that has been received from it. Because
/// an origin's events come in its order, everything up to that stamp has been received as well.
///
/// JSON: the list of stamps, one for each origin, which is in the stamp.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(BTreeMap<u32, Hlc>);

/// Events of one origin that somebody lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Whose events.
    pub origin: u32,
    /// All after this one; `None`: from the first.
    pub after: Option<Hlc>,
    /// Up to and with this one.
    pub to: Hlc,
}

impl Seen {
    /// Nothing, of nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// There is such an origin, of which nothing may have been received yet. Every replica of a
    /// cluster has to be known before deletions in an [`LwwMap`](super::LwwMap) are collected.
    pub fn know(&mut self, origin: u32) {
        self.note(Hlc { origin, ..Hlc::ZERO });
    }

    /// The event `at` was received. Older than what was received before changes nothing.
    pub fn note(&mut self, at: Hlc) {
        let highest = self.0.entry(at.origin).or_insert(at);
        *highest = at.max(*highest);
    }

    /// Has the event `at` been received?
    #[must_use]
    pub fn covers(&self, at: Hlc) -> bool {
        self.0.get(&at.origin).is_some_and(|highest| *highest >= at)
    }

    /// Has everything been received that `other` received?
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        other.0.values().all(|at| unheard(at) || self.covers(*at))
    }

    /// The highest stamp received from `origin`.
    #[must_use]
    pub fn last_of(&self, origin: u32) -> Option<Hlc> {
        self.0.get(&origin).copied().filter(|at| !unheard(at))
    }

    /// The origins that are known, with the highest stamp of each.
    pub fn iter(&self) -> impl Iterator<Item = Hlc> + '_ {
        self.0.values().copied()
    }

    /// What both together have received.
    pub fn merge(&mut self, other: &Self) {
        for at in other.0.values() {
            self.note(*at);
        }
    }

    /// What both of them have received: the [`Seen`] of several replicas met is what every one of
    /// them has. An origin that only one of them knows stays known, as one of whom the other has
    /// received nothing.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        let of = |seen: &Self, origin: u32| seen.0.get(&origin).copied();
        let origins = self.0.keys().chain(other.0.keys());
        let met = origins.map(|&origin| {
            let none = Hlc { origin, ..Hlc::ZERO };
            let both = of(self, origin)
                .unwrap_or(none)
                .min(of(other, origin).unwrap_or(none));
            (origin, both)
        });
        Self(met.collect())
    }

    /// What `other` lacks of what has been received here: what to send to it.
    #[must_use]
    pub fn missing_from(&self, other: &Self) -> Vec<Gap> {
        let lacks = |to: &Hlc| !unheard(to) && !other.covers(*to);
        let gap = |to: &Hlc| Gap {
            origin: to.origin,
            after: other.last_of(to.origin),
            to: *to,
        };
        self.0.values().filter(|to| lacks(to)).map(gap).collect()
    }

    /// The instant before which nothing can come any more from an origin that is known: the
    /// lowest of the highest stamps. `None` when no origin is known.
    #[must_use]
    pub fn horizon(&self) -> Option<(Timestamp, u16)> {
        self.0.values().map(|at| (at.wall, at.counter)).min()
    }
}

/// Known and nothing received: the stamp that [`Seen::know`] leaves and no clock gives.
fn unheard(at: &Hlc) -> bool {
    (at.wall, at.counter) == (Hlc::ZERO.wall, Hlc::ZERO.counter)
}

impl FromIterator<Hlc> for Seen {
    fn from_iter<I: IntoIterator<Item = Hlc>>(stamps: I) -> Self {
        let mut seen = Self::new();
        for at in stamps {
            seen.note(at);
        }
        seen
    }
}

impl Serialize for Seen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.values())
    }
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stamps = Vec::<Hlc>::deserialize(deserializer)?;
        let seen: Self = stamps.iter().copied().collect();
        if seen.0.len() == stamps.len() {
            Ok(seen)
        } else {
            Err(de::Error::custom("an origin is there twice"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall: u64, origin: u32) -> Hlc {
        Hlc {
            wall: Timestamp::from_millis(wall),
            counter: 0,
            origin,
        }
    }

    #[test]
    fn an_origin_is_covered_up_to_its_highest_stamp() {
        let seen: Seen = [at(5, 1), at(3, 1), at(9, 2)].into_iter().collect();
        assert!(seen.covers(at(5, 1)) && seen.covers(at(4, 1)));
        assert!(!seen.covers(at(6, 1)) && !seen.covers(at(1, 3)));
    }

    #[test]
    fn what_is_missing_is_told_by_origin() {
        let mine: Seen = [at(5, 1), at(9, 2), at(4, 3)].into_iter().collect();
        let mut theirs: Seen = [at(2, 1), at(9, 2)].into_iter().collect();
        theirs.know(3);
        let gaps = mine.missing_from(&theirs);
        let expected = [
            Gap {
                origin: 1,
                after: Some(at(2, 1)),
                to: at(5, 1),
            },
            Gap {
                origin: 3,
                after: None,
                to: at(4, 3),
            },
        ];
        assert_eq!(gaps, expected);
        assert!(theirs.missing_from(&mine).is_empty());
        assert!(mine.includes(&theirs) && !theirs.includes(&mine));
    }

    #[test]
    fn what_all_have_is_the_meet_and_a_silent_origin_holds_the_horizon() {
        let one: Seen = [at(5, 1), at(9, 2)].into_iter().collect();
        let other: Seen = [at(7, 1)].into_iter().collect();
        let met = one.meet(&other);
        assert!(met.covers(at(5, 1)) && !met.covers(at(6, 1)) && !met.covers(at(9, 2)));
        assert_eq!(met.horizon(), Some((Timestamp::from_millis(0), 0)));
        assert_eq!(one.horizon(), Some((Timestamp::from_millis(5), 0)));
        assert_eq!(Seen::new().horizon(), None);
    }

    #[test]
    fn json_is_the_list_of_stamps() {
        let seen: Seen = [at(5, 2), at(1, 1)].into_iter().collect();
        let text = serde_json::to_string(&seen).unwrap();
        assert_eq!(
            text,
            r#"["1970-01-01T00:00:00.001Z-0000-00000001","1970-01-01T00:00:00.005Z-0000-00000002"]"#
        );
        assert_eq!(serde_json::from_str::<Seen>(&text).unwrap(), seen);
        let twice = r#"["1970-01-01T00:00:00.001Z-0000-00000001","1970-01-01T00:00:00.005Z-0000-00000001"]"#;
        assert!(serde_json::from_str::<Seen>(twice).is_err());
    }
}
