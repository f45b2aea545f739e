//! Questions about what happened.

use std::collections::VecDeque;

use rusqlite::{Connection, OptionalExtension};
use worknode_core::{event::Record, hlc::Hlc, ids::NodeId};

use crate::{
    chain,
    error::{ReadError, StoreError},
    limits,
    reader::Reader,
    rows::{self, node_key, text},
    stamp,
};

mod back;

pub use back::{Back, Found};

/// Which events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFilter {
    /// Those after this one.
    pub after: Hlc,
    /// Those up to and with this one.
    pub until: Option<Hlc>,
    /// Those of one Worknode: found by walking back from its last event.
    pub node: Option<NodeId>,
    /// Those of these types, or with these names when they are the user's own; empty is all.
    /// There is an index for [`RARE`] ones alone; others are searched for event by event.
    pub types: Vec<String>,
    /// From the end instead of from the beginning.
    pub newest_first: bool,
    /// At most so many; never more than [`limits::PAGE`].
    pub limit: usize,
}

/// Types of which there are few among many events, and of which the newest are asked for all the time.
/// They have an index of their own, which costs nothing for any other event.
pub const RARE: [&str; 9] = [
    "daemon_started",
    "plan_loaded",
    "plan_finished",
    "panicked",
    "panic_lifted",
    "pool_paused",
    "pool_resumed",
    "alarm_raised",
    "alarm_ended",
];

impl Default for EventFilter {
    fn default() -> Self {
        Self {
            after: Hlc::ZERO,
            until: None,
            node: None,
            types: Vec::new(),
            newest_first: false,
            limit: limits::PAGE,
        }
    }
}

impl Reader {
    /// One page of events, in order. It may end before its limit (at [`limits::PAGE_BYTES`]);
    /// only an empty page is the end.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn events(&self, filter: &EventFilter) -> Result<Vec<Record>, ReadError> {
        self.with(|conn| select(conn, self.origin(), filter))
    }

    /// Shows events of [`RARE`] types, the newest first, until one is picked.
    ///
    /// # Errors
    /// [`ReadError`]; also when a type is not rare, as then every event would be looked at.
    pub fn newest_event<T>(
        &self,
        types: &[&str],
        mut pick: impl FnMut(Record) -> Option<T>,
    ) -> Result<Option<T>, ReadError> {
        if let Some(common) = types.iter().find(|wanted| !RARE.contains(wanted)) {
            let why = format!("there is no index of `{common}` events");
            return Err(ReadError::Store(StoreError::Failed { detail: why }));
        }
        let range = Range {
            after: 0,
            until: i64::MAX,
            types: serde_json::to_string(types).unwrap_or_default(),
            newest_first: true,
        };
        self.with(|conn| {
            let mut picked = None;
            among_all(conn, &range, true, |key, body| {
                picked = pick(chain::decode(stamp::stamp(key, self.origin()), body)?);
                Ok(picked.is_none())
            })?;
            Ok(picked)
        })
    }

    /// The stamp so many events before the last one; [`Hlc::ZERO`] when there are not so many.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn stamp_back(&self, events: usize) -> Result<Hlc, ReadError> {
        let events = i64::try_from(events).unwrap_or(i64::MAX);
        self.with(|conn| {
            let mut select =
                conn.prepare_cached("SELECT at FROM events ORDER BY at DESC LIMIT 1 OFFSET ?1")?;
            let found = select.query_row([events], |row| row.get(0)).optional()?;
            Ok(found.map_or(Hlc::ZERO, |at| stamp::stamp(at, self.origin())))
        })
    }

    /// The event at exactly this stamp.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn event(&self, at: Hlc) -> Result<Option<Record>, ReadError> {
        if at.origin != self.origin() {
            return Ok(None);
        }
        self.with(|conn| {
            let mut select = conn.prepare_cached("SELECT body FROM events WHERE at = ?1")?;
            let mut rows = select.query([stamp::key(at)])?;
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            Ok(Some(chain::decode(at, text(row, 0)?)?))
        })
    }

    /// The stamp of the last event; [`Hlc::ZERO`] before the first.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn last_stamp(&self) -> Result<Hlc, ReadError> {
        self.with(|conn| {
            let mut select = conn.prepare_cached("SELECT max(at) FROM events")?;
            let last: Option<i64> = select.query_row([], |row| row.get(0))?;
            Ok(last.map_or(Hlc::ZERO, |key| stamp::stamp(key, self.origin())))
        })
    }

    /// How many events there are. Walks the whole table.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn event_count(&self) -> Result<u64, ReadError> {
        self.with(|conn| Ok(conn.query_row("SELECT count(*) FROM events", [], |row| row.get(0))?))
    }
}

/// Rows, body last, that fill one page.
struct Page {
    origin: u32,
    limit: usize,
    records: Vec<Record>,
    bytes: usize,
}

impl Page {
    const fn is_full(&self) -> bool {
        self.records.len() >= self.limit || self.bytes >= limits::PAGE_BYTES
    }

    /// One event more, if it is of `node` where only those are wanted.
    fn push(&mut self, key: i64, body: &str, node: Option<NodeId>) -> Result<(), StoreError> {
        let record = chain::decode(stamp::stamp(key, self.origin), body)?;
        if node.is_none_or(|node| record.node == node) {
            self.bytes = self.bytes.saturating_add(body.len());
            self.records.push(record);
        }
        Ok(())
    }
}

