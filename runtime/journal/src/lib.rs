//! The event journal and its projections on SQLite.
//!
//! Everything that happens is an event; everything that is follows from events. Both are stored
//! in the same transaction, so they never disagree, and starting after a crash means opening
//! the file: nothing is folded again and there are no snapshots.
//!
//! | module | what it does |
//! |---|---|
//! | `journal` | the handle: append, follow, read, verify, close |
//! | `writer`, `inbox` | the one thread that writes: group commit; what it takes first |
//! | `fold` | what an event does to Worknodes, runs and firings, and which events are refused |
//! | `entry`, `pending`, `cache` | a Worknode in the writer; changes before they are written; what is used often |
//! | `tables`, `rows`, `schema` | how it is stored, and read again |
//! | `chain` | the stored text of an event, and the hash that ties it to the one before |
//! | `stamp` | stamps as row ids |
//! | `open`, `pool` | connections: the writer's, and the readers' |
//! | `reader`, `lookup`, `select`, `events` | questions about what is, over any subtree, and about what happened |
//! | `follow`, `tail` | every event once, in order; the last of them from memory |
//! | `verify` | chain and projections, checked against each other |
//! | [`limits`] | the bounds of all this |
//!
//! # What it promises
//!
//! - **P5** A durable append is acknowledged after its commit is on the disk (`synchronous =
//!   FULL`), a local one before, and says so.
//! - **P6** A second firing of the same occurrence, a second creation of the same Worknode and a
//!   second start of the same run are refused as `already_exists`, also after a restart.
//! - **P8** Queue, groups, pages, caches, connections and waits are bounded: [`limits`].
//! - **P10** Stamps strictly increase, whatever the wall clock does between two starts. What was
//!   changed behind the journal's back is found by [`Reader::verify`].
//! - The state machines of `worknode-core` accept every stored history.

mod cache;
mod chain;
mod entry;
mod error;
mod events;
mod fold;
mod follow;
mod inbox;
mod journal;
pub mod limits;
mod lookup;
mod notes;
mod open;
mod pending;
mod pool;
mod reader;
mod rows;
mod schema;
mod select;
mod stamp;
mod tables;
mod tail;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

pub use error::{AppendError, OpenError, ReadError, StoreError};
pub use events::{Back, EventFilter, Found, RARE};
pub use follow::Follower;
pub use journal::Journal;
pub use reader::{NodeFilter, Reader};
pub use rows::{Count, StoredRun};
pub use select::{Neighbour, Selected, Selector, Span};
pub use verify::{Problem, VerifyReport};
pub use worknode_core::firing::Firing;
pub use writer::Durability;
