//! What the kernel says in `/proc`. Everything here reads; nothing signals.

use std::{fs, io, path::PathBuf, sync::OnceLock};

/// The part of `/proc/PID/stat` that identifies a process and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: u32,
    state: u8,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    /// Processor time in clock ticks: its own and that of its children that it waited for.
    pub(crate) ticks: u64,
    /// The second part of it alone.
    pub(crate) child_ticks: u64,
    threads: u64,
    /// Clock ticks after boot.
    pub(crate) start_time: u64,
}

impl Stat {
    /// The state of `pid` now. An exited process that nobody has reaped still has one.
    pub(crate) fn read(pid: u32) -> io::Result<Self> {
        let text = fs::read(format!("/proc/{pid}/stat"))?;
        Self::parse(pid, &text).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("/proc/{pid}/stat cannot be understood"),
            )
        })
    }

    /// The name stands in parentheses and may itself hold spaces and parentheses: what counts
    /// begins after the last one.
    fn parse(pid: u32, text: &[u8]) -> Option<Self> {
        let name_end = text.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(text.get(name_end + 1..)?).ok()?;
        // The first field here is field 3 of proc_pid_stat(5).
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied();
        let number = |at: usize| field(at)?.parse::<u64>().ok();
        let child_ticks = number(16)?.saturating_add(number(17)?);
        Some(Self {
            pid,
            state: *field(3)?.as_bytes().first()?,
            parent: field(4)?.parse().ok()?,
            group: field(5)?.parse().ok()?,
            ticks: number(14)?
                .saturating_add(number(15)?)
                .saturating_add(child_ticks),
            child_ticks,
            threads: field(20)?.parse().ok()?,
            start_time: field(22)?.parse().ok()?,
        })
    }

    /// Stopped, as by SIGSTOP.
    pub(crate) const fn is_stopped(&self) -> bool {
        self.state == b'T'
    }

    /// True when no thread of the process will ever run again. A process whose first thread
    /// has ended is shown as `Z` while its other threads work on: it has not exited.
    pub(crate) const fn has_exited(&self) -> bool {
        match self.state {
            b'X' | b'x' => true,
            b'Z' => self.threads <= 1,
            _ => false,
        }
    }
}

/// The kernel's name for this boot. Start times of two boots cannot be compared.
pub(crate) fn boot_id() -> io::Result<&'static str> {
    static BOOT_ID: OnceLock<String> = OnceLock::new();
    if let Some(known) = BOOT_ID.get() {
        return Ok(known);
    }
    let read = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(BOOT_ID.get_or_init(|| read.trim().to_owned()))
}

/// The numbers of all processes that can be seen.
pub(crate) fn pids() -> io::Result<Vec<u32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) {
            pids.push(pid);
        }
    }
    Ok(pids)
}

/// The children of `pid`, of all its threads. Some may be missing when others end meanwhile.
pub(crate) fn children(pid: u32) -> io::Result<Vec<u32>> {
    let mut children = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(thread?.path().join("children"))?;
        children.extend(
            text.split_ascii_whitespace()
                .filter_map(|child| child.parse::<u32>().ok()),
        );
    }
    Ok(children)
}

/// Bytes of memory that `pid` has to itself: resident and not shared.
pub(crate) fn own_memory(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let mut pages = text
        .split_ascii_whitespace()
        .skip(1)
        .filter_map(|field| field.parse::<u64>().ok());
    let (resident, shared) = (pages.next().unwrap_or(0), pages.next().unwrap_or(0));
    Ok(resident
        .saturating_sub(shared)
        .saturating_mul(rustix::param::page_size() as u64))
}

/// Whether a process has this number.
pub(crate) fn exists(pid: u32) -> bool {
    fs::exists(format!("/proc/{pid}")).unwrap_or(true)
}

/// Where the initial environment of `pid` can be read.
pub(crate) fn environ_path(pid: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/environ"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let text = b"7 (a) R 1 (b)) S 1 5 6 0 -1 0 0 0 0 0 0 0 0 0 20 0 3 0 4242 0 0";
        let stat = Stat::parse(7, text).unwrap();
        assert_eq!(
            (stat.group, stat.threads, stat.start_time, stat.state),
            (5, 3, 4242, b'S')
        );
    }

    #[test]
    fn a_process_with_threads_left_has_not_exited() {
        let stat = Stat {
            pid: 7,
            state: b'Z',
            parent: 1,
            group: 7,
            ticks: 0,
            child_ticks: 0,
            threads: 2,
            start_time: 1,
        };
        assert!(!stat.has_exited());
        assert!(Stat { threads: 1, ..stat }.has_exited());
    }

    #[test]
    fn this_process_can_be_read() {
        let stat = Stat::read(std::process::id()).unwrap();
        assert!(!stat.has_exited());
        assert!(stat.start_time > 0);
        assert!(pids().unwrap().contains(&stat.pid));
        assert!(!boot_id().unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Stat::parse(1, &text);
        }
    }
}
