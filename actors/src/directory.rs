//! The directory: which Worknodes are active, and the way to each.
//!
//! A Worknode is data in the store until somebody asks it something; then it becomes an actor,
//! and after a while of silence it is passivated again. All messages go through here, so a
//! Worknode has at most one actor at any time: while one is leaving, its messages wait.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, ActorRuntime, SupervisionEvent};
use tokio::time::Instant;
use worknode_core::{
    bounds,
    error::{Code, Error},
    ids::NodeId,
};

use crate::{
    membrane::{Admission, Ask, Membrane},
    messages::DirectoryMsg,
    system::System,
    worknode::{Active, NodeMsg, WorknodeActor},
};

/// How long a Worknode stays active without being asked.
const IDLE: Duration = Duration::from_secs(60);
/// How often the directory looks for idle ones.
const SWEEP: Duration = Duration::from_secs(15);

/// The actor.
#[derive(Debug)]
pub(crate) struct Directory;

/// One Worknode that has an actor.
struct Entry {
    actor: ActorRef<NodeMsg>,
    membrane: Arc<Membrane>,
    used: Instant,
    /// Present while the actor is leaving: what came meanwhile.
    waiting: Option<VecDeque<Ask>>,
}

pub(crate) struct State {
    system: System,
    active: HashMap<NodeId, Entry>,
    by_actor: HashMap<ActorId, NodeId>,
}

impl Actor for Directory {
    type Msg = DirectoryMsg;
    type State = State;
    type Arguments = System;

    async fn pre_start(
        &self,
        myself: ActorRef<DirectoryMsg>,
        system: System,
    ) -> Result<State, ActorProcessingErr> {
        myself.send_interval(SWEEP, || DirectoryMsg::Sweep(IDLE));
        Ok(State {
            system,
            active: HashMap::new(),
            by_actor: HashMap::new(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<DirectoryMsg>,
        message: DirectoryMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            DirectoryMsg::Route(node, ask) => state.route(&myself, node, *ask),
            DirectoryMsg::Sweep(idle) => state.sweep(idle),
            DirectoryMsg::Count(reply) => {
                let _ = reply.send(state.active.len());
            }
        }
        Ok(())
    }

    /// A Worknode that ends, by passivation or by a defect, is data again. ractor's default
    /// would end the directory with it.
    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<DirectoryMsg>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(who, _, _) => state.left(&myself, who.get_id()),
            SupervisionEvent::ActorFailed(who, error) => {
                tracing::error!(%error, "a Worknode's actor failed; it starts again from the store");
                state.left(&myself, who.get_id());
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

impl State {
    fn route(&mut self, myself: &ActorRef<DirectoryMsg>, node: NodeId, ask: Ask) {
        if let Some(entry) = self.active.get_mut(&node) {
            entry.used = Instant::now();
            match &mut entry.waiting {
                Some(queue) if queue.len() >= bounds::MAILBOX => {
                    ask.answer(Err(Error::backpressure("the mailbox of this Worknode")));
                }
                Some(queue) => queue.push_back(ask),
                None => entry.send(ask),
            }
            return;
        }
        match self.activate(myself, node) {
            Ok(entry) => entry.send(ask),
            Err(error) => ask.answer(Err(error)),
        }
    }

    /// Reads the Worknode from the store and gives it an actor.
    fn activate(&mut self, myself: &ActorRef<DirectoryMsg>, id: NodeId) -> Result<&Entry, Error> {
        let journal = self.system.journal();
        // Taken first: a move that comes between is seen the next time.
        let shape = journal.moves();
        let node = journal
            .reader()
            .node(id)?
            .ok_or_else(|| Error::new(Code::NotFound, format!("there is no Worknode {id}")))?;
        // It stands in memory now: what is above it need not be read when the first message comes.
        self.system.boundaries().of_read(&node, shape)?;
        let membrane = Arc::new(Membrane::new(id, self.system.clone()));
        let active = Active {
            node: Arc::new(node),
            membrane: Arc::clone(&membrane),
            system: self.system.clone(),
        };
        let (actor, _) = ActorRuntime::spawn_linked_instant(None, WorknodeActor, active, myself.get_cell())
            .map_err(|error| {
            Error::new(Code::Failed, format!("cannot activate Worknode {id}: {error}"))
        })?;
        self.by_actor.insert(actor.get_id(), id);
        let entry = Entry {
            actor,
            membrane,
            used: Instant::now(),
            waiting: None,
        };
        Ok(self.active.entry(id).insert_entry(entry).into_mut())
    }

    fn sweep(&mut self, idle: Duration) {
        let now = Instant::now();
        for entry in self.active.values_mut() {
            let rests = entry.waiting.is_none() && !entry.membrane.is_waited_at();
            if rests && now.duration_since(entry.used) >= idle {
                // A mailbox that is closed already belongs to an actor that is leaving anyway.
                let _ = entry.actor.send_message(NodeMsg::Passivate);
                entry.waiting = Some(VecDeque::new());
            }
        }
    }

    /// The actor is gone. Who waited for it wakes it up again.
    fn left(&mut self, myself: &ActorRef<DirectoryMsg>, actor: ActorId) {
        let Some(node) = self.by_actor.remove(&actor) else {
            return;
        };
        let Some(entry) = self.active.remove(&node) else {
            return;
        };
        for ask in entry.waiting.into_iter().flatten() {
            self.route(myself, node, ask);
        }
    }
}

impl Entry {
    fn send(&self, ask: Ask) {
        let message = match self.membrane.admit(ask) {
            Admission::Message(admitted) => NodeMsg::Ask(admitted),
            Admission::ProgressWaits => NodeMsg::ProgressWaits,
            Admission::EventWaits(wait) => {
                // Its handle is not needed: the actor looks for itself, whenever it is told to.
                self.actor.send_after(wait, || NodeMsg::EventsWait);
                return;
            }
            Admission::Settled => return,
        };
        if let Err(error) = self.actor.send_message(message) {
            // The actor failed a moment ago; the asker learns it from its dropped reply.
            tracing::debug!(%error, "message for a Worknode that is just ending");
        }
    }
}
