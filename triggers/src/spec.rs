//! What a `[[trigger]]` in the configuration may say.
//!
//! The types are flat: one optional key for each schedule and each action, so that an editor
//! offers all of them and a mistake is reported at the key where it stands. That exactly one of
//! each is set is a rule of [`crate::validate`]. The comments on fields are what the JSON
//! Schema shows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_core::time::{Span, Timestamp};

mod action;
mod deadline;
mod notify;
mod policy;

pub use self::{
    action::{
        BudgetSpec, EmitSpec, EscalateSpec, GateSpec, RaiseSpec, RunSpec, SpawnSpec, TaskSpec, TerminateSpec,
    },
    deadline::{DeadlineSpec, NotAPercentage, Percent, StepSpec},
    notify::{NotifySpec, WebhookSpec},
    policy::{CountBy, Hindered, Misfire, Overlap, RetrySpec},
};

/// A rule that makes the runtime act: when one schedule is due, take one action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TriggerSpec {
    /// Unique name: letters, digits, `-`, `_` and `.`.
    pub name: String,

    /// Schedule: a cron expression of five fields (minute hour day month weekday), of six with
    /// the second in front, or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`,
    /// `@every 2h`. The day may be `L`, `L-3`, `LW` or `15W`, the weekday `FRI#2` or `FRIL`.
    /// `CRON_TZ=Europe/Berlin` may stand in front.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Time zone of `cron`, as in `Europe/Berlin`. Default: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Schedule: a period of one second or more. Due at its multiples since 1970 in UTC, so
    /// `"2h"` means at even hours, and a restart changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// With `every`: the instant from which the periods are counted, both ways. Default: 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Timestamp>,
    /// Schedule: the type of the events to act on, as in `compilation_failed`; a pattern with
    /// `*` and `?` for many types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Schedule: steps around the deadlines of tasks, each with an action of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DeadlineSpec>,

    /// A condition in CEL. With `event`: on `event`, `node`, `agent` and `now`. With `cron` and
    /// `every`: on `agent` and `now`; the trigger acts when it holds for an agent of the team.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// With `event`: only events of this Worknode and those below it. The names from the team
    /// down, as in `webapp/backend`; `*` stands for any one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<String>,
    /// With `event`: act on every n-th matching event in a row. An event of the same family
    /// with the opposite outcome (`compilation_succeeded` for `compilation_failed`), one of
    /// `reset_by`, or one of the type for which `where` does not hold, starts the count anew.
    /// Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consecutive: Option<u32>,
    /// With `event`: act on every n-th matching event, whatever happens between. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// With `count` or `consecutive`: all of them within this time. Default: however long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// With `event`: whether events of all sources count together, or those of each for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count_by: Option<CountBy>,
    /// With `consecutive` or `absent_for`: type or pattern of further events that start anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_by: Option<String>,
    /// With `event`: act when that long none matched any more, on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debounce: Option<Span>,
    /// With `event`: act when that long none matched, once until one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent_for: Option<Span>,
    /// With `event`: time after acting in which the trigger does not act again. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Span>,

    /// What becomes of occurrences that were missed while nothing could act on them.
    #[serde(default)]
    pub misfire: Misfire,
    /// With `misfire = "all"`: how many are made up for. Default: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catch_up: Option<usize>,
    /// What to do when what the trigger started last is still running.
    #[serde(default)]
    pub overlap: Overlap,
    /// With `overlap = "allow"`: how many may run beside each other. One more is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u32>,
    /// With `cron` and `every`: act up to that much later, each time by another amount, and
    /// always before the next time. The amount follows from the name and the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Span>,
    /// Nothing is due before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// Nothing is due after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
    /// How often it acts in all. Default: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_firings: Option<u64>,
    /// Whether and how an action that failed is tried again. Default: not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetrySpec>,
    /// What to do while the provider gives nothing more. Default: wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_quota: Option<Hindered>,
    /// What to do while a panic holds everything. Default: skip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_panic: Option<Hindered>,
    /// After how many failures in a row an alarm is raised. Default: 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm_after: Option<u32>,
    /// False switches the trigger off and keeps it in the file.
    #[serde(default = "yes")]
    pub enabled: bool,

    /// Action: start an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spawn: Option<SpawnSpec>,
    /// Action: stop agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminate: Option<TerminateSpec>,
    /// Action: send a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<NotifySpec>,
    /// Action: give agents or a task more, for a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate: Option<EscalateSpec>,
    /// Action: run gates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateSpec>,
    /// Action: record an event, on which other triggers may act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emit: Option<EmitSpec>,
    /// Action: run a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunSpec>,
}

const fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests;
