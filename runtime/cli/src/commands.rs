//! One file per command.

pub(crate) mod agent;
pub(crate) mod audit;
pub(crate) mod capability;
pub(crate) mod check;
pub(crate) mod claims;
pub(crate) mod continuation;
pub(crate) mod dead_letter;
pub(crate) mod decision;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod down;
mod dry;
pub(crate) mod emit;
pub(crate) mod escalation;
pub(crate) mod estimates;
pub(crate) mod events;
pub(crate) mod gate;
pub(crate) mod hold;
pub(crate) mod hook;
pub(crate) mod hooks;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod issue;
pub(crate) mod kill;
pub(crate) mod logs;
pub(crate) mod man;
pub(crate) mod mcp;
pub(crate) mod membrane;
pub(crate) mod memory;
pub(crate) mod message;
pub(crate) mod node;
pub(crate) mod plan;
pub(crate) mod prompts;
pub(crate) mod ps;
pub(crate) mod reload;
pub(crate) mod report;
pub(crate) mod review;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod search;
pub(crate) mod spawn;
pub(crate) mod status;
mod tail;
pub(crate) mod task;
pub(crate) mod top;
pub(crate) mod tree;
pub(crate) mod trigger;
pub(crate) mod up;
mod watch;
pub(crate) mod why;

use std::future::Future;

use worknode_core::error::{Code, Error};
use worknode_journal::Reader;

use crate::place::Place;

/// Asks the daemon, or reads the store when there is none.
pub(crate) async fn ask_or_read<T>(
    place: &Place,
    ask: impl Future<Output = Result<T, Error>>,
    read: impl FnOnce(&Reader) -> Result<T, Error>,
) -> Result<T, Error> {
    match ask.await {
        Err(error) if is_off(place, &error) => read(&place.reader()?),
        answer => answer,
    }
}

/// Does no daemon run here, so that what stands here is all there is to know? What another machine's daemon
/// would say stands in no file here.
fn is_off(place: &Place, error: &Error) -> bool {
    error.code == Code::Unreachable && place.server.is_none()
}

/// Now, for reading without a daemon.
pub(crate) fn now() -> worknode_core::time::Timestamp {
    use worknode_core::time::Clock;
    worknode_actors::clock::SystemClock.now()
}
