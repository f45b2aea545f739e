//! The membrane: what stands in front of every Worknode's mailbox.
//!
//! Rate and capacity are looked at here, before anything is put into the mailbox; what an event may
//! be is decided by the Worknode's actor (`arrival.rs`), so that no form of data keeps others
//! waiting. What the runtime itself asks is not counted: a flood must not keep the end of a run from
//! being recorded.
//!
//! ractor's mailboxes are unbounded, so admission is ours. A message is admitted when its
//! sender may ask it (authorise), and when the mailbox has room (bound); progress reports of a
//! flood collapse into the newest (conflate). The permit that a message holds travels inside
//! it and comes back when the message is dropped, handled or not, so a killed actor leaks none.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use worknode_core::{
    bounds,
    command::Command,
    error::Error,
    event::{Principal, Record},
    hlc::Hlc,
    ids::NodeId,
    membrane::Overflow,
    node::Node,
    task::{LandPermit, TaskCommand},
};
use worknode_policies::{
    authority::{Authority, Target, authorise},
    membrane::Rules,
};

pub mod arrival;
mod boundaries;
mod gauge;
pub(crate) mod install;

pub use self::boundaries::{Boundaries, Standing};
pub(crate) use self::gauge::Next;
use self::gauge::{Gauge, too_fast};
use crate::{request::Request, system::System};

/// What came of a command.
#[derive(Debug)]
pub enum Reply {
    /// It was decided and stored.
    Done {
        /// The Worknode afterwards.
        node: Arc<Node>,
        /// What was stored; nothing when there was nothing left to do.
        records: Vec<Record>,
        /// For `begin_landing`: the permission to land.
        permit: Option<LandPermit>,
    },
    /// A progress report, or an event beyond the rate, that a newer one replaced before it was looked
    /// at.
    Conflated,
    /// An event for which there was no room. It is kept until somebody has looked at it.
    PutAside {
        /// The stamp under which it is kept.
        letter: Hlc,
        /// Why there was no room.
        reason: String,
    },
}

/// A command on its way to a Worknode.
#[derive(Debug)]
pub struct Ask {
    /// Who asks, and what they may do.
    pub authority: Arc<Authority>,
    /// What is asked.
    pub command: Command,
    /// The event that led to it.
    pub cause: Option<Hlc>,
    /// The request that it is part of, when that has a key.
    pub request: Option<Request>,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Reply, Error>>,
}

impl Ask {
    /// Answers; an asker that has gone away is nobody's loss.
    pub(crate) fn answer(self, answer: Result<Reply, Error>) {
        let _ = self.reply.send(answer);
    }
}

/// A command that may enter the mailbox. Holds its place there.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) ask: Ask,
    /// Why there is no room for it: then it is only put aside.
    pub(crate) aside: Option<String>,
    _places: [Option<OwnedSemaphorePermit>; 2],
}

/// What the membrane made of a message.
#[derive(Debug)]
pub(crate) enum Admission {
    /// Put this into the mailbox.
    Message(Box<Admitted>),
    /// Put a note into the mailbox that a progress report waits.
    ProgressWaits,
    /// After this time put a note into the mailbox that events wait.
    EventWaits(Duration),
    /// Nothing to do: answered here, or the note is in the mailbox already.
    Settled,
}

/// The membrane of one active Worknode.
#[derive(Debug)]
pub(crate) struct Membrane {
    node: NodeId,
    places: Arc<Semaphore>,
    progress: Mutex<Option<Ask>>,
    gauge: Gauge,
    system: System,
}

impl Membrane {
    /// In front of `node`.
    pub(crate) fn new(node: NodeId, system: System) -> Self {
        Self {
            node,
            places: Arc::new(Semaphore::new(bounds::MAILBOX)),
            progress: Mutex::new(None),
            gauge: Gauge::new(),
            system,
        }
    }

    /// Lets `ask` in, or answers it.
    pub(crate) fn admit(&self, ask: Ask) -> Admission {
        if let Err(refusal) = self.authorise(&ask, None) {
            ask.answer(Err(refusal));
            return Admission::Settled;
        }
        if matches!(ask.command, Command::Task(TaskCommand::Progress { .. })) {
            return self.conflate(ask);
        }
        if ask.authority.principal == Principal::Runtime {
            return self.enter(ask, None);
        }
        match self.rules() {
            Ok(rules) if rules.is_empty() => self.enter(ask, None),
            Ok(rules) => self.measure(ask, &rules),
            Err(error) => {
                ask.answer(Err(error));
                Admission::Settled
            }
        }
    }

