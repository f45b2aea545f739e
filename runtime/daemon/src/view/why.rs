//! Why a run, an agent, a task or a trigger is what it is: the causes of its last event.

use std::{cell::Cell, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use worknode_core::{
    causality::{self, History, Why},
    error::{Code, Error},
    event::{Event, Record},
    hlc::Hlc,
    ids::NodeId,
    node::{Kind, Node},
    run::Purpose,
};
use worknode_journal::{Back, EventFilter, Firing, ReadError, Reader, StoredRun};

use super::{find_among, find_run};

/// The causes of one thing.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct WhyView {
    /// What was asked about: a stamp, or a name.
    pub of: String,
    /// The chain, from what was asked about back to the first cause.
    #[serde(flatten)]
    pub why: Why,
    /// The names of the Worknodes in it.
    pub names: BTreeMap<NodeId, String>,
    /// Something has more events than are looked at for one answer: there may be other causes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// What can be asked about by name, beside triggers.
const NAMED: [Kind; 2] = [Kind::Agent, Kind::Task];
/// What changes a task. The rest is only said of it.
const OF_TASKS: [&str; 17] = [
    "node_created",
    "task_ready",
    "task_claimed",
    "task_started",
    "task_submitted",
    "task_released",
    "task_blocked",
    "verdict_recorded",
    "review_requested",
    "task_approved",
    "task_rejected",
    "landing_started",
    "landing_abandoned",
    "task_completed",
    "task_failed",
    "task_cancelled",
    "task_retried",
];
/// What changes an agent.
const OF_AGENTS: [&str; 13] = [
    "node_created",
    "run_queued",
    "run_started",
    "run_frozen",
    "run_thawed",
    "run_stopping",
    "run_exited",
    "agent_stop_requested",
    "agent_restarting",
    "agent_ready",
    "agent_quarantined",
    "agent_stopped",
    "agent_resumed",
];
/// What changes a run.
const OF_RUNS: [&str; 6] = [
    "run_queued",
    "run_started",
    "run_frozen",
    "run_thawed",
    "run_stopping",
    "run_exited",
];
/// Events of an agent that are looked through for the last of one run.
const RECENT: usize = 1_000;
/// Events that are looked at for one answer: what changes a thing stands among much that is only said
/// of it.
const PATIENCE: usize = 50_000;

/// The causes of what `of` names: an event by its stamp, a firing as `trigger@occurrence`, an
/// agent, a task, a run, or a trigger; the last four by what last happened to them.
///
/// # Errors
/// `not_found`; `usage` when a beginning fits several; when the store cannot be read.
pub fn why(reader: &Reader, of: &str) -> Result<WhyView, Error> {
    let past = Past::new(reader);
    let asked = past.asked_about(of)?.ok_or_else(|| {
        Error::new(
            Code::NotFound,
            format!("there is no event, run, agent, task or trigger `{of}` to which something happened"),
        )
        .hint("`worknode events` shows stamps, `worknode ps` and `worknode task list` names")
    })?;
    let why = causality::why(&past, asked)?;
    let mut names = BTreeMap::new();
    for link in &why.links {
        for id in mentioned(&link.record) {
            if let Some(node) = reader.node(id)? {
                names.insert(id, node.name);
            }
        }
    }
    Ok(WhyView {
        of: of.to_owned(),
        why,
        names,
        cut: past.cut.get(),
    })
}

/// What happened, as far back as one answer looks.
struct Past<'a> {
    reader: &'a Reader,
    /// Events that may still be looked at.
    patience: Cell<usize>,
    /// There is more than was looked at.
    cut: Cell<bool>,
}

impl<'a> Past<'a> {
    const fn new(reader: &'a Reader) -> Self {
        Self {
            reader,
            patience: Cell::new(PATIENCE),
            cut: Cell::new(false),
        }
    }

