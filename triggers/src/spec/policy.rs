//! Choices that every trigger has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_core::time::Span;

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
    /// Act when it is over. One waits; another one is recorded as skipped.
    Queue,
}

/// What to do with an occurrence that cannot act now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hindered {
    /// Do not act; the occurrence is recorded as skipped.
    Skip,
    /// Act when that is over. One waits; another one is recorded as skipped.
    Wait,
}

/// Whose events count together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CountBy {
    /// Those of all.
    #[default]
    All,
    /// Those of each Worknode for itself.
    Source,
}

/// How an action that failed is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetrySpec {
    /// How often in all, the first time included; from 2 to 10.
    pub attempts: u32,
    /// Wait before the second attempt. Each further wait is twice as long, up to an hour.
    /// Default: 10 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Span>,
}
