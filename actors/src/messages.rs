//! What actors are told that others than themselves must be able to say.

use std::time::Duration;

use tokio::sync::oneshot;
use worknode_core::{
    ids::{NodeId, RunId},
    run::{RunSpec, SpawnPermit},
};

use worknode_process::Shim;

/// What the directory is told.
#[derive(Debug)]
pub(crate) enum DirectoryMsg {
    /// Passivate who was idle for this long.
    Sweep(Duration),
    /// How many are active?
    Count(oneshot::Sender<usize>),
}

/// What the keeper is told.
#[derive(Debug)]
pub(crate) enum KeeperMsg {
    /// Start a process.
    Spawn {
        /// The permission to.
        permit: SpawnPermit,
        /// What it is.
        spec: Box<RunSpec>,
        /// Whose run.
        agent: NodeId,
    },
    /// Bring a process to its end.
    Stop {
        /// Which.
        run: RunId,
        /// Time between TERM and KILL, when not the run's own.
        grace: Option<Duration>,
    },
    /// Hold a process still.
    Freeze {
        /// Which.
        run: RunId,
    },
    /// Let it go on.
    Thaw {
        /// Which.
        run: RunId,
    },
    /// What the run's program asked a person for was answered.
    Answered {
        /// Which.
        run: RunId,
    },
    /// The run called the daemon: it is not silent.
    Called {
        /// Which.
        run: RunId,
    },
    /// Say which runs live, each with its shim.
    Shims(oneshot::Sender<Vec<(RunId, Shim)>>),
    /// Let every run go on without a daemon.
    Leave,
    /// A job has said its last word.
    Over {
        /// Whose.
        run: RunId,
    },
    /// Answer when no run is left.
    WhenEmpty(oneshot::Sender<()>),
}
