//! Claude Code's `stream-json`, read only or in both directions.

use std::{collections::VecDeque, time::Duration};

use serde_json::{Value, json};
use worknode_core::{
    time::Timestamp,
    usage::{Stuck, Usage},
};

use super::{
    Cause, Opening, Report,
    ask::Asked,
    fold::{Fold, brief},
    json::{count, dollars, list, status, text},
    progress::Progress,
    reset::from_epoch,
    rpc::answer_id,
    trouble::Trouble,
};

/// The newest messages of the model that are known. Those of subagents come in between.
const MESSAGES: usize = 64;
/// Ids of our own requests.
const INITIALIZE: &str = "initialize";
const CANCEL: &str = "cancel";

/// Claude Code.
#[derive(Clone, Debug)]
pub(super) struct Claude {
    /// The brief, while it has not been said; `None` when it goes another way.
    brief: Option<String>,
    two_way: bool,
    messages: VecDeque<String>,
    /// What the results so far have told of this run.
    settled: Usage,
    /// What messages since the last result have told.
    running: Usage,
    /// What the session had used before this run.
    before: Usage,
}

impl Claude {
    pub(super) fn new(opening: &Opening<'_>, two_way: bool) -> Self {
        Self {
            brief: two_way.then(|| brief(opening)),
            two_way,
            messages: VecDeque::new(),
            settled: Usage::default(),
            running: Usage::default(),
            before: opening.resume.map(|resume| resume.total).unwrap_or_default(),
        }
    }

    fn system(event: &Value, progress: &mut Progress) {
        match text(event, "/subtype") {
            "init" => progress.session_is(text(event, "/session_id")),
            "api_retry" => {
                let trouble = Trouble {
                    status: status(event, "/error_status"),
                    text: text(event, "/error"),
                    wait: Some(Duration::from_millis(count(event, "/retry_delay_ms"))),
                };
                progress.retrying(count(event, "/attempt"), trouble);
            }
            "permission_denied" => progress.denied(text(event, "/tool_name")),
            "task_started" if event["is_backgrounded"] == true => {
                progress.in_background(text(event, "/tool_use_id"));
            }
            "informational" if text(event, "/tag") == "hook_no_verdict" => {
                let id = text(event, "/hook_no_verdict/tool_use_id");
                let tool = progress.name_of(id).unwrap_or("a tool");
                let what = format!("{} of {tool}", text(event, "/hook_no_verdict/hook_event"));
                progress.report(Report::Unchecked { what });
            }
            _ => {}
        }
    }

    fn assistant(&mut self, event: &Value, progress: &mut Progress) {
        // The program speaks in the model's place, of an error that the result will tell too.
        if text(event, "/message/model") == "<synthetic>" {
            return;
        }
        self.count(&event["message"], progress);
        progress.moved();
        for block in list(event, "/message/content") {
            match text(block, "/type") {
                "text" => progress.say(text(block, "/text")),
                "tool_use" => progress.call(text(block, "/id"), text(block, "/name"), &block["input"]),
                _ => {}
            }
        }
    }

    /// A message comes once for each of its blocks, each time with the same usage.
    fn count(&mut self, message: &Value, progress: &mut Progress) {
        let id = text(message, "/id");
        if self.messages.iter().any(|known| known == id) {
            return;
        }
        self.messages.push_back(id.to_owned());
        if self.messages.len() > MESSAGES {
            self.messages.pop_front();
        }
        progress.turn();
        self.running = self.running.plus(&tokens(&message["usage"]));
        progress.used(self.settled.plus(&self.running));
    }

    fn user(event: &Value, progress: &mut Progress) {
        for block in list(event, "/message/content") {
            if text(block, "/type") == "tool_result" {
                progress.call_over(text(block, "/tool_use_id"), block["is_error"] != true);
            }
        }
    }

    /// The conversation beside the work: what it asks us, and what it answers.
    fn control(&mut self, event: &Value, progress: &mut Progress) {
        match text(event, "/type") {
            "control_request" if self.two_way => Self::request(event, progress),
            "control_response" => self.response(event, progress),
            "control_cancel_request" => progress.withdrawn(&event["request_id"]),
            _ => {}
        }
    }

    fn result(&mut self, event: &Value, progress: &mut Progress) {
        self.settle(event, progress);
        let said = match &event["result"] {
            Value::String(said) => said.clone(),
            _ => list(event, "/errors")
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join("; "),
        };
        // `subtype` says success of failed requests too.
        let ended = text(event, "/terminal_reason");
        let completed = matches!(ended, "" | "completed") && text(event, "/subtype") == "success";
        if completed && event["is_error"] == false {
            progress.succeed(&said);
        } else {
            let cause = cause_of(event, &said, progress.at);
            progress.fail(&said, known_reset(cause, progress));
        }
        progress.finish();
    }

    /// The result says what really was used; what the messages said was only their beginning.
    fn settle(&mut self, event: &Value, progress: &mut Progress) {
        let session = Usage {
            cost: dollars(event, "/total_cost_usd").unwrap_or(self.before.cost),
            ..by_model(&event["modelUsage"])
        };
        self.settled = match event.get("model_usage_since_last_result") {
            Some(models) => self.settled.plus(&by_model(models)),
            // Older versions tell the money of the whole session only.
            None => Usage {
                cost: session.cost.minus(self.before.cost),
                ..self.settled.plus(&tokens(&event["usage"]))
            },
        };
        self.running = Usage::default();
        progress.used(self.settled);
        if session.tokens() > 0 {
            progress.session_used(session);
        }
    }