/// What is asked for as the database sees it.
struct Range {
    /// Exclusive.
    after: i64,
    /// Inclusive.
    until: i64,
    /// As a JSON array; empty is all.
    types: String,
    newest_first: bool,
}

fn select(conn: &Connection, origin: u32, filter: &EventFilter) -> Result<Vec<Record>, ReadError> {
    let mut page = Page {
        origin,
        limit: filter.limit.min(limits::PAGE),
        records: Vec::new(),
        bytes: 0,
    };
    let range = Range {
        after: stamp::after(filter.after, origin).max(0),
        until: filter.until.map_or(i64::MAX, stamp::key),
        types: serde_json::to_string(&filter.types).unwrap_or_default(),
        newest_first: filter.newest_first,
    };
    let wanted = &filter.types;
    let rare = !wanted.is_empty() && wanted.iter().all(|of| RARE.contains(&of.as_str()));
    match filter.node {
        Some(node) if !rare => of_node(conn, node, filter, &range, &mut page)?,
        node if page.limit > 0 => among_all(conn, &range, rare, |key, body| {
            page.push(key, body, node)?;
            Ok(!page.is_full())
        })?,
        _ => {}
    }
    Ok(page.records)
}

/// The index of rare events: in order of time, so that the newest are found at its end.
pub(crate) fn rare_index() -> String {
    format!(
        "CREATE INDEX IF NOT EXISTS events_rare ON events (at, topic) WHERE {}",
        is_rare()
    )
}

/// The condition of that index; a query that is to use it says the very same.
fn is_rare() -> String {
    format!("topic IN ('{}')", RARE.join("', '"))
}

/// Shows events one after the other, with their keys, for as long as more are wanted.
fn among_all(
    conn: &Connection,
    range: &Range,
    rare: bool,
    mut show: impl FnMut(i64, &str) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let order = if range.newest_first { "DESC" } else { "ASC" };
    let from = if rare {
        format!("events INDEXED BY events_rare WHERE {}", is_rare())
    } else {
        "events WHERE true".to_owned()
    };
    let mut select = conn.prepare_cached(&format!(
        "SELECT at, body FROM {from} AND at > ?1 AND at <= ?2 \
         AND (?3 = '[]' OR topic IN (SELECT value FROM json_each(?3))) ORDER BY at {order}"
    ))?;
    let mut rows = select.query((range.after, range.until, &range.types))?;
    while let Some(row) = rows.next()? {
        if !show(row.get(0)?, text(row, 1)?)? {
            break;
        }
    }
    Ok(())
}

/// Walks back from the Worknode's last event, from each to the one before it.
fn of_node(
    conn: &Connection,
    node: NodeId,
    filter: &EventFilter,
    range: &Range,
    page: &mut Page,
) -> Result<(), StoreError> {
    let matching = matching(conn, (node, &filter.types), range, page)?;
    let mut body = conn.prepare_cached("SELECT body FROM events WHERE at = ?1")?;
    for at in matching {
        if page.is_full() {
            break;
        }
        let mut rows = body.query([at])?;
        let row = rows.next()?.ok_or_else(|| broken(at, page.origin))?;
        page.push(at, text(row, 0)?, None)?;
    }
    Ok(())
}

/// The keys of its events that are asked for, in the order that is asked for; few more than a page.
fn matching(
    conn: &Connection,
    (node, types): (NodeId, &[String]),
    range: &Range,
    page: &Page,
) -> Result<VecDeque<i64>, StoreError> {
    let mut matching = VecDeque::new();
    let mut next = last_of(conn, node)?;
    let mut step = conn.prepare_cached("SELECT before, topic FROM events WHERE at = ?1")?;
    // Zero is where a Worknode's history begins: there is no event there.
    while next > range.after.max(0) {
        let at = next;
        let mut rows = step.query([at])?;
        let row = rows.next()?.ok_or_else(|| broken(at, page.origin))?;
        next = row.get(0)?;
        if next >= at {
            return Err(broken(at, page.origin));
        }
        if at > range.until || !is_of(types, text(row, 1)?) {
            continue;
        }
        matching.push_back(at);
        if matching.len() > page.limit {
            // The newest are too many for the page that is asked for, or this one is too old.
            if range.newest_first {
                break;
            }
            matching.pop_front();
        }
    }
    if !range.newest_first {
        matching.make_contiguous().reverse();
    }
    Ok(matching)
}

/// Without types, every one is wanted.
fn is_of(types: &[String], topic: &str) -> bool {
    types.is_empty() || types.iter().any(|wanted| wanted == topic)
}

fn last_of(conn: &Connection, node: NodeId) -> Result<i64, StoreError> {
    let mut select = conn.prepare_cached(&format!("SELECT updated FROM {} WHERE id = ?1", rows::NODES))?;
    let last = select.query_row([node_key(node)], |row| row.get(0)).optional()?;
    Ok(last.unwrap_or(0))
}

fn broken(at: i64, origin: u32) -> StoreError {
    let at = stamp::stamp(at, origin);
    StoreError::corrupt(format!(
        "event {at} is missing, or does not follow an earlier one of its Worknode"
    ))
}
