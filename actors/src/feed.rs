//! The feed: what the journal has stored, handed to an actor batch by batch.
//!
//! Actors that react to what happens elsewhere follow the journal instead of being told by
//! whoever did it: nothing is forgotten, the order is the order of everything, and after a
//! crash an actor looks at the stored state and follows on. At most one batch is under way to
//! an actor; the rest waits in the store.

use std::sync::Arc;

use ractor::{ActorRef, Message};
use tokio::sync::oneshot;
use worknode_core::{event::Record, hlc::Hlc};
use worknode_journal::Journal;

/// Records of one batch at most.
const BATCH: usize = 1_024;

/// A batch on its way. Dropping it asks for the next.
#[derive(Debug)]
pub struct Batch {
    /// What happened, in order.
    pub records: Vec<Arc<Record>>,
    _done: oneshot::Sender<()>,
}

/// Hands everything after `after` to `actor`, until the actor or the journal is gone.
pub(crate) fn follow<M: Message>(
    journal: &Journal,
    after: Hlc,
    actor: ActorRef<M>,
    wrap: impl Fn(Batch) -> M + Send + 'static,
) {
    let mut follower = journal.follow(after);
    tokio::spawn(async move {
        loop {
            let records = match follower.next(BATCH).await {
                Ok(records) => records,
                Err(error) => {
                    tracing::debug!(%error, "the feed ends");
                    return;
                }
            };
            let (done, handled) = oneshot::channel();
            if actor.send_message(wrap(Batch { records, _done: done })).is_err() {
                return;
            }
            // Resolves with an error when the batch is dropped: that is the signal.
            let _ = handled.await;
        }
    });
}
