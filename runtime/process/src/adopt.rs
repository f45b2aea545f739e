//! Take over a run that an earlier daemon started.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use worknode_core::ids::RunId;

use crate::{
    handle::Shim,
    identity::Look,
    link::Place,
    lost,
    marked::{MARK, SHIM_MARK, find_marked},
    record,
    report::Exit,
    secret::Secret,
    wire::START_TIME,
};

/// How long a shim that lives may take to be reachable.
const PATIENCE: Duration = START_TIME.saturating_add(Duration::from_secs(5));
const PAUSE: Duration = Duration::from_millis(20);
/// How often a shim may close the connection at the secret. It also does when it is just ending.
const REFUSALS: u32 = 5;

/// What became of a run.
#[derive(Debug)]
pub enum Adopted {
    /// It lives.
    Live(Shim),
    /// It has ended, and its shim left the record.
    Ended(Exit),
    /// Its agent was never started.
    NeverStarted,
    /// Its shim died without a record. Everything that it left was ended; how the agent ended
    /// cannot be told.
    Lost(Exit),
}

/// Why a run could not be taken over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// A record cannot be read.
    #[error("the record of run {run} in `{}` cannot be read: {reason}", .dir.display())]
    Record {
        /// The run.
        run: RunId,
        /// Its directory.
        dir: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The shim does not take the secret.
    #[error("the shim of run {run} refuses this daemon: it was started by one with another key")]
    Refused {
        /// The run.
        run: RunId,
    },
    /// The shim lives and cannot be reached.
    #[error("the shim of run {run} lives and cannot be reached: {reason}")]
    Unreachable {
        /// The run.
        run: RunId,
        /// What the system said.
        reason: io::Error,
    },
}

/// Takes over the run whose directory is `dir`. Loses and doubles nothing: the output is in the
/// files, the counts are the shim's, the end is in its record.
///
/// # Errors
/// When it lives and cannot be reached, or its record cannot be read.
pub async fn adopt(dir: &Path, run: RunId, secret: &Secret) -> Result<Adopted, AdoptError> {
    let place = Place {
        dir: dir.to_path_buf(),
        run,
        secret: secret.clone(),
    };
    let deadline = Instant::now() + PATIENCE;
    let mut refusals = 0;
    loop {
        // Before the look at the record of the end: a shim that dies in between has left it.
        let alive = alive(&place).await?;
        if let Some(exit) = record::read_exit(dir, run).map_err(|reason| unreadable(&place, reason))? {
            return Ok(Adopted::Ended(exit));
        }
        match alive {
            Alive::No { started: false } => return Ok(Adopted::NeverStarted),
            Alive::No { started: true } => return Ok(Adopted::Lost(lost::end(dir, run).await)),
            Alive::Yes => {}
        }
        let reason = match Shim::connect(place.clone(), None).await {
            Ok(shim) => return Ok(Adopted::Live(shim)),
            Err(error) => error,
        };
        if reason.kind() == io::ErrorKind::UnexpectedEof {
            refusals += 1;
        }
        if refusals >= REFUSALS {
            return Err(AdoptError::Refused { run });
        }
        if Instant::now() >= deadline {
            return Err(AdoptError::Unreachable { run, reason });
        }
        sleep(PAUSE).await;
    }
}

enum Alive {
    Yes,
    No { started: bool },
}

/// Whether a shim lives, and if not, whether one was there that may have left something.
async fn alive(place: &Place) -> Result<Alive, AdoptError> {
    let record = record::read_shim(&place.dir, place.run).map_err(|reason| unreadable(place, reason))?;
    if let Some(record) = record {
        return match record.shim.look() {
            Ok(Some(_)) => Ok(Alive::Yes),
            Ok(None) => Ok(Alive::No { started: true }),
            Err(reason) => Err(AdoptError::Unreachable {
                run: place.run,
                reason,
            }),
        };
    }
    // It may be about to write it.
    if is_marked(SHIM_MARK, place.run).await {
        return Ok(Alive::Yes);
    }
    let started = is_marked(MARK, place.run).await;
    Ok(Alive::No { started })
}

async fn is_marked(key: &'static str, run: RunId) -> bool {
    let value = run.to_string();
    // Reading the environment of every process is work for a thread that may block.
    let found = tokio::task::spawn_blocking(move || find_marked(key, &value)).await;
    found.is_ok_and(|found| !found.is_empty())
}

fn unreadable(place: &Place, reason: io::Error) -> AdoptError {
    AdoptError::Record {
        run: place.run,
        dir: place.dir.clone(),
        reason,
    }
}
