//! A Worknode: a node of the one tree in which everything lives.

use serde::{Deserialize, Serialize};

mod decide;
#[cfg(test)]
mod tests;

pub use decide::{NodeChange, check_name, decide};

use crate::{
    agent::{Agent, AgentSpec},
    body::{Body, NewBody, Relation},
    error::IllegalTransition,
    event::{Event, Record},
    hlc::Hlc,
    ids::NodeId,
    task::{Task, TaskSpec, TaskStatus},
};

pub use crate::kind::Kind;

/// What only some kinds have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NodeSpec {
    /// The Worknode above; `None` for the root alone.
    pub parent: Option<NodeId>,
    /// What sort of thing it is.
    pub kind: Kind,
    /// Its name, unique among its siblings of the same kind.
    pub name: String,
    /// What only its kind has.
    pub detail: Detail,
    /// What any Worknode can carry.
    #[serde(default, skip_serializing_if = "NewBody::is_empty")]
    pub body: NewBody,
}

impl NodeSpec {
    /// A Worknode that carries nothing yet.
    pub fn new(parent: Option<NodeId>, kind: Kind, name: impl Into<String>, detail: Detail) -> Self {
        Self {
            parent,
            kind,
            name: name.into(),
            detail,
            body: NewBody::default(),
        }
    }
}

/// The state of a Worknode, by kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// No state of its own.
    Plain,
    /// A task's.
    Task(Box<Task>),
    /// An agent's.
    Agent(Box<Agent>),
}

/// When a task came how far, the last time that it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Times {
    /// It could be claimed.
    pub ready: Option<Hlc>,
    /// Somebody claimed it.
    pub claimed: Option<Hlc>,
    /// It was over: completed, failed or cancelled.
    pub finished: Option<Hlc>,
}

impl Times {
    /// After `task` has become what it is at `at`, with `event`.
    fn after(self, event: &Event, task: &Task, at: Hlc) -> Self {
        let mut next = self;
        match event {
            Event::TaskReady => next.ready = Some(at),
            Event::TaskClaimed { .. } => next.claimed = Some(at),
            Event::TaskRetried => next.finished = None,
            _ if task.status.is_terminal() => next.finished = self.finished.or(Some(at)),
            _ => {}
        }
        next
    }
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
    /// What it carries, whatever its kind.
    pub body: Body,
    /// When it came how far.
    pub times: Times,
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
            kind: node.kind.clone(),
            name: node.name.clone(),
            state,
            body: Body::new(&node.body, record.at),
            times: Times::default(),
            created: record.at,
            updated: record.at,
        })
    }

    /// The Worknode after `record`. Events that change no state only move `updated`.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the event does not fit the state.
    pub fn apply(&self, record: &Record) -> Result<Self, IllegalTransition> {
        if let Some(moved) = self.apply_to_place(record) {
            return Ok(moved);
        }
        if record.event.changes_body() {
            return Ok(self.apply_to_body(record));
        }
        let state = self.state_after(record)?;
        let times = match &state {
            NodeState::Task(task) => self.times.after(&record.event, task, record.at),
            NodeState::Plain | NodeState::Agent(_) => self.times,
        };
        Ok(Self {
            id: self.id,
            parent: self.parent,
            kind: self.kind.clone(),
            name: self.name.clone(),
            state,
            body: self.body.clone(),
            times,
            created: self.created,
            updated: record.at,
        })
    }

    /// What it is by its kind, after `record`.
    fn state_after(&self, record: &Record) -> Result<NodeState, IllegalTransition> {
        if !record.event.changes_node() {
            return Ok(self.state.clone());
        }
        if matches!(record.event, Event::NodeUpdated { .. }) {
            return reconfigured(&self.state, &record.event).ok_or_else(|| self.illegal(record));
        }
        match &self.state {
            NodeState::Task(task) => Ok(NodeState::Task(Box::new(task.apply(&record.event)?))),
            NodeState::Agent(agent) => {
                let agent = agent.apply(&record.event, record.at.wall)?;
                Ok(NodeState::Agent(Box::new(agent)))
            }
            NodeState::Plain => Err(self.illegal(record)),
        }
    }

    fn apply_to_place(&self, record: &Record) -> Option<Self> {
        if !matches!(record.event, Event::NodeMoved { .. } | Event::NodeRenamed { .. }) {
            return None;
        }
        let mut next = self.clone();
        match &record.event {
            Event::NodeMoved { parent } => next.parent = Some(*parent),
            Event::NodeRenamed { name } => next.name.clone_from(name),
            _ => {}
        }
        next.updated = record.at;
        Some(next)
    }

    fn apply_to_body(&self, record: &Record) -> Self {
        let mut next = self.clone();
        next.body.apply(&record.event, record.at);
        next.updated = record.at;
        // One more thing to wait for: nobody may take it before that is looked at.
        if let (NodeState::Task(task), Event::Linked { link }) = (&mut next.state, &record.event)
            && link.relation == Relation::DependsOn
            && task.status == TaskStatus::Ready
        {
            task.status = TaskStatus::Pending;
        }
        next
    }

    /// The Worknodes that must be completed before this one is begun.
    pub fn dependencies(&self) -> impl Iterator<Item = NodeId> + '_ {
        let planned = self.task().map(|task| task.spec.depends_on.iter().copied());
        planned.into_iter().flatten().chain(self.body.depends_on())
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
        (NodeState::Task(task), Detail::Task(spec)) => {
            let replanned = task.replanned((**spec).clone())?;
            Some(NodeState::Task(Box::new(replanned)))
        }
        (NodeState::Agent(agent), Detail::Agent(spec)) => Some(NodeState::Agent(Box::new(Agent {
            spec: (**spec).clone(),
            ..(**agent).clone()
        }))),
        (NodeState::Plain, Detail::Plain) => Some(NodeState::Plain),
        _ => None,
    }
}
