//! Questions that several actors ask the store, in terms of the tree.

use worknode_core::{
    bounds,
    error::Error,
    git::CommitId,
    ids::NodeId,
    node::{Kind, Node},
    task::TaskStatus,
};
use worknode_journal::{NodeFilter, Reader};

/// All Worknodes of one kind, oldest first.
///
/// # Errors
/// When the store cannot be read.
pub fn all_of_kind(reader: &Reader, kind: Kind) -> Result<Vec<Node>, Error> {
    let mut all = Vec::new();
    let mut filter = NodeFilter {
        kind: Some(kind),
        ..NodeFilter::default()
    };
    loop {
        let page = reader.nodes(&filter)?;
        let Some(last) = page.last() else { return Ok(all) };
        filter.after = Some(last.id);
        all.extend(page);
    }
}

/// The Worknodes above `node`, its parent first.
///
/// # Errors
/// When the store cannot be read.
pub fn ancestors(reader: &Reader, node: &Node) -> Result<Vec<NodeId>, Error> {
    let mut above = Vec::new();
    let mut parent = node.parent;
    while let Some(id) = parent.filter(|_| above.len() <= bounds::DEPTH) {
        above.push(id);
        parent = reader.node(id)?.and_then(|node| node.parent);
    }
    Ok(above)
}

/// Is `commit` one that the runtime landed?
///
/// # Errors
/// When the store cannot be read.
pub fn landed(reader: &Reader, commit: &CommitId) -> Result<bool, Error> {
    let tasks = all_of_kind(reader, Kind::Task)?;
    Ok(tasks.iter().any(|node| {
        matches!(node.task().map(|t| &t.status), Some(TaskStatus::Completed { commit: at, .. }) if at == commit)
    }))
}
