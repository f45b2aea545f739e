//! Does it go round in circles?
//!
//! Two circles were seen. A program asks the model again and again and gets nothing: thousands of
//! requests an hour, with no token counted. And a model calls the same tools with the same inputs
//! again and again. Work repeats calls too (tests are run after every change), but there is always
//! something new in between.

use std::{
    collections::{BTreeSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};

use serde_json::Value;

/// Answers without a token, one after the other, that make a circle.
pub(super) const EMPTY: u32 = 8;
/// The newest calls that are looked at.
pub(super) const CALLS: usize = 16;
/// So few different ones among them make a circle.
pub(super) const DIFFERENT: usize = 2;

/// What was done lately.
#[derive(Clone, Debug, Default)]
pub(super) struct Guard {
    calls: VecDeque<u64>,
    empty: u32,
    newest: String,
}

impl Guard {
    /// A tool was called.
    pub(super) fn call(&mut self, name: &str, input: &Value) {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        input.to_string().hash(&mut hasher);
        self.calls.push_back(hasher.finish());
        if self.calls.len() > CALLS {
            self.calls.pop_front();
        }
        name.clone_into(&mut self.newest);
        self.empty = 0;
    }

    /// The model answered nothing.
    pub(super) fn empty(&mut self) {
        self.empty = self.empty.saturating_add(1);
    }

    /// The model answered something.
    pub(super) fn full(&mut self) {
        self.empty = 0;
    }

    /// The circle that it goes in.
    pub(super) fn circle(&self) -> Option<String> {
        if self.empty >= EMPTY {
            return Some("the model is asked again and again and answers nothing".into());
        }
        let different: BTreeSet<&u64> = self.calls.iter().collect();
        let same = self.calls.len() == CALLS && different.len() <= DIFFERENT;
        same.then(|| format!("`{}` is called with the same input again and again", self.newest))
    }
}
