//! What a trigger may do.
//!
//! Texts may have values in them: `{{event.data.branch}}`. See [`crate::template`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_core::{agent::Tier, amount::Dollars, raise::Permission, time::Span};

/// Start an agent: one of the team by name, or a new one of a profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpawnSpec {
    /// Name of an agent of the team. This or `profile`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Profile of the agent. This or `agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// With `profile`: the driver. Default: that of the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// A task to make for it. This or `prompt`. Default: the task or event that the trigger is
    /// about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskSpec>,
    /// What it is told, without a task. This or `task`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Wall time of the run, after which it is stopped. Default: that of the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<Span>,
    /// Stop the run as soon as its task is over, even if its program would go on.
    #[serde(default)]
    pub auto_terminate: bool,
    /// Rights that the run has beside those of its agent, for a time. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raise: Option<RaiseSpec>,
    /// What the run may use. Default: what its profile and the team leave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetSpec>,
}

/// What one run may use at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetSpec {
    /// Money, in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<Dollars>,
    /// Tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
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
    /// Name of an agent, a pattern with `*` and `?`, or `matching`: those for which the
    /// trigger's own `where` holds.
    pub agents: String,
    /// Of these, only those for which this condition on `agent` and `now` holds.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Why, for the receipt.
    pub reason: String,
    /// Time between asking it to end and ending it. Default: that of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<Span>,
}

/// More rights than usual, for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RaiseSpec {
    /// All that this tier may ask of others: `executive`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// Single permissions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<Permission>,
    /// For how long. Afterwards all is as it was; a run that may use the network, or read the
    /// workspaces of others, ends then.
    #[serde(rename = "for")]
    pub duration: Span,
}

/// Give the task that the trigger is about more, for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EscalateSpec {
    /// Which agents: a name, or a pattern with `*` and `?`. Not possible in this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub agents: Option<String>,
    /// Runs that begin to work on it meanwhile may ask all that this tier may: `executive`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// Permissions that these runs have beside their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<Permission>,
    /// Its priority meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// For how long. Afterwards all is as it was; a run that may use the network, or read the
    /// workspaces of others, ends then.
    #[serde(rename = "for")]
    pub duration: Span,
}

/// Run gates, all but `plan`, which compares a submission with its task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateSpec {
    /// Which gates.
    pub gates: Vec<String>,
    /// On which commit, branch or tag. Default: the base branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// Only what is new in it: since a time, as in "7d", or since it and a branch or commit parted.
    /// Default: all of it. Tests are always run on all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
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

/// Run a command, in the repository. It may read all but the runtime's own files, and write into a
/// directory of its own, which `TMPDIR` names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// Program and arguments. No shell reads them.
    pub command: Vec<String>,
    /// Wall time, after which it is stopped with all that it started. Default: 5 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
}
