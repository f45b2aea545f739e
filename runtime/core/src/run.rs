//! The run state machine: one life of one agent process.
//!
//! ```text
//! queued → starting → running ⇄ frozen → stopping → exited
//! ```
//!
//! The process identity lives inside the states that have a process, so no other state can
//! be asked for a pid.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    error::IllegalTransition,
    event::{Event, Principal},
    ids::{NodeId, RunId},
    time::Timestamp,
};

/// Which process this is, on this machine, since this boot. A pid alone is reused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Process id; also the id of its process group.
    pub pid: u32,
    /// Start time in clock ticks since boot (field 22 of `/proc/PID/stat`, proc(5)).
    pub start_time: u64,
    /// The kernel's boot id: a pid means nothing after a reboot.
    pub boot_id: String,
}

/// What a run is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "purpose", rename_all = "snake_case")]
pub enum Purpose {
    /// Work on a task under a claim.
    Work {
        /// The task.
        task: NodeId,
        /// The claim.
        epoch: u64,
    },
    /// Look at the submission of a task.
    Review {
        /// The task.
        task: NodeId,
    },
    /// The agent's standing duty: no task of its own.
    Standing,
    /// What a trigger asked for.
    Fired {
        /// Which trigger.
        trigger: String,
        /// One line for people.
        title: String,
        /// What to do.
        prompt: String,
    },
}

impl Purpose {
    /// The task that the run is about.
    #[must_use]
    pub const fn task(&self) -> Option<NodeId> {
        match self {
            Self::Work { task, .. } | Self::Review { task } => Some(*task),
            Self::Standing | Self::Fired { .. } => None,
        }
    }
}

/// Limits of one run. Each is watched while the run lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLimits {
    /// Wall time.
    pub time: Duration,
    /// Time without output.
    pub silence: Duration,
    /// Time between TERM and KILL.
    pub grace: Duration,
    /// Bytes kept of each output stream.
    pub output: u64,
}

impl Default for RunLimits {
    fn default() -> Self {
        use crate::bounds;
        Self {
            time: bounds::RUN_TIME,
            silence: bounds::SILENCE,
            grace: bounds::STOP_GRACE,
            output: bounds::OUTPUT,
        }
    }
}

/// Why a run is being stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum StopCause {
    /// Somebody asked.
    Requested {
        /// Who.
        by: Principal,
        /// Why.
        reason: String,
    },
    /// It ran as long as it may.
    TimeLimit,
    /// It was silent as long as it may.
    SilenceLimit,
    /// The daemon shuts down.
    Shutdown,
    /// Another child of its team ended, and the strategy takes this one with it.
    Strategy,
    /// The daemon that started it is gone.
    Orphaned,
    /// Its task was taken from it.
    TaskGone,
}

impl StopCause {
    /// Was the process at fault? Then it counts as an abnormal end.
    #[must_use]
    pub const fn is_limit(&self) -> bool {
        matches!(self, Self::TimeLimit | Self::SilenceLimit)
    }
}

/// How the process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Ending {
    /// It ended by itself with this code.
    Code {
        /// Exit code.
        code: i32,
    },
    /// It died of this signal.
    Signal {
        /// Signal number.
        signal: i32,
    },
    /// It never came to life.
    NotStarted {
        /// Why.
        reason: String,
    },
    /// It is gone, and nobody saw how.
    Unseen,
}

/// The record that a run is really over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// How the process ended.
    pub ending: Ending,
    /// Why it was stopped, when it was.
    pub cause: Option<StopCause>,
    /// When the process was there; `None` when it never was.
    pub started_at: Option<Timestamp>,
    /// When it was seen to be gone.
    pub ended_at: Timestamp,
    /// Processes of the run that had to be ended, the agent itself included.
    pub processes_ended: usize,
    /// Whether TERM was sent.
    pub term_sent: bool,
    /// Whether KILL was sent.
    pub kill_sent: bool,
    /// Bytes that it wrote to both streams.
    pub output_bytes: u64,
    /// Of these, bytes that were rotated away or could not be written.
    pub output_dropped: u64,
}

impl Receipt {
    /// Did the process end well and by itself?
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        matches!(self.ending, Ending::Code { code: 0 }) && self.cause.is_none()
    }
}

