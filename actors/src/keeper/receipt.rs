//! The record that a run is really over, from what its shim saw.

use std::time::Duration;

use worknode_core::{
    ids::NodeId,
    run::{Ending, Leftovers, Purpose, Receipt, Resources, RunSpec, Step, StopCause},
    time::Timestamp,
};
use worknode_process::{Exit, ExitStatus, Means, Reached};

use super::{clone::start_of, talk::Talk};
use crate::system::System;

/// Bytes of uncommitted changes that are kept.
const PATCH: u64 = 16 * 1024 * 1024;

/// The receipt of a run that was there since `started_at`.
fn of(system: &System, started_at: Option<Timestamp>, exit: &Exit) -> Receipt {
    let ended_at = system.now();
    let ending = match exit.status {
        ExitStatus::Code(code) => Ending::Code { code },
        ExitStatus::Signal(signal) => Ending::Signal { signal },
        ExitStatus::Unknown => Ending::Unseen,
    };
    let stop = exit.stop.as_ref();
    let began = stop
        .and_then(|stop| stop.steps.last())
        .map(|last| ended_at.minus(Duration::from_millis(last.after_ms)));
    let steps = stop.iter().flat_map(|stop| &stop.steps).map(|step| Step {
        step: step.step.clone(),
        at: began
            .unwrap_or(ended_at)
            .plus(Duration::from_millis(step.after_ms)),
    });
    Receipt {
        cause: exit.reached.map(cause_of),
        started_at,
        processes_ended: stop.map_or(0, |stop| stop.ended).max(1) + exit.leftovers,
        survivors: exit.survivors,
        term_sent: stop.is_some_and(|stop| stop.term_sent),
        kill_sent: stop.is_some_and(|stop| stop.kill_sent) || exit.leftovers > 0,
        means: stop.map_or_else(Vec::new, |stop| {
            stop.means.iter().map(|means| name(*means).to_owned()).collect()
        }),
        steps: steps.collect(),
        output_bytes: exit.output.stdout.bytes + exit.output.stderr.bytes,
        output_dropped: exit.output.stdout.dropped + exit.output.stderr.dropped,
        resources: Resources {
            time_ms: exit.resources.time_ms,
            cpu_ms: exit.resources.cpu_ms,
            memory_peak: exit.resources.memory_peak,
            processes_peak: u32::try_from(exit.resources.processes_peak).unwrap_or(u32::MAX),
        },
        ..Receipt::new(ending, ended_at)
    }
}

/// The receipt of a run that is over, with what its program said of itself and what it left: the
/// same for one whose end this daemon saw and for one that ended without a daemon.
pub(super) async fn close(
    system: &System,
    agent: NodeId,
    spec: &RunSpec,
    started_at: Option<Timestamp>,
    exit: &Exit,
    talk: Talk,
) -> Receipt {
    let mut receipt = of(system, started_at, exit);
    if exit.status == ExitStatus::Unknown && receipt.cause.is_none() {
        receipt.cause = Some(StopCause::ShimGone);
    }
    let said = talk.last_word(exit).await;
    receipt.usage = said.usage;
    receipt.failure = said.failure;
    receipt.blameless = said.blameless;
    add_leftovers(system, agent, spec, &mut receipt).await;
    receipt
}

/// The names of means, as in JSON and on screen.
const fn name(means: Means) -> &'static str {
    match means {
        Means::Cgroup => "cgroup",
        Means::Subreaper => "subreaper",
        Means::Group => "group",
        Means::Mark => "mark",
    }
}

/// The limit that a shim saw reached, in the journal's words.
pub(super) const fn cause_of(reached: Reached) -> StopCause {
    match reached {
        Reached::Time => StopCause::TimeLimit,
        Reached::Silence => StopCause::SilenceLimit,
        Reached::Memory => StopCause::MemoryLimit,
        Reached::Processes => StopCause::ProcessesLimit,
        Reached::Cpu => StopCause::CpuLimit,
        Reached::Orphaned => StopCause::Orphaned,
        Reached::Signalled => StopCause::Signalled,
    }
}

/// Says in the receipt what the run left in its clone that nobody took, and keeps it. Only runs
/// that work on a task leave anything that matters.
async fn add_leftovers(system: &System, agent: NodeId, spec: &RunSpec, receipt: &mut Receipt) {
    if !matches!(spec.purpose, Purpose::Work { .. }) || receipt.is_clean() {
        return;
    }
    let paths = &system.context().paths;
    let (Some(start), Some(agent)) = (start_of(paths, spec.id).await, system.agent(agent)) else {
        return;
    };
    let clone = paths.workspace(&agent.name);
    let found = system
        .context()
        .store
        .leftovers(&clone, &start, &paths.run(spec.id), PATCH)
        .await;
    receipt.workspace = Some(match found {
        Ok(found) => in_words(found),
        Err(error) => Leftovers {
            problem: Some(error.to_string()),
            ..Leftovers::default()
        },
    });
}

fn in_words(found: worknode_git::Leftovers) -> Leftovers {
    let mut problem = found.untaken;
    let mut left = Leftovers::default();
    if let Some(unmerged) = found.unmerged {
        left.commits = usize::try_from(unmerged.commits).unwrap_or(usize::MAX);
        left.head = Some(unmerged.head);
    }
    if let Some(uncommitted) = found.uncommitted {
        left.files = uncommitted.files;
        left.patch = uncommitted.patch.map(|path| path.to_string_lossy().into_owned());
        if uncommitted.left_out.total > 0 {
            let words = format!("{} files are not in the patch", uncommitted.left_out.total);
            problem = Some(problem.map_or(words.clone(), |first| format!("{first}; {words}")));
        }
    }
    Leftovers { problem, ..left }
}
