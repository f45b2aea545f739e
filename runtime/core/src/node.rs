//! A Worknode: a node of the one tree in which everything lives.

use serde::{Deserialize, Serialize};

use crate::{
    agent::{Agent, AgentSpec},
    error::IllegalTransition,
    event::{Event, Record},
    hlc::Hlc,
    ids::NodeId,
    task::{Task, TaskSpec},
};

/// What sort of thing a Worknode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the words of the design")]
pub enum Kind {
    Organisation,
    Team,
    Project,
    Phase,
    Task,
    Agent,
    Document,
    Decision,
    Issue,
    Memory,
}

impl Kind {
    /// The kind's name, as in JSON and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::Team => "team",
            Self::Project => "project",
            Self::Phase => "phase",
            Self::Task => "task",
            Self::Agent => "agent",
            Self::Document => "document",
            Self::Decision => "decision",
            Self::Issue => "issue",
            Self::Memory => "memory",
        }
    }
}

/// What only some kinds have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// Nothing beyond kind and name.
    Plain,
    /// A task's.
    Task(Box<TaskSpec>),
    /// An agent's.
    Agent(Box<AgentSpec>),
}

/// A Worknode as it is created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeSpec {
    /// The Worknode above; `None` for the root alone.
    pub parent: Option<NodeId>,
    /// What sort of thing it is.
    pub kind: Kind,
    /// Its name, unique among its siblings of the same kind.
    pub name: String,
    /// What only its kind has.
    pub detail: Detail,
}

/// The state of a Worknode, by kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// No state of its own.
    Plain,
    /// A task's.
    Task(Box<Task>),
    /// An agent's.
    Agent(Box<Agent>),
}

/// A Worknode, folded from its events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its identity.
    pub id: NodeId,
    /// The Worknode above.
    pub parent: Option<NodeId>,
    /// What sort of thing it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: NodeState,
    /// The event that created it.
    pub created: Hlc,
    /// The event that made it what it is now.
    pub updated: Hlc,
}

impl Node {
    /// The Worknode that `record` creates, when it creates one.
    #[must_use]
    pub fn created_by(record: &Record) -> Option<Self> {
        let Event::NodeCreated { node } = &record.event else {
            return None;
        };
        let state = match &node.detail {
            Detail::Plain => NodeState::Plain,
            Detail::Task(spec) => NodeState::Task(Box::new(Task::new((**spec).clone()))),
            Detail::Agent(spec) => NodeState::Agent(Box::new(Agent::new((**spec).clone()))),
        };
        Some(Self {
            id: record.node,
            parent: node.parent,
            kind: node.kind,
            name: node.name.clone(),
            state,
            created: record.at,
            updated: record.at,
        })
    }

    /// The Worknode after `record`. Events that change no state only move `updated`.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the event does not fit the state.
    pub fn apply(&self, record: &Record) -> Result<Self, IllegalTransition> {
        let state = match &self.state {
            _ if !record.event.changes_node() => self.state.clone(),
            state if matches!(record.event, Event::NodeUpdated { .. }) => {
                reconfigured(state, &record.event).ok_or_else(|| self.illegal(record))?
            }
            NodeState::Task(task) => NodeState::Task(Box::new(task.apply(&record.event)?)),
            NodeState::Agent(agent) => {
                NodeState::Agent(Box::new(agent.apply(&record.event, record.at.wall)?))
            }
            NodeState::Plain => return Err(self.illegal(record)),
        };
        Ok(Self {
            state,
            updated: record.at,
            ..self.clone()
        })
    }

    fn illegal(&self, record: &Record) -> IllegalTransition {
        IllegalTransition {
            event: record.event.type_name(),
            subject: format!("{} `{}`", self.kind.name(), self.name),
            state: if self.status().is_empty() {
                "a plain Worknode"
            } else {
                self.status()
            },
            because: String::new(),
        }
    }

    /// The task's state, when this is a task.
    #[must_use]
    pub fn task(&self) -> Option<&Task> {
        match &self.state {
            NodeState::Task(task) => Some(task),
            NodeState::Plain | NodeState::Agent(_) => None,
        }
    }

    /// The agent's state, when this is an agent.
    #[must_use]
    pub fn agent(&self) -> Option<&Agent> {
        match &self.state {
            NodeState::Agent(agent) => Some(agent),
            NodeState::Plain | NodeState::Task(_) => None,
        }
    }

    /// The name of its state, empty for kinds that have none.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match &self.state {
            NodeState::Plain => "",
            NodeState::Task(task) => task.status.name(),
            NodeState::Agent(agent) => agent.status.name(),
        }
    }
}

/// The state under a changed configuration: what was lived through stays, what is asked changes.
/// `None` when the change is of another kind, or the task is over.
fn reconfigured(state: &NodeState, event: &Event) -> Option<NodeState> {
    let Event::NodeUpdated { detail } = event else {
        return None;
    };
    match (state, detail) {
        (NodeState::Task(task), Detail::Task(spec)) if !task.status.is_terminal() => {
            Some(NodeState::Task(Box::new(Task {
                spec: (**spec).clone(),
                ..(**task).clone()
            })))
        }
        (NodeState::Agent(agent), Detail::Agent(spec)) => Some(NodeState::Agent(Box::new(Agent {
            spec: (**spec).clone(),
            ..(**agent).clone()
        }))),
        (NodeState::Plain, Detail::Plain) => Some(NodeState::Plain),
        _ => None,
    }
}
