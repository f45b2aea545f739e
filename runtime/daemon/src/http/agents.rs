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
    Ok(Json(all(&api).await?))
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

/// All agents, with what only the runtime knows of them.
async fn all(api: &Api) -> Result<Vec<AgentView>, ApiError> {
    let live = api.runtime.resources().await;
    let mut agents = view::agents(api.reader(), api.runtime.system().now(), &live)?;
    for agent in &mut agents {
        note_sandbox(api, agent);
    }
    Ok(agents)
}

/// How the agent's runs are kept in their box.
pub(super) fn note_sandbox(api: &Api, agent: &mut AgentView) {
    let definition = api.runtime.system().agent(agent.id);
    agent.sandbox = definition.map(|definition| definition.sandbox.name().to_owned());
}

/// One agent, as it is now.
pub(super) async fn one(api: &Api, id: &str) -> Result<Json<AgentView>, ApiError> {
    let node = view::find(api.reader(), Kind::Agent, id)?;
    let agents = all(api).await?;
    let found = agents.into_iter().find(|agent| agent.id == node.id);
    found
        .map(Json)
        .ok_or_else(|| super::error::not_found(format!("there is no agent `{id}`")))
}
