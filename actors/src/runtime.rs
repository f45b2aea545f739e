//! A running team: the handle that the daemon holds.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use ractor::{Actor, ActorRef};
use tokio::{
    sync::{oneshot, watch},
    task::{JoinHandle, JoinSet},
};
use worknode_core::{
    agent::AgentCommand,
    bounds,
    command::Command,
    error::{Code, Error, MAY_BE_DONE},
    event::{Draft, Event, PanicStage, Principal},
    hlc::Hlc,
    ids::{NodeId, RunId},
    node::{Detail, Kind, Node, NodeSpec},
    run::StopCause,
    task::{Task, TaskStatus},
};
use worknode_journal::{Durability, EventFilter, StoredRun};
use worknode_process::Resources;
use worknode_triggers::{Occurrence, Trigger};

use crate::{
    address::{Address, address},
    guard::Guard,
    membrane::install,
    messages::{DirectoryMsg, KeeperMsg},
    request,
    scheduler::{Replaced, SchedulerMsg, TriggerReport, pulse},
    spawn::{Known, stored},
    store::tasks_that_are,
    supervisor::{Plant, Supervisor, SupervisorMsg},
    system::{Context, System},
};

/// What a stop may take beyond the grace of its runs.
const STOP_MARGIN: Duration = Duration::from_secs(15);
/// The same when the end of a run cannot be stored, so that nobody will report it.
const UNSTORED_MARGIN: Duration = Duration::from_secs(2);
/// How long a shim may take to say how its run does.
const SHIM_ANSWER: Duration = Duration::from_millis(500);
/// Worknodes made in one transaction at the most.
const CHUNK: usize = 500;

/// A running team.
#[derive(Debug)]
pub struct Runtime {
    system: System,
    scheduler: Address<SchedulerMsg>,
    root: ActorRef<SupervisorMsg>,
    failed: watch::Receiver<Option<Error>>,
    /// Looks at the scheduler from outside.
    pulse: Pulse,
}

/// A task that ends with its owner.
#[derive(Debug)]
struct Pulse(JoinHandle<()>);

impl Drop for Pulse {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Runtime {
    /// Brings the tree in line with the definition, ends what an earlier daemon left behind,
    /// and starts the actors.
    ///
    /// # Errors
    /// When the store refuses, or an actor cannot start.
    pub async fn start(context: Context) -> Result<Self, Error> {
        let (directory_slot, directory) = address();
        let (keeper_slot, keeper) = address();
        let (scheduler_slot, scheduler) = address();
        let (team_slot, team) = address();
        let spawned = stored(context.journal.reader(), &context.team)?;
        let guard = Guard::load(context.journal.reader(), &context.team, &spawned)?;
        let known = Known::new(&context.team, spawned);
        let system = System::new(Arc::new(context), directory, keeper, team, Arc::new(guard), known);
        install(&system).await?;
        let (failed, has_failed) = watch::channel(None);
        let plant = Plant {
            system: system.clone(),
            directory: directory_slot,
            keeper: keeper_slot,
            scheduler: scheduler_slot,
            team: team_slot,
            failed,
        };
        let (root, _) = Actor::spawn(None, Supervisor, plant)
            .await
            .map_err(|error| Error::new(Code::Failed, format!("the runtime cannot start: {error}")))?;
        let pulse = Pulse(tokio::spawn(pulse::watch(system.clone(), scheduler.clone())));
        let runtime = Self {
            system,
            pulse,
            scheduler,
            root,
            failed: has_failed,
        };
        runtime.finish_panic().await;
        Ok(runtime)
    }

    /// An earlier daemon may have stored a panic, and not lived to stop everything. Nothing that
    /// lives now has started since.
    async fn finish_panic(&self) {
        if self.system.guard().blocks(PanicStage::Spawns) {
            let reason = "told to an earlier daemon".to_owned();
            self.stop_live(&StopCause::Panic { reason }, None).await;
        }
    }

