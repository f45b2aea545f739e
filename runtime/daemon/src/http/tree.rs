//! Around a Worknode: what is above and below it, what it is linked to, what happened there.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::HeaderMap,
    response::Response,
    routing::get,
};
use serde::Deserialize;
use worknode_actors::query::{self, Query as Wanted};
use worknode_core::{
    error::{Code, Error},
    event::Record,
    hlc::Hlc,
    ids::NodeId,
    node::{Kind, Node},
};
use worknode_journal::{EventFilter, ReadError};

use super::{
    Api,
    auth::Caller,
    error::ApiError,
    events,
    lens::Lens,
    nodes::{check_covered, named, readable},
};
use crate::view::{LinkView, NodePage, NodeView};

/// Worknodes of one page when the client names no number.
const PAGE: usize = 100;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/nodes", get(list))
        .route("/nodes/{id}/children", get(children))
        .route("/nodes/{id}/ancestors", get(ancestors))
        .route("/nodes/{id}/descendants", get(descendants))
        .route("/nodes/{id}/links", get(links))
        .route("/nodes/{id}/events", get(history))
        .route("/nodes/{id}/watch", get(watch))
}

/// Which of them, and which page.
#[derive(Debug, Default, Deserialize)]
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
) -> Result<Json<NodePage>, ApiError> {
    let under = scope(&api, &caller, narrow.under.as_deref())?;
    page(&api, narrow.query(under)?).await
}

async fn children(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(narrow): Query<Narrow>,
) -> Result<Json<NodePage>, ApiError> {
    let node = readable(&api, &caller, &id)?;
    let wanted = Wanted {
        parent: Some(node.id),
        // The whole tree needs no look at what is above each; the parent says it all.
        ..narrow.query(NodeId::ROOT)?
    };
    page(&api, wanted).await
}

async fn descendants(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(narrow): Query<Narrow>,
) -> Result<Json<NodePage>, ApiError> {
    let node = readable(&api, &caller, &id)?;
    page(&api, narrow.query(node.id)?).await
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
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Since {
    since: Option<Hlc>,
    types: Option<String>,
    newest: bool,
    limit: Option<usize>,
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
    let mut records = api.reader().ask(move |reader| reader.events(&filter)).await?;
    records = records.iter().filter_map(|record| lens.see(record)).collect();
    if wanted.newest {
        records.reverse();
    }
    Ok(Json(records))
}

/// What happens at and below a Worknode, from now on or from where the client lost the stream.
async fn watch(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Query(wanted): Query<Since>,
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
    Ok(events::follow(&api, filter, lens, resumed))
}
