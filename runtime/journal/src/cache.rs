//! A bounded memory of what was read last.

use std::{borrow::Borrow, collections::HashMap, hash::Hash};

/// Keeps at most a given weight, in two generations: when the young one is full, it becomes the
/// old one and the old one is forgotten. What is used moves back among the young. That is close
/// to least-recently-used at the price of two maps.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    weight: usize,
    limit: usize,
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// A cache of two generations that weigh `limit` together.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            weight: 0,
            limit: limit / 2,
        }
    }

    pub(crate) fn get<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if let Some((value, _)) = self.young.get(key) {
            return Some(value.clone());
        }
        let (value, weight) = self.old.remove(key)?;
        self.put(key.to_owned(), value.clone(), weight);
        Some(value)
    }

    /// Remembers `value`, unless it alone is more than a generation may weigh.
    pub(crate) fn put(&mut self, key: K, value: V, weight: usize) {
        self.old.remove(&key);
        if let Some((_, before)) = self.young.remove(&key) {
            self.weight = self.weight.saturating_sub(before);
        }
        if weight > self.limit {
            return;
        }
        if self.weight.saturating_add(weight) > self.limit {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
        self.young.insert(key, (value, weight));
        self.weight = self.weight.saturating_add(weight);
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
        self.weight = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_weighs_more_than_its_limit_and_keeps_what_is_used() {
        let mut cache = Cache::new(20);
        cache.put(0, 0, 1);
        for n in 1..1_000 {
            cache.put(n, n, 1);
            assert_eq!(cache.get(&0), Some(0), "what is used in every round stays");
            assert!(cache.young.len() + cache.old.len() <= 20);
        }
        assert_eq!(cache.get(&5), None);
        assert_eq!(cache.get(&999), Some(999));
    }

    #[test]
    fn what_is_too_heavy_is_not_kept_and_replaces_nothing_wrongly() {
        let mut cache = Cache::new(20);
        cache.put(1, "old", 1);
        cache.put(1, "too heavy", 11);
        assert_eq!(cache.get(&1), None, "the stale value must not come back");
    }
}
