//! Spawn: one agent more, beneath whoever asks.

use std::sync::Arc;

use axum::{extract::State, http::HeaderMap};
use schemars::JsonSchema;
use serde::Deserialize;
use worknode_actors::spawn::{Duty, Wanted, spawn};
use worknode_core::{
    agent::Share,
    amount::{Bytes, Dollars},
    error::{Code, Error},
    node::Kind,
    time::Span,
    usage::Usd,
};

use super::{
    Api, agents,
    auth::Caller,
    error::ApiError,
    idempotency::key,
    parts::{Created, Json},
};
use crate::view::{self, AgentView};

/// The agent that is wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAgent {
    /// The agent of the configuration that it is like.
    like: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    title: String,
    #[serde(default)]
    prompt: String,
    /// A task that is ready, instead of title and prompt.
    #[serde(default)]
    task: Option<String>,
    #[serde(default)]
    max_duration: Option<Span>,
    #[serde(default)]
    tokens: Option<u64>,
    #[serde(default)]
    usd: Option<Dollars>,
    #[serde(default)]
    cpu: Option<Span>,
    #[serde(default)]
    memory: Option<Bytes>,
    #[serde(default)]
    processes: Option<u32>,
}

pub(super) async fn add(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    Json(new): Json<NewAgent>,
) -> Result<Created<AgentView>, ApiError> {
    caller.may_spawn()?;
    let wanted = Wanted {
        raised: Vec::new(),
        duty: duty(&api, &new)?,
        share: Share {
            time: new.max_duration.map(|span| span.0),
            tokens: new.tokens,
            usd: new.usd.map(Usd::from),
            cpu: new.cpu.map(|span| span.0),
            memory: new.memory.map(|bytes| bytes.0),
            processes: new.processes,
        },
        like: new.like,
        name: new.name,
        key: key(&headers)?,
    };
    let node = spawn(api.runtime.system(), &caller.0, wanted).await?;
    Ok(Created(agents::one(&api, &node.to_string()).await?.0))
}

fn duty(api: &Api, new: &NewAgent) -> Result<Duty, Error> {
    match &new.task {
        None => Ok(Duty::Prompt {
            title: new.title.clone(),
            prompt: new.prompt.clone(),
        }),
        Some(task) if new.title.is_empty() && new.prompt.is_empty() => {
            view::find(api.reader(), Kind::Task, task).map(|node| Duty::Task(node.id))
        }
        Some(_) => Err(Error::new(
            Code::Usage,
            "a task has its own title and prompt: give either a task, or title and prompt",
        )),
    }
}
