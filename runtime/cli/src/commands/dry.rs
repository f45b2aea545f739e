//! `--dry-run`: what would be done, and to what.

use worknode_core::error::Error;
use worknode_daemon::view::{AgentView, TaskView};

use crate::{
    answers::own::Would,
    client::escaped,
    output::{self, Form},
    place::Place,
};

/// Says it; nothing is done.
pub(super) fn would(verb: &str, what: &[String], form: Form) -> Result<(), Error> {
    if form == Form::Json {
        return output::json(&Would {
            dry_run: true,
            would: verb,
            what,
        });
    }
    for one in what {
        output::line(format!("would {verb} {one}"));
    }
    if what.is_empty() {
        output::line(format!("there is nothing to {verb}"));
    }
    Ok(())
}

/// The same for a task, as it stands.
pub(super) async fn task(place: &Place, verb: &str, name: &str, form: Form) -> Result<(), Error> {
    let task: TaskView = place.client()?.get(&format!("/tasks/{}", escaped(name))).await?;
    would(verb, &[format!("{} ({})", task.key, task.status)], form)
}

/// The agents that have a live run.
pub(super) async fn running(place: &Place) -> Result<Vec<String>, Error> {
    let agents: Vec<AgentView> = place.client()?.get("/agents").await?;
    let live = agents.iter().filter_map(|agent| {
        let run = agent.run.as_ref()?;
        Some(format!("agent {} ({}, run {})", agent.name, run.status, run.id))
    });
    Ok(live.collect())
}
