//! Every request has a name: the one that its client gave it, or one of ours. It is in the answer,
//! in the log, and in what is said of a refusal, so that the three can be laid side by side.

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;

/// The header that carries it.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// Characters of one that a client gives. A longer one would only fill the log.
pub(super) const LENGTH: usize = 128;

tokio::task_local! {
    static PRESENT: String;
}

/// The name of the request that is answered here.
pub(super) fn present() -> Option<String> {
    PRESENT.try_with(Clone::clone).ok()
}

/// The same request, in a task of its own.
pub(super) fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    PRESENT
        .scope(present().unwrap_or_default(), work)
        .in_current_span()
}

/// Names the request and whatever is logged on its behalf.
pub(super) async fn name(request: Request, next: Next) -> Response {
    let id = given(&request).unwrap_or_else(made);
    let span = tracing::info_span!("request", %id, method = %request.method(), path = request.uri().path());
    let header = HeaderValue::from_str(&id);
    let answered = PRESENT.scope(id, async {
        let response = next.run(request).await;
        tracing::debug!(status = response.status().as_u16(), "answered");
        response
    });
    let mut response = answered.instrument(span).await;
    if let Ok(header) = header {
        response.headers_mut().insert(HEADER, header);
    }
    response
}

/// What the client calls it, when that can be printed as it is.
fn given(request: &Request) -> Option<String> {
    let text = request.headers().get(HEADER)?.to_str().ok()?;
    let plain =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/' | b'+' | b'=');
    ((1..=LENGTH).contains(&text.len()) && text.bytes().all(plain)).then(|| text.to_owned())
}

/// Random enough that two requests of one log are told apart.
fn made() -> String {
    let mut random = [0_u8; 8];
    // Without randomness all are called alike, and are answered all the same.
    let _ = getrandom::fill(&mut random);
    format!("{:016x}", u64::from_be_bytes(random))
}
