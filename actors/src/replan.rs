//! Changing the plan of a team that works: tasks come to it, become other ones, or leave it. Each
//! change is an event with what was before and what is after.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};
use worknode_core::{
    bounds,
    command::Command,
    error::{Code, Error},
    event::{Draft, Event},
    ids::NodeId,
    node::{Detail, Kind, Node, NodeSpec},
    task::{Approval, PlanChange, TaskCommand, TaskSpec},
    time::{Span, Timestamp},
};
use worknode_policies::{
    authority::Authority,
    gate,
    pattern::Patterns,
    plan::{Planned, TaskLimits, difference},
};

use crate::{
    capabilities::allow_plan,
    membrane::Reply,
    new_task::{self, NewTask, check, check_limits, check_quorum},
    system::System,
};

/// What is to be different about a task. What is not named stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Amendment {
    /// One line for people.
    pub title: Option<String>,
    /// What to do, for the agent.
    pub prompt: Option<String>,
    /// Globs of the files that may change.
    pub files: Option<Vec<String>>,
    /// Globs of the files that may be made.
    pub may_create: Option<Vec<String>>,
    /// Globs of the files that may be deleted.
    pub may_delete: Option<Vec<String>>,
    /// Paths that must be there when it is done.
    pub deliverables: Option<Vec<String>>,
    /// Names of tasks that must be completed first.
    pub depends_on: Option<Vec<String>>,
    /// Name or glob of the agents that may take it.
    pub agent: Option<String>,
    /// Profile of the agents that may take it.
    pub role: Option<String>,
    /// How long it should take.
    pub estimate: Option<Span>,
    /// When it should be completed.
    pub deadline: Option<Timestamp>,
    /// Gates.
    pub gates: Option<Vec<String>>,
    /// Who must agree.
    pub approval: Option<Approval>,
    /// How often it is tried.
    pub max_attempts: Option<u32>,
    /// Higher goes first.
    pub priority: Option<i32>,
    /// A time limit for each run.
    pub max_duration: Option<Span>,
    /// Further limits of each run, of runs that begin from now on. Those that are not named stay.
    pub limits: Option<TaskLimits>,
    /// Names of what is not to be said any more: `may_create`, `agent`, `role`, `estimate`,
    /// `deadline`, `max_duration`, or a limit: `tokens`, `usd`, `memory` or `processes`.
    pub clear: BTreeSet<String>,
    /// Why.
    pub reason: String,
}

/// Adds a task to the plan, in the phase that it names.
///
/// # Errors
/// As [`new_task::add_task`]; `not_found` when there is no such phase.
pub async fn add(
    system: &System,
    authority: &Arc<Authority>,
    new: NewTask,
    phase: Option<&str>,
    reason: &str,
) -> Result<NodeId, Error> {
    let parent = match phase {
        Some(name) => {
            let phase = phase_named(system, name)?;
            system.check_place(authority, phase)?;
            phase
        }
        None => new_task::phase_for(system, authority).await?,
    };
    let mut spec = check(system, authority, new)?;
    spec.amended = true;
    check_spec(&spec)?;
    let id = Planned::task_id(system.team().node(), &spec.key);
    let (_, after) = difference(None, Some(&spec));
    let node = NodeSpec::new(
        Some(parent),
        Kind::Task,
        spec.key.clone(),
        Detail::Task(Box::new(spec)),
    );
    let events = [
        Event::NodeCreated { node },
        Event::PlanChanged {
            change: PlanChange::Added,
            before: serde_json::Map::new(),
            after,
            reason: reason.to_owned(),
        },
    ];
    let draft = |event| Draft {
        node: id,
        by: authority.principal.clone(),
        cause: None,
        event,
    };
    system.store(events.map(draft).into()).await?;
    Ok(id)
}

