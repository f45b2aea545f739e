//! Ends what a shim left that died without a word.
//!
//! The kernel has killed the agent's own process with it. The others are found in the cgroup
//! and by the run's mark.

use std::{path::Path, time::Duration};

use tokio::time::{Instant, sleep};
use worknode_core::ids::RunId;

use crate::{
    adopted::stop_identity,
    cgroup::Cgroup,
    marked::{MARK, find_marked},
    procfs::Stat,
    record::{self, SOCKET},
    report::{Exit, Means, StopReport, StopStep},
    stop::SETTLE,
    tree::signal,
};

/// Between two looks at a cgroup that is being emptied.
const PAUSE: Duration = Duration::from_millis(5);
/// Rounds of looking for marked processes of a run that keeps forking.
const ROUNDS: usize = 20;

/// Ends everything that is left of the run, and leaves the record that its shim did not.
pub(crate) async fn end(dir: &Path, run: RunId) -> Exit {
    let report = end_all(dir, run).await;
    tracing::warn!(%run, ended = report.ended, survivors = report.survivors, "the shim of a run was lost");
    let exit = Exit::unseen(report);
    if let Err(error) = record::write_exit(dir, run, &exit) {
        tracing::warn!(%error, %run, "the end of a lost run cannot be stored");
    }
    let _ = std::fs::remove_file(dir.join(SOCKET));
    exit
}

/// The same for a start of which nothing is to stay, not even a record.
pub(crate) async fn undo(dir: &Path, run: RunId) {
    let report = end_all(dir, run).await;
    if !report.gone() {
        tracing::error!(%run, ?report, "a start that failed may have left something");
    }
    record::release(dir);
}

async fn end_all(dir: &Path, run: RunId) -> StopReport {
    let record = record::read_shim(dir, run).unwrap_or_else(|error| {
        tracing::warn!(%error, %run, "the record of a lost shim cannot be read");
        None
    });
    let mut report = StopReport::default();
    let cgroup = record
        .as_ref()
        .and_then(|record| Cgroup::open(&record.cgroup.as_ref()?.0));
    if let Some(cgroup) = &cgroup {
        report.join(empty(cgroup).await);
    }
    if let Some(leader) = record.as_ref().and_then(|record| record.leader.as_ref()) {
        report.join(stop_identity(leader, Duration::ZERO).await);
    }
    report.join(sweep(run).await);
    if let Some(cgroup) = &cgroup {
        cgroup.remove();
    }
    report
}

async fn empty(cgroup: &Cgroup) -> StopReport {
    let begun = Instant::now();
    let found = cgroup.pids().len();
    let mut report = StopReport::default();
    if found == 0 {
        return report;
    }
    report.was_running = true;
    report.kill_sent = true;
    report.used(Means::Cgroup);
    step(&mut report, "kill", begun);
    loop {
        if cgroup.kill().is_err() {
            for stat in cgroup.pids().into_iter().filter_map(|pid| Stat::read(pid).ok()) {
                signal(&stat, rustix::process::Signal::KILL);
            }
        }
        let left = cgroup.pids().len();
        if left == 0 || begun.elapsed() > SETTLE {
            report.survivors = left;
            report.ended = found.saturating_sub(left);
            break;
        }
        sleep(PAUSE).await;
    }
    if report.gone() {
        step(&mut report, "gone", begun);
    }
    report
}

fn step(report: &mut StopReport, step: &str, begun: Instant) {
    report.steps.push(StopStep {
        step: step.to_owned(),
        after_ms: worknode_core::time::millis(begun.elapsed()),
    });
}

/// Ends what carries the run's mark, again and again until nothing does: such a process may
/// have been forking meanwhile.
async fn sweep(run: RunId) -> StopReport {
    let mut total = StopReport::default();
    for _ in 0..ROUNDS {
        let id = run.to_string();
        let marked = tokio::task::spawn_blocking(move || find_marked(MARK, &id)).await;
        let marked = marked.unwrap_or_default();
        if marked.is_empty() {
            return total;
        }
        total.used(Means::Mark);
        for process in marked {
            total.join(stop_identity(&process, Duration::ZERO).await);
        }
    }
    total.doubt("processes of the run keep appearing");
    total
}
