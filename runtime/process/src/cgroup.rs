//! The cgroup of a run: one place in which the kernel keeps all its processes, kills them at
//! once, holds them still and counts what they use.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::Timespec,
};

use crate::procfs;

/// The directory of ours beneath the cgroup of the daemon.
pub(crate) const OURS: &str = "worknode";

/// Groups of its own that a run may have made and that are looked into.
const NESTED: usize = 1000;
/// How long the kernel may take to hold a run still.
const FREEZE_TIME: Duration = Duration::from_secs(2);

/// A cgroup of version 2.
#[derive(Clone, Debug)]
pub(crate) struct Cgroup {
    path: PathBuf,
}

/// Where the cgroup of this process is, or why there is none to use.
pub(crate) fn own() -> Result<PathBuf, String> {
    let mounts = read("/proc/self/mountinfo")?;
    let groups = read("/proc/self/cgroup")?;
    let (root, point) = mount_point(&mounts).ok_or("no file system of type cgroup2 is mounted")?;
    let group = unified(&groups).ok_or("this process is in no cgroup of version 2")?;
    let below = Path::new(group)
        .strip_prefix(root)
        .map_err(|_| format!("its cgroup `{group}` is not beneath the mounted one"))?;
    Ok(Path::new(point).join(below))
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{path} cannot be read: {error}"))
}

/// What of the hierarchy is mounted, and where: fields 4 and 5 of mountinfo (proc(5)).
fn mount_point(mounts: &str) -> Option<(&str, &str)> {
    mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let found = (place.next()?, place.next()?);
        (kind.split(' ').next()? == "cgroup2").then_some(found)
    })
}

/// The path in the hierarchy of version 2, from the text of `/proc/PID/cgroup`.
pub(crate) fn unified(groups: &str) -> Option<&str> {
    groups.lines().find_map(|line| line.strip_prefix("0::"))
}

/// Removes the cgroups whose shim is dead and in which nothing is left, as after a kill of shim and
/// daemon together. Answers how many. One that holds a process is left alone: whose it is, only
/// its run can say.
pub fn remove_left_cgroups() -> usize {
    let entries = own().ok().and_then(|own| fs::read_dir(own.join(OURS)).ok());
    let dead = entries.into_iter().flatten().flatten().filter(|entry| {
        let name = entry.file_name();
        name.to_str()
            .and_then(maker)
            .is_some_and(|pid| !procfs::exists(pid))
    });
    // The kernel removes no group that is not empty.
    dead.filter(|entry| fs::remove_dir(entry.path()).is_ok()).count()
}

/// The process that made a cgroup of this name: `RUN.PID`.
fn maker(name: &str) -> Option<u32> {
    let (run, pid) = name.rsplit_once('.')?;
    // The kernel's own files have dots in their names too.
    (!run.starts_with("cgroup")).then(|| pid.parse().ok())?
}

impl Cgroup {
    /// A new one beneath the cgroup of this process. Never one that was there: what was killed
    /// once may still be going away.
    pub(crate) fn create(name: &str) -> Result<Self, String> {
        let ours = own()?.join(OURS);
        let path = ours.join(name);
        let failed = |error: io::Error| format!("`{}` cannot be created: {error}", path.display());
        fs::create_dir_all(&ours).map_err(failed)?;
        // Where controllers are handed down as far as here, each run gets its own limits.
        for controller in ["+memory", "+pids"] {
            let _ = fs::write(ours.join("cgroup.subtree_control"), controller);
        }
        fs::create_dir(&path).map_err(failed)?;
        let created = Self { path };
        if created.file("cgroup.procs").exists() {
            return Ok(created);
        }
        created.remove();
        Err("it is no cgroup file system".to_owned())
    }

