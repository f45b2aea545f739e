//! Codex: the events of `exec --json`, and what both of its streams have in common.

use serde_json::Value;
use worknode_core::usage::Usage;

use super::{
    Opening,
    fold::Fold,
    json::{count, text},
    progress::Progress,
    trouble::Trouble,
};

/// `codex exec --json`.
#[derive(Clone, Debug)]
pub(super) struct Codex {
    /// What the session had used before this run. Its counts go on where they were.
    before: Usage,
}

impl Codex {
    pub(super) fn new(opening: &Opening<'_>) -> Self {
        Self {
            before: opening.resume.map(|resume| resume.total).unwrap_or_default(),
        }
    }
}

/// What is left of a session's count when `before` is taken away.
pub(super) fn since(total: &Usage, before: &Usage) -> Usage {
    Usage {
        input_tokens: total.input_tokens.saturating_sub(before.input_tokens),
        output_tokens: total.output_tokens.saturating_sub(before.output_tokens),
        cache_read_tokens: total.cache_read_tokens.saturating_sub(before.cache_read_tokens),
        cache_write_tokens: total.cache_write_tokens.saturating_sub(before.cache_write_tokens),
        cost: total.cost.minus(before.cost),
        ..Usage::default()
    }
}

/// Codex counts what a cache supplied as input too.
fn tokens(usage: &Value) -> Usage {
    let (cached, written) = (
        count(usage, "/cached_input_tokens"),
        count(usage, "/cache_write_input_tokens"),
    );
    Usage {
        input_tokens: count(usage, "/input_tokens")
            .saturating_sub(cached)
            .saturating_sub(written),
        output_tokens: count(usage, "/output_tokens"),
        cache_read_tokens: cached,
        cache_write_tokens: written,
        ..Usage::default()
    }
}

/// An item has begun, or is over. Both streams have the same items, spelt differently.
pub(super) fn item(item: &Value, over: bool, progress: &mut Progress) {
    let id = text(item, "/id");
    let kind = text(item, "/type");
    if let Some((name, input)) = tool_and_input(kind) {
        return tool(item, id, name, input, over, progress);
    }
    match kind {
        "agent_message" | "agentMessage" if over => progress.say(text(item, "/text")),
        "command_execution" | "commandExecution" => command(item, id, over, progress),
        "mcp_tool_call" | "mcpToolCall" => {
            let name = format!("{}.{}", text(item, "/server"), text(item, "/tool"));
            tool(item, id, &name, "/arguments", over, progress);
        }
        // Of its own configuration mostly. What is the end comes again as an event.
        "error" => progress.complain(text(item, "/message")),
        "reasoning" => progress.moved(),
        _ => {}
    }
}

/// Items that are a tool of codex' own: what it is called, and where its input stands.
fn tool_and_input(kind: &str) -> Option<(&'static str, &'static str)> {
    match kind {
        "file_change" | "fileChange" => Some(("file_change", "/changes")),
        "web_search" | "webSearch" => Some(("web_search", "/query")),
        _ => None,
    }
}

fn command(item: &Value, id: &str, over: bool, progress: &mut Progress) {
    progress.call_shown(id, "command", &item["command"], text(item, "/command"));
    if over {
        progress.call_over(id, text(item, "/status") == "completed");
    } else {
        // What goes on behind the last word was meant to: there is no other way to leave a
        // server running.
        progress.in_background(id);
    }
}

fn tool(item: &Value, id: &str, name: &str, input: &str, over: bool, progress: &mut Progress) {
    let input = item.pointer(input).unwrap_or(&Value::Null);
    progress.call(id, name, input);
    if over {
        progress.call_over(id, !matches!(text(item, "/status"), "failed" | "declined"));
    }
}

/// `Reconnecting... 2/5 (what went wrong)`: the attempt, and what went wrong.
pub(super) fn reconnecting(message: &str) -> Option<(u64, &str)> {
    let after = message
        .strip_prefix("Reconnecting")?
        .trim_start_matches(['.', '…', ' ']);
    let (attempt, rest) = after.split_once('/')?;
    let why = rest
        .split_once('(')
        .map_or(rest, |(_, why)| why.trim_end_matches(')'));
    Some((attempt.parse().ok()?, why))
}

/// What stderr tells and nothing else does: refusals.
pub(super) fn complaint(line: &str, progress: &mut Progress) {
    const ROUTINE: [&str; 3] = ["WARNING:", "warning:", "Reading additional input from stdin"];
    if ROUTINE.iter().any(|routine| line.starts_with(routine)) {
        return;
    }
    if let Some((_, error)) = line.split_once("tools::router: error=") {
        let refused = ["rejected", "blocked", "denied"];
        if refused.iter().any(|word| error.contains(word)) {
            progress.denied(error);
            return;
        }
    }
    progress.complain(line);
}

fn error(message: &str, progress: &mut Progress) {
    let trouble = |text| Trouble {
        text,
        ..Trouble::default()
    };
    match reconnecting(message) {
        Some((attempt, why)) => progress.retrying(attempt, trouble(why)),
        None => progress.troubled(trouble(message)),
    }
}

impl Fold for Codex {
    fn event(&mut self, event: &Value, progress: &mut Progress) {
        let kind = text(event, "/type");
        match kind {
            "thread.started" => progress.session_is(text(event, "/thread_id")),
            "turn.started" => progress.go_on(),
            "item.started" | "item.updated" | "item.completed" => {
                item(&event["item"], kind == "item.completed", progress);
            }
            "error" => error(text(event, "/message"), progress),
            "turn.completed" => {
                let total = tokens(&event["usage"]);
                progress.session_used(total);
                progress.used(since(&total, &self.before));
                progress.turn();
                let words = progress.last_words().to_owned();
                progress.succeed(&words);
                progress.finish();
            }
            "turn.failed" => {
                progress.fail_with(Trouble {
                    text: text(event, "/error/message"),
                    ..Trouble::default()
                });
                progress.finish();
            }
            "" => progress.garbage("an event without a type"),
            _ => {}
        }
    }

    fn complaint(&mut self, line: &str, progress: &mut Progress) {
        complaint(line, progress);
    }
}
