//! What an index can answer of a condition.
//!
//! From the parts of a condition that are joined by `&&` those are taken that compare a field
//! with constants. The promise is one-sided: every Worknode for which the condition holds is
//! selected. When nothing was left out the selection is exact, and nothing needs evaluation.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use worknode_core::time::Timestamp;

use crate::facts::Facts;

mod constants;
mod extract;

pub(crate) use extract::Conditions;

/// What is kept in an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of the scope")]
pub enum Field {
    Id,
    Kind,
    Name,
    Parent,
    Status,
    Archived,
    CreatedAt,
    UpdatedAt,
    CompletedAt,
    FinishedAt,
    Priority,
    Tags,
    Assignees,
}

/// How a field can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Text,
    Truth,
    Number,
    Time,
    Texts,
}

impl Field {
    /// Its name in the scope.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Kind => "kind",
            Self::Name => "name",
            Self::Parent => "parent",
            Self::Status => "status",
            Self::Archived => "archived",
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::CompletedAt => "completed_at",
            Self::FinishedAt => "finished_at",
            Self::Priority => "priority",
            Self::Tags => "tags",
            Self::Assignees => "assignees",
        }
    }

    pub(crate) const fn sort(self) -> Sort {
        match self {
            Self::Id | Self::Kind | Self::Name | Self::Parent | Self::Status => Sort::Text,
            Self::Archived => Sort::Truth,
            Self::CreatedAt | Self::UpdatedAt | Self::CompletedAt | Self::FinishedAt => Sort::Time,
            Self::Priority => Sort::Number,
            Self::Tags | Self::Assignees => Sort::Texts,
        }
    }
}

/// One thing that an index can answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "term", rename_all = "snake_case")]
pub enum Term {
    /// The text is one of these; none of them: nothing is selected.
    OneOf {
        /// Which.
        field: Field,
        /// These.
        texts: BTreeSet<String>,
    },
    /// The text begins with this.
    Prefix {
        /// Which.
        field: Field,
        /// This.
        prefix: String,
    },
    /// One of these is in the list.
    Contains {
        /// Which.
        field: Field,
        /// These.
        texts: BTreeSet<String>,
    },
    /// It is so, or is not.
    Is {
        /// Which.
        field: Field,
        /// So?
        truth: bool,
    },
    /// A number, or an instant in milliseconds since the Unix epoch, that is there and within
    /// these bounds, both included. Nothing is selected when `from` is beyond `to`.
    Between {
        /// Which.
        field: Field,
        /// The least.
        from: Option<i64>,
        /// The most.
        to: Option<i64>,
    },
}

impl Term {
    /// Is it so for these facts?
    #[must_use]
    pub fn selects(&self, facts: &Facts) -> bool {
        match self {
            Self::OneOf { field, texts } => text(facts, *field).is_some_and(|text| texts.contains(text)),
            Self::Prefix { field, prefix } => {
                text(facts, *field).is_some_and(|text| text.starts_with(prefix.as_str()))
            }
            Self::Contains { field, texts } => facts
                .get(field.name())
                .is_some_and(|list| list.texts().any(|text| texts.contains(text))),
            Self::Is { field, truth } => {
                facts.get(field.name()).and_then(|fact| fact.as_truth()) == Some(*truth)
            }
            Self::Between { field, from, to } => {
                let fact = facts.get(field.name());
                let number = fact.and_then(|fact| match field.sort() {
                    Sort::Time => fact.as_millis(),
                    _ => fact.as_whole(),
                });
                number.is_some_and(|number| {
                    from.is_none_or(|from| from <= number) && to.is_none_or(|to| number <= to)
                })
            }
        }
    }
}

fn text(facts: &Facts, field: Field) -> Option<&str> {
    facts.get(field.name())?.as_text()
}

/// What an index can answer of a condition: all terms must be so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// The terms.
    pub terms: Vec<Term>,
    /// Nothing is left to evaluate: what is selected is what matches.
    pub exact: bool,
}

impl Selection {
    /// Are these facts selected? What an index does, without one.
    #[must_use]
    pub fn selects(&self, facts: &Facts) -> bool {
        self.terms.iter().all(|term| term.selects(facts))
    }

    /// The terms about one field.
    pub fn about(&self, field: Field) -> impl Iterator<Item = &Term> {
        self.terms.iter().filter(move |term| term.field() == field)
    }

    /// Can be seen to select nothing, without looking anywhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.iter().any(|term| match term {
            Term::OneOf { texts, .. } | Term::Contains { texts, .. } => texts.is_empty(),
            Term::Between {
                from: Some(from),
                to: Some(to),
                ..
            } => from > to,
            _ => false,
        })
    }

    /// Everything, to be evaluated.
    #[must_use]
    pub const fn everything() -> Self {
        Self {
            terms: Vec::new(),
            exact: false,
        }
    }
}

impl Term {
    /// Which field it is about.
    #[must_use]
    pub const fn field(&self) -> Field {
        match self {
            Self::OneOf { field, .. }
            | Self::Prefix { field, .. }
            | Self::Contains { field, .. }
            | Self::Is { field, .. }
            | Self::Between { field, .. } => *field,
        }
    }
}

impl Conditions {
    /// The selection at `now`.
    pub(crate) fn at(&self, now: Timestamp) -> Selection {
        let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        Selection {
            terms: self.terms.iter().map(|term| term.at(now)).collect(),
            exact: self.exact,
        }
    }
}
