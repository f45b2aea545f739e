//! What is known of a trigger beside its configuration: since when it is watched, up to when all
//! of its occurrences are settled, how it went.
//!
//! Folded from the events alone, one trigger at a time, so that the next daemon goes on exactly
//! where this one stopped.

use serde::{Deserialize, Serialize};

use crate::{
    event::{Event, Record},
    firing::Started,
    hlc::Hlc,
    time::Timestamp,
};

/// Why there is an alarm.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AlarmCause {
    /// It should have fired, and neither did nor was skipped.
    Overdue,
    /// Its runs keep failing.
    Failing,
}

impl AlarmCause {
    /// The cause's name, as in JSON and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Failing => "failing",
        }
    }
}

/// A trigger, as its events tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TriggerState {
    /// It is in the configuration.
    pub watched: bool,
    /// Since when it is watched, or acts again.
    pub since: Hlc,
    /// Up to here all that was due has fired or was passed over.
    pub settled: Timestamp,
    /// How often it has fired, not counting by hand.
    #[serde(default)]
    pub fired: u64,
    /// How many of its firings went wrong, one after the other, up to now.
    #[serde(default)]
    pub failures: u32,
    /// Its last firing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastFiring>,
    /// What was last skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<LastSkip>,
    /// Who paused it, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<StandingAlarm>,
    /// What it says, as a digest, as far as that was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<u64>,
}

/// The last firing of a trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LastFiring {
    /// Which occurrence.
    pub occurrence: String,
    /// The event that recorded it.
    pub at: Hlc,
    /// When it was due.
    pub due: Timestamp,
    /// What came of it; nothing as long as it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// It went wrong.
    #[serde(default)]
    pub failed: bool,
    /// What it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Started>,
}

/// What a trigger skipped last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LastSkip {
    /// Which occurrence; nothing when there were many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<String>,
    /// When that was recorded.
    pub at: Hlc,
    /// When it was due.
    pub due: Timestamp,
    /// Why.
    pub reason: String,
}

/// A trigger that does not act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Paused {
    /// Who said so.
    pub by: String,
    /// When.
    pub at: Hlc,
}

/// An alarm that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StandingAlarm {
    /// Why.
    pub cause: AlarmCause,
    /// In words.
    pub detail: String,
    /// Since when.
    pub since: Hlc,
}

/// The triggers that an event says something about; none for most events.
#[must_use]
pub fn triggers_of(event: &Event) -> &[String] {
    match event {
        Event::TriggersWatched { triggers, .. } | Event::TriggersDropped { triggers } => triggers,
        Event::TriggerFired { trigger, .. }
        | Event::TriggerActed { trigger, .. }
        | Event::TriggerEnded { trigger, .. }
        | Event::TriggerSkipped { trigger, .. }
        | Event::TriggerPassed { trigger, .. }
        | Event::TriggerPaused { trigger }
        | Event::TriggerResumed { trigger, .. }
        | Event::TriggerAlarm { trigger, .. } => std::slice::from_ref(trigger),
        _ => &[],
    }
}

impl TriggerState {
    /// One of which nothing is known before this stamp.
    #[must_use]
    pub const fn new(at: Hlc) -> Self {
        Self {
            watched: true,
            since: at,
            settled: at.wall,
            fired: 0,
            failures: 0,
            last: None,
            skip: None,
            paused: None,
            alarms: Vec::new(),
            digest: None,
        }
    }

    /// Is it watched, and something wrong with it?
    #[must_use]
    pub const fn has_alarm(&self) -> bool {
        self.watched && !self.alarms.is_empty()
    }

    /// The state of trigger `name` after `record`, which is about it. The only way it changes.
    #[must_use]
    pub fn after(known: Option<&Self>, name: &str, record: &Record) -> Self {
        let mut next = known.cloned().unwrap_or_else(|| {
            let mut new = Self::new(record.at);
            // What it fires on first may have been due before it was recorded.
            new.settled = Timestamp::default();
            new
        });
        next.take(record);
        if let Event::TriggersWatched { triggers, digests } = &record.event {
            let own = triggers.iter().zip(digests).find(|(of, _)| *of == name);
            next.digest = own.map(|(_, digest)| *digest);
        }
        next
    }

    fn take(&mut self, record: &Record) {
        let at = record.at;
        match &record.event {
            Event::TriggerFired {
                occurrence, due, by, ..
            } => self.fired(at, occurrence, *due, by.is_none()),
            Event::TriggerActed {
                occurrence,
                outcome,
                failed,
                started,
                ..
            } => self.came_of(occurrence, outcome, *failed, *started),
            Event::TriggerEnded {
                occurrence,
                outcome,
                failed,
                ..
            } => self.came_of(occurrence, outcome, *failed, None),
            Event::TriggerSkipped {
                occurrence,
                due,
                reason,
                ..
            } => self.skipped(at, Some(occurrence.clone()), *due, reason),
            Event::TriggerPassed { until, reason, .. } => self.skipped(at, None, *until, reason),
            Event::TriggerAlarm {
                cause, detail, over, ..
            } => self.alarm(at, *cause, detail, *over),
            _ => self.take_of_watch(record),
        }
    }

    /// Whether it is watched at all, and whether it is let go on.
    fn take_of_watch(&mut self, record: &Record) {
        let at = record.at;
        match &record.event {
            Event::TriggersWatched { .. } => self.begin(at),
            Event::TriggersDropped { .. } => {
                self.watched = false;
                self.alarms.clear();
            }
            Event::TriggerPaused { .. } => {
                let by = record.by.to_string();
                self.paused.get_or_insert(Paused { by, at });
            }
            Event::TriggerResumed { .. } => {
                self.paused = None;
                self.since = at;
                self.settled = self.settled.max(at.wall);
            }
            _ => {}
        }
    }

    /// What somebody fires by hand is no occurrence of its own time.
    fn fired(&mut self, at: Hlc, occurrence: &str, due: Timestamp, by_itself: bool) {
        if by_itself {
            self.fired = self.fired.saturating_add(1);
            self.settled = self.settled.max(due);
        }
        self.last = Some(LastFiring {
            occurrence: occurrence.to_owned(),
            at,
            due,
            outcome: None,
            failed: false,
            started: None,
        });
    }

    fn alarm(&mut self, at: Hlc, cause: AlarmCause, detail: &str, over: bool) {
        self.alarms.retain(|alarm| alarm.cause != cause);
        if !over {
            self.alarms.push(StandingAlarm {
                cause,
                detail: detail.to_owned(),
                since: at,
            });
        }
    }

    /// It is watched from here on: what was due before is no debt.
    fn begin(&mut self, at: Hlc) {
        self.watched = true;
        self.since = at;
        self.settled = self.settled.max(at.wall);
    }

    fn came_of(&mut self, occurrence: &str, outcome: &str, failed: bool, started: Option<Started>) {
        if failed {
            self.failures = self.failures.saturating_add(1);
        } else if started.is_none() {
            // What was started may still go wrong.
            self.failures = 0;
        }
        if let Some(last) = self.last.as_mut().filter(|last| last.occurrence == occurrence) {
            last.outcome = Some(outcome.to_owned());
            last.failed = failed;
            last.started = started.or(last.started);
        }
    }

    fn skipped(&mut self, at: Hlc, occurrence: Option<String>, due: Timestamp, reason: &str) {
        self.settled = self.settled.max(due);
        self.skip = Some(LastSkip {
            occurrence,
            at,
            due,
            reason: reason.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests;
