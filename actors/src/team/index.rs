//! What the team looks at again and again, kept up to date as tasks change: the ready ones in the
//! order in which they are given out, those that rest, those whose dependencies are met, leases.
//!
//! Without it each event would cost a walk over all tasks.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap, HashSet},
};

use worknode_core::{
    hlc::Hlc,
    ids::NodeId,
    node::Node,
    task::{Task, TaskStatus},
    time::Timestamp,
};

/// A task's place in the order of creation.
pub(crate) type Key = (Hlc, NodeId);

/// A task's place among those that are ready: higher priority first, then the older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    priority: Reverse<i32>,
    /// When it was made.
    pub(crate) created: Hlc,
    /// Which it is.
    pub(crate) id: NodeId,
}

impl Place {
    /// Do the two differ in nothing that counts before skills: neither in priority nor in age, to
    /// the millisecond? Tasks of one plan are as old as each other.
    pub(crate) fn ties_with(&self, other: &Self) -> bool {
        self.priority == other.priority && self.created.wall == other.created.wall
    }
}

/// The sets.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Ready, and nobody is asked to wait.
    pub(crate) ready: BTreeSet<Place>,
    /// Ready after a rest.
    resting: BTreeSet<(Timestamp, Place)>,
    /// Held by runs of ours.
    pub(crate) run_held: BTreeSet<Key>,
    /// Held by others, with the end of the lease.
    pub(crate) leases: BTreeSet<(Timestamp, NodeId)>,
    /// How many tasks each holder has.
    pub(crate) holders: HashMap<NodeId, u32>,
    /// Handed in.
    pub(crate) in_review: BTreeSet<Key>,
    /// Pending with nothing left to wait for.
    pub(crate) unblocked: BTreeSet<Key>,
    /// Pending, by one of those that they wait for.
    waiting_on: HashMap<NodeId, HashSet<Key>>,
    /// Those of the known tasks that are completed.
    completed: HashSet<NodeId>,
}

impl Index {
    /// `node` is what it is now, and `before` what it was.
    pub(crate) fn put(&mut self, before: Option<&Node>, node: &Node) -> Vec<Key> {
        if let Some((before, task)) = before.and_then(|node| Some((node, node.task()?))) {
            self.forget(before, task);
        }
        node.task().map_or_else(Vec::new, |task| self.note(node, task))
    }

    fn forget(&mut self, node: &Node, task: &Task) {
        let key = (node.created, node.id);
        match &task.status {
            TaskStatus::Pending => {
                self.unblocked.remove(&key);
                // What still waits for a dependency finds out when that is completed.
            }
            TaskStatus::Ready => {
                self.ready.remove(&place(node, task));
                if let Some(until) = task.retry_at {
                    self.resting.remove(&(until, place(node, task)));
                }
            }
            TaskStatus::Claimed(claim) | TaskStatus::InProgress(claim) => {
                self.run_held.remove(&key);
                self.leases.remove(&(claim.lease_until, node.id));
                self.count_holder(claim.agent, -1);
            }
            TaskStatus::InReview(_) => {
                self.in_review.remove(&key);
            }
            TaskStatus::Completed { .. }
            | TaskStatus::Blocked { .. }
            | TaskStatus::Failed { .. }
            | TaskStatus::Cancelled { .. } => {}
        }
    }

    /// Takes note of a task. Answers the pending ones that waited for it: they are to be looked at
    /// again.
    fn note(&mut self, node: &Node, task: &Task) -> Vec<Key> {
        let key = (node.created, node.id);
        match &task.status {
            TaskStatus::Pending => self.await_dependencies(node),
            TaskStatus::Ready => match task.retry_at {
                None => {
                    self.ready.insert(place(node, task));
                }
                Some(until) => {
                    self.resting.insert((until, place(node, task)));
                }
            },
            TaskStatus::Claimed(claim) | TaskStatus::InProgress(claim) => {
                if claim.run.is_some() {
                    self.run_held.insert(key);
                } else {
                    self.leases.insert((claim.lease_until, node.id));
                }
                self.count_holder(claim.agent, 1);
            }
            TaskStatus::InReview(_) => {
                self.in_review.insert(key);
            }
            TaskStatus::Completed { .. } => {
                self.completed.insert(node.id);
                let waiting = self.waiting_on.remove(&node.id);
                return waiting.into_iter().flatten().collect();
            }
            TaskStatus::Blocked { .. } | TaskStatus::Failed { .. } | TaskStatus::Cancelled { .. } => {}
        }
        Vec::new()
    }

    /// A pending task waits for the first of its dependencies that is not completed, and for none
    /// when all are.
    pub(crate) fn await_dependencies(&mut self, node: &Node) {
        let key = (node.created, node.id);
        let open = node.dependencies().find(|id| !self.completed.contains(id));
        match open {
            Some(dependency) => {
                self.waiting_on.entry(dependency).or_default().insert(key);
            }
            None => {
                self.unblocked.insert(key);
            }
        }
    }

    /// A task that is over is not known any more.
    pub(crate) fn forget_over(&mut self, task: NodeId) {
        self.completed.remove(&task);
    }

    fn count_holder(&mut self, holder: NodeId, change: i32) {
        let count = self.holders.entry(holder).or_default();
        *count = count.saturating_add_signed(change);
        if *count == 0 {
            self.holders.remove(&holder);
        }
    }

    /// Those whose rest is over are ready. True when there were any.
    pub(crate) fn rested(&mut self, now: Timestamp) -> bool {
        let mut any = false;
        while let Some((_, place)) = self.resting.first().filter(|(until, _)| *until <= now).copied() {
            self.resting.pop_first();
            self.ready.insert(place);
            any = true;
        }
        any
    }

    /// The next instant at which something here is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let rest = self.resting.first().map(|(until, _)| *until);
        let lease = self.leases.first().map(|(until, _)| *until);
        rest.into_iter().chain(lease).min()
    }

    /// Somebody holds a task.
    pub(crate) fn is_anything_held(&self) -> bool {
        !self.run_held.is_empty() || !self.leases.is_empty()
    }
}

/// Where `task` stands among those that are ready.
pub(crate) fn place(node: &Node, task: &Task) -> Place {
    Place {
        priority: Reverse(task.spec.priority),
        created: node.created,
        id: node.id,
    }
}
