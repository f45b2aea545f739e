//! What `worknode.toml` may say. The comments on fields are what the JSON Schema shows.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_core::{
    agent::StartWhen,
    bounds,
    restart::{RestartKind, RestartPolicy, Strategy},
    task::Approval,
    time::Span,
};
use worknode_policies::plan::PhaseSpec;
use worknode_profiles::profile::LimitsSpec;
use worknode_triggers::TriggerSpec;

/// The profile of an agent that names none.
pub const DEFAULT_PROFILE: &str = "implementation";
/// How long the `tests` gate may take, when nobody says otherwise. As long as a run of an agent
/// would be too long: a gate answers while somebody waits.
const TESTS_TIMEOUT: Span = Span::secs(10 * 60);

/// The configuration of a team: `worknode.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The team and its repository.
    pub team: TeamSection,
    /// Limits of the whole team.
    pub limits: LimitsSection,
    /// How the daemon can be reached.
    pub daemon: DaemonSection,
    /// Commands of the gates that have one.
    pub gate: GateSection,
    /// The agents, in the order of their start. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agent: Vec<AgentEntry>,
    /// The triggers. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trigger: Vec<TriggerSpec>,
    /// The plan, unless it stands in `plan.toml`. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phase: Vec<PhaseSpec>,
}

/// The team and its repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TeamSection {
    /// Name of the team. The same name is the same team. Default: the name of the directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The git repository to work on, relative to the directory of this file. Default: ".".
    pub repository: String,
    /// The branch that approved work lands on. Default: "main".
    pub base: String,
    /// Who else is restarted when an agent ends abnormally. Default: "one-for-one".
    pub strategy: Strategy,
    /// Gates of a task that names none. Default: "plan", and "tests" when `[gate.tests]` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gates: Option<Vec<String>>,
    /// Who must agree beside the gates, for a task that does not say. Default: "validation" when
    /// the team has an agent of that tier that takes tasks, else "none".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
}

impl Default for TeamSection {
    fn default() -> Self {
        Self {
            name: None,
            repository: ".".to_owned(),
            base: "main".to_owned(),
            strategy: Strategy::default(),
            gates: None,
            approval: None,
        }
    }
}

/// Limits of the whole team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSection {
    /// Agents that may be alive at once; a start beyond it waits. Default: 8.
    #[schemars(range(min = 1))]
    pub agents: u32,
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self {
            agents: u32::try_from(bounds::AGENTS).unwrap_or(u32::MAX),
        }
    }
}

/// How the daemon can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DaemonSection {
    /// Address and port for HTTP beside the socket, as in "127.0.0.1:7077"; a loopback address
    /// in this version. Default: none, the socket only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
}

/// Commands of the gates that have one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GateSection {
    /// The command of the gate `tests`. Default: none; then there is no such gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tests: Option<TestsGate>,
}

/// The command of the gate `tests`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestsGate {
    /// Program and arguments, run in a clean checkout of what is to land.
    pub command: Vec<String>,
    /// How long it may take; at the limit it is stopped and the gate says no. Default: "10m".
    #[serde(default = "tests_timeout")]
    pub timeout: Span,
}

const fn tests_timeout() -> Span {
    TESTS_TIMEOUT
}

/// An agent, or several alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentEntry {
    /// Unique name: lower-case letters, digits, `.`, `_` and `-`, at most 64 characters.
    pub name: String,
    /// Name of its profile. Default: "implementation".
    #[serde(default = "default_profile")]
    pub profile: String,
    /// Name of the driver that starts it. Default: the profile's; "command" when `command` is
    /// given and the profile's driver has a command of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Program and arguments, for the driver `command`. A path with a `/` is relative to the
    /// repository. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// How many there are. More than one are called NAME-1, NAME-2 and so on. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub count: u32,
    /// Model, for drivers that take one. Default: the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What it does when it has no task: the brief of a standing duty. Default: nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prompt: String,
    /// Variables that are set for it. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Names of variables that it gets from the daemon's environment, beside those of its
    /// profile and driver. A `*` at the end stands for any ending. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pass_env: Vec<String>,
    /// When its process is started. Default: the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<StartWhen>,
    /// Limits of each run, where they are not the profile's.
    #[serde(default)]
    pub limits: AgentLimits,
    /// When it is started again, where that is not as the profile says.
    #[serde(default)]
    pub restart: AgentRestart,
}

impl AgentEntry {
    /// An agent that says nothing of its own.
    #[must_use]
    pub fn bare(name: String, profile: &str) -> Self {
        Self {
            name,
            profile: profile.to_owned(),
            driver: None,
            command: None,
            count: one(),
            model: None,
            prompt: String::new(),
            env: BTreeMap::new(),
            pass_env: Vec::new(),
            start: None,
            limits: AgentLimits::default(),
            restart: AgentRestart::default(),
        }
    }
}

fn default_profile() -> String {
    DEFAULT_PROFILE.to_owned()
}

const fn one() -> u32 {
    1
}

/// Limits of each run, where they are not the profile's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AgentLimits {
    /// Wall time. At the limit the run is stopped. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Span>,
    /// Time without output. At the limit the run is stopped. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence: Option<Span>,
    /// Time between TERM and KILL when it is stopped. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<Span>,
    /// Bytes kept of each output stream; older output is rotated away. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
}

impl AgentLimits {
    /// These limits over those of a profile.
    #[must_use]
    pub fn over(self, profile: LimitsSpec) -> LimitsSpec {
        LimitsSpec {
            time: self.time.unwrap_or(profile.time),
            silence: self.silence.unwrap_or(profile.silence),
            grace: self.grace.unwrap_or(profile.grace),
            output: self.output.unwrap_or(profile.output),
        }
    }
}

/// When an agent is started again, where that is not as its profile says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AgentRestart {
    /// When it is started again after its process ended. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<RestartKind>,
    /// Restarts allowed within `period`; one more and it is quarantined. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_restarts: Option<u32>,
    /// The period of `max_restarts`. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<Span>,
    /// Wait before the first restart; doubles with each one. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Span>,
    /// The longest wait before a restart. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_backoff: Option<Span>,
}

impl AgentRestart {
    /// This policy over that of a profile.
    #[must_use]
    pub fn over(self, profile: RestartPolicy) -> RestartPolicy {
        RestartPolicy {
            kind: self.kind.unwrap_or(profile.kind),
            max_restarts: self.max_restarts.unwrap_or(profile.max_restarts),
            period: self.period.unwrap_or(profile.period),
            backoff: self.backoff.unwrap_or(profile.backoff),
            max_backoff: self.max_backoff.unwrap_or(profile.max_backoff),
        }
    }
}
