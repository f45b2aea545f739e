//! Routes that are described where they are made.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    handler::Handler,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{MethodFilter, on},
};
use schemars::JsonSchema;
use worknode_core::error::{Code, Error};

use super::{operation::Draft, signature::Described};
use crate::http::{Api, error::ApiError};

/// What a route is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

impl Verb {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Delete => "delete",
        }
    }

    const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

type Describe = Box<dyn Fn(&mut Draft<'_>) + Send + Sync>;

/// One route, as it was made.
pub(super) struct Operation {
    pub(super) verb: Verb,
    pub(super) path: &'static str,
    pub(super) says: &'static str,
    /// May it be asked without a capability?
    pub(super) is_open: bool,
    /// Does its answer carry an `ETag`?
    pub(super) is_tagged: bool,
    pub(super) headers: Vec<Header>,
    pub(super) example: Option<&'static str>,
    describe: Vec<Describe>,
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb.name(), self.path)
    }
}

impl Operation {
    /// Adds all that is known of it.
    pub(super) fn describe(&self, draft: &mut Draft<'_>) {
        for describe in &self.describe {
            describe(draft);
        }
    }
}

/// A header that a route looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// Only when it is still as it was seen: answers carry the `ETag`.
    IfMatch,
    /// Under this claim.
    IfMatchEpoch,
    /// A page, or a stream.
    Accept,
    /// Where a stream broke off.
    LastEventId,
}

/// Routes, and what the document says of them.
#[derive(Debug, Default)]
pub(in crate::http) struct Routes {
    router: Router<Arc<Api>>,
    operations: Vec<Operation>,
}

impl Routes {
    pub(in crate::http) fn new() -> Self {
        Self::default()
    }

    /// `GET path`, answered by `handler`; `says` is one line for people.
    pub(in crate::http) fn get<H, T>(self, path: &'static str, handler: H, says: &'static str) -> Self
    where
        H: Handler<T, Arc<Api>> + Described<T>,
        T: 'static,
    {
        self.on(Verb::Get, path, handler, says)
    }

    /// `POST path`.
    pub(in crate::http) fn post<H, T>(self, path: &'static str, handler: H, says: &'static str) -> Self
    where
        H: Handler<T, Arc<Api>> + Described<T>,
        T: 'static,
    {
        self.on(Verb::Post, path, handler, says)
    }

    /// `PUT path`.
    pub(in crate::http) fn put<H, T>(self, path: &'static str, handler: H, says: &'static str) -> Self
    where
        H: Handler<T, Arc<Api>> + Described<T>,
        T: 'static,
    {
        self.on(Verb::Put, path, handler, says)
    }

    /// `DELETE path`.
    pub(in crate::http) fn delete<H, T>(self, path: &'static str, handler: H, says: &'static str) -> Self
    where
        H: Handler<T, Arc<Api>> + Described<T>,
        T: 'static,
    {
        self.on(Verb::Delete, path, handler, says)
    }

    fn on<H, T>(mut self, verb: Verb, path: &'static str, handler: H, says: &'static str) -> Self
    where
        H: Handler<T, Arc<Api>> + Described<T>,
        T: 'static,
    {
        let mut route = on(verb.filter(), handler);
        if !H::QUERY {
            route = route.route_layer(from_fn(without_query));
        }
        self.router = self.router.route(path, route);
        self.operations.push(Operation {
            verb,
            path,
            says,
            is_open: false,
            is_tagged: false,
            headers: Vec::new(),
            example: None,
            describe: vec![Box::new(|draft| H::describe(draft))],
        });
        self
    }

    /// All of `other` too.
    pub(in crate::http) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.operations.extend(other.operations);
        self
    }

    fn last(mut self, change: impl FnOnce(&mut Operation)) -> Self {
        if let Some(last) = self.operations.last_mut() {
            change(last);
        }
        self
    }

    /// The last route answers this, too, as JSON.
    pub(in crate::http) fn answers<T: JsonSchema>(self, status: u16, says: &'static str) -> Self {
        self.answers_as::<T>(status, "application/json", says)
    }

    /// The last route answers this, too.
    pub(in crate::http) fn answers_as<T: JsonSchema>(
        self,
        status: u16,
        media: &'static str,
        says: &'static str,
    ) -> Self {
        self.last(|last| {
            let describe = move |draft: &mut Draft<'_>| draft.gives::<T>(status, media, says);
            last.describe.push(Box::new(describe));
        })
    }

    /// The last route needs no capability.
    pub(in crate::http) fn open(self) -> Self {
        self.last(|last| last.is_open = true)
    }

    /// What the last route answers says which state it is of.
    pub(in crate::http) fn tagged(self) -> Self {
        self.last(|last| last.is_tagged = true)
    }

    /// The last route changes only what is still as it was seen.
    pub(in crate::http) fn if_match(self) -> Self {
        self.last(|last| last.headers.push(Header::IfMatch))
    }

    /// The last route writes under a claim, whose epoch may stand in `If-Match`.
    pub(in crate::http) fn if_match_epoch(self) -> Self {
        self.last(|last| last.headers.push(Header::IfMatchEpoch))
    }

    /// The last route answers with a stream when it is asked to.
    pub(in crate::http) fn or_streams(self) -> Self {
        self.streams().last(|last| last.headers.push(Header::Accept))
    }

    /// The last route answers with a stream.
    pub(in crate::http) fn streams(self) -> Self {
        self.answers_as::<String>(200, "text/event-stream", "What happened, and then what happens.")
            .last(|last| last.headers.push(Header::LastEventId))
    }

    /// What may be sent to the last route, as JSON.
    pub(in crate::http) fn example(self, json: &'static str) -> Self {
        self.last(|last| last.example = Some(json))
    }

    /// What answers.
    pub(in crate::http) fn into_router(self) -> Router<Arc<Api>> {
        self.router
    }

    /// What the document is made of.
    pub(super) fn into_operations(self) -> Vec<Operation> {
        self.operations
    }
}

/// Who asks for something that is not looked at would think that it was heard.
async fn without_query(request: Request, next: Next) -> Response {
    let asked = request.uri().query().filter(|query| !query.is_empty());
    let Some(query) = asked else {
        return next.run(request).await;
    };
    let name = query.split(['=', '&']).next().unwrap_or_default();
    let error = Error::new(Code::Usage, format!("unknown parameter `{name}`"));
    ApiError::from(error.hint("this takes none behind the `?`")).into_response()
}
