//! All processes of a run, as its shim sees them: see them, signal them, hold them still.
//!
//! Two nets are under each other. Whatever the run forks is in its cgroup, and descends from
//! the shim: a process that loses its parent is given to the nearest subreaper, which is the
//! shim. So neither a double fork nor a new session leads out.
//!
//! Every signal goes through a pidfd that was checked to mean the process that was seen: a
//! grandchild's number may belong to a stranger by the time of the signal.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io,
    time::{Duration, Instant},
};

use rustix::{
    event::poll,
    fs::Timespec,
    process::{Signal, pidfd_send_signal},
};

use crate::{
    cgroup::Cgroup,
    identity::vanished,
    procfs::{self, Stat},
    watch::open_pidfd,
};

/// How long a run may take to be held still. One that forks faster is killed as it is.
const HOLD_TIME: Duration = Duration::from_secs(1);
const MOMENT: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 1_000_000,
};

/// One process of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) stat: Stat,
    /// Whether it is in the cgroup.
    pub(crate) grouped: bool,
}

/// The processes of the run of this process.
#[derive(Debug)]
pub(crate) struct Tree {
    root: u32,
    cgroup: Option<Cgroup>,
}

impl Tree {
    /// The descendants of this process, and what is in the cgroup.
    pub(crate) fn new(cgroup: Option<Cgroup>) -> Self {
        Self {
            root: std::process::id(),
            cgroup,
        }
    }

    pub(crate) const fn cgroup(&self) -> Option<&Cgroup> {
        self.cgroup.as_ref()
    }

    /// Those that have not exited.
    pub(crate) fn members(&self) -> Vec<Member> {
        let mut pids: BTreeMap<u32, bool> = descendants(self.root)
            .into_iter()
            .map(|pid| (pid, false))
            .collect();
        // After the descendants: what was forked in between is in the cgroup for certain.
        let grouped = self.cgroup.as_ref().map(Cgroup::pids).unwrap_or_default();
        pids.extend(grouped.into_iter().map(|pid| (pid, true)));
        pids.remove(&self.root);
        let members = pids.into_iter().filter_map(|(pid, grouped)| {
            let stat = Stat::read(pid).ok().filter(|stat| !stat.has_exited())?;
            Some(Member { stat, grouped })
        });
        members.collect()
    }

    /// Holds every process still. Answers when no new one turns up.
    pub(crate) fn freeze(&self) -> io::Result<()> {
        match self.cgroup() {
            Some(cgroup) if cgroup.can_freeze() => cgroup.freeze(true).inspect_err(|_| {
                let _ = cgroup.freeze(false);
            }),
            _ => self.hold(|_| true).map(|_| ()),
        }
    }

    /// Lets every process go on, however it was held.
    pub(crate) fn thaw(&self) -> io::Result<()> {
        if let Some(cgroup) = self.cgroup().filter(|cgroup| cgroup.can_freeze()) {
            return cgroup.freeze(false);
        }
        self.signal(&self.members(), Signal::CONT);
        Ok(())
    }

    /// Stops those that are meant, again and again until no new one turns up.
    fn hold(&self, meant: impl Fn(&Member) -> bool) -> io::Result<Vec<Member>> {
        let mut held = HashSet::new();
        let deadline = Instant::now() + HOLD_TIME;
        while Instant::now() < deadline {
            let members: Vec<Member> = self.members().into_iter().filter(&meant).collect();
            let mut found = false;
            for member in &members {
                if held.insert((member.stat.pid, member.stat.start_time)) {
                    found = true;
                    signal(&member.stat, Signal::STOP);
                }
            }
            if found {
                continue;
            }
            if members.iter().all(|member| member.stat.is_stopped()) {
                return Ok(members);
            }
            // One that runs on another processor stops at its next look at its signals.
            let _ = poll(&mut [], Some(&MOMENT));
        }
        Err(io::Error::other("it forks faster than it can be held"))
    }

    /// Signals these processes. What has ended meanwhile is no error.
    pub(crate) fn signal(&self, members: &[Member], sent: Signal) {
        for member in members {
            signal(&member.stat, sent);
        }
    }

    /// Kills what is in the cgroup at once. True when there is one that can.
    pub(crate) fn kill_group(&self) -> bool {
        self.cgroup()
            .is_some_and(|cgroup| cgroup.can_kill() && cgroup.kill().is_ok())
    }

    /// Kills what descends from the shim and was not killed with the cgroup: first held still,
    /// so that none forks while the others are being killed. How many there were.
    pub(crate) fn kill_descendants(&self, grouped_too: bool) -> usize {
        let meant = |member: &Member| grouped_too || !member.grouped;
        let members = self
            .hold(meant)
            .unwrap_or_else(|_| self.members().into_iter().filter(meant).collect());
        self.signal(&members, Signal::KILL);
        members.len()
    }
}

/// Signals the process that was seen, and no other.
pub(crate) fn signal(seen: &Stat, signal: Signal) {
    let Ok(fd) = open_pidfd(seen.pid) else { return };
    // The number means the same process before and after: the descriptor means it too.
    if Stat::read(seen.pid).is_ok_and(|now| now.start_time == seen.start_time) {
        let _ = pidfd_send_signal(&fd, signal);
    }
}

/// The numbers of all that descends from `root`, as far as can be seen while it changes.
fn descendants(root: u32) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        match procfs::children(pid) {
            Ok(children) => open.extend(children.into_iter().filter(|child| found.insert(*child))),
            Err(error) if vanished(&error) && pid != root => {}
            // A kernel that does not list children: look at everybody's parent.
            Err(_) => return by_parents(root),
        }
    }
    found
}

fn by_parents(root: u32) -> BTreeSet<u32> {
    let all: Vec<Stat> = procfs::pids()
        .unwrap_or_default()
        .into_iter()
        .filter_map(|pid| Stat::read(pid).ok())
        .collect();
    let mut found = BTreeSet::new();
    let mut open = vec![root];
    while let Some(parent) = open.pop() {
        let children = all.iter().filter(|stat| stat.parent == parent);
        open.extend(children.map(|stat| stat.pid).filter(|pid| found.insert(*pid)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p4_both_ways_of_seeing_descendants_agree() {
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", "sleep 1000 & wait"])
            .spawn()
            .unwrap();
        let children = loop {
            let found = descendants(child.id());
            if !found.is_empty() {
                break found;
            }
            std::thread::yield_now();
        };
        assert_eq!(by_parents(child.id()), children);
        for pid in children {
            signal(&Stat::read(pid).unwrap(), Signal::KILL);
        }
        child.wait().unwrap();
        assert!(descendants(child.id()).is_empty());
    }

    #[test]
    fn p7_a_number_that_means_another_process_is_not_signalled() {
        let mut earlier = Stat::read(std::process::id()).unwrap();
        earlier.start_time += 1;
        signal(&earlier, Signal::KILL);
    }
}
