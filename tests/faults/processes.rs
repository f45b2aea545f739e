//! The processes of a scene, as the kernel sees them.

use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt};

use worknode_tests::{running::send_signal, scene::Scene};

/// One process that belongs to a scene.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// The run whose mark it carries.
    pub(crate) run: String,
    pub(crate) role: Role,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// It keeps the run.
    Shim,
    /// It belongs to this agent's program, or to a command of the runtime's own (which has no
    /// name).
    Agent(String),
}

/// Every process that was started by a daemon of this scene and has not exited. A shim is known
/// by where it works; what its run started, by the marks in its environment.
pub(crate) fn of(scene: &Scene) -> Vec<Process> {
    let root = scene.path().canonicalize().unwrap();
    let runs = root.join(".worknode/runs");
    let socket = root.join(".worknode/worknode.sock");
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let look = |pid: u32| {
        let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let value = |name: &str| {
            let mut variables = environ.split(|byte| *byte == 0);
            let found = variables.find_map(|it| it.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
            String::from_utf8(found.to_vec()).ok()
        };
        if let Some(run) = value("WORKNODE_SHIM") {
            let here = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
            return here.starts_with(&runs).then_some(Process {
                pid,
                run,
                role: Role::Shim,
            });
        }
        let run = value("WORKNODE_RUN")?;
        let ours = value("WORKNODE_SOCKET").is_some_and(|path| *path == *socket.to_string_lossy());
        let agent = value("WORKNODE_AGENT").unwrap_or_default();
        ours.then_some(Process {
            pid,
            run,
            role: Role::Agent(agent),
        })
    };
    pids.filter_map(look)
        .filter(|process| lives(process.pid))
        .collect()
}

/// A zombie has exited.
fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.trim().chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
        && fs::metadata(format!("/proc/{pid}")).is_ok_and(|found| found.uid() == own_uid())
}

fn own_uid() -> u32 {
    fs::metadata("/proc/self").map_or(0, |found| found.uid())
}

/// Kills these, as they were seen: each is looked at again before.
pub(crate) fn kill(scene: &Scene, chosen: &[Process]) {
    let present = of(scene);
    for process in chosen.iter().filter(|process| present.contains(process)) {
        send_signal("KILL", process.pid);
    }
}

/// What is wrong while no daemon lives: an agent with two runs, or processes of a run without a
/// shim above them.
pub(crate) fn wrong_without_daemon(seen: &[Process]) -> Vec<String> {
    let shims: BTreeSet<&str> = seen
        .iter()
        .filter(|process| process.role == Role::Shim)
        .map(|process| process.run.as_str())
        .collect();
    let mut wrong = Vec::new();
    let mut runs: BTreeSet<(&str, &str)> = BTreeSet::new();
    for process in seen {
        let Role::Agent(agent) = &process.role else {
            continue;
        };
        if !shims.contains(process.run.as_str()) {
            wrong.push(format!(
                "process {} of run {} has no shim",
                process.pid, process.run
            ));
        }
        let another = runs.iter().find(|(of, run)| of == agent && *run != process.run);
        if let (false, Some((_, run))) = (agent.is_empty(), another) {
            wrong.push(format!("{agent} has runs {run} and {} at once", process.run));
        }
        runs.insert((agent, &process.run));
    }
    wrong
}
