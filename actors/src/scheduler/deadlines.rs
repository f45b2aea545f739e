//! The tasks whose deadlines count.

use std::collections::HashMap;

use worknode_core::{
    event::{Event, Record},
    ids::NodeId,
    node::Node,
    time::Timestamp,
};
use worknode_journal::Reader;
use worknode_query::Facts;
use worknode_triggers::{Trigger, ladder::TaskDeadline, spec::Percent};

use super::watch::facts_of_node;

/// Every unfinished task that has a deadline.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    tasks: HashMap<NodeId, Deadline>,
    by_key: HashMap<String, NodeId>,
}

#[derive(Debug)]
struct Deadline {
    key: String,
    deadline: Timestamp,
    since: Timestamp,
    /// How much is done, as its holder says.
    done: Option<Percent>,
}

impl Deadlines {
    /// The task is like this now.
    pub(super) fn note(&mut self, node: &Node, now: Timestamp) {
        let Some(task) = node.task() else { return };
        let Some(deadline) = task.spec.deadline.filter(|_| !task.status.is_terminal()) else {
            if let Some(over) = self.tasks.remove(&node.id) {
                self.by_key.remove(&over.key);
            }
            return;
        };
        // A deadline that is moved is given anew.
        let since = match self.tasks.get(&node.id) {
            Some(known) if known.deadline == deadline => known.since,
            Some(_) => now,
            None => node.created.wall,
        };
        let done = task.progress.as_ref().and_then(|progress| progress.percent);
        let key = task.spec.key.clone();
        self.by_key.insert(key.clone(), node.id);
        self.tasks.insert(
            node.id,
            Deadline {
                key,
                deadline,
                since,
                done: done.and_then(Percent::new),
            },
        );
    }

    /// The task with this key.
    pub(super) fn task(&self, key: &str) -> Option<NodeId> {
        self.by_key.get(key).copied()
    }

    /// All of them, without what conditions are asked of.
    pub(super) fn all(&self) -> Vec<TaskDeadline<'_>> {
        let tasks = self.tasks.values();
        let all = tasks.map(|d| TaskDeadline {
            task: &d.key,
            deadline: d.deadline,
            since: d.since,
            done: d.done,
            facts: None,
        });
        all.collect()
    }

    /// What the condition of a ladder is asked of, in the order of [`Self::all`].
    pub(super) fn facts(&self, reader: &Reader, trigger: &Trigger, now: Timestamp) -> Vec<Option<Facts>> {
        if !trigger.needs_facts() {
            return Vec::new();
        }
        let tasks = self.tasks.keys();
        tasks.map(|task| facts_of_node(reader, *task, now)).collect()
    }
}

/// Can a deadline, or what is done of its task, be another one after this?
pub(super) const fn may_change(record: &Record) -> bool {
    matches!(
        record.event,
        Event::NodeCreated { .. }
            | Event::NodeUpdated { .. }
            | Event::TaskCompleted { .. }
            | Event::TaskProgressed { .. }
            | Event::TaskFailed { .. }
            | Event::TaskCancelled { .. }
            | Event::TaskRetried
    )
}
