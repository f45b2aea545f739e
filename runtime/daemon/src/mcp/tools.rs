//! The tools: a small set, each with what it takes.

use std::sync::Arc;

use rmcp::model::{Tool as Described, ToolAnnotations};
use serde_json::{Map, Value, json};

/// How a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of HTTP")]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

/// One tool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tool {
    pub(super) name: &'static str,
    what: &'static str,
    /// Each argument: its name, its type in JSON Schema, what it says; a `!` before the name when it
    /// must be there.
    takes: &'static [(&'static str, &'static str, &'static str)],
    sort: Sort,
}

/// Whom a tool is for, and what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Reads,
    Writes,
    /// Only for those who lead others.
    Leads,
}

use Sort::{Leads, Reads, Writes};

const TOOLS: &[Tool] = &[
    Tool {
        name: "brief",
        what: "Where you stand: your task, what was done and decided, what is in the way, messages, findings of the last gates, and what to do next.",
        takes: &[],
        sort: Reads,
    },
    Tool {
        name: "status",
        what: "The whole team at a glance: agents, tasks by status, what waits for a person.",
        takes: &[],
        sort: Reads,
    },
    Tool {
        name: "next_task",
        what: "Claim the next task that is ready. For those who may claim; a run that was given its task needs it not.",
        takes: &[
            ("skills", "strings", "Tags that you are good at."),
            ("where", "string", "Only tasks of which this holds, in CEL."),
        ],
        sort: Writes,
    },
    Tool {
        name: "claim",
        what: "Claim one task. The answer has the epoch that later reports need.",
        takes: &[("!task", "string", "Its name or id.")],
        sort: Writes,
    },
    Tool {
        name: "progress",
        what: "Say how far you are with your task.",
        takes: &[
            ("!message", "string", "What you are doing, in a few words."),
            ("percent", "integer", "How much is done, from 0 to 100."),
            ("task", "string", "The task; yours when it is not said."),
            (
                "epoch",
                "integer",
                "Your claim; that of your run when it is not said.",
            ),
        ],
        sort: Writes,
    },
    Tool {
        name: "submit",
        what: "Hand in your work: a commit of your workspace. The gates check exactly this commit.",
        takes: &[
            (
                "commit",
                "string",
                "The commit, in full; the last one of your workspace when it is not said.",
            ),
            ("task", "string", "The task; yours when it is not said."),
            (
                "epoch",
                "integer",
                "Your claim; that of your run when it is not said.",
            ),
        ],
        sort: Writes,
    },
    Tool {
        name: "blocked",
        what: "Say that you cannot go on without help, and what is missing.",
        takes: &[
            ("!reason", "string", "What is missing."),
            ("task", "string", "The task; yours when it is not said."),
            (
                "epoch",
                "integer",
                "Your claim; that of your run when it is not said.",
            ),
        ],
        sort: Writes,
    },
    Tool {
        name: "message",
        what: "Say something to an agent, to whoever works on a task, or to all agents below a Worknode.",
        takes: &[
            ("!to", "string", "An agent, a task, or another Worknode."),
            ("!text", "string", "What."),
            ("thread", "string", "The stamp of the message that it answers."),
            ("broadcast", "boolean", "To all agents at and below it."),
        ],
        sort: Writes,
    },
    Tool {
        name: "messages",
        what: "The messages to you that wait. With `ack`, acknowledge one instead.",
        takes: &[("ack", "string", "The stamp of a message that you have read.")],
        sort: Writes,
    },
    Tool {
        name: "search",
        what: "Find what is known: issues by an error's text (the same error first), decisions, memory or any Worknode by words.",
        takes: &[
            ("!query", "string", "An error's text, or words."),
            (
                "in",
                "string",
                "issues, decisions, memory or nodes; issues when it is not said.",
            ),
            ("limit", "integer", "At most so many."),
        ],
        sort: Reads,
    },
    Tool {
        name: "record_decision",
        what: "Record what was decided and why, for those who come later.",
        takes: &[
            ("!question", "string", "What was asked."),
            ("!decision", "string", "What was decided."),
            ("rationale", "string", "Why."),
            ("alternatives", "alternatives", "What was not chosen, and why."),
            ("confidence", "number", "How sure, from 0 to 1."),
            (
                "supersedes",
                "string",
                "The decision that it replaces, by its id.",
            ),
            (
                "on",
                "string",
                "The task that it is about; yours when it is not said.",
            ),
        ],
        sort: Writes,
    },
    Tool {
        name: "record_issue",
        what: "Report an error; one that was seen before is found, with its solution. With `issue`, say how that one is solved instead.",
        takes: &[
            ("error", "string", "The text of the error."),
            ("file", "string", "Where it came up."),
            ("cause", "string", "The root cause."),
            ("fix", "string", "What mends it."),
            ("patch", "string", "The same as a patch."),
            ("issue", "string", "The id of an issue that this solves."),
            ("helped", "boolean", "With `issue`: its solution helped."),
        ],
        sort: Writes,
    },
    Tool {
        name: "remember",
        what: "Remember a value under a key, as in yourname/notes/schema. All can read it; you write below your own name.",
        takes: &[
            ("!key", "string", "A namespace and a name."),
            ("!value", "any", "Anything that is JSON."),
            (
                "ttl",
                "string",
                "For how long, as in 30m; for ever when it is not said.",
            ),
        ],
        sort: Writes,
    },
    Tool {
        name: "recall",
        what: "What is remembered under a key, in a namespace, or which namespaces there are.",
        takes: &[
            ("key", "string", "One key."),
            ("namespace", "string", "All keys of a namespace."),
        ],
        sort: Reads,
    },
    Tool {
        name: "query",
        what: "Worknodes of which a condition in CEL holds, as in kind == \"task\" && status == \"blocked\"; or aggregates over them.",
        takes: &[
            ("!where", "string", "The condition."),
            ("aggregate", "string", "As in `count by status`."),
            ("limit", "integer", "At most so many."),
        ],
        sort: Reads,
    },
    Tool {
        name: "spawn",
        what: "Make another agent beneath you, like one of the configuration, and start it.",
        takes: &[
            ("!like", "string", "The agent that it is like."),
            (
                "task",
                "string",
                "A task that is ready; or else title and prompt.",
            ),
            ("title", "string", "One line that says what is to be done."),
            ("prompt", "string", "What it is told."),
        ],
        sort: Leads,
    },
    Tool {
        name: "stop",
        what: "Stop an agent, a task or a run: every process of it, with proof.",
        takes: &[
            ("!target", "string", "Its name or id."),
            ("!reason", "string", "Why."),
        ],
        sort: Leads,
    },
    Tool {
        name: "reassign",
        what: "Say who is to see to a task.",
        takes: &[
            ("!task", "string", "The task."),
            ("!to", "string", "An agent, a team, or another Worknode."),
        ],
        sort: Leads,
    },
    Tool {
        name: "replan",
        what: "Change the plan: add a task, or with `task` say what is different about one, or that nobody wants it any more.",
        takes: &[
            ("!reason", "string", "Why: that is kept."),
            (
                "task",
                "string",
                "The task that is to change; a new one when it is not said.",
            ),
            ("cancel", "boolean", "With `task`: nobody wants it any more."),
            ("key", "string", "Of a new task: its name."),
            ("phase", "string", "Of a new task: where it belongs."),
            ("title", "string", "One line that says what is to be done."),
            ("prompt", "string", "What its agent is told."),
            ("files", "strings", "Globs of the files that may change."),
            ("depends_on", "strings", "Names of tasks that come first."),
            ("agent", "string", "Name or glob of the agents that may take it."),
            (
                "deadline",
                "string",
                "When it should be completed, as in 2026-12-01T18:00:00+01:00.",
            ),
            ("priority", "integer", "Higher goes first."),
        ],
        sort: Leads,
    },
];

