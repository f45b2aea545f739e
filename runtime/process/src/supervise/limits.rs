//! When a run has reached a limit.
//!
//! Nothing ticks without need: the time, the silence and the absence of a daemon have one moment
//! each at which they could be reached; memory, processes and processor time are measured only
//! when they are limited, seldom while the run is idle.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    time::{Duration, Instant},
};

use worknode_core::time::{Timestamp, millis};

use super::start::now as wall_clock;
use crate::{
    report::Reached,
    resources::{Meter, Resources},
    tree::Tree,
    wire::Limits,
};

/// Between two measurements of a run that works.
const BUSY: Duration = Duration::from_millis(250);
/// The same when it does not, at the most: one that has used no processor time takes no memory and
/// starts nothing. It was 10 s, which cost a thousand idle runs together 2.4 % of a core; how late a
/// burst out of a long sleep may be noticed is the other side of it.
const IDLE: Duration = Duration::from_secs(30);
/// Files looked at for a sign of activity.
const ENTRIES: usize = 20_000;

#[derive(Debug)]
pub(super) struct Watch {
    limits: Limits,
    watched: Vec<PathBuf>,
    meter: Meter,
    begun: Instant,
    /// When the time began to run, moved on by every time of being frozen.
    time_from: Instant,
    /// When the run last showed activity, moved likewise.
    active: Instant,
    frozen_since: Option<Instant>,
    /// Since when no daemon is connected.
    alone_since: Option<Instant>,
    measure_at: Option<Instant>,
    pause: Duration,
}

impl Watch {
    pub(super) fn new(limits: Limits, watched: Vec<PathBuf>, begun: Instant) -> Self {
        let measured = limits.memory.is_some() || limits.processes.is_some() || limits.cpu.is_some();
        Self {
            limits,
            watched,
            meter: Meter::default(),
            begun,
            time_from: begun,
            active: begun,
            frozen_since: None,
            alone_since: Some(begun),
            measure_at: measured.then_some(begun + BUSY),
            pause: BUSY,
        }
    }

    pub(super) const fn grace(&self) -> Duration {
        self.limits.grace
    }

    /// The run has written something, or was heard of.
    pub(super) fn touch(&mut self, now: Instant) {
        self.active = now;
        // Who works again is measured again.
        if self.pause > BUSY && self.measure_at.is_some() {
            self.pause = BUSY;
            self.measure_at = Some(now + BUSY);
        }
    }

    pub(super) fn set_daemon(&mut self, there: bool, now: Instant) {
        if there {
            self.alone_since = None;
        } else {
            self.alone_since.get_or_insert(now);
        }
    }

    pub(super) const fn is_frozen(&self) -> bool {
        self.frozen_since.is_some()
    }

    pub(super) fn freeze(&mut self, now: Instant) {
        self.frozen_since.get_or_insert(now);
    }

    pub(super) fn thaw(&mut self, now: Instant) {
        if let Some(since) = self.frozen_since.take() {
            let still = now.saturating_duration_since(since);
            self.time_from += still;
            self.active += still;
        }
    }

    /// The next moment at which something must be looked at.
    pub(super) fn next(&self) -> Option<Instant> {
        let orphaned = self
            .alone_since
            .and_then(|since| since.checked_add(self.limits.orphan_grace));
        let running = !self.is_frozen();
        let over = self.time_from.checked_add(self.limits.time).filter(|_| running);
        let silent = self.active.checked_add(self.limits.silence).filter(|_| running);
        let measure = self.measure_at.filter(|_| running);
        [orphaned, over, silent, measure].into_iter().flatten().min()
    }

    /// The limit that is reached now, if one is.
    pub(super) fn reached(&mut self, tree: &Tree, now: Instant) -> Option<Reached> {
        let passed = |from: Instant, limit: Duration| now.saturating_duration_since(from) >= limit;
        if self
            .alone_since
            .is_some_and(|since| passed(since, self.limits.orphan_grace))
        {
            return Some(Reached::Orphaned);
        }
        if self.is_frozen() {
            return None;
        }
        if passed(self.time_from, self.limits.time) {
            return Some(Reached::Time);
        }
        if passed(self.active, self.limits.silence) {
            self.look_at_files(now);
            if passed(self.active, self.limits.silence) {
                return Some(Reached::Silence);
            }
        }
        match self.measure_at {
            Some(at) if at <= now => self.measure(tree, now),
            _ => None,
        }
    }