    /// Is there room for it, by the rules?
    fn measure(&self, ask: Ask, rules: &Rules) -> Admission {
        if let (Command::Emit { .. }, Some(rate)) = (&ask.command, rules.rate())
            && let Err(wait) = self.gauge.count(rate, self.system.now())
        {
            return self.overflow(ask, rules, too_fast(rules, wait), wait);
        }
        let Some(capacity) = rules.capacity() else {
            return self.enter(ask, None);
        };
        match self.gauge.place(capacity) {
            Some(place) => self.enter(ask, Some(place)),
            None => {
                let full = Error::backpressure("the mailbox of this Worknode");
                self.overflow(ask, rules, full, bounds::RETRY_AFTER)
            }
        }
    }

    fn enter(&self, ask: Ask, place: Option<OwnedSemaphorePermit>) -> Admission {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(mailbox) => Admission::Message(Box::new(Admitted {
                ask,
                aside: None,
                _places: [Some(mailbox), place],
            })),
            Err(_) => {
                ask.answer(Err(Error::backpressure("the mailbox of this Worknode")));
                Admission::Settled
            }
        }
    }

    /// What is done with what is too much. Only events can wait or be put aside: of anything else
    /// the sender must know at once that it was not done.
    fn overflow(&self, ask: Ask, rules: &Rules, refusal: Error, wait: Duration) -> Admission {
        let is_event = matches!(ask.command, Command::Emit { .. });
        match rules.overflow() {
            Overflow::Conflate if is_event => {
                if self.gauge.wait(ask, refusal) {
                    Admission::EventWaits(wait)
                } else {
                    Admission::Settled
                }
            }
            Overflow::DeadLetter if is_event => match self.gauge.aside() {
                Some(place) => Admission::Message(Box::new(Admitted {
                    ask,
                    aside: Some(refusal.message),
                    _places: [Some(place), None],
                })),
                None => refused(ask, refusal),
            },
            Overflow::Refuse | Overflow::Conflate | Overflow::DeadLetter => refused(ask, refusal),
        }
    }

    /// The next event that waits, when there is room for it.
    pub(crate) fn next_event(&self) -> Next {
        match self.rules() {
            Ok(rules) => self.gauge.next(rules.rate(), self.system.now()),
            Err(error) => {
                tracing::warn!(%error, node = %self.node, "events wait: their membranes cannot be read");
                Next::Later(bounds::RETRY_AFTER)
            }
        }
    }

    /// Commands that wait in the mailbox behind it.
    pub(crate) fn fill(&self) -> usize {
        bounds::MAILBOX.saturating_sub(self.places.available_permits())
    }

    /// Do events wait here? Then it must not be passivated.
    pub(crate) fn is_waited_at(&self) -> bool {
        self.gauge.is_waited_at()
    }

    fn rules(&self) -> Result<Arc<Rules>, Error> {
        Ok(Arc::clone(self.system.boundaries().of(self.node)?.rules()))
    }

    /// May the sender ask this? `submitted_by` is known only once the state is at hand.
    pub(crate) fn authorise(&self, ask: &Ask, submitted_by: Option<NodeId>) -> Result<(), Error> {
        self.authorise_command(&ask.authority, &ask.command, submitted_by)
    }

    /// The same for a command that is not on its way yet.
    pub(crate) fn authorise_command(
        &self,
        authority: &Authority,
        command: &Command,
        submitted_by: Option<NodeId>,
    ) -> Result<(), Error> {
        // Asked each time: who could reach a Worknode before it was moved must not reach it ever
        // after (P9).
        let standing = self.system.boundaries().of(self.node)?;
        let target = Target {
            node: self.node,
            ancestors: standing.above(),
            submitted_by,
        };
        authorise(authority, command, &target)
    }

    /// The progress report that waits, if one still does.
    pub(crate) fn take_progress(&self) -> Option<Ask> {
        self.waiting().take()
    }

    /// Last one wins; the one that is replaced is told so.
    fn conflate(&self, ask: Ask) -> Admission {
        let replaced = self.waiting().replace(ask);
        match replaced {
            None => Admission::ProgressWaits,
            Some(older) => {
                older.answer(Ok(Reply::Conflated));
                Admission::Settled
            }
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Option<Ask>> {
        // Held for one swap; a panic in between is impossible, so poison carries no meaning.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(ask: Ask, refusal: Error) -> Admission {
    ask.answer(Err(refusal));
    Admission::Settled
}
