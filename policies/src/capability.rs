//! Capabilities: signed tokens that say what their holder may do, where, and until when.
//!
//! ```text
//! wn2.<claims>.<signature>[.<narrowing>.<signature>]….<proof>
//! ```
//!
//! | part | what it is |
//! |---|---|
//! | claims | [`Claims`] as JSON, with the public key of whoever may narrow them |
//! | narrowing | [`Narrowing`] as JSON, with the public key of whoever may narrow it further |
//! | signature | Ed25519: of the claims by the runtime, of each narrowing by the key named before it |
//! | proof | the secret of the last key named; or, in a sealed token, a signature by it |
//!
//! So whoever holds a token makes a narrower one of it, offline, and hands that on. The narrower
//! one does not hold the secret of the wider one: what was narrowed cannot be taken off again, and
//! a chain that is cut short lacks its proof. A signature covers the name of this format, the place
//! in the chain, the signature before, and the JSON bytes exactly as they stand (see
//! [`crate::signing`]). Parts are base64url without padding, and only the one canonical spelling is
//! read. The claims carry a version, and unknown fields are refused: a token that says more than
//! this version understands must not be read as saying less.
//!
//! | module | what is in it |
//! |---|---|
//! | [`chain`] | making, narrowing, sealing and opening tokens |
//! | [`limits`] | what a token can be narrowed to, and that it is only ever narrowed |
//! | [`lineage`] | what is handed on to agents that are spawned, and what theirs is then |
//! | [`ring`] | the keys that count: the present one, and those before it for a while |
//! | [`revoked`] | what is worth nothing any more, though its time has not come |
//! | [`sight`] | tokens that were seen before, so that the second sight costs next to nothing |

pub mod chain;
pub mod limits;
pub mod lineage;
pub mod revoked;
pub mod ring;
pub mod sight;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};
use worknode_core::{
    agent::Tier,
    command::Operation,
    error::{Code, Error},
    event::Principal,
    ids::NodeId,
    raise::Raise,
    time::Timestamp,
};

pub use self::{
    chain::{Opened, attenuate, issue, open, seal},
    limits::{Limits, NamedFiles, Narrowing},
    revoked::Revoked,
    ring::Ring,
    sight::{Look, Sight, Unseen},
};

/// Version of the claims that this build writes and reads.
pub const VERSION: u8 = 2;
/// Longest token that is read, in bytes. Longer ones are refused before any work is done.
pub const LENGTH: usize = 8 * 1024;
/// How often a capability can be narrowed.
pub const LINKS: usize = 8;

/// The hold on a task under which a run may report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskHold {
    /// The task.
    pub node: NodeId,
    /// The claim: later claims of the same task are not this holder's.
    pub epoch: u64,
}

/// What a capability says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Version of these claims: [`VERSION`].
    pub version: u8,
    /// Who holds it.
    pub principal: Principal,
    /// What it may do.
    pub operations: BTreeSet<Operation>,
    /// To this Worknode and all below it.
    pub subtree: NodeId,
    /// The task that it may report on; none for those who hold no task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskHold>,
    /// What it may do beside, each until its own instant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub raised: Vec<Raise>,
    /// From this instant on it is worth nothing.
    pub expires: Timestamp,
    /// When it was made: what is revoked, is revoked up to an instant.
    #[serde(default)]
    pub issued: Timestamp,
    /// What else it is narrowed to.
    #[serde(default, skip_serializing_if = "Limits::is_none")]
    pub limits: Limits,
    /// The ids of the capabilities that it was made from, the first first: of an agent that was spawned
    /// through one. See [`lineage`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
}

/// A capability as text. A secret: whoever has it may do what it says.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The text, to be handed to its holder and to nobody else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The claims cannot be made into a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the capability of {principal} would be longer than {LENGTH} bytes")]
pub struct CannotIssue {
    /// Whose.
    pub principal: String,
}

