//! Answers that many ask for: computed once for all who ask at the same time, and given again while
//! nothing can have changed.
//!
//! What a look at the team says depends on the journal, on what the runtime has in memory, and on the
//! clock. So an answer is given again only
//! - to who may have it: that is for the handler to say, at every request, before it asks here (P9),
//! - while the journal has nothing newer, and no request that changes something has ended since: who
//!   wrote something reads it (P5),
//! - for [`FRESH`], which bounds what is seen late of the clock, of processes, and of what the runtime
//!   does by itself. An answer that says when it was true says the instant at which it was made.
//!
//! Who finds nothing waits for whoever computes the same answer already, but takes only one that was
//! begun after they asked, or that would do by the rules above. So a question is computed by one at a
//! time however many ask it, also while every answer is out of date as soon as it is given.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::time::Instant;
use worknode_core::{
    error::{Code, Error},
    hlc::Hlc,
};

use super::{Api, error::ApiError};

/// For how long an answer may be given again: nobody sees that the clock stood still for so long, and
/// a thousand who ask cost no more than twenty a second.
const FRESH: Duration = Duration::from_millis(50);
/// For how long one waits for another's computation before computing on one's own.
const TURN: Duration = Duration::from_secs(2);
/// Questions whose answers are kept. Others are answered, and not kept.
const QUESTIONS: usize = 512;
/// Bytes of all answers that are kept, and of what was asked.
const BYTES: usize = 16 * 1024 * 1024;

/// What is asked, with everything that tells its answer from others: who asks is no part of it, but
/// what they are shown is.
pub(super) type Question = Cow<'static, str>;

/// The answers that are kept.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    known: Mutex<Known>,
    /// Requests that may have changed something and are over.
    changes: AtomicU64,
}

#[derive(Debug, Default)]
struct Known {
    entries: HashMap<Question, Entry>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Entry {
    given: Option<Given>,
    /// Held by whoever computes it.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// An answer, and when its computation began.
#[derive(Clone, Debug)]
struct Given {
    begun: Moment,
    head: Arc<HeaderMap>,
    body: Bytes,
}

/// How far everything was.
#[derive(Clone, Copy, Debug)]
struct Moment {
    stored: Hlc,
    changes: u64,
    at: Instant,
}

impl Given {
    /// Does it say what somebody may see who asks at this moment?
    fn does_for(&self, asked: &Moment) -> bool {
        let begun = &self.begun;
        begun.stored >= asked.stored && begun.changes >= asked.changes && begun.is_fresh_at(asked.at)
    }

    fn again(&self) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        response.headers_mut().clone_from(&self.head);
        response
    }
}

impl Moment {
    fn is_fresh_at(&self, at: Instant) -> bool {
        self.at + FRESH > at
    }
}

impl Entry {
    fn is_wanted(&self, at: Instant) -> bool {
        let is_fresh = self
            .given
            .as_ref()
            .is_some_and(|given| given.begun.is_fresh_at(at));
        // Somebody computes it, or waits for that.
        is_fresh || Arc::strong_count(&self.turn) > 1
    }
}

fn weight(question: &Question, entry: &Entry) -> usize {
    question.len() + entry.given.as_ref().map_or(0, |given| given.body.len())
}

impl Known {
    /// Lets go of what nobody will get any more.
    fn forget(&mut self, at: Instant) {
        let bytes = &mut self.bytes;
        self.entries.retain(|question, entry| {
            let is_wanted = entry.is_wanted(at);
            if !is_wanted {
                *bytes = bytes.saturating_sub(weight(question, entry));
            }
            is_wanted
        });
    }

    fn has_room_for(&self, bytes: usize) -> bool {
        self.bytes.saturating_add(bytes) <= BYTES
    }
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        // Every change is whole before the lock is given back.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moment(&self, stored: Hlc) -> Moment {
        Moment {
            changes: self.changes.load(Ordering::Acquire),
            stored,
            at: Instant::now(),
        }
    }

    fn given(&self, question: &Question, asked: &Moment) -> Option<Given> {
        let known = self.known();
        let given = known.entries.get(question)?.given.as_ref()?;
        given.does_for(asked).then(|| given.clone())
    }

