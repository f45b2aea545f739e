//! A task gets a higher priority, for a time.
//!
//! What it was is stored before it changes, so that it is taken back also by a daemon that only
//! finds the record.

use worknode_core::{command::Command, error::Error, firing::Started, node::Node, task::TaskCommand};
use worknode_triggers::spec::EscalateSpec;

use crate::{
    scheduler::{
        job::{Came, Job},
        outcome,
    },
    system::System,
};

/// Raises it. The outcome is stored first: it says what has to be taken back.
pub(super) async fn raise(system: &System, job: &Job, spec: &EscalateSpec) -> Result<Came, Error> {
    let Some(to) = spec.priority else {
        return Ok(Came::Failed(
            "only a priority can be raised in this version".to_owned(),
        ));
    };
    let node = match (job.task, job.event) {
        (Some(task), _) => system.reader().node(task)?,
        (None, Some(event)) => match system.reader().event(event)? {
            Some(record) => system.reader().node(record.node)?,
            None => None,
        },
        (None, None) => None,
    };
    let Some((node, task)) = node.as_ref().and_then(|node: &Node| Some((node, node.task()?))) else {
        return Ok(Came::Failed(
            "it is about no task whose priority could be raised".to_owned(),
        ));
    };
    let from = task.spec.priority;
    let until = system.now().plus(spec.duration.0);
    let raised = Came::Started(
        format!("priority of {} from {from} to {to} until {until}", node.name),
        Started::Priority {
            task: node.id,
            from,
            until,
        },
    );
    outcome::store(system, job, job.acted_event(raised.clone())).await;
    let raise = Command::Task(TaskCommand::Prioritise { priority: to });
    if let Err(error) = system.command_after(Some(job.fired), node.id, raise).await {
        tracing::error!(%error, "a priority could not be raised");
        return Ok(Came::Failed(error.to_string()));
    }
    Ok(raised)
}
