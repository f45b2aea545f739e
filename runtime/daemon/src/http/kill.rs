//! Kill: an agent, a task, a run, a subtree, or everything. Answers when it is over, with
//! receipts (P4).

use std::{sync::Arc, time::Duration};

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use worknode_actors::store::all_of_kind;
use worknode_core::{
    agent::AgentCommand,
    bounds,
    command::Command,
    error::{Code, Error},
    ids::{NodeId, RunId},
    node::{Kind, Node},
    run::{Receipt, RunStatus, StopCause},
    task::TaskCommand,
    time::Span,
};

use super::{
    Api,
    auth::Caller,
    described::Routes,
    error::ApiError,
    hold,
    parts::{Json, Path},
};
use crate::view::{self, KilledView};

pub(super) fn routes() -> Routes {
    Routes::new()
        .post(
            "/kill",
            targets,
            "Stops agents, tasks, runs or all below a Worknode, and answers with receipts",
        )
        .example(r#"{"targets": ["coder"], "reason": "runs wild", "dry_run": true}"#)
        .post("/panic", hold::panic, "Stops everything and blocks it")
        .post("/unpanic", hold::unpanic, "Lifts a panic, stage by stage")
}

/// What a stop may take beyond its grace before the answer says that it goes on.
const MARGIN: Duration = Duration::from_secs(10);

/// What to stop.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Kill {
    /// Names or ids of agents, tasks or runs.
    targets: Vec<String>,
    /// Every agent.
    all: bool,
    /// Between TERM and KILL.
    grace: Option<Span>,
    reason: String,
    /// Only say what would be stopped.
    dry_run: bool,
}

/// One thing to stop.
enum Target {
    Agent(NodeId, String),
    Task(NodeId, String),
    Run(NodeId, RunId),
}

pub(super) async fn agent(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(mut body): Json<Kill>,
) -> Result<Json<Vec<KilledView>>, ApiError> {
    let node = view::find(api.reader(), Kind::Agent, &id)?;
    body.targets = vec![node.name];
    targets(State(api), caller, Json(body)).await
}

pub(super) async fn targets(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<Kill>,
) -> Result<Json<Vec<KilledView>>, ApiError> {
    caller.may_kill()?;
    let targets = resolve(&api, &body)?;
    if body.dry_run {
        return Ok(Json(targets.iter().map(|target| look(&api, target)).collect()));
    }
    // No new work first: every order is given before the first end is waited for.
    let mut stopping = order_all(&api, &caller, targets, &body).await?;
    // Who is told to end spawns nobody any more; what it was just spawning when it was told is
    // there by now.
    let settled = tokio::time::timeout(MARGIN, api.runtime.system().no_other_spawn()).await;
    drop(settled);
    let mut late = resolve(&api, &body)?;
    late.retain(|target| {
        let name = look(&api, target).target;
        matches!(target, Target::Agent(..)) && stopping.iter().all(|known| known.target != name)
    });
    stopping.extend(order_all(&api, &caller, late, &body).await?);
    Ok(Json(with_receipts(&api, stopping, body.grace).await?))
}

/// Orders the end of each, and says what each was doing.
async fn order_all(
    api: &Api,
    caller: &Caller,
    targets: Vec<Target>,
    body: &Kill,
) -> Result<Vec<KilledView>, Error> {
    let mut stopping = Vec::new();
    for target in targets {
        let before = look(api, &target);
        if let Err(error) = order(api, caller, &target, body).await {
            return Err(unrecorded(api, &before, body, error));
        }
        stopping.push(before);
    }
    Ok(stopping)
}

/// The entries, each with the receipt of its run once that is over.
pub(super) async fn with_receipts(
    api: &Api,
    stopping: Vec<KilledView>,
    grace: Option<Span>,
) -> Result<Vec<KilledView>, Error> {
    let mut killed = Vec::new();
    for mut entry in stopping {
        if let Some(run) = entry.run {
            entry.receipt = Some(receipt_of(api, run, grace).await?);
        }
        killed.push(entry);
    }
    Ok(killed)
}

