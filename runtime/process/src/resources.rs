//! What a run uses: processor, memory, processes.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use worknode_core::time::millis;

use crate::{
    procfs::{self, Stat},
    tree::Tree,
};

/// What a run has used, and what it has now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Processor time of all its processes, ended ones included, in milliseconds.
    pub cpu_ms: u64,
    /// Bytes of memory that its processes have to themselves now.
    pub memory: u64,
    /// The most that was measured.
    pub memory_peak: u64,
    /// Its processes now.
    pub processes: usize,
    /// The most that were counted.
    pub processes_peak: usize,
    /// Milliseconds without output, call or file activity, as far as has been looked.
    pub silent_ms: u64,
    /// Milliseconds since its start; frozen time counts.
    pub ran_ms: u64,
    /// The same without frozen time: what counts against the limit.
    #[serde(default)]
    pub time_ms: u64,
    /// Whether it is held still.
    pub frozen: bool,
}

/// Measures a run.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    cpu: Duration,
    memory: u64,
    memory_peak: u64,
    processes: usize,
    processes_peak: usize,
    /// Whether all of them were in the cgroup, which counts what they use.
    grouped: bool,
}

impl Meter {
    /// Measures now. What vanishes meanwhile is not counted. Returns the processor time used
    /// since the last time.
    pub(crate) fn measure(&mut self, tree: &Tree) -> Duration {
        let in_cgroup = tree.cgroup().and_then(|cgroup| cgroup.cpu());
        if self.grouped && in_cgroup == Some(self.cpu) {
            // Who has not run has neither started anything nor taken memory.
            return Duration::ZERO;
        }
        let members = tree.members();
        self.grouped = in_cgroup.is_some() && members.iter().all(|member| member.grouped);
        let memory = tree.cgroup().and_then(|cgroup| cgroup.memory());
        self.memory = memory.unwrap_or_else(|| {
            let pids = members.iter().map(|member| member.stat.pid);
            pids.filter_map(|pid| procfs::own_memory(pid).ok()).sum()
        });
        self.processes = members.len();
        self.memory_peak = self.memory_peak.max(self.memory);
        self.processes_peak = self.processes_peak.max(self.processes);
        let cpu = in_cgroup.unwrap_or_else(|| by_ticks(members.iter().map(|member| &member.stat)));
        let used = cpu.saturating_sub(self.cpu);
        self.cpu = self.cpu.max(cpu);
        used
    }

    pub(crate) const fn cpu(&self) -> Duration {
        self.cpu
    }

    pub(crate) const fn memory(&self) -> u64 {
        self.memory
    }

    pub(crate) const fn processes(&self) -> usize {
        self.processes
    }

    /// What was measured last.
    pub(crate) fn resources(&self) -> Resources {
        Resources {
            cpu_ms: millis(self.cpu),
            memory: self.memory,
            memory_peak: self.memory_peak,
            processes: self.processes,
            processes_peak: self.processes_peak,
            ..Resources::default()
        }
    }
}

/// The living with the children that they waited for, and those that this process waited for:
/// what loses its parent is waited for here.
fn by_ticks<'a>(members: impl Iterator<Item = &'a Stat>) -> Duration {
    let ended = Stat::read(std::process::id()).map_or(0, |own| own.child_ticks);
    let ticks = members.fold(ended, |sum, stat| sum.saturating_add(stat.ticks));
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_millis(ticks.saturating_mul(1000) / per_second)
}
