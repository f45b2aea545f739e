//! One look at all processes for all shims that need one.
//!
//! What carries the run's mark and does not descend from the shim is found only by looking at
//! every process of the machine. When a thousand runs end at once, a thousand shims would look
//! at thousands of processes each. So whoever looks, looks for all, and leaves what it found
//! beside the runs' directories. It serves those who needed a look before that one began.
//!
//! Nothing rests on the others. What they found is looked at again before it is believed; one
//! that hangs is not waited for; and who cannot share looks alone.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
    time::{ClockId, clock_gettime},
};
use worknode_core::{ids::RunId, run::ProcessIdentity};

use crate::{
    marked::{MARK, carries, find_marked, marks},
    procfs,
};

/// How long another shim's look is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// Where all find it, beside the runs' directories.
const FOUND: &str = "marks";
const FOUND_NEW: &str = "marks.new";

/// Finds what carries the mark of a run.
#[derive(Debug)]
pub(super) struct Sweep {
    run: String,
    /// The directory of all runs.
    beside: PathBuf,
    needed: Option<Needed>,
}

/// Since when a look is needed: by the clock that all shims share, and by this one's.
#[derive(Clone, Copy, Debug)]
struct Needed {
    since: Duration,
    patience: Instant,
}

impl Sweep {
    pub(super) fn new(run: String, beside: &Path) -> Self {
        Self {
            run,
            beside: beside.to_path_buf(),
            needed: None,
        }
    }

    /// Only a look from now on counts.
    pub(super) fn restart(&mut self) {
        self.needed = None;
    }

    /// What carries the mark; `None` while another shim is looking: ask again in a moment.
    pub(super) fn look(&mut self, now: Instant) -> Option<Vec<ProcessIdentity>> {
        let needed = *self.needed.get_or_insert_with(|| Needed {
            since: since_boot(),
            patience: now + PATIENCE,
        });
        let found = match self.shared(needed.since) {
            Ok(Some(pids)) => {
                let mark = format!("{MARK}={}", self.run).into_bytes();
                pids.into_iter().filter_map(|pid| carries(pid, &mark)).collect()
            }
            Ok(None) if now < needed.patience => return None,
            Ok(None) | Err(_) => find_marked(MARK, &self.run),
        };
        self.needed = None;
        Some(found)
    }

    /// What a look that began since then has found; `None` when another shim is looking.
    fn shared(&self, since: Duration) -> io::Result<Option<Vec<u32>>> {
        if let Some(found) = self.found(since)? {
            return Ok(Some(found));
        }
        // The lock ends with the file, and so with the process that holds it.
        let lock = File::open(&self.beside)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        // Whoever held it may have looked.
        if let Some(found) = self.found(since)? {
            return Ok(Some(found));
        }
        let begun = since_boot();
        let mut all = marks(MARK);
        all.retain(|(_, run)| run.parse::<RunId>().is_ok());
        self.leave(begun, &all)?;
        let ours = all.into_iter().filter(|(_, run)| *run == self.run);
        Ok(Some(ours.map(|(pid, _)| pid).collect()))
    }

    fn found(&self, since: Duration) -> io::Result<Option<Vec<u32>>> {
        match fs::read_to_string(self.beside.join(FOUND)) {
            Ok(text) => Ok(of_run(&text, procfs::boot_id()?, since, &self.run)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A line that says when, then one for each process. Whoever reads it reads it whole.
    fn leave(&self, begun: Duration, all: &[(u32, String)]) -> io::Result<()> {
        let mut text = format!("{} {}\n", procfs::boot_id()?, begun.as_nanos());
        for (pid, run) in all {
            text.push_str(&format!("{run} {pid}\n"));
        }
        let new = self.beside.join(FOUND_NEW);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&new)?.write_all(text.as_bytes())?;
        fs::rename(new, self.beside.join(FOUND))
    }
}

/// The processes of a run in what somebody left; `None` when that look began too early.
fn of_run(text: &str, boot: &str, since: Duration, run: &str) -> Option<Vec<u32>> {
    let (head, rest) = text.split_once('\n')?;
    let begun = head.strip_prefix(boot)?.trim_start().parse::<u128>().ok()?;
    if begun < since.as_nanos() {
        return None;
    }
    let ours = rest
        .lines()
        .filter_map(|line| line.strip_prefix(run)?.strip_prefix(' '));
    Some(ours.filter_map(|pid| pid.parse().ok()).collect())
}

fn since_boot() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use worknode_core::ids::NodeId;

    use super::*;

    fn run(name: &str) -> String {
        RunId::derived(NodeId::ROOT, name).to_string()
    }

    #[test]
    fn p4_a_look_that_began_before_it_was_needed_or_before_the_boot_does_not_count() {
        let text = format!("boot 1000\n{} 7\n{} 8\n", run("a"), run("b"));
        let of = |boot, nanos| of_run(&text, boot, Duration::from_nanos(nanos), &run("a"));
        assert_eq!(of("boot", 1000), Some(vec![7]));
        assert_eq!(of("boot", 1001), None);
        assert_eq!(of("later", 1000), None);
        assert_eq!(of_run("boot 10", "boot", Duration::ZERO, "a"), None);
    }

    #[test]
    fn p7_what_another_shim_says_is_not_believed_unseen() {
        let dir = tempfile::tempdir().unwrap();
        let mut sweep = Sweep::new(run("a"), dir.path());
        let far = since_boot() + Duration::from_secs(1000);
        sweep.leave(far, &[(std::process::id(), run("a"))]).unwrap();
        assert_eq!(
            sweep.shared(since_boot()).unwrap(),
            Some(vec![std::process::id()])
        );
        assert_eq!(sweep.look(Instant::now()), Some(Vec::new()));
    }

    #[test]
    fn p4_a_shim_that_hangs_while_it_looks_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let hangs = File::open(dir.path()).unwrap();
        flock(&hangs, FlockOperation::LockExclusive).unwrap();
        let mut sweep = Sweep::new(run("a"), dir.path());
        let now = Instant::now();
        assert_eq!(sweep.look(now), None);
        assert_eq!(sweep.look(now + PATIENCE), Some(Vec::new()));
    }

    #[test]
    fn p4_one_look_serves_all_who_needed_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = Sweep::new(run("a"), dir.path());
        let needed = since_boot();
        assert_eq!(first.look(Instant::now()), Some(Vec::new()));
        let second = Sweep::new(run("b"), dir.path());
        assert_eq!(second.found(needed).unwrap(), Some(Vec::new()));
        assert_eq!(second.found(since_boot()).unwrap(), None);
    }
}
