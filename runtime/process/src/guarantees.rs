//! What this machine lets a shim promise.

use std::path::PathBuf;

use serde::Serialize;

use crate::cgroup::{self, Cgroup, OURS};

/// What holds here, and why. The sandbox has its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Guarantees {
    /// Where the cgroups of runs are made; `None` when none can be.
    pub cgroups: Option<PathBuf>,
    /// Why no cgroup can be made.
    pub no_cgroup: Option<String>,
    /// All processes of a run can be killed at one instant.
    pub kill_at_once: bool,
    /// All processes of a run can be held still at one instant.
    pub freeze_at_once: bool,
    /// Controllers that count and limit here, such as `memory` and `pids`.
    pub controllers: Vec<String>,
}

/// Looks what this machine offers, by making a cgroup and removing it again.
#[must_use]
pub fn guarantees() -> Guarantees {
    match Cgroup::create(&format!("probe.{}", std::process::id())) {
        Ok(probe) => {
            let found = Guarantees {
                cgroups: cgroup::own().ok().map(|own| own.join(OURS)),
                no_cgroup: None,
                kill_at_once: probe.can_kill(),
                freeze_at_once: probe.can_freeze(),
                controllers: probe.controllers(),
            };
            probe.remove();
            found
        }
        Err(why) => Guarantees {
            cgroups: None,
            no_cgroup: Some(why),
            kill_at_once: false,
            freeze_at_once: false,
            controllers: Vec::new(),
        },
    }
}

impl Guarantees {
    /// The same in sentences, for people.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let has = |name: &str| self.controllers.iter().any(|controller| controller == name);
        let place = match (&self.cgroups, &self.no_cgroup) {
            (Some(place), _) => format!("Each run has a cgroup beneath {}.", place.display()),
            (None, Some(why)) => format!("Runs have no cgroup: {why}."),
            (None, None) => "Runs have no cgroup.".to_owned(),
        };
        let kill = if self.kill_at_once {
            "A stop kills all processes of a run at one instant (cgroup.kill), then whatever descends from its \
             shim or carries its mark."
        } else {
            "A stop holds whatever descends from the run's shim still and kills it, in rounds until nothing is \
             left, then whatever carries its mark."
        };
        let lost = if self.kill_at_once {
            "A shim that is killed leaves nothing behind: the cgroup tells what was its."
        } else {
            "When a shim is killed, the kernel kills the agent; its descendants are found by their mark only, \
             which a process can remove from the environment of what it starts."
        };
        let freeze = if self.freeze_at_once {
            "Freezing is the kernel's (cgroup.freeze)."
        } else {
            "Freezing is SIGSTOP to every process, which a process can see and its parent can undo."
        };
        let memory = if has("memory") {
            "The kernel keeps the memory limit (memory.max)."
        } else {
            "The memory limit is kept by measuring, and per process by RLIMIT_DATA at twice the limit: a burst \
             may exceed it for a moment."
        };
        let processes = if has("pids") {
            "The kernel keeps the limit of processes (pids.max)."
        } else {
            "The limit of processes is kept by counting: a burst may exceed it for a moment."
        };
        let mut all = vec![place];
        all.extend([kill, lost, freeze, memory, processes].map(str::to_owned));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_promised_follows_from_what_is_there() {
        let found = guarantees();
        assert_eq!(found.cgroups.is_some(), found.no_cgroup.is_none());
        let none = Guarantees {
            cgroups: None,
            no_cgroup: Some("there is none".into()),
            kill_at_once: false,
            freeze_at_once: false,
            controllers: Vec::new(),
        };
        let text = none.sentences().join(" ");
        assert!(
            text.contains("there is none") && text.contains("SIGSTOP"),
            "{text}"
        );
    }
}
