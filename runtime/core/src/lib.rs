//! Vocabulary and rules of Worknode.
//!
//! Everything in this crate is pure: no I/O, no async, no clock reads, no randomness.
//! Time and random bits come in as arguments, decisions go out as data. What the property
//! tests exercise here is the code that ships.
//!
//! | module | what it holds |
//! |---|---|
//! | [`ids`] | typed identities (UUIDv7) |
//! | [`time`] | instants, durations as people write them, the [`time::Clock`] seam |
//! | [`git`] | names of git objects |
//! | [`hlc`] | hybrid logical clock: the order of all events |
//! | [`causality`] | what came before what, and what led to it |
//! | [`merge`] | values that several machines write at once and that become one |
//! | [`bounds`] | every default limit, with its reason |
//! | [`error`] | stable error codes and the exit code of each |
//! | [`event`] | everything that can have happened |
//! | [`command`] | everything that can be asked of a Worknode |
//! | [`node`] | a Worknode's state, folded from its events |
//! | [`kind`], [`body`], [`membrane`] | what sort of thing it is, what it carries, what stands in front of it |
//! | [`letter`] | events that were refused and are kept |
//! | [`task`], [`run`], [`agent`] | the three state machines: `decide` and `apply` |
//! | [`firing`], [`trigger`] | one occurrence of a trigger, which acts once; what is known of a trigger |
//! | [`verdict`] | what a gate found on a named tree |
//! | [`raise`] | more rights than usual, for a bounded time |
//! | [`restart`] | restart intensity, backoff and strategies, with OTP's meaning |
//! | [`lineage`] | what whoever spawned an agent hands on to it |
//! | [`permission`] | what a run's program may only when a person allows it |
//! | [`usage`] | what a run has used, and why one gets nowhere |
//! | [`budget`] | tokens and money, reserved down the tree |
//! | [`governor`] | runs on the same credentials pause and go on together |
//! | [`trace`] | where in a trace something is, as other programs are told |
//! | [`amount`] | bytes and dollars as people write them |

pub mod agent;
#[cfg(test)]
mod agent_tests;
pub mod amount;
pub mod body;
pub mod bounds;
pub mod budget;
pub mod causality;
pub mod command;
pub mod coordinator;
pub mod error;
pub mod escalation;
pub mod event;
pub mod firing;
pub mod git;
pub mod governor;
pub mod hlc;
pub mod ids;
pub mod kind;
pub mod letter;
pub mod lineage;
pub mod membrane;
pub mod merge;
pub mod message;
pub mod node;
pub mod permission;
pub mod raise;
pub mod restart;
pub mod run;
pub mod task;
pub mod time;
pub mod trace;
pub mod trigger;
pub mod usage;
pub mod verdict;
