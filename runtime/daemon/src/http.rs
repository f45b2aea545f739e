//! The daemon's door: JSON over HTTP, on a Unix socket and, when asked for, on loopback TCP.
//!
//! Every request is made by somebody: at the socket its owner is the operator, anybody with a
//! capability is who it names, and without either there is no answer.

mod agents;
mod analytics;
mod auth;
mod capabilities;
mod claims;
mod described;
mod error;
mod events;
mod hold;
mod idempotency;
mod kill;
mod lens;
mod letters;
mod limits;
mod membranes;
mod memory;
mod messages;
mod nodes;
mod notes;
mod objects;
mod parts;
mod plan;
mod prompts;
mod request_id;
mod resume;
mod search;
mod shared;
mod spawn;
mod tasks;
mod tree;
mod triggers;
mod watched;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    middleware::{from_fn, from_fn_with_state},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use worknode_actors::runtime::Runtime;
use worknode_policies::kinds::Kinds;

pub use self::described::{answer_schema, openapi};
pub(crate) use self::{
    auth::{Caller, Door, Origin, Peer},
    error::ApiError,
    idempotency::Kept,
    limits::{Limits, Room, Slot},
    parts::in_full,
    shared::Shared,
};
use self::{
    described::Routes,
    parts::{Json, Path},
    shared::OneOf,
};
use crate::{
    daemon::Departure,
    mcp,
    observation::Observation,
    reload::Reloader,
    view::{self, RunRef, StatusView, WhyView},
};

/// Bytes of a request body; a prompt of a task is the largest thing that is sent.
pub(crate) const BODY: usize = worknode_core::bounds::PROMPT + 64 * 1024;

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) runtime: Runtime,
    /// Set when somebody asks the daemon to stop.
    pub(crate) stop: watch::Sender<Option<Departure>>,
    /// Reads the configuration anew.
    pub(crate) reloader: Reloader,
    /// How much is taken on at once.
    pub(crate) limits: Limits,
    /// What was answered to requests with a key.
    pub(crate) kept: Kept,
    /// Answers that many ask for.
    pub(crate) shared: Shared,
    /// What others watch.
    pub(crate) observation: Observation,
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
    let routes = routes()
        .into_router()
        .route_layer(from_fn(watched::traced))
        .method_not_allowed_fallback(error::no_such_method)
        .fallback(error::no_such_route);
    let inner = Router::new()
        .nest("/api/v1", routes.clone())
        .nest("/api", routes)
        .merge(watched::routes().into_router())
        .fallback(error::no_such_route)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn_with_state(Arc::clone(&api), shared::note_changes))
        .layer(from_fn_with_state(Arc::clone(&api), idempotency::once))
        .with_state(Arc::clone(&api));
    mcp::http::routes(&api, inner.clone())
        .fallback_service(inner)
        .layer(from_fn_with_state(Arc::clone(&api), limits::admit))
        .layer(from_fn(request_id::name))
}

/// Every route is made here or in a module of its own, and described where it is made.
fn routes() -> Routes {
    Routes::new()
        .get("/status", status, "The whole team at a glance")
        .get(
            "/runs/{of}",
            run,
            "The run of this id, or the last one of an agent or on a task",
        )
        .get(
            "/why/{of}",
            why,
            "Why something is as it is: the causes of its last event",
        )
        .post(
            "/capabilities",
            capabilities::issue,
            "Makes a capability for somebody whom the runtime does not run",
        )
        .example(r#"{"node": "ci", "for": "8h"}"#)
        .post(
            "/capabilities/revoke",
            capabilities::revoke,
            "Takes capabilities back: one, those of a claim, or those for a part of the tree",
        )
        .example(r#"{"task": "schema", "epoch": 3, "reason": "the laptop is lost"}"#)
        .post(
            "/capabilities/rotate",
            capabilities::rotate,
            "Replaces the key that signs capabilities",
        )
        .example(r#"{"grace": "1d"}"#)
        .post("/shutdown", shutdown, "Stops the daemon")
        .example(r#"{"reason": "maintenance", "keep_agents": true}"#)
        .merge(described::own_routes())
        .merge(agents::routes())
        .merge(tasks::routes())
        .merge(kill::routes())
        .merge(events::routes())
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
        .merge(prompts::routes())
        .merge(watched::routes())
}

async fn status(State(api): State<Arc<Api>>, caller: Caller) -> Result<OneOf<Json<StatusView>>, ApiError> {
    caller.may_read()?;
    api.shared("status", team_at_a_glance(&api)).await
}

async fn team_at_a_glance(api: &Api) -> Result<Json<StatusView>, ApiError> {
    let live = api.runtime.resources().await;
    let system = api.runtime.system();
    let mut status = view::status(api.reader(), system.now(), Some(&live))?;
    for agent in &mut status.agents {
        agents::complete(api, agent, &live);
    }
    let guard = system.guard();
    status.pools = guard.pools().iter().filter_map(view::pool_view).collect();
    status.uses = agents::of_team(api, &live);
    status.config = api.reloader.shown();
    status.deviation = Some(plan::of_team(api)?);
    Ok(Json(status))
}

async fn run(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(of): Path<String>,
) -> Result<Json<RunRef>, ApiError> {
    caller.may_read()?;
    Ok(Json(view::last_run(api.reader(), &of)?))
}

async fn why(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(of): Path<String>,
) -> Result<Json<WhyView>, ApiError> {
    caller.may_read()?;
    Ok(Json(view::why(api.reader(), &of)?))
}

/// Why the daemon should stop.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Shutdown {
    reason: Option<String>,
    /// Let the agents go on; the next daemon takes them over.
    keep_agents: bool,
}

/// The daemon stops.
#[derive(Debug, Serialize, JsonSchema)]
struct Stopping {
    stopping: bool,
}

async fn shutdown(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<Shutdown>,
) -> Result<Json<Stopping>, ApiError> {
    caller.is_operator()?;
    api.stop.send_replace(Some(Departure {
        reason: body.reason.unwrap_or_else(|| "asked to".to_owned()),
        keep_agents: body.keep_agents,
    }));
    Ok(Json(Stopping { stopping: true }))
}
