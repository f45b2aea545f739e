//! A request that is sent again has one effect (P6): who gives it a key gets the first answer again.
//!
//! Kept are answers of what succeeded, for a day, as many as there is room for, while this daemon
//! lives. That something was done outlives it: what a command stores names its request in the same
//! breath (`worknode_actors::request`). The next daemon reads that, and does not do it again; it can
//! only say that it was done. Commands that may be repeated as they are carry on, and so do those that
//! keep their key themselves (an agent that is spawned, a message).
//!
//! What failed may be asked for again with its key. When somebody had it in their hands by then, the
//! journal is asked first whether it was done all the same.

mod before;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, response},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::sync::OnceCell;
use worknode_actors::request::{self, Request as Named};
use worknode_core::{
    error::{Code, Error},
    hlc::Hlc,
    time::Timestamp,
};
use worknode_journal::Reader;
use worknode_policies::signing::{Message, digest};

use self::before::Done;
use super::{
    Api,
    auth::{Caller, Holder},
    error::ApiError,
    limits::Place,
    parts::in_full,
    request_id,
};

/// The header that makes asking twice as good as asking once.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is that of before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Characters of a key.
pub(super) const LENGTH: usize = 255;
/// For how long an answer is kept: longer than anybody tries again.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Answers that are kept; the oldest give way.
const ANSWERS: usize = 4_096;
/// For how long what nobody answered in time may still be done: far longer than anything waits in the
/// daemon.
const MAY_COME: Duration = Duration::from_secs(10 * 60);
/// Bytes of all of them together, with their headers.
const BYTES: usize = 16 * 1024 * 1024;
/// Bytes of one answer that is kept as it is.
const ANSWER: usize = 1024 * 1024;

/// The key that a request carries.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let Some(value) = headers.get(KEY) else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) if (1..=LENGTH).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) => {
            Ok(Some(key.to_owned()))
        }
        _ => Err(Error::new(
            Code::Usage,
            format!("an Idempotency-Key has 1 to {LENGTH} printable characters, and no space"),
        )),
    }
}

/// The request by digests: of who asks where with which key, and of what they ask. No name that a
/// client sends is kept. Who narrowed its capability is somebody else: what the wider one was told is
/// not for it.
fn named(holder: &Holder, uri: &str, key: &str, body: &[u8]) -> Named {
    let parts = [holder.as_str(), uri, key].map(str::as_bytes);
    let message = Message::of("worknode idempotency");
    Named::new(
        digest(&parts.into_iter().fold(message, Message::bytes)),
        digest(&Message::of("worknode request").bytes(body)),
    )
}

/// What was asked with a key, and what came of it.
#[derive(Clone, Debug)]
struct Entry {
    /// Digest of the body: the same key with another one is a mistake.
    asked: String,
    since: Timestamp,
    /// Nothing while it is under way.
    answer: Option<Answer>,
}

#[derive(Clone, Debug)]
enum Answer {
    /// As it was.
    Whole(Arc<(StatusCode, HeaderMap)>, Bytes),
    /// It was too large to be kept.
    TooLarge,
    /// It was carried out, by an earlier daemon or without an answer; this event says so.
    Before(Hlc),
    /// It failed when it was in somebody's hands already: the journal tells whether it was done. Some may
    /// `come` yet, as what nobody answered in time.
    Unclear { may_come: bool },
}

/// The answers that are kept.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    inner: Mutex<Inner>,
    /// Set once what earlier daemons did is among them.
    recalled: OnceCell<()>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Those under way too: how many they can be, `limits` says.
    entries: HashMap<Arc<str>, Entry>,
    /// Those that are answered, the oldest first.
    order: VecDeque<Arc<str>>,
    /// Bytes of their answers.
    bytes: usize,
}

/// What is to be done about a request.
enum Known {
    New,
    Before(Answer),
    No(ApiError),
}

