//! The system's clock, and waiting for a wall-clock instant.

use std::{sync::Arc, time::Duration};

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
