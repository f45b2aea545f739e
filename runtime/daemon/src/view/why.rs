//! Why a run, an agent, a task or a trigger is what it is: the causes of its last event.

use std::collections::BTreeMap;

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
use worknode_journal::{EventFilter, Firing, ReadError, Reader, StoredRun};

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

/// The causes of what `of` names: an event by its stamp, a firing as `trigger@occurrence`, an
/// agent, a task, a run, or a trigger; the last four by what last happened to them.
///
/// # Errors
/// `not_found`; `usage` when a beginning fits several; when the store cannot be read.
pub fn why(reader: &Reader, of: &str) -> Result<WhyView, Error> {
    let asked = asked_about(reader, of)?.ok_or_else(|| {
        Error::new(
            Code::NotFound,
            format!("there is no event, run, agent, task or trigger `{of}` to which something happened"),
        )
        .hint("`worknode events` shows stamps, `worknode ps` and `worknode task list` names")
    })?;
    let why = causality::why(&Stored(reader), asked)?;
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
    })
}

fn asked_about(reader: &Reader, of: &str) -> Result<Option<Record>, Error> {
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
        Ok(node) => Ok(last_of(reader, &node)?),
        Err(error) if error.code == Code::NotFound => match find_run(reader, of)? {
            Some(stored) => Ok(last_of_run(reader, &stored)?),
            None => Ok(None),
        },
        Err(error) => Err(error),
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

fn last_of(reader: &Reader, node: &Node) -> Result<Option<Record>, ReadError> {
    let types: &[&str] = if node.kind == Kind::Task {
        &OF_TASKS
    } else {
        &OF_AGENTS
    };
    Ok(newest(reader, node.id, None, types, 1)?.pop())
}

fn last_of_run(reader: &Reader, stored: &StoredRun) -> Result<Option<Record>, ReadError> {
    let until = Some(stored.updated);
    let records = newest(reader, stored.agent, until, &OF_RUNS, RECENT)?;
    let of_it = |record: &Record| record.event.run() == Some(stored.run.spec.id);
    Ok(records.into_iter().find(of_it))
}

fn newest(
    reader: &Reader,
    node: NodeId,
    until: Option<Hlc>,
    types: &[&str],
    limit: usize,
) -> Result<Vec<Record>, ReadError> {
    reader.events(&EventFilter {
        node: Some(node),
        until,
        types: types.iter().map(|name| (*name).to_owned()).collect(),
        newest_first: true,
        limit,
        ..EventFilter::default()
    })
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

/// The store as a history.
struct Stored<'a>(&'a Reader);

impl History for Stored<'_> {
    type Error = ReadError;

    fn event(&self, at: Hlc) -> Result<Option<Record>, ReadError> {
        self.0.event(at)
    }

    fn previous(&self, at: Hlc) -> Result<Option<Record>, ReadError> {
        // The range ends with the stamp itself.
        let records = self.0.events(&EventFilter {
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
        let mut records = newest(self.0, node, Some(before), types, limit.saturating_add(1))?;
        records.retain(|record| record.at < before);
        records.truncate(limit);
        Ok(records)
    }
}
