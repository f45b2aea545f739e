//! What the writer knows of one Worknode, and how it looks up what it does not.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};
use worknode_core::{
    event::Event,
    firing::Firing,
    hlc::Hlc,
    ids::{NodeId, RunId},
    node::Node,
    trigger::TriggerState,
};

use crate::{
    error::StoreError,
    rows::{self, StoredRun, node_key, run_key},
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

/// What of an [`Entry`] has to be written, beside its marks. What need not be written is not: a
/// long prompt is not copied for an event that only moves `updated`, and an index is not touched
/// for a status that stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unsaved {
    /// It has no row yet.
    pub(crate) row: bool,
    /// Its parent and its name.
    pub(crate) place: bool,
    /// Its state.
    pub(crate) state: bool,
    /// What it is asked to do.
    pub(crate) spec: bool,
    /// Its status, and what changes with it.
    pub(crate) status: bool,
    /// What it carries.
    pub(crate) body: bool,
}

impl Unsaved {
    /// All of it: the Worknode is new.
    pub(crate) const ROW: Self = Self {
        row: true,
        place: false,
        state: false,
        spec: false,
        status: false,
        body: false,
    };

    /// Also what `event` changes of a Worknode that had `before` as its status.
    pub(crate) fn after(mut self, event: &Event, before: &str, node: &Node) -> Self {
        match event {
            Event::NodeMoved { .. } | Event::NodeRenamed { .. } => self.place = true,
            // What a task depends on and is found by stands beside what it carries.
            Event::NodeUpdated { .. } => (self.state, self.spec, self.body) = (true, true, true),
            event if event.changes_body() => self.body = true,
            _ => self.state = true,
        }
        self.status |= node.status() != before;
        self
    }
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
        num: row.get(rows::NODE_COLUMNS)?,
        updated: node.updated,
        node: Arc::new(node),
        depth: row.get(rows::NODE_COLUMNS + 1)?,
        children: row.get(rows::NODE_COLUMNS + 2)?,
        unsaved: Unsaved::default(),
        weight,
    }))
}

/// The run `id` as it is stored.
pub(crate) fn run(conn: &Connection, id: RunId, origin: u32) -> Result<Option<StoredRun>, StoreError> {
    let mut select = conn.prepare_cached(&format!("SELECT {} FROM runs WHERE id = ?1", rows::RUN))?;
    let mut found = select.query([run_key(id)])?;
    found.next()?.map(|row| rows::run(row, origin)).transpose()
}

/// A trigger while the writer works on it.
#[derive(Clone, Debug)]
pub(crate) struct Trigger {
    /// Its row. Rows are numbered as triggers come, so that those of one configuration, which often
    /// fire together, share pages.
    pub(crate) num: i64,
    /// It has no row yet.
    pub(crate) new: bool,
    /// Bytes of its stored state.
    pub(crate) weight: usize,
    pub(crate) state: Arc<TriggerState>,
}

/// What is stored of a trigger.
pub(crate) fn trigger(conn: &Connection, name: &str) -> Result<Option<Trigger>, StoreError> {
    let mut select = conn.prepare_cached(&format!(
        "SELECT {}, num, length(state) FROM triggers WHERE name = ?1",
        rows::TRIGGER
    ))?;
    let mut found = select.query([name])?;
    let Some(row) = found.next()? else {
        return Ok(None);
    };
    let (_, state) = rows::trigger(row)?;
    Ok(Some(Trigger {
        num: row.get(rows::TRIGGER_COLUMNS)?,
        new: false,
        weight: row.get(rows::TRIGGER_COLUMNS + 1)?,
        state: Arc::new(state),
    }))
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
