//! The keeper of live runs: the one actor that holds processes.
//!
//! It turns a [`SpawnPermit`] into a process and a stop into its end, each in a job of its own,
//! and tells the agent's Worknode what became of it. When a daemon starts, the keeper first
//! looks for what an earlier one left alive, and ends it: nothing runs that nobody watches.

mod brief;
mod clone;
mod job;
mod orphans;
mod workspace;

use std::{collections::HashMap, time::Duration};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
};
use worknode_core::{
    ids::{NodeId, RunId},
    run::{RunSpec, SpawnPermit},
};

pub(crate) use self::clone::start_of;
use self::orphans::end_what_was_left;
use crate::{messages::KeeperMsg, system::System};

/// A run is to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StopOrder {
    /// Time between TERM and KILL, when not the run's own.
    pub(crate) grace: Option<Duration>,
}

/// The actor.
#[derive(Debug)]
pub(crate) struct Keeper;

pub(crate) struct State {
    system: System,
    /// For each live run, the flag that tells its job to stop.
    live: HashMap<RunId, watch::Sender<Option<StopOrder>>>,
    jobs: JoinSet<()>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Actor for Keeper {
    type Msg = KeeperMsg;
    type State = State;
    type Arguments = System;

    /// Before any run of ours, the end of every run of a daemon that is gone.
    async fn pre_start(&self, _: ActorRef<KeeperMsg>, system: System) -> Result<State, ActorProcessingErr> {
        end_what_was_left(&system).await?;
        Ok(State {
            system,
            live: HashMap::new(),
            jobs: JoinSet::new(),
            waiting: Vec::new(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<KeeperMsg>,
        message: KeeperMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            KeeperMsg::Spawn { permit, spec, agent } => state.spawn(&myself, permit, *spec, agent),
            KeeperMsg::Stop { run, grace } => state.stop(run, grace),
            KeeperMsg::Over { run } => state.over(run),
            KeeperMsg::WhenEmpty(reply) => {
                state.waiting.push(reply);
                state.tell_if_empty();
            }
        }
        Ok(())
    }
}

impl State {
    fn spawn(&mut self, myself: &ActorRef<KeeperMsg>, permit: SpawnPermit, spec: RunSpec, agent: NodeId) {
        let run = spec.id;
        let (stop, stopped) = watch::channel(None);
        self.live.insert(run, stop);
        let (system, myself) = (self.system.clone(), myself.clone());
        self.jobs.spawn(async move {
            job::live(system, permit, spec, agent, stopped).await;
            // A keeper that is gone has forgotten the run already.
            let _ = myself.send_message(KeeperMsg::Over { run });
        });
    }

    fn stop(&self, run: RunId, grace: Option<Duration>) {
        match self.live.get(&run) {
            Some(stop) => drop(stop.send_replace(Some(StopOrder { grace }))),
            None => tracing::debug!(%run, "asked to stop a run that is over"),
        }
    }

    fn over(&mut self, run: RunId) {
        self.live.remove(&run);
        while self.jobs.try_join_next().is_some() {}
        self.tell_if_empty();
    }

    fn tell_if_empty(&mut self) {
        if self.live.is_empty() {
            for reply in self.waiting.drain(..) {
                let _ = reply.send(());
            }
        }
    }
}
