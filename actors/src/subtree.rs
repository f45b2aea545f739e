//! Where a Worknode hung before it was moved: who watches a subtree wants to see what leaves it.

use worknode_core::{
    event::{Event, Record},
    ids::NodeId,
};
use worknode_journal::{EventFilter, Reader};

/// Of a move: the parent that was left. Nothing of any other event, and where it cannot be told.
#[must_use]
pub fn parent_before(reader: &Reader, moved: &Record) -> Option<NodeId> {
    if !matches!(moved.event, Event::NodeMoved { .. }) {
        return None;
    }
    let filter = EventFilter {
        node: Some(moved.node),
        until: Some(moved.at),
        types: ["node_created", "node_moved"].map(str::to_owned).to_vec(),
        newest_first: true,
        limit: 2,
        ..EventFilter::default()
    };
    let places = reader
        .events(&filter)
        .inspect_err(|error| tracing::warn!(%error, "where something hung before cannot be told"));
    // The move itself, and what gave it its place before.
    match places.ok()?.get(1).map(|record| &record.event) {
        Some(Event::NodeCreated { node }) => node.parent,
        Some(Event::NodeMoved { parent }) => Some(*parent),
        _ => None,
    }
}
