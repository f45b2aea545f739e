//! The Worknodes that are awake, as all who ask share them.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use ractor::{ActorCell, ActorId, ActorRef, ActorRuntime};
use tokio::time::Instant;
use worknode_core::{
    bounds,
    error::{Code, Error},
    ids::NodeId,
    node::Node,
};

use crate::{
    address::gone,
    locked::lock,
    membrane::{Admission, Ask, Membrane},
    system::System,
    worknode::{Active, NodeMsg, WorknodeActor},
};

/// Parts of the directory, so that those who ask seldom wait for each other.
const PARTS: usize = 64;

/// How full the mailboxes are of those that are awake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mailboxes {
    /// Worknodes whose actor is there.
    pub awake: usize,
    /// Commands that wait, in all of them.
    pub waiting: usize,
    /// Commands that wait in the fullest.
    pub fullest: usize,
}

/// One Worknode that has an actor.
#[derive(Debug)]
struct Entry {
    actor: ActorRef<NodeMsg>,
    membrane: Arc<Membrane>,
    used: Instant,
    /// Present while the actor is leaving: what came meanwhile.
    waiting: Option<VecDeque<Ask>>,
}

/// A part of those that are awake.
#[derive(Debug, Default)]
struct Part {
    entries: HashMap<NodeId, Entry>,
    /// How many have left: what was read of the store before that may be out of date.
    left: u64,
}

/// All that are awake.
#[derive(Debug)]
pub(crate) struct ActiveNodes {
    parts: [Mutex<Part>; PARTS],
    /// Taken after a part, never before one.
    by_actor: Mutex<HashMap<ActorId, NodeId>>,
    /// Who supervises them, while somebody does.
    supervisor: Mutex<Option<ActorCell>>,
}

impl Default for ActiveNodes {
    fn default() -> Self {
        Self {
            parts: std::array::from_fn(|_| Mutex::default()),
            by_actor: Mutex::default(),
            supervisor: Mutex::default(),
        }
    }
}

impl ActiveNodes {
    /// From now on this one supervises. What an earlier one had is gone with it.
    pub(super) fn open(&self, supervisor: ActorCell) {
        self.close();
        *lock(&self.supervisor) = Some(supervisor);
    }

    /// Nobody is woken up any more, and nobody is awake: who waits learns it from its dropped reply.
    pub(super) fn close(&self) {
        *lock(&self.supervisor) = None;
        for part in &self.parts {
            let mut part = lock(part);
            part.entries.clear();
            part.left = part.left.saturating_add(1);
        }
        lock(&self.by_actor).clear();
    }

    pub(super) fn count(&self) -> usize {
        self.parts.iter().map(|part| lock(part).entries.len()).sum()
    }

    /// How full their mailboxes are.
    pub(crate) fn mailboxes(&self) -> Mailboxes {
        let mut seen = Mailboxes::default();
        for part in &self.parts {
            for entry in lock(part).entries.values() {
                let leaving = entry.waiting.as_ref().map_or(0, VecDeque::len);
                let waiting = entry.membrane.fill() + leaving;
                seen.awake += 1;
                seen.waiting += waiting;
                seen.fullest = seen.fullest.max(waiting);
            }
        }
        seen
    }

    /// Takes `ask` to its Worknode, which is woken up when it rests.
    ///
    /// # Errors
    /// `failed` while the runtime starts or shuts down. Everything else `ask` is told itself.
    pub(crate) fn route(&self, system: &System, node: NodeId, ask: Ask) -> Result<(), Error> {
        let mut ask = Box::new(ask);
        loop {
            let left = match self.deliver(node, ask) {
                Ok(()) => return Ok(()),
                Err((back, left)) => {
                    ask = back;
                    left
                }
            };
            match self.wake(system, node, left) {
                Ok(()) => {}
                Err(error) if error == gone() => return Err(error),
                Err(error) => {
                    ask.answer(Err(error));
                    return Ok(());
                }
            }
        }
    }

