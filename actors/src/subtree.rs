//! Which events are of a subtree? Asked of every event that anybody watches from above.

use std::collections::HashMap;

use worknode_core::{event::Record, ids::NodeId};
use worknode_journal::{Journal, ReadError};

/// Worknodes of which it is remembered whether they are in the subtree. Beyond it, everything is
/// forgotten and looked up again.
const REMEMBERED: usize = 20_000;

/// A Worknode and all below it, as of now.
#[derive(Debug)]
pub struct Subtree {
    top: NodeId,
    journal: Journal,
    moves: u64,
    known: HashMap<NodeId, bool>,
}

impl Subtree {
    /// `top` and all below it.
    #[must_use]
    pub fn of(top: NodeId, journal: Journal) -> Self {
        Self {
            moves: journal.moves(),
            top,
            journal,
            known: HashMap::new(),
        }
    }

    /// Leaves those of `records` that happened in the subtree; one that something moved out of it
    /// did too. Blocks on the disk.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn keep(&mut self, records: Vec<Record>) -> Result<Vec<Record>, ReadError> {
        if self.top == NodeId::ROOT {
            return Ok(records);
        }
        let mut kept = Vec::new();
        for record in records {
            // Before what is remembered is forgotten: it left from here.
            let was_here = self.known.get(&record.node) == Some(&true);
            if self.holds(record.node)? || was_here {
                kept.push(record);
            }
        }
        Ok(kept)
    }

    fn holds(&mut self, node: NodeId) -> Result<bool, ReadError> {
        let moves = self.journal.moves();
        if moves != self.moves || self.known.len() >= REMEMBERED {
            self.moves = moves;
            self.known.clear();
        }
        if let Some(known) = self.known.get(&node) {
            return Ok(*known);
        }
        let holds = node == self.top || self.journal.reader().ancestors(node)?.contains(&self.top);
        self.known.insert(node, holds);
        Ok(holds)
    }
}
