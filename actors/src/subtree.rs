//! Which events are of a subtree? Asked of every event that anybody watches from above.

use std::collections::HashMap;

use worknode_core::{
    event::{Event, Record},
    ids::NodeId,
};
use worknode_journal::{EventFilter, Journal, ReadError};

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
            if self.holds(record.node)? || self.held_before(&record)? {
                kept.push(record);
            }
        }
        Ok(kept)
    }

    /// Is this a move out of the subtree? It hung where the event before says that changed its place.
    fn held_before(&mut self, record: &Record) -> Result<bool, ReadError> {
        if !matches!(record.event, Event::NodeMoved { .. }) {
            return Ok(false);
        }
        let filter = EventFilter {
            node: Some(record.node),
            until: Some(record.at),
            types: ["node_created", "node_moved"].map(str::to_owned).to_vec(),
            newest_first: true,
            limit: 2,
            ..EventFilter::default()
        };
        let places = self.journal.reader().events(&filter)?;
        let before = places.last().and_then(|record| match &record.event {
            Event::NodeCreated { node } => node.parent,
            Event::NodeMoved { parent } => Some(*parent),
            _ => None,
        });
        before.map_or(Ok(false), |parent| self.holds(parent))
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
