//! A command that may take so long and no longer.

use std::time::Duration;

use tokio::time::timeout;

use crate::{
    error::SpawnError,
    handle::Stopper,
    report::{Exit, StopReport},
    run::{RunRequest, begin},
};

/// How a bounded command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its end.
    pub exit: Exit,
    /// What the stop at the time limit did; `None` when it ended by itself.
    pub stopped: Option<StopReport>,
}

impl Finished {
    /// True when it was stopped at its time limit.
    #[must_use]
    pub const fn timed_out(&self) -> bool {
        self.stopped.is_some()
    }
}

/// Runs a command of the runtime's own to its end, or stops it at the time limit. When the
/// future is dropped before, it is killed.
///
/// # Errors
///
/// When it cannot be started.
pub async fn run_to_end(
    request: RunRequest,
    time_limit: Duration,
    grace: Duration,
) -> Result<Finished, SpawnError> {
    let shim = begin(request).await?;
    let guard = KillOnDrop(shim.stopper());
    if let Ok(exit) = timeout(time_limit, shim.wait()).await {
        return Ok(Finished { exit, stopped: None });
    }
    let stopped = guard.0.stop(grace).await;
    Ok(Finished {
        exit: shim.wait().await,
        stopped: Some(stopped),
    })
}

struct KillOnDrop(Stopper);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.kill_in_background();
    }
}
