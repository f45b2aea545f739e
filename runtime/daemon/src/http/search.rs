//! Questions over the tree: words, a condition, aggregates.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
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
    described::Routes,
    error::ApiError,
    parts::{Json, Path, Query},
    shared::OneOf,
    tree::{Narrow, page, scope},
};
use crate::view::{self, AggregateView, FailedView, NodePage};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            "/search",
            search,
            "Worknodes by words and conditions, or aggregates over them",
        )
        .get("/nodes/{id}/search", search_below, "The same, below one Worknode")
        .post("/agents/{id}/query", ask, "The same in the name of an agent")
        .example(r#"{"query": "kind == \"task\" && status == \"blocked\""}"#)
}

async fn search(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(narrow): Query<Narrow>,
) -> Result<OneOf<Json<Found>>, ApiError> {
    let under = scope(&api, &caller, narrow.under.as_deref())?;
    let question = format!("search {under} {narrow:?}");
    api.shared(question, answer(&api, under, narrow)).await
}

async fn search_below(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(narrow): Query<Narrow>,
) -> Result<OneOf<Json<Found>>, ApiError> {
    if narrow.under.is_some() {
        let error = Error::new(
            Code::Usage,
            "the path says below which Worknode, and `under` does too",
        );
        return Err(error.hint("leave `under` out, or ask `/search`").into());
    }
    let under = scope(&api, &caller, Some(&id))?;
    let question = format!("search {under} {narrow:?}");
    api.shared(question, answer(&api, under, narrow)).await
}

/// What a question comes to.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Found {
    Page(NodePage),
    Aggregates(AggregateView),
}

/// A page of Worknodes, or what all of them come to.
async fn answer(api: &Api, under: NodeId, narrow: Narrow) -> Result<Json<Found>, ApiError> {
    let aggregates = narrow.aggregate.clone();
    let wanted = narrow.query(under)?;
    match aggregates {
        None => Ok(Json(Found::Page(page(api, wanted).await?.0))),
        Some(aggregates) => Ok(Json(Found::Aggregates(
            aggregate(api, &wanted, &aggregates).await?,
        ))),
    }
}

/// Several aggregates are kept apart by `;`.
async fn aggregate(api: &Api, wanted: &Wanted, aggregates: &str) -> Result<AggregateView, Error> {
    let texts: Vec<String> = aggregates
        .split(';')
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect();
    let now = api.runtime.system().now();
    let (outcomes, failed) = query::aggregate(api.reader(), api.kinds(), wanted, &texts, now).await?;
    Ok(AggregateView {
        names: names(api, wanted.under, &outcomes),
        aggregates: outcomes,
        failed: FailedView::of(failed),
    })
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
#[derive(Debug, Deserialize, JsonSchema)]
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
) -> Result<Json<Found>, ApiError> {
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
    let caller = caller.with(authority);
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
