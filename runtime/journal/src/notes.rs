//! Notes: what was decided, found out, remembered. Found by how well their words fit, or the newest
//! first; what else is in the store makes no difference.

use rusqlite::Connection;
use worknode_core::{
    ids::NodeId,
    node::{Kind, Node},
};

use crate::{
    error::{ReadError, StoreError},
    limits,
    reader::{NODES, Reader, page},
    rows::{self, node_key},
    tables::{is_note, kind_word},
};

/// Letters from which on the beginning of a word is enough.
const BEGINNING: usize = 4;

impl Reader {
    /// Notes of one kind in which at least one of `words` is, those that fit best first; each with
    /// how well, where more is better. Those that are put away are left out.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn ranked(&self, kind: &Kind, words: &[String], limit: usize) -> Result<Vec<(Node, f64)>, ReadError> {
        let Some(query) = query(kind, words) else {
            return Ok(Vec::new());
        };
        self.with(|conn| Ok(ranked(conn, &query, limit.min(limits::PAGE), self.origin())?))
    }

    /// The newest Worknodes of a kind without states, those that are put away left out.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn newest(&self, kind: &Kind, limit: usize) -> Result<Vec<Node>, ReadError> {
        let matching = "kind = ?1 AND status = '' AND archived = 0 ORDER BY num DESC LIMIT ?2";
        self.page(NODES, matching, (kind.name(), page(limit)))
    }

    /// The newest children of a kind, those that are put away left out.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn newest_below(&self, parent: NodeId, kind: &Kind, limit: usize) -> Result<Vec<Node>, ReadError> {
        let matching = "parent = ?1 AND +kind = ?2 AND archived = 0 ORDER BY num DESC LIMIT ?3";
        self.page(NODES, matching, (node_key(parent), kind.name(), page(limit)))
    }
}

/// Nothing where nothing can be found.
fn query(kind: &Kind, words: &[String]) -> Option<String> {
    if !is_note(kind) {
        return None;
    }
    let quoted = |word: &String| {
        let beginning = if word.chars().count() >= BEGINNING {
            "*"
        } else {
            ""
        };
        format!("\"{}\"{beginning}", word.replace(['"', '\0'], " "))
    };
    let words = words
        .iter()
        .filter(|word| word.chars().any(char::is_alphanumeric));
    let any: Vec<String> = words.take(limits::WORDS).map(quoted).collect();
    (!any.is_empty()).then(|| format!("\"{}\" AND ({})", kind_word(kind), any.join(" OR ")))
}

fn ranked(conn: &Connection, query: &str, limit: usize, origin: u32) -> Result<Vec<(Node, f64)>, StoreError> {
    let mut best =
        conn.prepare_cached("SELECT rowid, rank FROM texts WHERE texts MATCH ?1 ORDER BY rank LIMIT ?2")?;
    // Some may be put away.
    let mut found = best.query((query, limit.saturating_mul(2)))?;
    let mut nodes = Vec::new();
    let one = format!(
        "SELECT {} FROM {} WHERE num = ?1 AND archived = 0",
        rows::NODE,
        rows::NODES
    );
    let mut node = conn.prepare_cached(&one)?;
    while nodes.len() < limit
        && let Some(row) = found.next()?
    {
        let (num, rank): (i64, f64) = (row.get(0)?, row.get(1)?);
        let mut rows = node.query([num])?;
        if let Some(row) = rows.next()? {
            nodes.push((rows::node(row, origin)?.0, -rank));
        }
    }
    Ok(nodes)
}
