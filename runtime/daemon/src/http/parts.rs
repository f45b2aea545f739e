//! What a handler takes and gives: as JSON, out of the query, out of the path. What does not fit is
//! refused as a problem that names it, in the same form as every other refusal.

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{
        FromRequest, FromRequestParts, OptionalFromRequest, Request,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use worknode_core::error::{Code, Error};

use super::{Api, BODY, auth::Caller, error::ApiError, objects::WithObjects};

/// A body.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = <axum::Json<WithObjects<T>> as FromRequest<S>>::from_request(request, state).await;
        let axum::Json(WithObjects(body)) = body.map_err(of_body)?;
        Ok(Self(body))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        let body = <axum::Json<WithObjects<T>> as OptionalFromRequest<S>>::from_request(request, state);
        let body = body.await.map_err(of_body)?;
        Ok(body.map(|axum::Json(WithObjects(body))| Self(body)))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// Something was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Created<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

/// Something that may have been made, or is only told of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Made<T> {
    /// It is new.
    New(T),
    /// It was there before, or is not made yet.
    Not(T),
}

impl<T: Serialize> IntoResponse for Made<T> {
    fn into_response(self) -> Response {
        match self {
            Self::New(made) => Created(made).into_response(),
            Self::Not(told) => Json(told).into_response(),
        }
    }
}

/// With the epoch of the claim that it stands under, as `If-Match` asks for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tagged<T> {
    pub(super) epoch: u64,
    pub(super) body: T,
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let tag = format!("\"{}\"", self.epoch);
        ([(header::ETAG, tag)], Json(self.body)).into_response()
    }
}

/// It was done, and there is nothing to say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done;

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

/// What stands behind the `?`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let taken = axum::extract::Query::from_request_parts(parts, state).await;
        let axum::extract::Query(query) =
            taken.map_err(|rejection: QueryRejection| usage(&rejection.body_text()))?;
        Ok(Self(query))
    }
}

/// What the path names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let taken = axum::extract::Path::from_request_parts(parts, state).await;
        let axum::extract::Path(path) =
            taken.map_err(|rejection: PathRejection| usage(&rejection.body_text()))?;
        Ok(Self(path))
    }
}

/// All of a body, for what is not a handler. While it comes in, its sender has one place less: bodies
/// that never end cannot take everybody's.
pub(crate) async fn in_full(api: &Api, caller: &Caller, body: Body) -> Result<Bytes, ApiError> {
    let _slot = api.limits.slot(&caller.0.principal)?;
    to_bytes(body, BODY).await.map_err(|_| {
        let what = format!("the body is larger than {BODY} bytes, or broke off");
        ApiError::from(Error::new(Code::Usage, what)).with(StatusCode::PAYLOAD_TOO_LARGE)
    })
}

fn usage(what: &str) -> ApiError {
    Error::new(Code::Usage, what).into()
}

/// A body that cannot be read is refused with the status that HTTP has for it.
fn of_body(rejection: JsonRejection) -> ApiError {
    let (status, text) = (rejection.status(), rejection.body_text());
    let error = Error::new(Code::Usage, text);
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let hint = format!("a body has at most {BODY} bytes");
            ApiError::from(error.hint(hint)).with(status)
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ApiError::from(error.hint("send `Content-Type: application/json`")).with(status)
        }
        // That the text is JSON and does not fit is no other mistake than that it is no JSON.
        _ => error.into(),
    }
}
