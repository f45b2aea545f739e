//! How a run ended, and what a stop did.

use std::{fmt, process};

use serde::{Deserialize, Serialize};

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

    pub(crate) fn from_std(status: process::ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        match (status.code(), status.signal()) {
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

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// How the leader ended.
    pub status: ExitStatus,
    /// How many other processes of the group outlived the leader and were killed.
    pub leftovers: usize,
    /// How many of them were still there afterwards, such as one that hangs in the kernel.
    #[serde(default)]
    pub survivors: usize,
    /// Milliseconds from the start until the group was gone.
    pub ran_ms: u64,
    /// What was written.
    pub output: OutputReport,
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
    /// group still had it open, or the disk was too slow. Later output is not kept.
    pub cut: bool,
}

/// What a stop did, step by step. The process-level part of a receipt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopReport {
    /// False when there was nothing left to stop.
    pub was_running: bool,
    /// The group was asked to end.
    pub term_sent: bool,
    /// The group was killed.
    pub kill_sent: bool,
    /// Members of the group that were seen and have ended.
    pub ended: usize,
    /// Members of the group that are still there.
    pub survivors: usize,
    /// What could not be established, or was not done because it would have been unsafe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
    /// What happened when.
    pub steps: Vec<StopStep>,
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
    /// True when it is established that no member of the group is left.
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

    /// Notes a doubt; the first one stays.
    pub(crate) fn doubt(&mut self, why: impl Into<String>) {
        self.doubt.get_or_insert_with(|| why.into());
    }
}
