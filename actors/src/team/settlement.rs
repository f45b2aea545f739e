//! What becomes of a claim whose run is not seen to live. Pure.

use worknode_core::{
    agent::ended,
    run::{Ending, Receipt, RunStatus},
    task::ReleaseCause,
};

/// What to do about the claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settlement {
    /// Nothing: its run lives after all, and keeps it.
    Keep,
    /// Hand in what the run left; where that is nothing, take the claim back.
    HandIn,
    /// Take the claim back.
    Release(ReleaseCause, String),
}

/// Decides by what is stored of the claim's run. A claim is taken back or handed in only for a run
/// that is proved over, or that never came to be (P2).
pub(crate) fn settlement(run: Option<&RunStatus>) -> Settlement {
    match run {
        Some(RunStatus::Exited { receipt }) if receipt.is_clean() => Settlement::HandIn,
        Some(RunStatus::Exited { receipt }) => Settlement::Release(release_cause(receipt), ended(receipt)),
        Some(_) => Settlement::Keep,
        None => Settlement::Release(ReleaseCause::NotStarted, "the run was never started".to_owned()),
    }
}

fn release_cause(receipt: &Receipt) -> ReleaseCause {
    if receipt.blameless {
        return ReleaseCause::Provider;
    }
    match (&receipt.cause, &receipt.ending) {
        (Some(cause), _) if cause.is_limit() => ReleaseCause::Limit,
        (Some(_), _) => ReleaseCause::Stopped,
        (None, Ending::NotStarted { .. }) => ReleaseCause::NotStarted,
        (None, _) => ReleaseCause::Crashed,
    }
}
