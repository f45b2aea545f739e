//! Which run does a process belong to?
//!
//! For whoever speaks to the daemon: a process can drop the mark from its environment, leave its
//! group and its session, and is still below its shim.

use std::{collections::HashSet, fs, io};

use worknode_core::ids::RunId;

use crate::{
    cgroup::{OURS, unified},
    marked::{SHIM_MARK, variable},
    procfs::Stat,
};

/// Most ancestors that are looked at.
const DEPTH: usize = 4096;

/// The run to which the process `pid` belongs; `None` when it belongs to none.
///
/// Looked at are its ancestors, up to the first that this process descends from too, and its
/// cgroup. The outermost shim counts: a process can start one that looks like another run's, but
/// only below its own.
///
/// # Errors
/// When the process is gone or cannot be seen, or when ancestors and cgroup name two runs. Then
/// it is to be trusted with nothing.
pub fn shim_of(pid: u32) -> io::Result<Option<RunId>> {
    let before = Stat::read(pid)?;
    let above = outermost_shim(before)?;
    let grouped = run_of_cgroup(&fs::read_to_string(format!("/proc/{pid}/cgroup"))?);
    // The number may have been handed on meanwhile.
    if Stat::read(pid)?.start_time != before.start_time {
        return Err(gone());
    }
    match (above, grouped) {
        (Some(above), Some(grouped)) if above != grouped => Err(io::Error::other(format!(
            "process {pid} descends from run {above} and is in the cgroup of run {grouped}"
        ))),
        (above, grouped) => Ok(above.or(grouped)),
    }
}

fn outermost_shim(process: Stat) -> io::Result<Option<RunId>> {
    let own: HashSet<u32> = own_ancestors()?;
    let mut found = None;
    let mut at = process;
    for _ in 0..DEPTH {
        if own.contains(&at.pid) {
            return Ok(found);
        }
        found = mark_of(at.pid)?.or(found);
        if at.parent == 0 {
            return Ok(found);
        }
        let parent = Stat::read(at.parent)?;
        // A parent that began later is a stranger with the number of the one that ended.
        if parent.start_time > at.start_time {
            return Err(gone());
        }
        at = parent;
    }
    Err(io::Error::other("it has too many ancestors"))
}

/// The run of the shim that marked the process's environment, when that can be read.
fn mark_of(pid: u32) -> io::Result<Option<RunId>> {
    match variable(pid, SHIM_MARK) {
        Ok(run) => Ok(run.and_then(|run| run.parse().ok())),
        // The environment of another user's process: none of our shims.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        Err(error) => Err(error),
    }
}

fn own_ancestors() -> io::Result<HashSet<u32>> {
    let mut found = HashSet::new();
    let mut at = std::process::id();
    while at != 0 && found.len() < DEPTH && found.insert(at) {
        at = Stat::read(at)?.parent;
    }
    Ok(found)
}

/// The run that a cgroup is of, from the text of `/proc/PID/cgroup`: the first of ours beyond
/// the part of the path that this process shares.
fn run_of_cgroup(groups: &str) -> Option<RunId> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = unified(&own)?;
    run_in_path(unified(groups)?, own)
}

fn run_in_path(path: &str, own: &str) -> Option<RunId> {
    let mut theirs = path.split('/').filter(|part| !part.is_empty()).peekable();
    for part in own.split('/').filter(|part| !part.is_empty()) {
        if theirs.next_if_eq(&part).is_none() {
            break;
        }
    }
    while let Some(part) = theirs.next() {
        if part == OURS {
            return theirs.next()?.split('.').next()?.parse().ok();
        }
    }
    None
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the process has ended")
}

#[cfg(test)]
mod tests {
    use worknode_core::ids::NodeId;

    use super::*;

    #[test]
    fn a_cgroup_names_the_outermost_run_beyond_our_own() {
        let [outer, inner] = ["outer", "inner"].map(|name| RunId::derived(NodeId::ROOT, name));
        let nested = format!("/a/worknode/{outer}.12/worknode/{inner}.13");
        assert_eq!(run_in_path(&nested, "/a"), Some(outer));
        assert_eq!(run_in_path(&nested, "/b/c"), Some(outer));
        assert_eq!(
            run_in_path(&nested, &format!("/a/worknode/{outer}.12")),
            Some(inner)
        );
        assert_eq!(run_in_path("/a/b", "/a"), None);
        assert_eq!(run_in_path("/worknode/nonsense", "/"), None);
    }

    #[test]
    fn p9_a_process_that_is_not_there_belongs_to_nobody_who_is_trusted() {
        assert!(shim_of(i32::MAX.unsigned_abs()).is_err());
        assert_eq!(shim_of(std::process::id()).unwrap(), None);
    }
}
