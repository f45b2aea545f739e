//! What the end of a process means, with what its program said before.

use std::collections::BTreeMap;

use super::{
    Cause, End, Outcome,
    progress::Progress,
    trouble::{STATUSES, Trouble, is_about_session},
};
use crate::driver::{Driver, ExitMeaning, Stream};

/// The highest signal. A shell, and programs that catch one, end with 128 and the signal.
const SIGNALS: i32 = 64;

/// What a driver says of exit codes.
#[derive(Clone, Debug, Default)]
pub(super) struct Exits {
    meanings: BTreeMap<i32, ExitMeaning>,
    http: bool,
    /// Nobody reads the output: the exit code is all there is.
    alone: bool,
}

impl Exits {
    pub(super) fn new(driver: &Driver) -> Self {
        let meanings = driver.exit_codes.iter();
        Self {
            meanings: meanings
                .filter_map(|(code, meaning)| Some((code.parse().ok()?, *meaning)))
                .collect(),
            http: driver.exit_http,
            alone: driver.stream == Stream::None,
        }
    }

    fn cause(&self, code: i32, progress: &Progress) -> Option<Cause> {
        if let Some(meaning) = self.meanings.get(&code) {
            return Some(match meaning {
                ExitMeaning::Input if is_about_session(&progress.complaint) => Cause::Session,
                ExitMeaning::Input => Cause::Input,
                ExitMeaning::MaxTurns => Cause::MaxTurns,
                ExitMeaning::Auth => Cause::Auth,
                ExitMeaning::Interrupted => Cause::Interrupted,
            });
        }
        let statuses = STATUSES.iter().filter(|_| self.http);
        let status = statuses.copied().find(|status| i32::from(status % 256) == code)?;
        let trouble = Trouble {
            status: Some(status),
            text: &progress.complaint,
            wait: None,
        };
        Some(trouble.cause(progress.at))
    }
}

/// Did a signal end it, or did it say so?
fn interrupted(end: End) -> bool {
    match end {
        End::Signal(_) => true,
        End::Code(code) => (129..=128 + SIGNALS).contains(&code),
        End::Unknown => false,
    }
}

fn name(end: End) -> String {
    match end {
        End::Code(code) => format!("exit code {code}"),
        End::Signal(signal) => format!("signal {signal}"),
        End::Unknown => "an end that nobody saw".to_owned(),
    }
}

fn failed(cause: Cause, reason: impl Into<String>) -> Outcome {
    let reason = reason.into();
    Outcome::Failed { reason, cause }
}

/// What the end means.
pub(super) fn outcome(progress: &Progress, exits: &Exits, end: End) -> Outcome {
    match &progress.ending {
        Some(ending) if ending.success => after_success(progress, end),
        Some(ending) if ending.text.is_empty() => {
            failed(ending.cause, format!("it failed, with {}", name(end)))
        }
        Some(ending) => failed(ending.cause, ending.text.clone()),
        None if exits.alone => alone(progress, end),
        None => without_result(progress, exits, end),
    }
}

fn after_success(progress: &Progress, end: End) -> Outcome {
    let undone = progress.open_call().filter(|_| !progress.lost);
    if let Some(tool) = undone {
        let reason = format!("it says that it is done, but `{tool}` was not over");
        return failed(Cause::WorkLeftUndone, reason);
    }
    match end {
        End::Code(0) => Outcome::Done,
        // It was over, and the supervisor ended what did not end by itself.
        _ if progress.finished && from_outside(end) => Outcome::Done,
        _ if interrupted(end) => failed(
            Cause::Interrupted,
            format!(
                "it said that it was done, but {} ended it before its time",
                name(end)
            ),
        ),
        _ => failed(
            Cause::Crashed,
            format!("it said that it was done, but ended with {}", name(end)),
        ),
    }
}

/// Not by itself, as far as anybody knows.
fn from_outside(end: End) -> bool {
    interrupted(end) || end == End::Unknown
}

/// Nobody reads what it says.
fn alone(progress: &Progress, end: End) -> Outcome {
    match end {
        End::Code(0) => Outcome::Done,
        _ if interrupted(end) => failed(Cause::Interrupted, format!("{} ended it", name(end))),
        _ => failed(
            Cause::Crashed,
            with(&format!("it ended with {}", name(end)), &progress.complaint),
        ),
    }
}

fn without_result(progress: &Progress, exits: &Exits, end: End) -> Outcome {
    let known = match end {
        End::Code(code) => exits.cause(code, progress),
        End::Signal(_) | End::Unknown => None,
    };
    if let Some(cause) = known {
        return failed(
            cause,
            with(&format!("it ended with {}", name(end)), &progress.complaint),
        );
    }
    if interrupted(end) {
        let trouble = progress.trouble.as_ref().map_or("", |(_, text)| text);
        return failed(
            Cause::Interrupted,
            with(&format!("{} ended it", name(end)), trouble),
        );
    }
    if let Some((cause, text)) = &progress.trouble {
        return failed(*cause, text.clone());
    }
    by_its_words(progress, end)
}

/// Nothing else says what happened: what it was refused, or complained of, may.
fn by_its_words(progress: &Progress, end: End) -> Outcome {
    let complaint = &progress.complaint;
    let opening = progress.phase() == super::Phase::Opening;
    match (end, &progress.denied) {
        (End::Code(0), Some(what)) => failed(
            Cause::WorkLeftUndone,
            format!("it gave up when it was refused a permission: {what}"),
        ),
        (End::Code(0), None) => failed(Cause::NoResult, "it ended without a word about its work"),
        _ if is_about_session(complaint) => failed(Cause::Session, complaint.clone()),
        _ if opening && !complaint.is_empty() => failed(Cause::Input, complaint.clone()),
        _ => failed(
            Cause::Crashed,
            with(&format!("it ended with {}", name(end)), complaint),
        ),
    }
}

fn with(reason: &str, detail: &str) -> String {
    if detail.is_empty() {
        reason.to_owned()
    } else {
        format!("{reason}: {detail}")
    }
}