    fn asked_about(&self, of: &str) -> Result<Option<Record>, Error> {
        let reader = self.reader;
        if let Ok(at) = of.parse::<Hlc>() {
            return Ok(reader.event(at)?);
        }
        if let Some((trigger, occurrence)) = of.split_once('@') {
            let firing = reader.firing(trigger, occurrence)?;
            return Ok(event_at(reader, firing.map(|firing| firing.recorded))?);
        }
        // Before what only begins so: the tasks of a trigger do.
        if let Some(firing) = last_firing(reader, of)? {
            return Ok(reader.event(firing.recorded)?);
        }
        match find_among(reader, &NAMED, of) {
            Ok(node) => Ok(self.last_of(&node)?),
            Err(error) if error.code == Code::NotFound => match find_run(reader, of)? {
                Some(stored) => Ok(self.last_of_run(&stored)?),
                None => Ok(None),
            },
            Err(error) => Err(error),
        }
    }

    /// What changed it last; of one of which too much was only said since, the last that was said.
    fn last_of(&self, node: &Node) -> Result<Option<Record>, ReadError> {
        let types: &[&str] = if node.kind == Kind::Task {
            &OF_TASKS
        } else {
            &OF_AGENTS
        };
        let found = self.newest(node.id, None, types, 1)?.pop();
        if found.is_none() && self.cut.get() {
            return self.reader.event(node.updated);
        }
        Ok(found)
    }

    fn last_of_run(&self, stored: &StoredRun) -> Result<Option<Record>, ReadError> {
        let until = Some(stored.updated);
        let records = self.newest(stored.agent, until, &OF_RUNS, RECENT)?;
        let of_it = |record: &Record| record.event.run() == Some(stored.run.spec.id);
        Ok(records.into_iter().find(of_it))
    }

    fn newest(
        &self,
        node: NodeId,
        until: Option<Hlc>,
        types: &[&str],
        most: usize,
    ) -> Result<Vec<Record>, ReadError> {
        let mut patience = self.patience.get();
        let wanted = Back {
            node,
            types,
            until,
            most,
        };
        let found = self.reader.newest_of(&wanted, &mut patience)?;
        self.patience.set(patience);
        // That there is more than was asked for is no loss.
        self.cut.set(self.cut.get() || (found.more && patience == 0));
        Ok(found.records)
    }
}

/// Of the trigger that has this name, when no Worknode has it.
fn last_firing(reader: &Reader, name: &str) -> Result<Option<Firing>, ReadError> {
    for kind in NAMED {
        if !reader.named(&kind, name, 1)?.is_empty() {
            return Ok(None);
        }
    }
    Ok(reader.firings_of(name, 1)?.pop())
}

fn event_at(reader: &Reader, at: Option<Hlc>) -> Result<Option<Record>, ReadError> {
    at.map_or(Ok(None), |at| reader.event(at))
}

/// The Worknodes that an event is about.
fn mentioned(record: &Record) -> Vec<NodeId> {
    let other = match &record.event {
        Event::TaskClaimed { claim } => Some(claim.agent),
        Event::RunQueued { run } => match run.purpose {
            Purpose::Work { task, .. } | Purpose::Review { task } => Some(task),
            Purpose::Standing | Purpose::Fired { .. } | Purpose::Spawned { .. } => None,
        },
        _ => None,
    };
    std::iter::once(record.node).chain(other).collect()
}

impl History for Past<'_> {
    type Error = ReadError;

    fn event(&self, at: Hlc) -> Result<Option<Record>, ReadError> {
        self.reader.event(at)
    }

    fn previous(&self, at: Hlc) -> Result<Option<Record>, ReadError> {
        // The range ends with the stamp itself.
        let records = self.reader.events(&EventFilter {
            until: Some(at),
            newest_first: true,
            limit: 2,
            ..EventFilter::default()
        })?;
        Ok(records.into_iter().find(|record| record.at < at))
    }

    fn of_node(
        &self,
        node: NodeId,
        before: Hlc,
        types: &[&'static str],
        limit: usize,
    ) -> Result<Vec<Record>, ReadError> {
        let mut records = self.newest(node, Some(before), types, limit.saturating_add(1))?;
        records.retain(|record| record.at < before);
        records.truncate(limit);
        Ok(records)
    }
}
