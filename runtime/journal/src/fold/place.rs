//! What needs the whole tree to be known: moves, names, links.
//!
//! The tree is in the database, what the group changes is not. So the group is written first, and
//! the question is asked of the database alone. Such events are rare, and each is a request of its
//! own.

use rusqlite::{Connection, OptionalExtension};
use worknode_core::{
    body::{Link, Relation},
    bounds,
    ids::NodeId,
};

use super::{Fold, malformed, missing, takes_place, too_deep};
use crate::{
    error::{AppendError, StoreError},
    limits,
    rows::node_key,
    tables,
};

/// A Worknode and all below it, as `tree (id, num, depth)`, one row more than a move may take.
const SUBTREE: &str = "WITH RECURSIVE tree (id, num, depth) AS (
  SELECT id, num, depth FROM nodes WHERE id = ?1
  UNION ALL
  SELECT nodes.id, nodes.num, nodes.depth FROM nodes JOIN tree ON nodes.parent = tree.id
  LIMIT ?2
)";

impl Fold {
    /// Hangs `id`, and all below it, below `parent`.
    pub(super) fn hang_below(
        &mut self,
        conn: &Connection,
        id: NodeId,
        parent: NodeId,
    ) -> Result<(), AppendError> {
        tables::flush(conn, self)?;
        let entry = self.existing(conn, id)?;
        let Some(before) = entry.node.parent else {
            return Err(malformed("the root hangs below nothing"));
        };
        if before == parent {
            return Err(malformed("it hangs there already"));
        }
        self.refuse_circle(conn, id, parent)?;
        let (size, deepest) = subtree(conn, id)?;
        if size > limits::MOVED {
            return Err(AppendError::LimitReached {
                what: format!(
                    "`{}` has more Worknodes below it than can be moved",
                    entry.node.name
                ),
                limit: limits::MOVED,
            });
        }
        let counts = takes_place(&entry.node);
        let depth = if counts {
            self.count_child(conn, parent)?
        } else {
            self.existing(conn, parent)?.depth.saturating_add(1)
        };
        let lowest = depth.saturating_add(deepest.saturating_sub(entry.depth));
        if lowest > bounds::DEPTH {
            return Err(too_deep(&entry.node.kind, &entry.node.name, lowest));
        }
        let (kind, name) = (entry.node.kind.clone(), entry.node.name.clone());
        self.claim_name(conn, (kind.clone(), name.clone(), Some(parent)))?;
        self.names.put((kind, name, Some(before)), false);
        if counts {
            self.uncount_child(conn, before)?;
        }
        self.sink(conn, id, depth, entry.depth)
    }

    /// Gives `id` another name.
    pub(super) fn rename(&mut self, conn: &Connection, id: NodeId, name: &str) -> Result<(), AppendError> {
        // The name may be one that the group set free, in a row that would be written after this.
        tables::flush(conn, self)?;
        let entry = self.existing(conn, id)?;
        let (kind, parent) = (entry.node.kind.clone(), entry.node.parent);
        self.claim_name(conn, (kind.clone(), name.to_owned(), parent))?;
        self.names.put((kind, entry.node.name.clone(), parent), false);
        Ok(())
    }

    /// The other one exists, and depends not itself on this one.
    pub(super) fn check_link(
        &mut self,
        conn: &Connection,
        id: NodeId,
        link: Link,
    ) -> Result<(), AppendError> {
        let other = self.existing(conn, link.to)?;
        if link.relation != Relation::DependsOn {
            return Ok(());
        }
        tables::flush(conn, self)?;
        let (walked, circle) = conn
            .prepare_cached(
                "WITH RECURSIVE needed (id) AS (
                   VALUES (?1)
                   UNION
                   SELECT target FROM links JOIN needed ON source = needed.id
                   WHERE relation = 'depends_on' LIMIT ?3
                 )
                 SELECT count(*), coalesce(max(id = ?2), 0) FROM needed",
            )
            .and_then(|mut walk| {
                walk.query_row((node_key(link.to), node_key(id), bound(limits::WALKED)), |row| {
                    Ok((row.get::<_, usize>(0)?, row.get::<_, bool>(1)?))
                })
            })
            .map_err(StoreError::from)?;
        if circle {
            return Err(malformed(&format!(
                "`{}` depends on it already: neither could ever begin",
                other.node.name
            )));
        }
        if walked > limits::WALKED {
            return Err(AppendError::LimitReached {
                what: format!("what `{}` depends on cannot be overlooked", other.node.name),
                limit: limits::WALKED,
            });
        }
        Ok(())
    }

    fn refuse_circle(&mut self, conn: &Connection, id: NodeId, parent: NodeId) -> Result<(), AppendError> {
        let mut above = Some(parent);
        while let Some(next) = above {
            if next == id {
                return Err(malformed("it would hang below itself"));
            }
            above = self.existing(conn, next)?.node.parent;
        }
        Ok(())
    }

    pub(super) fn uncount_child(&mut self, conn: &Connection, parent: NodeId) -> Result<(), AppendError> {
        let mut entry = self.existing(conn, parent)?;
        entry.children = entry.children.saturating_sub(1);
        self.nodes.put(parent, entry);
        Ok(())
    }

    /// Writes the new depths of `id` and of all below it. The last step: nothing is refused after it.
    fn sink(
        &mut self,
        conn: &Connection,
        id: NodeId,
        depth: usize,
        before: usize,
    ) -> Result<(), AppendError> {
        if depth == before {
            return Ok(());
        }
        let signed = |depth: usize| i64::try_from(depth).unwrap_or(i64::MAX);
        let by = signed(depth).saturating_sub(signed(before));
        conn.prepare_cached(&format!(
            "{SUBTREE} UPDATE nodes SET depth = depth + ?3 WHERE num IN (SELECT num FROM tree)"
        ))
        .and_then(|mut update| update.execute((node_key(id), bound(limits::MOVED), by)))
        .map_err(StoreError::from)?;
        // What is remembered of those below is of where they were.
        self.cache.clear();
        Ok(())
    }
}

/// How many Worknodes `id` and all below it are, counted up to one more than may be moved, and how
/// deep the lowest is.
fn subtree(conn: &Connection, id: NodeId) -> Result<(usize, usize), AppendError> {
    let found = conn
        .prepare_cached(&format!("{SUBTREE} SELECT count(*), max(depth) FROM tree"))
        .and_then(|mut select| {
            select
                .query_row((node_key(id), bound(limits::MOVED)), |row| {
                    Ok((row.get::<_, usize>(0)?, row.get::<_, Option<usize>>(1)?))
                })
                .optional()
        })
        .map_err(StoreError::from)?;
    match found {
        Some((size, Some(deepest))) => Ok((size, deepest)),
        _ => Err(missing(format!("Worknode {id}"))),
    }
}

/// One row more than `limit`: enough to tell that there are more.
fn bound(limit: usize) -> i64 {
    i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX)
}
