//! The tables, and how to tell whether a file has them.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};
use worknode_core::{hlc::Hlc, time::Timestamp};

use crate::{
    chain::{self, GENESIS, Hash, link},
    error::{OpenError, StoreError},
    events,
    fold::Fold,
    limits,
    rows::text,
    stamp, tables,
};

/// Marks a SQLite file as a journal: "wkno".
pub(crate) const APPLICATION_ID: i64 = 0x776b_6e6f;
/// The format that this build writes.
pub(crate) const FORMAT: i64 = 6;

/// No secondary index on events, but of the rare ones: one would cost more than the disk's sync does, as each event
/// of a group touches another page of it. Instead each event names the event before it of the
/// same Worknode, and `marks` the last one.
const TABLES: &str = "
CREATE TABLE meta (
  origin  INTEGER NOT NULL,
  created INTEGER NOT NULL
) STRICT;

CREATE TABLE events (
  at     INTEGER PRIMARY KEY,
  before INTEGER NOT NULL,
  topic  TEXT NOT NULL,
  hash   BLOB NOT NULL,
  body   TEXT NOT NULL
) STRICT;
";

/// The projections; a scratch database gets these alone. What of a Worknode changes with every
/// event is in a narrow table of its own, so that many Worknodes share a page; what a task is asked
/// to do, which may be long and does not change, is in another; the indexes are touched only when a
/// Worknode is made or changes its status.
const PROJECTIONS: &str = "
CREATE TABLE nodes (
  num      INTEGER PRIMARY KEY,
  id       BLOB NOT NULL UNIQUE,
  parent   BLOB,
  kind     TEXT NOT NULL,
  name     TEXT NOT NULL,
  status   TEXT NOT NULL,
  depth    INTEGER NOT NULL,
  created  INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  archived INTEGER NOT NULL,
  ready    INTEGER,
  claimed  INTEGER,
  finished INTEGER,
  state    TEXT NOT NULL,
  body     TEXT
) STRICT;
CREATE UNIQUE INDEX nodes_by_name ON nodes (kind, name, parent);
CREATE INDEX nodes_by_parent ON nodes (parent);
CREATE INDEX nodes_by_status ON nodes (kind, status);
CREATE INDEX nodes_by_finish ON nodes (finished) WHERE finished IS NOT NULL;
CREATE TABLE specs (
  num  INTEGER PRIMARY KEY,
  spec TEXT NOT NULL
) STRICT;
CREATE TABLE marks (
  num      INTEGER PRIMARY KEY,
  children INTEGER NOT NULL,
  updated  INTEGER NOT NULL
) STRICT;

CREATE TABLE links (
  source   BLOB NOT NULL,
  relation TEXT NOT NULL,
  target   BLOB NOT NULL,
  PRIMARY KEY (source, relation, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_by_target ON links (target, relation);
CREATE TABLE labels (
  sort  TEXT NOT NULL,
  value TEXT NOT NULL,
  num   INTEGER NOT NULL,
  PRIMARY KEY (sort, value, num)
) STRICT, WITHOUT ROWID;
CREATE INDEX labels_by_node ON labels (num);

CREATE TABLE runs (
  begun   INTEGER PRIMARY KEY,
  id      BLOB NOT NULL UNIQUE,
  agent   BLOB NOT NULL,
  status  TEXT NOT NULL,
  updated INTEGER NOT NULL,
  state   TEXT NOT NULL
) STRICT;
CREATE INDEX runs_by_agent ON runs (agent);
CREATE INDEX runs_live ON runs (status) WHERE status <> 'exited';

CREATE TABLE firings (
  trigger_name TEXT NOT NULL,
  occurrence   TEXT NOT NULL,
  node         BLOB NOT NULL,
  recorded     INTEGER NOT NULL,
  due          INTEGER NOT NULL,
  open         INTEGER NOT NULL,
  outcome      TEXT,
  course       TEXT NOT NULL,
  PRIMARY KEY (trigger_name, occurrence)
) STRICT, WITHOUT ROWID;
CREATE INDEX firings_by_trigger ON firings (trigger_name, recorded);
CREATE INDEX firings_open ON firings (recorded) WHERE open <> 0;
CREATE TABLE triggers (
  num   INTEGER PRIMARY KEY,
  name  TEXT NOT NULL UNIQUE,
  alarm INTEGER NOT NULL,
  state TEXT NOT NULL
) STRICT;
CREATE INDEX triggers_with_alarm ON triggers (name) WHERE alarm <> 0;
";

/// What is searched for words. It holds no text of its own, only where each word is, and can be made
/// again from the Worknodes; so it is not compared when the journal is verified.
const TEXTS: &str = "
CREATE VIRTUAL TABLE texts USING fts5(text, content = '', contentless_delete = 1, tokenize = 'unicode61');
";

/// The tables of all formats that follow from the events.
const DERIVED: [&str; 9] = [
    "texts", "nodes", "specs", "marks", "links", "labels", "runs", "firings", "triggers",
];

/// The last event of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its row id; 0 before the first.
    pub(crate) key: i64,
    /// Its hash.
    pub(crate) hash: Hash,
}

/// What a SQLite file is to us.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Nothing in it: a new file, or one whose creation was cut short.
    Fresh,
    /// A journal of this format.
    Journal,
    /// A journal whose projections an older version made.
    Older,
}

