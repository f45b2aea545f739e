//! Triggers: how they stand, when they fire, what became of it; fired by hand, paused, added and
//! removed; and the whole configuration read anew.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use worknode_core::{
    error::{Code, Error},
    hlc::Hlc,
    time::{Span, Timestamp},
};
use worknode_triggers::Trigger;

use super::{Api, auth::Caller, error::ApiError};
use crate::{
    reload::{InForce, ReloadView},
    triggers::{
        self, AddedView, ExplainedView, FiringPage, KnownTasks, NextViews, RemovedView, SimulationView,
        TriggerPage, TriggerView,
    },
};

type Answer<T> = Result<Json<T>, ApiError>;

/// Triggers of one page, when nobody says.
const PAGE: usize = 1_000;
/// Triggers of one page at the most.
const LARGEST: usize = 10_000;
/// What comes next, when nobody says how much of it.
const NEXT: usize = 10;
/// Firings of a page, when nobody says.
const RUNS: usize = 50;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/triggers", get(list).post(add))
        .route("/triggers/next", get(next_of_all))
        .route("/triggers/runs", get(runs_of_all))
        .route("/triggers/simulate", post(simulate))
        .route("/triggers/{name}", get(show).delete(remove))
        .route("/triggers/{name}/next", get(next))
        .route("/triggers/{name}/explain", get(explain))
        .route("/triggers/{name}/runs", get(runs))
        .route("/triggers/{name}/fire", post(fire))
        .route("/triggers/{name}/pause", post(pause))
        .route("/triggers/{name}/resume", post(resume))
        .route("/reload", post(reload))
}

/// The trigger of this name that is in force.
fn find(api: &Api, name: &str) -> Result<InForce, Error> {
    let all = api.reloader.in_force();
    let found = all.iter().find(|one| one.trigger.name() == name);
    found
        .cloned()
        .ok_or_else(|| triggers::unknown(name, all.iter().map(|one| one.trigger.name())))
}

fn all(api: &Api) -> Vec<Trigger> {
    let in_force = api.reloader.in_force();
    in_force.iter().map(|one| one.trigger.clone()).collect()
}

fn tasks(api: &Api) -> Result<KnownTasks, Error> {
    let system = api.runtime.system();
    KnownTasks::read(Some(api.reader()), system.team(), system.now())
}

/// Which part of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ListQuery {
    cursor: Option<String>,
    limit: Option<usize>,
}

async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Answer<TriggerPage> {
    caller.may_read()?;
    let in_force = api.reloader.in_force();
    let known: HashMap<&str, &InForce> = in_force.iter().map(|one| (one.trigger.name(), one)).collect();
    let limit = query.limit.unwrap_or(PAGE).clamp(1, LARGEST);
    let after = query.cursor.unwrap_or_default();
    let reports = api.runtime.triggers(None).await?.into_iter();
    let mut views = reports.filter(|report| report.name > after).filter_map(|report| {
        let one = known.get(report.name.as_str())?;
        Some(TriggerView::reported(&one.trigger, &one.place, report))
    });
    let page: Vec<_> = views.by_ref().take(limit).collect();
    let next = page.last().map(|last| last.name.clone());
    Ok(Json(TriggerPage {
        next: next.filter(|_| views.next().is_some()),
        triggers: page,
    }))
}

async fn one(api: &Api, name: &str) -> Result<TriggerView, Error> {
    let InForce { trigger, place } = find(api, name)?;
    let report = api.runtime.triggers(Some(name)).await?.pop();
    let report = report.ok_or_else(|| triggers::unknown(name, std::iter::empty()))?;
    Ok(TriggerView::reported(&trigger, &place, report))
}

async fn show(State(api): State<Arc<Api>>, caller: Caller, Path(name): Path<String>) -> Answer<TriggerView> {
    caller.may_read()?;
    Ok(Json(one(&api, &name).await?))
}

/// What comes next.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct NextQuery {
    from: Option<Timestamp>,
    n: Option<usize>,
}

fn upcoming(api: &Api, triggers: &[&Trigger], query: &NextQuery) -> Result<NextViews, Error> {
    let from = query.from.unwrap_or_else(|| api.runtime.system().now());
    let count = query.n.unwrap_or(NEXT);
    Ok(triggers::next(triggers, &tasks(api)?, from, count))
}

async fn next_of_all(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<NextQuery>,
) -> Answer<NextViews> {
    caller.may_read()?;
    let all = all(&api);
    Ok(Json(upcoming(&api, &all.iter().collect::<Vec<_>>(), &query)?))
}

async fn next(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<NextQuery>,
) -> Answer<NextViews> {
    caller.may_read()?;
    let one = find(&api, &name)?;
    Ok(Json(upcoming(&api, &[&one.trigger], &query)?))
}

async fn explain(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<NextQuery>,
) -> Answer<ExplainedView> {
    caller.may_read()?;
    let from = query.from.unwrap_or_else(|| api.runtime.system().now());
    let one = find(&api, &name)?;
    Ok(Json(triggers::explain(&one.trigger, false, &tasks(&api)?, from)))
}

