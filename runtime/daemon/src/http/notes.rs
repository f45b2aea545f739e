//! What was decided and what went wrong, for those who come later.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use worknode_actors::notes::{self, Decision, Issue, NewDecision, NewIssue, Ranked, Solution};
use worknode_core::{
    command::Operation,
    error::{Code, Error},
    ids::NodeId,
    node::{Kind, Node},
};

use super::{
    Api,
    auth::Caller,
    error::ApiError,
    nodes::{check_covered, named},
};

/// Notes of one answer when the client names no number.
const PAGE: usize = 20;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/decisions", get(decisions).post(decide))
        .route("/decisions/{id}", get(decision))
        .route("/issues", get(issues).post(report))
        .route("/issues/search", post(search))
        .route("/issues/{id}", get(issue))
        .route("/issues/{id}/resolve", post(resolve))
        .route("/issues/{id}/helped", post(helped))
}

/// Which notes.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Which {
    /// Words; those that fit best come first.
    q: Option<String>,
    /// Of which task, or what else they are below.
    on: Option<String>,
    /// Only solved ones, or only others.
    resolved: Option<bool>,
    limit: Option<usize>,
}

impl Which {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE)
    }

    fn on(&self, api: &Api, caller: &Caller) -> Result<Option<NodeId>, Error> {
        let node = self.on.as_deref().map(|text| named(api, text)).transpose()?;
        if let Some(node) = &node {
            check_covered(api, caller, node.id)?;
        }
        Ok(node.map(|node| node.id))
    }
}

/// Who may note anything at all. Where, is asked once it is known what.
fn may_note(caller: &Caller) -> Result<(), Error> {
    caller.may(Operation::Note, "write notes")
}

/// Is this something that the caller may see? What lies elsewhere is left out of lists.
fn sees(api: &Api, caller: &Caller, id: NodeId) -> bool {
    check_covered(api, caller, id).is_ok()
}

/// A note of one kind, by its id, a beginning of it, or its name.
fn note(api: &Api, caller: &Caller, kind: Kind, text: &str) -> Result<Node, Error> {
    caller.may_read()?;
    let node = named(api, text)?;
    if node.kind != kind {
        let message = format!("`{}` is of kind {}, not {kind}", node.name, node.kind);
        return Err(Error::new(Code::Usage, message));
    }
    check_covered(api, caller, node.id)?;
    Ok(node)
}

async fn decisions(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(which): Query<Which>,
) -> Result<Response, ApiError> {
    caller.may_read()?;
    if let Some(words) = &which.q {
        let system = api.runtime.system();
        let found = notes::search_decisions(system, caller.0.subtree, words, which.limit())?;
        let found: Vec<Ranked<Decision>> = found;
        return Ok(Json(found).into_response());
    }
    let on = which.on(&api, &caller)?;
    let mut found = notes::decisions(api.reader(), on, which.limit())?;
    found.retain(|decision| sees(&api, &caller, decision.id));
    Ok(Json(found).into_response())
}

async fn decision(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Decision>, ApiError> {
    let node = note(&api, &caller, Kind::Decision, &id)?;
    Ok(Json(Decision::read(api.reader(), &node)?))
}

/// A decision as a client records it.
#[derive(Debug, Deserialize)]
struct Decide {
    #[serde(flatten)]
    new: NewDecision,
    /// The task that it is about; one's own, or none, when it is not said.
    #[serde(default)]
    on: Option<String>,
    /// The decision that it replaces.
    #[serde(default)]
    supersedes: Option<String>,
}

async fn decide(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<Decide>,
) -> Result<Response, ApiError> {
    may_note(&caller)?;
    let on = body.on.as_deref().map(|text| named(&api, text)).transpose()?;
    let before = body.supersedes.as_deref();
    let before = before
        .map(|text| note(&api, &caller, Kind::Decision, text))
        .transpose()?;
    let system = api.runtime.system();
    let made = notes::decide(
        system,
        &caller.0,
        on.map(|node| node.id),
        body.new,
        before.as_ref(),
    )
    .await?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

async fn issues(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(which): Query<Which>,
) -> Result<Response, ApiError> {
    caller.may_read()?;
    if let Some(words) = &which.q {
        let found = notes::search_issues(api.runtime.system(), caller.0.subtree, words, which.limit())?;
        return Ok(Json(found).into_response());
    }
    let on = which.on(&api, &caller)?;
    let mut found = notes::issues(api.reader(), on, which.resolved, which.limit())?;
    found.retain(|issue| sees(&api, &caller, issue.id));
    Ok(Json(found).into_response())
}

async fn issue(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Issue>, ApiError> {
    Ok(Json(Issue::read(&note(&api, &caller, Kind::Issue, &id)?)))
}

/// An issue as a client reports it.
#[derive(Debug, Deserialize)]
struct ReportIssue {
    #[serde(flatten)]
    new: NewIssue,
    /// The task where it came up; one's own, or none, when it is not said.
    #[serde(default)]
    on: Option<String>,
}

/// 201 for a new one, 200 for one that was known.
async fn report(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<ReportIssue>,
) -> Result<Response, ApiError> {
    may_note(&caller)?;
    let on = body.on.as_deref().map(|text| named(&api, text)).transpose()?;
    let system = api.runtime.system();
    let report = notes::report(system, &caller.0, on.map(|node| node.id), body.new).await?;
    let status = if report.known {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, Json(report)).into_response())
}

/// What to look for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    /// The text of an error.
    error: String,
    #[serde(default)]
    limit: Option<usize>,
}

/// An error's text is too long for a query.
async fn search(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<Search>,
) -> Result<Response, ApiError> {
    caller.may_read()?;
    if body.error.trim().is_empty() {
        return Err(Error::new(Code::Usage, "there is no error to look for").into());
    }
    let limit = body.limit.unwrap_or(PAGE);
    let found = notes::search_issues(api.runtime.system(), caller.0.subtree, &body.error, limit)?;
    Ok(Json(found).into_response())
}

async fn resolve(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(solution): Json<Solution>,
) -> Result<Json<Issue>, ApiError> {
    let node = note(&api, &caller, Kind::Issue, &id)?;
    Ok(Json(
        notes::resolve(api.runtime.system(), &caller.0, node.id, solution).await?,
    ))
}

async fn helped(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Issue>, ApiError> {
    let node = note(&api, &caller, Kind::Issue, &id)?;
    Ok(Json(
        notes::helped(api.runtime.system(), &caller.0, node.id).await?,
    ))
}
