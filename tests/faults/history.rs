//! What the journal of a scene says, read beside the daemon and without it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use worknode_core::{
    event::{Event, Record},
    hlc::Hlc,
    ids::{NodeId, RunId},
    node::{Detail, Kind},
    run::{Receipt, RunSpec},
    task::TaskSpec,
};
use worknode_daemon::daemon::journal_path;
use worknode_journal::{EventFilter, Journal, Reader};

/// Everything that has happened so far.
#[derive(Debug, Default)]
pub(crate) struct History {
    reader: Option<Reader>,
    pub(crate) records: Vec<Record>,
}

impl History {
    /// Everything in the journal of the team in `dir`.
    pub(crate) fn read(dir: &Path) -> Self {
        let mut history = Self::default();
        history.refresh(dir);
        history
    }

    /// Reads on.
    pub(crate) fn refresh(&mut self, dir: &Path) {
        if self.reader.is_none() {
            // Before the first daemon has made it there is nothing to read.
            self.reader = Journal::open_read_only(&journal_path(dir)).ok();
        }
        let Some(reader) = &self.reader else { return };
        loop {
            let filter = EventFilter {
                after: self.records.last().map_or(Hlc::ZERO, |last| last.at),
                ..EventFilter::default()
            };
            match reader.events(&filter) {
                Ok(page) if !page.is_empty() => self.records.extend(page),
                // A daemon that is just making its tables has nothing to read either.
                _ => return,
            }
        }
    }

    /// Whether the daemon with this process has taken charge.
    pub(crate) fn has_started(&self, process: u32) -> bool {
        let is_it =
            |record: &Record| matches!(&record.event, Event::DaemonStarted { pid, .. } if *pid == process);
        self.records.iter().any(is_it)
    }

    pub(crate) fn count(&self, kind: &str) -> usize {
        self.of(kind).count()
    }

    /// Whether something came of every event that a trigger of the same name waits for.
    pub(crate) fn all_handled(&self) -> bool {
        self.records.iter().all(|record| match &record.event {
            Event::Emitted { name, .. } => self.is_handled(name, record.at),
            _ => true,
        })
    }

    /// Whether the trigger fired on this event, or skipped it.
    pub(crate) fn is_handled(&self, name: &str, at: Hlc) -> bool {
        let stamp = at.to_string();
        self.records.iter().any(|record| match &record.event {
            Event::TriggerFired {
                trigger, occurrence, ..
            }
            | Event::TriggerSkipped {
                trigger, occurrence, ..
            } => trigger == name && *occurrence == stamp,
            _ => false,
        })
    }

    fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Record> {
        self.records
            .iter()
            .filter(move |record| record.event.topic() == kind)
    }

    /// Whether `earlier` is how this began.
    pub(crate) fn begins_with(&self, earlier: &Self) -> bool {
        self.records.starts_with(&earlier.records)
    }

    /// The Worknodes of one kind, by name.
    pub(crate) fn named(&self, kind: Kind) -> BTreeMap<&str, NodeId> {
        let made = self.records.iter().filter_map(|record| match &record.event {
            Event::NodeCreated { node } if node.kind == kind => Some((node.name.as_str(), record.node)),
            _ => None,
        });
        made.collect()
    }

    /// The tasks, and what each is to be.
    pub(crate) fn tasks(&self) -> BTreeMap<NodeId, &TaskSpec> {
        let made = self.records.iter().filter_map(|record| match &record.event {
            Event::NodeCreated { node } => match &node.detail {
                Detail::Task(spec) => Some((record.node, &**spec)),
                Detail::Plain | Detail::Agent(_) => None,
            },
            _ => None,
        });
        made.collect()
    }

    /// The tasks of triggers that have failed and were not retried since.
    pub(crate) fn failed_firings(&self) -> Vec<&str> {
        let tasks = self.tasks().into_iter();
        let of_triggers = tasks.filter(|(_, spec)| spec.key.starts_with("go-"));
        let failed = of_triggers.filter(|(id, _)| {
            let mut ends = self.records.iter().rev().filter_map(|record| match record.event {
                Event::TaskFailed { .. } if record.node == *id => Some(true),
                Event::TaskRetried if record.node == *id => Some(false),
                _ => None,
            });
            ends.next().unwrap_or(false)
        });
        failed.map(|(_, spec)| spec.key.as_str()).collect()
    }

    /// The tasks that are not completed.
    pub(crate) fn open_tasks(&self) -> Vec<&str> {
        let done: BTreeSet<NodeId> = self.of("task_completed").map(|record| record.node).collect();
        let tasks = self.tasks().into_iter();
        tasks
            .filter(|(id, _)| !done.contains(id))
            .map(|(_, spec)| spec.key.as_str())
            .collect()
    }

    /// Every run, in the order in which they were queued.
    pub(crate) fn runs(&self) -> Vec<Lived<'_>> {
        let mut runs: Vec<Lived<'_>> = Vec::new();
        for (place, record) in self.records.iter().enumerate() {
            if let Event::RunQueued { run } = &record.event {
                runs.push(Lived {
                    spec: run,
                    agent: record.node,
                    started: Vec::new(),
                    exited: Vec::new(),
                });
            }
            let of = record.event.run();
            let Some(lived) = runs.iter_mut().rev().find(|run| Some(run.spec.id) == of) else {
                continue;
            };
            match &record.event {
                Event::RunStarted { .. } => lived.started.push(place),
                Event::RunExited { receipt, .. } => lived.exited.push((place, receipt)),
                _ => {}
            }
        }
        runs
    }

    /// The present run of an agent, when it is running or frozen.
    pub(crate) fn at_work(&self, agent: &str) -> Option<RunId> {
        let agent = *self.named(Kind::Agent).get(agent)?;
        let runs = self.runs();
        let last = runs.iter().rfind(|run| run.agent == agent)?;
        (!last.started.is_empty() && last.exited.is_empty()).then_some(last.spec.id)
    }
}

/// A run as the journal tells it: where in the order of events each step of it stands.
#[derive(Debug)]
pub(crate) struct Lived<'a> {
    pub(crate) spec: &'a RunSpec,
    pub(crate) agent: NodeId,
    pub(crate) started: Vec<usize>,
    pub(crate) exited: Vec<(usize, &'a Receipt)>,
}

impl Lived<'_> {
    pub(crate) fn receipt(&self) -> Option<&Receipt> {
        self.exited.first().map(|(_, receipt)| *receipt)
    }
}