/// A full disk keeps a stop from being recorded, and must not keep it from happening: what
/// fills the disk may be the very thing that is to be killed.
fn unrecorded(api: &Api, before: &KilledView, body: &Kill, error: Error) -> Error {
    let Some(run) = before.run.filter(|_| error.code == Code::DiskFull) else {
        return error;
    };
    api.runtime.stop_unrecorded(run, body.grace.map(|span| span.0));
    let what = format!(
        "{} is being stopped, but the disk is full and nothing records it",
        before.target
    );
    Error::new(Code::DiskFull, what).hint("make room, then `worknode kill` again: it will be on record")
}

fn resolve(api: &Api, body: &Kill) -> Result<Vec<Target>, Error> {
    if body.all {
        let agents = all_of_kind(api.reader(), Kind::Agent)?;
        return Ok(agents
            .into_iter()
            .map(|node| Target::Agent(node.id, node.name))
            .collect());
    }
    if body.targets.is_empty() {
        return Err(Error::new(Code::Usage, "nothing to kill was named")
            .hint("name an agent, a task or a run, or say --all"));
    }
    let mut targets = Vec::new();
    for text in &body.targets {
        targets.extend(resolve_one(api, text)?);
    }
    Ok(targets)
}

fn resolve_one(api: &Api, text: &str) -> Result<Vec<Target>, Error> {
    match view::find_among(api.reader(), &[Kind::Agent, Kind::Task], text) {
        Ok(node) => resolve_node(api, &node),
        Err(error) if error.code == Code::NotFound => match resolve_subtree(api, text)? {
            Some(targets) => Ok(targets),
            None => resolve_run(api, text).map(|target| vec![target]),
        },
        Err(error) => Err(error),
    }
}

/// An agent takes those with it that it spawned. It is told first: then nobody is left to spawn.
fn resolve_node(api: &Api, node: &Node) -> Result<Vec<Target>, Error> {
    if node.kind == Kind::Task {
        return Ok(vec![Target::Task(node.id, node.name.clone())]);
    }
    let mut targets = vec![Target::Agent(node.id, node.name.clone())];
    targets.extend(below(api, node.id)?);
    Ok(targets)
}

