//! Which process is meant. A pid alone does not say: the kernel hands numbers out again.

use std::io;

use rustix::process::{Pid, test_kill_process};
use worknode_core::run::ProcessIdentity;

use crate::procfs::{self, Stat};

/// Whether a process still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// This very process runs.
    Alive,
    /// It has ended. Its number may belong to another process by now.
    Gone,
    /// It cannot be told. Never signal a process in this case, and never call it dead.
    Unknown,
}

/// What this machine knows of an identity.
pub trait Identify: Sized {
    /// The identity of the process that has the number `pid` now.
    ///
    /// # Errors
    ///
    /// When there is no such process, or `/proc` cannot be read.
    fn of(pid: u32) -> io::Result<Self>;

    /// Whether this process still runs. One that has exited and waits to be reaped is gone.
    fn is_alive(&self) -> Liveness;
}

/// The same, for this crate: with what `/proc` says.
pub(crate) trait Look: Sized {
    /// The identity of the process that `stat` is about.
    fn from_stat(stat: &Stat) -> io::Result<Self>;

    /// The process as it is now, `None` when it is gone.
    fn look(&self) -> io::Result<Option<Stat>>;
}

impl Identify for ProcessIdentity {
    fn of(pid: u32) -> io::Result<Self> {
        Self::from_stat(&Stat::read(pid)?)
    }

    fn is_alive(&self) -> Liveness {
        match self.look() {
            Ok(Some(_)) => Liveness::Alive,
            Ok(None) => Liveness::Gone,
            Err(_) => Liveness::Unknown,
        }
    }
}

impl Look for ProcessIdentity {
    fn from_stat(stat: &Stat) -> io::Result<Self> {
        Ok(Self {
            pid: stat.pid,
            start_time: stat.start_time,
            boot_id: procfs::boot_id()?.to_owned(),
        })
    }

    fn look(&self) -> io::Result<Option<Stat>> {
        if procfs::boot_id()? != self.boot_id {
            return Ok(None);
        }
        match Stat::read(self.pid) {
            Ok(stat) => Ok((stat.start_time == self.start_time && !stat.has_exited()).then_some(stat)),
            Err(error) if vanished(&error) && no_such_process(self.pid) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The errors that `/proc` gives for a process that is not there (any more).
pub(crate) fn vanished(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

/// A `/proc` mounted with `hidepid` shows no entry for a process of somebody else. Only the
/// kernel's own "no such process" makes the missing entry a proof.
fn no_such_process(pid: u32) -> bool {
    match raw_pid(pid) {
        Some(pid) => test_kill_process(pid) == Err(rustix::io::Errno::SRCH),
        None => true,
    }
}

/// A number that the kernel can take for a single process. Zero and negative numbers mean
/// groups to `kill(2)`.
pub(crate) fn raw_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> ProcessIdentity {
        ProcessIdentity::of(std::process::id()).unwrap()
    }

    #[test]
    fn this_process_is_alive_and_its_identity_survives_storage() {
        let stored = serde_json::to_string(&own()).unwrap();
        let read: ProcessIdentity = serde_json::from_str(&stored).unwrap();
        assert_eq!(read, own());
        assert_eq!(read.is_alive(), Liveness::Alive);
    }

    #[test]
    fn p7_the_same_number_with_another_start_or_boot_is_another_process() {
        let other_start = ProcessIdentity {
            start_time: own().start_time + 1,
            ..own()
        };
        let other_boot = ProcessIdentity {
            boot_id: "another boot".to_owned(),
            ..own()
        };
        assert_eq!(other_start.is_alive(), Liveness::Gone);
        assert_eq!(other_boot.is_alive(), Liveness::Gone);
    }

    #[test]
    fn numbers_that_no_process_can_have_are_gone() {
        for pid in [0, u32::MAX, i32::MAX.unsigned_abs()] {
            assert_eq!(
                ProcessIdentity { pid, ..own() }.is_alive(),
                Liveness::Gone,
                "{pid}"
            );
        }
    }
}
