//! What an earlier daemon left behind.
//!
//! A run that the journal calls live, while this daemon has just begun, belongs to a daemon
//! that is gone. Its process is found by identity, or by the mark in its environment when the
//! daemon died between the fork and the event; it is ended, and only then is its run closed,
//! so that its task goes to somebody else only after that (P2, P7).

use std::time::Duration;

use worknode_core::{
    agent::AgentCommand,
    command::Command,
    error::Error,
    ids::RunId,
    run::{Ending, ProcessIdentity, Receipt, Run, StopCause},
};
use worknode_journal::StoredRun;
use worknode_process::{StopReport, find_marked, stop_identity};

use crate::system::{System, random_u64};

/// The variable that marks every process of a run.
pub(crate) const MARK: &str = "WORKNODE_RUN";

/// Time between TERM and KILL for a process that has left its run.
const STRAY_GRACE: Duration = Duration::from_secs(1);
/// Rounds of looking for marked processes before giving up on a run that keeps forking.
const ROUNDS: usize = 10;

/// Ends every run that an earlier daemon left open. Returns how many there were.
///
/// # Errors
/// When the store cannot be read, or a run's end cannot be stored.
pub(crate) async fn end_what_was_left(system: &System) -> Result<usize, Error> {
    let open = system.reader().live_runs()?;
    for StoredRun { run, agent, .. } in &open {
        let receipt = end(system, run).await;
        tracing::warn!(run = %run.spec.id, processes = receipt.processes_ended, "ended a run of an earlier daemon");
        let exited = AgentCommand::Exited {
            run: run.spec.id,
            receipt,
            random: random_u64(),
        };
        system.command(*agent, Command::Agent(exited)).await?;
    }
    Ok(open.len())
}

async fn end(system: &System, run: &Run) -> Receipt {
    let grace = run.spec.limits.grace;
    let mut total = Ended::default();
    if let Some(process) = run.status.process() {
        total.add(&stop_identity(process, grace).await);
    }
    total.join(sweep(run.spec.id, grace).await);
    Receipt {
        ending: Ending::Unseen,
        cause: Some(StopCause::Orphaned),
        started_at: run.status.since(),
        ended_at: system.now(),
        processes_ended: total.processes,
        term_sent: total.term,
        kill_sent: total.kill,
        output_bytes: 0,
        output_dropped: 0,
    }
}

/// Ends what carries the run's mark and has left its process group (`setsid`, a double fork),
/// again and again until nothing does: such a process may have been forking meanwhile.
pub(super) async fn sweep(run: RunId, grace: Duration) -> Ended {
    let mut total = Ended::default();
    for _ in 0..ROUNDS {
        let marked = marked_by(run).await;
        if marked.is_empty() {
            return total;
        }
        for process in marked {
            total.add(&stop_identity(&process, grace.min(STRAY_GRACE)).await);
        }
    }
    tracing::error!(%run, "processes of the run are still there after {ROUNDS} rounds");
    total
}

async fn marked_by(run: RunId) -> Vec<ProcessIdentity> {
    let id = run.to_string();
    // Reading the environment of every process is work for a thread that may block.
    tokio::task::spawn_blocking(move || find_marked(MARK, &id))
        .await
        .unwrap_or_default()
}

/// What was ended, and how.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ended {
    pub(super) processes: usize,
    pub(super) term: bool,
    pub(super) kill: bool,
}

impl Ended {
    fn add(&mut self, report: &StopReport) {
        self.join(Self {
            processes: report.ended,
            term: report.term_sent,
            kill: report.kill_sent,
        });
    }

    const fn join(&mut self, other: Self) {
        self.processes += other.processes;
        self.term |= other.term;
        self.kill |= other.kill;
    }
}
