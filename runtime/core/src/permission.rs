//! Permissions that a run's program asks for and that a person is to give or refuse.
//!
//! ```text
//! asked → allowed | denied | expired | withdrawn
//! ```
//!
//! A request that nobody answers in time is denied, and one whose run ends is gone with it. Whoever
//! answers says what they were shown: an answer to something else is refused.

use serde::{Deserialize, Serialize};

use crate::{
    bounds,
    error::{Code, Error},
    event::{Event, Principal},
    run::{Run, RunStatus},
    time::Timestamp,
};

/// What is asked, as a person is shown it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Request {
    /// Its identity, in all runs.
    pub id: String,
    /// The tool or kind of action.
    pub tool: String,
    /// All that is asked, in the program's own words.
    pub what: String,
    /// Digest of all this: an answer names it.
    pub digest: String,
    /// When it is denied unless somebody has answered.
    pub expires: Timestamp,
}

/// A request that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Open {
    /// What is asked.
    #[serde(flatten)]
    pub request: Request,
    /// Since when.
    pub since: Timestamp,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Somebody allowed it, once.
    Allowed,
    /// Somebody denied it.
    Denied,
    /// Nobody answered in time, which denies it.
    Expired,
    /// The program asks for it no more.
    Withdrawn,
}

impl Answer {
    /// Its name, as in JSON and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Answered {
    /// Which.
    pub id: String,
    /// How.
    pub answer: Answer,
    /// By whom.
    pub by: Principal,
    /// Why, as the program is told.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// The requests of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Permissions {
    /// Those that wait, the oldest first; at most [`bounds::PERMISSIONS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<Open>,
    /// The newest that were answered, as many: no more can be on their way to the program.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answered: Vec<Answered>,
    /// The newest that was asked. Who reads the program's words again finds here how far somebody
    /// has seen to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
}

impl Permissions {
    /// Was nothing ever asked?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The request with this identity, while it waits.
    #[must_use]
    pub fn open(&self, id: &str) -> Option<&Open> {
        self.open.iter().find(|open| open.request.id == id)
    }

    /// How it was answered, as long as that is remembered.
    #[must_use]
    pub fn answered(&self, id: &str) -> Option<&Answered> {
        self.answered.iter().rfind(|answered| answered.id == id)
    }

    /// Takes an event in; false when it does not fit.
    pub(crate) fn apply(&mut self, event: &Event, at: Timestamp) -> bool {
        match event {
            Event::PermissionRequested { request, .. } if self.open(&request.id).is_none() => {
                self.newest = Some(request.id.clone());
                self.open.push(Open {
                    request: (**request).clone(),
                    since: at,
                });
            }
            Event::PermissionAnswered {
                request,
                answer,
                by,
                reason,
                ..
            } if self.open(request).is_some() => {
                self.open.retain(|open| open.request.id != *request);
                if self.answered.len() >= bounds::PERMISSIONS {
                    self.answered.remove(0);
                }
                self.answered.push(Answered {
                    id: request.clone(),
                    answer: *answer,
                    by: by.clone(),
                    reason: reason.clone(),
                    at,
                });
            }
            _ => return false,
        }
        true
    }
}

/// A person's word on a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Word {
    /// On which.
    pub request: String,
    /// May it?
    pub allow: bool,
    /// Why, as the program is told.
    #[serde(default)]
    pub reason: String,
    /// Digest of what they were shown.
    pub shown: String,
    /// The capability through which they said it; `None` at the socket of the daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
}

/// Decides whether a program's request waits for a person. Nothing when it does already, or was
/// answered. Pure.
///
/// # Errors
/// `limit_reached` for what is longer than a person is shown, and when too many wait;
/// `illegal_transition` when the run is about to end.
pub fn ask(run: &Run, request: &Request) -> Result<Option<Event>, Error> {
    let known = &run.permissions;
    if known.open(&request.id).is_some() || known.answered(&request.id).is_some() {
        return Ok(None);
    }
    if !goes_on(run) {
        let what = format!(
            "run {} asks for nothing any more: it is {}",
            run.spec.id,
            run.status.name()
        );
        return Err(Error::new(Code::IllegalTransition, what));
    }
    if request.what.len() > bounds::PERMISSION || request.tool.len() > bounds::NAME {
        let what = format!(
            "it is longer than the {} bytes that a person is shown",
            bounds::PERMISSION
        );
        return Err(Error::new(Code::LimitReached, what).hint("ask for less at once"));
    }
    if known.open.len() >= bounds::PERMISSIONS {
        let what = format!(
            "{} requests of this run wait for a person already",
            bounds::PERMISSIONS
        );
        return Err(Error::new(Code::LimitReached, what).hint("wait for their answers first"));
    }
    Ok(Some(Event::PermissionRequested {
        run: run.spec.id,
        request: Box::new(request.clone()),
    }))
}

