//! The daemon's door: JSON over HTTP, on a Unix socket and, when asked for, on loopback TCP.
//!
//! Every request is made by somebody: at the socket its owner is the operator, anybody with a
//! capability is who it names, and without either there is no answer.

mod agents;
mod analytics;
mod auth;
mod capabilities;
mod claims;
mod error;
mod events;
mod hold;
mod kill;
mod lens;
mod letters;
mod membranes;
mod memory;
mod messages;
mod nodes;
mod notes;
mod plan;
mod resume;
mod search;
mod spawn;
mod tasks;
mod tree;
mod triggers;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    routing::{get, post},
};
use tokio::sync::watch;
use worknode_actors::runtime::Runtime;
use worknode_policies::kinds::Kinds;

pub(crate) use self::auth::{Door, Origin, Peer};
use self::{auth::Caller, error::ApiError};
use crate::{
    daemon::Departure,
    reload::Reloader,
    view::{self, RunRef, StatusView, WhyView},
};

/// Bytes of a request body; a prompt of a task is the largest thing that is sent.
const BODY: usize = worknode_core::bounds::PROMPT + 64 * 1024;

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) runtime: Runtime,
    /// Set when somebody asks the daemon to stop.
    pub(crate) stop: watch::Sender<Option<Departure>>,
    /// Reads the configuration anew.
    pub(crate) reloader: Reloader,
}

impl Api {
    fn reader(&self) -> &worknode_journal::Reader {
        self.runtime.system().reader()
    }

    fn kinds(&self) -> &Arc<Kinds> {
        &self.runtime.system().team().kinds
    }
}

/// All routes, versioned and under the bare prefix.
pub(crate) fn router(api: Arc<Api>) -> Router {
    let routes = Router::new()
        .route("/status", get(status))
        .route("/agents", get(agents::list).post(spawn::add))
        .route("/agents/{id}", get(agents::show))
        .route("/agents/{id}/kill", post(kill::agent))
        .route("/agents/{id}/freeze", post(hold::freeze))
        .route("/agents/{id}/thaw", post(hold::thaw))
        .route("/agents/{id}/resume", post(agents::resume))
        .route("/tasks", get(tasks::list).post(tasks::add))
        .route("/tasks/{id}", get(tasks::show))
        .route("/tasks/{id}/progress", post(tasks::progress))
        .route("/tasks/{id}/submit", post(tasks::submit))
        .route("/tasks/{id}/complete", post(tasks::submit))
        .route("/tasks/claim", post(claims::next))
        .route("/tasks/{id}/claim", post(claims::claim))
        .route("/tasks/{id}/renew", post(claims::renew))
        .route("/tasks/{id}/hand-over", post(claims::hand_over))
        .route("/tasks/{id}/fail", post(claims::fail))
        .route("/tasks/{id}/release", post(tasks::release))
        .route("/tasks/{id}/block", post(tasks::block))
        .route("/tasks/{id}/cancel", post(tasks::cancel))
        .route("/tasks/{id}/retry", post(tasks::retry))
        .route("/tasks/{id}/undo", post(tasks::undo))
        .route("/tasks/{id}/approve", post(tasks::approve))
        .route("/tasks/{id}/reject", post(tasks::reject))
        .route("/runs/{of}", get(run))
        .merge(nodes::routes())
        .merge(tree::routes())
        .merge(search::routes())
        .merge(letters::routes())
        .merge(membranes::routes())
        .merge(analytics::routes())
        .merge(triggers::routes())
        .merge(notes::routes())
        .merge(memory::routes())
        .merge(messages::routes())
        .merge(resume::routes())
        .merge(plan::routes())
        .route("/events", get(events::list).post(events::emit))
        .route("/why/{of}", get(why))
        .route("/capabilities", post(capabilities::issue))
        .route("/kill", post(kill::targets))
        .route("/panic", post(hold::panic))
        .route("/unpanic", post(hold::unpanic))
        .route("/shutdown", post(shutdown))
        .fallback(error::no_such_route)
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(api);
    Router::new()
        .nest("/api/v1", routes.clone())
        .nest("/api", routes)
        .fallback(error::no_such_route)
}

async fn status(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<StatusView>, ApiError> {
    caller.may_read()?;
    let live = api.runtime.resources().await;
    let system = api.runtime.system();
    let mut status = view::status(api.reader(), system.now(), Some(&live))?;
    for agent in &mut status.agents {
        agents::complete(&api, agent, &live);
    }
    let guard = system.guard();
    status.pools = guard.pools().iter().filter_map(view::pool_view).collect();
    status.uses = agents::of_team(&api, &live);
    status.config = api.reloader.shown();
    status.deviation = Some(plan::of_team(&api)?);
    Ok(Json(status))
}

async fn run(
    State(api): State<Arc<Api>>,
    caller: Caller,
    axum::extract::Path(of): axum::extract::Path<String>,
) -> Result<Json<RunRef>, ApiError> {
    caller.may_read()?;
    Ok(Json(view::last_run(api.reader(), &of)?))
}

async fn why(
    State(api): State<Arc<Api>>,
    caller: Caller,
    axum::extract::Path(of): axum::extract::Path<String>,
) -> Result<Json<WhyView>, ApiError> {
    caller.may_read()?;
    Ok(Json(view::why(api.reader(), &of)?))
}

/// Why the daemon should stop.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Shutdown {
    reason: Option<String>,
    keep_agents: bool,
}

async fn shutdown(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<Shutdown>,
) -> Result<Json<serde_json::Value>, ApiError> {
    caller.is_operator()?;
    api.stop.send_replace(Some(Departure {
        reason: body.reason.unwrap_or_else(|| "asked to".to_owned()),
        keep_agents: body.keep_agents,
    }));
    Ok(Json(serde_json::json!({ "stopping": true })))
}
