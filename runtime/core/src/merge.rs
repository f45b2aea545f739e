//! State that several machines write at the same time and that still becomes one.
//!
//! On one machine the journal's writer puts everything in order. Between machines that are cut
//! off from each other nobody does, so what is `eventual` is built of values whose merge does not
//! care about order, about repetition or about who merges with whom:
//!
//! | type | for | two write at once |
//! |---|---|---|
//! | [`Lww`] | a register: title, status text | the later stamp stays |
//! | [`LwwMap`] | attributes by name | per name, as above; a deletion is a write |
//! | [`OrSet`] | assignees, tags, completed subtasks | an addition wins over a removal that has not seen it |
//! | [`Claims`] | who claimed a task | all are kept, one rule names the winner |
//! | [`Seen`] | what a replica has received | the union |
//!
//! Each can be driven in two ways, and both may be mixed: an *operation* is carried by an event
//! and applied with that event's stamp (`apply(&op, at)`, in any order, as often as it comes), or
//! a whole *state* is merged into another (`merge(&other)`).
//!
//! **Stamps are dots.** An [`Hlc`](crate::hlc::Hlc) names one event of one origin and is never
//! given twice, so it serves as order and as identity. What is relied on: an origin's events
//! reach a replica in that origin's order, and a replica's clock has observed what it received.
//!
//! **Bounds** are kept where an operation is made: one entry more than
//! [`MERGED_ENTRIES`](crate::bounds::MERGED_ENTRIES) is refused there. What is made elsewhere is
//! taken always, for a replica that refuses what another took would never agree with it.

mod claims;
#[cfg(test)]
mod histories;
mod json;
mod lww;
mod or_set;
mod pairs;
mod seen;
#[cfg(test)]
mod tests;
mod unknown;

pub use claims::{Bid, Claims, Standing};
pub use json::Json;
pub use lww::{Lww, LwwMap, LwwOp};
pub use or_set::{OrSet, OrSetOp};
pub use seen::{Gap, Seen};
pub use unknown::Unknown;

use crate::error::{Code, Error};

/// The value holds as many entries as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{entries} entries are in it already, deleted ones included; more than {limit} are refused")]
pub struct Full {
    /// How many there are.
    pub entries: usize,
    /// How many there may be.
    pub limit: usize,
}

impl From<Full> for Error {
    fn from(full: Full) -> Self {
        Self::new(Code::LimitReached, full.to_string())
            .hint("remove entries that nobody needs, or keep them in Worknodes of their own")
    }
}
