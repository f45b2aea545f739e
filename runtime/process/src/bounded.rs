//! A command that may take so long and no longer.

use std::time::Duration;

use tokio::time::timeout;

use crate::{
    error::SpawnError,
    report::{Exit, StopReport},
    run::{Stopper, begin},
    spec::SpawnSpec,
    stop::SETTLE,
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

/// Runs a command to its end, or stops its group at the time limit. When the future is dropped
/// before, the group is killed.
///
/// # Errors
///
/// When it cannot be started.
pub async fn run_to_end(
    spec: SpawnSpec,
    time_limit: Duration,
    grace: Duration,
) -> Result<Finished, SpawnError> {
    let mut process = begin(spec).await?;
    let guard = KillOnDrop(process.stopper());
    if let Ok(exit) = timeout(time_limit, process.wait()).await {
        return Ok(Finished { exit, stopped: None });
    }
    let stopped = guard.0.stop(grace).await;
    // The stop has its own bound. What has not ended after it may never end.
    let exit = match timeout(SETTLE, process.wait()).await {
        Ok(exit) => exit,
        Err(_) => Exit {
            survivors: stopped.survivors,
            ..process.unknown_end()
        },
    };
    Ok(Finished {
        exit,
        stopped: Some(stopped),
    })
}

struct KillOnDrop(Stopper);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.kill_in_background();
    }
}