/// Changes what the plan asks of a task.
///
/// # Errors
/// What the task refuses: it is over or landing, or the caller may not ask for less. `forbidden` when it
/// may touch, before or after, files that the capability does not name. `usage` for what
/// makes no sense.
pub async fn change(
    system: &System,
    authority: &Arc<Authority>,
    node: &Node,
    amendment: Amendment,
) -> Result<Reply, Error> {
    let task = node
        .task()
        .ok_or_else(|| Error::new(Code::Usage, format!("`{}` is not a task", node.name)))?;
    let spec = amended(system, node.id, &task.spec, &amendment)?;
    // Neither is a task of others taken over by naming other files, nor given more than one has.
    [&*task.spec, &spec]
        .iter()
        .try_for_each(|spec| allow_plan(authority, spec))?;
    let (before, after) = difference(Some(&task.spec), Some(&spec));
    if before.is_empty() && after.is_empty() {
        let what = format!("task `{}` is asked exactly that already", node.name);
        return Err(Error::new(Code::Usage, what).hint("name what is to be different"));
    }
    let amend = TaskCommand::Amend {
        spec: Box::new(spec),
        before,
        after,
        reason: amendment.reason,
    };
    system.ask(authority, node.id, Command::Task(amend), None).await
}

fn amended(system: &System, id: NodeId, now: &TaskSpec, amendment: &Amendment) -> Result<TaskSpec, Error> {
    let mut spec = now.clone();
    let set = |field: &mut String, value: &Option<String>| {
        if let Some(value) = value {
            field.clone_from(value);
        }
    };
    set(&mut spec.title, &amendment.title);
    set(&mut spec.prompt, &amendment.prompt);
    let lists = [
        (&mut spec.files, &amendment.files),
        (&mut spec.may_delete, &amendment.may_delete),
        (&mut spec.deliverables, &amendment.deliverables),
    ];
    for (field, value) in lists {
        if let Some(value) = value {
            field.clone_from(value);
        }
    }
    if let Some(gates) = &amendment.gates {
        spec.gates = with_plan_gate(gates);
    }
    if let Some(names) = &amendment.depends_on {
        spec.depends_on = dependencies(system, id, names)?;
    }
    spec.may_create = amendment.may_create.clone().or(spec.may_create);
    spec.agent = amendment.agent.clone().or(spec.agent);
    spec.role = amendment.role.clone().or(spec.role);
    spec.estimate = amendment.estimate.map(|span| span.0).or(spec.estimate);
    spec.deadline = amendment.deadline.or(spec.deadline);
    spec.max_duration = amendment.max_duration.map(|span| span.0).or(spec.max_duration);
    if let Some(limits) = &amendment.limits {
        check_limits(limits)?;
        spec.limits = limits.or(spec.limits);
    }
    spec.approval = amendment.approval.unwrap_or(spec.approval);
    spec.max_attempts = amendment.max_attempts.unwrap_or(spec.max_attempts);
    spec.priority = amendment.priority.unwrap_or(spec.priority);
    clear(&mut spec, &amendment.clear)?;
    check_spec(&spec)?;
    spec.amended = true;
    Ok(spec)
}

fn clear(spec: &mut TaskSpec, names: &BTreeSet<String>) -> Result<(), Error> {
    for name in names {
        match name.as_str() {
            "may_create" => spec.may_create = None,
            "agent" => spec.agent = None,
            "role" => spec.role = None,
            "estimate" => spec.estimate = None,
            other if clear_limit(spec, other) => {}
            other => {
                let what = format!("`{other}` cannot be left out of a plan");
                let hint = "there are: may_create, agent, role, estimate, deadline, max_duration, tokens, usd, memory, processes";
                return Err(Error::new(Code::Usage, what).hint(hint));
            }
        }
    }
    Ok(())
}

/// Takes a limit of it or of its runs away. False when there is no such limit.
const fn clear_limit(spec: &mut TaskSpec, name: &str) -> bool {
    match name.as_bytes() {
        b"deadline" => spec.deadline = None,
        b"max_duration" => spec.max_duration = None,
        b"tokens" => spec.limits.tokens = None,
        b"usd" => spec.limits.usd = None,
        b"memory" => spec.limits.memory = None,
        b"processes" => spec.limits.processes = None,
        _ => return false,
    }
    true
}