    /// The handle through which everything is asked.
    #[must_use]
    pub const fn system(&self) -> &System {
        &self.system
    }

    /// Resolves when the runtime has given up.
    pub async fn failed(&self) -> Error {
        let mut failed = self.failed.clone();
        let outcome = failed
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|error| error.clone());
        outcome.unwrap_or_else(|| Error::new(Code::Failed, "the runtime ended"))
    }

    /// How many Worknodes are active.
    pub async fn active(&self) -> usize {
        let (reply, answer) = oneshot::channel();
        if self.system.directory().tell(DirectoryMsg::Count(reply)).is_err() {
            return 0;
        }
        answer.await.unwrap_or(0)
    }

    /// Makes every Worknode that is idle for this long data again.
    pub fn passivate(&self, idle: Duration) {
        // Without a directory nothing is active.
        let _ = self.system.directory().tell(DirectoryMsg::Sweep(idle));
    }

    /// Looks at the clock now instead of at the next instant at which something is due: it was
    /// set, or the machine slept. Resolves when everything that is due has been begun.
    pub async fn look_at_the_clock(&self) {
        let (done, looked) = oneshot::channel();
        if self.scheduler.tell(SchedulerMsg::LookNow(done)).is_ok() {
            // Without a scheduler nothing is due.
            let _ = looked.await;
        }
    }

