//! Refusals as RFC 9457 problem details, with the stable code of `worknode-core`.

use axum::{
    extract::OriginalUri,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use worknode_core::error::{Code, Error};
use worknode_journal::ReadError;

use super::request_id;

/// An error on its way to a client.
#[derive(Debug)]
pub(crate) struct ApiError {
    error: Error,
    /// The status that HTTP has for it, where that says more than its code.
    status: Option<StatusCode>,
}

impl ApiError {
    /// The same under another status.
    pub(crate) const fn with(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self { error, status: None }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        Error::from(error).into()
    }
}

/// Why something was not done.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Problem {
    /// A page about it; `about:blank`, because `code` says it all.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// The stable word for it, for programs.
    code: Code,
    /// What could not be done, with which thing, and why.
    detail: String,
    /// What to do now.
    hint: Option<String>,
    /// How long to wait before trying again.
    retry_after_ms: Option<u64>,
    /// The request, as the daemon's log names it.
    request_id: Option<String>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self { error, status } = self;
        let of_code = StatusCode::from_u16(error.code.http_status());
        let status = status.unwrap_or(of_code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        if status.is_server_error() {
            tracing::warn!(%error, code = ?error.code, "a request failed");
        }
        let problem = Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            code: error.code,
            detail: error.message,
            hint: error.hint,
            retry_after_ms: error.retry_after_ms,
            request_id: request_id::present(),
        };
        let mut response = (status, axum::Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(wait) = error.retry_after_ms {
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from(wait.div_ceil(1_000).max(1)),
            );
        }
        response
    }
}

pub(crate) async fn no_such_route(OriginalUri(uri): OriginalUri) -> ApiError {
    let error = Error::new(Code::NotFound, format!("there is no {}", uri.path()));
    error.hint("/api/v1/docs shows what there is").into()
}

/// `Allow` says what can be done instead.
pub(super) async fn no_such_method(method: Method, OriginalUri(uri): OriginalUri) -> ApiError {
    let error = Error::new(Code::Usage, format!("{} cannot be asked to {method}", uri.path()));
    ApiError::from(error.hint("`Allow` names what it can be asked")).with(StatusCode::METHOD_NOT_ALLOWED)
}
