//! What carries a run's mark. A descendant can leave the group and the session of its run; it
//! seldom changes its environment.

use std::{
    fs::File,
    io::{self, Read},
};

use worknode_core::run::ProcessIdentity;

use crate::{
    identity::Look,
    procfs::{self, Stat},
};

/// The variable that marks every process of a run; its value is the run's id.
pub const MARK: &str = "WORKNODE_RUN";

/// The variable that marks the shim of a run.
pub(crate) const SHIM_MARK: &str = "WORKNODE_SHIM";

/// Most that is read of one environment. The kernel allows arguments and environment together
/// a quarter of the stack limit and never more than 6 MiB.
const ENVIRON_MAX: u64 = 6 * 1024 * 1024;
/// What most environments fit in.
const ENVIRON_USUAL: usize = 8 * 1024;

/// The processes whose environment at their start had `key` with exactly `value`.
///
/// The calling process is never among them, nor what has exited. Not found is what replaced or
/// overwrote its environment, and what belongs to another user. Reads all of `/proc`: call it
/// where blocking for some milliseconds is fine.
#[must_use]
pub fn find_marked(key: &str, value: &str) -> Vec<ProcessIdentity> {
    let mark = format!("{key}={value}").into_bytes();
    let own = std::process::id();
    let pids = procfs::pids().unwrap_or_else(|error| {
        tracing::warn!(%error, "processes cannot be listed: no marked process can be found");
        Vec::new()
    });
    pids.into_iter()
        .filter(|pid| *pid != own)
        .filter_map(|pid| carries(pid, &mark))
        .collect()
}

/// Who had `key` in the environment at its start, and with which value; as [`find_marked`]
/// looks, but only once.
pub(crate) fn marks(key: &str) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for pid in procfs::pids().unwrap_or_default() {
        let Ok(block) = environ(pid) else { continue };
        for value in values(&block, key) {
            found.push((pid, String::from_utf8_lossy(value).into_owned()));
        }
    }
    found
}

/// The identity of `pid` when it carries the mark. It is looked at before and after, so that
/// the environment of one process is never ascribed to the next with its number.
pub(crate) fn carries(pid: u32, mark: &[u8]) -> Option<ProcessIdentity> {
    // Most processes carry no mark and need no second look.
    if !has_variable(&environ(pid).ok()?, mark) {
        return None;
    }
    let before = Stat::read(pid).ok()?;
    let marked = has_variable(&environ(pid).ok()?, mark);
    let after = Stat::read(pid).ok()?;
    let same = before.start_time == after.start_time && !after.has_exited();
    if marked && same {
        ProcessIdentity::from_stat(&after).ok()
    } else {
        None
    }
}

/// The value of a variable in the environment of `pid`, as it was at its start.
pub(crate) fn variable(pid: u32, key: &str) -> io::Result<Option<String>> {
    let block = environ(pid)?;
    let first = values(&block, key).next();
    Ok(first.map(|value| String::from_utf8_lossy(value).into_owned()))
}

fn values<'a>(block: &'a [u8], key: &str) -> impl Iterator<Item = &'a [u8]> {
    block
        .split(|byte| *byte == 0)
        .filter_map(move |variable| variable.strip_prefix(key.as_bytes())?.strip_prefix(b"="))
}

fn environ(pid: u32) -> io::Result<Vec<u8>> {
    // Room for most at once: every further read costs the kernel a look into the process.
    let mut bytes = Vec::with_capacity(ENVIRON_USUAL);
    File::open(procfs::environ_path(pid))?
        .take(ENVIRON_MAX)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a block of NUL-terminated variables holds exactly this one.
fn has_variable(block: &[u8], mark: &[u8]) -> bool {
    block.split(|byte| *byte == 0).any(|variable| variable == mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_variable_is_a_mark() {
        let block = b"A=1\0WORKNODE_RUN=abc\0B=WORKNODE_RUN=x\0";
        assert!(has_variable(block, b"WORKNODE_RUN=abc"));
        for other in [
            "WORKNODE_RUN=ab",
            "WORKNODE_RUN=abcd",
            "RUN=abc",
            "WORKNODE_RUN=x",
        ] {
            assert!(!has_variable(block, other.as_bytes()), "{other}");
        }
    }
}
