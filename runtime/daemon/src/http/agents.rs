//! Agents: look, and let go on. Stopping is in `kill`.

use std::sync::Arc;

use axum::extract::State;
use worknode_core::{agent::AgentCommand, command::Command, node::Kind};

use super::{
    Api,
    auth::Caller,
    described::Routes,
    error::ApiError,
    hold, kill,
    parts::{Json, Path},
    shared::OneOf,
    spawn,
};
use crate::view::{self, AgentView, Live, TaskView, UseView, uses};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/agents", list, "All agents, and what each does")
        .post(
            "/agents",
            spawn::add,
            "Makes an agent beneath the caller, like one of the configuration",
        )
        .example(r#"{"like": "coder", "prompt": "Write the changelog"}"#)
        .get("/agents/{id}", show, "One agent")
        .get(
            "/agents/{id}/tasks",
            tasks,
            "The tasks that an agent holds, or handed in for review",
        )
        .post(
            "/agents/{id}/kill",
            kill::agent,
            "Stops an agent and all beneath it, and answers with receipts",
        )
        .example(r#"{"reason": "runs wild", "grace": "5s"}"#)
        .post(
            "/agents/{id}/freeze",
            hold::freeze,
            "Holds an agent's processes where they are",
        )
        .post("/agents/{id}/thaw", hold::thaw, "Lets a frozen agent go on")
        .post(
            "/agents/{id}/resume",
            resume,
            "Lets an agent start again that was quarantined or stopped",
        )
}

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
) -> Result<OneOf<Json<Vec<AgentView>>>, ApiError> {
    caller.may_read()?;
    let answer = async { Ok(Json(all(&api).await?)) };
    api.shared("agents", answer).await
}

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<OneOf<Json<AgentView>>, ApiError> {
    caller.may_read()?;
    api.shared(format!("agent {id}"), one(&api, &id)).await
}

async fn tasks(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Vec<TaskView>>, ApiError> {
    caller.may_read()?;
    let agent = view::find(api.reader(), Kind::Agent, &id)?;
    let mut tasks = view::tasks(api.reader())?;
    tasks.retain(|task| task.agent.as_ref() == Some(&agent.name));
    Ok(Json(tasks))
}

pub(super) async fn resume(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<AgentView>, ApiError> {
    let node = view::find(api.reader(), Kind::Agent, &id)?;
    api.runtime
        .system()
        .ask(&caller.0, node.id, Command::Agent(AgentCommand::Resume), None)
        .await?;
    one(&api, &id).await
}

/// All agents, with what only the runtime knows of them.
async fn all(api: &Api) -> Result<Vec<AgentView>, ApiError> {
    let live = api.runtime.resources().await;
    let mut agents = view::agents(api.reader(), api.runtime.system().now(), &live)?;
    for agent in &mut agents {
        complete(api, agent, &live);
    }
    Ok(agents)
}

/// Adds what is not in the store: how the agent's runs are kept in their box, and how much is used
/// of what they may.
pub(super) fn complete(api: &Api, agent: &mut AgentView, live: &Live) {
    let system = api.runtime.system();
    let definition = system.agent(agent.id);
    agent.sandbox = definition.map(|definition| definition.sandbox.name().to_owned());
    let Some(standing) = system.guard().standing(agent.id) else {
        return;
    };
    agent.uses = uses::of_account(&standing, &system.guard().runs_of(agent.id), live);
    let limits = system.tuning().spawn;
    agent.uses.extend([
        UseView::count("spawned", agent.spawned, limits.fan_out),
        UseView::count("depth", agent.depth, limits.depth),
    ]);
}

/// What the team uses of what it may.
pub(super) fn of_team(api: &Api, live: &Live) -> Vec<UseView> {
    let system = api.runtime.system();
    let (team, guard) = (system.team(), system.guard());
    let Some(standing) = guard.standing(team.node()) else {
        return Vec::new();
    };
    let mut uses = vec![UseView::count(
        "agents",
        standing.live,
        system.tuning().live_agents,
    )];
    uses.extend(uses::of_account(&standing, &guard.runs_of(team.node()), live));
    uses
}

/// One agent, as it is now. Only its own shim is asked, and those of the agents beneath it.
pub(super) async fn one(api: &Api, id: &str) -> Result<Json<AgentView>, ApiError> {
    let found = view::find(api.reader(), Kind::Agent, id)?;
    let system = api.runtime.system();
    let mut runs = system.guard().runs_of(found.id);
    let own = found.agent().and_then(|agent| agent.status.run());
    runs.extend(own.map(|run| run.spec.id));
    let live = api.runtime.resources_of(&runs).await;
    // It may have changed while its shim was asked.
    let node = api.reader().node(found.id)?.unwrap_or(found);
    let mut agent = view::agent(api.reader(), &node, system.now(), &live)?;
    complete(api, &mut agent, &live);
    Ok(Json(agent))
}