    /// Looks once whether the scheduler does its work, as the runtime does now and then by itself,
    /// and records when that is news. `patience` is how long it may take to answer.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn look_at_the_scheduler(&self, patience: Duration) -> Result<(), Error> {
        pulse::look(&self.system, &self.scheduler, patience).await
    }

    /// Fires a trigger by hand. Answers which firing that is; what comes of it is in the journal.
    ///
    /// # Errors
    /// `not_found` when there is no such trigger; `refused` during a panic.
    pub async fn fire_trigger(&self, trigger: &str, by: Principal) -> Result<Occurrence, Error> {
        let trigger = trigger.to_owned();
        let request = request::present();
        self.ask_scheduler(|reply| SchedulerMsg::Fire {
            trigger,
            by,
            request,
            reply,
        })
        .await
    }

    /// Lets a trigger not act until it is resumed, through every restart. False when it was paused
    /// already.
    ///
    /// # Errors
    /// `not_found` when there is no such trigger.
    pub async fn pause_trigger(&self, trigger: &str, by: Principal) -> Result<bool, Error> {
        let trigger = trigger.to_owned();
        self.ask_scheduler(|reply| SchedulerMsg::Pause { trigger, by, reply })
            .await
    }

    /// Lets it act again, on what comes. False when it was not paused.
    ///
    /// # Errors
    /// `not_found` when there is no such trigger.
    pub async fn resume_trigger(&self, trigger: &str, by: Principal) -> Result<bool, Error> {
        let trigger = trigger.to_owned();
        self.ask_scheduler(|reply| SchedulerMsg::Resume { trigger, by, reply })
            .await
    }

    /// From now on, these are the triggers. Those that are as before remember all; new ones watch
    /// from here on; what those that are gone started goes on.
    ///
    /// # Errors
    /// When it cannot be stored; then all is as before.
    pub async fn replace_triggers(&self, triggers: Vec<Trigger>) -> Result<Replaced, Error> {
        self.ask_scheduler(|reply| SchedulerMsg::Replace { triggers, reply })
            .await
    }

    /// How all triggers stand, or this one.
    ///
    /// # Errors
    /// `not_found` when there is no such trigger.
    pub async fn triggers(&self, of: Option<&str>) -> Result<Vec<TriggerReport>, Error> {
        let of = of.map(str::to_owned);
        self.ask_scheduler(|reply| SchedulerMsg::Report { of, reply })
            .await
    }

    async fn ask_scheduler<T>(
        &self,
        message: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> SchedulerMsg,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.scheduler.tell(message(reply))?;
        match tokio::time::timeout(self.system.answer_time(), answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Error::new(Code::Failed, "the scheduler ended before it answered")
                .hint("what was acknowledged is stored; ask again")),
            Err(_) => {
                Err(Error::new(Code::TimedOut, "the scheduler did not answer in time").hint(MAY_BE_DONE))
            }
        }
    }

    /// Ends a run whose stop cannot be stored. Its end is stored once that is possible again.
    pub fn stop_unrecorded(&self, run: RunId, grace: Option<Duration>) {
        // Without a keeper no run lives.
        let _ = self.system.keeper().tell(KeeperMsg::Stop { run, grace });
    }

    /// The run called the daemon: it is not silent.
    pub fn called(&self, run: RunId) {
        // Without a keeper no run lives.
        let _ = self.system.keeper().tell(KeeperMsg::Called { run });
    }

    /// What the processes of the live runs take of the machine. A shim that does not answer in
    /// time is left out.
    pub async fn resources(&self) -> HashMap<RunId, Resources> {
        self.ask_shims(|_| true).await
    }

    /// The same of these runs only: no other shim is asked.
    pub async fn resources_of(&self, runs: &[RunId]) -> HashMap<RunId, Resources> {
        self.ask_shims(|run| runs.contains(run)).await
    }

    async fn ask_shims(&self, which: impl Fn(&RunId) -> bool) -> HashMap<RunId, Resources> {
        let (reply, answer) = oneshot::channel();
        if self.system.keeper().tell(KeeperMsg::Shims(reply)).is_err() {
            return HashMap::new();
        }
        let mut asking = JoinSet::new();
        let mut shims = answer.await.unwrap_or_default();
        shims.retain(|(run, _)| which(run));
        for (run, shim) in shims {
            asking.spawn(async move {
                let resources = tokio::time::timeout(SHIM_ANSWER, shim.resources()).await;
                Some((run, resources.ok()?.ok()?))
            });
        }
        let answers = asking.join_all().await;
        answers.into_iter().flatten().collect()
    }

    /// Stops everything, and blocks spawns, triggers and landings until [`Self::unpanic`], through
    /// every restart. Returns the runs that are being stopped; their ends are in the journal.
    ///
    /// # Errors
    /// When the panic cannot be stored. Everything is blocked and being stopped all the same.
    pub async fn panic(&self, by: Principal, reason: &str) -> Result<Vec<StoredRun>, Error> {
        let panicked = Event::Panicked {
            reason: reason.to_owned(),
        };
        // First in memory: what is decided from here on is decided against.
        self.system.guard().take(&panicked);
        let team = self.system.team().node();
        let stored = self.system.record(by, team, vec![panicked]).await;
        let cause = StopCause::Panic {
            reason: reason.to_owned(),
        };
        let at = stored.as_ref().ok().and_then(|records| Some(records.first()?.at));
        let (stopped, _) = self.stop_live(&cause, at).await;
        stored.map(|_| stopped)
    }

    /// Lifts a panic up to and with `last`, stage by stage. Returns what was lifted; nothing when
    /// there was nothing to lift.
    ///
    /// # Errors
    /// When a stage cannot be stored; it stays blocked then.
    pub async fn unpanic(&self, by: &Principal, last: PanicStage) -> Result<Vec<PanicStage>, Error> {
        let blocked = self.system.guard().blocked();
        let stages = PanicStage::ALL.into_iter().filter(|stage| *stage <= last);
        let mut lifted = Vec::new();
        for stage in stages.filter(|stage| blocked.contains(stage)) {
            let event = Event::PanicLifted { stage };
            let team = self.system.team().node();
            self.system.record(by.clone(), team, vec![event.clone()]).await?;
            self.system.guard().take(&event);
            lifted.push(stage);
        }
        Ok(lifted)
    }

    /// Orders the end of every live run. Says which they are, and whether all of that is stored.
    async fn stop_live(&self, cause: &StopCause, event: Option<Hlc>) -> (Vec<StoredRun>, bool) {
        let live = self.system.reader().live_runs().unwrap_or_default();
        let mut stored = true;
        for StoredRun { run, agent, .. } in &live {
            let stop = AgentCommand::StopRun {
                cause: cause.clone(),
                grace: None,
            };
            let stopped = self.system.command_after(event, *agent, Command::Agent(stop));
            if let Err(error) = stopped.await {
                tracing::error!(%error, run = %run.spec.id, "the stop of a run could not be stored");
                // On a full disk too it ends; its end is stored once that is possible again.
                self.stop_unrecorded(run.spec.id, None);
                stored = false;
            }
        }
        (live, stored)
    }

    /// Ends without ending any run: each goes on under its shim, and the next daemon adopts it.
    pub async fn leave(&self, reason: &str) {
        self.pulse.0.abort();
        let (reply, quiet) = oneshot::channel();
        if self.root.send_message(SupervisorMsg::Quiesce(reply)).is_ok() {
            let _ = tokio::time::timeout(STOP_MARGIN, quiet).await;
        }
        // Without a keeper no run lives.
        let _ = self.system.keeper().tell(KeeperMsg::Leave);
        self.end(reason).await;
    }

    /// Stops in order: no new work, then every run, then the actors; the store stays open.
    pub async fn shutdown(&self, reason: &str) {
        self.pulse.0.abort();
        let (reply, quiet) = oneshot::channel();
        if self.root.send_message(SupervisorMsg::Quiesce(reply)).is_ok() {
            let _ = tokio::time::timeout(STOP_MARGIN, quiet).await;
        }
        self.stop_runs().await;
        self.end(reason).await;
    }

    async fn end(&self, reason: &str) {
        let node = self.system.team().node();
        let stopped = Event::DaemonStopped {
            reason: reason.to_owned(),
        };
        if let Err(error) = self.system.record(Principal::Runtime, node, vec![stopped]).await {
            tracing::error!(%error, "the end of the daemon could not be stored");
        }
        let (reply, done) = oneshot::channel();
        if self.root.send_message(SupervisorMsg::Shutdown(reply)).is_ok() {
            let _ = tokio::time::timeout(STOP_MARGIN, done).await;
        }
    }

    async fn stop_runs(&self) {
        let (live, stored) = self.stop_live(&StopCause::Shutdown, None).await;
        let margin = if stored { STOP_MARGIN } else { UNSTORED_MARGIN };
        let graces = live.iter().map(|stored| stored.run.spec.limits.grace);
        let grace = graces.fold(bounds::STOP_GRACE, Duration::max);
        let limit = grace.saturating_add(margin);
        let (reply, empty) = oneshot::channel();
        if self.system.keeper().tell(KeeperMsg::WhenEmpty(reply)).is_ok()
            && tokio::time::timeout(limit, empty).await.is_err()
        {
            tracing::error!("some runs did not end; the next daemon ends them");
        }
    }
}