/// Decides what a person's word comes to. Pure.
///
/// # Errors
/// `not_found` when nothing of the kind is asked, `held` when somebody else has answered,
/// `illegal_transition` when its time is over, `changed` when it is not what was shown, `forbidden`
/// for whoever is no person.
pub fn answer(run: &Run, word: &Word, by: &Principal, now: Timestamp) -> Result<Event, Error> {
    if !matches!(by, Principal::Operator | Principal::Outside { .. }) {
        let what = format!("{by} may not answer what a program asks for");
        return Err(Error::new(Code::Forbidden, what).hint("a person has to"));
    }
    if word.reason.len() > bounds::NOTE_TEXT {
        let what = format!("a reason has at most {} bytes", bounds::NOTE_TEXT);
        return Err(Error::new(Code::LimitReached, what).hint("say it in fewer words"));
    }
    let known = &run.permissions;
    if let Some(before) = known.answered(&word.request) {
        return Err(already(before));
    }
    let Some(open) = known.open(&word.request).filter(|_| goes_on(run)) else {
        return Err(nothing(&word.request));
    };
    if open.request.expires <= now {
        let what = format!("request {} had until {}", word.request, open.request.expires);
        return Err(Error::new(Code::IllegalTransition, what).hint("nobody answered in time: it is denied"));
    }
    if open.request.digest != word.shown {
        let what = format!("request {} is not what was shown", word.request);
        return Err(Error::new(Code::Changed, what).hint("look at it again, then decide"));
    }
    let answer = if word.allow {
        Answer::Allowed
    } else {
        Answer::Denied
    };
    Ok(answered(run, open, answer, by, word))
}

/// Decides that a request ends without anybody's word: its program has `withdrawn` it, or it has
/// waited long enough. Nothing when it was answered, or has time. Pure.
#[must_use]
pub fn end(run: &Run, request: &str, withdrawn: bool, by: &Principal, now: Timestamp) -> Option<Event> {
    let open = run.permissions.open(request)?;
    let (answer, reason) = if withdrawn {
        (Answer::Withdrawn, "it is not asked for any more")
    } else if open.request.expires <= now {
        (Answer::Expired, "nobody answered in time")
    } else {
        return None;
    };
    let word = Word {
        request: request.to_owned(),
        allow: false,
        reason: reason.to_owned(),
        shown: String::new(),
        through: None,
    };
    Some(answered(run, open, answer, by, &word))
}

/// That somebody has answered before.
#[must_use]
pub fn already(before: &Answered) -> Error {
    let what = format!(
        "request {} was answered already: {} by {} at {}",
        before.id,
        before.answer.name(),
        before.by,
        before.at
    );
    Error::new(Code::Held, what).hint("nothing is left to decide")
}

/// That there is no such request, or none any more.
#[must_use]
pub fn nothing(request: &str) -> Error {
    let what = format!("no request {request} waits; it may have ended with its run");
    Error::new(Code::NotFound, what).hint("`worknode prompts` lists what waits")
}

fn answered(run: &Run, open: &Open, answer: Answer, by: &Principal, word: &Word) -> Event {
    Event::PermissionAnswered {
        run: run.spec.id,
        request: open.request.id.clone(),
        answer,
        by: by.clone(),
        reason: word.reason.clone(),
        shown: word.shown.clone(),
        through: word.through.clone(),
    }
}

/// What is told to end gets no answers any more.
const fn goes_on(run: &Run) -> bool {
    matches!(run.status, RunStatus::Running { .. } | RunStatus::Frozen { .. })
}

#[cfg(test)]
mod tests;
