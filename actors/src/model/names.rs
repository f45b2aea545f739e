//! Real identities for the names of the small world, and back.

use worknode_core::{
    agent::{AgentSpec, StartWhen, Tier},
    event::{Event, Principal, Record, SCHEMA_VERSION},
    git::{CommitId, TreeId},
    hlc::Hlc,
    ids::{NodeId, RunId},
    node::{Detail, Kind, Node, NodeSpec, NodeState},
    run::Purpose,
    task::{Approval, Landing, TaskSpec},
    time::{Span, Timestamp},
};

use super::words::{Land, REVIEWER, Run, agent_name, task_name};
use crate::{definition::TeamDefinition, team::steps};

/// The gate that every submission must pass.
pub(crate) const GATE: &str = "tests";
/// Milliseconds from one lapse of all leases to the next: more than any lease.
const ERA: u64 = 600_000;

/// The instant after so many lapses.
pub(crate) fn instant(now: u8) -> Timestamp {
    Timestamp::from_millis(ERA * (1 + u64::from(now)))
}

/// Which [`instant`] this is, or the last before it.
pub(crate) fn era(at: Timestamp) -> u8 {
    u8::try_from((at.as_millis() / ERA).saturating_sub(1)).unwrap_or(u8::MAX)
}

pub(crate) fn task_id(task: u8) -> NodeId {
    NodeId::derived(NodeId::ROOT, task_name(task))
}

pub(crate) fn run_id(run: Run) -> RunId {
    let (kind, one, other) = match run {
        Run::Work { task, epoch } => (1, task, epoch),
        Run::Review { task, nth } => (2, task, nth),
        Run::Fired { which, attempt } => (3, which, attempt),
    };
    RunId::from_parts(1, [0, 0, 0, 0, kind, one, other, 0, 0, 0])
}

pub(crate) fn run_of(id: RunId) -> Option<Run> {
    match id.as_uuid().as_bytes()[10..13] {
        [1, task, epoch] => Some(Run::Work { task, epoch }),
        [2, task, nth] => Some(Run::Review { task, nth }),
        [3, which, attempt] => Some(Run::Fired { which, attempt }),
        _ => None,
    }
}

pub(crate) fn purpose(run: Run) -> Purpose {
    match run {
        Run::Work { task, epoch } => Purpose::Work {
            task: task_id(task),
            epoch: u64::from(epoch),
        },
        Run::Review { task, .. } => Purpose::Review { task: task_id(task) },
        Run::Fired { .. } => Purpose::Fired {
            trigger: "nightly".to_owned(),
            title: String::new(),
            prompt: String::new(),
        },
    }
}

fn object(kind: u8, task: u8, epoch: u8, base: u8) -> String {
    format!("{kind:034x}{task:02x}{epoch:02x}{base:02x}")
}

/// What is handed in under a claim.
pub(crate) fn submitted(task: u8, epoch: u8) -> CommitId {
    object(1, task, epoch, 0).parse().unwrap()
}

/// The tip of the base branch when it has so many commits.
pub(crate) fn base_tip(commits: u8) -> CommitId {
    object(2, 0, 0, commits).parse().unwrap()
}

pub(crate) fn tree(land: Land) -> TreeId {
    object(3, land.task, land.epoch, land.base).parse().unwrap()
}

pub(crate) fn candidate(land: Land) -> CommitId {
    object(4, land.task, land.epoch, land.base).parse().unwrap()
}

pub(crate) fn landing(land: Land) -> Landing {
    Landing {
        tree: tree(land),
        commit: candidate(land),
        base: base_tip(land.base),
    }
}

/// Which candidate a commit is.
pub(crate) fn land_of(commit: &CommitId) -> Land {
    let text = commit.as_str();
    Land {
        task: digits(text, 34),
        epoch: digits(text, 36),
        base: digits(text, 38),
    }
}

fn digits(text: &str, from: usize) -> u8 {
    u8::from_str_radix(&text[from..from + 2], 16).unwrap()
}

/// Two agents that work, and one that reviews.
pub(crate) fn team() -> TeamDefinition {
    let work = |agent| (agent_name(agent), Tier::Implementation, StartWhen::Task);
    let review = (agent_name(REVIEWER), Tier::Validation, StartWhen::Task);
    let mut team = steps::tests::team(&[work(0), work(1), review], 8);
    for agent in &mut team.agents {
        agent.spec.restart.backoff = Span::secs(0);
        agent.spec.restart.max_backoff = Span::secs(0);
    }
    team
}

/// The first task wants a reviewer, the second one does not; both want the gate.
pub(crate) fn task_spec(task: u8, attempts: u32) -> TaskSpec {
    TaskSpec {
        key: task_name(task).to_owned(),
        title: String::new(),
        prompt: String::new(),
        files: Vec::new(),
        may_delete: Vec::new(),
        depends_on: Vec::new(),
        agent: None,
        deadline: None,
        gates: vec![GATE.to_owned()],
        approval: if task == 0 {
            Approval::Validation
        } else {
            Approval::None
        },
        max_attempts: attempts,
        priority: 0,
        max_duration: None,
        ..TaskSpec::default()
    }
}

pub(crate) fn agent_spec(team: &TeamDefinition, agent: u8) -> AgentSpec {
    team.agents[usize::from(agent)].spec.clone()
}

/// A Worknode as the store would give it, the tasks in the order of their numbers.
pub(crate) fn node(id: NodeId, name: &str, order: u8, state: NodeState) -> Node {
    let (kind, detail) = match &state {
        NodeState::Plain => (Kind::Document, Detail::Plain),
        NodeState::Task(task) => (Kind::Task, Detail::Task(Box::new((*task.spec).clone()))),
        NodeState::Agent(agent) => (Kind::Agent, Detail::Agent(Box::new(agent.spec.clone()))),
    };
    let created = Record {
        at: Hlc {
            wall: Timestamp::from_millis(u64::from(order)),
            counter: 0,
            origin: 1,
        },
        node: id,
        by: Principal::Runtime,
        cause: None,
        version: SCHEMA_VERSION,
        event: Event::NodeCreated {
            node: NodeSpec::new(None, kind, name, detail),
        },
    };
    let mut node = Node::created_by(&created).unwrap();
    node.state = state;
    node
}
