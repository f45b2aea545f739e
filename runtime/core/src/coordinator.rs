//! The seam behind which one machine, or a cluster, decides who holds what.
//!
//! An answer is never a guess: whoever cannot learn the outcome says so, and the asker, who may hold
//! it by now, treats it as held by nobody it may act for.

use std::{future::Future, time::Duration};

use crate::{ids::NodeId, time::Timestamp};

/// A hold that was won.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Higher than that of every hold before it: later writes show it.
    pub fence: u64,
    /// Until when it holds without renewal.
    pub until: Timestamp,
}

/// What came of a claim or a renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It is held by the asker.
    Won(Lease),
    /// It is not the asker's: another holds it, or it is not to be had.
    Held,
    /// Nothing was decided: too much at once.
    Busy {
        /// When to ask again.
        retry_after: Duration,
    },
    /// Whether it is held by the asker could not be learned.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// What came of giving something back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Released {
    /// It is free.
    Free,
    /// It was not held under this fence.
    NotHeld,
    /// Nothing was decided: too much at once.
    Busy {
        /// When to ask again.
        retry_after: Duration,
    },
    /// What came of it could not be learned.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// Decides who holds what: one winner, whoever asks and from wherever.
pub trait Coordinator: Send + Sync {
    /// Tries to get hold of `what` for `who`.
    fn try_claim(&self, what: NodeId, who: NodeId, lease: Duration) -> impl Future<Output = Claimed> + Send;

    /// Keeps a hold: its lease begins anew, under the same fence.
    fn renew(&self, what: NodeId, fence: u64, lease: Duration) -> impl Future<Output = Claimed> + Send;

    /// Gives a hold back.
    fn release(&self, what: NodeId, fence: u64) -> impl Future<Output = Released> + Send;
}
