//! The job of one run: prepare, spawn, watch, end, report.
//!
//! One task for the whole life of a run, so that its steps follow each other here as they do
//! in the journal. What must hold without a daemon (limits, output, the exit status) is the
//! shim's; what needs the journal (claims, causes, tokens, receipts) is here.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};
use worknode_core::{
    agent::AgentCommand,
    bounds,
    command::Command,
    error::{Code, Error},
    event::PanicStage,
    ids::{NodeId, RunId},
    raise::sandbox_until,
    run::{Ending, Purpose, Receipt, RunSpec, RunStatus, SpawnPermit, StopCause},
    task::TaskCommand,
    time::Span,
};
use worknode_process::{Exit, Notice, Shim, Stopper};

use super::{
    Begin, Orders, StopOrder,
    receipt::{self, cause_of},
    talk::Talk,
    workspace::prepare,
};
use crate::{
    clock::sleep_until,
    system::{System, random_u64},
};

/// How often a report is repeated that could not be delivered, and the wait in between. A
/// report that is lost all the same is found by the next daemon.
const REPORTS: u32 = 20;
/// How long a program may take to break off by itself before it is told by a signal.
const CANCEL: Duration = Duration::from_secs(2);

/// Lives the run from the permit, or from its adoption, to the receipt.
#[tracing::instrument(name = "run", skip_all, fields(run = %spec.id, agent = name_of(&system, agent), task = tracing::field::Empty))]
pub(super) async fn live(
    system: System,
    begin: Begin,
    spec: RunSpec,
    agent: NodeId,
    orders: watch::Receiver<Orders>,
    shim_is: watch::Sender<Option<Shim>>,
) {
    if let Some(task) = spec.purpose.task() {
        tracing::Span::current().record("task", tracing::field::display(task));
    }
    let job = Job {
        system,
        agent,
        spec,
        orders,
    };
    let adopted = matches!(begin, Begin::Adopt(_));
    let begun = match begin {
        Begin::Adopt(shim) => Ok(*shim),
        Begin::Spawn(permit) => job.start(permit).await,
    };
    let receipt = match begun {
        Ok(shim) => {
            shim_is.send_replace(Some(shim.clone()));
            let receipt = job.watch(shim, adopted).await;
            shim_is.send_replace(None);
            receipt
        }
        Err(error) => job.not_started(&error),
    };
    job.finish(receipt).await;
}

pub(super) fn name_of(system: &System, agent: NodeId) -> String {
    let known = system.agent(agent).map(|agent| agent.name.clone());
    known.unwrap_or_else(|| agent.to_string())
}

struct Job {
    system: System,
    agent: NodeId,
    spec: RunSpec,
    orders: watch::Receiver<Orders>,
}

impl Job {
    /// Everything up to the living process, within the start limit.
    async fn start(&self, permit: SpawnPermit) -> Result<Shim, Error> {
        let limit = self.spec.limits.start;
        let begun = tokio::time::timeout(limit, async {
            let request = prepare(&self.system, self.agent, &self.spec).await?;
            if self.orders.borrow().stop.is_some() {
                return Err(Error::new(Code::Refused, "it was stopped before it started"));
            }
            self.system.guard().check(PanicStage::Spawns)?;
            worknode_process::spawn(permit, request)
                .await
                .map_err(|error| Error::new(Code::Failed, error.to_string()))
        });
        let shim = begun.await.map_err(|_| {
            Error::new(Code::TimedOut, format!("it did not start within {}", Span(limit)))
                .hint("`limits.start` gives it longer")
        })??;
        tracing::info!(pid = shim.identity().pid, "started");
        Ok(shim)
    }

    /// Watches the process until it is gone, and stops it when it must end.
    async fn watch(&self, shim: Shim, adopted: bool) -> Receipt {
        let mut talk = Talk::open(&self.system, self.agent, &self.spec, adopted);
        let stopper = shim.stopper();
        let exit = match self.announce(&shim).await {
            Ok(()) => self.until_over(&shim, &stopper, &mut talk).await,
            Err(error) => {
                tracing::warn!(%error, "the run cannot go on");
                stopper.stop(self.spec.limits.grace).await;
                shim.wait().await
            }
        };
        let began = Some(shim.started_at());
        receipt::close(&self.system, self.agent, &self.spec, began, &exit, talk).await
    }

