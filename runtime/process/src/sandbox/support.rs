//! What this machine can enforce, and what nothing here covers.

use std::path::Path;

use landlock::{LandlockStatus, RestrictSelf};
use serde::{Deserialize, Serialize};

use super::{Sandbox, calls};

/// What a sandbox is worth on this machine, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Support {
    /// Version of the kernel's Landlock interface; zero when there is none.
    pub landlock: u32,
    /// Whether system calls can be filtered.
    pub filter: bool,
    /// What holds.
    pub holds: Vec<String>,
    /// What this kernel cannot enforce, and what would.
    pub lacks: Vec<String>,
    /// What a sandbox does not cover on any kernel.
    pub uncovered: Vec<String>,
}

/// What one version of Landlock brought.
struct Guarantee {
    /// Since which version.
    since: u32,
    /// Which Linux has that.
    linux: &'static str,
    /// What is in force with it.
    holds: &'static str,
    /// Whether it matters only where the network is limited.
    network: bool,
}

const GUARANTEES: [Guarantee; 5] = [
    Guarantee {
        since: 1,
        linux: "5.13",
        holds: "files outside are not changed, created or deleted, hidden ones not read",
        network: false,
    },
    Guarantee {
        since: 3,
        linux: "6.2",
        holds: "files outside are not emptied",
        network: false,
    },
    Guarantee {
        since: 4,
        linux: "6.7",
        holds: "TCP ports can be limited",
        network: true,
    },
    Guarantee {
        since: 5,
        linux: "6.10",
        holds: "devices outside are not controlled",
        network: false,
    },
    Guarantee {
        since: 6,
        linux: "6.12",
        holds: "processes outside get no signal, abstract sockets outside no connection",
        network: false,
    },
];

const FILTER_HOLDS: &str = "no user namespaces, no io_uring, no key rings, no limits set on other processes; with a limited network no UDP and no raw packets";

const UNCOVERED: [&str; 6] = [
    "the mode, owner, times and attributes of files outside, as far as they belong to the user that \
     agents run as",
    "names, sizes and times of files, hidden ones too, and the command lines of processes",
    "Unix sockets in the file system, unless they are refused altogether: whoever reaches a container \
     engine or a service manager has processes started outside",
    "UDP, unless the network is limited; which host a TCP port belongs to; listening at a port that the \
     kernel picks",
    "terminals, scheduling and shared memory (System V, message queues) of the same user's processes",
    "hidden files that have another name in a place that is not hidden (hard links, bind mounts)",
];

/// What this machine can enforce.
#[must_use]
pub fn support() -> Support {
    let (landlock, filter) = (landlock(), filter());
    let mut holds = vec!["programs gain no rights (setuid), root loses most capabilities".to_owned()];
    let mut lacks = Vec::new();
    for guarantee in &GUARANTEES {
        if landlock >= guarantee.since {
            holds.push(guarantee.holds.to_owned());
        } else {
            lacks.push(guarantee.lack());
        }
    }
    if filter {
        holds.push(FILTER_HOLDS.to_owned());
    } else {
        lacks.push(no_filter());
    }
    Support {
        landlock,
        filter,
        holds,
        lacks,
        uncovered: UNCOVERED.map(str::to_owned).to_vec(),
    }
}

/// What a sandbox asks of a kernel that has not got it.
pub(super) fn missing(sandbox: &Sandbox, landlock: u32, filter: bool) -> Vec<String> {
    let limited = sandbox.network_is_limited();
    let mut missing: Vec<_> = GUARANTEES
        .iter()
        .filter(|guarantee| guarantee.since > landlock && (limited || !guarantee.network))
        .map(Guarantee::lack)
        .collect();
    if !filter {
        missing.push(no_filter());
    }
    missing
}

/// The version of Landlock that this kernel has; zero when it has none or was started without it.
pub(super) fn landlock() -> u32 {
    // Asks only for flags that nobody set, so changes nothing; its answer is what the crate
    // found out about the kernel.
    let Ok(status) = RestrictSelf::default().no_new_privs(false).apply() else {
        return 0;
    };
    match status.landlock {
        LandlockStatus::Available {
            effective_abi,
            kernel_abi,
        } => kernel_abi.map_or(effective_abi as u32, i32::unsigned_abs),
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => 0,
    }
}

/// Whether system calls can be filtered.
pub(super) fn filter() -> bool {
    calls::target().is_some() && Path::new("/proc/sys/kernel/seccomp/actions_avail").exists()
}

fn no_filter() -> String {
    format!("not in force: {FILTER_HOLDS} (seccomp, on x86_64, aarch64 or riscv64)")
}

impl Guarantee {
    fn lack(&self) -> String {
        let Self {
            since, linux, holds, ..
        } = self;
        format!("not in force: {holds} (Landlock {since}, Linux {linux})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_kernel_lacks_what_came_later() {
        let files = Sandbox::default();
        let network = Sandbox {
            connect: Some(vec![]),
            ..Sandbox::default()
        };
        assert!(missing(&network, 6, true).is_empty());
        assert_eq!(missing(&files, 5, true).len(), 1);
        assert_eq!(missing(&files, 3, true).len(), 2);
        assert_eq!(missing(&network, 3, true).len(), 3);
        assert_eq!(missing(&files, 0, false).len(), 5);
        assert!(missing(&files, 5, true)[0].contains("Linux 6.12"));
    }

    #[test]
    fn asking_boxes_nobody() {
        let support = support();
        assert_eq!(support.holds.len() + support.lacks.len(), GUARANTEES.len() + 2);
        std::fs::write(tempfile::tempdir().unwrap().path().join("free"), "x").unwrap();
    }
}