    fn measure(&mut self, tree: &Tree, now: Instant) -> Option<Reached> {
        let used = self.meter.measure(tree);
        self.pause = if used > self.pause / 50 {
            BUSY
        } else {
            (self.pause * 2).min(IDLE)
        };
        self.measure_at = Some(now + self.pause);
        let count = u32::try_from(self.meter.processes()).unwrap_or(u32::MAX);
        if self.limits.memory.is_some_and(|most| self.meter.memory() > most) {
            Some(Reached::Memory)
        } else if self.limits.processes.is_some_and(|most| count > most) {
            Some(Reached::Processes)
        } else if self.limits.cpu.is_some_and(|most| self.meter.cpu() >= most) {
            Some(Reached::Cpu)
        } else {
            None
        }
    }

    /// Counts the newest change of a file as activity.
    fn look_at_files(&mut self, now: Instant) {
        let Some(newest) = newest_change(&self.watched) else {
            return;
        };
        let age = wall_clock().since(newest);
        if let Some(changed) = now.checked_sub(age) {
            self.active = self.active.max(changed);
        }
    }

    /// Measures now, and says everything that is known.
    pub(super) fn resources(&mut self, tree: &Tree, now: Instant) -> Resources {
        self.meter.measure(tree);
        let since = |from: Instant| millis(self.frozen_since.unwrap_or(now).saturating_duration_since(from));
        Resources {
            silent_ms: since(self.active),
            ran_ms: millis(now.saturating_duration_since(self.begun)),
            time_ms: since(self.time_from),
            frozen: self.is_frozen(),
            ..self.meter.resources()
        }
    }
}

/// When the newest file beneath these directories was last changed. The time of the last change
/// of the inode is taken, which nobody can set, and which is never older than that of the
/// content. Links are not followed.
fn newest_change(directories: &[PathBuf]) -> Option<Timestamp> {
    let mut newest = None;
    let mut open = directories.to_vec();
    let mut left = ENTRIES;
    while let Some(path) = open.pop() {
        let Ok(found) = fs::symlink_metadata(&path) else {
            continue;
        };
        let seconds = u64::try_from(found.ctime()).unwrap_or(0);
        let millis = u64::try_from(found.ctime_nsec() / 1_000_000).unwrap_or(0);
        newest = newest.max(Some(Timestamp::from_millis(
            seconds.saturating_mul(1000).saturating_add(millis),
        )));
        if found.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            let before = open.len();
            open.extend(entries.take(left).map(|entry| entry.path()));
            left = left.saturating_sub(open.len() - before);
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_frozen_time_counts_neither_as_time_nor_as_silence() {
        let begun = Instant::now();
        let limits = Limits {
            time: Duration::from_secs(60),
            silence: Duration::from_secs(30),
            ..Limits::none(Duration::ZERO, Duration::MAX)
        };
        let mut watch = Watch::new(limits, Vec::new(), begun);
        let tree = Tree::new(None);
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(watch.next(), Some(at(30)));
        watch.freeze(at(10));
        assert_eq!(watch.next(), None);
        assert_eq!(watch.reached(&tree, at(1000)), None);
        watch.thaw(at(1000));
        assert_eq!(watch.reached(&tree, at(1019)), None);
        assert_eq!(watch.reached(&tree, at(1020)), Some(Reached::Silence));
        watch.touch(at(1040));
        assert_eq!(watch.reached(&tree, at(1049)), None);
        assert_eq!(watch.reached(&tree, at(1050)), Some(Reached::Time));
    }

    #[test]
    fn an_idle_run_is_measured_less_and_less() {
        let begun = Instant::now();
        let limits = Limits {
            processes: Some(1000),
            ..Limits::none(Duration::ZERO, Duration::MAX)
        };
        let mut watch = Watch::new(limits, Vec::new(), begun);
        // The children of a test's own process are not idle; what counts here is the pause.
        let tree = Tree::new(None);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let now = watch.next().unwrap();
            assert_eq!(watch.reached(&tree, now), None);
            pauses.push(watch.next().unwrap() - now);
        }
        assert!(pauses.is_sorted(), "{pauses:?}");
        assert_eq!(pauses.last(), Some(&IDLE));
    }

    #[test]
    fn the_newest_file_counts_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let before = newest_change(&[dir.path().to_path_buf()]).unwrap();
        std::os::unix::fs::symlink("/", dir.path().join("root")).unwrap();
        fs::create_dir(dir.path().join("deep")).unwrap();
        fs::write(dir.path().join("deep/file"), "x").unwrap();
        let after = newest_change(&[dir.path().to_path_buf()]).unwrap();
        assert!(after >= before);
        assert!(wall_clock().since(after) < Duration::from_secs(3600));
        assert_eq!(newest_change(&["/no/such/directory".into()]), None);
    }
}
