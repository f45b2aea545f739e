//! How a run ended, and what a stop did.

use std::fmt;

use rustix::process::WaitStatus;
use serde::{Deserialize, Serialize};

use crate::{resources::Resources, sandbox::Enforced};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    /// It exited with this code. Zero does not prove that it did its work.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// It has ended, or cannot be watched any more; how it ended cannot be told.
    Unknown,
}

impl ExitStatus {
    /// True for exit code 0.
    #[must_use]
    pub const fn success(self) -> bool {
        matches!(self, Self::Code(0))
    }

    pub(crate) fn from_wait(status: WaitStatus) -> Self {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Unknown,
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "killed by signal {signal}"),
            Self::Unknown => f.write_str("ended, nobody knows how"),
        }
    }
}

/// Why a shim stopped its run without being asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reached {
    /// It ran as long as it may.
    Time,
    /// It was silent as long as it may: no output, no call, no file activity.
    Silence,
    /// It has more memory than it may.
    Memory,
    /// It has more processes than it may.
    Processes,
    /// It has used as much processor time as it may.
    Cpu,
    /// No daemon spoke to the shim for as long as that may be.
    Orphaned,
    /// Somebody sent TERM or INT to the shim.
    Signalled,
}

/// The end of a run. Also its record on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// How the leader ended.
    pub status: ExitStatus,
    /// Why the shim stopped it, when it did so by itself.
    #[serde(default)]
    pub reached: Option<Reached>,
    /// What the stop did; `None` when the run ended without one.
    #[serde(default)]
    pub stop: Option<StopReport>,
    /// How many other processes of the run outlived the leader and were killed.
    pub leftovers: usize,
    /// How many of them were still there afterwards, such as one that hangs in the kernel.
    #[serde(default)]
    pub survivors: usize,
    /// Milliseconds from the start until the run was gone.
    pub ran_ms: u64,
    /// What was written.
    pub output: OutputReport,
    /// What was used.
    #[serde(default)]
    pub resources: Resources,
    /// What of the sandbox was in force; `None` when none was asked for.
    #[serde(default)]
    pub enforced: Option<Enforced>,
}

impl Exit {
    /// The end of a run that nobody saw.
    pub(crate) fn unseen(stop: StopReport) -> Self {
        Self {
            status: ExitStatus::Unknown,
            reached: None,
            leftovers: 0,
            survivors: stop.survivors,
            stop: Some(stop),
            ran_ms: 0,
            output: OutputReport::default(),
            resources: Resources::default(),
            enforced: None,
        }
    }
}

/// What became of both output streams.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputReport {
    /// Standard output.
    pub stdout: StreamReport,
    /// Standard error.
    pub stderr: StreamReport,
}

/// What became of one output stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamReport {
    /// Bytes that the run wrote.
    pub bytes: u64,
    /// How many of them are not on disk: rotated away, or not writable.
    pub dropped: u64,
    /// The first reason why something could not be written, such as a full disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_error: Option<String>,
    /// True when the stream was not at its end when the report was made: a process outside the
    /// run still had it open. Later output is not kept.
    pub cut: bool,
}

/// What a stop did, step by step. The process-level part of a receipt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopReport {
    /// False when there was nothing left to stop.
    pub was_running: bool,
    /// It was asked to end.
    pub term_sent: bool,
    /// It was killed.
    pub kill_sent: bool,
    /// Processes that were seen and have ended.
    pub ended: usize,
    /// Processes that are still there.
    pub survivors: usize,
    /// How the processes to kill were found.
    #[serde(default)]
    pub means: Vec<Means>,
    /// What could not be established, or was not done because it would have been unsafe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
    /// What happened when.
    pub steps: Vec<StopStep>,
}

/// How processes to kill were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// They were in the run's cgroup.
    Cgroup,
    /// They descend from the shim, to which whatever loses its parent comes back.
    Subreaper,
    /// They were in a process group.
    Group,
    /// They carried the run's mark in their environment.
    Mark,
}

/// One step of a stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopStep {
    /// `term`, `kill` or `gone`.
    pub step: String,
    /// Milliseconds after the stop began.
    pub after_ms: u64,
}

impl StopReport {
    /// True when it is established that no process is left.
    #[must_use]
    pub const fn gone(&self) -> bool {
        self.survivors == 0 && self.doubt.is_none()
    }

    /// The report for what had already ended.
    pub(crate) fn nothing_to_stop() -> Self {
        Self::default()
    }

    /// The report when no statement is possible.
    pub(crate) fn in_doubt(why: impl Into<String>) -> Self {
        Self {
            doubt: Some(why.into()),
            ..Self::default()
        }
    }

    pub(crate) fn used(&mut self, means: Means) {
        if !self.means.contains(&means) {
            self.means.push(means);
        }
    }

    /// Adds what another stop of the same run did, later.
    pub(crate) fn join(&mut self, other: Self) {
        self.was_running |= other.was_running;
        self.term_sent |= other.term_sent;
        self.kill_sent |= other.kill_sent;
        self.ended += other.ended;
        self.survivors += other.survivors;
        for means in other.means {
            self.used(means);
        }
        if let Some(doubt) = other.doubt {
            self.doubt(doubt);
        }
        self.steps.extend(other.steps);
    }

    /// Notes a doubt; the first one stays.
    pub(crate) fn doubt(&mut self, why: impl Into<String>) {
        self.doubt.get_or_insert_with(|| why.into());
    }
}
