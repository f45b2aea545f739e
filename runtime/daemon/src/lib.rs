//! The composition root: everything below is put together here and given to the world.
//!
//! | module | what it does |
//! |---|---|
//! | [`config`] | reads the configuration, and finds every mistake in it at once |
//! | [`daemon`] | takes charge of a directory, and lets go of it, in order |
//! | `http`, [`door`] | the API, and where it listens |
//! | [`view`] | what people and programs see of the tree |
//! | `tls` | the certificate by which it proves itself to other machines |
//! | [`lock`], [`keys`] | one daemon per store; its keys |
//! | `observation` | what others watch of it: numbers and traces |
//! | [`reload`] | the configuration of a daemon that runs, read anew |
//! | [`import`] | agents that other programs know, as profiles |
//! | [`triggers`] | triggers for people: when, what, what if; added and removed |

pub mod config;
pub mod daemon;
pub mod door;
mod http;
pub mod import;
pub mod keys;
pub mod lock;
pub mod mcp;
mod observation;
pub mod reload;
mod tls;
pub mod triggers;
pub mod verdicts;
pub mod view;

pub use http::{answer_schema, openapi};
