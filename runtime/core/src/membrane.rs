//! What a membrane is told to do, as data. What it then does is decided elsewhere, by pure rules
//! over this.
//!
//! A membrane stands in front of a Worknode, and what is said here of one holds for all Worknodes
//! below it: `accept`, `emit` and `filter` of all membranes on the way must agree, the smallest
//! `rate` and `capacity` count, and everything named in `redact` is left out. Of `schema` the
//! nearest that knows an event's type brings older versions up, and those above must agree;
//! `translate` makes of what leaves each membrane what the next one sees.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::time::Span;

/// One Worknode's membrane. What is not said is not restricted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MembraneSpec {
    /// Globs of the types of events that come in; others are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accept: Option<Vec<String>>,
    /// Globs of the types of events that go up to who watches from above; others stay inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emit: Option<Vec<String>>,
    /// CEL: which events pass, in either direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// How events look outside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub translate: Vec<Translation>,
    /// What foreign events must look like to come in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schema: Vec<EventSchema>,
    /// How many events come in per time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// How many messages wait in the mailbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<usize>,
    /// What happens to what comes in beyond `rate` and `capacity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overflow: Option<Overflow>,
    /// Paths in an event's data that nobody outside sees, as in `user.email`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redact: Vec<String>,
}

impl MembraneSpec {
    /// Says it nothing at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// So many per so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many.
    pub events: u32,
    /// In which time.
    pub per: Span,
}

/// What happens to what is too much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// It is refused as `backpressure`, with the time after which to try again.
    #[default]
    Refuse,
    /// The newest of its type replaces the one that waits.
    Conflate,
    /// It is put aside on the dead-letter list.
    DeadLetter,
}

/// A change of an event's data, or of a Worknode's attributes from one version to the next. Its
/// parts are applied in the order in which they stand here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Translation {
    /// The type of the events that it is for.
    pub from: String,
    /// Their type afterwards; the same when it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// New path of each path.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
    /// Only these paths stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<Vec<String>>,
    /// These paths go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
    /// Values at a path that become others: path, then old value as text, then new value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub map: BTreeMap<String, BTreeMap<String, Value>>,
    /// Paths that get a value of their own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub constant: BTreeMap<String, Value>,
    /// Paths whose values get another type.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub convert: BTreeMap<String, Convert>,
}

/// A type that a value is made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Convert {
    String,
    Integer,
    Number,
    Boolean,
}

/// What an event's data must look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventSchema {
    /// The type of event that it is for.
    #[serde(rename = "type")]
    pub of: String,
    /// The version that this describes.
    #[serde(default = "one")]
    pub version: u32,
    /// JSON Schema (draft 2020-12) of the data.
    pub schema: Value,
    /// How data of the version before becomes data of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upcast: Option<Translation>,
}

const fn one() -> u32 {
    1
}
