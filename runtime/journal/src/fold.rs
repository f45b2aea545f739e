//! What an event does to the projections. The only place where that is decided: the writer
//! applies each event here before it is stored, and a verification applies the stored ones to
//! an empty database and compares.
//!
//! An event is stored only if this module and the state machines of `worknode-core` accept it.
//! So a journal cannot hold an illegal history.

mod place;

use std::sync::Arc;

use rusqlite::Connection;
use worknode_core::{
    bounds,
    event::{Event, Record},
    firing::{self, Firing, FiringError},
    hlc::Hlc,
    ids::{NodeId, RunId},
    node::{Detail, Kind, Node, NodeSpec},
    run::Run,
    trigger::{self, TriggerState},
};

use crate::{
    cache::Cache,
    entry::{self, Entry, Trigger, Unsaved},
    error::{AppendError, StoreError},
    limits,
    pending::Pending,
    rows::{StoredRun, node_key},
};

type Name = (Kind, String, Option<NodeId>);
type FiringKey = (String, String);

/// The projections, and what a group of requests changes in them.
#[derive(Debug)]
pub(crate) struct Fold {
    pub(crate) origin: u32,
    cache: Cache<NodeId, Entry>,
    pub(crate) nodes: Pending<NodeId, Entry>,
    /// Names that the group gives away (`true`) or sets free.
    names: Pending<Name, bool>,
    pub(crate) runs: Pending<RunId, StoredRun>,
    pub(crate) firings: Pending<FiringKey, Firing>,
    known_triggers: Cache<String, Trigger>,
    pub(crate) triggers: Pending<String, Trigger>,
    last_node: LastRow,
    last_trigger: LastRow,
}

/// The last row number of a table.
#[derive(Clone, Copy, Debug, Default)]
struct LastRow {
    group: i64,
    /// In the request on top of it.
    request: i64,
}

impl LastRow {
    fn of(conn: &Connection, table: &str) -> Result<Self, StoreError> {
        let last = format!("SELECT coalesce(max(num), 0) FROM {table}");
        let group = conn.query_row(&last, [], |row| row.get(0))?;
        Ok(Self {
            group,
            request: group,
        })
    }

    /// The number of a new row.
    const fn next(&mut self) -> i64 {
        self.request = self.request.saturating_add(1);
        self.request
    }

    const fn keep_request(&mut self) {
        self.group = self.request;
    }

    const fn drop_request(&mut self) {
        self.request = self.group;
    }
}

impl Fold {
    /// Of the projections behind `conn`.
    pub(crate) fn load(conn: &Connection, origin: u32) -> Result<Self, StoreError> {
        let mut fold = Self {
            origin,
            cache: Cache::new(limits::CACHE_BYTES),
            nodes: Pending::default(),
            names: Pending::default(),
            runs: Pending::default(),
            firings: Pending::default(),
            known_triggers: Cache::new(limits::TRIGGER_CACHE_BYTES),
            triggers: Pending::default(),
            last_node: LastRow::default(),
            last_trigger: LastRow::default(),
        };
        fold.forget(conn)?;
        Ok(fold)
    }

    /// Forgets all that is not in the database.
    pub(crate) fn forget(&mut self, conn: &Connection) -> Result<(), StoreError> {
        self.cache.clear();
        self.nodes.clear();
        self.names.clear();
        self.runs.clear();
        self.firings.clear();
        self.known_triggers.clear();
        self.triggers.clear();
        self.last_node = LastRow::of(conn, "nodes")?;
        self.last_trigger = LastRow::of(conn, "triggers")?;
        Ok(())
    }

    /// The request is accepted.
    pub(crate) fn keep_request(&mut self) {
        self.nodes.keep_request();
        self.names.keep_request();
        self.runs.keep_request();
        self.firings.keep_request();
        self.triggers.keep_request();
        self.last_node.keep_request();
        self.last_trigger.keep_request();
    }

    /// The request is refused: as if it had never been looked at.
    pub(crate) fn drop_request(&mut self) {
        self.nodes.drop_request();
        self.names.drop_request();
        self.runs.drop_request();
        self.firings.drop_request();
        self.triggers.drop_request();
        self.last_node.drop_request();
        self.last_trigger.drop_request();
    }

    /// The group is in the database: what it changed is what the cache should know.
    pub(crate) fn committed(&mut self) {
        for (id, entry) in self.nodes.take() {
            let entry = Entry {
                unsaved: Unsaved::default(),
                ..entry
            };
            let weight = entry.weight.saturating_add(size_of::<Entry>());
            self.cache.put(id, entry, weight);
        }
        self.names.clear();
        self.runs.clear();
        self.firings.clear();
        for (name, trigger) in self.triggers.take() {
            let trigger = Trigger {
                new: false,
                ..trigger
            };
            let weight = size_of::<(Trigger, TriggerState)>().saturating_add(trigger.weight);
            self.known_triggers.put(name, trigger, weight);
        }
    }