impl Kept {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what earlier daemons did, at the first request with a key.
    async fn recall(api: &Arc<Api>, now: Timestamp) -> Result<(), Error> {
        if api.kept.recalled.initialized() {
            return Ok(());
        }
        let own = Arc::clone(api);
        // Whoever is first may go away before it is read; it is read once all the same.
        let recalling = tokio::spawn(async move {
            let recall = async {
                let read = move |reader: &Reader| before::done(reader, now, KEPT, ANSWERS);
                let done = own.reader().ask(read).await?;
                let mut inner = own.kept.inner();
                done.into_iter().for_each(|done| inner.recall(done));
                Ok::<_, Error>(())
            };
            own.kept.recalled.get_or_try_init(|| recall).await.map(drop)
        });
        let broken = |error| {
            Error::new(
                Code::Failed,
                format!("the keys of before cannot be read: {error}"),
            )
        };
        recalling.await.map_err(broken)?
    }

    /// The same as [`Self::begin`], with what earlier daemons did, and with what the journal says of what
    /// is unclear. Without knowing that, nothing is done.
    async fn look(api: &Arc<Api>, named: &Named, key: &str, now: Timestamp) -> Result<Known, Error> {
        Self::recall(api, now).await?;
        match api.kept.begin(named, key, now) {
            Known::Before(Answer::Unclear { .. }) => {}
            known => return Ok(known),
        }
        let read = move |reader: &Reader| before::done(reader, now, KEPT, ANSWERS);
        let done = api.reader().ask(read).await?;
        let done = done.into_iter().find(|done| done.key == named.key);
        let mut inner = api.kept.inner();
        inner.settle(&named.key, done, now);
        drop(inner);
        Ok(match api.kept.begin(named, key, now) {
            Known::Before(Answer::Unclear { .. }) => Known::No(under_way(key)),
            known => known,
        })
    }

    /// Looks whether it was asked before; otherwise it is under way from here on.
    fn begin(&self, named: &Named, key: &str, now: Timestamp) -> Known {
        let mut inner = self.inner();
        inner.forget(now);
        match inner.entries.get(named.key.as_str()) {
            Some(entry) if entry.asked != named.asked => Known::No(for_another(key)),
            Some(Entry {
                answer: Some(answer), ..
            }) => Known::Before(answer.clone()),
            Some(_) => Known::No(under_way(key)),
            None => {
                let entry = Entry {
                    asked: named.asked.clone(),
                    since: now,
                    answer: None,
                };
                inner.entries.insert(named.key.as_str().into(), entry);
                Known::New
            }
        }
    }

    /// What failed may be tried again; what was done is not done again.
    fn end(&self, named: &Named, answer: Option<Answer>) {
        let mut inner = self.inner();
        let Some(answer) = answer else {
            inner.entries.remove(named.key.as_str());
            return;
        };
        let size = answer.size();
        if let Some(entry) = inner.entries.get_mut(named.key.as_str()) {
            entry.answer = Some(answer);
            inner.order.push_back(named.key.as_str().into());
            inner.bytes = inner.bytes.saturating_add(size);
        }
    }
}

impl Inner {
    /// Takes in what an earlier daemon did.
    fn recall(&mut self, done: Done) {
        let key: Arc<str> = done.key.into();
        let entry = Entry {
            asked: done.asked,
            since: done.at.wall,
            answer: Some(Answer::Before(done.at)),
        };
        if self.entries.insert(Arc::clone(&key), entry).is_none() {
            self.order.push_back(key);
        }
    }

