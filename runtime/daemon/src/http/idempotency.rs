//! A request that is sent again has one effect (P6): who gives it a key gets the first answer again.
//!
//! Kept are answers of what succeeded, for a day, as many as there is room for, while this daemon
//! lives. What must hold beyond that (an agent that is spawned, a message) keeps its key in the
//! journal besides; the other commands refuse by themselves what was done already.

use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
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

use super::{Api, BODY, auth::Caller, error::ApiError, request_id};

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
/// Bytes of all of them together.
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

/// Who asks where with which key.
type Place = (String, String, String);

/// What was asked with a key, and what came of it.
#[derive(Clone, Debug)]
struct Entry {
    /// Digest of the body: the same key with another one is a mistake.
    asked: u64,
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
    entries: HashMap<Place, Entry>,
    /// The oldest first.
    order: VecDeque<Place>,
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
    fn begin(&self, place: &Place, asked: u64, now: Timestamp) -> Known {
        let mut inner = self.inner();
        inner.forget(now);
        match inner.entries.get(place) {
            Some(entry) if entry.asked != asked => Known::No(for_another(&place.2)),
            Some(Entry {
                answer: Some(answer), ..
            }) => Known::Before(answer.clone()),
            Some(_) => Known::No(under_way(&place.2)),
            None => {
                let entry = Entry {
                    asked,
                    since: now,
                    answer: None,
                };
                inner.entries.insert(place.clone(), entry);
                inner.order.push_back(place.clone());
                Known::New
            }
        }
    }

    /// What failed may be tried again; what was done is not done again.
    fn end(&self, place: &Place, answer: Option<Answer>) {
        let mut inner = self.inner();
        let Some(answer) = answer else {
            inner.drop_key(place);
            return;
        };
        let size = answer.size();
        if let Some(entry) = inner.entries.get_mut(place) {
            entry.answer = Some(answer);
            inner.bytes = inner.bytes.saturating_add(size);
        }
    }
}

impl Inner {
    /// Lets go of what is too old or too much.
    fn forget(&mut self, now: Timestamp) {
        for _ in 0..self.order.len() {
            let Some(place) = self.order.pop_front() else {
                return;
            };
            let Some(entry) = self.entries.get(&place) else {
                continue;
            };
            let is_old = entry.since.plus(KEPT) <= now;
            let too_many = self.entries.len() >= ANSWERS || self.bytes > BYTES;
            match &entry.answer {
                // What is under way stays, however long it takes. How much that can be, `limits` says.
                None => self.order.push_back(place),
                Some(answer) if is_old || too_many => {
                    self.bytes = self.bytes.saturating_sub(answer.size());
                    self.entries.remove(&place);
                }
                Some(_) => {
                    self.order.push_front(place);
                    return;
                }
            }
        }
    }

    /// As if it had never been asked.
    fn drop_key(&mut self, place: &Place) {
        self.entries.remove(place);
        if let Some(at) = self.order.iter().rposition(|known| known == place) {
            self.order.remove(at);
        }
    }
}

impl Answer {
    fn size(&self) -> usize {
        self.body.as_ref().map_or(0, Bytes::len)
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

/// Does what has a key once.
pub(super) async fn once(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let key = match key(request.headers()) {
        Ok(Some(key)) if request.method() == Method::POST => key,
        Ok(_) => return next.run(request).await,
        Err(error) => return ApiError::from(error).into_response(),
    };
    let (mut parts, body) = request.into_parts();
    // Whoever may not ask is refused by the handler; a key of theirs is worth nothing.
    let Ok(caller) = Caller::known(&mut parts, &api).await else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let Ok(body) = to_bytes(body, BODY).await else {
        let what = format!("the body is larger than {BODY} bytes, or broke off");
        let error = ApiError::from(Error::new(Code::Usage, what));
        return error.with(StatusCode::PAYLOAD_TOO_LARGE).into_response();
    };
    let place = (format!("{:?}", caller.0.principal), parts.uri.to_string(), key);
    match api.kept.begin(&place, digest(&body), api.runtime.system().now()) {
        Known::Before(answer) => answer.again(&place.2),
        Known::No(error) => error.into_response(),
        Known::New => {
            let request = Request::from_parts(parts, Body::from(body));
            to_the_end(api, place, next.run(request)).await
        }
    }
}

/// A client that goes away does not take back what it asked: it is answered when it asks again.
async fn to_the_end(
    api: Arc<Api>,
    place: Place,
    answered: impl Future<Output = Response> + Send + 'static,
) -> Response {
    let work = request_id::carried(async move {
        let under_way = UnderWay {
            api,
            place: Some(place),
        };
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
    place: Option<Place>,
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
        if let Some(place) = self.place.take() {
            self.api.kept.end(&place, Some(answer));
        }
        Response::from_parts(head, Body::from(body))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.api.kept.end(&place, None);
        }
    }
}

fn digest(body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(key: usize) -> Place {
        (
            "operator".to_owned(),
            "/api/v1/tasks".to_owned(),
            format!("k{key}"),
        )
    }

    fn answer(bytes: usize) -> Answer {
        Answer {
            head: Arc::new((StatusCode::CREATED, HeaderMap::new())),
            body: Some(Bytes::from(vec![b'x'; bytes])),
        }
    }

    fn is_new(kept: &Kept, key: usize, now: u64) -> bool {
        matches!(
            kept.begin(&place(key), 1, Timestamp::from_millis(now)),
            Known::New
        )
    }

    #[test]
    fn p6_a_key_is_taken_once_until_it_failed_or_a_day_is_over() {
        let kept = Kept::default();
        assert!(is_new(&kept, 1, 0));
        assert!(!is_new(&kept, 1, 0), "it is under way");
        kept.end(&place(1), None);
        assert!(is_new(&kept, 1, 0), "it failed");
        kept.end(&place(1), Some(answer(3)));
        let now = Timestamp::from_millis(1);
        assert!(matches!(kept.begin(&place(1), 1, now), Known::Before(answer) if answer.size() == 3));
        assert!(
            matches!(kept.begin(&place(1), 2, now), Known::No(_)),
            "another body"
        );
        let day = u64::try_from(KEPT.as_millis()).unwrap();
        assert!(is_new(&kept, 1, day));
    }

    #[test]
    fn p8_so_many_are_kept_and_no_more() {
        let kept = Kept::default();
        assert!(is_new(&kept, 0, 0), "this one takes long");
        for key in 1..2 * ANSWERS {
            assert!(is_new(&kept, key, 0));
            // Every other one fails, and leaves nothing behind.
            kept.end(&place(key), (key % 2 == 0).then(|| answer(1)));
        }
        let inner = kept.inner();
        assert!(inner.entries.len() <= ANSWERS && inner.order.len() <= ANSWERS);
        assert_eq!(inner.entries.len(), inner.order.len());
        assert!(inner.entries.contains_key(&place(0)));
        drop(inner);
        for key in 2 * ANSWERS..2 * ANSWERS + 20 {
            assert!(is_new(&kept, key, 0));
            kept.end(&place(key), Some(answer(ANSWER)));
        }
        assert!(kept.inner().bytes <= BYTES + ANSWER);
    }
}
