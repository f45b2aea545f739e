//! What the daemon and a shim say to each other: one JSON value per line.
//!
//! The daemon writes an [`Order`] to the standard input of a new shim and reads an [`Answer`]
//! from its standard output. From then on they speak through the socket: a [`Request`] has a
//! number and gets a [`Message::Reply`] with it; notices come when they come. The first request
//! must be [`Ask::Hello`] with the secret.

use std::{io, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use worknode_core::{ids::RunId, run::ProcessIdentity, time::Timestamp};

use crate::{
    report::{Exit, Reached, StopReport},
    resources::Resources,
    sandbox::Enforced,
    secret::Secret,
    spec::SpawnSpec,
    text,
};

/// Longest order: the kernel takes some megabytes of arguments and environment, and bytes that
/// are no text take four times as much.
pub(crate) const ORDER_MAX: u64 = 32 * 1024 * 1024;
/// Longest line through the socket.
pub(crate) const LINE_MAX: usize = 8 * 1024 * 1024;
/// Longest line of somebody who has not said the secret.
pub(crate) const HELLO_MAX: usize = 1024;
/// How long the start of the agent's program may take.
pub(crate) const START_TIME: Duration = Duration::from_secs(30);

/// Limits of a run. Its shim watches them, with and without a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Wall time. Frozen time does not count, here and for silence.
    pub time: Duration,
    /// Time without output, call or file activity.
    pub silence: Duration,
    /// Time between TERM and KILL when a limit is reached.
    pub grace: Duration,
    /// Time without a daemon.
    pub orphan_grace: Duration,
    /// Bytes of memory of all processes together.
    pub memory: Option<u64>,
    /// Processes at the same time.
    pub processes: Option<u32>,
    /// Processor time of all processes together.
    pub cpu: Option<Duration>,
}

impl Limits {
    /// Nothing is limited but the grace and the time without a daemon.
    #[must_use]
    pub const fn none(grace: Duration, orphan_grace: Duration) -> Self {
        Self {
            time: Duration::MAX,
            silence: Duration::MAX,
            grace,
            orphan_grace,
            memory: None,
            processes: None,
            cpu: None,
        }
    }
}

/// What a shim is to do.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) run: RunId,
    pub(crate) secret: Secret,
    /// The file to execute.
    #[serde(with = "text")]
    pub(crate) program: PathBuf,
    pub(crate) command: SpawnSpec,
    pub(crate) limits: Limits,
    #[serde(with = "text::list")]
    pub(crate) watch: Vec<PathBuf>,
}

/// What became of the order.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Started(Snapshot),
    Failed(Failure),
}

/// Why the agent was not started. The daemon makes a [`SpawnError`](crate::SpawnError) of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Failure {
    /// Its program could not be executed.
    Exec(Cause),
    /// An output file could not be created.
    Output {
        #[serde(with = "text")]
        path: PathBuf,
        cause: Cause,
    },
    /// The box could not be closed.
    Sandbox(String),
    /// A run was started in this directory before.
    Taken,
    /// The shim itself could not work.
    Shim { doing: String, cause: Cause },
}

impl Failure {
    pub(crate) fn shim(doing: &str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Shim {
            doing: doing.to_owned(),
            cause: error.into(),
        }
    }
}

/// An error of the system.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cause {
    errno: Option<i32>,
    text: String,
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Self {
            errno: error.raw_os_error(),
            text: error.to_string(),
        }
    }
}

impl From<Cause> for io::Error {
    fn from(cause: Cause) -> Self {
        match cause.errno {
            Some(number) => Self::from_raw_os_error(number),
            None => Self::other(cause.text),
        }
    }
}

/// Everything that a daemon must know of a run that lives.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) leader: ProcessIdentity,
    pub(crate) shim: ProcessIdentity,
    pub(crate) started_at: Timestamp,
    pub(crate) stdout: u64,
    pub(crate) stderr: u64,
    pub(crate) frozen: bool,
    pub(crate) reached: Option<Reached>,
    pub(crate) enforced: Option<Enforced>,
}

/// A line to the shim.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) ask: Ask,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ask {
    Hello(Secret),
    Stop {
        grace: Duration,
    },
    Freeze,
    Thaw,
    Resources,
    Touch,
    Input {
        key: String,
        #[serde(with = "text")]
        bytes: Vec<u8>,
    },
    CloseInput,
}

/// A line from the shim.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Message {
    Reply {
        id: u64,
        reply: Reply,
    },
    Notice(Notice),
    /// Another connection has taken over; this one ends.
    Superseded,
    Exit(Exit),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    Hello(Snapshot),
    Stopped(StopReport),
    Resources(Resources),
    Done,
    Refused(String),
}

/// What a shim says unasked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Notice {
    /// So many bytes were written so far. Sent at intervals, and only when there are more.
    Output {
        /// To standard output.
        stdout: u64,
        /// To standard error.
        stderr: u64,
    },
    /// The shim stops the run by itself.
    Stopping {
        /// Why.
        cause: Reached,
    },
    /// The run is held still.
    Frozen,
    /// The run goes on.
    Thawed,
}

/// `value` as one line.
pub(crate) fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}