/// Makes what the definition asks for and the store does not have; changes what differs;
/// cancels what the plan no longer names. Doing it again changes nothing.
async fn install(system: &System) -> Result<(), Error> {
    let team = system.team();
    let known_plan = last_plan(system)?.as_ref() == Some(&team.plan_digest);
    let nodes = team.nodes();
    let tasks = nodes.iter().filter(|(_, spec)| spec.kind == Kind::Task).count();
    let mut drafts = different(system, nodes, known_plan)?;
    let changed = !drafts.is_empty() || !known_plan;
    drafts.extend(dropped_from_plan(system)?);
    drafts.extend(install::changes(system)?);
    for chunk in drafts.chunks(CHUNK) {
        system
            .journal()
            .append(chunk.to_vec(), Durability::Durable)
            .await?;
    }
    let mut events = vec![Event::DaemonStarted {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
    }];
    if changed {
        events.push(Event::PlanLoaded {
            digest: team.plan_digest.clone(),
            tasks,
        });
    }
    system.record(Principal::Runtime, team.node(), events).await?;
    Ok(())
}

/// What the definition asks for and the store has not, or has differently.
fn different(system: &System, nodes: Vec<(NodeId, NodeSpec)>, known_plan: bool) -> Result<Vec<Draft>, Error> {
    let mut drafts = Vec::new();
    for (id, spec) in nodes {
        let event = match system.reader().node(id)? {
            None => Event::NodeCreated { node: spec },
            // What was changed by hand stays, until the plan's file says something new.
            Some(node) if known_plan && is_amended(&node) => continue,
            Some(node) => {
                let spec = if known_plan {
                    with_priority_of(&node, spec)
                } else {
                    spec
                };
                if !differs(&node, &spec) {
                    continue;
                }
                Event::NodeUpdated { detail: spec.detail }
            }
        };
        drafts.push(Draft {
            node: id,
            by: Principal::Runtime,
            cause: None,
            event,
        });
    }
    Ok(drafts)
}