    /// Tells the agent and the task that the process is there; a run that was adopted has told
    /// them before, unless its daemon died in between.
    async fn announce(&self, shim: &Shim) -> Result<(), Error> {
        let stored = self.system.reader().run(self.spec.id)?;
        let known = stored.is_some_and(|stored| {
            !matches!(
                stored.run.status,
                RunStatus::Queued | RunStatus::Starting | RunStatus::Stopping { process: None, .. }
            )
        });
        let mut announced = None;
        if !known {
            let started = AgentCommand::Started {
                run: self.spec.id,
                process: shim.identity().clone(),
            };
            let told = self.system.command(self.agent, Command::Agent(started)).await?;
            announced = told.stamp();
        }
        let Purpose::Work { task, epoch } = self.spec.purpose else {
            return Ok(());
        };
        let start = self
            .system
            .command_after(announced, task, Command::Task(TaskCommand::Start { epoch }))
            .await;
        match start {
            // It had begun, or has done its part already.
            Err(error) if known && error.code != Code::DiskFull => Ok(()),
            other => other.map(drop),
        }
    }

    /// Until the process is gone. Everything else that goes on meanwhile ends with it.
    async fn until_over(&self, shim: &Shim, stopper: &Stopper, talk: &mut Talk) -> Exit {
        tokio::select! {
            exit = shim.wait() => exit,
            exit = self.obey(shim, stopper, talk.cancels()) => exit,
            exit = self.listen(shim, talk) => exit,
            exit = self.renew_claim() => exit,
            exit = self.until_lowered() => exit,
        }
    }

