//! What the writer knows of one Worknode, and how it looks up what it does not.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};
use worknode_core::{
    hlc::Hlc,
    ids::{NodeId, RunId},
    node::Node,
};

use crate::{
    error::StoreError,
    rows::{self, Firing, StoredRun, node_key, run_key},
};

/// A Worknode while the writer works on it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Its row.
    pub(crate) num: i64,
    /// As of its last change of state.
    pub(crate) node: Arc<Node>,
    /// Its last event; not always one that changed its state.
    pub(crate) updated: Hlc,
    /// Levels below the root.
    pub(crate) depth: usize,
    /// How many children it has.
    pub(crate) children: usize,
    /// What of it is not stored yet.
    pub(crate) unsaved: Unsaved,
    /// Bytes of its stored state.
    pub(crate) weight: usize,
}

/// How much of an [`Entry`] has to be written. What need not be written is not: a long prompt
/// is not copied for an event that only moves `updated`, and an index is not touched for a
/// status that stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unsaved {
    /// `updated` and `children` at most.
    Marks,
    /// The state too.
    State,
    /// The status too.
    Status,
    /// It has no row.
    All,
}

/// The Worknode `id` as it is stored.
pub(crate) fn load(conn: &Connection, id: NodeId, origin: u32) -> Result<Option<Entry>, StoreError> {
    let mut select = conn.prepare_cached(&format!(
        "SELECT {}, num, depth, children FROM {} WHERE id = ?1",
        rows::NODE,
        rows::NODES
    ))?;
    let mut found = select.query([node_key(id)])?;
    let Some(row) = found.next()? else {
        return Ok(None);
    };
    let (node, weight) = rows::node(row, origin)?;
    Ok(Some(Entry {
        num: row.get(7)?,
        updated: node.updated,
        node: Arc::new(node),
        depth: row.get(8)?,
        children: row.get(9)?,
        unsaved: Unsaved::Marks,
        weight,
    }))
}

/// The run `id` as it is stored.
pub(crate) fn run(conn: &Connection, id: RunId, origin: u32) -> Result<Option<StoredRun>, StoreError> {
    let mut select = conn.prepare_cached(&format!("SELECT {} FROM runs WHERE id = ?1", rows::RUN))?;
    let mut found = select.query([run_key(id)])?;
    found.next()?.map(|row| rows::run(row, origin)).transpose()
}

/// A firing as it is stored.
pub(crate) fn firing(
    conn: &Connection,
    trigger: &str,
    occurrence: &str,
    origin: u32,
) -> Result<Option<Firing>, StoreError> {
    let mut select = conn.prepare_cached(&format!(
        "SELECT {} FROM firings WHERE trigger_name = ?1 AND occurrence = ?2",
        rows::FIRING
    ))?;
    select
        .query_row([trigger, occurrence], |row| Ok(rows::firing(row, origin)))
        .optional()?
        .transpose()
}
