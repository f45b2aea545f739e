//! Hold: freeze and thaw agents, and stop the whole runtime in a panic.

use std::sync::Arc;

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use worknode_core::{
    agent::AgentCommand,
    command::Command,
    error::{Code, Error},
    event::PanicStage,
    node::{Kind, Node},
    run::Hold,
};

use super::{
    Api, agents,
    auth::Caller,
    error::ApiError,
    kill,
    parts::{Json, Path},
};
use crate::view::{self, AgentView, KilledView, PanicView};

/// Why.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Reason {
    reason: String,
}

impl Reason {
    fn or_asked_to(self) -> String {
        if self.reason.is_empty() {
            "asked to".to_owned()
        } else {
            self.reason
        }
    }
}

/// How far a panic is lifted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Unpanic {
    up_to: Option<PanicStage>,
}

pub(super) async fn freeze(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<Reason>,
) -> Result<Json<AgentView>, ApiError> {
    let command = AgentCommand::Freeze {
        hold: Hold::Asked,
        reason: body.or_asked_to(),
    };
    ask(&api, &caller, &id, command).await
}

pub(super) async fn thaw(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<AgentView>, ApiError> {
    ask(&api, &caller, &id, AgentCommand::Thaw { hold: None }).await
}

async fn ask(
    api: &Arc<Api>,
    caller: &Caller,
    id: &str,
    command: AgentCommand,
) -> Result<Json<AgentView>, ApiError> {
    let node = holder(api, id)?;
    api.runtime
        .system()
        .ask(&caller.0, node.id, Command::Agent(command), None)
        .await?;
    agents::one(api, &node.id.to_string()).await
}

/// The agent that `text` names, or the one that holds the task that it names.
fn holder(api: &Api, text: &str) -> Result<Node, Error> {
    let node = view::find_among(api.reader(), &[Kind::Agent, Kind::Task], text)?;
    if node.kind == Kind::Agent {
        return Ok(node);
    }
    let claim = node.task().and_then(|task| task.status.claim());
    let agent = claim.map(|claim| api.reader().node(claim.agent)).transpose()?;
    agent.flatten().ok_or_else(|| {
        Error::new(
            Code::NotFound,
            format!("nobody works on task `{}` at the moment", node.name),
        )
        .hint("`worknode ps` shows who works on what")
    })
}

/// Stops everything and blocks it. Answers when every run is over, with receipts.
pub(super) async fn panic(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<Reason>,
) -> Result<Json<PanicView>, ApiError> {
    caller.may_kill()?;
    let reason = body.or_asked_to();
    let by = caller.0.principal.clone();
    let stopped = api.runtime.panic(by, &reason).await?;
    let entries = stopped
        .into_iter()
        .map(|stored| {
            let agent = api.reader().node(stored.agent).ok().flatten();
            KilledView {
                target: agent.map_or_else(|| stored.agent.to_string(), |node| node.name),
                kind: "agent".to_owned(),
                was: stored.run.status.name().to_owned(),
                run: Some(stored.run.spec.id),
                receipt: None,
            }
        })
        .collect();
    let stopped = kill::with_receipts(&api, entries, None).await?;
    let blocked = api.runtime.system().guard().blocked();
    Ok(Json(PanicView {
        blocked: blocked.into_iter().collect(),
        lifted: Vec::new(),
        stopped,
    }))
}

/// Lifts a panic, stage by stage.
pub(super) async fn unpanic(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<Unpanic>,
) -> Result<Json<PanicView>, ApiError> {
    caller.is_operator()?;
    let last = body.up_to.unwrap_or(PanicStage::Triggers);
    let lifted = api.runtime.unpanic(&caller.0.principal, last).await?;
    let blocked = api.runtime.system().guard().blocked();
    Ok(Json(PanicView {
        blocked: blocked.into_iter().collect(),
        lifted,
        stopped: Vec::new(),
    }))
}
