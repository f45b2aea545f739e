//! Around a Worknode: what is above and below it, what it is linked to, what happened there.

use std::sync::Arc;

use axum::{extract::State, http::HeaderMap, response::Response};
use schemars::JsonSchema;
use serde::Deserialize;
use worknode_actors::query::{self, Query as Wanted};
use worknode_core::{
    error::{Code, Error},
    event::Record,
    hlc::Hlc,
    ids::NodeId,
    node::{Kind, Node},
    time::Span,
};
use worknode_journal::{EventFilter, ReadError};

use super::{
    Api,
    auth::Caller,
    described::Routes,
    error::ApiError,
    events,
    lens::Lens,
    nodes::{check_covered, named, readable},
    parts::{Json, Path, Query},
    shared::OneOf,
};
use crate::view::{LinkView, NodePage, NodeView};

/// Worknodes of one page when the client names no number.
const PAGE: usize = 100;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/nodes", list, "A page of Worknodes")
        .get(
            "/nodes/{id}/children",
            children,
            "A page of the Worknodes right below one",
        )
        .get(
            "/nodes/{id}/ancestors",
            ancestors,
            "The Worknodes above one, its parent first",
        )
        .get(
            "/nodes/{id}/descendants",
            descendants,
            "A page of the Worknodes anywhere below one",
        )
        .get(
            "/nodes/{id}/links",
            links,
            "What a Worknode has to do with others, both ways",
        )
        .get(
            "/nodes/{id}/events",
            history,
            "A page of what happened to a Worknode",
        )
        .get(
            "/nodes/{id}/watch",
            watch,
            "What happens at and below a Worknode, as a stream",
        )
        .streams()
}

/// Which of them, and which page.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Narrow {
    /// Below which Worknode.
    pub(super) under: Option<String>,
    /// Comma-separated kinds.
    pub(super) kind: Option<String>,
    /// Comma-separated statuses.
    pub(super) status: Option<String>,
    /// A condition in CEL.
    #[serde(rename = "where")]
    pub(super) filter: Option<String>,
    /// Words.
    pub(super) q: Option<String>,
    /// Levels below.
    pub(super) depth: Option<usize>,
    /// With what is put away.
    pub(super) all: bool,
    pub(super) limit: Option<usize>,
    pub(super) cursor: Option<String>,
    /// Instead of Worknodes: aggregates over all of them, one per `;`.
    pub(super) aggregate: Option<String>,
}

impl Narrow {
    /// The query that is meant, below `under`.
    pub(super) fn query(self, under: NodeId) -> Result<Wanted, Error> {
        Ok(Wanted {
            filter: self.filter,
            words: self.q,
            kinds: words(self.kind.as_deref())
                .map(str::parse::<Kind>)
                .collect::<Result<_, _>>()
                .map_err(|error| Error::new(Code::Usage, error.to_string()))?,
            statuses: words(self.status.as_deref()).map(str::to_owned).collect(),
            archived: (!self.all).then_some(false),
            levels: self.depth,
            limit: self.limit.unwrap_or(PAGE),
            cursor: self.cursor,
            ..Wanted::below(under)
        })
    }
}

fn words(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.unwrap_or_default()
        .split(',')
        .filter(|word| !word.is_empty())
}

/// Where the caller may look: below `under`, or below what its capability covers.
pub(super) fn scope(api: &Api, caller: &Caller, under: Option<&str>) -> Result<NodeId, Error> {
    caller.may_read()?;
    let Some(under) = under else {
        return Ok(caller.0.subtree);
    };
    let node = named(api, under)?;
    if node.id == NodeId::ROOT {
        return Ok(caller.0.subtree);
    }
    check_covered(api, caller, node.id)?;
    Ok(node.id)
}

/// One page of what `wanted` asks for, for all who ask for the same. What it says tells it from others:
/// the part of the tree that the caller may look at is in it.
async fn shared_page(api: &Api, wanted: Wanted) -> Result<OneOf<Json<NodePage>>, ApiError> {
    api.shared(format!("page {wanted:?}"), page(api, wanted)).await
}

