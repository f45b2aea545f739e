//! What a firing does. Each action has a file of its own, and can be done again after a crash: it
//! is not doubled, or says that it was interrupted.
//!
//! All that a trigger does it asks for as anybody else would: by commands, in its own name, through
//! the membranes and past the guard.

mod command;
mod emit;
mod escalate;
mod gate;
mod notify;
mod signature;
pub(super) mod spawn;
mod terminate;
mod text;
mod webhook;

pub(crate) use self::spawn::PHASE as TRIGGERED;

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use worknode_core::event::Draft;
use worknode_triggers::trigger::{Action, Recipient};

use super::job::{Came, Job};
use crate::system::System;

/// A deed that is an event: stored together with its firing and its outcome.
#[derive(Debug)]
pub(super) struct Deed {
    pub(super) drafts: Vec<Draft>,
    pub(super) came: Came,
}

/// How much is done at the same time, so that what takes long keeps nothing else waiting.
#[derive(Clone, Debug)]
pub(super) struct Lanes {
    quick: Arc<Semaphore>,
    webhooks: Arc<Semaphore>,
    commands: Arc<Semaphore>,
    gates: Arc<Semaphore>,
}

impl Default for Lanes {
    fn default() -> Self {
        let lane = |width| Arc::new(Semaphore::new(width));
        Self {
            quick: lane(64),
            webhooks: lane(32),
            commands: lane(4),
            gates: lane(1),
        }
    }
}

impl Lanes {
    /// A place in the lane of this action, as soon as there is one.
    pub(super) async fn enter(&self, action: &Action) -> Option<OwnedSemaphorePermit> {
        let lane = match action {
            Action::Run(_)
            | Action::Notify {
                to: Recipient::Command(_),
                ..
            } => &self.commands,
            Action::Notify {
                to: Recipient::Webhook(_),
                ..
            } => &self.webhooks,
            Action::Gate(_) => &self.gates,
            Action::Spawn(_)
            | Action::Terminate { .. }
            | Action::Notify { .. }
            | Action::Escalate(_)
            | Action::Emit(_) => &self.quick,
        };
        // Nobody closes a lane.
        Arc::clone(lane).acquire_owned().await.ok()
    }
}

/// The deed, when it is nothing but events: a message to a person, a task.
pub(super) async fn at_once(system: &System, job: &Job) -> Option<Deed> {
    match job.action.as_ref() {
        Action::Notify { to, message } => notify::at_once(system, job, to, message.as_deref()),
        Action::Spawn(spec) => spawn::task(system, job, spec).await,
        Action::Terminate { .. }
        | Action::Escalate(_)
        | Action::Gate(_)
        | Action::Emit(_)
        | Action::Run(_) => None,
    }
}

/// Does it.
pub(super) async fn perform(system: &System, job: &Job) -> Came {
    let came = match job.action.as_ref() {
        Action::Spawn(spec) => spawn::run(system, job, spec).await,
        Action::Terminate {
            agents,
            condition,
            reason,
            grace,
        } => {
            let grace = grace.map(|span| span.0);
            terminate::agents(system, job, (agents, condition.as_ref()), reason, grace).await
        }
        Action::Notify { to, message } => notify::send(system, job, to, message.as_deref()).await,
        Action::Escalate(spec) => escalate::raise(system, job, spec).await,
        Action::Gate(spec) => gate::run(system, job, spec).await,
        Action::Emit(spec) => emit::event(system, job, spec).await,
        Action::Run(spec) => command::run(system, job, spec).await,
    };
    came.unwrap_or_else(|error| Came::Failed(error.to_string()))
}
