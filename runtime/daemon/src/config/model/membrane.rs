//! Membranes that the configuration puts in front of Worknodes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_core::membrane::{EventSchema, MembraneSpec, Overflow, Rate, Translation};

/// A membrane, in front of some Worknodes of the configuration and all below them. What is not said
/// is not restricted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MembraneEntry {
    /// Whose: "root", "team", "agent:NAME", "phase:NAME", "task:ID" (with `*` and `?` several), or
    /// the path of names from below the root, as in "webapp/foundation/schema".
    pub of: String,
    /// Types of events that come in, with `*` and `?`; others are refused. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<Vec<String>>,
    /// Types of events that are seen from outside, with `*` and `?`. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emit: Option<Vec<String>>,
    /// CEL: which events pass, in either direction. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// How events look outside. Default: as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub translate: Vec<Translation>,
    /// What foreign events must look like to come in. Default: anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schema: Vec<EventSchema>,
    /// How many events come in to each Worknode per time. Default: not limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// How many messages wait in the mailbox of each Worknode. Default: 1024.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<usize>,
    /// What happens to events beyond `rate` and `capacity`: "refuse", "conflate", "dead_letter".
    /// Default: "refuse".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overflow: Option<Overflow>,
    /// Paths in the data of events that nobody outside sees, as in "user.email". Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redact: Vec<String>,
}

impl MembraneEntry {
    /// What it says, whosever it is.
    #[must_use]
    pub fn spec(&self) -> MembraneSpec {
        MembraneSpec {
            accept: self.accept.clone(),
            emit: self.emit.clone(),
            filter: self.filter.clone(),
            translate: self.translate.clone(),
            schema: self.schema.clone(),
            rate: self.rate,
            capacity: self.capacity,
            overflow: self.overflow,
            redact: self.redact.clone(),
        }
    }
}