/// Which part of the history.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RunsQuery {
    cursor: Option<Hlc>,
    n: Option<usize>,
}

async fn runs_of_all(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<RunsQuery>,
) -> Answer<FiringPage> {
    caller.may_read()?;
    let count = query.n.unwrap_or(RUNS);
    Ok(Json(triggers::firings(api.reader(), query.cursor, count)?))
}

async fn runs(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<RunsQuery>,
) -> Answer<FiringPage> {
    caller.may_read()?;
    let count = query.n.unwrap_or(RUNS);
    let page = triggers::firings_of(api.reader(), &name, query.cursor, count)?;
    // One that is gone has a history all the same.
    if page.runs.is_empty() && query.cursor.is_none() {
        find(&api, &name)?;
    }
    Ok(Json(page))
}

async fn fire(State(api): State<Arc<Api>>, caller: Caller, Path(name): Path<String>) -> Answer<Value> {
    caller.is_operator()?;
    let firing = api
        .runtime
        .fire_trigger(&name, caller.0.principal.clone())
        .await?;
    Ok(Json(json!({
        "trigger": firing.trigger,
        "occurrence": firing.key,
        "firing": firing.to_string(),
    })))
}

async fn pause(State(api): State<Arc<Api>>, caller: Caller, Path(name): Path<String>) -> Answer<TriggerView> {
    caller.is_operator()?;
    api.runtime
        .pause_trigger(&name, caller.0.principal.clone())
        .await?;
    Ok(Json(one(&api, &name).await?))
}

async fn resume(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(name): Path<String>,
) -> Answer<TriggerView> {
    caller.is_operator()?;
    api.runtime
        .resume_trigger(&name, caller.0.principal.clone())
        .await?;
    Ok(Json(one(&api, &name).await?))
}

/// A span to try triggers on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Simulate {
    from: Timestamp,
    to: Timestamp,
    /// All of them, when none is named.
    #[serde(default)]
    triggers: Vec<String>,
    /// How long each run takes.
    #[serde(default)]
    run_time: Span,
    /// How many occurrences are listed.
    #[serde(default = "listed")]
    list: usize,
}

const fn listed() -> usize {
    PAGE
}

async fn simulate(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<Simulate>,
) -> Answer<SimulationView> {
    caller.may_read()?;
    let (all, tasks) = (all(&api), tasks(&api)?);
    // It counts for as long as a second or two.
    let simulated = tokio::task::spawn_blocking(move || {
        let named = triggers::named(&all, &body.triggers)?;
        triggers::simulate(&named, &tasks, body.from, body.to, body.run_time.0, body.list)
    });
    let simulated = simulated
        .await
        .map_err(|error| Error::new(Code::Failed, format!("the simulation broke off: {error}")))?;
    Ok(Json(simulated?))
}

/// Triggers to add: as the text of a file, or one as it would be said in JSON.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Add {
    Text(AddText),
    Trigger(toml::Table),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddText {
    toml: String,
    /// What mistakes in it are told under.
    #[serde(default = "request")]
    file: String,
    #[serde(default)]
    dry_run: bool,
}

fn request() -> String {
    "request".to_owned()
}

impl Add {
    fn text(self) -> Result<AddText, Error> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Trigger(trigger) => {
                let list = toml::Value::Array(vec![trigger.into()]);
                let file = toml::Table::from_iter([("trigger".to_owned(), list)]);
                let toml = toml::to_string(&file)
                    .map_err(|error| Error::new(Code::Usage, format!("this is no trigger: {error}")))?;
                Ok(AddText {
                    toml,
                    file: request(),
                    dry_run: false,
                })
            }
        }
    }
}

async fn add(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<Add>,
) -> Result<Response, ApiError> {
    caller.is_operator()?;
    let AddText { toml, file, dry_run } = body.text()?;
    let sources = api.reloader.sources().clone();
    let added: AddedView = blocking(move || triggers::add(&sources, &file, &toml, dry_run)).await?;
    if dry_run {
        return Ok(Json(added).into_response());
    }
    api.reloader
        .reload(&api.runtime, caller.0.principal.clone())
        .await?;
    Ok((StatusCode::CREATED, Json(added)).into_response())
}

/// Whether to leave it at saying what would be done.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DryRun {
    dry_run: bool,
}

async fn remove(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<DryRun>,
) -> Answer<RemovedView> {
    caller.is_operator()?;
    let sources = api.reloader.sources().clone();
    let removed = blocking(move || triggers::remove(&sources, &name, query.dry_run)).await?;
    if !removed.dry_run {
        api.reloader
            .reload(&api.runtime, caller.0.principal.clone())
            .await?;
    }
    Ok(Json(removed))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(Code::Failed, format!("it broke off: {error}")))?
}

async fn reload(State(api): State<Arc<Api>>, caller: Caller) -> Answer<ReloadView> {
    caller.is_operator()?;
    let by = caller.0.principal.clone();
    Ok(Json(api.reloader.reload(&api.runtime, by).await?))
}
