//! Recordings, and the conversations that are made of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use worknode_core::{
    time::Timestamp,
    usage::{Stuck, Usage, Usd},
};
use worknode_profiles::{
    Catalogue, Conversation, Driver,
    driver::{PromptBy, Stream, Transport},
    stream::{Action, Cause, End, Opening, Outcome, Pipe, Report},
};

pub(crate) const BRIEF: &str = "Write hello.txt.";
pub(crate) const OPENING: Opening<'_> = Opening {
    brief: BRIEF,
    brief_file: "/runs/1/brief.md",
    cwd: "/home/dev/project",
    model: Some("sonnet"),
    session: None,
    mcp: &[],
    resume: None,
    asks: false,
};

/// When everything is read.
pub(crate) fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub(crate) fn shipped(name: &str) -> Driver {
    Catalogue::shipped().driver(name).unwrap().clone()
}

/// A driver that only reads.
pub(crate) fn reader(name: &str, stream: Stream) -> Driver {
    Driver {
        stream,
        transport: Transport::Lines,
        prompt: PromptBy::Argument,
        ..shipped(name)
    }
}

pub(crate) fn claude() -> Driver {
    reader("claude-code", Stream::ClaudeCode)
}

pub(crate) fn codex() -> Driver {
    reader("codex", Stream::Codex)
}

pub(crate) fn gemini() -> Driver {
    reader("gemini", Stream::Gemini)
}

pub(crate) fn opencode() -> Driver {
    reader("opencode", Stream::Opencode)
}

pub(crate) fn transcripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")
}

fn read(name: &str, ending: &str) -> Vec<u8> {
    fs::read(transcripts().join(format!("{name}.{ending}"))).unwrap_or_default()
}

pub(crate) fn end_of(code: i32) -> End {
    if code < 0 {
        End::Signal(-code)
    } else {
        End::Code(code)
    }
}

/// What was made of one recording.
pub(crate) struct Heard {
    pub(crate) conversation: Conversation,
    pub(crate) actions: Vec<Action>,
    pub(crate) end: End,
}

/// The recording `name`, read as `driver` says.
pub(crate) fn hear(driver: &Driver, name: &str) -> Heard {
    hear_with(driver, &OPENING, name)
}

pub(crate) fn hear_with(driver: &Driver, opening: &Opening<'_>, name: &str) -> Heard {
    let codes = fs::read_to_string(transcripts().join("exit-codes.txt")).unwrap();
    let code = codes
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
        .unwrap_or_else(|| panic!("no exit code of {name}"));
    let heard = hear_bytes(
        driver,
        opening,
        &read(name, "out"),
        &read(name, "err"),
        end_of(code),
    );
    assert!(
        !heard.actions.is_empty() || heard.conversation.ended(heard.end) != Outcome::Done,
        "{name}"
    );
    heard
}

pub(crate) fn hear_bytes(driver: &Driver, opening: &Opening<'_>, out: &[u8], err: &[u8], end: End) -> Heard {
    let mut conversation = Conversation::new(driver, opening);
    let mut actions = conversation.begin();
    actions.extend(conversation.output(Pipe::Stderr, err, now()));
    actions.extend(conversation.output(Pipe::Stdout, out, now()));
    Heard {
        conversation,
        actions,
        end,
    }
}

/// The same for lines that nobody recorded.
pub(crate) fn hear_lines(driver: &Driver, opening: &Opening<'_>, lines: &[Value], end: End) -> Heard {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    hear_bytes(driver, opening, text.as_bytes(), b"", end)
}

impl Heard {
    pub(crate) fn outcome(&self) -> Outcome {
        self.conversation.ended(self.end)
    }

    #[track_caller]
    pub(crate) fn done(&self) {
        assert_eq!(self.outcome(), Outcome::Done);
    }

    /// Its cause and reason.
    #[track_caller]
    pub(crate) fn failed(&self) -> (Cause, String) {
        match self.outcome() {
            Outcome::Failed { reason, cause } => (cause, reason),
            Outcome::Done => panic!("it is done"),
        }
    }

    pub(crate) fn cause(&self) -> Cause {
        self.failed().0
    }

    pub(crate) fn reports(&self) -> Vec<&Report> {
        let reports = self.actions.iter().filter_map(|action| match action {
            Action::Report(report) => Some(report),
            _ => None,
        });
        reports.collect()
    }

    pub(crate) fn stuck(&self) -> Vec<&Stuck> {
        let stuck = self.reports().into_iter().filter_map(|report| match report {
            Report::Stuck(stuck) => Some(stuck),
            _ => None,
        });
        stuck.collect()
    }

    pub(crate) fn tools(&self) -> Vec<&str> {
        let tools = self.reports().into_iter().filter_map(|report| match report {
            Report::Tool { name, .. } => Some(name.as_str()),
            _ => None,
        });
        tools.collect()
    }

    pub(crate) fn denied(&self) -> Vec<&str> {
        let denied = self.reports().into_iter().filter_map(|report| match report {
            Report::PermissionDenied { what } => Some(what.as_str()),
            _ => None,
        });
        denied.collect()
    }

    /// How often it tried again, and with which status.
    pub(crate) fn retries(&self) -> Vec<Option<u16>> {
        let retries = self.reports().into_iter().filter_map(|report| match report {
            Report::Retrying { status, .. } => Some(*status),
            _ => None,
        });
        retries.collect()
    }

    /// Ids and messages of what is to be written.
    pub(crate) fn inputs(&self) -> Vec<(&str, Value)> {
        let inputs = self.actions.iter().filter_map(|action| match action {
            Action::Input { id, bytes } => {
                assert_eq!(bytes.last(), Some(&b'\n'));
                Some((id.as_str(), serde_json::from_slice(bytes).unwrap()))
            }
            _ => None,
        });
        inputs.collect()
    }

    pub(crate) fn finished(&self) -> bool {
        self.actions.contains(&Action::Finished)
    }
}

/// Tokens in, out, from the cache, into the cache, and millionths of a dollar.
pub(crate) fn used(usage: Usage) -> [u64; 5] {
    let Usage {
        input_tokens,
        output_tokens,
        cache_read_tokens,
        cache_write_tokens,
        cost,
        ..
    } = usage;
    [
        input_tokens,
        output_tokens,
        cache_read_tokens,
        cache_write_tokens,
        cost.micros(),
    ]
}

pub(crate) fn cost(micros: u64) -> Usage {
    Usage {
        cost: Usd::from_micros(micros),
        ..Usage::default()
    }
}
