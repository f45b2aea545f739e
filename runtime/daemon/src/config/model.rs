//! What `worknode.toml` may say. The comments on fields are what the JSON Schema shows.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_core::{
    agent::Share,
    amount::{Bytes, Dollars},
    bounds,
    restart::Strategy,
    run::RunLimits,
    task::Approval,
    time::Span,
    usage::Usd,
};
use worknode_gates::settings::{
    All as AllGates, CommandGate, Complexity, Coverage, Docs, Licence, PowerOfTen, RuleGate, Secrets,
    Settings as GateSettings, Size,
};
use worknode_policies::plan::PhaseSpec;
use worknode_profiles::profile::{Place, SandboxMode};
use worknode_triggers::TriggerSpec;

mod agent;
mod kind;
mod membrane;

pub use agent::{AgentBudget, AgentEntry, AgentLimits, AgentOnStuck, AgentRestart, DEFAULT_PROFILE};
pub use kind::{KindEntry, SchemaSource};
pub use membrane::MembraneEntry;

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
    /// Claims by those whom the runtime does not run.
    pub claims: ClaimsSection,
    /// How the daemon can be reached.
    pub daemon: DaemonSection,
    /// Where traces go.
    pub telemetry: TelemetrySection,
    /// What all gates are told: scope, waivers, profiles of paths.
    pub gates: GateSettings,
    /// What each gate is told.
    pub gate: GateSection,
    /// How far the work may be from the plan.
    pub plan: PlanSection,
    /// The agents, in the order of their start. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agent: Vec<AgentEntry>,
    /// Kinds of Worknodes beside the product's own. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kind: Vec<KindEntry>,
    /// Membranes: what comes in to Worknodes, and what is seen of them from outside. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub membrane: Vec<MembraneEntry>,
    /// The triggers. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trigger: Vec<TriggerSpec>,
    /// The plan, unless it stands in `plan.toml`. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phase: Vec<PhaseSpec>,
}

/// Triggers in a file of their own: `.worknode/triggers/NAME.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TriggersFile {
    /// The triggers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trigger: Vec<TriggerSpec>,
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

/// Where traces go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySection {
    /// A collector that takes OTLP over HTTP, as in "http://127.0.0.1:4318". Default: what the variable
    /// OTEL_EXPORTER_OTLP_ENDPOINT says, or none: then no traces are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp: Option<String>,
    /// Headers of each request to it, such as a key. Default: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Its `service.name`. Default: "worknode".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// Limits of the whole team: what all its runs share, and what each of them may at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSection {
    /// Agents that may be alive at once; a start beyond it waits. Default: 8.
    #[schemars(range(min = 1))]
    pub agents: u32,
    /// Money that all runs together may take, in US dollars. A run that does not fit any more does
    /// not start. Default: not limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd: Option<Dollars>,
    /// Tokens that all runs together may take, without those that a cache supplied. A run that
    /// does not fit any more does not start. Default: not limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub tokens: Option<u64>,
    /// Wall time of all runs together, without frozen time: two side by side for an hour take two.
    /// A run that does not fit any more does not start. Default: not limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Span>,
    /// Processor time of all runs together. A run that does not fit any more does not start.
    /// Default: not limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Span>,
    /// Memory of all live runs together, as in "8GiB". A run that does not fit waits until another
    /// ends. Default: not limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// Processes of all live runs together. A run that does not fit waits until another ends.
    /// Default: not limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub processes: Option<u32>,
    /// The longest silence of any run, whatever its agent may. Default: as each agent says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence: Option<Span>,
    /// The longest start of any run, whatever its agent may. Default: as each agent says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Span>,
    /// The longest time between TERM and KILL, whatever an agent may. Default: as each agent says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<Span>,
    /// The most bytes kept of each output stream of any run, whatever its agent may. Default: as
    /// each agent says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Bytes>,
    /// How often a task is tried that does not say so itself; then it fails. Default: 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub attempts: Option<u32>,
    /// Agents that may spawn each other, one below the other; a deeper spawn is refused. At 0
    /// nobody spawns. Default: 3.
    pub spawn_depth: u32,
    /// Agents that one agent may have spawned at the same time; one more is refused. Default: 8.
    pub spawn_fan_out: u32,
}

impl Default for LimitsSection {
    fn default() -> Self {
        let number = |bound| u32::try_from(bound).unwrap_or(u32::MAX);
        Self {
            agents: number(bounds::AGENTS),
            usd: None,
            tokens: None,
            time: None,
            cpu: None,
            memory: None,
            processes: None,
            silence: None,
            start: None,
            grace: None,
            output: None,
            attempts: None,
            spawn_depth: number(bounds::SPAWN_DEPTH),
            spawn_fan_out: number(bounds::SPAWN_FAN_OUT),
        }
    }
}

