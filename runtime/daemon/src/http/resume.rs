//! Coming back to work: where somebody stands, and how long work takes.

use std::sync::Arc;

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use worknode_core::{error::Error, event::Principal, ids::NodeId, node::Kind};

use super::{
    Api,
    auth::Caller,
    described::Routes,
    error::ApiError,
    nodes::check_covered,
    parts::{Json, Path, Query},
    tree::scope,
};
use crate::view::{self, ContinueView, EstimatesView, ReportView};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/continue", own, "Where the caller stands, and what is next")
        .get(
            "/agents/{id}/continue",
            of,
            "Where an agent stands, and what is next",
        )
        .get(
            "/estimates",
            estimates,
            "What work was estimated at, and what it took",
        )
        .get(
            "/report",
            report,
            "What happened: phases, tasks, who did what, what landed, what went wrong, what was decided",
        )
}

/// Of the agent that asks; a person is told of the team.
async fn own(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<ContinueView>, ApiError> {
    caller.may_read()?;
    let agent = match &caller.0.principal {
        Principal::Agent { node, .. } => Some(node.to_string()),
        _ => None,
    };
    if agent.is_none() {
        check_covered(&api, &caller, api.runtime.system().team().node())?;
    }
    read(&api, agent).await
}

async fn of(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ContinueView>, ApiError> {
    caller.may_read()?;
    let node = view::find(api.reader(), Kind::Agent, &id)?;
    check_covered(&api, &caller, node.id)?;
    read(&api, Some(node.id.to_string())).await
}

async fn read(api: &Api, agent: Option<String>) -> Result<Json<ContinueView>, ApiError> {
    let now = api.runtime.system().now();
    let view = api
        .reader()
        .ask(move |reader| Ok(view::continuation(reader, agent.as_deref(), now)))
        .await?;
    Ok(Json(view?))
}

/// Below which Worknode.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Under {
    under: Option<String>,
}

async fn estimates(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(wanted): Query<Under>,
) -> Result<Json<EstimatesView>, ApiError> {
    let under = scope(&api, &caller, wanted.under.as_deref())?;
    let view: Result<EstimatesView, Error> = api
        .reader()
        .ask(move |reader| Ok(view::estimates(reader, under)))
        .await?;
    Ok(Json(view?))
}

/// Of the team, when nothing else is named.
async fn report(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(wanted): Query<Under>,
) -> Result<Json<ReportView>, ApiError> {
    let system = api.runtime.system();
    let under = match scope(&api, &caller, wanted.under.as_deref())? {
        NodeId::ROOT if wanted.under.is_none() => system.team().node(),
        under => under,
    };
    let now = system.now();
    let view: Result<ReportView, Error> = api
        .reader()
        .ask(move |reader| Ok(view::report(reader, under, now)))
        .await?;
    Ok(Json(view?))
}
