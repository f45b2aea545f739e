//! How much is taken on at once (P8). What is too much is refused at the door, with the time to wait,
//! before it costs anything.

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

use super::{Api, error::ApiError};

/// Requests that are answered at the same time; most are over in a millisecond, some wait for a task.
const AT_ONCE: usize = 4_096;
/// Streams that are open at the same time.
const STREAMS: usize = 4_096;
/// Requests a second of one agent or of one outsider. A person's are not counted: they must be heard
/// when an agent runs wild.
const RATE: u32 = 500;
/// Requests that may come at once after a pause.
const BURST: u32 = 1_000;
/// Callers whose requests are counted.
const CALLERS: usize = 10_000;
/// What one request takes of a bucket, so that whole numbers do.
const REQUEST: u64 = 1_000;

/// What is left for requests.
#[derive(Debug)]
pub(crate) struct Limits {
    at_once: Semaphore,
    streams: Arc<Semaphore>,
    buckets: Mutex<HashMap<NodeId, Bucket>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            at_once: Semaphore::new(AT_ONCE),
            streams: Arc::new(Semaphore::new(STREAMS)),
            buckets: Mutex::default(),
        }
    }
}

impl Limits {
    /// One stream more.
    ///
    /// # Errors
    /// `backpressure` when there are too many.
    pub(super) fn stream(&self) -> Result<OwnedSemaphorePermit, Error> {
        let permit = Arc::clone(&self.streams).try_acquire_owned();
        permit.map_err(|_| Error::backpressure("the number of open streams"))
    }

    /// Counts a request of `principal`.
    ///
    /// # Errors
    /// `backpressure` when they come faster than one caller may.
    pub(super) fn count(&self, principal: &Principal, now: Timestamp) -> Result<(), Error> {
        let (Principal::Agent { node, .. } | Principal::Outside { node, .. }) = principal else {
            return Ok(());
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CALLERS {
            // Whoever paused may begin anew.
            buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        let bucket = buckets.entry(*node).or_insert_with(|| Bucket::full(now));
        bucket.take(now).map_err(|wait| too_fast(principal, wait))
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
pub(super) async fn admit(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let Ok(_permit) = api.limits.at_once.try_acquire() else {
        return ApiError::from(Error::backpressure("the number of requests at once")).into_response();
    };
    next.run(request).await
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
    fn p8_callers_that_paused_are_forgotten() {
        let limits = Limits::default();
        for caller in 0..=u64::try_from(CALLERS).unwrap() {
            let node = NodeId::from_parts(caller, [0; 10]);
            limits.count(&outside(node), at(caller * 1_000)).unwrap();
        }
        assert!(limits.buckets.lock().unwrap().len() < CALLERS);
    }
}
