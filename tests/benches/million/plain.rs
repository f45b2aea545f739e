//! The same tree in plain SQLite, at the same durability.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rusqlite::{Connection, params};
use worknode_core::ids::NodeId;

use super::tree::Tree;
use crate::Failure;

const TABLES: &str = "
CREATE TABLE nodes (id BLOB PRIMARY KEY, parent BLOB, kind TEXT NOT NULL, name TEXT NOT NULL,
  status TEXT NOT NULL, title TEXT, prompt TEXT, priority INTEGER, tag TEXT);
CREATE INDEX nodes_parent ON nodes (parent);
CREATE INDEX nodes_status ON nodes (kind, status);
CREATE INDEX nodes_tag ON nodes (tag) WHERE tag IS NOT NULL;
CREATE VIRTUAL TABLE texts USING fts5(text, content = '');
";
/// Rows of one commit: as many as our batches make Worknodes.
const BATCH: usize = 4_000;

/// A store, and how long it took to make it.
#[derive(Debug)]
pub(super) struct Plain {
    conn: Connection,
    path: PathBuf,
    pub(super) made: Duration,
}

impl Plain {
    pub(super) fn make(tree: &Tree, path: &Path) -> Result<Self, Failure> {
        let mut conn = Connection::open(path)?;
        conn.pragma_update(None, "journal_mode", "WAL")?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        conn.pragma_update(None, "cache_size", -16_384)?;
        conn.execute_batch(TABLES)?;
        let begun = Instant::now();
        let tx = conn.transaction()?;
        for (id, parent, kind, name) in tree.above() {
            tx.prepare_cached(
                "INSERT INTO nodes (id, parent, kind, name, status) VALUES (?1, ?2, ?3, ?4, '')",
            )?
            .execute(params![key(id), key(parent), kind.name(), name])?;
        }
        tx.commit()?;
        let mut tasks = tree.tasks().peekable();
        let mut row = 0_i64;
        while tasks.peek().is_some() {
            let tx = conn.transaction()?;
            for task in tasks.by_ref().take(BATCH) {
                row += 1;
                let status = if task.open { "ready" } else { "cancelled" };
                tx.prepare_cached("INSERT INTO nodes VALUES (?1, ?2, 'task', ?3, ?4, ?5, ?6, ?7, ?8)")?
                    .execute(params![
                        key(task.id),
                        key(task.phase),
                        task.key,
                        status,
                        task.title,
                        task.prompt,
                        task.priority,
                        task.tagged.then_some(super::tree::TAG)
                    ])?;
                tx.prepare_cached("INSERT INTO texts (rowid, text) VALUES (?1, ?2)")?
                    .execute(params![
                        row,
                        format!("{}\n{}\n{}", task.key, task.title, task.prompt)
                    ])?;
            }
            tx.commit()?;
        }
        let made = begun.elapsed();
        conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
        Ok(Self {
            conn,
            path: path.to_owned(),
            made,
        })
    }

    pub(super) fn bytes(&self) -> Result<u64, Failure> {
        super::file(&self.path)
    }

    /// How many rows these are; all their columns are read.
    pub(super) fn count(&self, matching: &str, value: impl rusqlite::ToSql) -> Result<usize, Failure> {
        let mut select = self
            .conn
            .prepare_cached(&format!("SELECT * FROM nodes WHERE {matching}"))?;
        let mut rows = select.query([value])?;
        let mut found = 0;
        while let Some(row) = rows.next()? {
            let _: Option<String> = row.get(6)?;
            found += 1;
        }
        Ok(found)
    }

    /// How many rows have words that begin so.
    pub(super) fn search(&self, words: &str) -> Result<usize, Failure> {
        let words: Vec<_> = words.split(' ').map(|word| format!("\"{word}\"*")).collect();
        let words = words.join(" ");
        let mut select = self
            .conn
            .prepare_cached("SELECT rowid FROM texts WHERE texts MATCH ?1 LIMIT 50")?;
        let mut rows = select.query([words])?;
        let mut found = 0;
        while rows.next()?.is_some() {
            found += 1;
        }
        Ok(found)
    }
}

pub(super) fn key(id: NodeId) -> [u8; 16] {
    *id.as_uuid().as_bytes()
}