/// What a run is, decided before it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSpec {
    /// Its identity.
    pub id: RunId,
    /// What for.
    #[serde(flatten)]
    pub purpose: Purpose,
    /// Within which limits.
    pub limits: RunLimits,
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum RunStatus {
    /// Decided.
    Queued,
    /// About to fork; from here on a process may exist.
    Starting,
    /// Its process is there.
    Running {
        /// Which.
        process: ProcessIdentity,
        /// Since when.
        since: Timestamp,
    },
    /// Its process is held still.
    Frozen {
        /// Which.
        process: ProcessIdentity,
        /// When it started.
        since: Timestamp,
    },
    /// It has been told to end, or is being ended.
    Stopping {
        /// Which, once there was one.
        process: Option<ProcessIdentity>,
        /// When it started, if it did.
        since: Option<Timestamp>,
        /// Why.
        cause: StopCause,
    },
    /// It is over.
    Exited {
        /// The proof.
        receipt: Receipt,
    },
}

impl RunStatus {
    /// The state's name, as in JSON and on screen.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running { .. } => "running",
            Self::Frozen { .. } => "frozen",
            Self::Stopping { .. } => "stopping",
            Self::Exited { .. } => "exited",
        }
    }

    /// The process, in the states that have one.
    #[must_use]
    pub const fn process(&self) -> Option<&ProcessIdentity> {
        match self {
            Self::Running { process, .. } | Self::Frozen { process, .. } => Some(process),
            Self::Stopping { process, .. } => process.as_ref(),
            Self::Queued | Self::Starting | Self::Exited { .. } => None,
        }
    }

    /// When the process came to life, in the states that know.
    #[must_use]
    pub const fn since(&self) -> Option<Timestamp> {
        match self {
            Self::Running { since, .. } | Self::Frozen { since, .. } => Some(*since),
            Self::Stopping { since, .. } => *since,
            Self::Queued | Self::Starting | Self::Exited { .. } => None,
        }
    }
}

/// One life of one agent process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// What it is.
    pub spec: RunSpec,
    /// Where it stands.
    #[serde(flatten)]
    pub status: RunStatus,
}

impl Run {
    /// The run that `event` begins, when it is one that begins a run.
    #[must_use]
    pub fn begun_by(event: &Event) -> Option<Self> {
        match event {
            Event::RunQueued { run } => Some(Self {
                spec: run.clone(),
                status: RunStatus::Queued,
            }),
            _ => None,
        }
    }

    /// The run after `event`, which happened at `at`. The only way a run changes.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the event does not fit the state.
    pub fn apply(&self, event: &Event, at: Timestamp) -> Result<Self, IllegalTransition> {
        use RunStatus as S;
        let status = match (event, &self.status) {
            (Event::RunStarting { .. }, S::Queued) => S::Starting,
            (Event::RunStarted { process, .. }, S::Starting) => S::Running {
                process: process.clone(),
                since: at,
            },
            // The stop was decided while the fork was under way: the process is known now.
            (
                Event::RunStarted { process, .. },
                S::Stopping {
                    process: None, cause, ..
                },
            ) => S::Stopping {
                process: Some(process.clone()),
                since: Some(at),
                cause: cause.clone(),
            },
            (Event::RunFrozen { .. }, S::Running { process, since }) => S::Frozen {
                process: process.clone(),
                since: *since,
            },
            (Event::RunThawed { .. }, S::Frozen { process, since }) => S::Running {
                process: process.clone(),
                since: *since,
            },
            (
                Event::RunStopping { cause, .. },
                status @ (S::Queued | S::Starting | S::Running { .. } | S::Frozen { .. }),
            ) => S::Stopping {
                process: status.process().cloned(),
                since: status.since(),
                cause: cause.clone(),
            },
            (
                Event::RunExited { receipt, .. },
                S::Queued | S::Starting | S::Running { .. } | S::Frozen { .. } | S::Stopping { .. },
            ) => S::Exited {
                receipt: receipt.clone(),
            },
            _ => {
                return Err(IllegalTransition {
                    event: event.type_name(),
                    subject: format!("run {}", self.spec.id),
                    state: self.status.name(),
                    because: String::new(),
                });
            }
        };
        Ok(Self {
            spec: self.spec.clone(),
            status,
        })
    }
}

/// The permission to start exactly one process, once.
///
/// Only [`crate::agent::decide`] makes one, together with the event that records the intent.
/// It can be neither copied nor stored, and the function that forks consumes it.
#[derive(Debug)]
pub struct SpawnPermit {
    run: RunId,
}

impl SpawnPermit {
    pub(crate) const fn new(run: RunId) -> Self {
        Self { run }
    }

    /// The run that may start.
    #[must_use]
    pub const fn run(&self) -> RunId {
        self.run
    }
}
