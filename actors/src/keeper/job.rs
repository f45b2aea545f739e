//! The job of one run: prepare, spawn, watch, end, report.
//!
//! One task for the whole life of a run, so that its steps follow each other here as they do
//! in the journal.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use worknode_core::{
    agent::AgentCommand,
    bounds,
    command::Command,
    error::{Code, Error},
    ids::{NodeId, RunId},
    run::{Ending, Purpose, Receipt, RunSpec, SpawnPermit, StopCause},
    task::TaskCommand,
    time::Timestamp,
};
use worknode_process::{Activity, Exit, ExitStatus, Process, StopReport, Stopper};

use super::{
    StopOrder,
    orphans::{Ended, sweep},
    workspace::prepare,
};
use crate::system::{System, random_u64};

/// How often a report is repeated that could not be delivered, and the wait in between. A
/// report that is lost all the same is found by the next daemon.
const REPORTS: u32 = 20;

/// Lives the run from the permit to the receipt.
#[tracing::instrument(name = "run", skip_all, fields(run = %spec.id, agent = name_of(&system, agent), task = tracing::field::Empty))]
pub(super) async fn live(
    system: System,
    permit: SpawnPermit,
    spec: RunSpec,
    agent: NodeId,
    stopped: watch::Receiver<Option<StopOrder>>,
) {
    if let Some(task) = spec.purpose.task() {
        tracing::Span::current().record("task", tracing::field::display(task));
    }
    let job = Job {
        system,
        agent,
        stopped,
    };
    let receipt = match job.start(permit, &spec).await {
        Ok(process) => job.watch(&spec, process).await,
        Err(error) => job.not_started(&error),
    };
    job.finish(&spec, receipt).await;
}

fn name_of(system: &System, agent: NodeId) -> String {
    let known = system.team().agent(agent).map(|agent| agent.name.clone());
    known.unwrap_or_else(|| agent.to_string())
}

struct Job {
    system: System,
    agent: NodeId,
    stopped: watch::Receiver<Option<StopOrder>>,
}

impl Job {
    /// Everything up to the living process, within the start limit.
    async fn start(&self, permit: SpawnPermit, spec: &RunSpec) -> Result<Process, Error> {
        let begun = tokio::time::timeout(bounds::START_TIME, async {
            let ready = prepare(&self.system, self.agent, spec).await?;
            if self.stopped.borrow().is_some() {
                return Err(Error::new(Code::Refused, "it was stopped before it started"));
            }
            worknode_process::spawn(permit, ready)
                .await
                .map_err(|error| Error::new(Code::Failed, error.to_string()))
        });
        let process = begun.await.map_err(|_| {
            Error::new(
                Code::TimedOut,
                format!("it did not start within {:?}", bounds::START_TIME),
            )
        })??;
        tracing::info!(pid = process.identity().pid, "started");
        Ok(process)
    }

    /// Watches the process until it is gone, and stops it when it must end.
    async fn watch(&self, spec: &RunSpec, mut process: Process) -> Receipt {
        let started_at = self.system.now();
        let stop = match self.announce(spec, &process).await {
            Ok(()) => self.until_over(spec, &mut process).await,
            Err(error) => {
                tracing::warn!(%error, "the run cannot go on");
                Some(process.stopper().stop(spec.limits.grace).await)
            }
        };
        let exit = process.wait().await;
        let strays = sweep(spec.id, spec.limits.grace).await;
        receipt(&exit, stop.as_ref(), strays, started_at, self.system.now())
    }

    /// Tells the agent and the task that the process is there.
    async fn announce(&self, spec: &RunSpec, process: &Process) -> Result<(), Error> {
        let started = AgentCommand::Started {
            run: spec.id,
            process: process.identity().clone(),
        };
        self.system.command(self.agent, Command::Agent(started)).await?;
        if let Purpose::Work { task, epoch } = spec.purpose {
            self.system
                .command(task, Command::Task(TaskCommand::Start { epoch }))
                .await?;
        }
        Ok(())
    }

    /// Until the process ends by itself (`None`) or has been stopped.
    async fn until_over(&self, spec: &RunSpec, process: &mut Process) -> Option<StopReport> {
        let stopper = process.stopper();
        let activity = process.activity();
        let limits = self.watch_limits(spec, activity);
        let heartbeat = self.renew_claim(spec);
        let mut stopped = self.stopped.clone();
        tokio::select! {
            _ = process.wait() => None,
            () = ordered(&mut stopped) => Some(self.stop(spec, &stopper).await),
            () = limits => None,
            () = heartbeat => None,
        }
    }

    /// Stops the process; a later order may only hurry it.
    async fn stop(&self, spec: &RunSpec, stopper: &Stopper) -> StopReport {
        let mut orders = self.stopped.clone();
        loop {
            let order = *orders.borrow_and_update();
            let grace = order.and_then(|order| order.grace).unwrap_or(spec.limits.grace);
            tokio::select! {
                report = stopper.stop(grace) => return report,
                Ok(()) = orders.changed() => {}
            }
        }
    }

