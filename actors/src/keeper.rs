//! The keeper of live runs: the one actor that starts processes, and takes back those that an
//! earlier daemon started.
//!
//! It turns a [`SpawnPermit`] into a process under its shim, and orders into what the shim does.
//! Each run has a job of its own, which tells the agent's Worknode what became of it. When a
//! daemon starts, the keeper first takes charge of every run that the journal calls live (P7).

mod adopt;
mod brief;
mod clone;
mod included;
mod job;
mod mcp;
mod receipt;
mod sandbox;
mod session;
mod talk;
mod tools;
mod workspace;

use std::collections::HashMap;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
};
use worknode_core::{
    ids::{NodeId, RunId},
    run::{RunSpec, SpawnPermit},
};
use worknode_process::Shim;

pub(crate) use self::{clone::start_of, sandbox::existing, workspace::shim_secret};
use crate::{messages::KeeperMsg, system::System};

/// The variable that marks every process of a run.
pub(crate) const MARK: &str = "WORKNODE_RUN";

/// What a run has been told. Orders are states, not messages: one that comes late finds the
/// newest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Orders {
    /// To end.
    pub(crate) stop: Option<StopOrder>,
    /// To be held still.
    pub(crate) frozen: bool,
    /// How often a call of the run was seen.
    pub(crate) calls: u64,
    /// How often something was answered that its program had asked for.
    pub(crate) answers: u64,
}

/// A run is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StopOrder {
    /// Time between TERM and KILL, when not the run's own.
    pub(crate) grace: Option<std::time::Duration>,
}

/// How a job begins.
pub(crate) enum Begin {
    /// With a process that is still to be started.
    Spawn(SpawnPermit),
    /// With one that an earlier daemon started. Boxed, like the other: it is rare.
    Adopt(Box<Shim>),
}

/// The actor.
#[derive(Debug)]
pub(crate) struct Keeper;

pub(crate) struct State {
    system: System,
    live: HashMap<RunId, Live>,
    jobs: JoinSet<()>,
    waiting: Vec<oneshot::Sender<()>>,
}

struct Live {
    orders: watch::Sender<Orders>,
    /// The shim, for questions, from the moment at which it is there.
    shim: watch::Receiver<Option<Shim>>,
}

impl Actor for Keeper {
    type Msg = KeeperMsg;
    type State = State;
    type Arguments = System;

    /// Before any run of ours, every run of a daemon that is gone.
    async fn pre_start(
        &self,
        myself: ActorRef<KeeperMsg>,
        system: System,
    ) -> Result<State, ActorProcessingErr> {
        let adopted = adopt::every_run(&system).await?;
        let mut state = State {
            system,
            live: HashMap::new(),
            jobs: JoinSet::new(),
            waiting: Vec::new(),
        };
        for run in adopted {
            state.adopt(&myself, run);
        }
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<KeeperMsg>,
        message: KeeperMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            KeeperMsg::Spawn { permit, spec, agent } => {
                state.begin(&myself, Begin::Spawn(permit), *spec, agent, Orders::default());
            }
            KeeperMsg::Stop { run, grace } => {
                state.order(run, |orders| orders.stop = Some(StopOrder { grace }));
            }
            KeeperMsg::Freeze { run } => state.order(run, |orders| orders.frozen = true),
            KeeperMsg::Thaw { run } => state.order(run, |orders| orders.frozen = false),
            KeeperMsg::Answered { run } => state.order(run, |orders| orders.answers += 1),
            KeeperMsg::Called { run } => state.order(run, |orders| orders.calls += 1),
            KeeperMsg::Shims(reply) => state.tell_shims(reply),
            KeeperMsg::Over { run } => state.over(run),
            KeeperMsg::WhenEmpty(reply) => {
                state.waiting.push(reply);
                state.tell_if_empty();
            }
            KeeperMsg::Leave => state.leave(),
        }
        Ok(())
    }
}

impl State {
    fn begin(
        &mut self,
        myself: &ActorRef<KeeperMsg>,
        begin: Begin,
        spec: RunSpec,
        agent: NodeId,
        orders: Orders,
    ) {
        let run = spec.id;
        let (orders, given) = watch::channel(orders);
        let (shim_is, shim) = watch::channel(None);
        self.live.insert(run, Live { orders, shim });
        let (system, myself) = (self.system.clone(), myself.clone());
        self.jobs.spawn(async move {
            job::live(system, begin, spec, agent, given, shim_is).await;
            // A keeper that is gone has forgotten the run already.
            let _ = myself.send_message(KeeperMsg::Over { run });
        });
    }

    fn adopt(&mut self, myself: &ActorRef<KeeperMsg>, run: adopt::Adoption) {
        let orders = Orders {
            stop: run.stop,
            frozen: run.frozen,
            ..Orders::default()
        };
        self.begin(myself, Begin::Adopt(run.shim), run.spec, run.agent, orders);
    }

    fn order(&self, run: RunId, change: impl FnOnce(&mut Orders)) {
        match self.live.get(&run) {
            Some(live) => live.orders.send_modify(change),
            None => tracing::debug!(%run, "an order for a run that is over"),
        }
    }

    fn tell_shims(&self, reply: oneshot::Sender<Vec<(RunId, Shim)>>) {
        let shims = self.live.iter().filter_map(|(run, live)| {
            let shim = live.shim.borrow().clone()?;
            Some((*run, shim))
        });
        // Whoever asked may have gone away.
        let _ = reply.send(shims.collect());
    }

    /// Lets every run go on without a daemon: the next one adopts them.
    fn leave(&mut self) {
        self.jobs.abort_all();
        self.live.clear();
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