    /// Carries orders out. A stop is begun once; a later one may only hurry it.
    async fn obey<T>(&self, shim: &Shim, stopper: &Stopper, cancels: bool) -> T {
        let mut orders = self.orders.clone();
        // Whether it is held still is the shim's to know: an earlier daemon may have stored that it
        // goes on, and not lived to see to it.
        let mut done = Orders {
            frozen: shim.is_frozen(),
            ..Orders::default()
        };
        loop {
            let order = *orders.borrow_and_update();
            if order.calls != done.calls
                && let Err(error) = shim.touch().await
            {
                tracing::debug!(%error, "the shim could not be told of a call");
            }
            if let Some(stop) = order.stop
                && order.stop != done.stop
            {
                // Only the first stop can ask: a later one is there to hurry.
                let asks = done.stop.is_none() && cancels;
                self.begin_stop(stopper, stop, asks);
            } else if order.frozen != done.frozen {
                self.hold(shim, order.frozen).await;
            }
            done = order;
            if orders.changed().await.is_err() {
                // The keeper is gone; the supervisor starts the next one, which adopts the run.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Stops the run within its grace. A program that has been asked to break off gets a part of it
    /// to do so.
    fn begin_stop(&self, stopper: &Stopper, stop: StopOrder, asked: bool) {
        let grace = stop.grace.unwrap_or(self.spec.limits.grace);
        let before = if asked {
            (grace / 2).min(CANCEL)
        } else {
            Duration::ZERO
        };
        let stopper = stopper.clone();
        tokio::spawn(async move {
            tokio::time::sleep(before).await;
            stopper.stop(grace.saturating_sub(before)).await
        });
    }

    async fn hold(&self, shim: &Shim, still: bool) {
        let held = if still {
            shim.freeze().await
        } else {
            shim.thaw().await
        };
        if let Err(error) = held {
            let (run, what) = (self.spec.id, if still { "frozen" } else { "thawed" });
            tracing::error!(%error, "the run could not be {what}");
            let message = format!("run {run} could not be {what}: {error}");
            self.system.notify("operator", message).await;
        }
    }

    /// Listens to the shim, and through it to the program.
    async fn listen<T>(&self, shim: &Shim, talk: &mut Talk) -> T {
        let mut notices = shim.notices();
        // What it reached before anybody listened.
        if let Some(reached) = shim.reached() {
            self.stop_for(cause_of(reached)).await;
        }
        let mut wants = talk.begin(shim).await;
        let mut orders = self.orders.clone();
        let mut cancelled = !talk.cancels();
        let (mut answers, mut heard) = (self.orders.clone(), 0);
        loop {
            if let Some(cause) = wants.take() {
                self.stop_for(cause).await;
            }
            let notice = tokio::select! {
                notice = notices.next() => notice,
                () = stop_ordered(&mut orders), if !cancelled => {
                    cancelled = true;
                    talk.cancel(shim).await;
                    continue;
                }
                () = until(talk.patience()) => {
                    wants = talk.lose_patience(shim).await;
                    continue;
                }
                said = answered(&mut answers, heard) => {
                    heard = said;
                    wants = talk.hear_answers(shim).await;
                    continue;
                }
                () = sleep_until(self.system.clock(), talk.expires()) => {
                    wants = talk.expire(shim).await;
                    continue;
                }
            };
            wants = self.heard(notice, shim, talk).await;
        }
    }

    /// What a notice of the shim asks for.
    async fn heard(&self, notice: Option<Notice>, shim: &Shim, talk: &mut Talk) -> Option<StopCause> {
        match notice {
            Some(Notice::Stopping { cause }) => Some(cause_of(cause)),
            Some(Notice::Output { .. }) => talk.hear(shim).await,
            Some(_) => None,
            // The run is over, which is seen elsewhere.
            None => std::future::pending().await,
        }
    }

    /// Journals why the run ends; the stop itself comes back through the keeper.
    async fn stop_for(&self, cause: StopCause) {
        tracing::warn!(?cause, "the run is to end");
        self.insist(AgentCommand::StopRun { cause, grace: None }).await;
    }

    /// A live run keeps its claim. A claim that is gone ends the run (P2 asks the reverse too:
    /// the claim is handed on only after the run is over).
    async fn renew_claim<T>(&self) -> T {
        let Purpose::Work { task, epoch } = self.spec.purpose else {
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
                    self.stop_for(StopCause::TaskGone).await;
                    return std::future::pending().await;
                }
                // After a submission nobody holds the task, and the agent may still tidy up.
                Err(error) => tracing::debug!(%error, "no claim to renew"),
                Ok(_) => {}
            }
        }
    }

    /// What reaches into its sandbox is over: so is the run, also one that is held still.
    async fn until_lowered<T>(&self) -> T {
        let raised = sandbox_until(&self.spec.raised).map(|until| (until, StopCause::Lowered));
        let lineage = self.system.agent(self.agent).and_then(|agent| {
            // Its shim ends it in time; but for a run that is held still no time passes there.
            let until = agent.spec.lineage.as_ref()?.expires;
            Some((until, StopCause::TimeLimit))
        });
        let first = raised.into_iter().chain(lineage).min_by_key(|(until, _)| *until);
        if let Some((until, cause)) = first {
            sleep_until(self.system.clock(), Some(until)).await;
            self.stop_for(cause).await;
        }
        std::future::pending().await
    }

    fn not_started(&self, error: &Error) -> Receipt {
        tracing::warn!(%error, "could not start");
        let ending = Ending::NotStarted {
            reason: error.message.clone(),
        };
        Receipt::new(ending, self.system.now())
    }

    /// Keeps the receipt beside the run's output and tells the agent.
    async fn finish(&self, receipt: Receipt) {
        let path = self.system.context().paths.run(self.spec.id).join("receipt.json");
        let written = serde_json::to_vec_pretty(&receipt).map_err(std::io::Error::other);
        if let Err(error) = match written {
            Ok(bytes) => tokio::fs::write(&path, bytes).await,
            Err(error) => Err(error),
        } {
            tracing::warn!(%error, path = %path.display(), "the receipt's copy could not be written; the journal has it");
        }
        let exited = AgentCommand::Exited {
            run: self.spec.id,
            receipt: Box::new(receipt),
            random: random_u64(),
        };
        self.insist(exited).await;
    }

    /// Delivers a report that must not get lost, for as long as it makes sense. A disk that is
    /// full is waited for until there is room, or until the keeper ends with its daemon.
    async fn insist(&self, command: AgentCommand) {
        let run: RunId = self.spec.id;
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

/// Until the instant; for ever, when there is none.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Until the run is told to end. A keeper that is gone tells it nothing any more.
async fn stop_ordered(orders: &mut watch::Receiver<Orders>) {
    if orders.wait_for(|orders| orders.stop.is_some()).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Until more was answered than is `heard`: how much. A keeper that is gone tells nothing any more.
async fn answered(orders: &mut watch::Receiver<Orders>, heard: u64) -> u64 {
    let more = orders.wait_for(|orders| orders.answers != heard).await;
    let said = more.map(|orders| orders.answers);
    match said {
        Ok(said) => said,
        Err(_) => std::future::pending().await,
    }
}
