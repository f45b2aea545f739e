//! What a program's output means, and what it is to be told: one conversation of one run.
//!
//! Pure folds. Bytes come in as the process wrote them, [`Action`]s go out; nobody reads a clock
//! or a file in here. The same bytes always give the same actions, however they are cut, so that a
//! daemon that starts again reads the whole log once more and stands where the old one stood. It
//! then asks for inputs that were written long ago: each has an id that says which one it is, and
//! whoever writes them leaves out the ids that it has already written.
//!
//! | stream | transport | module |
//! |---|---|---|
//! | `none` | `lines` | `plain` |
//! | `claude-code` | both | `claude` |
//! | `codex` | `lines` | `codex` |
//! | `codex` | `two_way` | `codex_server` |
//! | `gemini` | `lines` | `gemini` |
//! | `opencode` | `lines` | `opencode` |
//! | `acp` | `two_way` | `acp` |
//!
//! # What counts as done
//!
//! A program is believed when three things agree: it said that it was done, it said nothing of an
//! error, and its exit code is zero. Each of them alone was seen to lie. One exception: once the
//! conversation is over ([`Action::Finished`]) the supervisor may end the process, and how it then
//! ends says nothing.
//!
//! # Usage
//!
//! Always the total of this run. Programs that go on counting in a resumed session are told what
//! the session had before by [`Resume::total`]: what [`Conversation::session_total`] said at the
//! end of the run before.

use worknode_core::{
    time::Timestamp,
    usage::{Stuck, Usage},
};

mod acp;
mod ask;
mod calls;
mod claude;
mod codex;
mod codex_server;
mod fold;
mod gemini;
mod guard;
mod json;
mod judge;
mod lines;
mod opencode;
mod plain;
mod progress;
mod reset;
mod rpc;
mod trouble;
mod words;

use crate::driver::{Driver, McpServer};
use fold::Format;
use judge::Exits;
use lines::Lines;
use progress::Progress;

pub use lines::LINE;
pub use words::{Action, Cause, End, Outcome, Phase, Pipe, Report};

/// Bytes of a text in a report: what was said, a summary, a reason. The rest is in the log.
pub const TEXT: usize = 2_000;
/// Longest brief that is said in a message. A longer one stays in its file.
pub const BRIEF: usize = 256 * 1024;

/// What a conversation begins with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opening<'a> {
    /// The brief.
    pub brief: &'a str,
    /// The file that holds it.
    pub brief_file: &'a str,
    /// The working directory of the process.
    pub cwd: &'a str,
    /// The model, when one was chosen.
    pub model: Option<&'a str>,
    /// The session's id, when it was chosen beforehand.
    pub session: Option<&'a str>,
    /// The MCP servers that the agent is given.
    pub mcp: &'a [McpServer],
    /// The session that this run goes on with.
    pub resume: Option<Resume<'a>>,
    /// Whether a person is asked for what the driver neither allows nor refuses. Otherwise that is
    /// granted at once.
    pub asks: bool,
}

/// A session of an earlier run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resume<'a> {
    /// Its id.
    pub session: &'a str,
    /// What it had used in all, by its own count, when the earlier run ended.
    pub total: Usage,
}

/// The conversation of one run.
#[derive(Clone, Debug)]
pub struct Conversation {
    stdout: Lines,
    stderr: Lines,
    format: Format,
    progress: Progress,
    exits: Exits,
}

impl Conversation {
    /// A conversation that has not begun.
    #[must_use]
    pub fn new(driver: &Driver, opening: &Opening<'_>) -> Self {
        Self {
            stdout: Lines::default(),
            stderr: Lines::default(),
            format: Format::new(driver, opening),
            progress: Progress::new(driver, opening),
            exits: Exits::new(driver),
        }
    }

    /// The first inputs. Once, before any output.
    pub fn begin(&mut self) -> Vec<Action> {
        self.format.fold().begin(&mut self.progress);
        self.progress.take()
    }

    /// What follows from `bytes`, read at `at`.
    pub fn output(&mut self, from: Pipe, bytes: &[u8], at: Timestamp) -> Vec<Action> {
        self.progress.at = at;
        let lines = match from {
            Pipe::Stdout => self.stdout.take(bytes),
            Pipe::Stderr => self.stderr.take(bytes),
        };
        for line in lines {
            self.line(from, line);
        }
        self.progress.take()
    }

    fn line(&mut self, from: Pipe, line: lines::Line) {
        let fold = self.format.fold();
        let text = match &line {
            lines::Line::TooLong => return self.progress.lost_line(),
            lines::Line::Whole(bytes) => String::from_utf8_lossy(bytes),
        };
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        match from {
            Pipe::Stderr => fold.complaint(text, &mut self.progress),
            Pipe::Stdout => fold.said(text, &mut self.progress),
        }
        self.progress.tell_usage();
    }

    /// The protocol's own way to break off the work; nothing where it has none. The answer is a
    /// result, and [`Action::Finished`] comes as always. A second call does nothing.
    pub fn cancel(&mut self) -> Vec<Action> {
        if self.progress.begin_cancel() {
            self.format.fold().cancel(&mut self.progress);
        }
        self.progress.take()
    }

    /// A person answered what [`Action::Ask`] asked under this key; `why` is for the program, where
    /// it can be told. Nothing follows when it does not wait for that.
    pub fn answer(&mut self, key: &str, granted: bool, why: &str) -> Vec<Action> {
        self.progress.answer(key, granted, why);
        self.progress.take()
    }

    /// What the end means.
    #[must_use]
    pub fn ended(&self, end: End) -> Outcome {
        // A last line without its newline is a line too.
        let mut last = self.clone();
        for from in [Pipe::Stderr, Pipe::Stdout] {
            let _ = last.output(from, b"\n", self.progress.at);
        }
        last.format.fold().over(&mut last.progress);
        judge::outcome(&last.progress, &self.exits, end)
    }

    /// How far it is.
    #[must_use]
    pub fn state(&self) -> Phase {
        self.progress.phase()
    }

    /// What this run has used so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.progress.usage()
    }

    /// What the program's session has used in all, by its own count: the [`Resume::total`] of
    /// the run that goes on with it.
    #[must_use]
    pub fn session_total(&self) -> Usage {
        self.progress.session_total()
    }

    /// The program's own session.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.progress.session.as_deref()
    }

    /// Why it gets nowhere, when it says so.
    #[must_use]
    pub fn stuck(&self) -> Option<&Stuck> {
        self.progress.stuck()
    }

    /// What the agent said last; empty when it has said nothing.
    #[must_use]
    pub fn last_words(&self) -> &str {
        self.progress.last_words()
    }
}
