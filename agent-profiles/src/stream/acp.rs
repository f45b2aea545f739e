//! The Agent Client Protocol, version 1, from the client's side.
//!
//! The client offers neither files nor terminals: the agent uses its own, inside its sandbox.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};
use worknode_core::usage::{Usage, Usd};

use super::{
    Cause, Opening,
    ask::Asked,
    fold::{Fold, brief},
    gemini,
    json::{count, dollars, list, text},
    progress::Progress,
    rpc::{Message, answer_id, error_text, refusal},
    trouble::Trouble,
};
use crate::driver::{Driver, McpServer};

/// Our own requests.
const INITIALIZE: u64 = 1;
const SESSION: u64 = 2;
const PROMPT: u64 = 3;
/// Most calls that are announced and have not begun.
const ANNOUNCED: usize = 256;
/// An agent that wants its user to log in.
const AUTH_REQUIRED: i64 = -32_000;

/// An agent that speaks the protocol.
#[derive(Clone, Debug)]
pub(super) struct Acp {
    brief: String,
    cwd: String,
    servers: Value,
    resume: Option<String>,
    /// Money that the session had cost before this run.
    before: Usd,
    /// The brief was said. What comes before is the history of a session that is gone on with.
    live: bool,
    /// Titles of calls that are announced and have not begun, the oldest first.
    announced: VecDeque<(String, String)>,
    used: Usage,
    extra: BTreeMap<String, String>,
}

impl Acp {
    pub(super) fn new(driver: &Driver, opening: &Opening<'_>) -> Self {
        Self {
            brief: brief(opening),
            cwd: opening.cwd.to_owned(),
            servers: opening.mcp.iter().map(server).collect(),
            resume: opening.resume.map(|resume| resume.session.to_owned()),
            before: opening.resume.map(|resume| resume.total.cost).unwrap_or_default(),
            live: false,
            announced: VecDeque::new(),
            used: Usage::default(),
            extra: driver.session_with.clone(),
        }
    }

    fn request(name: &str, id: u64, method: &str, params: &Value, progress: &mut Progress) {
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        progress.input(name, &message);
    }

    fn answered(&mut self, id: u64, result: Result<&Value, &Value>, progress: &mut Progress) {
        let result = match result {
            Ok(result) => result,
            Err(error) => return self.refused(id, error, progress),
        };
        match id {
            INITIALIZE => self.open(result, progress),
            SESSION => {
                // An answer to `session/load` does not name it again.
                let given = text(result, "/sessionId");
                let session = if given.is_empty() {
                    self.resume.clone().unwrap_or_default()
                } else {
                    given.to_owned()
                };
                progress.session_is(&session);
                self.live = true;
                let prompt = json!([{ "type": "text", "text": std::mem::take(&mut self.brief) }]);
                let params = json!({ "sessionId": session, "prompt": prompt });
                Self::request("brief", PROMPT, "session/prompt", &params, progress);
            }
            PROMPT => self.over(result, progress),
            _ => {}
        }
    }

    fn open(&mut self, result: &Value, progress: &mut Progress) {
        let can_load = result["agentCapabilities"]["loadSession"] == true;
        let mut params = json!({ "cwd": self.cwd, "mcpServers": self.servers });
        for (key, value) in &self.extra {
            params[key] = json!(value);
        }
        let method = match &self.resume {
            Some(session) if can_load => {
                params["sessionId"] = json!(session);
                "session/load"
            }
            Some(_) => {
                progress.fail("the agent cannot go on with a session", Cause::Session);
                return progress.finish();
            }
            None => "session/new",
        };
        Self::request("session", SESSION, method, &params, progress);
    }

    fn refused(&self, id: u64, error: &Value, progress: &mut Progress) {
        let said = error_text(error);
        let code = error["code"].as_i64().unwrap_or_default();
        // Some agents answer with the status of the request that failed.
        let trouble = Trouble {
            status: u16::try_from(code).ok().filter(|code| (400..600).contains(code)),
            text: &said,
            wait: None,
        };
        match (id, code) {
            (SESSION, _) if self.resume.is_some() => progress.fail(&said, Cause::Session),
            (INITIALIZE | SESSION, AUTH_REQUIRED) => progress.fail(&said, Cause::Auth),
            _ => progress.fail_with(trouble),
        }
        progress.finish();
    }

    fn over(&mut self, result: &Value, progress: &mut Progress) {
        progress.end_pieces();
        let told = if result["usage"].is_object() {
            tokens(&result["usage"])
        } else {
            of_gemini(&result["_meta"]["quota"]["token_count"])
        };
        self.used = Usage {
            cost: self.used.cost,
            ..told
        };
        progress.turn();
        progress.used(self.used);
        let words = progress.last_words().to_owned();
        match text(result, "/stopReason") {
            "end_turn" => progress.succeed(&words),
            "cancelled" => progress.fail("the prompt was cancelled", Cause::Interrupted),
            "max_turn_requests" => progress.fail("it reached its most turns", Cause::MaxTurns),
            "max_tokens" => progress.fail("it reached its most tokens", Cause::ContextExhausted),
            other => progress.fail(&format!("it stopped: {other}"), Cause::Provider),
        }
        progress.finish();
    }

