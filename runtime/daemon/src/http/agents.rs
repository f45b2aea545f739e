//! Agents: look, and let go on. Stopping is in `kill`.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use worknode_core::{agent::AgentCommand, command::Command, node::Kind};

use super::{Api, auth::Caller, error::ApiError};
use crate::view::{self, AgentView};

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
) -> Result<Json<Vec<AgentView>>, ApiError> {
    caller.may_read()?;
    let live = api.runtime.resources().await;
    let now = api.runtime.system().now();
    Ok(Json(view::agents(api.reader(), now, &live)?))
}

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<AgentView>, ApiError> {
    caller.may_read()?;
    one(&api, &id).await
}

pub(super) async fn resume(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<AgentView>, ApiError> {
    let node = view::find(api.reader(), Kind::Agent, &id)?;
    api.runtime
        .system()
        .ask(&caller.0, node.id, Command::Agent(AgentCommand::Resume), None)
        .await?;
    one(&api, &id).await
}

/// One agent, as it is now.
pub(super) async fn one(api: &Api, id: &str) -> Result<Json<AgentView>, ApiError> {
    let node = view::find(api.reader(), Kind::Agent, id)?;
    let live = api.runtime.resources().await;
    let agents = view::agents(api.reader(), api.runtime.system().now(), &live)?;
    let found = agents.into_iter().find(|agent| agent.id == node.id);
    found
        .map(Json)
        .ok_or_else(|| super::error::not_found(format!("there is no agent `{id}`")))
}
