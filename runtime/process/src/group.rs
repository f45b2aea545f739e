//! The members of a process group: see them, signal them, wait for them.
//!
//! The danger is the number. Once a group has no member left, the kernel may hand its number
//! out again, and a signal meant for a run hits a stranger. So a group is only ever signalled
//! while a member that was recognised earlier by pid and start time is a member still: a number
//! in use by one group is not given to another.
//!
//! A few microseconds lie between the check and the signal. The number would have to come round
//! through the whole range of pids within them.

use std::{collections::HashSet, io};

use crate::{
    identity::{raw_pid, vanished},
    procfs::{self, Stat},
    watch::Held,
};
use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process_group},
};

/// Members watched at the same time; each costs a file descriptor. The rest is looked at when
/// these have ended.
const WATCHED: usize = 64;

/// Members remembered for the report. A group that forks faster is stopped all the same.
const REMEMBERED: usize = 65_536;

/// The number of a process group that can be signalled: not zero and not one, which to
/// `kill(2)` mean the group of the caller and everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupId(Pid);

impl GroupId {
    pub(crate) fn new(number: u32) -> Option<Self> {
        raw_pid(number).filter(|pid| !pid.is_init()).map(Self)
    }

    const fn number(self) -> u32 {
        self.0.as_raw_nonzero().get().unsigned_abs()
    }

    /// The members that have not exited.
    ///
    /// The group is read from `/proc`. `getpgid` would be faster, but it answers zero for kernel
    /// threads and for groups outside a container, which rustix does not allow for.
    fn members(self) -> io::Result<Vec<Stat>> {
        let mut members = Vec::new();
        for pid in procfs::pids()? {
            match Stat::read(pid) {
                Ok(stat) if stat.group == self.number() && !stat.has_exited() => members.push(stat),
                Ok(_) => {}
                Err(error) if vanished(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(members)
    }
}

/// Why the processes of a [`Group`] are known to be the right ones.
#[derive(Debug)]
enum Hold {
    /// A member that was recognised is still one.
    Group(GroupId),
    /// Not a group: only the one process that is held.
    Alone,
}

/// The processes that are stopped together.
#[derive(Debug)]
pub(crate) struct Group {
    hold: Hold,
    held: Vec<Held>,
    seen: HashSet<(u32, u64)>,
}

impl Group {
    fn new(hold: Hold, held: Vec<Held>) -> Self {
        Self {
            hold,
            held,
            seen: HashSet::new(),
        }
    }

    /// The group of a leader that was recognised.
    pub(crate) fn of_leader(id: GroupId, leader: Held) -> Self {
        Self::new(Hold::Group(id), vec![leader])
    }

    /// One process, whatever its group.
    pub(crate) fn of_one(process: Held) -> Self {
        Self::new(Hold::Alone, vec![process])
    }

    /// Counts the members and takes hold of them.
    pub(crate) async fn look(&mut self) -> io::Result<usize> {
        let id = match &self.hold {
            Hold::Alone => return self.look_at_one(),
            Hold::Group(id) => *id,
        };
        let members = tokio::task::spawn_blocking(move || id.members())
            .await
            .map_err(io::Error::other)??;
        let mut held = Vec::new();
        for member in members.iter().take(WATCHED) {
            held.extend(Held::open(member)?);
        }
        // After the members were read: whoever held the number then, they share the group with.
        if !held.is_empty() && !self.anchored(id) {
            return Err(unproved(id));
        }
        let room = REMEMBERED.saturating_sub(self.seen.len());
        self.seen.extend(
            members
                .iter()
                .take(room)
                .map(|member| (member.pid, member.start_time)),
        );
        self.held = held;
        Ok(self.held.len() + members.len().saturating_sub(WATCHED))
    }

    fn look_at_one(&mut self) -> io::Result<usize> {
        let mut alive = 0;
        for process in &self.held {
            if let Some(stat) = process.stat()? {
                self.seen.insert((stat.pid, stat.start_time));
                alive += 1;
            }
        }
        Ok(alive)
    }

    /// True while a member that we recognised is still a member.
    fn anchored(&self, id: GroupId) -> bool {
        self.held
            .iter()
            .any(|held| matches!(held.stat(), Ok(Some(stat)) if stat.group == id.number()))
    }

    /// Signals every member, if the number is certain to mean this group. No member at all is
    /// no error.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        let id = match &self.hold {
            Hold::Alone => return self.held.iter().try_for_each(|held| held.signal(signal)),
            Hold::Group(id) if self.anchored(*id) => *id,
            Hold::Group(id) => return Err(unproved(*id)),
        };
        match kill_process_group(id.0, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until no member is left.
    pub(crate) async fn emptied(&mut self) -> io::Result<()> {
        while self.look().await? > 0 {
            self.these_exited().await?;
        }
        Ok(())
    }

    /// How many members have been seen so far.
    pub(crate) fn seen(&self) -> usize {
        self.seen.len()
    }

    /// Waits until those members have exited that were there at the last look.
    pub(crate) async fn these_exited(&self) -> io::Result<()> {
        for member in &self.held {
            member.exited().await?;
        }
        Ok(())
    }
}

fn unproved(id: GroupId) -> io::Error {
    let number = id.number();
    io::Error::other(format!(
        "group {number} can no longer be proved to be the one that was meant"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p7_everybody_is_not_a_group_that_can_be_signalled() {
        for number in [0, 1, u32::MAX] {
            assert_eq!(GroupId::new(number), None, "{number}");
        }
    }

    #[tokio::test]
    async fn p7_a_group_without_a_known_member_is_not_signalled() {
        // No process can have this number, and nothing is held that could vouch for it.
        let id = GroupId::new(i32::MAX.unsigned_abs()).unwrap();
        assert!(
            Group::new(Hold::Group(id), Vec::new())
                .signal(Signal::KILL)
                .is_err()
        );
    }
}
