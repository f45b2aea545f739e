//! Questions that several actors ask the store, in terms of the tree.

use worknode_core::{
    error::Error,
    git::CommitId,
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
