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
    run::{Ending, ProcessIdentity, Receipt, Run, StopCause},
};
use worknode_journal::StoredRun;
use worknode_process::{StopReport, find_marked, stop_identity};

use crate::system::{System, random_u64};

/// The variable that marks every process of a run.
pub(crate) const MARK: &str = "WORKNODE_RUN";

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
        let exited = AgentCommand::Exited { run: run.spec.id, receipt, random: random_u64() };
        system.command(*agent, Command::Agent(exited)).await?;
    }
    Ok(open.len())
}

async fn end(system: &System, run: &Run) -> Receipt {
    let grace = run.spec.limits.grace;
    let mut total = Totals::default();
    if let Some(process) = run.status.process() {
        total.add(&stop_identity(process, grace).await);
    }
    for _ in 0..ROUNDS {
        let marked = marked_by(run).await;
        if marked.is_empty() {
            break;
        }
        for process in marked {
            total.add(&stop_identity(&process, grace.min(Duration::from_secs(1))).await);
        }
    }
    Receipt {
        ending: Ending::Unseen,
        cause: Some(StopCause::Orphaned),
        started_at: run.status.since(),
        ended_at: system.now(),
        processes_ended: total.ended,
        term_sent: total.term,
        kill_sent: total.kill,
        output_bytes: 0,
        output_dropped: 0,
    }
}

async fn marked_by(run: &Run) -> Vec<ProcessIdentity> {
    let id = run.spec.id.to_string();
    // Reading the environment of every process is work for a thread that may block.
    tokio::task::spawn_blocking(move || find_marked(MARK, &id)).await.unwrap_or_default()
}

#[derive(Default)]
struct Totals {
    ended: usize,
    term: bool,
    kill: bool,
}

impl Totals {
    fn add(&mut self, report: &StopReport) {
        self.ended += report.ended;
        self.term |= report.term_sent;
        self.kill |= report.kill_sent;
    }
}
