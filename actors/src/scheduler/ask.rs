//! What the scheduler is told and asked.

use serde::Serialize;
use tokio::sync::oneshot;
use worknode_core::{
    error::{Code, Error},
    event::Principal,
    time::Timestamp,
    trigger::TriggerState,
};
use worknode_triggers::{Occurrence, Trigger};

use crate::{feed, request::Request};

/// An answer on its way.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What the scheduler is told.
#[derive(Debug)]
pub enum SchedulerMsg {
    /// Something may be due.
    Look,
    /// The same, and answer when everything that was due has been begun.
    LookNow(oneshot::Sender<()>),
    /// What happened.
    Feed(feed::Batch),
    /// Fire a trigger by hand, whatever its timetable says.
    Fire {
        /// Its name.
        trigger: String,
        /// Who wants it.
        by: Principal,
        /// The request that it is, when that has a key.
        request: Option<Request>,
        /// Which firing that is.
        reply: Reply<Occurrence>,
    },
    /// Let a trigger not act until it is resumed.
    Pause {
        /// Its name.
        trigger: String,
        /// Who wants it.
        by: Principal,
        /// False when it was paused already.
        reply: Reply<bool>,
    },
    /// Let it act again, on what comes.
    Resume {
        /// Its name.
        trigger: String,
        /// Who wants it.
        by: Principal,
        /// False when it was not paused.
        reply: Reply<bool>,
    },
    /// From now on, these are the triggers.
    Replace {
        /// All of them.
        triggers: Vec<Trigger>,
        /// What is different now.
        reply: Reply<Replaced>,
    },
    /// Say that you are there: answers what is due next, which may be over.
    Pulse(oneshot::Sender<Option<Timestamp>>),
    /// Say how triggers stand.
    Report {
        /// Only this one.
        of: Option<String>,
        /// In the order of their names.
        reply: Reply<Vec<TriggerReport>>,
    },
}

/// What is different after triggers were replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Replaced {
    /// They are new, and watch from here on.
    pub added: Vec<String>,
    /// They say something else than before, and watch anew from here on.
    pub changed: Vec<String>,
    /// They are gone. What they started goes on.
    pub removed: Vec<String>,
    /// How many are as they were, and remember all.
    pub kept: usize,
}

/// How one trigger stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TriggerReport {
    /// Its name.
    pub name: String,
    /// False when the configuration switches it off.
    pub enabled: bool,
    /// When it is due next, as far as that can be known.
    pub next: Option<Timestamp>,
    /// What its events tell: the last firing and the last that was skipped, pause, alarms.
    pub state: TriggerState,
    /// The firings that are under way, or whose runs are.
    pub running: Vec<String>,
    /// The firing that waits for something to be over.
    pub queued: Option<String>,
    /// The firing whose next attempt comes then.
    pub retrying: Option<(String, Timestamp)>,
}

/// There is no such trigger.
pub(super) fn unknown(trigger: &str) -> Error {
    let name: String = trigger.chars().take(64).collect();
    Error::new(Code::NotFound, format!("there is no trigger `{name}`"))
        .hint("`worknode trigger list` shows what there is")
}
