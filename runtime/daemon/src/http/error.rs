//! Refusals as RFC 9457 problem details, with the stable code of `worknode-core`.

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use worknode_core::error::{Code, Error};
use worknode_journal::ReadError;

/// An error on its way to a client.
#[derive(Debug)]
pub(crate) struct ApiError(pub(crate) Error);

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        Self(error.into())
    }
}

pub(crate) fn not_found(message: String) -> ApiError {
    ApiError(Error::new(Code::NotFound, message))
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = self.0;
        let status =
            StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "code": error.code,
            "detail": error.message,
            "hint": error.hint,
            "retry_after_ms": error.retry_after_ms,
        });
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("application/problem+json"),
        );
        if let Some(wait) = error.retry_after_ms {
            headers.insert(
                header::RETRY_AFTER,
                header::HeaderValue::from(wait.div_ceil(1_000).max(1)),
            );
        }
        response
    }
}

pub(crate) async fn no_such_route(uri: axum::http::Uri) -> ApiError {
    not_found(format!("there is no {}", uri.path()))
}