/// Why a token is worth nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a token of this format and version.
    #[error("this is not a capability of this version")]
    Malformed,
    /// It ends too early, or lacks the proof of its last link.
    #[error("the capability is cut short: it lacks the proof of its last link")]
    Truncated,
    /// Longer than any token is.
    #[error("the capability is longer than {LENGTH} bytes, or narrowed more than {LINKS} times")]
    TooLong,
    /// Another key signed it, or it was changed.
    #[error("the capability does not carry the runtime's signature, or was changed ({place})")]
    BadSignature {
        /// Where: in its claims, or in which narrowing.
        place: Place,
    },
    /// The runtime signed it with a key that counts no more.
    #[error("the capability was signed with a key that was replaced, and counts no more")]
    OldKey,
    /// A narrowing asks for more than what it narrows.
    #[error("the capability is widened where it may only be narrowed: {what} ({place})")]
    Widened {
        /// In what.
        what: &'static str,
        /// Where.
        place: Place,
    },
    /// It was good once.
    #[error("the capability expired at {at}")]
    Expired {
        /// When.
        at: Timestamp,
    },
    /// It is for somebody else.
    #[error("the capability is for {whom}, and not to be used here ({here})")]
    OtherAudience {
        /// For whom.
        whom: String,
        /// Who is asked.
        here: String,
    },
    /// It was taken back.
    #[error("the capability was revoked at {at}: {why}")]
    Revoked {
        /// When.
        at: Timestamp,
        /// What was revoked: it, what it was made from, its claim, or its part of the tree.
        why: String,
    },
    /// A sealed token cannot be narrowed.
    #[error("the capability is sealed: it cannot be narrowed any more")]
    Sealed,
}

/// Where in a token: its claims, or one of the narrowings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(pub usize);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("in its claims"),
            n => write!(f, "in narrowing {n}"),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let error = Self::new(Code::Forbidden, refusal.to_string());
        match refusal {
            Refusal::Malformed => error.hint("a capability begins with `wn2.`"),
            Refusal::Truncated => error.hint("take the whole text, to its last character"),
            Refusal::TooLong => error.hint("begin again from a capability that is narrowed less"),
            Refusal::BadSignature { .. } => {
                error.hint("it may be from another store, or from before its keys changed")
            }
            Refusal::OldKey => error.hint("ask for a new one; `worknode capability rotate` replaced its key"),
            Refusal::Widened { .. } => error.hint("ask whoever gave it for what it lacks"),
            Refusal::Expired { .. } => error.hint("a run's capability ends with the run"),
            Refusal::OtherAudience { .. } => error.hint("use it where it was made for"),
            Refusal::Revoked { .. } => error.hint("ask the operator for a new one"),
            Refusal::Sealed => error.hint("narrow the one that it was made from"),
        }
    }
}

/// What each tier may do at all. A capability may hold less, and never holds more.
#[must_use]
pub fn operations_of(tier: Tier) -> BTreeSet<Operation> {
    let operations: &[Operation] = match tier {
        Tier::Executive => &[
            Operation::Read,
            Operation::Claim,
            Operation::Note,
            Operation::Write,
            Operation::Spawn,
            Operation::Kill,
        ],
        Tier::Implementation => &[Operation::Read, Operation::Work, Operation::Note],
        Tier::Validation => &[Operation::Read, Operation::Review, Operation::Note],
    };
    operations.iter().copied().collect()
}

/// What a principal may do at all: an agent what its tier may, the operator all that is not
/// the runtime's own business.
#[must_use]
pub fn most_of(principal: &Principal) -> BTreeSet<Operation> {
    const OPERATOR: [Operation; 8] = [
        Operation::Read,
        Operation::Note,
        Operation::Work,
        Operation::Claim,
        Operation::Review,
        Operation::Write,
        Operation::Spawn,
        Operation::Kill,
    ];
    match principal {
        Principal::Operator => BTreeSet::from(OPERATOR),
        Principal::Runtime => OPERATOR.into_iter().chain([Operation::Administer]).collect(),
        // A trigger acts in the name of the configuration: it starts, stops and records.
        Principal::Trigger { .. } => operations_of(Tier::Executive),
        Principal::Agent { tier, .. } => operations_of(*tier),
        Principal::Outside { .. } => {
            let mut operations = usual_outside();
            operations.insert(Operation::Review);
            operations
        }
    }
}

/// What somebody outside may do who is given no more: everything that they may at all but review. Whose
/// word is to count for others' work is decided one by one.
#[must_use]
pub fn usual_outside() -> BTreeSet<Operation> {
    [
        Operation::Read,
        Operation::Work,
        Operation::Claim,
        Operation::Note,
    ]
    .into()
}
