//! What a program may only when somebody says so: policy answers at once what it can, and the rest
//! waits for a person.

use serde_json::Value;
use worknode_core::{bounds, usage::Stuck};

use super::{Action, Report, TEXT, json::clip, progress::Progress, rpc::answer_id};

/// Requests whose answers are kept in mind. With one more the oldest is forgotten: of a program that
/// asked so much, an earlier daemon has answered it, or the limit of those that wait has.
const WAITING: usize = 256;
/// What a program is told whose request nobody can answer.
const NOBODY: &str = "Nobody is there to answer. Decide yourself, and go on.";

/// A request for a permission, as a program makes it.
pub(super) struct Asked<'a> {
    /// Its own name for the request.
    pub(super) id: &'a Value,
    /// The tool or kind of action.
    pub(super) tool: &'a str,
    /// In short.
    pub(super) summary: &'a str,
    /// Names by which policy may know it.
    pub(super) names: &'a [&'a str],
    /// All that is asked.
    pub(super) all: &'a Value,
    /// What allows it; `None`: that is not offered.
    pub(super) allow: Option<Value>,
    /// What denies it.
    pub(super) deny: Value,
    /// Where in `deny` the reason stands, when it can be told.
    pub(super) reason: Option<&'static str>,
}

/// A request that waits for a person's word.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    key: String,
    summary: String,
    allow: Value,
    deny: Value,
    reason: Option<&'static str>,
}

impl Waiting {
    fn denied(mut self, why: &str) -> Value {
        if let Some(place) = self.reason.and_then(|at| self.deny.pointer_mut(at)) {
            *place = Value::from(why);
        }
        self.deny
    }
}

impl Progress {
    /// Answers what is asked, or hands it to a person.
    pub(super) fn permission(&mut self, asked: Asked<'_>) {
        let refused = asked.names.iter().any(|name| self.refuses(name));
        let granted = !self.asks || asked.names.iter().any(|name| self.allows(name));
        let can_allow = asked.allow.is_some();
        let waiting = Waiting {
            key: answer_id(asked.id),
            summary: clip(asked.summary, TEXT),
            allow: asked.allow.unwrap_or_default(),
            deny: asked.deny,
            reason: asked.reason,
        };
        if refused || !can_allow {
            return self.settled(waiting, false, NOBODY);
        }
        if granted {
            return self.settled(waiting, true, "");
        }
        self.ask_a_person(waiting, asked.tool, asked.all);
    }

    fn ask_a_person(&mut self, waiting: Waiting, tool: &str, all: &Value) {
        let what = serde_json::to_string_pretty(all).unwrap_or_default();
        if what.len() > bounds::PERMISSION || tool.len() > bounds::NAME {
            return self.settled(
                waiting,
                false,
                "This is more than a person can be shown. Ask for less at once.",
            );
        }
        let key = waiting.key.clone();
        if self.waiting.iter().any(|before| before.key == key) {
            return;
        }
        if self.waiting.len() >= WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(waiting);
        self.stick(Stuck::WaitingOnHuman);
        let tool = tool.to_owned();
        self.act(Action::Ask { key, tool, what });
    }

    /// Tells the program how what it asked for was answered. Nothing when it does not wait for that.
    pub(super) fn answer(&mut self, key: &str, granted: bool, why: &str) {
        let at = self.waiting.iter().position(|waiting| waiting.key == key);
        let Some(waiting) = at.and_then(|at| self.waiting.remove(at)) else {
            return;
        };
        self.no_longer_waiting();
        if !self.finished {
            self.settled(waiting, granted, why);
        }
    }

    /// The program does not ask for this any more.
    pub(super) fn withdrawn(&mut self, id: &Value) {
        let key = answer_id(id);
        let before = self.waiting.len();
        self.waiting.retain(|waiting| waiting.key != key);
        if self.waiting.len() < before {
            self.act(Action::Withdrawn { key });
            self.no_longer_waiting();
        }
    }

    /// The program asks for nothing any more.
    pub(super) fn all_withdrawn(&mut self) {
        for waiting in std::mem::take(&mut self.waiting) {
            self.act(Action::Withdrawn { key: waiting.key });
        }
        self.no_longer_waiting();
    }

    fn no_longer_waiting(&mut self) {
        if self.waiting.is_empty() && self.stuck() == Some(&Stuck::WaitingOnHuman) {
            self.unstick();
        }
    }

    fn settled(&mut self, waiting: Waiting, granted: bool, why: &str) {
        let what = waiting.summary.clone();
        self.report(Report::PermissionAsked { what, granted });
        let key = waiting.key.clone();
        let answer = if granted {
            waiting.allow
        } else {
            waiting.denied(why)
        };
        self.input(key, &answer);
    }
}
