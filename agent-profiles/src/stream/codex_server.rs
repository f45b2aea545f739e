//! Codex's `app-server`: JSON-RPC in both directions, without the `jsonrpc` field.

use serde_json::{Map, Value, json};
use worknode_core::{
    time::Timestamp,
    usage::{Stuck, Usage},
};

use super::{
    Cause, Opening,
    ask::Asked,
    codex::{self, since},
    fold::{Fold, brief},
    json::{count, list, status, text},
    progress::Progress,
    reset::from_epoch,
    rpc::{Message, error_text, refusal},
    trouble::Trouble,
};
use crate::driver::Driver;

/// Our own requests.
const INITIALIZE: u64 = 1;
const THREAD: u64 = 2;
const TURN: u64 = 3;
const CANCEL: u64 = 4;

/// `codex app-server`.
#[derive(Clone, Debug)]
pub(super) struct CodexServer {
    brief: String,
    /// The message that opens the thread.
    open: Value,
    resumes: bool,
    /// What the thread had used before this run; found out at the first count when nobody said.
    before: Option<Usage>,
    turn: String,
    /// When the account's limit ends, while it is reached.
    limited_until: Option<Timestamp>,
}

impl CodexServer {
    pub(super) fn new(driver: &Driver, opening: &Opening<'_>) -> Self {
        let mut params = Map::new();
        let mut set = |key: &str, value: &str| params.insert(key.to_owned(), json!(value));
        for (key, value) in &driver.session_with {
            set(key, value);
        }
        set("cwd", opening.cwd);
        if let Some(model) = opening.model {
            set("model", model);
        }
        if let Some(resume) = opening.resume {
            set("threadId", resume.session);
        }
        let resumes = opening.resume.is_some();
        let method = if resumes { "thread/resume" } else { "thread/start" };
        let told = opening.resume.map(|resume| resume.total);
        Self {
            brief: brief(opening),
            open: json!({ "id": THREAD, "method": method, "params": params }),
            resumes,
            before: match told {
                Some(total) if total == Usage::default() => None,
                Some(total) => Some(total),
                None => Some(Usage::default()),
            },
            turn: String::new(),
            limited_until: None,
        }
    }

    fn answered(&mut self, id: u64, result: Result<&Value, &Value>, progress: &mut Progress) {
        let result = match result {
            Ok(result) => result,
            Err(error) => return self.refused(id, error, progress),
        };
        match id {
            INITIALIZE => {
                progress.input("initialized", &json!({ "method": "initialized" }));
                progress.input("thread", &self.open);
            }
            THREAD => {
                let thread = text(result, "/thread/id");
                progress.session_is(thread);
                let input = json!([{ "type": "text", "text": std::mem::take(&mut self.brief) }]);
                let params = json!({ "threadId": thread, "input": input });
                let message = json!({ "id": TURN, "method": "turn/start", "params": params });
                progress.input("brief", &message);
            }
            TURN => text(result, "/turn/id").clone_into(&mut self.turn),
            _ => {}
        }
    }

    /// A request of ours was refused.
    fn refused(&self, id: u64, error: &Value, progress: &mut Progress) {
        // That there was nothing to interrupt is no failure.
        if id == CANCEL {
            return;
        }
        let text = error_text(error);
        if id == THREAD && self.resumes {
            progress.fail(&text, Cause::Session);
        } else {
            progress.fail_with(Trouble {
                text: &text,
                ..Trouble::default()
            });
        }
        progress.finish();
    }

    fn notice(&mut self, method: &str, params: &Value, progress: &mut Progress) {
        match method {
            "item/started" => codex::item(&params["item"], false, progress),
            "item/completed" => codex::item(&params["item"], true, progress),
            "item/agentMessage/delta" | "item/reasoning/textDelta" => progress.moved(),
            "account/rateLimits/updated" => self.limits(&params["rateLimits"]),
            _ => {
                // Subagents are threads of their own in the same process.
                let thread = text(params, "/threadId");
                if thread.is_empty() || progress.session.as_deref() == Some(thread) {
                    self.notice_of_ours(method, params, progress);
                }
            }
        }
    }

    /// What is said about our own thread as a whole.
    fn notice_of_ours(&mut self, method: &str, params: &Value, progress: &mut Progress) {
        match method {
            "thread/tokenUsage/updated" => self.count(&params["tokenUsage"], progress),
            "thread/status/changed" => {
                let flags = list(params, "/status/activeFlags");
                if flags.iter().any(|flag| flag == "waitingOnUserInput") {
                    let what = "an answer of a person".to_owned();
                    progress.stick(Stuck::PermissionPrompt { what });
                }
            }
            "error" => error(params, progress),
            "turn/completed" => self.turn_over(&params["turn"], progress),
            _ => {}
        }
    }

    fn count(&mut self, usage: &Value, progress: &mut Progress) {
        let total = tokens(&usage["total"]);
        let before = *self
            .before
            .get_or_insert_with(|| since(&total, &tokens(&usage["last"])));
        progress.turn();
        progress.session_used(total);
        progress.used(since(&total, &before));
    }