/// The digest of the plan that was loaded last.
fn last_plan(system: &System) -> Result<Option<String>, Error> {
    let filter = EventFilter {
        node: Some(system.team().node()),
        types: vec!["plan_loaded".to_owned()],
        newest_first: true,
        limit: 1,
        ..EventFilter::default()
    };
    let last = system.reader().events(&filter)?.pop();
    Ok(last.and_then(|record| match record.event {
        Event::PlanLoaded { digest, .. } => Some(digest),
        _ => None,
    }))
}

fn is_amended(node: &Node) -> bool {
    node.task().is_some_and(|task| task.spec.amended)
}

/// Is an approved tree of the task on its way to the base branch? Then it lands as what it was judged.
fn is_landing(task: &Task) -> bool {
    matches!(&task.status, TaskStatus::InReview(review) if review.landing.is_some())
}

/// A priority that is another than the plan's, which says nothing new, was raised since: that is taken
/// back by whoever raised it.
fn with_priority_of(node: &Node, mut spec: NodeSpec) -> NodeSpec {
    if let (Some(task), Detail::Task(wanted)) = (node.task(), &mut spec.detail) {
        wanted.priority = task.spec.priority;
    }
    spec
}

/// Does the definition ask something else than the stored Worknode has?
fn differs(node: &Node, spec: &NodeSpec) -> bool {
    match &spec.detail {
        Detail::Plain => false,
        Detail::Task(wanted) => node
            .task()
            .is_some_and(|task| !task.status.is_terminal() && !is_landing(task) && *task.spec != **wanted),
        Detail::Agent(wanted) => node.agent().is_some_and(|agent| agent.spec != **wanted),
    }
}

/// Tasks of this team's plan that nobody has begun and that the plan no longer has.
fn dropped_from_plan(system: &System) -> Result<Vec<Draft>, Error> {
    let team = system.team();
    let phases: Vec<_> = team
        .plan
        .iter()
        .filter(|(_, spec)| spec.kind == Kind::Phase)
        .map(|(id, _)| *id)
        .collect();
    let planned: HashSet<NodeId> = team.plan.iter().map(|(id, _)| *id).collect();
    let wanted = |id: NodeId| planned.contains(&id);
    // What somebody has begun is not taken away.
    let untouched = tasks_that_are(system.reader(), &["pending", "ready"])?;
    let dropped = untouched.into_iter().filter(|node| {
        let planned_before = node.parent.is_some_and(|parent| phases.contains(&parent));
        planned_before && !is_amended(node) && !wanted(node.id)
    });
    Ok(dropped
        .map(|node| Draft {
            node: node.id,
            by: Principal::Runtime,
            cause: None,
            event: Event::TaskCancelled {
                reason: "it is no longer in the plan".to_owned(),
            },
        })
        .collect())
}
