//! What came before what, and what led to it.
//!
//! Stamps put all events into one order; not everything in it is connected. Event `a` *happened
//! before* `b` when both are of one origin and `a` came first there, when `a` is the cause that
//! `b` names ([`Record::cause`]), or over several such steps. Events of which neither happened
//! before the other are concurrent: their stamps order them, and nothing else does.
//!
//! [`relation`] answers that for two events, [`merge_streams`] puts two streams into one order,
//! and [`why`] tells the causes of one event, one by one.

mod implied;
mod streams;
#[cfg(test)]
mod tests;
mod why;

use std::{cmp::Ordering, collections::BTreeSet};

pub use streams::{StreamError, merge_streams};
pub use why::{End, How, LINKS, Link, Why, why};

use crate::{event::Record, hlc::Hlc, ids::NodeId};

/// Events that are looked at for one [`relation`] at the most.
pub const LOOKED_AT: usize = 10_000;

/// Where events can be looked up.
pub trait History {
    /// Why it cannot be read.
    type Error;

    /// The event at exactly this stamp, when it is known here.
    ///
    /// # Errors
    /// When the history cannot be read.
    fn event(&self, at: Hlc) -> Result<Option<Record>, Self::Error>;

    /// The last event of the same origin before this stamp.
    ///
    /// # Errors
    /// When the history cannot be read.
    fn previous(&self, at: Hlc) -> Result<Option<Record>, Self::Error>;

    /// The last events of a Worknode before this stamp that have one of these types, newest
    /// first, at most `limit`.
    ///
    /// # Errors
    /// When the history cannot be read.
    fn of_node(
        &self,
        node: NodeId,
        before: Hlc,
        types: &[&'static str],
        limit: usize,
    ) -> Result<Vec<Record>, Self::Error>;
}

/// How two events stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The first happened before the second.
    Before,
    /// The second happened before the first.
    After,
    /// They are one event.
    Same,
    /// Neither happened before the other.
    Concurrent,
}

/// The relation of two events is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unrelated<E> {
    /// The history could not be read.
    #[error(transparent)]
    History(#[from] E),
    /// Too much happened in between.
    #[error(
        "{LOOKED_AT} events between {from} and {to} were looked at, and neither was found to have led to the other"
    )]
    TooFar {
        /// The earlier stamp.
        from: Hlc,
        /// The later stamp.
        to: Hlc,
    },
}

/// How `a` stands to `b`. An event that the history does not hold ends the walk on its path: what
/// is not known to be connected counts as concurrent.
///
/// # Errors
/// [`Unrelated::TooFar`] when more than [`LOOKED_AT`] events lie in between; what the history says.
pub fn relation<H: History>(history: &H, a: &Record, b: &Record) -> Result<Relation, Unrelated<H::Error>> {
    // A cause has a lower stamp than what it led to, so only one direction is possible.
    let (earlier, later, found) = match a.at.cmp(&b.at) {
        Ordering::Equal => return Ok(Relation::Same),
        Ordering::Less => (a, b, Relation::Before),
        Ordering::Greater => (b, a, Relation::After),
    };
    Ok(if led_to(history, earlier.at, later)? {
        found
    } else {
        Relation::Concurrent
    })
}

/// Did `from` happen before `to`? Walks back from `to`, the highest stamp first, along its origin
/// and along the causes. Below the stamp of `from` nothing can be that `from` led to.
fn led_to<H: History>(history: &H, from: Hlc, to: &Record) -> Result<bool, Unrelated<H::Error>> {
    // What is added is lower than what was taken out, so nothing comes twice.
    let mut open = BTreeSet::from([to.at]);
    for _ in 0..LOOKED_AT {
        let Some(at) = open.pop_last() else {
            return Ok(false);
        };
        if at.origin == from.origin {
            return Ok(true);
        }
        let cause = if at == to.at {
            to.cause
        } else {
            history.event(at)?.and_then(|record| record.cause)
        };
        let previous = history.previous(at)?.map(|record| record.at);
        let earlier = [cause, previous].into_iter().flatten();
        open.extend(earlier.filter(|stamp| (from..at).contains(stamp)));
    }
    Err(Unrelated::TooFar { from, to: to.at })
}
