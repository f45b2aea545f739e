//! How much is taken on at once (P8). What is too much is refused at the door, with the time to wait,
//! before it costs anything.

mod room;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use worknode_core::{
    error::{Code, Error},
    event::Principal,
    ids::NodeId,
    time::Timestamp,
};

pub(crate) use self::room::{Room, Slot};
use super::{Api, error::ApiError};

/// Requests that are answered at the same time; most are over in a millisecond, some wait for a task.
const AT_ONCE: usize = 4_096;
/// Streams that are open at the same time.
const STREAMS: usize = 4_096;
/// Of each of both, what is kept free for the operator, who must be heard when agents run wild.
const KEPT_FREE: usize = 512;
/// Of each of both, what one agent or one outsider may have.
const EACH: usize = 128;
/// Requests a second of one agent or of one outsider. The operator's are not counted.
const RATE: u32 = 500;
/// Requests that may come at once after a pause.
const BURST: u32 = 1_000;
/// Callers whose requests are counted.
const CALLERS: usize = 10_000;
/// What one request takes of a bucket, so that whole numbers do.
const REQUEST: u64 = 1_000;

/// What is refused, in words.
const REQUESTS: &str = "the number of requests at once";
const OPEN: &str = "the number of open streams";

/// A place among the requests that are answered. It is free again when all that has a share in it is
/// done: who asked may be gone before what it asked for is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// A place among the open streams.
#[derive(Debug)]
pub(super) struct Stream {
    _permit: OwnedSemaphorePermit,
    _slot: Option<Slot<NodeId>>,
}

/// What is left for requests.
#[derive(Debug)]
pub(crate) struct Limits {
    at_once: Arc<Semaphore>,
    /// Those of them that are not the operator's.
    at_once_of_others: Room<NodeId>,
    streams: Arc<Semaphore>,
    streams_of_others: Room<NodeId>,
    buckets: Mutex<HashMap<NodeId, Bucket>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
            at_once_of_others: Room::new(REQUESTS, AT_ONCE - KEPT_FREE, EACH),
            streams: Arc::new(Semaphore::new(STREAMS)),
            streams_of_others: Room::new(OPEN, STREAMS - KEPT_FREE, EACH),
            buckets: Mutex::default(),
        }
    }
}

impl Limits {
    /// One stream more of `principal`.
    ///
    /// # Errors
    /// `backpressure` when there are too many.
    pub(super) fn stream(&self, principal: &Principal) -> Result<Stream, Error> {
        let slot = counted(principal).map(|node| self.streams_of_others.take(node));
        let permit = Arc::clone(&self.streams).try_acquire_owned();
        Ok(Stream {
            _slot: slot.transpose()?,
            _permit: permit.map_err(|_| Error::backpressure(OPEN))?,
        })
    }

    /// A place for a request of `principal` until it is answered; the operator needs none.
    ///
    /// # Errors
    /// `backpressure` when it has too many.
    pub(super) fn slot(&self, principal: &Principal) -> Result<Option<Slot<NodeId>>, Error> {
        let slot = counted(principal).map(|node| self.at_once_of_others.take(node));
        slot.transpose()
    }

    /// Counts a request of `principal`.
    ///
    /// # Errors
    /// `backpressure` when they come faster than one caller may.
    pub(crate) fn count(&self, principal: &Principal, now: Timestamp) -> Result<(), Error> {
        let Some(node) = counted(principal) else {
            return Ok(());
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CALLERS {
            // Whoever paused may begin anew.
            buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        let bucket = buckets.entry(node).or_insert_with(|| Bucket::full(now));
        bucket.take(now).map_err(|wait| too_fast(principal, wait))
    }
}

/// Whose requests are counted.
const fn counted(principal: &Principal) -> Option<NodeId> {
    match principal {
        Principal::Agent { node, .. } | Principal::Outside { node, .. } => Some(*node),
        Principal::Operator | Principal::Runtime | Principal::Trigger { .. } => None,
    }
}

fn too_fast(who: &Principal, wait: Duration) -> Error {
    let mut error = Error::new(
        Code::Backpressure,
        format!("{who} sends more than {RATE} requests a second"),
    );
    error.retry_after_ms = Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
    error.hint("wait, and ask for what happens as a stream instead of asking again and again")
}

/// What one caller may still send: it fills as time goes by.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// In thousandths of a request.
    left: u64,
    at: Timestamp,
}

impl Bucket {
    const SIZE: u64 = BURST as u64 * REQUEST;