/// A team or a phase: every agent and every open task below it.
fn resolve_subtree(api: &Api, text: &str) -> Result<Option<Vec<Target>>, Error> {
    let kinds = [Kind::Organisation, Kind::Team, Kind::Project, Kind::Phase];
    match view::find_among(api.reader(), &kinds, text) {
        Ok(node) => below(api, node.id).map(Some),
        Err(error) if error.code == Code::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Every agent and every task that is not over, anywhere below `top`.
fn below(api: &Api, top: NodeId) -> Result<Vec<Target>, Error> {
    let mut targets = Vec::new();
    for node in view::descendants(api.reader(), top)? {
        match node.kind {
            Kind::Agent => targets.push(Target::Agent(node.id, node.name)),
            Kind::Task if node.task().is_some_and(|task| !task.status.is_terminal()) => {
                targets.push(Target::Task(node.id, node.name));
            }
            _ => {}
        }
    }
    Ok(targets)
}

/// A run that is over already is killed already.
fn resolve_run(api: &Api, text: &str) -> Result<Target, Error> {
    let stored = view::find_run(api.reader(), text)?;
    stored
        .map(|stored| Target::Run(stored.agent, stored.run.spec.id))
        .ok_or_else(|| {
            Error::new(Code::NotFound, format!("there is no agent, task or run `{text}`"))
                .hint("`worknode ps` shows the agents and their runs, `worknode task list` the tasks")
        })
}

/// What the target is doing now.
fn look(api: &Api, target: &Target) -> KilledView {
    let reader = api.reader();
    let node = |id| reader.node(id).ok().flatten();
    match target {
        Target::Agent(id, name) => {
            let node = node(*id);
            let run = node
                .as_ref()
                .and_then(|node| Some(node.agent()?.status.run()?.spec.id));
            let was = node.as_ref().map_or("", |node| node.status());
            KilledView {
                target: name.clone(),
                kind: "agent".to_owned(),
                was: was.to_owned(),
                run,
                receipt: None,
            }
        }
        Target::Task(id, name) => {
            let node = node(*id);
            let run = node.as_ref().and_then(|node| node.task()?.status.claim()?.run);
            let was = node.as_ref().map_or("", |node| node.status());
            KilledView {
                target: name.clone(),
                kind: "task".to_owned(),
                was: was.to_owned(),
                run,
                receipt: None,
            }
        }
        Target::Run(_, run) => {
            let was = reader
                .run(*run)
                .ok()
                .flatten()
                .map_or("", |stored| stored.run.status.name());
            KilledView {
                target: run.to_string(),
                kind: "run".to_owned(),
                was: was.to_owned(),
                run: Some(*run),
                receipt: None,
            }
        }
    }
}

async fn order(api: &Api, caller: &Caller, target: &Target, body: &Kill) -> Result<(), Error> {
    let system = api.runtime.system();
    let reason = if body.reason.is_empty() {
        "asked to".to_owned()
    } else {
        body.reason.clone()
    };
    let stop = |reason: &str| {
        let cause = StopCause::Requested {
            by: caller.0.principal.clone(),
            reason: reason.to_owned(),
        };
        let grace = body.grace.map(|span| span.0);
        Command::Agent(AgentCommand::StopRun { cause, grace })
    };
    match target {
        Target::Agent(id, _) => {
            let kill = AgentCommand::Kill {
                reason,
                grace: body.grace.map(|span| span.0),
            };
            system.ask(&caller.0, *id, Command::Agent(kill), None).await?;
        }
        Target::Run(agent, run) => {
            let current = system.reader().node(*agent)?;
            let live = current.and_then(|node| Some(node.agent()?.status.run()?.spec.id));
            if live == Some(*run) {
                system.ask(&caller.0, *agent, stop(&reason), None).await?;
            }
        }
        Target::Task(id, _) => {
            let Some(node) = system.reader().node(*id)? else {
                return Ok(());
            };
            let Some(task) = node.task() else { return Ok(()) };
            if task.status.is_terminal() {
                return Ok(());
            }
            let holder = task.status.claim().cloned();
            let cancel = TaskCommand::Cancel {
                reason: reason.clone(),
            };
            system.ask(&caller.0, *id, Command::Task(cancel), None).await?;
            // Whom the runtime does not run learns it from its next write.
            if let Some(claim) = holder.filter(|claim| claim.run.is_some()) {
                system.ask(&caller.0, claim.agent, stop(&reason), None).await?;
            }
        }
    }
    Ok(())
}

/// Does a task still name this run as its holder?
fn holds_claim(api: &Api, run: RunId) -> Result<bool, Error> {
    let reader = api.reader();
    let Some(task) = reader.run(run)?.and_then(|stored| stored.run.spec.purpose.task()) else {
        return Ok(false);
    };
    let node = reader.node(task)?;
    let claim = node.as_ref().and_then(|node| node.task()?.status.claim());
    Ok(claim.is_some_and(|claim| claim.run == Some(run)))
}

/// Waits for the end of the run and of its claim, within its grace and a margin. A stop may have been under way
/// before, so the run's own grace counts too.
async fn receipt_of(api: &Api, run: RunId, grace: Option<Span>) -> Result<Receipt, Error> {
    let system = api.runtime.system();
    let own = system
        .reader()
        .run(run)?
        .map_or(bounds::STOP_GRACE, |stored| stored.run.spec.limits.grace);
    let mut follower = system.journal().follow(system.journal().last_stamp());
    let waited = async {
        loop {
            let stored = system.reader().run(run)?;
            match stored.map(|stored| stored.run.status) {
                Some(RunStatus::Exited { receipt }) if !holds_claim(api, run)? => return Ok(*receipt),
                Some(_) => drop(follower.next(64).await?),
                None => return Err(Error::new(Code::NotFound, format!("there is no run {run}"))),
            }
        }
    };
    let limit = grace.map_or(own, |span| span.0).max(own).saturating_add(MARGIN);
    tokio::time::timeout(limit, waited).await.unwrap_or_else(|_| {
        Err(Error::new(
            Code::TimedOut,
            format!("run {run} has not ended yet; the stop goes on"),
        )
        .hint("`worknode ps` shows when it is over"))
    })
}