    /// What the journal says of a request that failed: it was done, or it was not and will not be any more.
    fn settle(&mut self, key: &str, done: Option<Done>, now: Timestamp) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        // Somebody may have settled it meanwhile.
        let Some(Answer::Unclear { may_come }) = entry.answer else {
            return;
        };
        if let Some(done) = done {
            entry.answer = Some(Answer::Before(done.at));
        } else if !may_come || entry.since.plus(MAY_COME) <= now {
            self.entries.remove(key);
            self.order.retain(|known| &**known != key);
        }
    }

    /// Lets go of answers that are too old or too much. What is under way stays, however long it takes.
    fn forget(&mut self, now: Timestamp) {
        while let Some(oldest) = self.order.front() {
            let is_old = self
                .entries
                .get(oldest)
                .is_none_or(|entry| entry.since.plus(KEPT) <= now);
            let too_many = self.order.len() >= ANSWERS || self.bytes > BYTES;
            if !(is_old || too_many) {
                return;
            }
            let gone = self
                .order
                .pop_front()
                .and_then(|oldest| self.entries.remove(&oldest));
            let size = gone
                .and_then(|entry| entry.answer)
                .map_or(0, |answer| answer.size());
            self.bytes = self.bytes.saturating_sub(size);
        }
    }
}

impl Answer {
    fn size(&self) -> usize {
        let Self::Whole(head, body) = self else { return 0 };
        let headers = head.1.iter();
        let headers = headers.map(|(name, value)| name.as_str().len() + value.len());
        headers.sum::<usize>() + body.len()
    }

