//! Questions over the tree: words, a condition, aggregates.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use worknode_actors::query::{self, Query as Wanted};
use worknode_core::{
    error::{Code, Error},
    event::Principal,
    ids::NodeId,
    node::Kind,
};
use worknode_query::Outcome;

use super::{
    Api,
    auth::Caller,
    error::ApiError,
    tree::{Narrow, page, scope},
};
use crate::view::{self, AggregateView, FailedView};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/search", get(search))
        .route("/agents/{id}/query", post(ask))
}

async fn search(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(narrow): Query<Narrow>,
) -> Result<Response, ApiError> {
    let under = scope(&api, &caller, narrow.under.as_deref())?;
    answer(&api, under, narrow).await
}

/// A page of Worknodes, or what all of them come to.
async fn answer(api: &Api, under: NodeId, narrow: Narrow) -> Result<Response, ApiError> {
    let aggregates = narrow.aggregate.clone();
    let wanted = narrow.query(under)?;
    match aggregates {
        None => Ok(page(api, wanted).await?.into_response()),
        Some(aggregates) => Ok(aggregate(api, &wanted, &aggregates).await?.into_response()),
    }
}

/// Several aggregates are kept apart by `;`.
pub(super) async fn aggregate(
    api: &Api,
    wanted: &Wanted,
    aggregates: &str,
) -> Result<Json<AggregateView>, ApiError> {
    let texts: Vec<String> = aggregates
        .split(';')
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect();
    let now = api.runtime.system().now();
    let (outcomes, failed) = query::aggregate(api.reader(), api.kinds(), wanted, &texts, now).await?;
    Ok(Json(AggregateView {
        names: names(api, wanted.under, &outcomes),
        aggregates: outcomes,
        failed: FailedView::of(failed),
    }))
}

/// What the Worknodes are called whose ids name groups; only of those where was asked.
fn names(api: &Api, under: NodeId, outcomes: &[Outcome]) -> BTreeMap<String, String> {
    let is_below = |id: NodeId| {
        let standing = api.runtime.system().boundaries().of(id);
        standing.is_ok_and(|standing| standing.is_below(under))
    };
    let keys = outcomes.iter().flat_map(|outcome| &outcome.groups);
    let keys: BTreeSet<&String> = keys.flat_map(|group| &group.key).collect();
    let named = keys.into_iter().filter_map(|key| {
        let id = key.parse::<NodeId>().ok().filter(|id| is_below(*id))?;
        Some((key.clone(), api.reader().node(id).ok()??.name))
    });
    named.collect()
}

/// What an agent asks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// A condition in CEL.
    query: String,
    #[serde(default)]
    under: Option<String>,
    #[serde(default)]
    aggregate: Option<String>,
    #[serde(default)]
    all: bool,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    cursor: Option<String>,
}

/// In the name of an agent: by itself, or by the operator who wants to see what it sees.
async fn ask(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(asked): Json<Asked>,
) -> Result<Response, ApiError> {
    let agent = view::find(api.reader(), Kind::Agent, &id)?;
    if let Principal::Agent { node, name, .. } = &caller.0.principal
        && *node != agent.id
    {
        let message = format!("{name} may not ask in the name of `{}`", agent.name);
        return Err(Error::new(Code::Forbidden, message).into());
    }
    // An agent sees its team; whoever asks for it sees no more.
    let team = api.runtime.system().team().node();
    let mut authority = (*caller.0).clone();
    if authority.subtree == NodeId::ROOT {
        authority.subtree = team;
    }
    let caller = Caller(Arc::new(authority));
    let under = scope(&api, &caller, asked.under.as_deref())?;
    let narrow = Narrow {
        filter: Some(asked.query),
        aggregate: asked.aggregate,
        all: asked.all,
        limit: asked.limit,
        cursor: asked.cursor,
        ..Narrow::default()
    };
    answer(&api, under, narrow).await
}
