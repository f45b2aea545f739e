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
    /// There is no index for it: rare types are searched for event by event.
    pub types: Vec<String>,
    /// From the end instead of from the beginning.
    pub newest_first: bool,
    /// At most so many; never more than [`limits::PAGE`].
    pub limit: usize,
}

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

    fn push(&mut self, key: i64, body: &str) -> Result<(), StoreError> {
        self.bytes = self.bytes.saturating_add(body.len());
        let at = stamp::stamp(key, self.origin);
        self.records.push(chain::decode(at, body)?);
        Ok(())
    }
}

/// `filter` as the database sees it.
struct Range<'a> {
    /// Exclusive.
    after: i64,
    /// Inclusive.
    until: i64,
    filter: &'a EventFilter,
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
        filter,
    };
    match filter.node {
        Some(node) => of_node(conn, node, &range, &mut page)?,
        None => of_all(conn, &range, &mut page)?,
    }
    Ok(page.records)
}

fn of_all(conn: &Connection, range: &Range<'_>, page: &mut Page) -> Result<(), StoreError> {
    let types = serde_json::to_string(&range.filter.types).unwrap_or_default();
    let order = if range.filter.newest_first { "DESC" } else { "ASC" };
    let mut select = conn.prepare_cached(&format!(
        "SELECT at, body FROM events WHERE at > ?1 AND at <= ?2 \
         AND (?3 = '[]' OR topic IN (SELECT value FROM json_each(?3))) ORDER BY at {order}"
    ))?;
    let mut rows = select.query((range.after, range.until, types))?;
    while !page.is_full()
        && let Some(row) = rows.next()?
    {
        page.push(row.get(0)?, text(row, 1)?)?;
    }
    Ok(())
}

/// Walks back from the Worknode's last event, from each to the one before it.
fn of_node(conn: &Connection, node: NodeId, range: &Range<'_>, page: &mut Page) -> Result<(), StoreError> {
    let matching = matching(conn, node, range, page)?;
    let mut body = conn.prepare_cached("SELECT body FROM events WHERE at = ?1")?;
    for at in matching {
        if page.is_full() {
            break;
        }
        let mut rows = body.query([at])?;
        let row = rows.next()?.ok_or_else(|| broken(at, page.origin))?;
        page.push(at, text(row, 0)?)?;
    }
    Ok(())
}

/// The keys of its events that are asked for, in the order that is asked for; few more than a page.
fn matching(
    conn: &Connection,
    node: NodeId,
    range: &Range<'_>,
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
        if at > range.until || !is_of(&range.filter.types, text(row, 1)?) {
            continue;
        }
        matching.push_back(at);
        if matching.len() > page.limit {
            // The newest are too many for the page that is asked for, or this one is too old.
            if range.filter.newest_first {
                break;
            }
            matching.pop_front();
        }
    }
    if !range.filter.newest_first {
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