    /// What whoever computes this holds meanwhile. Where there is no room, each computes for themselves.
    fn turn(&self, question: &Question, at: Instant) -> Arc<tokio::sync::Mutex<()>> {
        let mut known = self.known();
        if let Some(entry) = known.entries.get(question) {
            return Arc::clone(&entry.turn);
        }
        known.forget(at);
        let entry = Entry::default();
        let turn = Arc::clone(&entry.turn);
        let size = weight(question, &entry);
        if known.entries.len() < QUESTIONS && known.has_room_for(size) {
            known.bytes = known.bytes.saturating_add(size);
            known.entries.insert(question.clone(), entry);
        }
        turn
    }

    fn keep(&self, question: &Question, given: Given) {
        let mut known = self.known();
        known.forget(given.begun.at);
        let Some(entry) = known.entries.get_mut(question) else {
            return;
        };
        let before = entry.given.take().map_or(0, |given| given.body.len());
        known.bytes = known.bytes.saturating_sub(before);
        let size = given.body.len();
        if known.has_room_for(size) {
            known.bytes = known.bytes.saturating_add(size);
            if let Some(entry) = known.entries.get_mut(question) {
                entry.given = Some(given);
            }
        }
    }

    /// The answer to `question`: one that is kept, or else what `answer` comes to. `stored` says the
    /// stamp of the last event. What fails is not kept.
    async fn answer<T: IntoResponse>(
        &self,
        question: Question,
        stored: impl Fn() -> Hlc,
        answer: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<Response, ApiError> {
        let asked = self.moment(stored());
        if let Some(given) = self.given(&question, &asked) {
            return Ok(given.again());
        }
        let turn = self.turn(&question, asked.at);
        // Who waited for too long goes on without.
        let _turn = tokio::time::timeout(TURN, turn.lock()).await.ok();
        if let Some(given) = self.given(&question, &asked) {
            return Ok(given.again());
        }
        let begun = self.moment(stored());
        let response = answer.await?.into_response();
        if response.status() != StatusCode::OK {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.map_err(|error| {
            let what = format!("the answer could not be written: {error}");
            ApiError::from(Error::new(Code::Failed, what))
        })?;
        let given = Given {
            begun,
            head: Arc::new(head.headers),
            body,
        };
        let response = given.again();
        self.keep(&question, given);
        Ok(response)
    }
}

/// An answer of this kind, that may have been given to others before.
#[derive(Debug)]
pub(super) struct OneOf<T> {
    response: Response,
    kind: std::marker::PhantomData<fn() -> T>,
}

impl<T> IntoResponse for OneOf<T> {
    fn into_response(self) -> Response {
        self.response
    }
}

impl Api {
    /// What `answer` comes to, or what it came to for somebody else who asked the same. Whether the
    /// caller may have it is settled before this is called.
    pub(super) async fn shared<T: IntoResponse>(
        &self,
        question: impl Into<Question>,
        answer: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<OneOf<T>, ApiError> {
        let stored = || self.runtime.system().journal().last_stamp();
        let response = self.shared.answer(question.into(), stored, answer).await?;
        Ok(OneOf {
            response,
            kind: std::marker::PhantomData,
        })
    }
}

/// Notes that a request is over which may have changed something, whatever became of it and of its
/// client.
struct Changed<'a>(&'a Shared);

impl Drop for Changed<'_> {
    fn drop(&mut self) {
        self.0.changes.fetch_add(1, Ordering::Release);
    }
}

/// Lets what is asked after a change see it, also what of it is in memory only.
pub(super) async fn note_changes(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let _changed = Changed(&api.shared);
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use worknode_core::time::Timestamp;

    use super::*;

    fn stamp(millis: u64) -> Hlc {
        Hlc {
            wall: Timestamp::from_millis(millis),
            counter: 0,
            origin: 1,
        }
    }

    /// Asks, and says what the answer was. Each computation answers one more.
    async fn ask(shared: &Shared, question: &'static str, stored: u64, computed: &AtomicUsize) -> String {
        let answer = async {
            // Others come meanwhile.
            tokio::task::yield_now().await;
            Ok(computed.fetch_add(1, Ordering::Relaxed).to_string())
        };
        let answered = shared.answer(question.into(), || stamp(stored), answer).await;
        text(answered.unwrap()).await
    }

    async fn text(response: Response) -> String {
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_given_again_until_something_changes_or_time_passes() {
        let (shared, computed) = (Shared::default(), AtomicUsize::new(0));
        assert_eq!(ask(&shared, "a", 1, &computed).await, "0");
        assert_eq!(ask(&shared, "a", 1, &computed).await, "0");
        assert_eq!(ask(&shared, "b", 1, &computed).await, "1", "another question");
        assert_eq!(ask(&shared, "a", 2, &computed).await, "2", "something was stored");
        drop(Changed(&shared));
        assert_eq!(
            ask(&shared, "a", 2, &computed).await,
            "3",
            "something was asked for"
        );
        tokio::time::advance(FRESH - Duration::from_millis(1)).await;
        assert_eq!(ask(&shared, "a", 2, &computed).await, "3");
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(ask(&shared, "a", 2, &computed).await, "4", "time passed");
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_at_the_same_time_shares_one_computation() {
        let (shared, computed) = (Shared::default(), AtomicUsize::new(0));
        let asking = (0..100).map(|_| ask(&shared, "a", 1, &computed));
        let answers = futures_util::future::join_all(asking).await;
        assert!(answers.iter().all(|answer| answer == "0"), "{answers:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_after_a_change_never_gets_an_answer_begun_before_it() {
        let (shared, stored) = (Shared::default(), AtomicU64::new(1));
        let now = || stamp(stored.load(Ordering::Relaxed));
        let (begin, begun) = (tokio::sync::Notify::new(), tokio::sync::Notify::new());
        let slow = async {
            let seen = stored.load(Ordering::Relaxed);
            begun.notify_one();
            begin.notified().await;
            Ok(seen.to_string())
        };
        let seen = || async { Ok(stored.load(Ordering::Relaxed).to_string()) };
        let first = shared.answer("a".into(), now, slow);
        let others = async {
            begun.notified().await;
            stored.store(2, Ordering::Relaxed);
            begin.notify_one();
            let second = shared.answer("a".into(), now, seen());
            let third = shared.answer("a".into(), now, seen());
            tokio::join!(second, third)
        };
        let (first, (second, third)) = tokio::join!(first, others);
        assert_eq!(text(first.unwrap()).await, "1");
        assert_eq!(text(second.unwrap()).await, "2");
        assert_eq!(text(third.unwrap()).await, "2");
    }

    #[tokio::test(start_paused = true)]
    async fn who_computes_and_goes_away_keeps_nobody_waiting_and_failures_are_not_kept() {
        let (shared, computed) = (Shared::default(), AtomicUsize::new(0));
        let never = std::future::pending::<Result<String, ApiError>>();
        let gone = shared.answer("a".into(), || stamp(1), never);
        assert!(tokio::time::timeout(Duration::from_secs(1), gone).await.is_err());
        assert_eq!(ask(&shared, "a", 1, &computed).await, "0");
        let fails = async { Err::<String, _>(Error::new(Code::Failed, "no").into()) };
        let failed = shared.answer("b".into(), || stamp(1), fails).await;
        assert!(failed.is_err());
        assert_eq!(ask(&shared, "b", 1, &computed).await, "1");
    }

    #[tokio::test(start_paused = true)]
    async fn p8_who_computes_for_ever_holds_others_up_for_a_while_only() {
        let (shared, computed) = (Shared::default(), AtomicUsize::new(0));
        let never = shared.answer("a".into(), || stamp(1), async {
            std::future::pending::<Result<String, ApiError>>().await
        });
        let other = async {
            tokio::task::yield_now().await;
            ask(&shared, "a", 1, &computed).await
        };
        tokio::select! {
            biased;
            _ = never => panic!("it never ends"),
            answer = other => assert_eq!(answer, "0"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn p8_so_much_is_kept_and_no_more() {
        let shared = Shared::default();
        let large = BYTES / 4;
        for question in 0..2 * QUESTIONS {
            let answer = async { Ok("x".repeat(if question % 2 == 0 { large } else { 1 })) };
            let asked = shared.answer(format!("question {question}").into(), || stamp(1), answer);
            assert!(asked.await.unwrap().status().is_success());
            let known = shared.known();
            assert!(known.bytes <= BYTES && known.entries.len() <= QUESTIONS);
            let counted: usize = known.entries.iter().map(|(of, entry)| weight(of, entry)).sum();
            assert_eq!(known.bytes, counted);
        }
        tokio::time::advance(FRESH).await;
        let answer = async { Ok("new".to_owned()) };
        let asked = shared.answer("last".into(), || stamp(1), answer).await;
        assert_eq!(text(asked.unwrap()).await, "new");
        assert_eq!(shared.known().entries.len(), 1, "what is too old is let go");
    }
}
