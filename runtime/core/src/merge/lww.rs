//! The last writer wins: one register, and a map of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Full, Seen, Unknown, pairs};
use crate::{bounds, hlc::Hlc};

/// A value with the stamp of the event that wrote it. The later stamp stays.
///
/// One stamp belongs to one event, so equal stamps mean the same write. Should two values come
/// with one stamp all the same (a copied disk, a defect), the greater value stays: wrong for one
/// of the two, but the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lww<T> {
    value: T,
    at: Hlc,
}

impl<T: Ord + Clone> Lww<T> {
    /// A register that was first written at `at`.
    pub const fn new(value: T, at: Hlc) -> Self {
        Self { value, at }
    }

    /// What it holds.
    pub const fn value(&self) -> &T {
        &self.value
    }

    /// When that was written.
    #[must_use]
    pub const fn at(&self) -> Hlc {
        self.at
    }

    /// A write that happened at `at`; true when the register holds something else now.
    pub fn write(&mut self, value: T, at: Hlc) -> bool {
        if (at, &value) <= (self.at, &self.value) {
            return false;
        }
        let changed = value != self.value;
        (self.value, self.at) = (value, at);
        changed
    }

    /// Applies an event's write: [`Self::write`] for a borrowed value.
    pub fn apply(&mut self, value: &T, at: Hlc) -> bool {
        self.write(value.clone(), at)
    }

    /// Takes over what the other register knows.
    pub fn merge(&mut self, other: &Self) {
        self.apply(&other.value, other.at);
    }
}

/// A register for each key. Deleting a key writes nothing into it, with a stamp, so that an older
/// write does not bring it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(
    serialize = "K: Serialize, V: Serialize",
    deserialize = "K: Deserialize<'de> + Ord, V: Deserialize<'de>"
))]
pub struct LwwMap<K, V> {
    #[serde(with = "pairs")]
    entries: BTreeMap<K, Lww<Option<V>>>,
    /// Every write of which this map has taken notice in a collection. One that is covered and
    /// has no entry is gone for good, however often an old copy brings it.
    #[serde(default, skip_serializing_if = "is_empty")]
    floor: Seen,
    #[serde(flatten)]
    unknown: Unknown,
}

fn is_empty(seen: &Seen) -> bool {
    *seen == Seen::new()
}

/// What happened to one key. The event that carries it gives the stamp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LwwOp<K, V> {
    /// Which key.
    pub key: K,
    /// What it holds now; nothing: it is deleted.
    pub value: Option<V>,
}

impl<K, V> Default for LwwMap<K, V> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            floor: Seen::new(),
            unknown: Unknown::default(),
        }
    }
}

impl<K: Ord + Clone, V: Ord + Clone> LwwMap<K, V> {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What `key` holds.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)?.value.as_ref()
    }

    /// The keys that hold something, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries
            .iter()
            .filter_map(|(key, entry)| Some((key, entry.value.as_ref()?)))
    }

    /// How many keys hold something.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Does no key hold anything?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// How many deleted keys are still remembered.
    #[must_use]
    pub fn tombstones(&self) -> usize {
        self.entries.len() - self.len()
    }

    /// Writes `key` here, at `at`, and gives the operation for the others.
    ///
    /// # Errors
    /// [`Full`] when the key is new and there are [`bounds::MERGED_ENTRIES`] already.
    pub fn set(&mut self, key: K, value: V, at: Hlc) -> Result<LwwOp<K, V>, Full> {
        let (entries, limit) = (self.entries.len(), bounds::MERGED_ENTRIES);
        if entries >= limit && !self.entries.contains_key(&key) {
            return Err(Full { entries, limit });
        }
        let op = LwwOp {
            key,
            value: Some(value),
        };
        self.apply(&op, at);
        Ok(op)
    }

    /// Deletes `key` here, at `at`, and gives the operation for the others; `None` when it holds
    /// nothing.
    pub fn remove(&mut self, key: &K, at: Hlc) -> Option<LwwOp<K, V>> {
        self.get(key)?;
        let op = LwwOp {
            key: key.clone(),
            value: None,
        };
        self.apply(&op, at);
        Some(op)
    }

    /// Applies an operation of the event `at`; true when the key holds something else now.
    pub fn apply(&mut self, op: &LwwOp<K, V>, at: Hlc) -> bool {
        if self.collected(&op.key, at) {
            return false;
        }
        match self.entries.get_mut(&op.key) {
            Some(entry) => entry.apply(&op.value, at),
            None => {
                let entry = Lww::new(op.value.clone(), at);
                self.entries.insert(op.key.clone(), entry);
                op.value.is_some()
            }
        }
    }

    /// Is the write of `key` at `at` one that was seen, and its key deleted and forgotten since?
    fn collected(&self, key: &K, at: Hlc) -> bool {
        self.floor.covers(at) && !self.entries.contains_key(key)
    }

    /// Takes over what the other map knows.
    pub fn merge(&mut self, other: &Self) {
        // What either has collected does not come back from the other, so what is to come over is
        // chosen before anything here is changed.
        let coming: Vec<_> = other
            .entries
            .iter()
            .filter(|(key, entry)| !self.collected(key, entry.at))
            .collect();
        self.entries.retain(|key, entry| !other.collected(key, entry.at));
        for (key, entry) in coming {
            match self.entries.get_mut(key) {
                Some(mine) => mine.merge(entry),
                None => {
                    self.entries.insert(key.clone(), entry.clone());
                }
            }
        }
        self.floor.merge(&other.floor);
        self.unknown.merge(&other.unknown);
    }

    /// Forgets deletions that nothing can undo any more. `seen` is what **every** replica of the
    /// cluster has received (see [`Seen::meet`]), each of them named in it: a deletion is
    /// forgotten when each is beyond its stamp, for then no older write of the key is under way.
    pub fn collect(&mut self, seen: &Seen) {
        let Some(horizon) = seen.horizon() else { return };
        self.floor.merge(seen);
        self.entries
            .retain(|_, entry| entry.value.is_some() || (entry.at.wall, entry.at.counter) > horizon);
    }
}
