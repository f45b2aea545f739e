//! A task gets more, for a time: a higher priority, and more rights for whoever begins to work on
//! it.
//!
//! Rights are stored with their end, and are worth nothing from there on, whoever runs then. A
//! priority is taken back: what it was is stored before it changes, for a daemon that only finds
//! the record.

use worknode_core::{
    command::Command,
    error::{Code, Error},
    firing::Started,
    node::Node,
    raise::Raise,
    task::{Task, TaskCommand},
    time::Timestamp,
};
use worknode_triggers::spec::EscalateSpec;

use crate::{
    scheduler::{
        job::{Came, Job},
        outcome,
    },
    system::System,
};

/// Raises it.
pub(super) async fn raise(system: &System, job: &Job, spec: &EscalateSpec) -> Result<Came, Error> {
    let Some(node) = subject(system, job)? else {
        return Ok(Came::Failed(
            "it is about no task that could be raised".to_owned(),
        ));
    };
    let Some(task) = node.task() else {
        return Ok(Came::Failed(format!("{} is no task", node.name)));
    };
    let rights = rights(task, job, spec, system.now());
    let until = rights
        .as_ref()
        .map_or_else(|| system.now().plus(spec.duration.0), |rights| rights.until);
    if let Some(rights) = &rights {
        let raise = TaskCommand::Raise {
            firing: job.occurrence.to_string(),
            raise: Box::new(rights.clone()),
        };
        ask(system, job, &node, raise).await?;
    }
    let from = task.spec.priority;
    let started = match (&rights, spec.priority) {
        (None, _) => Started::Priority {
            task: node.id,
            from,
            until,
        },
        (Some(_), to) => Started::Raised {
            task: node.id,
            from: to.map(|_| from),
            until,
        },
    };
    let raised = Came::Started(words(&node, from, spec, rights.as_ref(), until), started);
    if let Some(to) = spec.priority {
        // Stored first: it says what has to be taken back.
        outcome::store(system, job, job.acted_event(raised.clone())).await;
        ask(system, job, &node, TaskCommand::Prioritise { priority: to }).await?;
    }
    Ok(raised)
}

/// The task whose deadline it is about, or whose event.
fn subject(system: &System, job: &Job) -> Result<Option<Node>, Error> {
    match (job.task, job.event) {
        (Some(task), _) => Ok(system.reader().node(task)?),
        (None, Some(event)) => match system.reader().event(event)? {
            Some(record) => Ok(system.reader().node(record.node)?),
            None => Ok(None),
        },
        (None, None) => Ok(None),
    }
}

/// The rights to give, and until when. Those that an earlier daemon gave for this firing are not
/// made longer.
fn rights(task: &Task, job: &Job, spec: &EscalateSpec, now: Timestamp) -> Option<Raise> {
    if spec.tier.is_none() && spec.permissions.is_empty() {
        return None;
    }
    let given = task.raised.get(&job.occurrence.to_string()).cloned();
    Some(given.unwrap_or_else(|| Raise {
        tier: spec.tier,
        permissions: spec.permissions.iter().copied().collect(),
        until: now.plus(spec.duration.0),
    }))
}

async fn ask(system: &System, job: &Job, node: &Node, command: TaskCommand) -> Result<(), Error> {
    let asked = system.command_after(Some(job.fired), node.id, Command::Task(command));
    let told = |error: Error| {
        tracing::error!(%error, task = node.name, "a task could not be raised");
        Error::new(
            Code::Failed,
            format!("{} could not be raised: {error}", node.name),
        )
    };
    asked.await.map(drop).map_err(told)
}

fn words(node: &Node, from: i32, spec: &EscalateSpec, rights: Option<&Raise>, until: Timestamp) -> String {
    let priority = spec
        .priority
        .map(|to| format!("priority of {} from {from} to {to} until {until}", node.name));
    let rights = rights.map(|rights| format!("who works on {}: {rights}", node.name));
    let words: Vec<String> = priority.into_iter().chain(rights).collect();
    words.join("; ")
}