    fn update(&mut self, update: &Value, progress: &mut Progress) {
        let kind = text(update, "/sessionUpdate");
        if kind == "agent_message_chunk" {
            return progress.say_piece(text(update, "/content/text"));
        }
        progress.end_pieces();
        match kind {
            "agent_thought_chunk" => progress.moved(),
            "tool_call" | "tool_call_update" => self.call(update, progress),
            "usage_update" => {
                if let Some(cost) =
                    dollars(update, "/cost/amount").filter(|_| text(update, "/cost/currency") == "USD")
                {
                    self.used.cost = cost.minus(self.before);
                    progress.used(self.used);
                    let total = Usage {
                        cost,
                        ..progress.session_total()
                    };
                    progress.session_used(total);
                }
            }
            _ => {}
        }
    }

    /// A call is announced first, often without its input; it counts when it begins.
    fn call(&mut self, update: &Value, progress: &mut Progress) {
        let id = text(update, "/toolCallId");
        let title = text(update, "/title");
        let status = text(update, "/status");
        let at = self.announced.iter().position(|(announced, _)| announced == id);
        if matches!(status, "" | "pending") {
            if at.is_none() && progress.name_of(id).is_none() && !title.is_empty() {
                self.announced.push_back((id.to_owned(), title.to_owned()));
                if self.announced.len() > ANNOUNCED {
                    self.announced.pop_front();
                }
            }
            return;
        }
        let announced = at
            .and_then(|at| self.announced.remove(at))
            .map(|(_, title)| title);
        let title = if title.is_empty() {
            announced.as_deref().unwrap_or_default()
        } else {
            title
        };
        let kind = text(update, "/kind");
        let name = [kind, announced.as_deref().unwrap_or_default(), title, "tool"];
        let name = name.into_iter().find(|name| !name.is_empty()).unwrap_or("tool");
        let input = json!([title, update["rawInput"], update["locations"]]);
        progress.call_shown(id, name, &input, title);
        if matches!(status, "completed" | "failed") {
            progress.call_over(id, status == "completed");
        }
    }

    fn asked(&mut self, id: &Value, method: &str, params: &Value, progress: &mut Progress) {
        if method != "session/request_permission" {
            let answer = with_version(refusal(id, "this client does not offer it"));
            return progress.input(answer_id(id), &answer);
        }
        let call = &params["toolCall"];
        let (title, kind) = (text(call, "/title"), text(call, "/kind"));
        let options = list(params, "/options");
        let option = |kinds: &[&str]| {
            let mut of_kinds = kinds.iter();
            of_kinds.find_map(|kind| options.iter().find(|option| text(option, "/kind") == *kind))
        };
        let answer = |outcome: Value| with_version(json!({ "id": id, "result": { "outcome": outcome } }));
        let selects =
            |option: &Value| answer(json!({ "outcome": "selected", "optionId": option["optionId"] }));
        // Who is shown one call allows that one.
        let allowing: &[&str] = if progress.asks {
            &["allow_once"]
        } else {
            &["allow_once", "allow_always"]
        };
        let cancelled = || answer(json!({ "outcome": "cancelled" }));
        progress.permission(Asked {
            id,
            tool: if kind.is_empty() { title } else { kind },
            summary: if title.is_empty() { kind } else { title },
            names: &[kind, title],
            all: call,
            allow: option(allowing).map(selects),
            deny: option(&["reject_once", "reject_always"]).map_or_else(cancelled, selects),
            reason: None,
        });
        self.call(call, progress);
    }
}

fn with_version(mut message: Value) -> Value {
    message["jsonrpc"] = json!("2.0");
    message
}

fn server(server: &McpServer) -> Value {
    let env: Vec<Value> = server
        .env
        .iter()
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    json!({ "name": server.name, "command": server.command, "args": server.args, "env": env })
}

fn tokens(usage: &Value) -> Usage {
    Usage {
        input_tokens: count(usage, "/inputTokens"),
        output_tokens: count(usage, "/outputTokens"),
        cache_read_tokens: count(usage, "/cachedReadTokens"),
        cache_write_tokens: count(usage, "/cachedWriteTokens"),
        ..Usage::default()
    }
}

fn of_gemini(counts: &Value) -> Usage {
    Usage {
        input_tokens: count(counts, "/input_tokens"),
        output_tokens: count(counts, "/output_tokens"),
        ..Usage::default()
    }
}

impl Fold for Acp {
    fn begin(&mut self, progress: &mut Progress) {
        let files = json!({ "readTextFile": false, "writeTextFile": false });
        let params = json!({
            "protocolVersion": 1,
            "clientCapabilities": { "fs": files, "terminal": false },
            "clientInfo": { "name": "worknode", "version": env!("CARGO_PKG_VERSION") },
        });
        Self::request("initialize", INITIALIZE, "initialize", &params, progress);
    }

    fn event(&mut self, event: &Value, progress: &mut Progress) {
        match Message::parse(event) {
            Some(Message::Request { id, method, params }) => self.asked(id, method, params, progress),
            Some(Message::Notice { method, params }) => {
                if method == "session/update" && self.live {
                    self.update(&params["update"], progress);
                }
            }
            Some(Message::Answer { id, result }) => self.answered(id, result, progress),
            None => progress.garbage("not a message"),
        }
    }

    fn complaint(&mut self, line: &str, progress: &mut Progress) {
        // Of the two agents that speak it, this is the one that tells of its retries here only;
        // most often when it is over, and they mean nothing any more.
        gemini::complaint(line, progress);
    }

    fn cancel(&mut self, progress: &mut Progress) {
        if self.live
            && let Some(session) = progress.session.clone()
        {
            let params = json!({ "sessionId": session });
            let message = json!({ "jsonrpc": "2.0", "method": "session/cancel", "params": params });
            progress.input("cancel", &message);
        }
    }
}
