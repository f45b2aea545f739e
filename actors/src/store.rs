//! Questions that several actors ask the store, in terms of the tree.

use std::collections::HashSet;

use worknode_core::{
    error::Error,
    git::CommitId,
    ids::NodeId,
    node::{Kind, Node},
    task::TaskStatus,
};
use worknode_journal::{NodeFilter, Reader};

/// The states of a task that somebody holds.
pub const HELD: [&str; 2] = ["claimed", "in_progress"];
/// Tasks that were over last, of which one may have landed what is looked for.
const LANDED: usize = 1_000;

/// The states of a task that is not over. What is over stays for ever and becomes much; who looks
/// at all tasks looks at these.
pub const OPEN: [&str; 6] = [
    "pending",
    "ready",
    "claimed",
    "in_progress",
    "in_review",
    "blocked",
];

/// All Worknodes of one kind, oldest first. Only for kinds of which there are few.
///
/// # Errors
/// When the store cannot be read.
pub fn all_of_kind(reader: &Reader, kind: Kind) -> Result<Vec<Node>, Error> {
    all(
        reader,
        NodeFilter {
            kind: Some(kind),
            ..NodeFilter::default()
        },
    )
}

/// The tasks that are not over, those of the plan, and of the others those that were over last: what
/// became of all that ever was in a large tree is for a query. Oldest first.
///
/// # Errors
/// When the store cannot be read.
pub fn tasks_of_plan(reader: &Reader, planned: &HashSet<NodeId>) -> Result<Vec<Node>, Error> {
    let mut found = tasks_that_are(reader, &OPEN)?;
    found.extend(reader.last_finished(&Kind::Task, LANDED)?);
    let known: HashSet<NodeId> = found.iter().map(|node| node.id).collect();
    for id in planned.difference(&known) {
        found.extend(reader.node(*id)?.filter(|node| node.kind == Kind::Task));
    }
    found.sort_unstable_by_key(|node| (node.created, node.id));
    Ok(found)
}

/// The tasks that are in one of these states: those of the first state first, each oldest first.
///
/// # Errors
/// When the store cannot be read.
pub fn tasks_that_are(reader: &Reader, states: &[&str]) -> Result<Vec<Node>, Error> {
    let mut found = Vec::new();
    for state in states {
        found.extend(all(
            reader,
            NodeFilter {
                kind: Some(Kind::Task),
                status: Some((*state).to_owned()),
                ..NodeFilter::default()
            },
        )?);
    }
    Ok(found)
}

/// All that the filter lets through, page by page.
///
/// # Errors
/// When the store cannot be read.
pub fn all(reader: &Reader, mut filter: NodeFilter) -> Result<Vec<Node>, Error> {
    let mut all = Vec::new();
    loop {
        let page = reader.nodes(&filter)?;
        let Some(last) = page.last() else { return Ok(all) };
        filter.after = Some(last.id);
        all.extend(page);
    }
}

/// Is `commit` one that the runtime landed lately? The tip of a base branch that nobody else moves is
/// the very last; one of long ago is there because somebody put it back, and so is not ours.
///
/// # Errors
/// When the store cannot be read.
pub fn landed(reader: &Reader, commit: &CommitId) -> Result<bool, Error> {
    let tasks = reader.last_finished(&Kind::Task, LANDED)?;
    Ok(tasks.iter().any(|node| {
        matches!(node.task().map(|t| &t.status), Some(TaskStatus::Completed { commit: at, .. }) if at == commit)
    }))
}
