//! What a `[[trigger]]` in the configuration may say.
//!
//! The types are flat: one optional key for each schedule and each action, so that an editor
//! offers all of them and a mistake is reported at the key where it stands. That exactly one of
//! each is set is a rule of [`crate::validate`]. The comments on fields are what the JSON
//! Schema shows.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_core::time::Span;

mod notify;

pub use notify::NotifySpec;

/// A rule that makes the runtime act: when one schedule is due, take one action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TriggerSpec {
    /// Unique name: letters, digits, `-`, `_` and `.`.
    pub name: String,

    /// Schedule: a cron expression of five fields (minute hour day month weekday), of six with
    /// the second in front, or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Time zone of `cron`, as in `Europe/Berlin`. Default: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Schedule: a period of one second or more. Due at its multiples since 1970 in UTC, so
    /// `"2h"` means at even hours, and a restart changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// Schedule: the type of the events to act on, as in `compilation_failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Schedule: steps before the deadlines of tasks, each with an action of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DeadlineSpec>,

    /// What becomes of occurrences that were missed while nothing could act on them.
    #[serde(default)]
    pub misfire: Misfire,
    /// What to do when what the trigger started last is still running.
    #[serde(default)]
    pub overlap: Overlap,
    /// With `event`: act on every n-th matching event in a row. An event of the same family
    /// with the opposite outcome (`compilation_succeeded` for `compilation_failed`) starts the
    /// count anew. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consecutive: Option<u32>,
    /// With `event`: time after acting in which the trigger does not act again. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Span>,
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
    /// Action: record an event, on which other triggers may act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emit: Option<EmitSpec>,
}

const fn yes() -> bool {
    true
}

/// What becomes of occurrences that were missed: the daemon was down, the machine slept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Misfire {
    /// None is made up for.
    Skip,
    /// The newest is made up for; it stands for the others.
    #[default]
    Once,
    /// All are made up for, oldest first, up to the catch-up limit.
    All,
}

/// What to do when an occurrence is due and what the last one started is still running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Act; several may run beside each other.
    Allow,
    /// Do not act; the occurrence is recorded as skipped.
    #[default]
    Forbid,
    /// Stop what is running, then act.
    Replace,
}

/// Steps before the deadlines of tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadlineSpec {
    /// Whose deadlines: `task:` and a name or pattern, as in `task:*` or `task:api-?`.
    pub of: String,
    /// What to do how long before.
    pub steps: Vec<StepSpec>,
}

/// One step of a deadline ladder: a time and one action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    /// How long before the deadline; `"0s"` is at the deadline.
    pub at: Span,
    /// Action: start an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spawn: Option<SpawnSpec>,
    /// Action: stop agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminate: Option<TerminateSpec>,
    /// Action: send a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<NotifySpec>,
    /// Action: record an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emit: Option<EmitSpec>,
}

/// Start an agent: one of the team by name, or a new one of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpawnSpec {
    /// Name of an agent of the team. This or `profile`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Profile of the agent. This or `agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// What it shall do. Default: the task or event that the trigger is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskSpec>,
    /// Wall time of the run, after which it is stopped. Default: that of the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<Span>,
}

/// A task to make for the agent that is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    /// One line that says what is to be done.
    pub title: String,
    /// What the agent is told.
    #[serde(default)]
    pub prompt: String,
    /// Files that the task may change, relative to the repository. Default: none.
    #[serde(default)]
    pub files: Vec<String>,
    /// Gates that its work must pass. Default: those of the team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gates: Option<Vec<String>>,
}

/// Stop agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TerminateSpec {
    /// Name of an agent, or a pattern with `*` and `?`.
    pub agents: String,
    /// Why, for the receipt.
    pub reason: String,
}

/// Record an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmitSpec {
    /// Type of the event.
    pub event: String,
    /// What it carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<BTreeMap<String, String>>,
}

#[cfg(test)]
mod tests;