    /// One that was created earlier, if it is still there.
    pub(crate) fn open(path: &Path) -> Option<Self> {
        let found = Self {
            path: path.to_path_buf(),
        };
        found.file("cgroup.procs").exists().then_some(found)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file through which a process joins.
    pub(crate) fn procs(&self) -> PathBuf {
        self.file("cgroup.procs")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn has(&self, name: &str) -> bool {
        self.file(name).exists()
    }

    pub(crate) fn can_kill(&self) -> bool {
        self.has("cgroup.kill")
    }

    pub(crate) fn can_freeze(&self) -> bool {
        self.has("cgroup.freeze")
    }

    /// The controllers that count and limit here.
    pub(crate) fn controllers(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("cgroup.controllers")).unwrap_or_default();
        text.split_ascii_whitespace().map(str::to_owned).collect()
    }

    /// Kills everything in it, forks under way included.
    pub(crate) fn kill(&self) -> io::Result<()> {
        fs::write(self.file("cgroup.kill"), "1")
    }

    /// Limits that the kernel itself keeps, where the controllers are there.
    pub(crate) fn limit(&self, memory: Option<u64>, processes: Option<u32>) {
        if let Some(bytes) = memory {
            let _ = fs::write(self.file("memory.max"), bytes.to_string());
        }
        if let Some(count) = processes {
            let _ = fs::write(self.file("pids.max"), count.to_string());
        }
    }

    /// The processes in it and beneath it.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let mut pids = Vec::new();
        for group in self.groups() {
            let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
            pids.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
        }
        // Zero stands for a process that is not to be seen from here.
        pids.retain(|pid| *pid != 0);
        pids
    }

    /// It and the groups that the run made beneath it, outer ones first.
    fn groups(&self) -> Vec<PathBuf> {
        let mut groups = vec![self.path.clone()];
        let mut next = 0;
        while let Some(group) = groups.get(next).cloned() {
            next += 1;
            let entries = fs::read_dir(group).into_iter().flatten().flatten();
            let inner = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            groups.extend(inner.map(|entry| entry.path()));
            groups.truncate(NESTED);
        }
        groups
    }

    /// Holds everything in it still, or lets it go on, and waits until it is so.
    pub(crate) fn freeze(&self, still: bool) -> io::Result<()> {
        let (write, wanted) = if still {
            ("1", "frozen 1")
        } else {
            ("0", "frozen 0")
        };
        fs::write(self.file("cgroup.freeze"), write)?;
        let deadline = Instant::now() + FREEZE_TIME;
        let mut events = File::open(self.file("cgroup.events"))?;
        loop {
            let mut text = String::new();
            events.read_to_string(&mut text)?;
            if text.lines().any(|line| line == wanted) {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the kernel has not done it in time",
                ));
            }
            let timeout = Timespec::try_from(left.min(Duration::from_millis(100))).ok();
            poll(&mut [PollFd::new(&events, PollFlags::PRI)], timeout.as_ref())?;
            events = File::open(self.file("cgroup.events"))?;
        }
    }

    /// Processor time used in it so far.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        let text = fs::read_to_string(self.file("cpu.stat")).ok()?;
        let usage = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
        usage.trim().parse().ok().map(Duration::from_micros)
    }

    /// Memory that cannot be had back, where the controller counts it: the cache of files
    /// counts against nobody.
    pub(crate) fn memory(&self) -> Option<u64> {
        let text = fs::read_to_string(self.file("memory.stat")).ok()?;
        let anonymous = text.lines().find_map(|line| line.strip_prefix("anon "))?;
        anonymous.trim().parse().ok()
    }

    /// Removes it, which succeeds when nothing is left in it.
    pub(crate) fn remove(&self) {
        for group in self.groups().iter().rev() {
            let _ = fs::remove_dir(group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_dead_process_made_and_left_empty_is_removed() {
        assert_eq!(maker("0191-a.77"), Some(77));
        for other in ["cgroup.procs", "cgroup.77", "plain", "a.b"] {
            assert_eq!(maker(other), None, "{other}");
        }
        // No process can have this number.
        let (Ok(left), Ok(mine)) = (
            Cgroup::create(&format!("left.{}", i32::MAX)),
            Cgroup::create(&format!("mine.{}", std::process::id())),
        ) else {
            return;
        };
        assert!(remove_left_cgroups() >= 1);
        assert_eq!((left.path().exists(), mine.path().exists()), (false, true));
        mine.remove();
    }

    #[test]
    fn the_mount_and_the_own_group_are_read_as_the_kernel_writes_them() {
        let mounts = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                      38 31 0:35 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n";
        assert_eq!(mount_point(mounts), Some(("/", "/sys/fs/cgroup/unified")));
        assert_eq!(mount_point("nonsense\n - cgroup2"), None);
        assert_eq!(unified("9:name=systemd:/\n0::/user.slice\n"), Some("/user.slice"));
    }
}
