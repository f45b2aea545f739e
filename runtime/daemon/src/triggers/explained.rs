//! A trigger in words.

use serde::{Deserialize, Serialize};
use worknode_core::time::Timestamp;
use worknode_triggers::{Trigger, explain as in_words, trigger::When};

use super::{KnownTasks, NextView, kind_of, next};

/// Times that are told with it.
const NEXT: usize = 3;

/// A trigger in words.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ExplainedView {
    /// Its name; none of a schedule alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// `cron`, `every`, `event` or `deadline`.
    pub kind: String,
    /// What it means, in lines.
    pub text: String,
    /// Its time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// When it fires next.
    pub next: Vec<NextView>,
}

/// What a trigger means; of one that is only a schedule, what that means.
#[must_use]
pub fn explain(trigger: &Trigger, only_schedule: bool, tasks: &KnownTasks, from: Timestamp) -> ExplainedView {
    let schedule = match trigger.when() {
        When::Cron(schedule) => Some(schedule),
        When::Every(_) | When::Event(_) | When::Deadline(_) => None,
    };
    let text = match schedule {
        Some(schedule) if only_schedule => schedule.explain(from),
        _ => in_words(trigger, from),
    };
    ExplainedView {
        trigger: (!only_schedule).then(|| trigger.name().to_owned()),
        kind: kind_of(trigger).to_owned(),
        text,
        timezone: schedule.map(|schedule| schedule.zone_name().to_owned()),
        next: next(&[trigger], tasks, from, NEXT).next,
    }
}
