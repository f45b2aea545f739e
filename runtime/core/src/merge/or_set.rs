//! A set in which an addition wins over a removal that did not know of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Full, Seen, Unknown, pairs};
use crate::{bounds, hlc::Hlc};

type Dots<T> = BTreeMap<T, BTreeSet<Hlc>>;

/// A set that observes what it removes. Each addition is a *dot*, the stamp of its event; a
/// removal names the dots it has seen and removes no others. So who adds a tag again while
/// somebody else removes it keeps it.
///
/// Removed dots are remembered until [`Self::collect`]: without that, an addition that comes late
/// would bring its element back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: Deserialize<'de> + Ord"))]
pub struct OrSet<T: Ord> {
    #[serde(with = "pairs")]
    elements: Dots<T>,
    #[serde(
        with = "pairs",
        default = "Dots::new",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    removed: Dots<T>,
    /// Every addition up to here is known: one that is covered and not among the elements has
    /// been removed. This is what remains of a removed dot, and it is one stamp for each origin.
    #[serde(default, skip_serializing_if = "is_empty")]
    floor: Seen,
    #[serde(flatten)]
    unknown: Unknown,
}

fn is_empty(seen: &Seen) -> bool {
    *seen == Seen::new()
}

/// What happened to one element. The event that carries it gives the stamp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum OrSetOp<T> {
    /// It was added.
    Add {
        /// The element.
        value: T,
        /// Its dots that were known: the new one stands for them, so that an element that is
        /// added over and over does not grow.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        over: Vec<Hlc>,
    },
    /// It was removed.
    Remove {
        /// The element.
        value: T,
        /// Its dots that were known.
        dots: Vec<Hlc>,
    },
}

impl<T: Ord> Default for OrSet<T> {
    fn default() -> Self {
        Self {
            elements: Dots::new(),
            removed: Dots::new(),
            floor: Seen::new(),
            unknown: Unknown::default(),
        }
    }
}

impl<T: Ord + Clone> OrSet<T> {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Is `value` in it?
    pub fn contains(&self, value: &T) -> bool {
        self.elements.contains_key(value)
    }

    /// The elements, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.elements.keys()
    }

    /// The stamps of the additions that hold `value` in the set, the earliest first.
    pub fn dots(&self, value: &T) -> impl Iterator<Item = Hlc> + '_ {
        self.elements.get(value).into_iter().flatten().copied()
    }

    /// How many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// How many removed dots are still remembered one by one.
    #[must_use]
    pub fn tombstones(&self) -> usize {
        self.removed.values().map(BTreeSet::len).sum()
    }

    /// Adds `value` here, at `at`, and gives the operation for the others.
    ///
    /// # Errors
    /// [`Full`] when elements and remembered removals together are [`bounds::MERGED_ENTRIES`].
    pub fn add(&mut self, value: T, at: Hlc) -> Result<OrSetOp<T>, Full> {
        let (entries, limit) = (self.len() + self.tombstones(), bounds::MERGED_ENTRIES);
        if entries >= limit {
            return Err(Full { entries, limit });
        }
        let over = self.dots(&value).collect();
        let op = OrSetOp::Add { value, over };
        self.apply(&op, at);
        Ok(op)
    }

    /// Removes `value` here and gives the operation for the others; `None` when it is not there.
    pub fn remove(&mut self, value: &T) -> Option<OrSetOp<T>> {
        let dots: Vec<Hlc> = self.dots(value).collect();
        if dots.is_empty() {
            return None;
        }
        self.bury(value, &dots);
        Some(OrSetOp::Remove {
            value: value.clone(),
            dots,
        })
    }

    /// Applies an operation of the event `at`; true when the set holds something else now.
    pub fn apply(&mut self, op: &OrSetOp<T>, at: Hlc) -> bool {
        match op {
            OrSetOp::Add { value, over } => {
                let before = self.contains(value);
                if !self.is_gone(value, at) {
                    self.elements.entry(value.clone()).or_default().insert(at);
                }
                self.bury(value, over);
                before != self.contains(value)
            }
            OrSetOp::Remove { value, dots } => {
                let before = self.contains(value);
                self.bury(value, dots);
                before != self.contains(value)
            }
        }
    }

    /// Takes over what the other set knows.
    pub fn merge(&mut self, other: &Self) {
        // Chosen before anything is changed here: what the other buries must not look unknown.
        let coming: Vec<_> = other
            .each()
            .filter(|(value, dot)| !self.is_gone(value, *dot))
            .collect();
        retain(&mut self.elements, |value, dot| !other.is_gone(value, dot));
        for (value, dot) in coming {
            insert(&mut self.elements, value, dot);
        }
        for (value, dots) in &other.removed {
            self.bury(value, dots);
        }
        self.floor.merge(&other.floor);
        self.unknown.merge(&other.unknown);
        self.forget_covered();
    }

    /// Forgets removed dots. `seen` is what this replica has received, or less: usually what
    /// every known replica has received ([`Seen::meet`]), so that all of them forget the same.
    /// It must not claim more than was received, for an addition that it covers and that never
    /// came is taken to be removed.
    pub fn collect(&mut self, seen: &Seen) {
        self.floor.merge(seen);
        self.forget_covered();
    }

    fn each(&self) -> impl Iterator<Item = (&T, Hlc)> {
        let dots = |(value, dots)| BTreeSet::iter(dots).map(move |dot| (value, *dot));
        self.elements.iter().flat_map(dots)
    }

    fn has(&self, value: &T, dot: Hlc) -> bool {
        self.elements.get(value).is_some_and(|dots| dots.contains(&dot))
    }

    /// Was this addition seen and removed?
    fn is_gone(&self, value: &T, dot: Hlc) -> bool {
        let remembered = || self.removed.get(value).is_some_and(|dots| dots.contains(&dot));
        !self.has(value, dot) && (self.floor.covers(dot) || remembered())
    }

    /// Removes dots, known ones and such as are still to come.
    fn bury<'a>(&mut self, value: &T, dots: impl IntoIterator<Item = &'a Hlc>) {
        for dot in dots {
            if let Some(live) = self.elements.get_mut(value) {
                live.remove(dot);
                if live.is_empty() {
                    self.elements.remove(value);
                }
            }
            if !self.floor.covers(*dot) {
                insert(&mut self.removed, value, *dot);
            }
        }
    }

    fn forget_covered(&mut self) {
        let floor = &self.floor;
        retain(&mut self.removed, |_, dot| !floor.covers(dot));
    }
}

fn insert<T: Ord + Clone>(all: &mut Dots<T>, value: &T, dot: Hlc) {
    if let Some(dots) = all.get_mut(value) {
        dots.insert(dot);
    } else {
        all.insert(value.clone(), BTreeSet::from([dot]));
    }
}

fn retain<T: Ord>(all: &mut Dots<T>, keep: impl Fn(&T, Hlc) -> bool) {
    all.retain(|value, dots| {
        dots.retain(|dot| keep(value, *dot));
        !dots.is_empty()
    });
}
