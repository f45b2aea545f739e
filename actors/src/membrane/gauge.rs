//! How much comes in: the rate and the capacity of a Worknode's membranes, and the events that wait
//! because there was too much.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use worknode_core::{
    bounds,
    command::Command,
    error::{Code, Error},
    membrane::Rate,
    time::{Timestamp, millis},
};
use worknode_policies::membrane::{Bucket, Rules};

use super::{Ask, Reply};
use crate::locked::lock;

/// Events on their way to the dead-letter list at the same time. They come in beyond the capacity,
/// or they could not be put aside; beyond this they are refused.
const ASIDE: usize = 64;

/// What has come in lately, and what waits.
#[derive(Debug)]
pub(super) struct Gauge {
    bucket: Mutex<Bucket>,
    /// Of which capacity, and the places in it.
    places: Mutex<(usize, Arc<Semaphore>)>,
    aside: Arc<Semaphore>,
    /// The last of each type that was too much, oldest type first.
    waiting: Mutex<VecDeque<Box<Ask>>>,
}

/// What is next for the events that wait.
#[derive(Debug)]
pub(crate) enum Next {
    /// This one may come in.
    Now(Box<Ask>),
    /// None may before so long.
    Later(Duration),
    /// None waits.
    Nothing,
}

impl Gauge {
    pub(super) fn new() -> Self {
        Self {
            bucket: Mutex::default(),
            places: Mutex::new((bounds::MAILBOX, Arc::new(Semaphore::new(bounds::MAILBOX)))),
            aside: Arc::new(Semaphore::new(ASIDE)),
            waiting: Mutex::default(),
        }
    }

    /// Counts one event.
    ///
    /// # Errors
    /// How long until there is room for it.
    pub(super) fn count(&self, rate: Rate, now: Timestamp) -> Result<(), Duration> {
        lock(&self.bucket).take(rate, now)
    }

    /// A place for one message of somebody who is not the runtime, when there is one left.
    ///
    /// After a change of the capacity those who came in before it do not count any more.
    pub(super) fn place(&self, capacity: usize) -> Option<OwnedSemaphorePermit> {
        let mut places = lock(&self.places);
        if places.0 != capacity {
            *places = (capacity, Arc::new(Semaphore::new(capacity)));
        }
        Arc::clone(&places.1).try_acquire_owned().ok()
    }

    /// A place on the way to the dead-letter list.
    pub(super) fn aside(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.aside).try_acquire_owned().ok()
    }

    /// Lets `ask` wait in the place of an older event of its type, which is told so. True when it is
    /// the first that waits.
    pub(super) fn wait(&self, ask: Ask, refusal: Error) -> bool {
        let mut waiting = lock(&self.waiting);
        if let Some(older) = waiting.iter_mut().find(|older| name(older) == name(&ask)) {
            let older = std::mem::replace(&mut **older, ask);
            older.answer(Ok(Reply::Conflated));
            return false;
        }
        if waiting.len() >= bounds::WAITING_TYPES {
            ask.answer(Err(refusal));
            return false;
        }
        waiting.push_back(Box::new(ask));
        waiting.len() == 1
    }

    /// The next event that waits, when there is room for it.
    pub(super) fn next(&self, rate: Option<Rate>, now: Timestamp) -> Next {
        let mut waiting = lock(&self.waiting);
        if waiting.is_empty() {
            return Next::Nothing;
        }
        if let Some(Err(wait)) = rate.map(|rate| self.count(rate, now)) {
            return Next::Later(wait);
        }
        waiting.pop_front().map_or(Next::Nothing, Next::Now)
    }

    pub(super) fn is_waited_at(&self) -> bool {
        !lock(&self.waiting).is_empty()
    }
}

fn name(ask: &Ask) -> Option<&str> {
    match &ask.command {
        Command::Emit { name, .. } => Some(name),
        _ => None,
    }
}

/// The refusal of an event beyond the rate.
pub(super) fn too_fast(rules: &Rules, wait: Duration) -> Error {
    let rate = rules.rate().map_or_else(String::new, |rate| {
        format!(" ({} events in {})", rate.events, rate.per)
    });
    let wait = millis(wait).max(1);
    Error {
        code: Code::Backpressure,
        message: format!("the rate of this Worknode's membranes{rate} is reached"),
        hint: Some(format!("try again in {wait} ms")),
        retry_after_ms: Some(wait),
    }
}
