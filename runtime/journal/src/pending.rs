//! Changes that are not in the database yet: those of the request that is being looked at, on
//! top of those of its group.
//!
//! A request is first applied here, and only a group that is complete is written. So refusing a
//! request is forgetting one layer; the database never sees it, and the other requests of the
//! group are untouched.

use std::{borrow::Borrow, collections::HashMap, hash::Hash};

/// A map of two layers.
#[derive(Debug)]
pub(crate) struct Pending<K, V> {
    group: HashMap<K, V>,
    request: HashMap<K, V>,
}

impl<K, V> Default for Pending<K, V> {
    fn default() -> Self {
        Self {
            group: HashMap::new(),
            request: HashMap::new(),
        }
    }
}

impl<K: Hash + Eq, V> Pending<K, V> {
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.request.get(key).or_else(|| self.group.get(key))
    }

    pub(crate) fn put(&mut self, key: K, value: V) {
        self.request.insert(key, value);
    }

    /// The request is accepted: its changes belong to the group now.
    pub(crate) fn keep_request(&mut self) {
        self.group.extend(self.request.drain());
    }

    /// The request is refused.
    pub(crate) fn drop_request(&mut self) {
        self.request.clear();
    }

    /// What the group changed.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.group.values()
    }

    /// The same, each with its key, to be marked while it is written.
    pub(crate) fn entries_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.group.iter_mut()
    }

    /// What the group changed, to be marked while it is written.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.group.values_mut()
    }

    /// Takes out what the group changed.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (K, V)> + '_ {
        self.request.clear();
        self.group.drain()
    }

    pub(crate) fn clear(&mut self) {
        self.request.clear();
        self.group.clear();
    }
}
