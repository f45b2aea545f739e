//! The newest of what happened to one Worknode, as far back as there is patience for.
//!
//! The events of a Worknode are a chain, from the last to the first. One that has a million of them is
//! not walked to its end for the few that somebody looks at: whoever asks says how many may be looked
//! at, for one question or for all of them together, and is told when that was not enough.

use rusqlite::Connection;
use worknode_core::{event::Record, hlc::Hlc, ids::NodeId};

use super::{broken, is_of, last_of};
use crate::{
    chain,
    error::{ReadError, StoreError},
    limits,
    reader::Reader,
    rows::text,
    stamp,
};

/// Which events of a Worknode.
#[derive(Clone, Copy, Debug)]
pub struct Back<'a> {
    /// The Worknode.
    pub node: NodeId,
    /// Those of these types, or with these names; empty is all.
    pub types: &'a [&'a str],
    /// Those up to and with this one.
    pub until: Option<Hlc>,
    /// At most so many; never more than [`limits::PAGE`].
    pub most: usize,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The events, the newest first.
    pub records: Vec<Record>,
    /// There may be more, further back.
    pub more: bool,
}

impl Reader {
    /// The newest events of a Worknode. Each that is looked at is taken off `patience`; at zero nobody
    /// looks any further.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn newest_of(&self, wanted: &Back<'_>, patience: &mut usize) -> Result<Found, ReadError> {
        self.with(|conn| Ok(walk(conn, self.origin(), wanted, patience)?))
    }
}

fn walk(
    conn: &Connection,
    origin: u32,
    wanted: &Back<'_>,
    patience: &mut usize,
) -> Result<Found, StoreError> {
    let types: Vec<String> = wanted.types.iter().map(|name| (*name).to_owned()).collect();
    let until = wanted.until.map_or(i64::MAX, stamp::key);
    let most = wanted.most.min(limits::PAGE);
    let mut found = Found::default();
    let mut bytes = 0_usize;
    let mut next = last_of(conn, wanted.node)?;
    let mut step = conn.prepare_cached("SELECT before, topic, body FROM events WHERE at = ?1")?;
    // Zero is where a Worknode's history begins: there is no event there.
    while next > 0 {
        if *patience == 0 || found.records.len() >= most || bytes >= limits::PAGE_BYTES {
            found.more = true;
            break;
        }
        *patience -= 1;
        let at = next;
        let mut rows = step.query([at])?;
        let row = rows.next()?.ok_or_else(|| broken(at, origin))?;
        next = row.get(0)?;
        if next >= at {
            return Err(broken(at, origin));
        }
        if at <= until && is_of(&types, text(row, 1)?) {
            let body = text(row, 2)?;
            bytes = bytes.saturating_add(body.len());
            found.records.push(chain::decode(stamp::stamp(at, origin), body)?);
        }
    }
    Ok(found)
}
