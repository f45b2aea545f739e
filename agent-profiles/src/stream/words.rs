//! What goes in and out of a conversation.

use serde::{Deserialize, Serialize};
use worknode_core::{
    time::Timestamp,
    usage::{Stuck, Usage},
};

/// Where bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pipe {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Nobody can say.
    Unknown,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Tell it.
    Report(Report),
    /// Write to the process's stdin, once for each id.
    Input {
        /// Which input this is; the same whenever the same output is read again.
        id: String,
        /// What is written.
        bytes: Vec<u8>,
    },
    /// Ask a person: what they say goes to [`Conversation::answer`](super::Conversation::answer)
    /// under the same key.
    Ask {
        /// Which request; the same whenever the same output is read again.
        key: String,
        /// The tool or kind of action.
        tool: String,
        /// All that is asked, as a person is shown it.
        what: String,
    },
    /// It does not ask for this any more.
    Withdrawn {
        /// The key of the request.
        key: String,
    },
    /// Close its stdin, after all inputs.
    CloseInput,
    /// The conversation is over: a process that does not end by itself now may be ended.
    Finished,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum Report {
    /// The program's own session: with it a later run can go on.
    Session {
        /// Its id.
        id: String,
    },
    /// What this run has used so far, in all.
    Usage(Usage),
    /// A tool was called.
    Tool {
        /// Its name.
        name: String,
        /// What it was called with, in short.
        summary: String,
    },
    /// A tool's call is over.
    ToolEnded {
        /// Its name.
        name: String,
        /// Did it succeed, as far as the program says?
        ok: bool,
    },
    /// The agent said something.
    Said {
        /// What.
        text: String,
    },
    /// A request to the provider failed and is made again.
    Retrying {
        /// Which attempt failed, from 1; zero when it is not said.
        attempt: u32,
        /// The status of the answer, when there was one.
        status: Option<u16>,
        /// Milliseconds until the next attempt, when it is said.
        wait_ms: Option<u64>,
    },
    /// It lives and gets nowhere.
    Stuck(Stuck),
    /// It gets somewhere again.
    Unstuck,
    /// It asked for a permission.
    PermissionAsked {
        /// For what.
        what: String,
        /// Was it given?
        granted: bool,
    },
    /// The program itself refused a permission.
    PermissionDenied {
        /// For what.
        what: String,
    },
    /// A check in front of a tool gave no answer in time, and the tool ran all the same.
    Unchecked {
        /// Which check.
        what: String,
    },
    /// It says that it has ended its work.
    Result {
        /// Does it call that a success?
        success: bool,
        /// Its last word.
        text: String,
    },
    /// Output that is none of this stream. Told at the first line, and whenever the number of
    /// lines has doubled.
    Garbage {
        /// How many lines so far.
        lines: u64,
        /// How the newest begins.
        start: String,
    },
}

/// What the end of a run means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It did what it was told, by its own account.
    Done,
    /// It did not.
    Failed {
        /// Why, for people.
        reason: String,
        /// Why, for policies.
        #[serde(flatten)]
        cause: Cause,
    },
}

/// Why a run failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    /// Its provider gives nothing more until then.
    Quota {
        /// When it gives again; `None` when the provider did not say.
        reset_at: Option<Timestamp>,
    },
    /// Its provider was overloaded or broken.
    Overloaded,
    /// Its credentials were refused.
    Auth,
    /// The conversation grew longer than the model takes.
    ContextExhausted,
    /// It reached the most turns that it was allowed.
    MaxTurns,
    /// It reached the money that it was allowed.
    Budget,
    /// A signal or a cancel message ended it.
    Interrupted,
    /// The session to go on with is not there, or its id is in use.
    Session,
    /// It refused its command line or its settings.
    Input,
    /// Its provider could not be reached, or answered what it does not understand.
    Provider,
    /// It ended without a word about its work.
    NoResult,
    /// It ended as if all were well, in the middle of something.
    WorkLeftUndone,
    /// It ended in a way of its own.
    Crashed,
}

/// How far a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing of its work has been heard yet.
    Opening,
    /// It works.
    Working,
    /// It says that it has ended its work.
    Ended {
        /// Does it call that a success?
        success: bool,
    },
}
