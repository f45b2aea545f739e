//! Messages: said to an agent, a task, or all agents below a Worknode, and acknowledged.

use std::sync::Arc;

use axum::{extract::State, http::HeaderMap};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_actors::inbox;
use worknode_core::{
    command::Operation,
    error::{Code, Error},
    event::Principal,
    hlc::Hlc,
    ids::{NodeId, RunId},
    message::Message,
    node::{Kind, Node},
};

use super::{
    Api,
    auth::Caller,
    described::Routes,
    error::ApiError,
    idempotency::key,
    nodes::{check_covered, named},
    parts::{Created, Json, Path, Query},
};
use crate::view::{self, MessageView};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            "/messages",
            list,
            "Messages that wait; with `all`, those that were heard too",
        )
        .post(
            "/messages",
            send,
            "Says something to an agent, a task, or all below a Worknode",
        )
        .example(r#"{"to": "coder", "text": "The schema has changed"}"#)
        .post(
            "/messages/{stamp}/ack",
            acknowledge,
            "Says that a message was heard",
        )
        .post("/agents/{id}/message", send_to, "Says something to one agent")
        .example(r#"{"text": "The schema has changed"}"#)
}

/// Whose messages.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Whose {
    /// An agent, a task, or another Worknode; the caller's own when it is not said.
    of: Option<String>,
    /// With those that were heard.
    all: bool,
}

async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(whose): Query<Whose>,
) -> Result<Json<Vec<MessageView>>, ApiError> {
    caller.may_read()?;
    let node = match &whose.of {
        Some(text) => addressee(&api, text)?,
        None => own(&api, &caller)?,
    };
    check_covered(&api, &caller, node.id)?;
    let reader = api.reader();
    let mut kept = if whose.all {
        inbox::history(reader, &node)?
    } else {
        inbox::waiting(reader, &node)?
    };
    // What is said to its task is said to the agent that works on it.
    if let Some(task) = view::present_task(reader, &node)? {
        kept.extend(if whose.all {
            inbox::history(reader, &task)?
        } else {
            inbox::waiting(reader, &task)?
        });
    }
    kept.sort_by_key(|kept| kept.at);
    let open = |kept: &inbox::Kept| -> Result<bool, Error> {
        let node = reader.node(kept.to)?;
        Ok(node.is_some_and(|node| node.body.inbox.contains(&kept.at)))
    };
    let views = kept.iter().map(|kept| Ok(MessageView::of(kept, open(kept)?)));
    Ok(Json(views.collect::<Result<_, Error>>()?))
}

/// The caller's own inbox.
fn own(api: &Api, caller: &Caller) -> Result<Node, Error> {
    match &caller.0.principal {
        Principal::Agent { node, .. } | Principal::Outside { node, .. } => named(api, &node.to_string()),
        Principal::Operator | Principal::Runtime | Principal::Trigger { .. } => {
            Err(Error::new(Code::Usage, "whose messages?").hint("name an agent or a task"))
        }
    }
}

/// Agents and tasks are known by their names; anything else by its path or id.
fn addressee(api: &Api, text: &str) -> Result<Node, Error> {
    match view::find_among(api.reader(), &[Kind::Agent, Kind::Task], text) {
        Err(error) if error.code == Code::NotFound => named(api, text),
        found => found,
    }
}

/// Something to say.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Said {
    /// To whom; in the path of one agent it is not said again.
    #[serde(default)]
    to: Option<String>,
    text: String,
    /// The message that it answers.
    #[serde(default)]
    thread: Option<Hlc>,
    /// Only for this run of the agent.
    #[serde(default)]
    run: Option<RunId>,
    /// Only under this claim of the task.
    #[serde(default)]
    epoch: Option<u64>,
    /// To all agents at and below it.
    #[serde(default)]
    broadcast: bool,
    /// The same key is taken once; the header `Idempotency-Key` says it, too.
    #[serde(default)]
    key: Option<String>,
}

/// What was said to whom.
#[derive(Debug, Serialize, JsonSchema)]
struct Sent {
    sent: Vec<SentTo>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct SentTo {
    /// Whose inbox it is in.
    to: NodeId,
    /// The message's stamp.
    message: Hlc,
}

async fn send(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    Json(said): Json<Said>,
) -> Result<Created<Sent>, ApiError> {
    let to = said.to.clone();
    let to = to.ok_or_else(|| Error::new(Code::Usage, "a message needs `to`"))?;
    say(&api, &caller, &to, &headers, said).await
}

async fn send_to(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(said): Json<Said>,
) -> Result<Created<Sent>, ApiError> {
    say(&api, &caller, &id, &headers, said).await
}

async fn say(
    api: &Api,
    caller: &Caller,
    to: &str,
    headers: &HeaderMap,
    said: Said,
) -> Result<Created<Sent>, ApiError> {
    caller.may(Operation::Note, "send messages")?;
    let node = addressee(api, to)?;
    let message = Message {
        text: said.text,
        thread: said.thread,
        run: said.run,
        epoch: said.epoch,
        key: key(headers)?.or(said.key),
    };
    let system = api.runtime.system();
    let kept = inbox::send(system, &caller.0, &node, said.broadcast, message).await?;
    let sent = kept.iter().map(|(to, message)| SentTo {
        to: *to,
        message: *message,
    });
    Ok(Created(Sent { sent: sent.collect() }))
}

/// A message that was heard.
#[derive(Debug, Serialize, JsonSchema)]
struct Acknowledged {
    message: Hlc,
    /// Whose message it was.
    of: NodeId,
    acknowledged: bool,
}

async fn acknowledge(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(stamp): Path<Hlc>,
) -> Result<Json<Acknowledged>, ApiError> {
    let of = inbox::acknowledge(api.runtime.system(), &caller.0, stamp).await?;
    Ok(Json(Acknowledged {
        message: stamp,
        of,
        acknowledged: true,
    }))
}
