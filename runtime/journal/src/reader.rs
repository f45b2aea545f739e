//! Questions about what is.
//!
//! Every answer is what one instant of the journal holds; two questions may see two instants.
//! Reads are never authoritative about ownership: only an append that is accepted is.

use std::{path::Path, sync::Arc};

use rusqlite::{Connection, Params, Row, params_from_iter, types::Value};
use worknode_core::{
    firing::Firing,
    hlc::Hlc,
    ids::{NodeId, RunId},
    node::{Kind, Node},
    trigger::TriggerState,
};

use crate::{
    error::{OpenError, ReadError, StoreError},
    limits,
    open::{self, Access},
    pool::Pool,
    rows::{self, Count, StoredRun, node_key, run_key},
    schema::{self, Identity},
    stamp::key,
};

/// Reads the journal through connections of its own; clones share them.
///
/// Calls block on the disk, for well under a millisecond where the answer is small.
/// [`ask`](Self::ask) is the way from async code.
#[derive(Clone, Debug)]
pub struct Reader {
    pool: Arc<Pool>,
    origin: u32,
}

/// Which Worknodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFilter {
    /// Those directly below this one.
    pub parent: Option<NodeId>,
    /// Those of this kind.
    pub kind: Option<Kind>,
    /// Those with this status, as [`Node::status`] names it.
    pub status: Option<String>,
    /// Those made after this one: the last of the page before.
    pub after: Option<NodeId>,
    /// At most so many; never more than [`limits::PAGE`].
    pub limit: usize,
}

impl Default for NodeFilter {
    fn default() -> Self {
        Self {
            parent: None,
            kind: None,
            status: None,
            after: None,
            limit: limits::PAGE,
        }
    }
}

impl Reader {
    pub(crate) fn beside(path: &Path, origin: u32) -> Self {
        Self {
            pool: Arc::new(Pool::new(path.to_owned(), Access::Beside)),
            origin,
        }
    }

    pub(crate) fn alone(path: &Path) -> Result<Self, OpenError> {
        let path = std::path::absolute(path).map_err(|error| OpenError::io(path, &error))?;
        let access = open::access(&path)?;
        let conn = open::reader(&path, &access).map_err(|reason| OpenError::store(&path, reason))?;
        match schema::identify(&conn, &path)? {
            Identity::Journal => {}
            Identity::Fresh => return Err(OpenError::NotFound { path }),
            Identity::Older => return Err(OpenError::NeedsWriter { path }),
        }
        let origin = schema::origin(&conn).map_err(|reason| OpenError::store(&path, reason))?;
        Ok(Self {
            pool: Arc::new(Pool::new(path, access)),
            origin,
        })
    }

    pub(crate) const fn origin(&self) -> u32 {
        self.origin
    }

    /// Closes the connections that nobody uses; a later read opens one again.
    pub(crate) fn rest(&self) {
        self.pool.rest();
    }

