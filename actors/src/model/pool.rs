//! Entries that are kept once, and questions that are put once.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;

use super::state::Ref;

/// Entries that are written down once.
#[derive(Debug)]
pub(super) struct Pool<T, S>(Mutex<Entries<T, S>>);

/// The entries by number, each with what is seen of it, and the numbers by text: equal entries
/// have the same text, and so the same number.
#[derive(Debug)]
struct Entries<T, S> {
    numbers: HashMap<String, Ref>,
    all: Vec<(Arc<T>, S)>,
}

impl<T, S> Default for Pool<T, S> {
    fn default() -> Self {
        Self(Mutex::new(Entries {
            numbers: HashMap::new(),
            all: Vec::new(),
        }))
    }
}

impl<T: Serialize, S: Copy> Pool<T, S> {
    pub(super) fn keep(&self, entry: T, look: impl FnOnce(&T) -> S) -> Ref {
        let text = serde_json::to_string(&entry).unwrap();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = known.numbers.get(&text) {
            return *number;
        }
        let number = Ref::try_from(known.all.len()).unwrap();
        let sight = look(&entry);
        known.all.push((Arc::new(entry), sight));
        known.numbers.insert(text, number);
        number
    }

    pub(super) fn entry(&self, number: Ref) -> Arc<T> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&known.all[usize::try_from(number).unwrap()].0)
    }

    pub(super) fn sight(&self, number: Ref) -> S {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.all[usize::try_from(number).unwrap()].1
    }
}

/// Questions that are put once.
#[derive(Debug)]
pub(super) struct Memo<K, V>(Mutex<HashMap<K, V>>);

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Eq + Hash, V: Clone> Memo<K, V> {
    pub(super) fn get(&self, question: K, answer: impl FnOnce() -> V) -> V {
        let known = |memo: &Self| {
            let memo = memo.0.lock().unwrap_or_else(PoisonError::into_inner);
            memo.get(&question).cloned()
        };
        if let Some(known) = known(self) {
            return known;
        }
        let answer = answer();
        let mut memo = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memo.insert(question, answer.clone());
        answer
    }
}
