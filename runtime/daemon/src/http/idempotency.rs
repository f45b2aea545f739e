//! A request that is sent again has one effect (P6): who gives it a key gets the first answer again.
//!
//! Kept are answers of what succeeded, for a day, as many as there is room for, while this daemon
//! lives. What must hold beyond that (an agent that is spawned, a message) keeps its key in the
//! journal besides; the other commands refuse by themselves what was done already.

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
use worknode_core::{
    error::{Code, Error},
    time::Timestamp,
};
use worknode_policies::signing::{Message, digest};

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

/// Digest of who asks where with which key: no name that a client sends is kept. Who narrowed its
/// capability is somebody else: what the wider one was told is not for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Named(Arc<str>);

impl Named {
    fn of(holder: &Holder, uri: &str, key: &str) -> Self {
        let parts = [holder.as_str(), uri, key].map(str::as_bytes);
        let message = Message::of("worknode idempotency");
        Self(digest(&parts.into_iter().fold(message, Message::bytes)).into())
    }
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
struct Answer {
    head: Arc<(StatusCode, HeaderMap)>,
    /// Nothing when it was too large to be kept.
    body: Option<Bytes>,
}

/// The answers that are kept.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Those under way too: how many they can be, `limits` says.
    entries: HashMap<Named, Entry>,
    /// Those that are answered, the oldest first.
    order: VecDeque<Named>,
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks whether it was asked before; otherwise it is under way from here on.
    fn begin(&self, named: &Named, key: &str, asked: &str, now: Timestamp) -> Known {
        let mut inner = self.inner();
        inner.forget(now);
        match inner.entries.get(named) {
            Some(entry) if entry.asked != asked => Known::No(for_another(key)),
            Some(Entry {
                answer: Some(answer), ..
            }) => Known::Before(answer.clone()),
            Some(_) => Known::No(under_way(key)),
            None => {
                let entry = Entry {
                    asked: asked.to_owned(),
                    since: now,
                    answer: None,
                };
                inner.entries.insert(named.clone(), entry);
                Known::New
            }
        }
    }

    /// What failed may be tried again; what was done is not done again.
    fn end(&self, named: &Named, answer: Option<Answer>) {
        let mut inner = self.inner();
        let Some(answer) = answer else {
            inner.entries.remove(named);
            return;
        };
        let size = answer.size();
        if let Some(entry) = inner.entries.get_mut(named) {
            entry.answer = Some(answer);
            inner.order.push_back(named.clone());
            inner.bytes = inner.bytes.saturating_add(size);
        }
    }
}

impl Inner {
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
        let headers = self.head.1.iter();
        let headers = headers.map(|(name, value)| name.as_str().len() + value.len());
        headers.sum::<usize>() + self.body.as_ref().map_or(0, Bytes::len)
    }

    fn again(self, key: &str) -> Response {
        let Some(body) = self.body else {
            let what =
                format!("the request with the key `{key}` was done; its answer was too large to be kept");
            return ApiError::from(Error::new(Code::AlreadyExists, what)).into_response();
        };
        let mut response = Response::new(Body::from(body));
        let (status, headers) = &*self.head;
        *response.status_mut() = *status;
        *response.headers_mut() = headers.clone();
        response
            .headers_mut()
            .insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
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
    let named = Named::of(&caller.holder(), &parts.uri.to_string(), &key);
    let asked = digest(&Message::of("worknode request").bytes(&body));
    let now = api.runtime.system().now();
    let known = api.kept.begin(&named, &key, &asked, now);
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
            let under_way = UnderWay {
                api,
                named: Some(named),
                _place: place,
            };
            to_the_end(under_way, next.run(request)).await
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
            return Response::from_parts(head, body);
        }
        let kept = Arc::new((head.status, head.headers.clone()));
        // It is finite: what answers a POST is no stream.
        let Ok(body) = to_bytes(body, usize::MAX).await else {
            let what = "the answer could not be written";
            return ApiError::from(Error::new(Code::Failed, what)).into_response();
        };
        let answer = Answer {
            head: kept,
            body: (body.len() <= ANSWER).then(|| body.clone()),
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
            self.api.kept.end(&named, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(key: usize) -> Named {
        Named(format!("k{key}").into())
    }

    fn answer(bytes: usize) -> Answer {
        Answer {
            head: Arc::new((StatusCode::CREATED, HeaderMap::new())),
            body: Some(Bytes::from(vec![b'x'; bytes])),
        }
    }

    fn is_new(kept: &Kept, key: usize, now: u64) -> bool {
        let begun = kept.begin(&named(key), "k", "body", Timestamp::from_millis(now));
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
        let begin = |body| kept.begin(&named(1), "k", body, Timestamp::from_millis(1));
        assert!(matches!(begin("body"), Known::Before(answer) if answer.size() == 3));
        assert!(matches!(begin("another"), Known::No(_)), "another body");
        let day = u64::try_from(KEPT.as_millis()).unwrap();
        assert!(is_new(&kept, 1, day));
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
        assert!(inner.entries.contains_key(&named(0)));
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
        let answer = Answer {
            head: Arc::new((StatusCode::CREATED, headers)),
            body: None,
        };
        assert_eq!(answer.size(), "location/x".len());
    }
}
