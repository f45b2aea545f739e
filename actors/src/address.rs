//! Where an actor can be reached, across its restarts.

use ractor::{ActorRef, Message};
use tokio::sync::watch;
use worknode_core::error::{Code, Error};

/// The address of an actor that its supervisor may replace. Cheap to clone.
#[derive(Debug)]
pub struct Address<M: Message>(watch::Receiver<Option<ActorRef<M>>>);

impl<M: Message> Clone for Address<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The supervisor's side of an [`Address`].
#[derive(Debug)]
pub struct Slot<M: Message>(watch::Sender<Option<ActorRef<M>>>);

/// A new address that nobody lives at yet.
#[must_use]
pub fn address<M: Message>() -> (Slot<M>, Address<M>) {
    let (sender, receiver) = watch::channel(None);
    (Slot(sender), Address(receiver))
}

impl<M: Message> Slot<M> {
    /// From now on, `actor` lives here.
    pub fn moved_in(&self, actor: ActorRef<M>) {
        self.0.send_replace(Some(actor));
    }
}

impl<M: Message> Address<M> {
    /// Sends `message` to whoever lives here.
    ///
    /// # Errors
    /// `failed` when nobody does: the actor is being restarted, or the runtime shuts down.
    pub fn tell(&self, message: M) -> Result<(), Error> {
        let actor = self.0.borrow().clone();
        match actor {
            Some(actor) => actor.send_message(message).map_err(|_| gone()),
            None => Err(gone()),
        }
    }
}

pub(crate) fn gone() -> Error {
    Error::new(Code::Failed, "the runtime is starting or shutting down").hint("try again in a moment")
}
