//! The coordinator of one machine: the Worknode's own actor decides, one question after the other,
//! and the store has one writer.

use std::{sync::Arc, time::Duration};

use worknode_core::{
    bounds,
    command::Command,
    coordinator::{Claimed, Coordinator, Lease, Released},
    error::{Code, Error},
    ids::NodeId,
    task::{ReleaseCause, TaskCommand},
};
use worknode_policies::authority::Authority;

use crate::{
    claims::{Won, claim},
    system::System,
};

/// Coordinates by asking the runtime of this process, in somebody's name.
#[derive(Clone, Debug)]
pub struct Embedded {
    system: System,
    authority: Arc<Authority>,
}

impl Embedded {
    /// Asks `system` with this authority.
    #[must_use]
    pub const fn new(system: System, authority: Arc<Authority>) -> Self {
        Self { system, authority }
    }

    async fn ask(&self, what: NodeId, command: TaskCommand) -> Result<Won, Error> {
        let answer = self
            .system
            .ask(&self.authority, what, Command::Task(command), None);
        Won::of(answer.await?.node()?)
    }
}

impl Coordinator for Embedded {
    async fn try_claim(&self, what: NodeId, who: NodeId, lease: Duration) -> Claimed {
        claimed(claim(&self.system, &self.authority, what, who, lease).await)
    }

    async fn renew(&self, what: NodeId, fence: u64, lease: Duration) -> Claimed {
        claimed(self.ask(what, TaskCommand::Renew { epoch: fence, lease }).await)
    }

    async fn release(&self, what: NodeId, fence: u64) -> Released {
        let release = Command::Task(TaskCommand::Release {
            epoch: fence,
            cause: ReleaseCause::GivenBack,
            detail: String::new(),
        });
        match self.system.ask(&self.authority, what, release, None).await {
            Ok(_) => Released::Free,
            Err(error) => match Refusal::of(error) {
                Refusal::NotYours => Released::NotHeld,
                Refusal::Busy(retry_after) => Released::Busy { retry_after },
                Refusal::Unknown(why) => Released::Unknown { why },
            },
        }
    }
}

fn claimed(outcome: Result<Won, Error>) -> Claimed {
    match outcome {
        Ok(won) => Claimed::Won(Lease {
            fence: won.epoch,
            until: won.lease_until,
        }),
        Err(error) => match Refusal::of(error) {
            Refusal::NotYours => Claimed::Held,
            Refusal::Busy(retry_after) => Claimed::Busy { retry_after },
            Refusal::Unknown(why) => Claimed::Unknown { why },
        },
    }
}

/// What a refusal says about the hold.
enum Refusal {
    NotYours,
    Busy(Duration),
    Unknown(String),
}

impl Refusal {
    fn of(error: Error) -> Self {
        match error.code {
            Code::Held | Code::StaleEpoch | Code::IllegalTransition => Self::NotYours,
            Code::Backpressure => {
                let wait = error.retry_after_ms.map(Duration::from_millis);
                Self::Busy(wait.unwrap_or(bounds::RETRY_AFTER))
            }
            _ => Self::Unknown(error.message),
        }
    }
}