    /// At a limit, journals the stop; the stop itself comes back through the keeper.
    async fn watch_limits(&self, spec: &RunSpec, activity: Arc<Activity>) {
        let cause = tokio::select! {
            () = tokio::time::sleep(spec.limits.time) => StopCause::TimeLimit,
            () = activity.silence(spec.limits.silence) => StopCause::SilenceLimit,
        };
        tracing::warn!(?cause, "the run reached a limit");
        self.insist(spec.id, AgentCommand::StopRun { cause, grace: None })
            .await;
        std::future::pending::<()>().await;
    }

    /// A live run keeps its claim. A claim that is gone ends the run (P2 asks the reverse too:
    /// the claim is handed on only after the run is over).
    async fn renew_claim(&self, spec: &RunSpec) {
        let Purpose::Work { task, epoch } = spec.purpose else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep(bounds::HEARTBEAT).await;
            let renew = TaskCommand::Renew {
                epoch,
                lease: bounds::LEASE,
            };
            match self.system.command(task, Command::Task(renew)).await {
                Err(error) if error.code == Code::StaleEpoch => {
                    self.insist(
                        spec.id,
                        AgentCommand::StopRun {
                            cause: StopCause::TaskGone,
                            grace: None,
                        },
                    )
                    .await;
                    return std::future::pending().await;
                }
                // After a submission nobody holds the task, and the agent may still tidy up.
                Err(error) => tracing::debug!(%error, "no claim to renew"),
                Ok(_) => {}
            }
        }
    }

    fn not_started(&self, error: &Error) -> Receipt {
        tracing::warn!(%error, "could not start");
        Receipt {
            ending: Ending::NotStarted {
                reason: error.message.clone(),
            },
            cause: None,
            started_at: None,
            ended_at: self.system.now(),
            processes_ended: 0,
            term_sent: false,
            kill_sent: false,
            output_bytes: 0,
            output_dropped: 0,
        }
    }

    /// Keeps the receipt beside the run's output and tells the agent.
    async fn finish(&self, spec: &RunSpec, receipt: Receipt) {
        let path = self.system.context().paths.run(spec.id).join("receipt.json");
        let written = serde_json::to_vec_pretty(&receipt).map_err(std::io::Error::other);
        if let Err(error) = match written {
            Ok(bytes) => tokio::fs::write(&path, bytes).await,
            Err(error) => Err(error),
        } {
            tracing::warn!(%error, path = %path.display(), "the receipt's copy could not be written; the journal has it");
        }
        let exited = AgentCommand::Exited {
            run: spec.id,
            receipt,
            random: random_u64(),
        };
        self.insist(spec.id, exited).await;
    }

    /// Delivers a report that must not get lost, for as long as it makes sense. A disk that is
    /// full is waited for until there is room, or until the keeper ends with its daemon.
    async fn insist(&self, run: RunId, command: AgentCommand) {
        let mut refused = 0;
        while refused < REPORTS {
            match self
                .system
                .command(self.agent, Command::Agent(command.clone()))
                .await
            {
                Ok(_) => return,
                Err(error) if matches!(error.code, Code::IllegalTransition | Code::NotFound) => {
                    tracing::warn!(%error, %run, "the agent has no use for this report");
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, %run, "a report was not accepted; trying again");
                    refused += u32::from(error.code != Code::DiskFull);
                    let wait = error
                        .retry_after_ms
                        .map_or(bounds::RETRY_AFTER, Duration::from_millis);
                    tokio::time::sleep(wait).await;
                }
            }
        }
        tracing::error!(%run, "a report was never accepted; the next start of the daemon settles it");
    }
}

/// Until the run is told to end. The sender lives in the keeper: when that is gone, nobody
/// watches over the run any more, and it ends too.
async fn ordered(stopped: &mut watch::Receiver<Option<StopOrder>>) {
    let _ = stopped.wait_for(Option::is_some).await;
}

fn receipt(
    exit: &Exit,
    stop: Option<&StopReport>,
    strays: Ended,
    started_at: Timestamp,
    ended_at: Timestamp,
) -> Receipt {
    let ending = match exit.status {
        ExitStatus::Code(code) => Ending::Code { code },
        ExitStatus::Signal(signal) => Ending::Signal { signal },
        ExitStatus::Unknown => Ending::Unseen,
    };
    let ended_by_us = stop.map_or(0, |stop| stop.ended);
    Receipt {
        ending,
        cause: None,
        started_at: Some(started_at),
        ended_at,
        processes_ended: ended_by_us.max(1) + exit.leftovers + strays.processes,
        term_sent: stop.is_some_and(|stop| stop.term_sent) || strays.term,
        kill_sent: stop.is_some_and(|stop| stop.kill_sent) || exit.leftovers > 0 || strays.kill,
        output_bytes: exit.output.stdout.bytes + exit.output.stderr.bytes,
        output_dropped: exit.output.stdout.dropped + exit.output.stderr.dropped,
    }
}