    /// Applies one event, and says which was the last one before it of the same Worknode
    /// ([`Hlc::ZERO`] when there was none). When it is refused, the request must be dropped.
    pub(crate) fn apply(&mut self, conn: &Connection, record: &Record) -> Result<Hlc, AppendError> {
        if let Event::NodeCreated { node } = &record.event {
            self.create(conn, record, node)?;
            return Ok(Hlc::ZERO);
        }
        match &record.event {
            Event::NodeMoved { parent } => self.hang_below(conn, record.node, *parent)?,
            Event::NodeRenamed { name } => self.rename(conn, record.node, name)?,
            Event::Linked { link } => self.check_link(conn, record.node, *link)?,
            Event::Assigned { to } => _ = self.existing(conn, *to)?,
            _ => {}
        }
        let mut entry = self.existing(conn, record.node)?;
        if record.event.changes_node() {
            let next = entry.node.apply(record)?;
            self.count_again(conn, &entry.node, &next)?;
            entry.unsaved = entry.unsaved.after(&record.event, entry.node.status(), &next);
            entry.node = Arc::new(next);
        }
        let before = std::mem::replace(&mut entry.updated, record.at);
        self.nodes.put(record.node, entry);
        if let Some(run) = record.event.run() {
            self.apply_to_run(conn, run, record)?;
        }
        self.apply_to_firing(conn, record)?;
        self.apply_to_triggers(conn, record)?;
        Ok(before)
    }

    fn create(&mut self, conn: &Connection, record: &Record, spec: &NodeSpec) -> Result<(), AppendError> {
        let Some(node) = Node::created_by(record) else {
            return Err(malformed("it creates nothing"));
        };
        check_shape(record.node, spec)?;
        if self.entry(conn, node.id)?.is_some() {
            return Err(exists(format!("Worknode {}", node.id)));
        }
        let depth = match spec.parent {
            Some(parent) => self.adopt(conn, parent, spec)?,
            None => 0,
        };
        // Nobody links to what is not there yet, so no circle can begin here.
        let named = spec.body.links.iter().map(|link| link.to);
        for other in named.chain(spec.body.assignees.iter().copied()) {
            self.existing(conn, other)?;
        }
        self.claim_name(conn, (spec.kind.clone(), spec.name.clone(), spec.parent))?;
        let entry = Entry {
            num: self.last_node.next(),
            updated: node.updated,
            node: Arc::new(node),
            depth,
            children: 0,
            unsaved: Unsaved::ROW,
            weight: 0,
        };
        self.nodes.put(record.node, entry);
        Ok(())
    }

    /// Counts a new child of `parent`, and says how deep it is.
    fn adopt(&mut self, conn: &Connection, parent: NodeId, spec: &NodeSpec) -> Result<usize, AppendError> {
        let depth = self.count_child(conn, parent)?;
        if depth > bounds::DEPTH {
            return Err(too_deep(&spec.kind, &spec.name, depth));
        }
        Ok(depth)
    }

    /// Counts a new child of `parent`, and says how deep such a child is.
    fn count_child(&mut self, conn: &Connection, parent: NodeId) -> Result<usize, AppendError> {
        let mut entry = self.existing(conn, parent)?;
        let depth = entry.depth.saturating_add(1);
        if entry.children >= bounds::CHILDREN {
            return Err(AppendError::LimitReached {
                what: format!("`{}` has {} children", entry.node.name, entry.children),
                limit: bounds::CHILDREN,
            });
        }
        entry.children = entry.children.saturating_add(1);
        self.nodes.put(parent, entry);
        Ok(depth)
    }

    /// After `before` became `next` where it is: what takes no place any more gives it free, and what
    /// takes one again needs it.
    fn count_again(&mut self, conn: &Connection, before: &Node, next: &Node) -> Result<(), AppendError> {
        let Some(parent) = next.parent.filter(|parent| before.parent == Some(*parent)) else {
            return Ok(());
        };
        match (takes_place(before), takes_place(next)) {
            (true, false) => self.uncount_child(conn, parent),
            (false, true) => self.count_child(conn, parent).map(|_| ()),
            (true, true) | (false, false) => Ok(()),
        }
    }

    fn claim_name(&mut self, conn: &Connection, name: Name) -> Result<(), AppendError> {
        let (kind, text, parent) = &name;
        let taken = match self.names.get(&name) {
            Some(taken) => *taken,
            None => conn
                .prepare_cached("SELECT 1 FROM nodes WHERE kind = ?1 AND name = ?2 AND parent IS ?3")
                .and_then(|mut known| known.exists((kind.name(), text, parent.map(node_key))))
                .map_err(StoreError::from)?,
        };
        if taken {
            return Err(exists(format!("{} `{text}`", kind.name())));
        }
        self.names.put(name, true);
        Ok(())
    }

