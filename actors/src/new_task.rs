//! Tasks that somebody adds while the team works.

use serde::{Deserialize, Serialize};
use worknode_core::{
    bounds,
    error::{Code, Error},
    event::{Draft, Event, Principal},
    ids::NodeId,
    node::{Detail, Kind, NodeSpec},
    task::{Approval, TaskSpec},
    time::{Span, Timestamp},
};
use worknode_policies::{
    authority::Authority,
    plan::{MOST_AGREE, TaskLimits},
};

use crate::{
    capabilities::allow_plan, definition::TeamDefinition, membrane::arrival, store::OPEN, system::System,
};

/// The phase that holds what was added by hand.
pub(crate) const PHASE: &str = "added";

/// A task as somebody adds it. Only the title is required.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewTask {
    /// Its name; made from the title when it is not given.
    pub key: Option<String>,
    /// One line for people.
    pub title: String,
    /// What to do; the title when it is empty.
    pub prompt: String,
    /// Globs of the files that may change.
    pub files: Vec<String>,
    /// Globs of the files that may be made; whatever `files` names when they are not given.
    pub may_create: Option<Vec<String>>,
    /// Globs of the files that may be deleted.
    pub may_delete: Vec<String>,
    /// Paths that must be there when it is done.
    pub deliverables: Vec<String>,
    /// Names of tasks that must be completed first.
    pub depends_on: Vec<String>,
    /// Name or glob of the agents that may take it.
    pub agent: Option<String>,
    /// Profile of the agents that may take it.
    pub role: Option<String>,
    /// How long it should take.
    pub estimate: Option<Span>,
    /// When it should be completed.
    pub deadline: Option<Timestamp>,
    /// Gates; the team's when they are not given.
    pub gates: Option<Vec<String>>,
    /// Who must agree; the team's rule when it is not given.
    pub approval: Option<Approval>,
    /// How often it is tried; as the team says when it is not given.
    pub max_attempts: Option<u32>,
    /// Higher goes first.
    pub priority: i32,
    /// A time limit for each run.
    pub max_duration: Option<Span>,
    /// Further limits of each run, where they are tighter than its agent's.
    pub limits: Option<TaskLimits>,
}

/// Adds a task to the tree. It becomes ready by itself when nothing stands before it.
///
/// # Errors
/// `usage` for a task that makes no sense, `forbidden` for files and places that the capability does
/// not name, `not_found` for an unknown dependency,
/// `already_exists` for a name that is taken, `limit_reached` when too many wait.
pub async fn add_task(system: &System, authority: &Authority, new: NewTask) -> Result<NodeId, Error> {
    let by = &authority.principal;
    let spec = check(system, authority, new)?;
    let phase = phase_for(system, authority).await?;
    let id = NodeId::derived(system.team().node(), &format!("task:{}", spec.key));
    let node = NodeSpec::new(
        Some(phase),
        Kind::Task,
        spec.key.clone(),
        Detail::Task(Box::new(spec)),
    );
    let event = Event::NodeCreated { node };
    arrival::passes_into(system, phase, by, &event)?;
    let draft = Draft {
        node: id,
        by: by.clone(),
        cause: None,
        event,
    };
    system.store(vec![draft]).await?;
    Ok(id)
}

/// The phase of what is added by hand, for whom may add there.
pub(crate) async fn phase_for(system: &System, authority: &Authority) -> Result<NodeId, Error> {
    let phase = system.phase(PHASE);
    let is_there = system.reader().node(phase)?.is_some();
    // What is not there yet comes to be below the team.
    system.check_place(authority, if is_there { phase } else { system.team().node() })?;
    system.ensure_phase(PHASE).await
}

pub(crate) fn no_task(name: &str) -> Error {
    let what = format!("there is no task `{name}`");
    Error::new(Code::NotFound, what).hint("`worknode task list` shows them all")
}

/// Can so many agree?
pub(crate) fn check_quorum(approval: Approval) -> Result<(), Error> {
    match approval {
        Approval::Quorum(wanted) if !(2..=MOST_AGREE).contains(&wanted) => {
            let what = format!("a quorum of {wanted} is none");
            Err(Error::new(Code::Usage, what).hint(format!("from 2 to {MOST_AGREE}")))
        }
        _ => Ok(()),
    }
}

