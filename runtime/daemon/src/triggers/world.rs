//! The tasks whose deadlines count: those of the store, and those of the plan that are not there
//! yet.

use std::collections::BTreeSet;

use worknode_actors::{
    definition::TeamDefinition,
    store::{OPEN, tasks_that_are},
};
use worknode_core::{
    error::Error,
    node::{Detail, Node},
    time::Timestamp,
};
use worknode_journal::Reader;
use worknode_query::Facts;
use worknode_triggers::{ladder::TaskDeadline, spec::Percent};

/// Tasks with deadlines that are not over.
#[derive(Debug, Default)]
pub struct KnownTasks(Vec<Known>);

#[derive(Debug)]
struct Known {
    key: String,
    deadline: Timestamp,
    since: Timestamp,
    done: Option<Percent>,
    facts: Option<Facts>,
}

impl KnownTasks {
    /// Those of the store, when there is one, and of the plan. What only the plan has gets its
    /// deadline at `now`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn read(reader: Option<&Reader>, team: &TeamDefinition, now: Timestamp) -> Result<Self, Error> {
        let stored = match reader {
            Some(reader) => tasks_that_are(reader, &OPEN)?,
            None => Vec::new(),
        };
        let mut there = BTreeSet::new();
        for (id, _) in &team.plan {
            if let Some(reader) = reader
                && reader.node(*id)?.is_some()
            {
                there.insert(*id);
            }
        }
        let known = stored.iter().filter_map(|node| Known::of_node(node, now));
        let planned = team.plan.iter().filter(|(id, _)| !there.contains(id));
        let planned = planned.filter_map(|(_, spec)| match &spec.detail {
            Detail::Task(task) => Some(Known {
                key: task.key.clone(),
                deadline: task.deadline?,
                since: now,
                done: None,
                facts: None,
            }),
            Detail::Plain | Detail::Agent(_) => None,
        });
        Ok(Self(known.chain(planned).collect()))
    }

    /// As the rules want them.
    #[must_use]
    pub fn deadlines(&self) -> Vec<TaskDeadline<'_>> {
        self.0.iter().map(Known::as_deadline).collect()
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Are there some of which nobody knows more than their deadline?
    pub(super) fn some_are_only_planned(&self) -> bool {
        self.0.iter().any(|known| known.facts.is_none())
    }
}

impl Known {
    fn as_deadline(&self) -> TaskDeadline<'_> {
        TaskDeadline {
            task: &self.key,
            deadline: self.deadline,
            since: self.since,
            done: self.done,
            facts: self.facts.as_ref(),
        }
    }

    fn of_node(node: &Node, now: Timestamp) -> Option<Self> {
        let task = node.task()?;
        let deadline = task.spec.deadline.filter(|_| !task.status.is_terminal())?;
        let done = task.progress.as_ref().and_then(|progress| progress.percent);
        Some(Self {
            key: task.spec.key.clone(),
            deadline,
            since: node.created.wall,
            done: done.and_then(Percent::new),
            facts: Some(Facts::of_node(node, now)),
        })
    }
}