    pub(crate) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        self.pool.with(read)
    }

    /// Does `read` on a thread that may block: `reader.ask(move |reader| reader.node(id)).await`.
    ///
    /// # Errors
    /// What `read` answers; [`ReadError::Closed`] when the async runtime is shutting down.
    pub async fn ask<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let reader = self.clone();
        tokio::task::spawn_blocking(move || read(&reader))
            .await
            .unwrap_or(Err(ReadError::Closed))
    }

    /// One Worknode.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn node(&self, id: NodeId) -> Result<Option<Node>, ReadError> {
        self.one(NODES, "id = ?1", [node_key(id)])
    }

    /// The child of `parent` that has this name: at most one per kind.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn child(&self, parent: NodeId, kind: &Kind, name: &str) -> Result<Option<Node>, ReadError> {
        let matching = "kind = ?1 AND name = ?2 AND parent = ?3";
        self.one(NODES, matching, (kind.name(), name, node_key(parent)))
    }

    /// All Worknodes of a kind that have this name, wherever they hang; oldest first.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn named(&self, kind: &Kind, name: &str, limit: usize) -> Result<Vec<Node>, ReadError> {
        let matching = "kind = ?1 AND name = ?2 ORDER BY num LIMIT ?3";
        self.page(NODES, matching, (kind.name(), name, page(limit)))
    }

    /// All Worknodes that have this name, whatever their kind; oldest first.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn named_anything(&self, name: &str, limit: usize) -> Result<Vec<Node>, ReadError> {
        // Kind by kind, because names are indexed by kind; there are few kinds.
        const KINDS: &str = "WITH RECURSIVE kinds (kind) AS (SELECT min(kind) FROM nodes UNION ALL \
             SELECT (SELECT min(nodes.kind) FROM nodes WHERE nodes.kind > kinds.kind) \
             FROM kinds WHERE kinds.kind IS NOT NULL) SELECT kind FROM kinds WHERE kind IS NOT NULL";
        let matching = format!("kind IN ({KINDS}) AND name = ?1 ORDER BY num LIMIT ?2");
        self.page(NODES, &matching, (name, page(limit)))
    }

    /// The children of `parent`, oldest first, from the one after `after`.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn children(
        &self,
        parent: NodeId,
        after: Option<NodeId>,
        limit: usize,
    ) -> Result<Vec<Node>, ReadError> {
        self.nodes(&NodeFilter {
            parent: Some(parent),
            after,
            limit,
            ..NodeFilter::default()
        })
    }

    /// One page of Worknodes, oldest first. It may end before its limit (at
    /// [`limits::PAGE_BYTES`]); only an empty page is the end.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn nodes(&self, filter: &NodeFilter) -> Result<Vec<Node>, ReadError> {
        let mut matching = String::from("true");
        let mut values = Vec::new();
        let mut also = |condition: &str, value: Value| {
            matching.push_str(" AND ");
            matching.push_str(condition);
            values.push(value);
        };
        let blob = |id| Value::Blob(node_key(id).to_vec());
        if let Some(parent) = filter.parent {
            also("parent = ?", blob(parent));
        }
        if let Some(kind) = &filter.kind {
            also("kind = ?", Value::Text(kind.name().to_owned()));
        }
        if let Some(status) = &filter.status {
            also("status = ?", Value::Text(status.clone()));
        }
        if let Some(after) = filter.after {
            also("num > (SELECT num FROM nodes WHERE id = ?)", blob(after));
        }
        values.push(Value::Integer(page(filter.limit)));
        matching.push_str(" ORDER BY num LIMIT ?");
        self.page(NODES, &matching, params_from_iter(values))
    }

    /// How many Worknodes of each kind are in each status.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn counts(&self) -> Result<Vec<Count>, ReadError> {
        self.count_where("true", ())
    }

    /// How many Worknodes of one kind are in each status.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn counts_of(&self, kind: &Kind) -> Result<Vec<Count>, ReadError> {
        self.count_where("kind = ?1", [kind.name()])
    }

    fn count_where(&self, matching: &str, values: impl Params) -> Result<Vec<Count>, ReadError> {
        self.with(|conn| {
            let mut select = conn.prepare_cached(&format!(
                "SELECT kind, status, count(*) FROM nodes WHERE {matching} GROUP BY kind, status"
            ))?;
            let mut found = select.query(values)?;
            let mut counts = Vec::new();
            while let Some(row) = found.next()? {
                counts.push(Count {
                    kind: rows::kind(rows::text(row, 0)?)?,
                    status: row.get(1)?,
                    nodes: row.get(2)?,
                });
            }
            Ok(counts)
        })
    }

    /// How many Worknodes of one kind are in one of these states.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn count(&self, kind: &Kind, statuses: &[&str]) -> Result<usize, ReadError> {
        self.with(|conn| {
            let mut select =
                conn.prepare_cached("SELECT count(*) FROM nodes WHERE kind = ?1 AND status = ?2")?;
            let mut all = 0_usize;
            for status in statuses {
                let found: usize = select.query_row((kind.name(), status), |row| row.get(0))?;
                all = all.saturating_add(found);
            }
            Ok(all)
        })
    }

    /// The Worknodes of one kind that were over last, the newest first.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn last_finished(&self, kind: &Kind, limit: usize) -> Result<Vec<Node>, ReadError> {
        let newest = Table {
            name: rows::NODES_BY_FINISH,
            ..NODES
        };
        let matching = "kind = ?1 AND finished IS NOT NULL ORDER BY finished DESC LIMIT ?2";
        self.page(newest, matching, (kind.name(), page(limit)))
    }

    /// The Worknodes of one kind whose name begins so, by their names.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn named_like(&self, kind: &Kind, beginning: &str, limit: usize) -> Result<Vec<Node>, ReadError> {
        // No text sorts after this that begins so: names are UTF-8, in which no byte is 255.
        let matching = "kind = ?1 AND name >= ?2 AND name < ?2 || x'ff' ORDER BY name LIMIT ?3";
        self.page(NODES, matching, (kind.name(), beginning, page(limit)))
    }

    /// One run.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn run(&self, id: RunId) -> Result<Option<StoredRun>, ReadError> {
        self.one(RUNS, "id = ?1", [run_key(id)])
    }

    /// The runs of an agent, newest first.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn runs_of(&self, agent: NodeId, limit: usize) -> Result<Vec<StoredRun>, ReadError> {
        let matching = "agent = ?1 ORDER BY begun DESC LIMIT ?2";
        self.page(RUNS, matching, (node_key(agent), page(limit)))
    }

    /// The runs that are not over, oldest first; at most [`limits::LIVE_RUNS`].
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn live_runs(&self) -> Result<Vec<StoredRun>, ReadError> {
        let matching = "status <> 'exited' ORDER BY begun LIMIT ?1";
        let most = i64::try_from(limits::LIVE_RUNS).unwrap_or(i64::MAX);
        self.page(RUNS, matching, [most])
    }

    /// The runs that were queued after this event, over or not, oldest first: one page of them.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn runs_after(&self, begun: Hlc, limit: usize) -> Result<Vec<StoredRun>, ReadError> {
        let matching = "begun > ?1 ORDER BY begun LIMIT ?2";
        self.page(RUNS, matching, (key(begun), page(limit)))
    }

    /// One occurrence of a trigger, if it was recorded.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn firing(&self, trigger: &str, occurrence: &str) -> Result<Option<Firing>, ReadError> {
        self.one(
            FIRINGS,
            "trigger_name = ?1 AND occurrence = ?2",
            [trigger, occurrence],
        )
    }

    /// The recorded occurrences of a trigger, the last recorded first.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn firings_of(&self, trigger: &str, limit: usize) -> Result<Vec<Firing>, ReadError> {
        self.firings_before(trigger, None, limit)
    }

    /// The same of those recorded before this stamp: the next page.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn firings_before(
        &self,
        trigger: &str,
        before: Option<Hlc>,
        limit: usize,
    ) -> Result<Vec<Firing>, ReadError> {
        let matching = "trigger_name = ?1 AND recorded < ?2 ORDER BY recorded DESC LIMIT ?3";
        let before = before.map_or(i64::MAX, key);
        self.page(FIRINGS, matching, (trigger, before, page(limit)))
    }

    /// The firings that are not over, recorded after this stamp, oldest first: one page of them.
    /// Not over is what has no outcome, and what started something that goes on.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn firings_under_way(&self, after: Hlc, limit: usize) -> Result<Vec<Firing>, ReadError> {
        let matching = "open <> 0 AND recorded > ?1 ORDER BY recorded LIMIT ?2";
        self.page(FIRINGS, matching, (key(after), page(limit)))
    }

    /// What is known of a trigger, if anything ever was recorded of it.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn trigger(&self, name: &str) -> Result<Option<TriggerState>, ReadError> {
        let found = self.one(TRIGGERS, "name = ?1", [name])?;
        Ok(found.map(|(_, state)| state))
    }

    /// What is known of all triggers whose names come after this one, in their order: one page.
    /// Those that are not in the configuration any more are among them.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn triggers(&self, after: &str, limit: usize) -> Result<Vec<(String, TriggerState)>, ReadError> {
        let matching = "name > ?1 ORDER BY name LIMIT ?2";
        self.page(TRIGGERS, matching, (after, page(limit)))
    }

    /// The triggers that are watched and have an alarm, in the order of their names: the first of them.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn alarmed_triggers(&self, limit: usize) -> Result<Vec<(String, TriggerState)>, ReadError> {
        self.page(TRIGGERS, "alarm <> 0 ORDER BY name LIMIT ?1", [page(limit)])
    }

    /// The firings whose outcome was never recorded, oldest first: what a daemon that died left
    /// half done.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn open_firings(&self, limit: usize) -> Result<Vec<Firing>, ReadError> {
        let matching = "open <> 0 AND outcome IS NULL ORDER BY recorded LIMIT ?1";
        self.page(FIRINGS, matching, [page(limit)])
    }

    fn one<T>(&self, table: Table<T>, matching: &str, values: impl Params) -> Result<Option<T>, ReadError> {
        Ok(self.page(table, matching, values)?.into_iter().next())
    }

    pub(crate) fn page<T>(
        &self,
        table: Table<T>,
        matching: &str,
        values: impl Params,
    ) -> Result<Vec<T>, ReadError> {
        let Table {
            name,
            columns,
            decode,
        } = table;
        self.with(|conn| {
            let mut select =
                conn.prepare_cached(&format!("SELECT {columns} FROM {name} WHERE {matching}"))?;
            let mut found = select.query(values)?;
            let mut page = Vec::new();
            let mut bytes = 0_usize;
            while bytes < limits::PAGE_BYTES
                && let Some(row) = found.next()?
            {
                let (value, size) = decode(row, self.origin)?;
                bytes = bytes.saturating_add(size);
                page.push(value);
            }
            Ok(page)
        })
    }
}

