//! What the team knows: its tasks and agents, as the journal has them.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use worknode_core::{
    agent::AgentStatus,
    error::Error,
    event::{Event, Record},
    git::CommitId,
    hlc::Hlc,
    ids::NodeId,
    node::{Kind, Node},
    run::{Purpose, Run},
    task::TaskStatus,
    time::Timestamp,
};

use super::index::Index;
use crate::{guard::Readiness, store::all_of_kind, system::System};

/// What a record makes of what is known.
enum Carried {
    /// This.
    On(Arc<Node>),
    /// It is known already.
    Already,
    /// Neither a task nor an agent.
    NotOurs,
    /// Only the store can tell.
    Unknown,
}

/// The tasks and agents of the tree.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// Tasks in the order of their creation, which is the order of the plan.
    pub(crate) tasks: BTreeMap<(Hlc, NodeId), Arc<Node>>,
    /// Agents.
    pub(crate) agents: HashMap<NodeId, Arc<Node>>,
    /// The tasks by what is to be done about them.
    pub(crate) index: Index,
    /// Where each task is in `tasks`.
    created: HashMap<NodeId, Hlc>,
    /// How many reviews of a submission ended without a word.
    pub(crate) silent_reviews: HashMap<(NodeId, CommitId), u32>,
    /// Whether the end of the plan has been announced.
    pub(crate) finished: bool,
    /// Whether nothing may start at the moment, whoever it is.
    pub(crate) held: bool,
    /// Agents that may not start at the moment, or not any more.
    pub(crate) unready: HashMap<NodeId, Readiness>,
}

impl View {
    /// Everything that is stored.
    pub(crate) fn load(system: &System) -> Result<Self, Error> {
        let mut view = Self::default();
        let reader = system.reader();
        for kind in [Kind::Task, Kind::Agent] {
            for node in all_of_kind(reader, kind)? {
                view.put(Arc::new(node));
            }
        }
        Ok(view)
    }

    /// Takes notice of what happened: what is known already is carried on, anything else is read
    /// from the store, where the same transaction put it.
    pub(crate) fn take(&mut self, system: &System, record: &Record) -> Result<(), Error> {
        if !record.event.changes_node() {
            return Ok(());
        }
        if let Event::RunExited { run, .. } = &record.event {
            let stored = system.reader().run(*run)?;
            self.note_review(stored.map(|stored| stored.run).as_ref());
        }
        match self.carried_on(record) {
            Carried::Already | Carried::NotOurs => {}
            Carried::On(node) => self.put(node),
            Carried::Unknown => {
                if let Some(node) = system.reader().node(record.node)? {
                    self.put(Arc::new(node));
                }
            }
        }
        Ok(())
    }

    /// The Worknode of a record, from what is known of it.
    fn carried_on(&self, record: &Record) -> Carried {
        let is_ours = |kind: &Kind| matches!(kind, Kind::Task | Kind::Agent);
        if let Some(node) = Node::created_by(record) {
            let known = self.task(node.id).or_else(|| self.agents.get(&node.id));
            return match (is_ours(&node.kind), known) {
                (false, _) => Carried::NotOurs,
                (true, Some(_)) => Carried::Already,
                (true, None) => Carried::On(Arc::new(node)),
            };
        }
        let Some(known) = self.task(record.node).or_else(|| self.agents.get(&record.node)) else {
            return Carried::Unknown;
        };
        if known.updated >= record.at {
            return Carried::Already;
        }
        // One that does not fit was overtaken by what is stored; then the store knows better.
        known
            .apply(record)
            .map_or(Carried::Unknown, |node| Carried::On(Arc::new(node)))
    }

    /// Replaces a Worknode by a newer state of itself.
    pub(crate) fn put(&mut self, node: Arc<Node>) {
        match node.kind {
            Kind::Task => self.put_task(node),
            Kind::Agent => {
                let newer = self
                    .agents
                    .get(&node.id)
                    .is_none_or(|known| known.updated <= node.updated);
                if newer {
                    self.agents.insert(node.id, node);
                }
            }
            _ => {}
        }
    }

    fn put_task(&mut self, node: Arc<Node>) {
        let key = (node.created, node.id);
        let before = self.tasks.get(&key).cloned();
        if before.as_ref().is_some_and(|known| known.updated > node.updated) {
            return;
        }
        self.finished &= node.task().is_some_and(|task| task.status.is_terminal());
        self.created.insert(node.id, node.created);
        let freed = self.index.put(before.as_deref(), &node);
        self.tasks.insert(key, node);
        for key in freed {
            if let Some(waiting) = self.tasks.get(&key).cloned()
                && waiting
                    .task()
                    .is_some_and(|task| task.status == TaskStatus::Pending)
            {
                self.index.await_dependencies(&waiting);
            }
        }
    }

    /// A task.
    pub(crate) fn task(&self, id: NodeId) -> Option<&Arc<Node>> {
        self.tasks.get(&(*self.created.get(&id)?, id))
    }

    /// The live run of an agent.
    pub(crate) fn run_of(&self, agent: NodeId) -> Option<&Run> {
        self.agents.get(&agent)?.agent()?.status.run()
    }

    /// The next instant at which a backoff, a rest or a lease ends.
    pub(crate) fn next_wake(&self, busy: &HashSet<NodeId>) -> Option<Timestamp> {
        let backoffs = self
            .agents
            .values()
            .filter(|node| !busy.contains(&node.id))
            .filter_map(|node| match node.agent()?.status {
                AgentStatus::Backoff { until } => Some(until),
                _ => None,
            });
        backoffs.chain(self.index.next_due()).min()
    }

    /// Counts a review that is over while its submission still waits.
    fn note_review(&mut self, run: Option<&Run>) {
        let Some(Purpose::Review { task }) = run.map(|run| &run.spec.purpose) else {
            return;
        };
        let Some(submission) = self.task(*task).and_then(|node| waiting_submission(node)) else {
            return;
        };
        *self.silent_reviews.entry((*task, submission)).or_default() += 1;
    }
}

/// The submission that waits for a reviewer's word.
pub(crate) fn waiting_submission(node: &Node) -> Option<CommitId> {
    let task = node.task()?;
    let approval = task.spec.approval;
    match &task.status {
        TaskStatus::InReview(review) if review.candidate.is_some() && !review.is_approved(approval) => {
            Some(review.submission.commit.clone())
        }
        _ => None,
    }
}
