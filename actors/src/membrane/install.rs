//! The membranes of the configuration are put in front of their Worknodes at a start.

use std::collections::BTreeMap;

use worknode_core::{
    error::Error,
    event::{Draft, Event, Principal},
    ids::NodeId,
    membrane::MembraneSpec,
};
use worknode_journal::{EventFilter, Reader};

use crate::system::System;

/// The changes that bring the membranes of the definition's Worknodes in line with it. One that
/// somebody set by hand stays where the configuration says nothing of that Worknode; one that an
/// earlier configuration set goes with it.
pub(crate) fn changes(system: &System) -> Result<Vec<Draft>, Error> {
    let team = system.team();
    let wanted: BTreeMap<NodeId, &MembraneSpec> =
        team.membranes.iter().map(|(node, spec)| (*node, spec)).collect();
    let mut changes = Vec::new();
    for (id, _) in team.nodes() {
        let stored = system.reader().node(id)?.and_then(|node| node.body.membrane);
        let wanted = wanted.get(&id).filter(|spec| !spec.is_empty());
        let membrane = match (stored.as_deref(), wanted) {
            (Some(stored), Some(wanted)) if stored == *wanted => continue,
            (None, None) => continue,
            (Some(_), None) if !is_of_a_configuration(system.reader(), id)? => continue,
            (_, wanted) => wanted.map(|spec| Box::new((*spec).clone())),
        };
        changes.push(Draft {
            node: id,
            by: Principal::Runtime,
            cause: None,
            event: Event::MembraneSet { membrane },
        });
    }
    Ok(changes)
}

/// Who set it last? The runtime does so here alone.
fn is_of_a_configuration(reader: &Reader, node: NodeId) -> Result<bool, Error> {
    let last = reader.events(&EventFilter {
        node: Some(node),
        types: vec!["membrane_set".to_owned()],
        newest_first: true,
        limit: 1,
        ..EventFilter::default()
    })?;
    Ok(last.first().is_some_and(|record| record.by == Principal::Runtime))
}