/// The tools of somebody who leads others, or does not.
pub(super) fn all(leads: bool) -> impl Iterator<Item = &'static Tool> {
    TOOLS.iter().filter(move |tool| leads || tool.sort != Leads)
}

impl Tool {
    /// As a client is told of it.
    pub(super) fn described(&self) -> Described {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for (name, of, what) in self.takes {
            let plain = name.trim_start_matches('!');
            if plain.len() < name.len() {
                required.push(plain);
            }
            properties.insert(plain.to_owned(), schema(of, what));
        }
        let schema = json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        });
        let schema = match schema {
            Value::Object(schema) => schema,
            _ => Map::new(),
        };
        let hints = ToolAnnotations::new()
            .read_only(self.sort == Reads)
            .destructive(self.name == "stop")
            .open_world(false);
        Described::new(self.name, self.what, Arc::new(schema)).with_annotations(hints)
    }

    /// The names of its arguments, and whether each must be there.
    #[cfg(test)]
    pub(super) fn arguments(&self) -> impl Iterator<Item = (&'static str, bool)> {
        self.takes
            .iter()
            .map(|(name, ..)| (name.trim_start_matches('!'), name.starts_with('!')))
    }
}

fn schema(of: &str, what: &str) -> Value {
    match of {
        "any" => json!({ "description": what }),
        "strings" => json!({ "type": "array", "items": { "type": "string" }, "description": what }),
        "alternatives" => json!({
            "type": "array",
            "description": what,
            "items": {
                "type": "object",
                "properties": { "option": { "type": "string" }, "because": { "type": "string" } },
                "required": ["option"],
            },
        }),
        of => json!({ "type": of, "description": what }),
    }
}
