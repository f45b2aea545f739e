//! How triggers stand.

use serde::{Deserialize, Serialize};
use worknode_actors::scheduler::TriggerReport;
use worknode_core::{
    error::Error,
    time::{Span, Timestamp},
    trigger::{AlarmCause, TriggerState},
};
use worknode_journal::Reader;
use worknode_triggers::Trigger;

use super::{KnownTasks, action_of, kind_of, next, schedule_of, shown_place};
use crate::config::Place;

/// One page of triggers, in the order of their names.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TriggerPage {
    /// The triggers.
    pub triggers: Vec<TriggerView>,
    /// Where the next page begins; none after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One trigger.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TriggerView {
    /// Its name.
    pub name: String,
    /// `cron`, `every`, `event` or `deadline`.
    pub kind: String,
    /// What makes it due, in a few words.
    pub schedule: String,
    /// What it does.
    pub action: String,
    /// The file that it stands in, and the line.
    pub place: String,
    /// `active`, `running`, `waiting`, `paused`, `alarm`, or `off` when its file says so.
    pub status: String,
    /// False when its file switches it off.
    pub enabled: bool,
    /// When it is due next, as far as that can be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// Its last firing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastView>,
    /// What it last skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<SkipView>,
    /// Who paused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<WaitingView>,
    /// How often it has fired, not counting by hand.
    pub fired: u64,
    /// How many of its firings went wrong, one after the other, up to now.
    pub failures: u32,
    /// The firings that are under way.
    pub running: Vec<String>,
    /// The firing that waits for something to be over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<String>,
    /// The firing that failed and is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrying: Option<WaitingView>,
    /// What is wrong with it.
    pub alarms: Vec<AlarmView>,
}

/// The last firing of a trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LastView {
    /// Which occurrence.
    pub occurrence: String,
    /// When it was due.
    pub due: Timestamp,
    /// When it fired.
    pub at: Timestamp,
    /// What came of it; nothing as long as it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// It went wrong.
    pub failed: bool,
}

/// What a trigger skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SkipView {
    /// When it was due.
    pub due: Timestamp,
    /// Why it did not act.
    pub reason: String,
}

/// Something that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct WaitingView {
    /// What, or who says so.
    pub what: String,
    /// Since when, or until when.
    pub at: Timestamp,
}

/// What is wrong with a trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AlarmView {
    /// `overdue` or `failing`.
    pub cause: AlarmCause,
    /// In words.
    pub detail: String,
    /// Since when.
    pub since: Timestamp,
}

impl TriggerView {
    /// A trigger as its daemon says that it stands.
    pub(crate) fn reported(trigger: &Trigger, place: &Place, report: TriggerReport) -> Self {
        let TriggerReport {
            next,
            state,
            running,
            queued,
            retrying,
            ..
        } = report;
        let mut view = Self::of(trigger, place, Some(state));
        view.next = next.filter(|_| view.paused.is_none());
        view.running = running;
        view.queued = queued;
        view.retrying = retrying.map(|(what, at)| WaitingView { what, at });
        view.status = view.standing().to_owned();
        view
    }

    /// A trigger as it is stored, when no daemon says how it stands.
    fn of(trigger: &Trigger, place: &Place, state: Option<TriggerState>) -> Self {
        let mut view = Self {
            name: trigger.name().to_owned(),
            kind: kind_of(trigger).to_owned(),
            schedule: schedule_of(trigger),
            action: action_of(trigger),
            place: shown_place(place),
            status: String::new(),
            enabled: trigger.enabled(),
            next: None,
            last: None,
            skipped: None,
            paused: None,
            fired: 0,
            failures: 0,
            running: Vec::new(),
            queued: None,
            retrying: None,
            alarms: Vec::new(),
        };
        if let Some(state) = state {
            view.take(state);
        }
        view.status = view.standing().to_owned();
        view
    }

    fn take(&mut self, state: TriggerState) {
        self.fired = state.fired;
        self.failures = state.failures;
        self.last = state.last.map(|last| LastView {
            occurrence: last.occurrence,
            due: last.due,
            at: last.at.wall,
            outcome: last.outcome,
            failed: last.failed,
        });
        self.skipped = state.skip.map(|skip| SkipView {
            due: skip.due,
            reason: skip.reason,
        });
        self.paused = state.paused.map(|paused| WaitingView {
            what: paused.by,
            at: paused.at.wall,
        });
        let alarms = state.alarms.into_iter().map(|alarm| AlarmView {
            cause: alarm.cause,
            detail: alarm.detail,
            since: alarm.since.wall,
        });
        self.alarms = alarms.collect();
    }

    /// What matters most of how it stands.
    const fn standing(&self) -> &'static str {
        if !self.enabled {
            "off"
        } else if self.paused.is_some() {
            "paused"
        } else if !self.alarms.is_empty() {
            "alarm"
        } else if !self.running.is_empty() {
            "running"
        } else if self.queued.is_some() || self.retrying.is_some() {
            "waiting"
        } else {
            "active"
        }
    }

    /// How late its last firing was.
    #[must_use]
    pub fn last_late(&self) -> Option<Span> {
        self.last.as_ref().map(|last| Span(last.at.since(last.due)))
    }
}

/// The triggers of a configuration as they are stored, in the order of their names: for when no
/// daemon says how they stand.
///
/// # Errors
/// When the store cannot be read.
pub fn stored(
    triggers: &[Trigger],
    places: &[Place],
    reader: Option<&Reader>,
    tasks: &KnownTasks,
    now: Timestamp,
) -> Result<Vec<TriggerView>, Error> {
    let mut views = Vec::new();
    for (trigger, place) in triggers.iter().zip(places) {
        let state = match reader {
            Some(reader) => reader.trigger(trigger.name())?,
            None => None,
        };
        let mut view = TriggerView::of(trigger, place, state);
        if view.paused.is_none() {
            let first = next(&[trigger], tasks, now, 1).next.pop();
            view.next = first.and_then(|next| next.at.parse().ok());
        }
        views.push(view);
    }
    views.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(views)
}
