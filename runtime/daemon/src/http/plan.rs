//! The plan: look at it, change it, see how far the work is from it, and what nobody has settled.

use std::sync::Arc;

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use worknode_actors::{
    deviation,
    membrane::Reply,
    new_task::NewTask,
    oversight,
    replan::{self, Amendment},
};
use worknode_core::{
    error::{Code, Error},
    event::Event,
    node::{Kind, Node},
};

use super::{
    Api,
    auth::Caller,
    described::Routes,
    error::ApiError,
    parts::{Created, Json, Path, Query},
    shared::OneOf,
};
use crate::view::{
    self, TaskView,
    plan::{DeviationView, EscalationView, PlanView, PlannedView},
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/plan", show, "The plan: its phases and tasks")
        .get(
            "/plan/deviation",
            deviation_of,
            "How far the work is from the plan",
        )
        .post("/plan/tasks", add, "Adds a task to the plan")
        .example(r#"{"task": {"title": "Write the tests"}, "phase": "foundation", "reason": "was missing"}"#)
        .get("/plan/tasks/{id}", one, "One task as it is planned")
        .put("/plan/tasks/{id}", change, "Changes what is planned of a task")
        .example(r#"{"files": ["schema.sql"], "reason": "it is smaller than we thought"}"#)
        .post("/plan/tasks/{id}/cancel", cancel, "Takes a task out of the plan")
        .get("/escalations", escalations, "What nobody has settled")
        .post(
            "/escalations/settle",
            settle,
            "Says that something is settled, and how",
        )
}

async fn show(State(api): State<Arc<Api>>, caller: Caller) -> Result<OneOf<Json<PlanView>>, ApiError> {
    caller.may_read()?;
    let answer = async { Ok(Json(view::plan::plan(api.reader())?)) };
    api.shared("plan", answer).await
}

async fn one(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<PlannedView>, ApiError> {
    caller.may_read()?;
    let node = view::find(api.reader(), Kind::Task, &id)?;
    Ok(Json(view::plan::planned(api.reader(), &node)?))
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Of {
    /// A task, a phase or an agent; otherwise the team.
    of: Option<String>,
}

async fn deviation_of(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Of>,
) -> Result<OneOf<Json<DeviationView>>, ApiError> {
    caller.may_read()?;
    let of = query.of.as_deref();
    let answer = async {
        let target = match of {
            Some(name) => view::find_among(api.reader(), &[Kind::Task, Kind::Phase, Kind::Agent], name)?,
            None => team(&api)?,
        };
        Ok(Json(deviation_from_plan(&api, &target)?))
    };
    api.shared(format!("deviation {of:?}"), answer).await
}

/// How far the team's work is from its plan.
pub(super) fn of_team(api: &Api) -> Result<DeviationView, Error> {
    deviation_from_plan(api, &team(api)?)
}

fn deviation_from_plan(api: &Api, target: &Node) -> Result<DeviationView, Error> {
    let system = api.runtime.system();
    let seen = deviation::look(api.reader(), system.team(), system.now())?;
    let found = deviation::of(&seen, target);
    Ok(DeviationView::of(target, found, system.tuning().deviation))
}

fn team(api: &Api) -> Result<Node, Error> {
    let team = api.reader().node(api.runtime.system().team().node())?;
    team.ok_or_else(|| Error::new(Code::NotFound, "the team has no Worknode"))
}

/// A task for the plan.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "PlanAddition")]
struct Addition {
    task: NewTask,
    /// The phase that it goes into; otherwise beside the phases of the plan.
    phase: Option<String>,
    /// Why.
    reason: String,
}

async fn add(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<Addition>,
) -> Result<Created<TaskView>, ApiError> {
    caller.may_spawn()?;
    let system = api.runtime.system();
    let id = replan::add(system, &caller.0, body.task, body.phase.as_deref(), &body.reason).await?;
    Ok(Created(view::task(api.reader(), id)?))
}

pub(super) async fn change(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<Amendment>,
) -> Result<Json<TaskView>, ApiError> {
    let node = view::find(api.reader(), Kind::Task, &id)?;
    answered(
        &api,
        &node,
        replan::change(api.runtime.system(), &caller.0, &node, body).await,
    )
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Because")]
struct Cancelled {
    reason: String,
}

async fn cancel(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<Cancelled>,
) -> Result<Json<TaskView>, ApiError> {
    let node = view::find(api.reader(), Kind::Task, &id)?;
    answered(
        &api,
        &node,
        replan::cancel(api.runtime.system(), &caller.0, &node, &body.reason).await,
    )
}

fn answered(api: &Api, node: &Node, reply: Result<Reply, Error>) -> Result<Json<TaskView>, ApiError> {
    reply?;
    Ok(Json(view::task(api.reader(), node.id)?))
}

async fn escalations(
    State(api): State<Arc<Api>>,
    caller: Caller,
) -> Result<Json<Vec<EscalationView>>, ApiError> {
    caller.may_read()?;
    Ok(Json(view::plan::escalations(api.reader())?))
}

/// What is settled.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Settlement")]
struct Settled {
    topic: String,
    reason: String,
}

/// Whoever is asked may say that it is settled: the executive tier what has not gone beyond it, the
/// operator anything.
async fn settle(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<Settled>,
) -> Result<Json<Vec<EscalationView>>, ApiError> {
    caller.may_spawn()?;
    let system = api.runtime.system();
    let open = oversight::open(api.reader(), None)?;
    let found = open.into_iter().find(|(_, _, open)| open.topic == body.topic);
    let (node, _, open) = found.ok_or_else(|| {
        let what = format!("nothing is open under {}", body.topic);
        Error::new(Code::NotFound, what).hint("`worknode escalation list` shows what is")
    })?;
    let with_operator =
        matches!(&open.last, Some(last) if last.to == worknode_core::escalation::Rung::Operator);
    if with_operator {
        caller.is_operator()?;
    }
    if body.reason.trim().is_empty() {
        return Err(Error::new(Code::Usage, "say how it was settled: that is kept").into());
    }
    let event = Event::EscalationSettled {
        topic: body.topic,
        reason: body.reason,
    };
    system
        .record(caller.0.principal.clone(), node, vec![event])
        .await?;
    Ok(Json(view::plan::escalations(api.reader())?))
}
