//! What an expression is evaluated on: values under the names of a scope.

use std::{borrow::Cow, collections::BTreeMap};

use worknode_core::time::Timestamp;

use crate::fact::{Fact, Size};

/// Values under names. One that is not there is `null` to an expression.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    roots: BTreeMap<Cow<'static, str>, Fact>,
}

impl Facts {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            roots: BTreeMap::new(),
        }
    }

    /// Sets the value under `name`.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, fact: impl Into<Fact>) {
        self.roots.insert(name.into(), fact.into());
    }

    /// The same with the value under `name`.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, fact: impl Into<Fact>) -> Self {
        self.set(name, fact);
        self
    }

    /// The same, seen at `now`.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        self.with("now", now)
    }

    /// The value under `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Fact> {
        self.roots.get(name)
    }

    /// All that is in it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Fact)> {
        self.roots.iter().map(|(name, fact)| (name.as_ref(), fact))
    }

    pub(crate) fn size(&self) -> Size {
        let sizes = self.roots.values().map(Fact::size);
        sizes.fold(Size::default(), Size::beside)
    }
}

/// As one value: what one scope has at its roots is a record of another.
impl From<Facts> for Fact {
    fn from(facts: Facts) -> Self {
        Self::map(
            facts
                .roots
                .into_iter()
                .map(|(name, fact)| (name.into_owned(), fact)),
        )
    }
}
