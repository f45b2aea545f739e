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
    time::Timestamp,
};

use crate::{guard::Readiness, store::all_of_kind, system::System};

/// The tasks and agents of the tree.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// Tasks in the order of their creation, which is the order of the plan.
    pub(crate) tasks: BTreeMap<(Hlc, NodeId), Arc<Node>>,
    /// Agents.
    pub(crate) agents: HashMap<NodeId, Arc<Node>>,
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
                view.put(node);
            }
        }
        Ok(view)
    }

    /// Takes notice of what happened. The state itself is read from the store, where the same
    /// transaction put it.
    pub(crate) fn take(&mut self, system: &System, record: &Record) -> Result<(), Error> {
        if !record.event.changes_node() {
            return Ok(());
        }
        if let Event::RunExited { run, .. } = &record.event {
            let stored = system.reader().run(*run)?;
            self.note_review(stored.map(|stored| stored.run).as_ref());
        }
        if let Some(node) = system.reader().node(record.node)? {
            self.put(node);
        }
        Ok(())
    }

    /// Replaces a Worknode by a newer state of itself.
    pub(crate) fn put(&mut self, node: Node) {
        match node.kind {
            Kind::Task => {
                let key = (node.created, node.id);
                let newer = self
                    .tasks
                    .get(&key)
                    .is_none_or(|known| known.updated <= node.updated);
                if newer {
                    self.finished &= node.task().is_some_and(|task| task.status.is_terminal());
                    self.created.insert(node.id, node.created);
                    self.tasks.insert(key, Arc::new(node));
                }
            }
            Kind::Agent => {
                let newer = self
                    .agents
                    .get(&node.id)
                    .is_none_or(|known| known.updated <= node.updated);
                if newer {
                    self.agents.insert(node.id, Arc::new(node));
                }
            }
            _ => {}
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

    /// The next instant at which a backoff ends.
    pub(crate) fn next_wake(&self, busy: &HashSet<NodeId>) -> Option<Timestamp> {
        let backoffs = self
            .agents
            .values()
            .filter(|node| !busy.contains(&node.id))
            .filter_map(|node| match node.agent()?.status {
                AgentStatus::Backoff { until } => Some(until),
                _ => None,
            });
        backoffs.min()
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
    use worknode_core::task::TaskStatus;
    match &node.task()?.status {
        TaskStatus::InReview(review) if review.candidate.is_some() && review.approved_by.is_none() => {
            Some(review.submission.commit.clone())
        }
        _ => None,
    }
}
