//! What a call of a tool asks of the API. Pure.

use serde_json::{Map, Value, json};
use worknode_core::error::{Code, Error};

use super::{Speaker, tools::Method};

/// Found of one search when nobody says how many.
const FOUND: u64 = 10;

/// A request to the API.
#[derive(Debug, PartialEq)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Value>,
}

fn get(path: String) -> Request {
    Request {
        method: Method::Get,
        path,
        body: None,
    }
}

fn post(path: impl Into<String>, body: Value) -> Request {
    Request {
        method: Method::Post,
        path: path.into(),
        body: Some(body),
    }
}

/// Where the caller's own brief is.
pub(super) fn own(speaker: &Speaker) -> String {
    match &speaker.agent {
        Some(agent) => format!("/agents/{}/continue", escaped(agent)),
        None => "/continue".to_owned(),
    }
}

/// The request that a call of `tool` means. `head` is asked for the last commit when none is given.
pub(super) fn request(
    tool: &str,
    speaker: &Speaker,
    given: &Map<String, Value>,
    head: impl FnOnce() -> Option<String>,
) -> Result<Request, Error> {
    let args = Arguments { given };
    let limit = args.number("limit").unwrap_or(FOUND);
    Ok(match tool {
        "brief" => get(own(speaker)),
        "status" => get("/status".to_owned()),
        "next_task" => post("/tasks/claim", args.only(&["skills", "where"])),
        "claim" => post(format!("/tasks/{}/claim", args.part("task")?), json!({})),
        "progress" => {
            let (task, epoch) = args.hold(speaker)?;
            let body =
                json!({ "epoch": epoch, "message": args.text("message")?, "percent": given.get("percent") });
            post(format!("/tasks/{task}/progress"), body)
        }
        "submit" => {
            let (task, epoch) = args.hold(speaker)?;
            let commit = args.optional("commit").map(str::to_owned).or_else(head);
            let commit = commit.ok_or_else(|| missing("commit"))?;
            post(
                format!("/tasks/{task}/submit"),
                json!({ "epoch": epoch, "commit": commit }),
            )
        }
        "blocked" => {
            let (task, epoch) = args.hold(speaker)?;
            let body = json!({ "epoch": epoch, "reason": args.text("reason")? });
            post(format!("/tasks/{task}/block"), body)
        }
        "message" => post("/messages", args.only(&["to", "text", "thread", "broadcast"])),
        "messages" => match (args.optional("ack"), &speaker.agent) {
            (Some(stamp), _) => post(format!("/messages/{}/ack", escaped(stamp)), json!({})),
            (None, Some(agent)) => get(format!("/messages?of={}", escaped(agent))),
            (None, None) => get("/messages".to_owned()),
        },
        "search" => search(&args, limit)?,
        "record_decision" => {
            let what = [
                "question",
                "decision",
                "rationale",
                "alternatives",
                "confidence",
                "supersedes",
                "on",
            ];
            post("/decisions", args.only(&what))
        }
        "record_issue" => issue(&args)?,
        "remember" => Request {
            method: Method::Put,
            path: format!("/memory/{}", key(args.text("key")?)),
            body: Some(args.only(&["value", "ttl"])),
        },
        "recall" => match (args.optional("key"), args.optional("namespace")) {
            (Some(one), _) => get(format!("/memory/{}", key(one))),
            (None, Some(namespace)) => get(format!("/memory?namespace={}", escaped(namespace))),
            (None, None) => get("/memory".to_owned()),
        },
        "query" => {
            let aggregate = args
                .optional("aggregate")
                .map(|text| format!("&aggregate={}", escaped(text)));
            let filter = escaped(args.text("where")?);
            get(format!(
                "/search?where={filter}&limit={limit}{}",
                aggregate.unwrap_or_default()
            ))
        }
        "spawn" => post("/agents", args.only(&["like", "task", "title", "prompt"])),
        "stop" => post(
            "/kill",
            json!({ "targets": [args.text("target")?], "reason": args.text("reason")? }),
        ),
        "reassign" => post(
            format!("/nodes/{}/assign", args.part("task")?),
            json!({ "to": args.text("to")? }),
        ),
        "replan" => replan(&args)?,
        other => return Err(Error::new(Code::NotFound, format!("there is no tool `{other}`"))),
    })
}