/// Tells what the file behind `conn` is, without changing it.
pub(crate) fn identify(conn: &Connection, path: &Path) -> Result<Identity, OpenError> {
    let failed = |error| OpenError::store(path, StoreError::from(error));
    let number = |sql| {
        conn.query_row(sql, [], |row| row.get::<_, i64>(0))
            .map_err(failed)
    };
    let application = number("PRAGMA application_id")?;
    let format = number("PRAGMA user_version")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    match (application, format) {
        (0, 0) if tables == 0 => Ok(Identity::Fresh),
        (APPLICATION_ID, FORMAT) => Ok(Identity::Journal),
        (APPLICATION_ID, 1..FORMAT) => Ok(Identity::Older),
        (APPLICATION_ID, found) if found > FORMAT => Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known: FORMAT,
        }),
        (APPLICATION_ID, found) => Err(OpenError::store(
            path,
            StoreError::corrupt(format!("there never was a format {found}")),
        )),
        _ => Err(OpenError::NotAJournal {
            path: path.to_owned(),
        }),
    }
}

/// Makes the tables, all or none.
pub(crate) fn create(conn: &mut Connection, now: Timestamp) -> Result<(), StoreError> {
    let tx = conn.transaction()?;
    tx.execute_batch(TABLES)?;
    tx.execute_batch(&events::rare_index())?;
    make_projections(&tx)?;
    // The store's own name among stores, for as long as it lives. SQLite brings the randomness.
    tx.execute(
        "INSERT INTO meta (origin, created) VALUES (abs(random() % 4294967295) + 1, ?1)",
        [now.as_millis()],
    )?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", FORMAT)?;
    tx.commit()?;
    Ok(())
}

pub(crate) fn make_projections(conn: &Connection) -> Result<(), StoreError> {
    conn.execute_batch(PROJECTIONS)?;
    conn.execute_batch(TEXTS)?;
    Ok(())
}

/// Makes the projections of an older format anew: they follow from the events, which stay as they
/// are. All or none.
pub(crate) fn upgrade(conn: &mut Connection, origin: u32) -> Result<(), StoreError> {
    let tx = conn.transaction()?;
    for table in DERIVED {
        tx.execute_batch(&format!("DROP TABLE IF EXISTS {table}"))?;
    }
    // Which events are rare may have been another list.
    tx.execute_batch("DROP INDEX IF EXISTS events_rare")?;
    tx.execute_batch(&events::rare_index())?;
    make_projections(&tx)?;
    let mut fold = Fold::load(&tx, origin)?;
    let mut events = tx.prepare("SELECT at, body FROM events ORDER BY at")?;
    let mut rows = events.query([])?;
    let mut folded = 0_usize;
    while let Some(row) = rows.next()? {
        let at = stamp::stamp(row.get(0)?, origin);
        let record = chain::decode(at, text(row, 1)?)?;
        fold.apply(&tx, &record)
            .map_err(|refused| StoreError::corrupt(format!("event {at} cannot be taken over: {refused}")))?;
        fold.keep_request();
        folded = folded.saturating_add(1);
        if folded.is_multiple_of(limits::GROUP) {
            tables::flush(&tx, &mut fold)?;
        }
    }
    tables::flush(&tx, &mut fold)?;
    drop(rows);
    drop(events);
    tx.pragma_update(None, "user_version", FORMAT)?;
    tx.commit()?;
    Ok(())
}

/// The store's part of every stamp.
pub(crate) fn origin(conn: &Connection) -> Result<u32, StoreError> {
    conn.query_row("SELECT origin FROM meta", [], |row| row.get(0))
        .optional()?
        .ok_or_else(|| StoreError::corrupt("it has lost its origin"))
}

/// The last event, after a look whether it really follows the one before it.
pub(crate) fn head(conn: &Connection, origin: u32) -> Result<Head, StoreError> {
    let mut last = conn.prepare_cached("SELECT at, hash, body FROM events ORDER BY at DESC LIMIT 2")?;
    let mut rows = last.query([])?;
    let Some(row) = rows.next()? else {
        return Ok(Head {
            key: 0,
            hash: GENESIS,
        });
    };
    let (key, hash, body): (i64, Hash, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let before = match rows.next()? {
        Some(row) => row.get(1)?,
        None => GENESIS,
    };
    if link(&before, key, origin, &body) == hash {
        Ok(Head { key, hash })
    } else {
        let at = stamp::stamp(key, origin);
        Err(StoreError::corrupt(format!(
            "the last event, {at}, does not follow from the one before it"
        )))
    }
}

/// The stamp of the last event, [`Hlc::ZERO`] when there is none.
pub(crate) fn last_stamp(head: Head, origin: u32) -> Hlc {
    if head.key == 0 {
        Hlc::ZERO
    } else {
        stamp::stamp(head.key, origin)
    }
}