impl From<&LimitsSection> for Share {
    /// What all runs share.
    fn from(section: &LimitsSection) -> Self {
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

impl LimitsSection {
    /// The limits of a run where they are stricter than those that each may have at most.
    #[must_use]
    pub fn strictest(&self, own: RunLimits) -> RunLimits {
        let span = |own: Duration, most: Option<Span>| most.map_or(own, |most| most.0.min(own));
        RunLimits {
            silence: span(own.silence, self.silence),
            start: span(own.start, self.start),
            grace: span(own.grace, self.grace),
            output: self.output.map_or(own.output, |most| most.0.min(own.output)),
            ..own
        }
    }
}

/// Claims by those whom the runtime does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimsSection {
    /// Ready tasks that a team keeps for those who are there: who has nothing to do in another team
    /// takes one of them only while more are ready. A claim may ask for more to be left, and only the
    /// operator for less. Default: 8.
    #[schemars(range(max = 10_000))]
    pub steal_from: u32,
}

impl Default for ClaimsSection {
    fn default() -> Self {
        Self { steal_from: 8 }
    }
}

/// How the daemon can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DaemonSection {
    /// Address and port for HTTP beside the socket, as in "127.0.0.1:7077"; one that other machines
    /// reach needs a `certificate`. Whoever comes there needs a capability. Default: none, the socket
    /// only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// File with the certificate by which the daemon proves itself at `listen`, in PEM, the daemon's
    /// own first. With it that address speaks TLS 1.3 and nothing else. It is read again when it
    /// changes, with the key, and shown to whoever comes from then on. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// File with the private key of `certificate`, in PEM, readable for its owner alone. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// How far the work may be from the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PlanSection {
    /// Above so many percent of deviation, of the team or of a phase, the executive tier is told.
    /// Default: 15.
    #[schemars(range(min = 1, max = 100))]
    pub deviation: u8,
    /// What happens then: "tell", or "stop": nobody starts until it is below again. Default: "tell".
    pub on_deviation: OnDeviation,
}

impl Default for PlanSection {
    fn default() -> Self {
        Self {
            deviation: 15,
            on_deviation: OnDeviation::default(),
        }
    }
}

/// What happens when the work is too far from the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDeviation {
    /// The executive tier is told, then the operator.
    #[default]
    Tell,
    /// The same, and nobody starts.
    Stop,
}

/// What each gate is told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GateSection {
    /// The command of the gate `tests`. Default: none; then there is no such gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tests: Option<TestsGate>,
    /// The gate `complexity`.
    pub complexity: Complexity,
    /// The gate `docs`.
    pub docs: Docs,
    /// The gate `size`.
    pub size: Size,
    /// The gate `secrets`.
    pub secrets: Secrets,
    /// The gate `licence`.
    pub licence: Licence,
    /// The gate `coverage`. Default: none; then there is no such gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// The gate `power-of-ten`.
    #[serde(rename = "power-of-ten")]
    pub power_of_ten: PowerOfTen,
    /// Gates that run a program, by their names: [gate.command.NAME]. Default: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub command: BTreeMap<String, CommandGate>,
    /// Gates that are a condition, by their names: [gate.rule.NAME]. Default: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rule: BTreeMap<String, RuleGate>,
}

impl Config {
    /// All that the gates which look at files are told.
    #[must_use]
    pub fn all_gates(&self) -> AllGates {
        let gate = &self.gate;
        AllGates {
            gates: self.gates.clone(),
            complexity: gate.complexity,
            docs: gate.docs,
            size: gate.size,
            secrets: gate.secrets,
            licence: gate.licence.clone(),
            coverage: gate.coverage.clone(),
            power_of_ten: gate.power_of_ten.clone(),
            command: gate.command.clone(),
            rule: gate.rule.clone(),
        }
    }
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
    /// How it is kept in its box: "enforce", "best-effort" or "off". Default: "enforce".
    #[serde(default)]
    pub sandbox: SandboxMode,
    /// Directories that it may write beside its checkout, as caches of its tools: absolute, `~/…`,
    /// or beginning with `$VARIABLE`. Default: those of the profile "implementation".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes: Option<Vec<Place>>,
    /// Reports that it writes beside its output, relative to the checkout: JUnit or TAP. Default:
    /// none; its output is read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<String>,
    /// How often it is run again when it fails; one that then passes is told as flaky. At most 5.
    /// Default: 0.
    #[serde(default)]
    #[schemars(range(max = 5))]
    pub reruns: u32,
    /// Whether it must tell which tests ran, in a form that is understood. Default: false.
    #[serde(default)]
    pub counted: bool,
}

const fn tests_timeout() -> Span {
    TESTS_TIMEOUT
}