/// Do limits leave something to work with?
pub(crate) fn check_limits(limits: &TaskLimits) -> Result<(), Error> {
    match limits.nothing().next() {
        Some(key) => {
            let what = format!("a run that has 0 of `{key}` does nothing");
            Err(Error::new(Code::Usage, what).hint("name how much there is, or leave it out"))
        }
        None => Ok(()),
    }
}

/// The task that `new` describes, checked; of whom is limited to some files, it may touch no other.
pub(crate) fn check(system: &System, authority: &Authority, new: NewTask) -> Result<TaskSpec, Error> {
    let usage = |message: &str| Error::new(Code::Usage, message);
    if new.title.trim().is_empty() {
        return Err(usage("a task needs a title"));
    }
    let team = system.team();
    // Only the operator may ask for less than the team does: whoever else could, would lead work
    // around its gates (P3).
    let may_ask_less = matches!(authority.principal, Principal::Operator | Principal::Runtime);
    let gates = gates(team, new.gates, may_ask_less)?;
    if system.reader().count(&Kind::Task, &OPEN)? >= bounds::PENDING_TASKS {
        return Err(Error::backpressure("the list of open tasks"));
    }
    let dependency = |name: &String| {
        let found = system.reader().named(&Kind::Task, name, 1)?.pop();
        found.map(|node| node.id).ok_or_else(|| no_task(name))
    };
    let approval = approval(team, new.approval, may_ask_less);
    check_quorum(approval)?;
    new.limits.iter().try_for_each(check_limits)?;
    let spec = TaskSpec {
        key: new.key.unwrap_or_else(|| key_from(&new.title)),
        prompt: if new.prompt.is_empty() {
            new.title.clone()
        } else {
            new.prompt
        },
        title: new.title,
        files: new.files,
        may_create: new.may_create,
        may_delete: new.may_delete,
        deliverables: new.deliverables,
        depends_on: new.depends_on.iter().map(dependency).collect::<Result<_, _>>()?,
        agent: new.agent,
        role: new.role,
        estimate: new.estimate.map(|span| span.0),
        deadline: new.deadline,
        gates,
        approval,
        max_attempts: new.max_attempts.unwrap_or(team.attempts).max(1),
        priority: new.priority,
        max_duration: new.max_duration.map(|span| span.0),
        limits: new.limits.map(|limits| limits.share()).unwrap_or_default(),
        amended: false,
    };
    allow_plan(authority, &spec)?;
    Ok(spec)
}

fn gates(
    team: &TeamDefinition,
    asked: Option<Vec<String>>,
    may_ask_less: bool,
) -> Result<Vec<String>, Error> {
    let mut gates = asked.unwrap_or_else(|| team.default_gates.clone());
    if !may_ask_less {
        let missing = |gate: &&String| !gates.contains(gate);
        let missing: Vec<String> = team.default_gates.iter().filter(missing).cloned().collect();
        gates.splice(0..0, missing);
    }
    let known = worknode_gates::judge::names(&team.gates);
    match gates.iter().find(|gate| !known.contains(gate)) {
        Some(gate) => Err(Error::new(Code::Usage, format!("there is no gate `{gate}`"))
            .hint(format!("there are {}", known.join(", ")))),
        None => Ok(gates),
    }
}

fn approval(team: &TeamDefinition, asked: Option<Approval>, may_ask_less: bool) -> Approval {
    let of_team = if team.has_reviewer() {
        Approval::Validation
    } else {
        Approval::None
    };
    match asked {
        Some(asked) if may_ask_less || !asked.is_weaker_than(of_team) => asked,
        Some(_) | None => of_team,
    }
}

/// `Review what landed!` becomes `review-what-landed`.
fn key_from(title: &str) -> String {
    let mut key = String::new();
    for c in title.chars().take(64) {
        if c.is_ascii_alphanumeric() {
            key.push(c.to_ascii_lowercase());
        } else if !key.is_empty() && !key.ends_with('-') {
            key.push('-');
        }
    }
    let key = key.trim_end_matches('-').to_owned();
    if key.is_empty() { "task".to_owned() } else { key }
}
