//! What `worknode.toml` may say about an agent.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_core::{
    agent::{Share, StartWhen},
    amount::{Bytes, Dollars},
    restart::{RestartKind, RestartPolicy},
    time::Span,
    usage::Usd,
};
use worknode_profiles::profile::{
    FilesMode, LimitsSpec, PermissionsMode, Place, SandboxMode, StuckAction, StuckPolicy,
};

/// The profile of an agent that names none.
pub const DEFAULT_PROFILE: &str = "implementation";

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
    /// How its runs are kept in their box: "enforce", "best-effort" or "off". Default: the
    /// profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<SandboxMode>,
    /// Where it is decided which files a task may change: on what is handed in ("plan"), or in the
    /// kernel too ("strict"). Default: the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<FilesMode>,
    /// Directories that it may write beside its own, as caches of its tools, in place of those of
    /// its profile: absolute, `~/…`, or beginning with `$VARIABLE`. Default: the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes: Option<Vec<Place>>,
    /// Directories that it may read although they are hidden from agents, in place of those of its
    /// profile. Default: the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads: Option<Vec<Place>>,
    /// TCP ports that it may connect to, and nothing else of the network. Default: the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<u16>>,
    /// When it starts again for the same work, go on with the session of its last run where the
    /// driver can. Default: the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<bool>,
    /// What its credentials are a share of: agents on one pool pause together when its quota is
    /// used up. Default: the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Limits of each run, where they are not the profile's.
    #[serde(default)]
    pub limits: AgentLimits,
    /// What all its runs and those of agents that it spawns may take together, or hold at the same
    /// time; with `count`, each of them.
    #[serde(default)]
    pub budget: AgentBudget,
    /// What is done about a run that lives and gets nowhere, where that is not as the profile says.
    #[serde(default)]
    pub on_stuck: AgentOnStuck,
    /// When it is started again, where that is not as the profile says.
    #[serde(default)]
    pub restart: AgentRestart,
    /// Who answers when its program asks for a permission that its driver neither allows nor
    /// refuses: "policy", which grants it, or "ask", which asks a person. Default: the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<PermissionsMode>,
    /// How long such a request waits for a person. Then it is denied. Default: the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_within: Option<Span>,
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
            sandbox: None,
            files: None,
            writes: None,
            reads: None,
            ports: None,
            resume: None,
            pool: None,
            limits: AgentLimits::default(),
            budget: AgentBudget::default(),
            on_stuck: AgentOnStuck::default(),
            restart: AgentRestart::default(),
            permissions: None,
            answer_within: None,
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
    /// Wall time, without the time that the run is held still. At the limit it is stopped; it does
    /// not start where less is left. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Span>,
    /// Time without output, call or change of a file. At the limit the run is stopped. Default:
    /// the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence: Option<Span>,
    /// Time from the decision to start until its process is there. At the limit the start has
    /// failed. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Span>,
    /// Time between TERM and KILL when it is stopped. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<Span>,
    /// Bytes kept of each output stream, as in "64MiB"; older output is rotated away. Default: the
    /// profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Bytes>,
    /// Memory of all its processes together, as in "2GiB". At the limit the run is stopped; it
    /// does not start where less is left. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// Processes that live at the same time. At the limit the run is stopped; it does not start
    /// where less is left. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub processes: Option<u32>,
    /// Processor time of all its processes together. At the limit the run is stopped; it does not
    /// start where less is left. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Span>,
    /// Tokens, without those that a cache supplied. At the limit the run is stopped; it does not
    /// start where less is left. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub tokens: Option<u64>,
    /// Money in US dollars. At the limit the run is stopped; it does not start where less is left.
    /// Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd: Option<Dollars>,
    /// How long it goes on when no daemon watches over it. Then it is stopped. Default: the
    /// profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orphan_grace: Option<Span>,
}

impl AgentLimits {
    /// These limits over those of a profile.
    #[must_use]
    pub fn over(self, profile: LimitsSpec) -> LimitsSpec {
        LimitsSpec {
            time: self.time.or(profile.time),
            silence: self.silence.unwrap_or(profile.silence),
            start: self.start.unwrap_or(profile.start),
            grace: self.grace.unwrap_or(profile.grace),
            output: self.output.unwrap_or(profile.output),
            memory: self.memory.or(profile.memory),
            processes: self.processes.or(profile.processes),
            cpu: self.cpu.or(profile.cpu),
            tokens: self.tokens.or(profile.tokens),
            usd: self.usd.or(profile.usd),
            orphan_grace: self.orphan_grace.unwrap_or(profile.orphan_grace),
        }
    }
}

/// What all runs of an agent and of those that it spawns may take together, or hold at the same
/// time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AgentBudget {
    /// Money in US dollars. A run that does not fit any more does not start. Default: as much as
    /// the team has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd: Option<Dollars>,
    /// Tokens, without those that a cache supplied. A run that does not fit any more does not
    /// start. Default: as many as the team has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub tokens: Option<u64>,
    /// Wall time of all runs together, without frozen time: two side by side for an hour take two.
    /// A run that does not fit any more does not start. Default: as much as the team has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Span>,
    /// Processor time of all runs together. A run that does not fit any more does not start.
    /// Default: as much as the team has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Span>,
    /// Memory of all its live runs together, as in "4GiB". A run that does not fit waits until
    /// another ends. Default: as much as the team has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// Processes of all its live runs together. A run that does not fit waits until another ends.
    /// Default: as many as the team has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub processes: Option<u32>,
}

impl From<AgentBudget> for Share {
    fn from(section: AgentBudget) -> Self {
        Self {
            time: section.time.map(|time| time.0),
            tokens: section.tokens,
            usd: section.usd.map(Usd::from),
            cpu: section.cpu.map(|cpu| cpu.0),
            memory: section.memory.map(|memory| memory.0),
            processes: section.processes,
        }
    }
}

/// What is done about a run that lives and gets nowhere, where that is not as the profile says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AgentOnStuck {
    /// It asks for a permission that nobody gives. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission_prompt: Option<StuckAction>,
    /// Its provider gives nothing more for a while. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota_paused: Option<StuckAction>,
    /// Its provider is overloaded. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overloaded: Option<StuckAction>,
    /// Its credentials are refused. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unauthenticated: Option<StuckAction>,
    /// Nothing came for as long as `limits.silence`. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent: Option<StuckAction>,
    /// It does the same again and again. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looping: Option<StuckAction>,
    /// The model takes no longer conversation. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_exhausted: Option<StuckAction>,
    /// It waits for another agent or task. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_on: Option<StuckAction>,
    /// It waits for a person. Default: the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_on_human: Option<StuckAction>,
}

impl AgentOnStuck {
    /// These actions over those of a profile.
    #[must_use]
    pub fn over(self, profile: StuckPolicy) -> StuckPolicy {
        StuckPolicy {
            permission_prompt: self.permission_prompt.unwrap_or(profile.permission_prompt),
            quota_paused: self.quota_paused.unwrap_or(profile.quota_paused),
            overloaded: self.overloaded.unwrap_or(profile.overloaded),
            unauthenticated: self.unauthenticated.unwrap_or(profile.unauthenticated),
            silent: self.silent.unwrap_or(profile.silent),
            looping: self.looping.unwrap_or(profile.looping),
            context_exhausted: self.context_exhausted.unwrap_or(profile.context_exhausted),
            waiting_on: self.waiting_on.unwrap_or(profile.waiting_on),
            waiting_on_human: self.waiting_on_human.unwrap_or(profile.waiting_on_human),
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
