//! What programs of agents ask people for, and what people answer.

use std::sync::Arc;

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use worknode_actors::membrane::Reply;
use worknode_core::{
    agent::AgentCommand,
    command::Command,
    error::{Code, Error},
    permission::Word,
};

use super::{
    Api,
    auth::Caller,
    described::Routes,
    error::ApiError,
    parts::{Json, Path},
};
use crate::view::{PromptAnswerView, PromptView, prompts};

/// A person's word.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Said {
    /// The `digest` of what was shown.
    shown: String,
    /// Why, as the program is told.
    #[serde(default)]
    reason: String,
}

pub(super) fn routes() -> Routes {
    const EXAMPLE: &str = r#"{"shown": "sha256:5e88…", "reason": "not on this machine"}"#;
    Routes::new()
        .get("/prompts", list, "What programs of agents ask people for")
        .get("/prompts/{id}", show, "One of them, in full")
        .post("/prompts/{id}/allow", allow, "Allows, once, what was shown")
        .example(EXAMPLE)
        .post("/prompts/{id}/deny", deny, "Denies it; the program is told why")
        .example(EXAMPLE)
}

async fn list(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<Vec<PromptView>>, ApiError> {
    caller.may_read()?;
    Ok(Json(prompts::waiting(api.reader(), caller.0.subtree)?))
}

async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<PromptView>, ApiError> {
    caller.may_read()?;
    Ok(Json(prompts::one(api.reader(), caller.0.subtree, &id)?))
}

async fn allow(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(said): Json<Said>,
) -> Result<Json<PromptAnswerView>, ApiError> {
    answer(&api, &caller, &id, said, true).await
}

async fn deny(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(said): Json<Said>,
) -> Result<Json<PromptAnswerView>, ApiError> {
    answer(&api, &caller, &id, said, false).await
}

async fn answer(
    api: &Api,
    caller: &Caller,
    id: &str,
    said: Said,
    allow: bool,
) -> Result<Json<PromptAnswerView>, ApiError> {
    let (agent, request) = prompts::find(api.reader(), caller.0.subtree, id)?;
    let word = Word {
        request: request.clone(),
        allow,
        reason: said.reason,
        shown: said.shown,
        through: caller
            .0
            .through
            .as_ref()
            .and_then(|opened| opened.ids().last().cloned()),
    };
    let command = Command::Agent(AgentCommand::AnswerPermission(Box::new(word)));
    let reply = api
        .runtime
        .system()
        .ask(&caller.0, agent.id, command, None)
        .await?;
    let told = match &reply {
        Reply::Done { node, .. } => prompts::answered(node, &request),
        Reply::Conflated | Reply::PutAside { .. } => None,
    };
    let told = told.ok_or_else(|| Error::new(Code::Failed, "the agent did not say what came of it"))?;
    Ok(Json(told))
}
