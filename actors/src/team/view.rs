//! What the team knows: its agents, and its tasks that are not over, as the journal has them.
//!
//! What is over becomes much and is seldom looked at. So of that the team knows only what one of its
//! open tasks waits for, or a live run works on: those are *named*, and looked up when they are not
//! known. What nobody names any more is forgotten.

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
use crate::{
    guard::Readiness,
    store::{OPEN, all_of_kind, tasks_that_are},
    system::System,
};

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

/// The agents of the tree, and its tasks.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// Tasks that are not over, and those that are and that somebody names, in the order of their
    /// creation, which is the order of the plan.
    pub(crate) tasks: BTreeMap<(Hlc, NodeId), Arc<Node>>,
    /// Agents.
    pub(crate) agents: HashMap<NodeId, Arc<Node>>,
    /// The tasks by what is to be done about them.
    pub(crate) index: Index,
    /// Where each task is in `tasks`.
    created: HashMap<NodeId, Hlc>,
    /// How many open tasks and live runs name each task.
    named: HashMap<NodeId, u32>,
    /// Named, and not known: to be looked up.
    unknown: Vec<NodeId>,
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
    /// Everything that is stored and counts.
    pub(crate) fn load(system: &System) -> Result<Self, Error> {
        let mut view = Self::default();
        let reader = system.reader();
        let agents = all_of_kind(reader, Kind::Agent)?;
        for node in tasks_that_are(reader, &OPEN)?.into_iter().chain(agents) {
            view.put(Arc::new(node));
        }
        view.look_up_stored(system)?;
        Ok(view)
    }

    /// Takes in what is named and not known, from `find`.
    ///
    /// # Errors
    /// Those of `find`. What was not found then is looked up again the next time.
    pub(crate) fn look_up(
        &mut self,
        mut find: impl FnMut(NodeId) -> Result<Option<Arc<Node>>, Error>,
    ) -> Result<(), Error> {
        while let Some(id) = self.unknown.last().copied() {
            let wanted = self.named.contains_key(&id) && !self.created.contains_key(&id);
            let found = if wanted { find(id)? } else { None };
            self.unknown.pop();
            if let Some(node) = found {
                self.put(node);
            }
        }
        Ok(())
    }

    fn look_up_stored(&mut self, system: &System) -> Result<(), Error> {
        self.look_up(|id| Ok(system.reader().node(id)?.map(Arc::new)))
    }

    /// Replaces a Worknode by a newer state of itself, and looks up what that names.
    pub(crate) fn learn(&mut self, system: &System, node: Arc<Node>) -> Result<(), Error> {
        self.put(node);
        self.look_up_stored(system)
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
            Carried::On(node) => self.learn(system, node)?,
            Carried::Unknown => {
                if let Some(node) = system.reader().node(record.node)? {
                    self.learn(system, Arc::new(node))?;
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
            // What is over, or of another kind, does not become ours by what it carries or where it is.
            let moved = matches!(record.event, Event::NodeMoved { .. } | Event::NodeRenamed { .. });
            return if moved || record.event.changes_body() {
                Carried::NotOurs
            } else {
                Carried::Unknown
            };
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
            Kind::Agent => self.put_agent(node),
            _ => {}
        }
    }

    fn put_agent(&mut self, node: Arc<Node>) {
        let before = self.agents.get(&node.id).cloned();
        if before.as_ref().is_some_and(|known| known.updated > node.updated) {
            return;
        }
        let names = works_on(&node);
        self.agents.insert(node.id, node);
        // First the new name, so that what both name is not forgotten in between.
        if let Some(task) = names {
            self.name(task);
        }
        if let Some(task) = before.as_deref().and_then(works_on) {
            self.unname(task);
        }
    }

    fn put_task(&mut self, node: Arc<Node>) {
        let key = (node.created, node.id);
        let before = self.tasks.get(&key).cloned();
        if before.as_ref().is_some_and(|known| known.updated > node.updated) {
            return;
        }
        let over = is_over(&node);
        self.finished &= over;
        self.created.insert(node.id, node.created);
        let freed = self.index.put(before.as_deref(), &node);
        self.tasks.insert(key, Arc::clone(&node));
        if !over {
            node.dependencies().for_each(|id| self.name(id));
        }
        if let Some(before) = before.filter(|before| !is_over(before)) {
            before.dependencies().for_each(|id| self.unname(id));
        }
        for key in freed {
            if let Some(waiting) = self.tasks.get(&key).cloned()
                && waiting
                    .task()
                    .is_some_and(|task| task.status == TaskStatus::Pending)
            {
                self.index.await_dependencies(&waiting);
            }
        }
        self.forget_if_done_with(node.id);
    }

    /// One more open task or live run names this task.
    fn name(&mut self, id: NodeId) {
        let count = self.named.entry(id).or_default();
        *count = count.saturating_add(1);
        if *count == 1 && !self.created.contains_key(&id) {
            self.unknown.push(id);
        }
    }

    /// One less does.
    fn unname(&mut self, id: NodeId) {
        if let Some(count) = self.named.get_mut(&id) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.named.remove(&id);
                self.forget_if_done_with(id);
            }
        }
    }

    /// A task that is over and that nobody names is not kept.
    fn forget_if_done_with(&mut self, id: NodeId) {
        if self.named.contains_key(&id) || !self.task(id).is_some_and(|node| is_over(node)) {
            return;
        }
        if let Some(created) = self.created.remove(&id) {
            self.tasks.remove(&(created, id));
            self.index.forget_over(id);
            self.silent_reviews.retain(|(task, _), _| *task != id);
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

fn is_over(node: &Node) -> bool {
    node.task().is_some_and(|task| task.status.is_terminal())
}

/// What the live run of an agent is about.
fn works_on(agent: &Node) -> Option<NodeId> {
    agent.agent()?.status.run()?.spec.purpose.task()
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
