//! Claims by those whom the runtime does not run.
//!
//! `claim` answers with the epoch that every later write carries; an old one is `stale_epoch`.
//! Whoever holds a task renews its claim, or loses it when the lease is over.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::{extract::State, http::HeaderMap};
use schemars::JsonSchema;
use serde::Deserialize;
use worknode_actors::claims::{Fits, Steal, Wanted, Won, claim as claim_task, claim_next};
use worknode_core::{
    bounds,
    command::Command,
    error::{Code, Error},
    event::Principal,
    ids::NodeId,
    node::{Kind, Node},
    task::{ReleaseCause, TaskCommand},
    time::Span,
};
use worknode_query::{Facts, Predicate, Scope};

use super::{
    Api,
    auth::Caller,
    error::ApiError,
    parts::{Json, Path, Tagged},
};
use crate::view::{self, TaskView};

/// Worknodes of one name that are looked at to find a holder.
const NAMESAKES: usize = 2;

/// Who is to hold a task.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Claimed {
    agent: Option<String>,
    lease: Option<Span>,
}

pub(super) async fn claim(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<Claimed>,
) -> Result<Tagged<Won>, ApiError> {
    let (task, holder) = (task(&api, &id)?, holder(&api, &caller, body.agent.as_deref())?);
    let system = api.runtime.system();
    Ok(won(claim_task(
        system,
        &caller.0,
        task,
        holder.0,
        lease(body.lease),
    )
    .await?))
}

/// What somebody who asks for any task takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Next {
    agent: Option<String>,
    lease: Option<Span>,
    /// Only below this Worknode.
    below: Option<String>,
    #[serde(default)]
    skills: BTreeSet<String>,
    /// Only what this holds of, in CEL.
    #[serde(rename = "where")]
    condition: Option<String>,
    /// How long to wait.
    wait: Option<Span>,
    /// Where to look when nothing is ready there.
    #[serde(default)]
    steal_from: Vec<String>,
    /// Only where more than so many are ready.
    above: Option<usize>,
}

pub(super) async fn next(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<Next>,
) -> Result<Tagged<Won>, ApiError> {
    let (holder, name) = holder(&api, &caller, body.agent.as_deref())?;
    let scope = match &body.below {
        Some(below) => any(&api, below)?.id,
        None => caller.0.subtree,
    };
    let from = body
        .steal_from
        .iter()
        .map(|name| any(&api, name).map(|node| node.id));
    let from = from.collect::<Result<Vec<_>, _>>()?;
    let wanted = Wanted {
        holder,
        name,
        lease: lease(body.lease),
        scope,
        skills: body.skills,
        fits: body
            .condition
            .as_deref()
            .map(|text| fits(&api, text))
            .transpose()?,
        steal: (!from.is_empty()).then(|| Steal {
            from,
            above: left(&api, &caller, body.above),
        }),
        wait: body.wait.map_or(Duration::ZERO, |span| span.0),
    };
    Ok(won(claim_next(api.runtime.system(), &caller.0, wanted).await?))
}

/// How many ready tasks are left to a busy team: as many as its configuration keeps, or more. The
/// operator may ask for less.
fn left(api: &Api, caller: &Caller, asked: Option<usize>) -> usize {
    let kept = api.runtime.system().tuning().steal_from;
    match asked {
        Some(asked) if caller.0.principal == Principal::Operator => asked,
        Some(asked) => asked.max(kept),
        None => kept,
    }
}

/// The claim under which somebody writes: in the body, or as `If-Match`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Renewed {
    epoch: Option<u64>,
    lease: Option<Span>,
}

pub(super) async fn renew(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Renewed>,
) -> Result<Tagged<Won>, ApiError> {
    let renew = TaskCommand::Renew {
        epoch: epoch(body.epoch, &headers)?,
        lease: lease(body.lease),
    };
    held(&api, &caller, &id, renew).await
}

/// To whom a task goes on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HandedOver {
    epoch: Option<u64>,
    to: String,
    lease: Option<Span>,
}

pub(super) async fn hand_over(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<HandedOver>,
) -> Result<Tagged<Won>, ApiError> {
    let hand_over = TaskCommand::HandOver {
        epoch: epoch(body.epoch, &headers)?,
        to: any(&api, &body.to)?.id,
        lease: lease(body.lease),
    };
    held(&api, &caller, &id, hand_over).await
}

/// Why the holder could not do it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Failed {
    epoch: Option<u64>,
    #[serde(default)]
    reason: String,
}