/// One page of what `wanted` asks for.
pub(super) async fn page(api: &Api, wanted: Wanted) -> Result<Json<NodePage>, ApiError> {
    let kinds = Arc::clone(api.kinds());
    let now = api.runtime.system().now();
    let asked = Arc::clone(&kinds);
    let found = api
        .reader()
        .ask(move |reader| Ok(query::page(reader, &asked, &wanted, now)))
        .await??;
    Ok(Json(NodePage::of(found, &kinds)))
}

async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(narrow): Query<Narrow>,
) -> Result<OneOf<Json<NodePage>>, ApiError> {
    let under = scope(&api, &caller, narrow.under.as_deref())?;
    shared_page(&api, narrow.query(under)?).await
}

async fn children(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(narrow): Query<Narrow>,
) -> Result<OneOf<Json<NodePage>>, ApiError> {
    let node = readable(&api, &caller, &id)?;
    let wanted = Wanted {
        parent: Some(node.id),
        // The whole tree needs no look at what is above each; the parent says it all.
        ..narrow.query(NodeId::ROOT)?
    };
    shared_page(&api, wanted).await
}

async fn descendants(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(narrow): Query<Narrow>,
) -> Result<OneOf<Json<NodePage>>, ApiError> {
    let node = readable(&api, &caller, &id)?;
    shared_page(&api, narrow.query(node.id)?).await
}

/// Its parent first.
async fn ancestors(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Vec<NodeView>>, ApiError> {
    let node = readable(&api, &caller, &id)?;
    let mut above = Vec::new();
    for id in api.reader().ancestors(node.id)? {
        let node = api.reader().node(id)?;
        above.extend(node.map(|node| NodeView::read(&node, api.kinds())));
    }
    Ok(Json(above))
}

async fn links(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Vec<LinkView>>, ApiError> {
    let node = readable(&api, &caller, &id)?;
    let mut links = Vec::new();
    for link in NodeView::from(&node).links {
        links.extend(neighbour(&api, link.relation.name(), link.to)?);
    }
    for link in api.reader().links_to(node.id)? {
        links.extend(neighbour(&api, link.relation.reverse_name(), link.node)?);
    }
    Ok(Json(links))
}

fn neighbour(api: &Api, relation: &str, id: NodeId) -> Result<Option<LinkView>, ReadError> {
    let view = |node: Node| LinkView {
        relation: relation.to_owned(),
        node: node.id,
        status: node.status().to_owned(),
        kind: node.kind,
        name: node.name,
    };
    Ok(api.reader().node(id)?.map(view))
}

/// Which events of a Worknode.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Since {
    /// After this stamp.
    since: Option<Hlc>,
    /// Comma-separated types.
    types: Option<String>,
    /// From the end.
    newest: bool,
    /// At most so many.
    limit: Option<usize>,
    /// How long to wait for something when there is nothing yet, as in `30s`; a minute at most.
    wait: Option<Span>,
}

/// From where a Worknode is watched.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "WatchedSince")]
struct Onward {
    /// After this stamp; from now on when it is not said.
    since: Option<Hlc>,
    /// Comma-separated types.
    types: Option<String>,
}

async fn history(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(wanted): Query<Since>,
) -> Result<Json<Vec<Record>>, ApiError> {
    let node = readable(&api, &caller, &id)?;
    let filter = EventFilter {
        after: wanted.since.unwrap_or(Hlc::ZERO),
        node: Some(node.id),
        types: words(wanted.types.as_deref()).map(str::to_owned).collect(),
        newest_first: wanted.newest,
        limit: wanted.limit.unwrap_or(PAGE),
        ..EventFilter::default()
    };
    let lens = Lens::of(&api, &caller, Some(node.id), false)?;
    let wait = wanted.wait.map(|wait| wait.0);
    Ok(Json(events::page(&api, filter, &lens, wait).await?))
}

/// What happens at and below a Worknode, from now on or from where the client lost the stream.
async fn watch(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Query(wanted): Query<Onward>,
) -> Result<Response, ApiError> {
    let node = readable(&api, &caller, &id)?;
    let resumed = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let now = || api.runtime.system().journal().last_stamp();
    let filter = EventFilter {
        after: wanted.since.unwrap_or_else(now),
        types: words(wanted.types.as_deref()).map(str::to_owned).collect(),
        ..EventFilter::default()
    };
    let lens = Lens::of(&api, &caller, Some(node.id), false)?;
    events::follow(&api, &caller, filter, lens, resumed)
}
