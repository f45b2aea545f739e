//! Rows of the projections and what they mean.

use std::sync::Arc;

use rusqlite::Row;
use uuid::Uuid;
use worknode_core::{
    body::Body,
    firing::Firing,
    hlc::Hlc,
    ids::{NodeId, RunId},
    kind::NotAKind,
    node::{Kind, Node, NodeState, Times},
    run::Run,
    task::Task,
    time::Timestamp,
    trigger::TriggerState,
};

use crate::{error::StoreError, stamp};

/// A run as the journal knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRun {
    /// The run.
    pub run: Run,
    /// Whose it is.
    pub agent: NodeId,
    /// The event that queued it.
    pub begun: Hlc,
    /// The event that made it what it is now.
    pub updated: Hlc,
}

/// How many Worknodes of one kind are in one status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The kind.
    pub kind: Kind,
    /// The status, as [`Node::status`] names it.
    pub status: String,
    /// How many.
    pub nodes: u64,
}

/// An id as it is stored.
pub(crate) fn node_key(id: NodeId) -> [u8; 16] {
    *id.as_uuid().as_bytes()
}

/// An id as it is stored.
pub(crate) fn run_key(id: RunId) -> [u8; 16] {
    *id.as_uuid().as_bytes()
}

pub(crate) fn node_id(bytes: [u8; 16]) -> NodeId {
    Uuid::from_bytes(bytes).into()
}

/// What stands beside the table of Worknodes, for [`node`].
macro_rules! beside {
    () => {
        "JOIN marks USING (num) LEFT JOIN specs USING (num)"
    };
}
/// Where [`node`] reads.
pub(crate) const NODES: &str = concat!("nodes ", beside!());
/// The same by way of the index of what is over, which SQLite would not choose by itself.
pub(crate) const NODES_BY_FINISH: &str = concat!("nodes INDEXED BY nodes_by_finish ", beside!());
/// The columns that [`node`] reads, in its order.
pub(crate) const NODE: &str =
    "id, parent, kind, name, created, updated, state, body, ready, claimed, finished, spec";
/// How many those are.
pub(crate) const NODE_COLUMNS: usize = 12;

/// A Worknode, and how many bytes its state takes.
pub(crate) fn node(row: &Row<'_>, origin: u32) -> Result<(Node, usize), StoreError> {
    let id = node_id(row.get(0)?);
    let state: &str = text(row, 6)?;
    let body: Option<&str> = optional_text(row, 7)?;
    let spec: Option<&str> = optional_text(row, 11)?;
    let moment = |column| -> Result<Option<Hlc>, StoreError> {
        let key: Option<i64> = row.get(column)?;
        Ok(key.map(|key| stamp::stamp(key, origin)))
    };
    let unreadable = |what, error: &serde_json::Error| {
        StoreError::corrupt(format!("the {what} of Worknode {id} cannot be read: {error}"))
    };
    let node = Node {
        id,
        parent: row.get::<_, Option<[u8; 16]>>(1)?.map(node_id),
        kind: kind(text(row, 2)?)?,
        name: row.get(3)?,
        created: stamp::stamp(row.get(4)?, origin),
        updated: stamp::stamp(row.get(5)?, origin),
        times: Times {
            ready: moment(8)?,
            claimed: moment(9)?,
            finished: moment(10)?,
        },
        state: node_state(spec, state).map_err(|error| unreadable("state", &error))?,
        body: body.map_or_else(
            || Ok(Body::default()),
            |body| serde_json::from_str(body).map_err(|error| unreadable("body", &error)),
        )?,
    };
    let size = [spec, body].into_iter().flatten().map(str::len).sum::<usize>();
    Ok((node, state.len().saturating_add(size)))
}

/// The state of a Worknode; of a task, which has a `spec`, in two parts.
fn node_state(spec: Option<&str>, state: &str) -> serde_json::Result<NodeState> {
    let Some(spec) = spec else {
        return serde_json::from_str(state);
    };
    let task = Task::from_life(Arc::new(serde_json::from_str(spec)?), state)?;
    Ok(NodeState::Task(Box::new(task)))
}

/// The columns that [`run`] reads, in its order.
pub(crate) const RUN: &str = "agent, begun, updated, state";

pub(crate) fn run(row: &Row<'_>, origin: u32) -> Result<StoredRun, StoreError> {
    let begun = stamp::stamp(row.get(1)?, origin);
    Ok(StoredRun {
        agent: node_id(row.get(0)?),
        begun,
        updated: stamp::stamp(row.get(2)?, origin),
        run: serde_json::from_str(text(row, 3)?).map_err(|error| {
            StoreError::corrupt(format!(
                "the run that was queued at {begun} cannot be read: {error}"
            ))
        })?,
    })
}

/// The columns that [`firing`] reads, in its order.
pub(crate) const FIRING: &str = "trigger_name, occurrence, node, recorded, due, outcome, course";

pub(crate) fn firing(row: &Row<'_>, origin: u32) -> Result<Firing, StoreError> {
    Ok(Firing {
        trigger: row.get(0)?,
        occurrence: row.get(1)?,
        node: node_id(row.get(2)?),
        recorded: stamp::stamp(row.get(3)?, origin),
        due: Timestamp::from_millis(row.get(4)?),
        outcome: row.get(5)?,
        course: serde_json::from_str(text(row, 6)?).map_err(|error| {
            StoreError::corrupt(format!("the course of a firing cannot be read: {error}"))
        })?,
    })
}

/// The columns that [`trigger`] reads, in its order.
pub(crate) const TRIGGER: &str = "name, state";
/// How many these are.
pub(crate) const TRIGGER_COLUMNS: usize = 2;

pub(crate) fn trigger(row: &Row<'_>) -> Result<(String, TriggerState), StoreError> {
    let name: String = row.get(0)?;
    let state = serde_json::from_str(text(row, 1)?).map_err(|error| {
        StoreError::corrupt(format!("the state of trigger `{name}` cannot be read: {error}"))
    })?;
    Ok((name, state))
}

pub(crate) fn kind(name: &str) -> Result<Kind, StoreError> {
    name.parse()
        .map_err(|error: NotAKind| StoreError::corrupt(error.to_string()))
}

fn optional_text<'row>(row: &'row Row<'_>, column: usize) -> Result<Option<&'row str>, StoreError> {
    row.get_ref(column)?
        .as_str_or_null()
        .map_err(|error| StoreError::corrupt(format!("a column that should be text is not: {error}")))
}

pub(crate) fn text<'row>(row: &'row Row<'_>, column: usize) -> Result<&'row str, StoreError> {
    row.get_ref(column)?
        .as_str()
        .map_err(|error| StoreError::corrupt(format!("a column that should be text is not: {error}")))
}