    fn again(self, key: &str) -> Response {
        let (head, body) = match self {
            Self::Whole(head, body) => (head, body),
            Self::TooLarge => return lost(key, "its answer was too large to be kept"),
            Self::Before(at) => {
                return lost(
                    key,
                    &format!("it was carried out at {at}, and its answer is gone"),
                );
            }
            Self::Unclear { .. } => return under_way(key).into_response(),
        };
        let mut response = Response::new(Body::from(body));
        let (status, headers) = &*head;
        *response.status_mut() = *status;
        *response.headers_mut() = headers.clone();
        response
            .headers_mut()
            .insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

/// It has its effect, and there is no answer to show for it.
fn lost(key: &str, why: &str) -> Response {
    let what = format!("the request with the key `{key}` was done; {why}");
    let error = Error::new(Code::AlreadyExists, what).hint("look at what is there; it is not done again");
    ApiError::from(error).into_response()
}

fn for_another(key: &str) -> ApiError {
    let error = Error::new(
        Code::Usage,
        format!("the key `{key}` was used for another request"),
    );
    ApiError::from(error.hint("give each request a key of its own")).with(StatusCode::UNPROCESSABLE_ENTITY)
}

fn under_way(key: &str) -> ApiError {
    let mut error = Error::new(
        Code::Held,
        format!("the request with the key `{key}` is still being answered"),
    );
    error.retry_after_ms = Some(1_000);
    error.hint("ask again in a second").into()
}

/// Other methods can be repeated without one.
fn key_of_post(request: &Request) -> Result<Option<String>, Error> {
    Ok(key(request.headers())?.filter(|_| request.method() == Method::POST))
}

/// Does what has a key once.
pub(super) async fn once(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let key = match key_of_post(&request) {
        Ok(Some(key)) => key,
        Ok(None) => return next.run(request).await,
        Err(error) => return ApiError::from(error).into_response(),
    };
    let (mut parts, body) = request.into_parts();
    // Whoever may not ask is refused by the handler; a key of theirs is worth nothing. The handler asks
    // again who it is: a capability may be taken back while a slow body comes in.
    let Ok(caller) = Caller::known(&mut parts, &api).await else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let body = match in_full(&api, &caller, body).await {
        Ok(body) => body,
        Err(error) => return error.into_response(),
    };
    let named = named(&caller.holder(), &parts.uri.to_string(), &key, &body);
    let now = api.runtime.system().now();
    let known = Kept::look(&api, &named, &key, now).await;
    let known = known.unwrap_or_else(|error| Known::No(error.into()));
    // What no handler sees, no handler counts.
    let counted = |answer: Response| match api.limits.count(&caller.0.principal, now) {
        Ok(()) => answer,
        Err(error) => ApiError::from(error).into_response(),
    };
    match known {
        Known::Before(answer) => counted(answer.again(&key)),
        Known::No(error) => counted(error.into_response()),
        Known::New => {
            let place = parts.extensions.get::<Place>().cloned();
            let request = Request::from_parts(parts, Body::from(body));
            let answered = request::carried(Some(named.clone()), next.run(request));
            let under_way = UnderWay {
                api,
                named: Some(named),
                _place: place,
            };
            to_the_end(under_way, answered).await
        }
    }
}

/// A client that goes away does not take back what it asked: it is answered when it asks again.
async fn to_the_end(
    under_way: UnderWay,
    answered: impl Future<Output = Response> + Send + 'static,
) -> Response {
    let work = request_id::carried(async move {
        let (head, body) = answered.await.into_parts();
        under_way.done(head, body).await
    });
    tokio::spawn(work).await.unwrap_or_else(|error| {
        let what = format!("the request broke off: {error}");
        ApiError::from(Error::new(Code::Failed, what)).into_response()
    })
}

/// A request with a key that has no answer yet. However it ends, its key does not stay taken.
struct UnderWay {
    api: Arc<Api>,
    named: Option<Named>,
    /// It goes on without its client, and so must be among those that are counted.
    _place: Option<Place>,
}

impl UnderWay {
    async fn done(mut self, head: response::Parts, body: Body) -> Response {
        if !head.status.is_success() {
            if let Some(named) = self.named.take() {
                self.api.kept.end(&named, unclear(&named, head.status));
            }
            return Response::from_parts(head, body);
        }
        let kept = Arc::new((head.status, head.headers.clone()));
        // It is finite: what answers a POST is no stream.
        let Ok(body) = to_bytes(body, usize::MAX).await else {
            let what = "the answer could not be written";
            return ApiError::from(Error::new(Code::Failed, what)).into_response();
        };
        let answer = if body.len() <= ANSWER {
            Answer::Whole(kept, body.clone())
        } else {
            Answer::TooLarge
        };
        if let Some(named) = self.named.take() {
            self.api.kept.end(&named, Some(answer));
        }
        Response::from_parts(head, Body::from(body))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(named) = self.named.take() {
            let broken = StatusCode::INTERNAL_SERVER_ERROR;
            self.api.kept.end(&named, unclear(&named, broken));
        }
    }
}

/// What is kept of a request that failed: nothing, when it was refused, or nobody had it in their hands.
fn unclear(named: &Named, status: StatusCode) -> Option<Answer> {
    let may_come = status == StatusCode::GATEWAY_TIMEOUT;
    let is_unclear = may_come || status == StatusCode::INTERNAL_SERVER_ERROR;
    (is_unclear && named.is_handed()).then_some(Answer::Unclear { may_come })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(key: usize, body: &str) -> Named {
        Named::new(format!("k{key}"), body.to_owned())
    }

    fn named(key: usize) -> Named {
        asked(key, "body")
    }

    fn answer(bytes: usize) -> Answer {
        let head = (StatusCode::CREATED, HeaderMap::new());
        Answer::Whole(Arc::new(head), Bytes::from(vec![b'x'; bytes]))
    }

    fn is_new(kept: &Kept, key: usize, now: u64) -> bool {
        let begun = kept.begin(&named(key), "k", Timestamp::from_millis(now));
        matches!(begun, Known::New)
    }

    #[test]
    fn p6_a_key_is_taken_once_until_it_failed_or_a_day_is_over() {
        let kept = Kept::default();
        assert!(is_new(&kept, 1, 0));
        assert!(!is_new(&kept, 1, 0), "it is under way");
        kept.end(&named(1), None);
        assert!(is_new(&kept, 1, 0), "it failed");
        kept.end(&named(1), Some(answer(3)));
        let begin = |body| kept.begin(&asked(1, body), "k", Timestamp::from_millis(1));
        assert!(matches!(begin("body"), Known::Before(answer) if answer.size() == 3));
        assert!(matches!(begin("another"), Known::No(_)), "another body");
        let day = u64::try_from(KEPT.as_millis()).unwrap();
        assert!(is_new(&kept, 1, day));
    }

    #[test]
    fn p6_what_an_earlier_daemon_did_is_not_done_again_for_a_day() {
        let kept = Kept::default();
        let at = Hlc {
            wall: Timestamp::from_millis(5),
            ..Hlc::ZERO
        };
        let done = |key: &str| Done {
            key: key.to_owned(),
            asked: "body".to_owned(),
            at,
        };
        kept.inner().recall(done("k1"));
        kept.inner().recall(done("k1"));
        let begin = |body| kept.begin(&asked(1, body), "k", Timestamp::from_millis(6));
        assert!(matches!(begin("body"), Known::Before(Answer::Before(stamp)) if stamp == at));
        assert!(matches!(begin("another"), Known::No(_)));
        assert!(is_new(&kept, 2, 6));
        let day = u64::try_from(KEPT.as_millis()).unwrap();
        assert!(is_new(&kept, 1, 5 + day));
        assert!(kept.inner().order.is_empty());
    }

    #[test]
    fn p6_what_failed_half_way_is_done_again_only_when_it_was_not_done() {
        let at = Timestamp::from_millis;
        let handed = named(1);
        assert!(
            unclear(&handed, StatusCode::GATEWAY_TIMEOUT).is_none(),
            "nobody has it"
        );
        let unclear = |may_come| Some(Answer::Unclear { may_come });
        let done = || Done {
            key: "k1".to_owned(),
            asked: "body".to_owned(),
            at: Hlc::ZERO,
        };
        let now = |kept: &Kept| match kept.begin(&named(1), "k", at(9)) {
            Known::New => "new",
            Known::Before(Answer::Unclear { .. }) => "unclear",
            Known::Before(Answer::Before(_)) => "done",
            _ => "otherwise",
        };
        for (may_come, said, later, then) in [
            (false, None, 9, "new"),
            (true, None, 9, "unclear"),
            (true, None, 9 + 600_000, "new"),
            (true, Some(done()), 9, "done"),
            (false, Some(done()), 9, "done"),
        ] {
            let kept = Kept::default();
            assert!(is_new(&kept, 1, 0));
            kept.end(&named(1), unclear(may_come));
            assert_eq!(now(&kept), "unclear");
            kept.inner().settle("k1", said, at(later));
            assert_eq!(now(&kept), then);
        }
    }

    #[test]
    fn p8_so_many_are_kept_and_no_more() {
        let kept = Kept::default();
        assert!(is_new(&kept, 0, 0), "this one takes long");
        for key in 1..=2 * ANSWERS + 20 {
            assert!(is_new(&kept, key, 0));
            // Every other one fails, and leaves nothing behind.
            kept.end(&named(key), (key % 2 == 0).then(|| answer(1)));
        }
        let inner = kept.inner();
        assert_eq!(inner.order.len(), ANSWERS);
        assert_eq!(inner.bytes, ANSWERS);
        assert_eq!(inner.entries.len(), ANSWERS + 1);
        assert!(inner.entries.contains_key("k0"));
        drop(inner);
        for key in 3 * ANSWERS..3 * ANSWERS + 20 {
            assert!(is_new(&kept, key, 0));
            kept.end(&named(key), Some(answer(ANSWER)));
        }
        assert!(kept.inner().bytes <= BYTES + ANSWER);
    }

    #[test]
    fn p8_headers_of_an_answer_count_too() {
        let mut headers = HeaderMap::new();
        headers.insert("location", HeaderValue::from_static("/x"));
        let answer = Answer::Whole(Arc::new((StatusCode::CREATED, headers)), Bytes::new());
        assert_eq!(answer.size(), "location/x".len());
    }
}
