//! Gemini CLI's `stream-json`, and what it tells on stderr only.

use serde_json::Value;
use worknode_core::usage::Usage;

use super::{
    Cause,
    fold::Fold,
    json::{count, text},
    progress::Progress,
    trouble::Trouble,
};

/// Gemini CLI.
#[derive(Clone, Debug)]
pub(super) struct Gemini;

/// `Attempt 2 failed with status 429. Retrying with backoff... _ApiError: {…}`: it goes on trying
/// for minutes, and its stdout is silent meanwhile.
pub(super) fn retry(line: &str, progress: &mut Progress) -> bool {
    let parts = line
        .strip_prefix("Attempt ")
        .and_then(|rest| rest.split_once(" failed"));
    let Some((attempt, rest)) = parts.filter(|(_, rest)| rest.contains("Retrying")) else {
        return false;
    };
    let status = rest
        .strip_prefix(" with status ")
        .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    let trouble = Trouble {
        status: status.and_then(|status| status.parse().ok()),
        text: rest.split_once("... ").map_or(rest, |(_, why)| why),
        wait: None,
    };
    progress.retrying(attempt.parse().unwrap_or_default(), trouble);
    true
}

/// A line on stderr that is neither routine nor part of a stack trace.
pub(super) fn complaint(line: &str, progress: &mut Progress) {
    const ROUTINE: [&str; 8] = [
        "Warning:",
        "YOLO mode",
        "Ripgrep is not available",
        "[STARTUP]",
        "at ",
        "status:",
        "}",
        "Loaded cached credentials",
    ];
    if !retry(line, progress) && !ROUTINE.iter().any(|routine| line.starts_with(routine)) {
        progress.complain(line);
    }
}

/// A piece of what the agent says; what it was told comes back as a message, too.
fn piece(event: &Value, progress: &mut Progress) {
    if text(event, "/role") == "assistant" {
        progress.say_piece(text(event, "/content"));
    }
}

fn tool_result(event: &Value, progress: &mut Progress) {
    if text(event, "/error/type") == "policy_violation" {
        progress.denied(text(event, "/error/message"));
    }
    progress.call_over(text(event, "/tool_id"), text(event, "/status") == "success");
}

fn result(event: &Value, progress: &mut Progress) {
    progress.end_pieces();
    let stats = &event["stats"];
    let used = Usage {
        input_tokens: count(stats, "/input_tokens").saturating_sub(count(stats, "/cached")),
        output_tokens: count(stats, "/output_tokens"),
        cache_read_tokens: count(stats, "/cached"),
        ..Usage::default()
    };
    progress.used(used);
    let total = progress.session_total().plus(&used);
    progress.session_used(total);
    progress.turn();
    let error = &event["error"];
    if text(event, "/status") == "success" && error.is_null() {
        let words = progress.last_words().to_owned();
        progress.succeed(&words);
    } else if text(error, "/type") == "FatalTurnLimitedError" {
        progress.fail(text(error, "/message"), Cause::MaxTurns);
    } else {
        progress.fail_with(Trouble {
            text: text(error, "/message"),
            ..Trouble::default()
        });
    }
    progress.finish();
}

impl Fold for Gemini {
    fn event(&mut self, event: &Value, progress: &mut Progress) {
        let kind = text(event, "/type");
        if kind == "message" {
            return piece(event, progress);
        }
        progress.end_pieces();
        match kind {
            "init" => progress.session_is(text(event, "/session_id")),
            "tool_use" => {
                let (id, name) = (text(event, "/tool_id"), text(event, "/tool_name"));
                progress.call(id, name, &event["parameters"]);
            }
            "tool_result" => tool_result(event, progress),
            "error" => progress.troubled(Trouble {
                text: text(event, "/message"),
                ..Trouble::default()
            }),
            "result" => result(event, progress),
            "" => progress.garbage("an event without a type"),
            _ => {}
        }
    }

    fn complaint(&mut self, line: &str, progress: &mut Progress) {
        complaint(line, progress);
    }
}