type Decode<T> = fn(&Row<'_>, u32) -> Result<(T, usize), StoreError>;

/// How rows of one table are read: what of it, and as what. With each comes its size.
pub(crate) struct Table<T> {
    name: &'static str,
    columns: &'static str,
    decode: Decode<T>,
}

pub(crate) const NODES: Table<Node> = Table {
    name: rows::NODES,
    columns: rows::NODE,
    decode: rows::node,
};

const RUNS: Table<StoredRun> = Table {
    name: "runs",
    columns: rows::RUN,
    decode: |row, origin| Ok((rows::run(row, origin)?, SMALL)),
};

const FIRINGS: Table<Firing> = Table {
    name: "firings",
    columns: rows::FIRING,
    decode: |row, origin| Ok((rows::firing(row, origin)?, SMALL)),
};

const TRIGGERS: Table<(String, TriggerState)> = Table {
    name: "triggers",
    columns: rows::TRIGGER,
    decode: |row, _| Ok((rows::trigger(row)?, SMALL)),
};

/// Runs and firings hold no long texts: no page of theirs comes near [`limits::PAGE_BYTES`].
const SMALL: usize = 0;

pub(crate) fn page(limit: usize) -> i64 {
    i64::try_from(limit.min(limits::PAGE)).unwrap_or(i64::MAX)
}
