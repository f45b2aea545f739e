//! How a part of the tree does.

use std::sync::Arc;

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use worknode_actors::query::{self, Query as Wanted};
use worknode_core::{
    error::{Code, Error},
    ids::NodeId,
    node::Kind,
};
use worknode_query::Outcome;

use super::{
    Api,
    auth::Caller,
    described::Routes,
    error::ApiError,
    parts::{Json, Query},
    shared::OneOf,
    tree::scope,
};
use crate::view::{AgentsView, PipelineView, ProgressView, agents_view};

/// Days that are looked back when nobody says how many.
const DAYS: u64 = 7;
/// Days that are looked back at the most.
const MOST_DAYS: u64 = 366;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/analytics/progress", progress, "How far the tasks are")
        .get(
            "/analytics/pipeline",
            pipeline,
            "What lies in which stage, and what it is worth",
        )
        .get("/analytics/agents", agents, "What the agents did, day by day")
}

/// Of which part of the tree.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Part {
    under: Option<String>,
    /// Of the pipeline: what is added up, an expression of the query language.
    value: Option<String>,
    /// Of the pipeline: in which groups.
    by: Option<String>,
    /// Of the pipeline: of which kind.
    kind: Option<Kind>,
    /// Of the agents: how many days back.
    days: Option<u64>,
}

async fn outcomes(api: &Api, wanted: &Wanted, texts: &[String]) -> Result<Vec<Outcome>, Error> {
    let now = api.runtime.system().now();
    let (outcomes, _) = query::aggregate(api.reader(), api.kinds(), wanted, texts, now).await?;
    Ok(outcomes)
}

fn lost() -> Error {
    Error::new(Code::Failed, "an aggregate is missing in the answer")
}

async fn progress(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(part): Query<Part>,
) -> Result<OneOf<Json<ProgressView>>, ApiError> {
    let under = scope(&api, &caller, part.under.as_deref())?;
    api.shared(format!("progress {under}"), progress_of(&api, under))
        .await
}

async fn progress_of(api: &Api, under: NodeId) -> Result<Json<ProgressView>, ApiError> {
    let wanted = Wanted {
        kinds: vec![Kind::Task],
        ..Wanted::below(under)
    };
    let texts = ["progress", "count by status", "progress by parent"].map(str::to_owned);
    let [progress, by_status, by_parent] = outcomes(api, &wanted, &texts)
        .await?
        .try_into()
        .map_err(|_| lost())?;
    Ok(Json(ProgressView {
        under,
        progress,
        by_status,
        by_parent,
    }))
}

async fn pipeline(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(part): Query<Part>,
) -> Result<OneOf<Json<PipelineView>>, ApiError> {
    let under = scope(&api, &caller, part.under.as_deref())?;
    let question = format!("pipeline {under} {part:?}");
    api.shared(question, pipeline_of(&api, under, part)).await
}

async fn pipeline_of(api: &Api, under: NodeId, part: Part) -> Result<Json<PipelineView>, ApiError> {
    let wanted = Wanted {
        kinds: part.kind.into_iter().collect(),
        archived: Some(false),
        ..Wanted::below(under)
    };
    let value = part.value.unwrap_or_else(|| "attributes.value".to_owned());
    let by = part.by.unwrap_or_else(|| "status".to_owned());
    let texts = [format!("sum({value}) by {by}"), format!("count by {by}")];
    let [value, count] = outcomes(api, &wanted, &texts)
        .await?
        .try_into()
        .map_err(|_| lost())?;
    Ok(Json(PipelineView { under, value, count }))
}

async fn agents(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(part): Query<Part>,
) -> Result<OneOf<Json<AgentsView>>, ApiError> {
    let under = scope(&api, &caller, part.under.as_deref())?;
    let days = part.days.unwrap_or(DAYS).clamp(1, MOST_DAYS);
    api.shared(format!("days {days} {under}"), agents_of(&api, under, days))
        .await
}

async fn agents_of(api: &Api, under: NodeId, days: u64) -> Result<Json<AgentsView>, ApiError> {
    let now = api.runtime.system().now();
    let view = api
        .reader()
        .ask(move |reader| Ok(agents_view(reader, under, days, now)))
        .await??;
    Ok(Json(view))
}
