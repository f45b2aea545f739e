//! The system's clock, waiting for a wall-clock instant, and the alarm that wakes an actor at one.

use std::{sync::Arc, time::Duration};

use ractor::{ActorRef, Message};
use tokio::task::JoinHandle;
use worknode_core::time::{Clock, Timestamp};

/// The wall clock of this machine. The only place of the product that reads it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everybody else asks"
    )]
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Timestamp::from_millis(worknode_core::time::millis(since_epoch))
    }
}

/// The longest sleep without looking at the wall clock again: it may be stepped, and the
/// machine may be suspended, while a timer that counts from its start sees nothing of either.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Waits until `clock` shows `instant`, which may never come when it is `None`.
pub async fn sleep_until(clock: &Arc<dyn Clock>, instant: Option<Timestamp>) {
    let Some(instant) = instant else {
        return std::future::pending().await;
    };
    loop {
        let left = instant.since(clock.now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LOOK_AGAIN)).await;
    }
}

/// The one alarm of an actor: sends it a message when the clock shows an instant. It goes with its
/// owner.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Option<(Timestamp, JoinHandle<()>)>);

impl Alarm {
    /// Rings at `instant` with `message`, and at no other time any more; never, when it is `None`. An
    /// alarm that stands for that instant goes on.
    pub(crate) fn set<M: Message>(
        &mut self,
        clock: &Arc<dyn Clock>,
        instant: Option<Timestamp>,
        owner: &ActorRef<M>,
        message: M,
    ) {
        if instant == self.0.as_ref().map(|(at, _)| *at) {
            return;
        }
        self.clear();
        self.0 = instant.map(|at| {
            let (clock, owner) = (Arc::clone(clock), owner.clone());
            let ringing = async move {
                sleep_until(&clock, Some(at)).await;
                // An owner that is gone has nothing to wake for.
                let _ = owner.send_message(message);
            };
            (at, tokio::spawn(ringing))
        });
    }

    /// It rang, or is not wanted any more. To be said when the message has come, so that it can be set
    /// for the same instant again.
    pub(crate) fn clear(&mut self) {
        if let Some((_, ringing)) = self.0.take() {
            ringing.abort();
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.clear();
    }
}
