//! The root of the actors: starts them in order, restarts them, shuts them down in reverse.
//!
//! Strategy: rest-for-one, since each actor uses those that were started before it. Past the
//! intensity the runtime as a whole gives up and says so; what is stored is whole, and the next
//! daemon goes on from it.

use std::time::Duration;

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use tokio::sync::{oneshot, watch};
use worknode_core::{
    error::{Code, Error},
    restart::{Restart, RestartKind, RestartPolicy, RestartTracker, Strategy},
};

use crate::{
    address::Slot,
    directory::Directory,
    keeper::Keeper,
    messages::{DirectoryMsg, KeeperMsg},
    oversight::Oversight,
    policy::Policy,
    scheduler::{Scheduler, SchedulerMsg},
    system::{System, random_u64},
    team::{Team, TeamMsg},
};

/// How long one actor may take to stop in order before it is killed.
const STOP: Duration = Duration::from_secs(5);

/// The actors of a runtime, in the order of their start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Child {
    Directory,
    Keeper,
    Policy,
    Oversight,
    Scheduler,
    Team,
}

const ORDER: [Child; 6] = [
    Child::Directory,
    Child::Keeper,
    Child::Policy,
    Child::Oversight,
    Child::Scheduler,
    Child::Team,
];

/// What the supervisor is told.
#[derive(Debug)]
pub(crate) enum SupervisorMsg {
    /// The backoff is over: start what is missing.
    Restart,
    /// Stop scheduling and dispatching: no new work.
    Quiesce(oneshot::Sender<()>),
    /// Stop everything that is left.
    Shutdown(oneshot::Sender<()>),
}

/// What the supervisor needs to start its children.
pub(crate) struct Plant {
    pub(crate) system: System,
    pub(crate) directory: Slot<DirectoryMsg>,
    pub(crate) keeper: Slot<KeeperMsg>,
    pub(crate) scheduler: Slot<SchedulerMsg>,
    pub(crate) team: Slot<TeamMsg>,
    /// Told when the runtime gives up.
    pub(crate) failed: watch::Sender<Option<Error>>,
}

/// The actor.
#[derive(Debug)]
pub(crate) struct Supervisor;

pub(crate) struct State {
    plant: Plant,
    running: Vec<(Child, ActorCell)>,
    restarts: RestartTracker,
    shutting_down: bool,
}

impl Actor for Supervisor {
    type Msg = SupervisorMsg;
    type State = State;
    type Arguments = Plant;

    async fn pre_start(
        &self,
        myself: ActorRef<SupervisorMsg>,
        plant: Plant,
    ) -> Result<State, ActorProcessingErr> {
        let mut state = State {
            plant,
            running: Vec::new(),
            restarts: RestartTracker::default(),
            shutting_down: false,
        };
        state.start_missing(&myself).await?;
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<SupervisorMsg>,
        message: SupervisorMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SupervisorMsg::Restart if !state.shutting_down => {
                if let Err(error) = state.start_missing(&myself).await {
                    state.child_ended(&myself, None, &error.to_string()).await;
                }
            }
            SupervisorMsg::Restart => {}
            SupervisorMsg::Quiesce(reply) => {
                state.shutting_down = true;
                state.stop_from(Child::Policy).await;
                let _ = reply.send(());
            }
            SupervisorMsg::Shutdown(reply) => {
                state.shutting_down = true;
                state.stop_from(Child::Directory).await;
                let _ = reply.send(());
                myself.stop(None);
            }
        }
        Ok(())
    }

    /// ractor's default would end the supervisor with its first child.
    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<SupervisorMsg>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(who, _, reason) => {
                let reason = reason.unwrap_or_else(|| "it stopped".to_owned());
                state.child_ended(&myself, Some(who), &reason).await;
            }
            SupervisionEvent::ActorFailed(who, error) => {
                state.child_ended(&myself, Some(who), &error.to_string()).await;
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

impl State {
    /// Starts, in order, every child that does not run.
    async fn start_missing(&mut self, myself: &ActorRef<SupervisorMsg>) -> Result<(), SpawnErr> {
        for child in ORDER {
            if !self.running.iter().any(|(running, _)| *running == child) {
                let cell = self.start(child, myself.get_cell()).await?;
                self.running.push((child, cell));
            }
        }
        Ok(())
    }

    async fn start(&self, child: Child, myself: ActorCell) -> Result<ActorCell, SpawnErr> {
        let system = self.plant.system.clone();
        Ok(match child {
            Child::Directory => {
                let (actor, _) = Actor::spawn_linked(None, Directory, system, myself).await?;
                self.plant.directory.moved_in(actor.clone());
                actor.get_cell()
            }
            Child::Keeper => {
                let (actor, _) = Actor::spawn_linked(None, Keeper, system, myself).await?;
                self.plant.keeper.moved_in(actor.clone());
                actor.get_cell()
            }
            Child::Policy => Actor::spawn_linked(None, Policy, system, myself)
                .await?
                .0
                .get_cell(),
            Child::Oversight => Actor::spawn_linked(None, Oversight, system, myself)
                .await?
                .0
                .get_cell(),
            Child::Scheduler => {
                let (actor, _) = Actor::spawn_linked(None, Scheduler, system, myself).await?;
                self.plant.scheduler.moved_in(actor.clone());
                actor.get_cell()
            }
            Child::Team => {
                let (actor, _) = Actor::spawn_linked(None, Team, system, myself).await?;
                self.plant.team.moved_in(actor.clone());
                actor.get_cell()
            }
        })
    }

    async fn child_ended(&mut self, myself: &ActorRef<SupervisorMsg>, who: Option<ActorCell>, why: &str) {
        let ended = who.and_then(|who| {
            let at = self
                .running
                .iter()
                .position(|(_, cell)| cell.get_id() == who.get_id())?;
            Some(self.running[at].0)
        });
        if self.shutting_down {
            return;
        }
        if let Some(child) = ended {
            tracing::error!(
                ?child,
                why,
                "an actor of the runtime ended; restarting it and those after it"
            );
            self.stop_affected(child).await;
        }
        let policy = RestartPolicy {
            kind: RestartKind::Permanent,
            ..RestartPolicy::default()
        };
        let now = self.plant.system.now();
        match self.restarts.decide(&policy, true, now, random_u64()) {
            Restart::After(wait) => {
                self.restarts = self.restarts.restarted(&policy, now);
                myself.send_after(wait, || SupervisorMsg::Restart);
            }
            Restart::Leave | Restart::GiveUp => {
                let error = Error::new(Code::Failed, format!("the runtime gives up: {why}"))
                    .hint("start it again; what was acknowledged is stored");
                self.plant.failed.send_replace(Some(error));
            }
        }
    }

    async fn stop_affected(&mut self, child: Child) {
        let affected = Strategy::RestForOne.affected(&ORDER, &child);
        self.stop_where(|running| affected.contains(&running)).await;
    }

    async fn stop_from(&mut self, first: Child) {
        let affected = Strategy::RestForOne.affected(&ORDER, &first);
        self.stop_where(|running| affected.contains(&running)).await;
    }

    /// Stops children in the reverse order of their start, each within a bound.
    async fn stop_where(&mut self, which: impl Fn(Child) -> bool) {
        for child in ORDER.into_iter().rev().filter(|child| which(*child)) {
            let Some(at) = self.running.iter().position(|(running, _)| *running == child) else {
                continue;
            };
            let (_, cell) = self.running.remove(at);
            if cell.stop_and_wait(None, Some(STOP)).await.is_err() {
                cell.kill();
            }
        }
    }
}
