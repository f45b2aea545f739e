//! The API as a document: OpenAPI 3.1, and a page for people.
//!
//! A route is made and described in one place. What it takes and gives is read off the types of its
//! handler, so that the document cannot say anything else than the code; only what the types do not
//! say stands beside the route.

mod answers;
mod document;
mod operation;
mod page;
mod routes;
mod signature;

use std::sync::LazyLock;

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;

pub use self::answers::answer_schema;
pub(super) use self::routes::Routes;

/// The same for all, and made when it is first asked for: nobody who never asks pays for it.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| document::of(&super::routes().into_operations()));
static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());
static PAGE: LazyLock<String> = LazyLock::new(|| page::of(&DOCUMENT));

/// The document.
#[must_use]
pub fn openapi() -> &'static Value {
    &DOCUMENT
}

/// What the page may load: nothing but its own style.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

pub(super) fn own_routes() -> Routes {
    Routes::new()
        .get("/openapi.json", document_as_json, "This document")
        .open()
        .answers_as::<serde_json::Map<String, Value>>(200, "application/json", "OpenAPI 3.1.")
        .get("/docs", document_as_page, "This document as a page")
        .open()
        .answers_as::<String>(200, "text/html", "A page that needs nothing from elsewhere.")
}

/// It says nothing of the team, so nobody need say who they are.
async fn document_as_json() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

async fn document_as_page() -> Response {
    let mut response = (
        [(header::CONTENT_TYPE, "text/html; charset=utf-8")],
        PAGE.as_str(),
    )
        .into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

#[cfg(test)]
mod tests;
