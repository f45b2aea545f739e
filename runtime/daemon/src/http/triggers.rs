//! Triggers: how they stand, when they fire, what became of it; fired by hand, paused, added and
//! removed; and the whole configuration read anew.

use std::{collections::HashMap, sync::Arc};

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_core::{
    error::{Code, Error},
    hlc::Hlc,
    time::{Span, Timestamp},
};
use worknode_triggers::{Trigger, TriggerSpec};

use super::{
    Api,
    auth::Caller,
    described::Routes,
    error::ApiError,
    parts::{Json, Made, Path, Query},
};
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

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/triggers", list, "A page of triggers, and how each stands")
        .post("/triggers", add, "Adds triggers, as TOML or as one in JSON")
        .example(r#"{"toml": "[[trigger]]\nname = \"daily\"\ncron = \"0 9 * * *\"\n[trigger.notify]\nto = \"operator\"\n", "dry_run": true}"#)
        .get("/triggers/next", next_of_all, "What fires next")
        .get("/triggers/runs", runs_of_all, "A page of firings, the latest first")
        .post("/triggers/simulate", simulate, "What triggers would do in a span of time")
        .example(r#"{"from": "2026-12-01T00:00:00Z", "to": "2026-12-02T00:00:00Z"}"#)
        .get("/triggers/{name}", show, "One trigger")
        .delete("/triggers/{name}", remove, "Removes a trigger that was added")
        .get("/triggers/{name}/next", next, "When it fires next")
        .get("/triggers/{name}/explain", explain, "What it means, in words")
        .get("/triggers/{name}/runs", runs, "A page of its firings, the latest first")
        .post("/triggers/{name}/fire", fire, "Fires it now, by hand")
        .post("/triggers/{name}/pause", pause, "Holds it until it is resumed")
        .post("/triggers/{name}/resume", resume, "Lets it go on")
        .post("/reload", reload, "Reads the configuration anew")
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
#[derive(Debug, Default, Deserialize, JsonSchema)]
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
#[derive(Debug, Default, Deserialize, JsonSchema)]
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
#[derive(Debug, Default, Deserialize, JsonSchema)]
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

/// A firing by hand.
#[derive(Debug, Serialize, JsonSchema)]
struct Fired {
    trigger: String,
    /// Which occurrence.
    occurrence: String,
    /// Its identity.
    firing: String,
}

async fn fire(State(api): State<Arc<Api>>, caller: Caller, Path(name): Path<String>) -> Answer<Fired> {
    caller.is_operator()?;
    let firing = api
        .runtime
        .fire_trigger(&name, caller.0.principal.clone())
        .await?;
    Ok(Json(Fired {
        firing: firing.to_string(),
        trigger: firing.trigger,
        occurrence: firing.key,
    }))
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
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Simulation")]
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
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "NewTriggers")]
enum Add {
    Text(AddText),
    Trigger(#[schemars(with = "TriggerSpec")] toml::Table),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TriggersText")]
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
) -> Result<Made<AddedView>, ApiError> {
    caller.is_operator()?;
    let AddText { toml, file, dry_run } = body.text()?;
    let sources = api.reloader.sources().clone();
    let added: AddedView = blocking(move || triggers::add(&sources, &file, &toml, dry_run)).await?;
    if dry_run {
        return Ok(Made::Not(added));
    }
    api.reloader
        .reload(&api.runtime, caller.0.principal.clone())
        .await?;
    Ok(Made::New(added))
}

/// Whether to leave it at saying what would be done.
#[derive(Debug, Default, Deserialize, JsonSchema)]
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
