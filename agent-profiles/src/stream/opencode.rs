//! OpenCode's `run --format json`. It has no last event: the last step says why it stopped.

use serde_json::Value;
use worknode_core::usage::Usage;

use super::{
    Cause,
    fold::Fold,
    json::{count, dollars, status, text},
    progress::{Progress, seconds},
    trouble::Trouble,
};

/// OpenCode. Its counts are those of each step.
#[derive(Clone, Debug, Default)]
pub(super) struct Opencode {
    used: Usage,
}

impl Opencode {
    fn step(&mut self, part: &Value, progress: &mut Progress) {
        let step = Usage {
            input_tokens: count(part, "/tokens/input"),
            output_tokens: count(part, "/tokens/output").saturating_add(count(part, "/tokens/reasoning")),
            cache_read_tokens: count(part, "/tokens/cache/read"),
            cache_write_tokens: count(part, "/tokens/cache/write"),
            cost: dollars(part, "/cost").unwrap_or_default(),
            ..Usage::default()
        };
        self.used = self.used.plus(&step);
        progress.turn();
        progress.used(self.used);
        if step.tokens() == 0 && step.cache_read_tokens == 0 {
            // Against an answer that it cannot read it asks again, at once and for ever.
            progress.empty_answer();
        } else if text(part, "/reason") == "stop" {
            let words = progress.last_words().to_owned();
            progress.succeed(&words);
        }
    }
}

fn error(error: &Value, progress: &mut Progress) {
    let message = text(error, "/data/message");
    match text(error, "/name") {
        "ContextOverflowError" => progress.fail(message, Cause::ContextExhausted),
        "MessageAbortedError" => progress.fail(message, Cause::Interrupted),
        "ProviderAuthError" => progress.fail(message, Cause::Auth),
        _ => progress.fail_with(Trouble {
            status: status(error, "/data/statusCode"),
            text: message,
            wait: seconds(text(error, "/data/responseHeaders/retry-after")),
        }),
    }
}

impl Fold for Opencode {
    fn event(&mut self, event: &Value, progress: &mut Progress) {
        progress.session_is(text(event, "/sessionID"));
        let part = &event["part"];
        match text(event, "/type") {
            "step_start" => progress.go_on(),
            // It comes when the call is over.
            "tool_use" => {
                let id = text(part, "/callID");
                progress.call(id, text(part, "/tool"), &part["state"]["input"]);
                progress.call_over(id, text(part, "/state/status") == "completed");
                if text(part, "/state/error").contains("rejected permission") {
                    progress.denied(text(part, "/tool"));
                }
            }
            "text" => progress.say(text(part, "/text")),
            "step_finish" => self.step(part, progress),
            "error" => error(&event["error"], progress),
            "" => progress.garbage("an event without a type"),
            _ => {}
        }
    }

    fn complaint(&mut self, line: &str, progress: &mut Progress) {
        match line.split_once("permission requested: ") {
            Some((_, what)) => progress.denied(what.trim_end_matches("; auto-rejecting")),
            None => progress.complain(line),
        }
    }
}
