//! What has begun and is not over yet.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// Most that are remembered; the oldest are forgotten first. What is forgotten is told without its
/// beginning.
const KEPT: usize = 20_000;

/// When things began, by what they are.
#[derive(Debug)]
pub(crate) struct Opened<K, V> {
    known: HashMap<K, V>,
    order: VecDeque<K>,
}

impl<K, V> Default for Opened<K, V> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<K: Clone + Eq + Hash, V> Opened<K, V> {
    /// It begins; what was known of it is forgotten.
    pub(crate) fn begin(&mut self, key: K, value: V) {
        if self.known.insert(key.clone(), value).is_none() {
            self.order.push_back(key);
        }
        self.tidy();
    }

    /// It is over: what was known of its beginning.
    pub(crate) fn end(&mut self, key: &K) -> Option<V> {
        self.known.remove(key)
    }

    /// What is known, while it goes on.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.known.get(key)
    }

    /// The order holds those that are over until they are the oldest, or too many.
    fn tidy(&mut self) {
        while self.known.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        if self.order.len() > 2 * KEPT {
            self.order.retain(|key| self.known.contains_key(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_what_never_ends_is_forgotten() {
        let mut opened = Opened::default();
        for n in 0..10 * KEPT {
            opened.begin(n, n);
        }
        assert_eq!(opened.known.len(), KEPT);
        assert_eq!(opened.get(&0), None);
        assert_eq!(opened.end(&(10 * KEPT - 1)), Some(10 * KEPT - 1));
    }

    #[test]
    fn p8_what_ends_leaves_nothing() {
        let mut opened = Opened::default();
        for n in 0..10 * KEPT {
            opened.begin(n, n);
            assert_eq!(opened.end(&n), Some(n));
        }
        assert!(opened.order.len() <= 2 * KEPT);
    }
}