    fn request(event: &Value, progress: &mut Progress) {
        let id = &event["request_id"];
        let respond = |response: Value| json!({ "type": "control_response", "response": response });
        let kind = text(event, "/request/subtype");
        if kind != "can_use_tool" {
            let error = format!("`{kind}` is not offered");
            let answer = respond(json!({ "subtype": "error", "request_id": id, "error": error }));
            return progress.input(answer_id(id), &answer);
        }
        let (tool, input) = (text(event, "/request/tool_name"), &event["request"]["input"]);
        let says = |response: Value| {
            respond(json!({ "subtype": "success", "request_id": id, "response": response }))
        };
        progress.permission(Asked {
            id,
            tool,
            summary: tool,
            names: &[tool],
            all: input,
            allow: Some(says(json!({ "behavior": "allow", "updatedInput": input }))),
            deny: says(json!({ "behavior": "deny", "message": "" })),
            reason: Some("/response/response/message"),
        });
    }

    fn response(&mut self, event: &Value, progress: &mut Progress) {
        let is_ours = text(event, "/response/request_id") == INITIALIZE;
        if let Some(brief) = self.brief.take_if(|_| is_ours) {
            let content = json!([{ "type": "text", "text": brief }]);
            let message = json!({
                "type": "user",
                "message": { "role": "user", "content": content },
                "parent_tool_use_id": null,
                "session_id": progress.session.as_deref().unwrap_or("default"),
            });
            progress.input("brief", &message);
        }
    }
}

/// The reset time that was told before the failure, where the failure does not tell it.
fn known_reset(cause: Cause, progress: &Progress) -> Cause {
    match (cause, progress.stuck()) {
        (Cause::Quota { reset_at: None }, Some(Stuck::QuotaPaused { reset_at })) => {
            let reset_at = reset_at.filter(|reset| *reset > progress.at);
            Cause::Quota { reset_at }
        }
        _ => cause,
    }
}

/// Why it failed: what it says itself, then what its words and its status mean.
fn cause_of(event: &Value, said: &str, at: Timestamp) -> Cause {
    let trouble = Trouble {
        status: status(event, "/api_error_status"),
        text: said,
        wait: None,
    };
    match (text(event, "/terminal_reason"), text(event, "/subtype")) {
        ("max_turns", _) | (_, "error_max_turns") => Cause::MaxTurns,
        ("budget_exhausted", _) | (_, "error_max_budget_usd") => Cause::Budget,
        ("prompt_too_long", _) => Cause::ContextExhausted,
        (reason, _) if reason.starts_with("aborted") => Cause::Interrupted,
        _ => trouble.cause(at),
    }
}

fn limits(event: &Value, progress: &mut Progress) {
    if text(event, "/rate_limit_info/status") == "rejected" {
        let resets = count(event, "/rate_limit_info/resetsAt");
        let reset_at = (resets > 0).then(|| from_epoch(resets));
        progress.stick(Stuck::QuotaPaused { reset_at });
    }
}

fn tokens(usage: &Value) -> Usage {
    Usage {
        input_tokens: count(usage, "/input_tokens"),
        output_tokens: count(usage, "/output_tokens"),
        cache_read_tokens: count(usage, "/cache_read_input_tokens"),
        cache_write_tokens: count(usage, "/cache_creation_input_tokens"),
        ..Usage::default()
    }
}

fn by_model(models: &Value) -> Usage {
    let models = models.as_object().into_iter().flat_map(|models| models.values());
    models.fold(Usage::default(), |sum, model| {
        sum.plus(&Usage {
            input_tokens: count(model, "/inputTokens"),
            output_tokens: count(model, "/outputTokens"),
            cache_read_tokens: count(model, "/cacheReadInputTokens"),
            cache_write_tokens: count(model, "/cacheCreationInputTokens"),
            cost: dollars(model, "/costUSD").unwrap_or_default(),
            ..Usage::default()
        })
    })
}

impl Fold for Claude {
    fn begin(&mut self, progress: &mut Progress) {
        if self.two_way {
            let request = json!({ "subtype": "initialize", "hooks": null });
            let message = json!({ "type": "control_request", "request_id": INITIALIZE, "request": request });
            progress.input(INITIALIZE, &message);
        }
    }

    fn event(&mut self, event: &Value, progress: &mut Progress) {
        match text(event, "/type") {
            "system" => Self::system(event, progress),
            "assistant" => self.assistant(event, progress),
            "user" => Self::user(event, progress),
            "result" => self.result(event, progress),
            "rate_limit_event" => limits(event, progress),
            "control_request" | "control_response" | "control_cancel_request" => {
                self.control(event, progress);
            }
            "" => progress.garbage("an event without a type"),
            _ => {}
        }
    }

    fn cancel(&mut self, progress: &mut Progress) {
        if self.two_way {
            let request = json!({ "subtype": "interrupt" });
            let message = json!({ "type": "control_request", "request_id": CANCEL, "request": request });
            progress.input(CANCEL, &message);
        }
    }
}
