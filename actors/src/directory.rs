//! The directory: which Worknodes are active, and the way to each.
//!
//! A Worknode is data in the store until somebody asks it something; then it becomes an actor,
//! and after a while of silence it is passivated again. All messages go through here, so a
//! Worknode has at most one actor at any time: while one is leaving, its messages wait.
//!
//! Whoever asks looks here in its own time, and wakes up whom it asks: thousands who ask thousands do
//! not stand in one queue. The directory's own actor supervises those that are awake, and puts the
//! idle ones to rest.

mod active;

use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

pub(crate) use self::active::ActiveNodes;
pub use self::active::Mailboxes;
use crate::{messages::DirectoryMsg, system::System};

/// How long a Worknode stays active without being asked.
const IDLE: Duration = Duration::from_secs(60);
/// How often the directory looks for idle ones.
const SWEEP: Duration = Duration::from_secs(15);

/// The actor.
#[derive(Debug)]
pub(crate) struct Directory;

impl Actor for Directory {
    type Msg = DirectoryMsg;
    type State = System;
    type Arguments = System;

    async fn pre_start(
        &self,
        myself: ActorRef<DirectoryMsg>,
        system: System,
    ) -> Result<System, ActorProcessingErr> {
        system.active().open(myself.get_cell());
        myself.send_interval(SWEEP, || DirectoryMsg::Sweep(IDLE));
        Ok(system)
    }

    async fn handle(
        &self,
        _: ActorRef<DirectoryMsg>,
        message: DirectoryMsg,
        system: &mut System,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            DirectoryMsg::Sweep(idle) => system.active().sweep(idle),
            DirectoryMsg::Count(reply) => {
                let _ = reply.send(system.active().count());
            }
        }
        Ok(())
    }

    /// A Worknode that ends, by passivation or by a defect, is data again. ractor's default
    /// would end the directory with it.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<DirectoryMsg>,
        event: SupervisionEvent,
        system: &mut System,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(who, _, _) => system.active().left(system, who.get_id()),
            SupervisionEvent::ActorFailed(who, error) => {
                tracing::error!(%error, "a Worknode's actor failed; it starts again from the store");
                system.active().left(system, who.get_id());
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<DirectoryMsg>,
        system: &mut System,
    ) -> Result<(), ActorProcessingErr> {
        system.active().close();
        Ok(())
    }
}