    fn apply_to_run(&mut self, conn: &Connection, id: RunId, record: &Record) -> Result<(), AppendError> {
        let known = match self.runs.get(&id) {
            Some(run) => Some(run.clone()),
            None => entry::run(conn, id, self.origin)?,
        };
        let next = match (known, Run::begun_by(&record.event)) {
            (Some(_), Some(_)) => return Err(exists(format!("run {id}"))),
            (None, None) => return Err(missing(format!("run {id}"))),
            (None, Some(run)) => StoredRun {
                run,
                agent: record.node,
                begun: record.at,
                updated: record.at,
            },
            (Some(known), None) => StoredRun {
                run: known.run.apply(&record.event, record.at.wall)?,
                updated: record.at,
                ..known
            },
        };
        self.runs.put(id, next);
        Ok(())
    }

    /// P6 is decided by [`firing::apply`].
    fn apply_to_firing(&mut self, conn: &Connection, record: &Record) -> Result<(), AppendError> {
        let Some((trigger, occurrence)) = firing::occurrence_of(&record.event) else {
            return Ok(());
        };
        let key = (trigger.to_owned(), occurrence.to_owned());
        let known = match self.firings.get(&key) {
            Some(firing) => Some(firing.clone()),
            None => entry::firing(conn, trigger, occurrence, self.origin)?,
        };
        let firing = firing::apply(known.as_ref(), record).map_err(refused)?;
        self.firings.put(key, firing);
        Ok(())
    }

    fn apply_to_triggers(&mut self, conn: &Connection, record: &Record) -> Result<(), AppendError> {
        for name in trigger::triggers_of(&record.event) {
            let known = self.trigger(conn, name)?;
            let state = known.as_ref().map(|known| &*known.state);
            let state = Arc::new(TriggerState::after(state, name, record));
            let next = match known {
                Some(known) => Trigger { state, ..known },
                None => Trigger {
                    num: self.last_trigger.next(),
                    new: true,
                    weight: 0,
                    state,
                },
            };
            self.triggers.put(name.clone(), next);
        }
        Ok(())
    }

    fn trigger(&mut self, conn: &Connection, name: &str) -> Result<Option<Trigger>, StoreError> {
        if let Some(trigger) = self.triggers.get(name) {
            return Ok(Some(trigger.clone()));
        }
        if let Some(trigger) = self.known_triggers.get(name) {
            return Ok(Some(trigger));
        }
        entry::trigger(conn, name)
    }

    pub(super) fn existing(&mut self, conn: &Connection, id: NodeId) -> Result<Entry, AppendError> {
        self.entry(conn, id)?
            .ok_or_else(|| missing(format!("Worknode {id}")))
    }

    fn entry(&mut self, conn: &Connection, id: NodeId) -> Result<Option<Entry>, StoreError> {
        if let Some(entry) = self.nodes.get(&id) {
            return Ok(Some(entry.clone()));
        }
        if let Some(entry) = self.cache.get(&id) {
            return Ok(Some(entry));
        }
        entry::load(conn, id, self.origin)
    }
}

/// Does it count among the children of its parent? What was remembered under a key stays when it is
/// forgotten, for its version; it leaves room for another key.
fn takes_place(node: &Node) -> bool {
    node.kind != Kind::Memory || !node.body.is_archived()
}

/// What must hold of any Worknode that is created, wherever it hangs.
fn check_shape(id: NodeId, spec: &NodeSpec) -> Result<(), AppendError> {
    if (id == NodeId::ROOT) != spec.parent.is_none() {
        return Err(malformed("the root, and only the root, has no parent"));
    }
    match (&spec.kind, &spec.detail) {
        (Kind::Task, Detail::Task(_)) | (Kind::Agent, Detail::Agent(_)) => Ok(()),
        (Kind::Task | Kind::Agent, _) | (_, Detail::Task(_) | Detail::Agent(_)) => {
            Err(malformed("its kind and its detail do not belong together"))
        }
        (_, Detail::Plain) => Ok(()),
    }
}

fn refused(error: FiringError) -> AppendError {
    match error {
        FiringError::Again { occurrence } => exists(format!("firing `{occurrence}`")),
        FiringError::Settled { occurrence } => exists(format!("an outcome of firing `{occurrence}`")),
        FiringError::Unknown { occurrence } => missing(format!("firing `{occurrence}`")),
        FiringError::Other { .. } => malformed("it is about no firing"),
    }
}

fn missing(what: String) -> AppendError {
    AppendError::NotFound { what }
}

fn too_deep(kind: &Kind, name: &str, depth: usize) -> AppendError {
    AppendError::LimitReached {
        what: format!("{} `{name}` would be {depth} levels below the root", kind.name()),
        limit: bounds::DEPTH,
    }
}

fn exists(what: String) -> AppendError {
    AppendError::AlreadyExists { what }
}

fn malformed(why: &str) -> AppendError {
    AppendError::Malformed { why: why.to_owned() }
}
