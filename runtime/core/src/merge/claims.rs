//! Claims that were made at the same time on machines that could not ask each other.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::{Full, OrSet, OrSetOp, Seen};
use crate::{
    hlc::Hlc,
    ids::{NodeId, RunId},
};

/// One agent's claim on a task, as it was made on its own machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Bid {
    /// Who claims it.
    pub agent: NodeId,
    /// For which run.
    pub run: RunId,
    /// Which claim of the task it was, counted where it was made.
    pub epoch: u64,
}

/// A claim that stands, with the stamp of the event that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The claim.
    pub bid: Bid,
    /// When it was made.
    pub at: Hlc,
}

/// All claims of one task in `eventual` mode: kept side by side until one rule has named the
/// winner and the losers have given way.
///
/// **The rule:** the highest epoch; of these the earliest stamp; of these (same millisecond, same
/// count) the lowest origin. Who knew of more claims decided with more knowledge, and among
/// equals who was first stays. Every replica that has seen the same claims names the same one.
///
/// A loser is told to stop, its work is kept as a patch, and then its claim is withdrawn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Claims(OrSet<Bid>);

impl Claims {
    /// No claims.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Claims here, at `at`, and gives the operation for the others; `None` when this claim
    /// stands already, because claiming again must not cost it its place.
    ///
    /// # Errors
    /// [`Full`] when there are too many claims.
    pub fn bid(&mut self, bid: Bid, at: Hlc) -> Result<Option<OrSetOp<Bid>>, Full> {
        if self.0.contains(&bid) {
            return Ok(None);
        }
        self.0.add(bid, at).map(Some)
    }

    /// Takes a claim back here, and gives the operation for the others; `None` when there is no
    /// such claim.
    pub fn withdraw(&mut self, bid: &Bid) -> Option<OrSetOp<Bid>> {
        self.0.remove(bid)
    }

    /// Applies an operation of the event `at`; true when the claims are others now.
    pub fn apply(&mut self, op: &OrSetOp<Bid>, at: Hlc) -> bool {
        self.0.apply(op, at)
    }

    /// Takes over what the other replica knows.
    pub fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0);
    }

    /// Forgets withdrawn claims: see [`OrSet::collect`].
    pub fn collect(&mut self, seen: &Seen) {
        self.0.collect(seen);
    }

    /// The claim that holds.
    #[must_use]
    pub fn winner(&self) -> Option<Standing> {
        self.standing().min_by_key(precedence)
    }

    /// The claims that have to give way, in the order in which they would have won.
    #[must_use]
    pub fn losers(&self) -> Vec<Standing> {
        let mut all: Vec<Standing> = self.standing().collect();
        all.sort_unstable_by_key(precedence);
        all.into_iter().skip(1).collect()
    }

    /// The epoch for the next claim: above every one that is known here.
    #[must_use]
    pub fn next_epoch(&self) -> u64 {
        let highest = self.0.iter().map(|bid| bid.epoch).max();
        highest.map_or(1, |epoch| epoch.saturating_add(1))
    }

    fn standing(&self) -> impl Iterator<Item = Standing> {
        let first = |bid: &Bid| {
            Some(Standing {
                bid: *bid,
                at: self.0.dots(bid).next()?,
            })
        };
        self.0.iter().filter_map(first)
    }
}

/// Least first. A stamp's order ends with its origin; the claim itself comes last, for an event
/// that made two.
fn precedence(claim: &Standing) -> (Reverse<u64>, Hlc, Bid) {
    (Reverse(claim.bid.epoch), claim.at, claim.bid)
}
