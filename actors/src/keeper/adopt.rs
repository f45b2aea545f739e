//! Runs of an earlier daemon.
//!
//! A run that the journal calls live, while this daemon has just begun, was started by a daemon
//! that is gone. Its shim has kept it: with its limits, its output and its exit status. Here it
//! is taken back as it is (P7), or closed when it is over; nothing is started twice, because a
//! run that never came to life gets no second chance under its name (P6).

use tokio::task::JoinSet;
use worknode_core::{
    agent::AgentCommand,
    bounds,
    command::Command,
    error::{Code, Error},
    ids::NodeId,
    run::{Ending, Receipt, Run, RunSpec, RunStatus},
};
use worknode_journal::StoredRun;
use worknode_process::{Adopted, Shim, adopt};

use super::{StopOrder, receipt, shim_secret, talk::Talk};
use crate::system::{System, random_u64};

/// Runs that are taken back at the same time. Each asks one shim one question.
const AT_ONCE: usize = 32;

/// A run that goes on under this daemon.
pub(super) struct Adoption {
    pub(super) shim: Box<Shim>,
    pub(super) spec: RunSpec,
    pub(super) agent: NodeId,
    /// It was told to end, and this daemon sees to it.
    pub(super) stop: Option<StopOrder>,
    pub(super) frozen: bool,
}

/// Takes charge of every run that an earlier daemon left open.
///
/// # Errors
/// When the store cannot be read, or a run's end cannot be stored.
pub(super) async fn every_run(system: &System) -> Result<Vec<Adoption>, Error> {
    let mut open = system.reader().live_runs()?.into_iter();
    let mut under_way = JoinSet::new();
    let mut adopted = Vec::new();
    loop {
        while under_way.len() < AT_ONCE
            && let Some(stored) = open.next()
        {
            let system = system.clone();
            under_way.spawn(async move { one(&system, stored).await });
        }
        match under_way.join_next().await {
            None => {
                worknode_process::remove_left_cgroups();
                return Ok(adopted);
            }
            Some(Ok(outcome)) => adopted.extend(outcome?),
            Some(Err(error)) => {
                return Err(Error::new(
                    Code::Failed,
                    format!("a run of an earlier daemon could not be taken over: {error}"),
                ));
            }
        }
    }
}

async fn one(system: &System, stored: StoredRun) -> Result<Option<Adoption>, Error> {
    let StoredRun { run, agent, .. } = stored;
    let dir = system.context().paths.run(run.spec.id);
    let secret = shim_secret(system, run.spec.id);
    let receipt = match adopt(&dir, run.spec.id, &secret).await {
        Ok(Adopted::Live(shim)) => {
            tracing::info!(run = %run.spec.id, pid = shim.identity().pid, "adopted");
            return Ok(Some(Adoption {
                stop: stop_of(&run),
                frozen: matches!(run.status, RunStatus::Frozen { .. }),
                shim: Box::new(shim),
                spec: run.spec,
                agent,
            }));
        }
        Ok(Adopted::Ended(exit) | Adopted::Lost(exit)) => {
            let talk = Talk::open(system, agent, &run.spec, true);
            receipt::close(system, agent, &run.spec, run.status.since(), &exit, talk).await
        }
        Ok(Adopted::NeverStarted) => {
            let reason = "the daemon ended before the process began".to_owned();
            Receipt::new(Ending::NotStarted { reason }, system.now())
        }
        Err(error) => {
            return Err(Error::new(
                Code::Failed,
                format!(
                    "run {} of an earlier daemon cannot be taken over: {error}",
                    run.spec.id
                ),
            )
            .hint("end its processes by hand, then start again; `worknode doctor` shows them"));
        }
    };
    tracing::info!(run = %run.spec.id, processes = receipt.processes_ended, "closed a run of an earlier daemon");
    let exited = AgentCommand::Exited {
        run: run.spec.id,
        receipt: Box::new(receipt),
        random: random_u64(),
    };
    system.command(agent, Command::Agent(exited)).await?;
    Ok(None)
}

/// What the earlier daemon had ordered.
fn stop_of(run: &Run) -> Option<StopOrder> {
    matches!(run.status, RunStatus::Stopping { .. }).then_some(StopOrder {
        grace: Some(run.spec.limits.grace.min(bounds::STOP_GRACE)),
    })
}