    /// Hands `ask` to a Worknode that is awake. Of one that rests it comes back, with how many have
    /// left so far.
    fn deliver(&self, node: NodeId, ask: Box<Ask>) -> Result<(), (Box<Ask>, u64)> {
        let mut part = self.part(node);
        let left = part.left;
        let Some(entry) = part.entries.get_mut(&node) else {
            return Err((ask, left));
        };
        entry.used = Instant::now();
        match &mut entry.waiting {
            Some(queue) if queue.len() >= bounds::MAILBOX => {
                ask.answer(Err(Error::backpressure("the mailbox of this Worknode")));
            }
            Some(queue) => queue.push_back(*ask),
            // Under the lock: the actor must not be told to leave in between.
            None => entry.send(*ask),
        }
        Ok(())
    }

    /// Reads the Worknode from the store and gives it an actor, unless somebody else was faster or
    /// what was read may be out of date: then the caller looks again.
    fn wake(&self, system: &System, id: NodeId, left: u64) -> Result<(), Error> {
        let journal = system.journal();
        // Taken first: a move that comes between is seen the next time.
        let shape = journal.moves();
        let node = journal
            .reader()
            .node(id)?
            .ok_or_else(|| Error::new(Code::NotFound, format!("there is no Worknode {id}")))?;
        // It stands in memory now: what is above it need not be read when the first message comes.
        system.boundaries().of_read(&node, shape)?;
        let mut part = self.part(id);
        if part.left != left || part.entries.contains_key(&id) {
            return Ok(());
        }
        let entry = self.activate(system, node)?;
        part.entries.insert(id, entry);
        Ok(())
    }

    fn activate(&self, system: &System, node: Node) -> Result<Entry, Error> {
        let supervisor = lock(&self.supervisor).clone().ok_or_else(gone)?;
        let id = node.id;
        let membrane = Arc::new(Membrane::new(id, system.clone()));
        let active = Active {
            node: Arc::new(node),
            membrane: Arc::clone(&membrane),
            system: system.clone(),
        };
        // Held until it is known whose actor this is: it may end at once.
        let mut by_actor = lock(&self.by_actor);
        let (actor, _) = ActorRuntime::spawn_linked_instant(None, WorknodeActor, active, supervisor)
            .map_err(|error| Error::new(Code::Failed, format!("cannot activate Worknode {id}: {error}")))?;
        by_actor.insert(actor.get_id(), id);
        Ok(Entry {
            actor,
            membrane,
            used: Instant::now(),
            waiting: None,
        })
    }

    /// Tells those to leave that were not asked for so long.
    pub(super) fn sweep(&self, idle: Duration) {
        let now = Instant::now();
        for part in &self.parts {
            for entry in lock(part).entries.values_mut() {
                let rests = entry.waiting.is_none() && !entry.membrane.is_waited_at();
                if rests && now.duration_since(entry.used) >= idle {
                    // A mailbox that is closed already belongs to an actor that is leaving anyway.
                    let _ = entry.actor.send_message(NodeMsg::Passivate);
                    entry.waiting = Some(VecDeque::new());
                }
            }
        }
    }

    /// The actor is gone. Who waited for it wakes it up again.
    pub(super) fn left(&self, system: &System, actor: ActorId) {
        let known = lock(&self.by_actor).remove(&actor);
        let Some(node) = known else { return };
        let mut part = self.part(node);
        part.left = part.left.saturating_add(1);
        let gone = part.entries.remove(&node);
        drop(part);
        for ask in gone.and_then(|entry| entry.waiting).into_iter().flatten() {
            if let Err(error) = self.route(system, node, ask) {
                // Its asker learns it from its dropped reply.
                tracing::debug!(%error, %node, "who waited for a Worknode is not served");
            }
        }
    }

    fn part(&self, node: NodeId) -> MutexGuard<'_, Part> {
        let byte = node.as_uuid().as_bytes()[15];
        lock(&self.parts[usize::from(byte) % PARTS])
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
