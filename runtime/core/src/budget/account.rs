//! What holds for an account, how it stands, and what the journal knows about it.

use super::{Amount, Budget};
use crate::{
    ids::{NodeId, RunId},
    usage::Usage,
};

/// What holds for an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// How much all runs in it and below it may take, ever; of what is only held, at the same time.
    pub limit: Budget,
    /// How many runs may be live in it and below it at the same time; at least one. `None`: as
    /// many as are live, and one more, which then gets all that is left when it asks for no
    /// amount.
    pub places: Option<usize>,
}

/// An account as it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How much it may give.
    pub limit: Budget,
    /// What runs took for good; of live ones only what they say themselves, tokens and money.
    pub spent: Amount,
    /// What is kept for live runs beyond what they took so far.
    pub reserved: Amount,
    /// What can still be granted.
    pub left: Budget,
    /// Live runs in it and below it.
    pub live: usize,
}

/// Why an account cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The account above is not there.
    #[error("account {account} cannot be opened: there is no account {parent} above it")]
    NoParent {
        /// The account.
        account: NodeId,
        /// The one that it is to be below.
        parent: NodeId,
    },
    /// What is spent was counted above; elsewhere it would be missing.
    #[error("account {account} is open already, and below another; an account does not move")]
    Moved {
        /// The account.
        account: NodeId,
    },
}

/// Something that the journal knows about a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// It is over.
    Ended {
        /// Whose it was.
        account: NodeId,
        /// What it took, as its receipt says.
        taken: Amount,
    },
    /// It is live.
    Live {
        /// Which.
        run: RunId,
        /// Whose it is.
        account: NodeId,
        /// What it was granted, as its limits say.
        share: Budget,
        /// What it has taken so far.
        usage: Usage,
    },
}