pub(super) async fn fail(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Failed>,
) -> Result<Json<TaskView>, ApiError> {
    let fail = TaskCommand::Release {
        epoch: epoch(body.epoch, &headers)?,
        cause: ReleaseCause::GivenUp,
        detail: body.reason,
    };
    let task = task(&api, &id)?;
    let system = api.runtime.system();
    system.ask(&caller.0, task, Command::Task(fail), None).await?;
    Ok(Json(view::task(api.reader(), task)?))
}

async fn held(api: &Api, caller: &Caller, id: &str, command: TaskCommand) -> Result<Tagged<Won>, ApiError> {
    let task = task(api, id)?;
    let system = api.runtime.system();
    let answer = system.ask(&caller.0, task, Command::Task(command), None).await?;
    Ok(won(Won::of(answer.node()?)?))
}

fn won(won: Won) -> Tagged<Won> {
    Tagged {
        epoch: won.epoch,
        body: won,
    }
}

/// The task that `text` names. An id is taken as it is: the Worknode itself says when it is none.
pub(super) fn task(api: &Api, text: &str) -> Result<NodeId, Error> {
    match text.parse::<NodeId>() {
        Ok(id) => Ok(id),
        Err(_) => Ok(view::find(api.reader(), Kind::Task, text)?.id),
    }
}

/// The epoch, wherever it stands.
pub(super) fn epoch(said: Option<u64>, headers: &HeaderMap) -> Result<u64, Error> {
    let matched = headers.get(axum::http::header::IF_MATCH);
    let matched = matched.and_then(|value| value.to_str().ok()?.trim_matches('"').parse().ok());
    match (said, matched) {
        (Some(said), Some(matched)) if said != matched => {
            Err(Error::new(Code::Usage, "`epoch` and `If-Match` name two epochs"))
        }
        (Some(epoch), _) | (None, Some(epoch)) => Ok(epoch),
        (None, None) => Err(Error::new(Code::Usage, "this needs the epoch of the claim")
            .hint("send `epoch`, or `If-Match`; the claim's answer said it")),
    }
}

/// The condition as a question to a Worknode. One that has no value there does not hold.
fn fits(api: &Api, text: &str) -> Result<Fits, Error> {
    let condition = Predicate::compile(text, &Scope::node())?;
    let clock = Arc::clone(api.runtime.system().clock());
    Ok(Arc::new(move |node: &Node| {
        let facts = Facts::of_node_for(node, clock.now(), &|name| condition.uses(name));
        condition.matches(&facts).unwrap_or(false)
    }))
}

fn lease(said: Option<Span>) -> Duration {
    said.map_or(bounds::LEASE, |span| span.0)
}

/// In whose name a task is claimed, with its name: the caller's own, unless it names another.
fn holder(api: &Api, caller: &Caller, said: Option<&str>) -> Result<(NodeId, String), Error> {
    match (said, &caller.0.principal) {
        (Some(text), _) => any(api, text).map(|node| (node.id, node.name)),
        (None, Principal::Agent { node, name, .. } | Principal::Outside { node, name }) => {
            Ok((*node, name.clone()))
        }
        (None, Principal::Operator | Principal::Runtime | Principal::Trigger { .. }) => {
            Err(Error::new(Code::Usage, "a claim needs a holder")
                .hint("name the Worknode that is to hold the task: `--as NODE`, or `agent` in a request"))
        }
    }
}

/// A Worknode of any kind, by id or by a name that only one has.
pub(super) fn any(api: &Api, text: &str) -> Result<Node, Error> {
    let reader = api.reader();
    if let Ok(id) = text.parse::<NodeId>() {
        return reader.node(id)?.ok_or_else(|| nobody(text));
    }
    let mut found = reader.named(&Kind::Agent, text, NAMESAKES)?;
    if found.is_empty() {
        found = reader.named_anything(text, NAMESAKES)?;
    }
    match (found.len(), found.pop()) {
        (1, Some(node)) => Ok(node),
        (0, _) => Err(nobody(text)),
        (several, _) => Err(Error::new(
            Code::Usage,
            format!("`{text}` is the name of {several} Worknodes or more"),
        )
        .hint("say which by its id")),
    }
}

fn nobody(text: &str) -> Error {
    Error::new(Code::NotFound, format!("there is no Worknode `{text}`"))
        .hint("whoever holds a task is a Worknode of the tree, of any kind: make one first")
}
