//! What others watch: the numbers, and a span for each request.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::{Instrument, field::Empty};
use worknode_core::{
    error::{Code, Error},
    trace::TraceContext,
};
use worknode_telemetry::{
    export::{self, TARGET},
    metrics::{CONTENT_TYPE, Now},
};

use super::{Api, auth::Caller, described::Routes, error::ApiError};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/metrics", metrics, "Numbers for Prometheus")
        .answers_as::<String>(200, CONTENT_TYPE, "The text form of OpenMetrics 1.0.")
}

/// All numbers, as Prometheus and others that read OpenMetrics want them.
pub(super) async fn metrics(State(api): State<Arc<Api>>, caller: Caller) -> Result<Response, ApiError> {
    caller.may_read()?;
    let counts = api.reader().ask(|reader| reader.counts()).await?;
    let nodes = counts
        .into_iter()
        .map(|count| (count.kind.name().to_owned(), count.status, count.nodes))
        .collect();
    let mailboxes = api.runtime.system().mailboxes();
    let now = Now {
        nodes,
        awake: mailboxes.awake as u64,
        waiting: mailboxes.waiting as u64,
        fullest: mailboxes.fullest as u64,
        spans: api.observation.spans(),
    };
    let text = api.observation.metrics.encode(&now);
    let text =
        text.map_err(|error| Error::new(Code::Failed, format!("the numbers cannot be written: {error}")))?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

/// Makes a span of the request while traces are sent, below that of whoever asks. The path is told as the
/// route, without the names in it.
pub(super) async fn traced(request: Request, next: Next) -> Response {
    if !export::is_on() {
        return next.run(request).await;
    }
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let span = tracing::info_span!(
        target: TARGET,
        "request",
        otel.name = %format!("{method} {route}"),
        otel.kind = "server",
        http.request.method = %method,
        http.route = route,
        http.response.status_code = Empty,
    );
    if let Some(parent) = parent(request.headers()) {
        export::put_below(&span, parent);
    }
    let response = next.run(request).instrument(span.clone()).await;
    span.record("http.response.status_code", response.status().as_u16());
    response
}

/// A header that is none of this form is as good as none: so says the recommendation.
fn parent(headers: &HeaderMap) -> Option<TraceContext> {
    headers.get("traceparent")?.to_str().ok()?.parse().ok()
}