/// The plan gate is what keeps an agent to its files; it stays whatever else changes.
fn with_plan_gate(gates: &[String]) -> Vec<String> {
    let rest = gates.iter().filter(|gate| *gate != gate::PLAN).cloned();
    std::iter::once(gate::PLAN.to_owned()).chain(rest).collect()
}

/// What makes sense by itself, whatever it was before.
fn check_spec(spec: &TaskSpec) -> Result<(), Error> {
    let usage = |what: String| Error::new(Code::Usage, what);
    if spec.title.trim().is_empty() || spec.prompt.trim().is_empty() {
        return Err(usage("a task needs a title and a prompt".to_owned()));
    }
    if spec.prompt.len() > bounds::PROMPT {
        let what = format!("the prompt has more than {} bytes", bounds::PROMPT);
        return Err(usage(what).hint("put what is long into a file of the repository, and name that file"));
    }
    if spec.max_attempts == 0 {
        return Err(usage("a task that is never tried cannot be done".to_owned()));
    }
    check_quorum(spec.approval)?;
    if spec.deliverables.len() > bounds::DELIVERABLES {
        return Err(usage(format!("at most {} deliverables", bounds::DELIVERABLES)));
    }
    check_patterns(spec)
}

fn check_patterns(spec: &TaskSpec) -> Result<(), Error> {
    let lists = [&spec.files, &spec.may_delete];
    for list in lists.into_iter().chain(&spec.may_create) {
        if let Err(errors) = Patterns::parse(list)
            && let Some(error) = errors.first()
        {
            let refused = Error::new(Code::Usage, error.to_string());
            return Err(match error.hint() {
                Some(hint) => refused.hint(hint),
                None => refused,
            });
        }
    }
    Ok(())
}

/// The tasks of these names, none of which waits for this one.
fn dependencies(system: &System, id: NodeId, names: &[String]) -> Result<Vec<NodeId>, Error> {
    let mut found = Vec::new();
    for name in names {
        let node = system.reader().named(&Kind::Task, name, 1)?.pop();
        let node = node.ok_or_else(|| new_task::no_task(name))?;
        found.push(node.id);
    }
    let (mut open, mut seen) = (found.clone(), BTreeSet::new());
    while let Some(next) = open.pop() {
        if next == id {
            let what = "then tasks would wait for each other".to_owned();
            return Err(Error::new(Code::Usage, what).hint("leave out one of the dependencies"));
        }
        if seen.insert(next)
            && let Some(node) = system.reader().node(next)?
        {
            open.extend(node.dependencies());
        }
        if seen.len() > bounds::PENDING_TASKS {
            return Err(Error::new(
                Code::LimitReached,
                "too many tasks wait for each other",
            ));
        }
    }
    Ok(found)
}

fn phase_named(system: &System, name: &str) -> Result<NodeId, Error> {
    let team = system.team().node();
    let phase = Planned::phase_id(team, name);
    if system.reader().node(phase)?.is_some() {
        return Ok(phase);
    }
    Err(
        Error::new(Code::NotFound, format!("the plan has no phase `{name}`"))
            .hint("`worknode plan show` shows the phases; without one it goes beside them"),
    )
}

/// Takes a task out of the plan.
///
/// # Errors
/// What the task refuses.
pub async fn cancel(
    system: &System,
    authority: &Arc<Authority>,
    node: &Node,
    reason: &str,
) -> Result<Reply, Error> {
    let cancel = TaskCommand::Cancel {
        reason: reason.to_owned(),
    };
    let reply = system
        .ask(authority, node.id, Command::Task(cancel), None)
        .await?;
    // Cancelled twice, it left the plan once.
    if reply.stamp().is_some() {
        let (before, _) = difference(node.task().map(|task| &*task.spec), None);
        let event = Event::PlanChanged {
            change: PlanChange::Cancelled,
            before,
            after: serde_json::Map::new(),
            reason: reason.to_owned(),
        };
        system
            .record_after(reply.stamp(), authority.principal.clone(), node.id, vec![event])
            .await?;
    }
    Ok(reply)
}
