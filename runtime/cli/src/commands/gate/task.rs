//! The task that a change is for: what its plan says of it.

use std::time::Duration;

use worknode_core::{
    error::{Code, Error},
    task::TaskSpec,
};
use worknode_daemon::{config::Config, view::plan::PlannedView};
use worknode_policies::{names::nearest, plan::PlanTask};

use crate::{client::escaped, place::Place};

/// How long the daemon may take: somebody waits for the answer.
const ANSWER: Duration = Duration::from_secs(5);

/// The task as the plan has it now: by the word of the daemon, for it may have been changed while the
/// team works; without one, as the file says.
pub(super) async fn named(place: &Place, config: &Config, key: &str) -> Result<TaskSpec, Error> {
    if let Some(task) = planned(place, key).await {
        return Ok(spec_of(&task));
    }
    let tasks = || config.phase.iter().flat_map(|phase| &phase.task);
    if let Some(task) = tasks().find(|task| task.id == key) {
        return Ok(written(task));
    }
    let missing = Error::new(Code::NotFound, format!("the plan has no task `{key}`"));
    Err(match nearest(key, tasks().map(|task| task.id.as_str())) {
        Some(near) => missing.hint(format!("did you mean `{near}`?")),
        None => missing.hint("`worknode plan show` lists the tasks"),
    })
}

/// The task as the daemon knows it. Without a daemon nothing is known.
pub(crate) async fn planned(place: &Place, key: &str) -> Option<PlannedView> {
    let client = place.client().ok()?;
    let path = format!("/plan/tasks/{}", escaped(key));
    let asked = client.get::<PlannedView>(&path);
    tokio::time::timeout(ANSWER, asked).await.ok()?.ok()
}

/// As the gate of the plan takes it.
pub(crate) fn spec_of(task: &PlannedView) -> TaskSpec {
    TaskSpec {
        key: task.key.clone(),
        files: task.files.clone(),
        may_create: task.may_create.clone(),
        may_delete: task.may_delete.clone(),
        deliverables: task.deliverables.clone(),
        gates: task.gates.clone(),
        ..TaskSpec::default()
    }
}

fn written(task: &PlanTask) -> TaskSpec {
    TaskSpec {
        key: task.id.clone(),
        files: task.files.clone(),
        may_create: task.may_create.clone(),
        may_delete: task.may_delete.clone(),
        deliverables: task.deliverables.clone(),
        gates: task.gates.clone().unwrap_or_default(),
        ..TaskSpec::default()
    }
}