    fn limits(&mut self, limits: &Value) {
        let windows = ["primary", "secondary"].map(|name| &limits[name]);
        let full = windows.iter().filter(|window| {
            let used = window["usedPercent"].as_f64();
            used.is_some_and(|used| used >= 100.0)
        });
        let ends = full
            .map(|window| count(window, "/resetsAt"))
            .filter(|ends| *ends > 0);
        // Nothing is given before the last of the windows that are full has ended.
        self.limited_until = ends.max().map(from_epoch);
    }

    fn turn_over(&mut self, turn: &Value, progress: &mut Progress) {
        let message = text(turn, "/error/message");
        match text(turn, "/status") {
            "completed" => {
                let words = progress.last_words().to_owned();
                progress.succeed(&words);
            }
            "interrupted" => progress.fail("the turn was interrupted", Cause::Interrupted),
            _ => {
                let trouble = Trouble {
                    status: status_of(&turn["error"]),
                    text: message,
                    wait: None,
                };
                let kind = turn["error"]["codexErrorInfo"].to_string();
                let exact = Trouble {
                    text: &kind,
                    ..trouble
                };
                let cause = match (trouble.cause(progress.at), exact.cause(progress.at)) {
                    (Cause::Provider, exact) => exact,
                    (said, _) => said,
                };
                let cause = match cause {
                    Cause::Quota { reset_at } => Cause::Quota {
                        reset_at: reset_at.or(self.limited_until),
                    },
                    other => other,
                };
                progress.fail(message, cause);
            }
        }
        progress.finish();
    }

    fn asked(id: &Value, method: &str, params: &Value, progress: &mut Progress) {
        let what = [text(params, "/command"), text(params, "/reason"), method];
        let what = what.into_iter().find(|what| !what.is_empty()).unwrap_or(method);
        let decision = |word: &str| json!({ "id": id, "result": { "decision": word } });
        let (allow, deny) = match method {
            "item/commandExecution/requestApproval" | "item/fileChange/requestApproval" => {
                (Some(decision("accept")), decision("decline"))
            }
            // The same in older versions.
            "execCommandApproval" | "applyPatchApproval" => (Some(decision("approved")), decision("denied")),
            "mcpServer/elicitation/request" => (None, json!({ "id": id, "result": { "action": "decline" } })),
            _ => (
                None,
                refusal(id, "nobody is there to answer; decide yourself, and go on"),
            ),
        };
        progress.permission(Asked {
            id,
            tool: method,
            summary: what,
            names: &[method],
            all: params,
            allow,
            deny,
            reason: None,
        });
    }
}

/// The status of the provider's answer, which stands in one of several kinds of error.
fn status_of(error: &Value) -> Option<u16> {
    let kinds = error["codexErrorInfo"].as_object()?;
    kinds.values().find_map(|kind| status(kind, "/httpStatusCode"))
}

/// Codex counts what a cache supplied as input too.
fn tokens(usage: &Value) -> Usage {
    let (cached, written) = (
        count(usage, "/cachedInputTokens"),
        count(usage, "/cacheWriteInputTokens"),
    );
    Usage {
        input_tokens: count(usage, "/inputTokens")
            .saturating_sub(cached)
            .saturating_sub(written),
        output_tokens: count(usage, "/outputTokens"),
        cache_read_tokens: cached,
        cache_write_tokens: written,
        ..Usage::default()
    }
}

fn error(params: &Value, progress: &mut Progress) {
    let message = text(params, "/error/message");
    let trouble = Trouble {
        status: status_of(&params["error"]),
        text: message,
        wait: None,
    };
    match codex::reconnecting(message) {
        Some((attempt, why)) => progress.retrying(attempt, Trouble { text: why, ..trouble }),
        None if params["willRetry"] == true => progress.retrying(0, trouble),
        None => progress.troubled(trouble),
    }
}

impl Fold for CodexServer {
    fn begin(&mut self, progress: &mut Progress) {
        let client = json!({ "name": "worknode", "title": "Worknode", "version": env!("CARGO_PKG_VERSION") });
        let params = json!({ "clientInfo": client });
        let message = json!({ "id": INITIALIZE, "method": "initialize", "params": params });
        progress.input("initialize", &message);
    }

    fn event(&mut self, event: &Value, progress: &mut Progress) {
        match Message::parse(event) {
            Some(Message::Request { id, method, params }) => Self::asked(id, method, params, progress),
            Some(Message::Notice { method, params }) => self.notice(method, params, progress),
            Some(Message::Answer { id, result }) => self.answered(id, result, progress),
            None => progress.garbage("not a message"),
        }
    }

    fn complaint(&mut self, line: &str, progress: &mut Progress) {
        codex::complaint(line, progress);
    }

    fn cancel(&mut self, progress: &mut Progress) {
        if let Some(thread) = progress.session.clone() {
            let params = json!({ "threadId": thread, "turnId": self.turn });
            let message = json!({ "id": CANCEL, "method": "turn/interrupt", "params": params });
            progress.input("cancel", &message);
        }
    }
}
