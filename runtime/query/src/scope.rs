//! Which names there are.
//!
//! A scope is data, so that whoever has more to say about a Worknode or an event adds a name
//! here and a value to the [`Facts`](crate::Facts), and nothing else changes.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use crate::{node, selection::Field};

/// What stands behind a name.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// True or false.
    Truth,
    /// A number.
    Number,
    /// Text.
    Text,
    /// An instant.
    Time,
    /// A length of time.
    Span,
    /// A list.
    List,
    /// Something with exactly these names in it.
    Record(Scope),
    /// Anything: what is in it is known only when it is there.
    Open,
}

impl Shape {
    /// In words, for messages.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        match self {
            Self::Truth => "true or false",
            Self::Number => "a number",
            Self::Text => "text",
            Self::Time => "an instant",
            Self::Span => "a length of time",
            Self::List => "a list",
            Self::Record(_) => "a record",
            Self::Open => "any value",
        }
    }
}

/// One name.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// What stands behind it.
    pub shape: Shape,
    /// What it means, for documentation.
    pub meaning: Cow<'static, str>,
    /// The index that answers for it, when there is one.
    pub field: Option<Field>,
}

/// The names that an expression may use. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    names: Arc<BTreeMap<Cow<'static, str>, Name>>,
}

impl Scope {
    /// No names at all.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The names of queries: the Worknode's own, and `now`.
    #[must_use]
    pub fn node() -> Self {
        node::names().clone().with_now()
    }

    /// The names of triggers and membranes: `event`, the Worknode that it is about as `node`,
    /// the agent that acted as `agent`, and `now`.
    #[must_use]
    pub fn event() -> Self {
        let record = |scope: Self| Shape::Record(scope.unindexed());
        Self::empty()
            .with("event", record(crate::event::names()), "the event")
            .with(
                "node",
                record(node::names().clone()),
                "the Worknode that it is about",
            )
            .with("agent", record(node::names().clone()), "the agent that acted")
            .with_now()
    }

    fn with_now(self) -> Self {
        self.with("now", Shape::Time, "the present instant")
    }

    /// The same with one more name.
    #[must_use]
    pub fn with(
        self,
        name: impl Into<Cow<'static, str>>,
        shape: Shape,
        meaning: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.with_name(name, shape, meaning, None)
    }

    /// The same with one more name, for which an index answers.
    #[must_use]
    pub fn with_indexed(
        self,
        name: impl Into<Cow<'static, str>>,
        shape: Shape,
        meaning: impl Into<Cow<'static, str>>,
        field: Field,
    ) -> Self {
        self.with_name(name, shape, meaning, Some(field))
    }

    fn with_name(
        mut self,
        name: impl Into<Cow<'static, str>>,
        shape: Shape,
        meaning: impl Into<Cow<'static, str>>,
        field: Option<Field>,
    ) -> Self {
        let name = name.into();
        let entry = Name {
            shape,
            meaning: meaning.into(),
            field,
        };
        Arc::make_mut(&mut self.names).insert(name, entry);
        self
    }

    /// The same names where no index answers: an index is about the Worknode that is asked for,
    /// not about one that an event mentions.
    fn unindexed(mut self) -> Self {
        for name in Arc::make_mut(&mut self.names).values_mut() {
            name.field = None;
        }
        self
    }

    /// What is behind `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Name> {
        self.names.get(name)
    }

    /// All names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Name)> {
        self.names.iter().map(|(name, entry)| (name.as_ref(), entry))
    }
}