    const fn full(now: Timestamp) -> Self {
        Self {
            left: Self::SIZE,
            at: now,
        }
    }

    fn filled(self, now: Timestamp) -> Self {
        // A clock that was set back fills nothing, and the next instant counts from there.
        let passed = now.as_millis().saturating_sub(self.at.as_millis());
        let more = passed.saturating_mul(u64::from(RATE));
        Self {
            left: self.left.saturating_add(more).min(Self::SIZE),
            at: now,
        }
    }

    fn is_full(self, now: Timestamp) -> bool {
        self.filled(now).left == Self::SIZE
    }

    fn take(&mut self, now: Timestamp) -> Result<(), Duration> {
        *self = self.filled(now);
        match self.left.checked_sub(REQUEST) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                let missing = REQUEST.saturating_sub(self.left);
                Err(Duration::from_millis(missing.div_ceil(u64::from(RATE))))
            }
        }
    }
}

/// Answers when there is room for one more.
pub(super) async fn admit(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let Ok(permit) = Arc::clone(&api.limits.at_once).try_acquire_owned() else {
        return ApiError::from(Error::backpressure(REQUESTS)).into_response();
    };
    let place = Place {
        _permit: Arc::new(permit),
    };
    request.extensions_mut().insert(place.clone());
    let answer = next.run(request).await;
    drop(place);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn outside(node: NodeId) -> Principal {
        Principal::Outside {
            node,
            name: "somebody".to_owned(),
        }
    }

    #[test]
    fn p8_one_caller_has_a_burst_and_a_rate_and_others_are_not_held_up() {
        let limits = Limits::default();
        let wild = outside(NodeId::from_parts(1, [1; 10]));
        let calm = outside(NodeId::from_parts(1, [2; 10]));
        for _ in 0..BURST {
            limits.count(&wild, at(1_000)).unwrap();
        }
        let refused = limits.count(&wild, at(1_000)).unwrap_err();
        assert_eq!(
            (refused.code, refused.retry_after_ms),
            (Code::Backpressure, Some(2))
        );
        limits.count(&calm, at(1_000)).unwrap();
        limits.count(&Principal::Operator, at(1_000)).unwrap();
        // After a second there is room for a second's worth.
        for _ in 0..RATE {
            limits.count(&wild, at(2_000)).unwrap();
        }
        limits.count(&wild, at(2_000)).unwrap_err();
        // A clock that goes back gives nothing away, and takes nothing for ever.
        limits.count(&wild, at(500)).unwrap_err();
        limits.count(&wild, at(600)).unwrap();
    }

    #[test]
    fn p8_agents_that_hold_all_they_can_leave_room_for_the_operator() {
        let limits = Limits::default();
        let (mut slots, mut streams) = (Vec::new(), Vec::new());
        for caller in 0..u64::try_from(AT_ONCE).unwrap() {
            let wild = outside(NodeId::from_parts(caller, [0; 10]));
            while let Ok(slot) = limits.slot(&wild) {
                slots.push(slot);
            }
            while let Ok(stream) = limits.stream(&wild) {
                streams.push(stream);
            }
        }
        assert_eq!(slots.len(), AT_ONCE - KEPT_FREE);
        assert_eq!(streams.len(), STREAMS - KEPT_FREE);
        for _ in 0..KEPT_FREE {
            assert!(limits.slot(&Principal::Operator).unwrap().is_none());
            streams.push(limits.stream(&Principal::Operator).unwrap());
        }
        limits.stream(&Principal::Operator).unwrap_err();
    }

    #[test]
    fn p8_callers_that_paused_are_forgotten() {
        let limits = Limits::default();
        for caller in 0..=u64::try_from(CALLERS).unwrap() {
            let node = NodeId::from_parts(caller, [0; 10]);
            limits.count(&outside(node), at(caller * 1_000)).unwrap();
        }
        assert!(limits.buckets.lock().unwrap().len() < CALLERS);
    }
}
