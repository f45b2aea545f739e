//! The membrane: what stands in front of every Worknode's mailbox.
//!
//! ractor's mailboxes are unbounded, so admission is ours. A message is admitted when its
//! sender may ask it (authorise), and when the mailbox has room (bound); progress reports of a
//! flood collapse into the newest (conflate). The permit that a message holds travels inside
//! it and comes back when the message is dropped, handled or not, so a killed actor leaks none.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use worknode_core::{
    bounds,
    command::Command,
    error::Error,
    event::Record,
    hlc::Hlc,
    ids::NodeId,
    node::Node,
    task::{LandPermit, TaskCommand},
};
use worknode_policies::authority::{Authority, Target, authorise};

use crate::ancestry::Ancestry;

/// What came of a command.
#[derive(Debug)]
pub enum Reply {
    /// It was decided and stored.
    Done {
        /// The Worknode afterwards.
        node: Arc<Node>,
        /// What was stored; nothing when there was nothing left to do.
        records: Vec<Record>,
        /// For `begin_landing`: the permission to land.
        permit: Option<LandPermit>,
    },
    /// A progress report that a newer one replaced before it was looked at.
    Conflated,
}

/// A command on its way to a Worknode.
#[derive(Debug)]
pub struct Ask {
    /// Who asks, and what they may do.
    pub authority: Arc<Authority>,
    /// What is asked.
    pub command: Command,
    /// The event that led to it.
    pub cause: Option<Hlc>,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Reply, Error>>,
}

impl Ask {
    /// Answers; an asker that has gone away is nobody's loss.
    pub(crate) fn answer(self, answer: Result<Reply, Error>) {
        let _ = self.reply.send(answer);
    }
}

/// A command that may enter the mailbox. Holds its place there.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) ask: Ask,
    _place: OwnedSemaphorePermit,
}

/// What the membrane made of a message.
#[derive(Debug)]
pub(crate) enum Admission {
    /// Put this into the mailbox.
    Message(Box<Admitted>),
    /// Put a note into the mailbox that a progress report waits.
    ProgressWaits,
    /// Nothing to do: answered here, or the note is in the mailbox already.
    Settled,
}

/// The membrane of one active Worknode.
#[derive(Debug)]
pub(crate) struct Membrane {
    node: NodeId,
    ancestry: Ancestry,
    places: Arc<Semaphore>,
    progress: Mutex<Option<Ask>>,
}

impl Membrane {
    /// In front of `node`.
    pub(crate) fn new(node: NodeId, ancestry: Ancestry) -> Self {
        Self {
            node,
            ancestry,
            places: Arc::new(Semaphore::new(bounds::MAILBOX)),
            progress: Mutex::new(None),
        }
    }

    /// Lets `ask` in, or answers it.
    pub(crate) fn admit(&self, ask: Ask) -> Admission {
        if let Err(refusal) = self.authorise(&ask, None) {
            ask.answer(Err(refusal));
            return Admission::Settled;
        }
        if matches!(ask.command, Command::Task(TaskCommand::Progress { .. })) {
            return self.conflate(ask);
        }
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => Admission::Message(Box::new(Admitted { ask, _place: place })),
            Err(_) => {
                ask.answer(Err(Error::backpressure("the mailbox of this Worknode")));
                Admission::Settled
            }
        }
    }

    /// May the sender ask this? `submitted_by` is known only once the state is at hand.
    pub(crate) fn authorise(&self, ask: &Ask, submitted_by: Option<NodeId>) -> Result<(), Error> {
        let target = Target {
            node: self.node,
            ancestors: &self.ancestry.now()?,
            submitted_by,
        };
        authorise(&ask.authority, &ask.command, &target)
    }

    /// The progress report that waits, if one still does.
    pub(crate) fn take_progress(&self) -> Option<Ask> {
        self.waiting().take()
    }

    /// Last one wins; the one that is replaced is told so.
    fn conflate(&self, ask: Ask) -> Admission {
        let replaced = self.waiting().replace(ask);
        match replaced {
            None => Admission::ProgressWaits,
            Some(older) => {
                older.answer(Ok(Reply::Conflated));
                Admission::Settled
            }
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Option<Ask>> {
        // Held for one swap; a panic in between is impossible, so poison carries no meaning.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
