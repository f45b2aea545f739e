//! Worknodes by what people call them: a name among siblings, the beginning of an id.

use rusqlite::OptionalExtension;
use worknode_core::{ids::NodeId, node::Node};

use crate::{
    error::ReadError,
    limits,
    reader::{NODES, Reader, page},
    rows::node_key,
};

/// Hexadecimal digits of an id.
const DIGITS: usize = 32;

impl Reader {
    /// The children of `parent` that have this name, of whatever kind: at most one per kind.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn children_named(&self, parent: NodeId, name: &str) -> Result<Vec<Node>, ReadError> {
        // The siblings are few, however many Worknodes elsewhere have this name.
        let matching = "parent = ?1 AND name = ?2 ORDER BY num LIMIT ?3";
        self.page(NODES, matching, (node_key(parent), name, limits::PAGE))
    }

    /// The Worknodes whose id begins with `text`, with or without dashes; none when that is no
    /// beginning of an id.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn beginning_with(&self, text: &str, limit: usize) -> Result<Vec<Node>, ReadError> {
        let Some((first, last)) = ids_beginning_with(text) else {
            return Ok(Vec::new());
        };
        let matching = "id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3";
        self.page(NODES, matching, (first, last, page(limit)))
    }

    /// Where a Worknode stands in the order of creation, as [`crate::Selector::after`] counts.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn place_of(&self, id: NodeId) -> Result<Option<u64>, ReadError> {
        self.with(|conn| {
            let mut select = conn.prepare_cached("SELECT num FROM nodes WHERE id = ?1")?;
            Ok(select.query_row([node_key(id)], |row| row.get(0)).optional()?)
        })
    }
}

/// The least and the greatest id that begins so.
fn ids_beginning_with(text: &str) -> Option<([u8; 16], [u8; 16])> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let fits = !digits.is_empty() && digits.len() <= DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if !fits {
        return None;
    }
    let filled = |with: &str| {
        let rest = with.repeat(DIGITS.saturating_sub(digits.len()));
        let number = u128::from_str_radix(&format!("{digits}{rest}"), 16).ok()?;
        Some(number.to_be_bytes())
    };
    Some((filled("0")?, filled("f")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_means_all_ids_that_begin_so() {
        let (first, last) = ids_beginning_with("0a-B").unwrap();
        assert_eq!((first[0], first[1], first[2]), (0x0a, 0xb0, 0));
        assert_eq!((last[0], last[1], last[2]), (0x0a, 0xbf, 0xff));
        let whole = "00000000-0000-7000-8000-000000000000";
        let (first, last) = ids_beginning_with(whole).unwrap();
        assert_eq!(first, last);
        for wrong in ["", "-", "xyz", "12 ", &"0".repeat(33), "é"] {
            assert_eq!(ids_beginning_with(wrong), None, "{wrong}");
        }
    }
}