/// What is planned of a task, as far as a call may say it.
const PLANNED: [&str; 7] = [
    "title",
    "prompt",
    "files",
    "depends_on",
    "agent",
    "deadline",
    "priority",
];

fn replan(args: &Arguments<'_>) -> Result<Request, Error> {
    let reason = args.text("reason")?;
    let cancel = args.given.get("cancel") == Some(&Value::Bool(true));
    Ok(match args.optional("task") {
        Some(task) if cancel => post(
            format!("/plan/tasks/{}/cancel", escaped(task)),
            json!({ "reason": reason }),
        ),
        None if cancel => return Err(missing("task")),
        Some(task) => Request {
            method: Method::Put,
            path: format!("/plan/tasks/{}", escaped(task)),
            body: Some(args.only(&[&PLANNED[..], &["reason"]].concat())),
        },
        None => {
            args.text("title")?;
            let task = args.only(&[&PLANNED[..], &["key"]].concat());
            post(
                "/plan/tasks",
                json!({ "task": task, "phase": args.optional("phase"), "reason": reason }),
            )
        }
    })
}

fn search(args: &Arguments<'_>, limit: u64) -> Result<Request, Error> {
    let query = args.text("query")?;
    Ok(match args.optional("in").unwrap_or("issues") {
        "issues" => post("/issues/search", json!({ "error": query, "limit": limit })),
        place @ ("decisions" | "memory") => get(format!("/{place}?q={}&limit={limit}", escaped(query))),
        "nodes" => get(format!("/search?q={}&limit={limit}", escaped(query))),
        other => {
            let message = format!("there is no searching in `{other}`");
            return Err(Error::new(Code::Usage, message).hint("there are: issues, decisions, memory, nodes"));
        }
    })
}

fn issue(args: &Arguments<'_>) -> Result<Request, Error> {
    Ok(match args.optional("issue") {
        Some(issue) if args.given.get("helped") == Some(&Value::Bool(true)) => {
            post(format!("/issues/{}/helped", escaped(issue)), json!({}))
        }
        Some(issue) => post(
            format!("/issues/{}/resolve", escaped(issue)),
            args.only(&["cause", "fix", "patch"]),
        ),
        None => {
            args.text("error")?;
            post("/issues", args.only(&["error", "file", "cause", "fix", "patch"]))
        }
    })
}

/// What a call gave.
struct Arguments<'a> {
    given: &'a Map<String, Value>,
}

impl Arguments<'_> {
    fn optional(&self, name: &str) -> Option<&str> {
        self.given.get(name).and_then(Value::as_str)
    }

    fn text(&self, name: &str) -> Result<&str, Error> {
        self.optional(name).ok_or_else(|| missing(name))
    }

    /// As a part of a path.
    fn part(&self, name: &str) -> Result<String, Error> {
        self.text(name).map(escaped)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.given.get(name).and_then(Value::as_u64)
    }

    /// These, as far as they were given. Whether they make sense, the API says.
    fn only(&self, names: &[&str]) -> Value {
        let given = names
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), self.given.get(*name)?.clone())));
        Value::Object(given.collect())
    }

    /// The task and the claim that a report is about.
    fn hold(&self, speaker: &Speaker) -> Result<(String, u64), Error> {
        let task = self
            .optional("task")
            .or(speaker.task.as_deref())
            .ok_or_else(|| missing("task"))?;
        let epoch = self
            .number("epoch")
            .or(speaker.epoch)
            .ok_or_else(|| missing("epoch"))?;
        Ok((escaped(task), epoch))
    }
}

fn missing(name: &str) -> Error {
    Error::new(Code::Usage, format!("`{name}` is missing"))
}

fn key(key: &str) -> String {
    let parts: Vec<String> = key.split('/').map(escaped).collect();
    parts.join("/")
}

/// Percent-encoding of all that a part of a path or a query value may not hold.
fn escaped(text: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b',');
    let one = |b: u8| {
        if keep(b) {
            char::from(b).to_string()
        } else {
            format!("%{b:02X}")
        }
    };
    text.bytes().map(one).collect()
}
