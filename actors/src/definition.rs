//! What a team is made of: configuration, read and checked, in the terms of the runtime.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use worknode_core::{
    agent::{AgentSpec, StartWhen, Tier},
    budget::{Budget, SpawnLimits},
    ids::NodeId,
    membrane::MembraneSpec,
    node::{Detail, Kind, NodeSpec},
    restart::Strategy,
};
use worknode_policies::kinds::Kinds;
use worknode_profiles::{
    Driver,
    profile::{SandboxMode, StuckPolicy},
};
use worknode_triggers::Trigger;

/// One team on one repository.
#[derive(Clone, Debug)]
pub struct TeamDefinition {
    /// Its name.
    pub name: String,
    /// The user's repository.
    pub repository: PathBuf,
    /// The branch that approved work lands on.
    pub base: String,
    /// How many agents may be alive at once.
    pub live_agents: usize,
    /// What all runs of the team together may take, or hold at the same time.
    pub budget: Budget,
    /// How often a task is tried that does not say.
    pub attempts: u32,
    /// How many agents may spawn each other, one below the other.
    pub spawn_depth: usize,
    /// How many agents one agent may have spawned that live.
    pub spawn_fan_out: usize,
    /// Ready tasks that are left to a team when others take some of its tasks.
    pub steal_from: usize,
    /// Who else is restarted when an agent ends abnormally.
    pub strategy: Strategy,
    /// The agents, in the order of their start.
    pub agents: Vec<AgentDefinition>,
    /// The triggers.
    pub triggers: Vec<Trigger>,
    /// Phases and tasks, parents before children.
    pub plan: Vec<(NodeId, NodeSpec)>,
    /// A digest of the plan: the same plan is loaded once.
    pub plan_digest: String,
    /// How the `tests` gate is run, when the team has one.
    pub tests: Option<TestsDefinition>,
    /// What the gates are told.
    pub gates: Arc<worknode_gates::settings::All>,
    /// Directories that programs of gates may write beside their checkouts. They need not be there.
    pub gate_writes: Vec<PathBuf>,
    /// Gates of a task that names none.
    pub default_gates: Vec<String>,
    /// The kinds of Worknodes that the configuration declares.
    pub kinds: Arc<Kinds>,
    /// The membranes that the configuration puts in front of its Worknodes.
    pub membranes: Vec<(NodeId, MembraneSpec)>,
    /// How far the work may be from the plan.
    pub deviation: DeviationLimit,
}

/// How far the work may be from the plan, and what happens beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviationLimit {
    /// In per mille. Above it the executive tier is told.
    pub threshold: u32,
    /// Whether nobody starts while it is above.
    pub stop_spawns: bool,
}

impl Default for DeviationLimit {
    fn default() -> Self {
        Self {
            threshold: worknode_policies::deviation::THRESHOLD,
            stop_spawns: false,
        }
    }
}

/// The command of the `tests` gate.
#[derive(Clone, Debug)]
pub struct TestsDefinition {
    /// Program and arguments; run in a clean checkout.
    pub command: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// How it is kept in its box.
    pub sandbox: SandboxMode,
    /// Directories that it may write beside its checkout. They need not be there.
    pub writes: Vec<PathBuf>,
    /// Reports that it writes beside its output, relative to the checkout.
    pub reports: Vec<String>,
    /// How often it is run again when it fails.
    pub reruns: u32,
    /// Whether it must tell which tests ran.
    pub counted: bool,
}

/// One agent of the team.
#[derive(Clone, Debug)]
pub struct AgentDefinition {
    /// Its name.
    pub name: String,
    /// What it is.
    pub spec: AgentSpec,
    /// How its program is started.
    pub driver: Driver,
    /// Program and arguments, for the `command` driver.
    pub command: Vec<String>,
    /// Model, for drivers that take one.
    pub model: Option<String>,
    /// What it does when it has no task: the brief of a standing duty.
    pub prompt: String,
    /// Variables of its own.
    pub env: BTreeMap<String, String>,
    /// Names of variables that it gets from the daemon's environment.
    pub pass_env: Vec<String>,
    /// Template of its brief.
    pub brief: String,
    /// How its runs are kept in their box.
    pub sandbox: SandboxMode,
    /// Whether the kernel, too, refuses what its task may not change in its clone.
    pub strict_files: bool,
    /// Directories that it may write beside its own. They need not be there.
    pub writes: Vec<PathBuf>,
    /// Directories that it may read although they are hidden. They need not be there.
    pub reads: Vec<PathBuf>,
    /// Directories that its program must write for its own sake, whatever the tier. They need not
    /// be there.
    pub driver_writes: Vec<PathBuf>,
    /// TCP ports that it may connect to; `None`: the network is not limited.
    pub ports: Option<Vec<u16>>,
    /// What its credentials are a share of: agents on one pool pause together.
    pub pool: String,
    /// Whether a restart goes on with the session of the last run, where the driver can.
    pub resume: bool,
    /// What is done about a run that lives and gets nowhere.
    pub on_stuck: StuckPolicy,
    /// What all its runs and those of agents that it spawns may take together, or hold at the same
    /// time; `None`: as much as the team.
    pub budget: Option<Budget>,
    /// How long a person has to answer what its program asks for, beyond what its driver allows and
    /// refuses; `None`: nobody is asked, and it is granted.
    pub asks: Option<Duration>,
}

impl TeamDefinition {
    /// The team's Worknode: the same name is the same team.
    #[must_use]
    pub fn node(&self) -> NodeId {
        NodeId::derived(NodeId::ROOT, &format!("team:{}", self.name))
    }

    /// An agent's Worknode.
    #[must_use]
    pub fn agent_node(&self, name: &str) -> NodeId {
        NodeId::derived(self.node(), &format!("agent:{name}"))
    }

    /// The agent whose Worknode is `node`.
    #[must_use]
    pub fn agent(&self, node: NodeId) -> Option<&AgentDefinition> {
        self.agents
            .iter()
            .find(|agent| self.agent_node(&agent.name) == node)
    }

    /// How far its agents may spawn.
    #[must_use]
    pub const fn spawn_limits(&self) -> SpawnLimits {
        SpawnLimits {
            depth: self.spawn_depth,
            fan_out: self.spawn_fan_out,
        }
    }

    /// Does the team have somebody who reviews?
    #[must_use]
    pub fn has_reviewer(&self) -> bool {
        self.agents
            .iter()
            .any(|agent| agent.spec.tier == Tier::Validation && agent.spec.start == StartWhen::Task)
    }

    /// All Worknodes that the definition asks for, parents before children.
    #[must_use]
    pub fn nodes(&self) -> Vec<(NodeId, NodeSpec)> {
        let plain = |parent, kind, name: &str| NodeSpec::new(parent, kind, name.to_owned(), Detail::Plain);
        let team = self.node();
        let mut nodes = vec![
            (NodeId::ROOT, plain(None, Kind::Organisation, "root")),
            (team, plain(Some(NodeId::ROOT), Kind::Team, &self.name)),
        ];
        nodes.extend(self.agents.iter().map(|agent| {
            let spec = NodeSpec::new(
                Some(team),
                Kind::Agent,
                agent.name.clone(),
                Detail::Agent(Box::new(agent.spec.clone())),
            );
            (self.agent_node(&agent.name), spec)
        }));
        nodes.extend(self.plan.iter().cloned());
        nodes
    }
}

/// Name of the agent that a trigger brings with it when it names only a profile.
#[must_use]
pub fn trigger_agent(trigger: &str) -> String {
    format!("trigger-{trigger}")
}
