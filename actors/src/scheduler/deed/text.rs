//! Texts with the values of a firing in them.

use worknode_core::time::Timestamp;
use worknode_query::Facts;
use worknode_triggers::{
    Firing,
    template::{fill, with_firing},
};

use crate::{
    scheduler::{
        job::Job,
        watch::{facts, facts_of_node},
    },
    system::System,
};

/// Fills in the values of a text. What has no value leaves a gap, and that is told.
pub(super) fn filled(system: &System, job: &Job, text: &str) -> String {
    if !text.contains("{{") {
        return text.to_owned();
    }
    let facts = known(system, job, system.now());
    match fill(text, job.trigger.about().scope(), &facts) {
        Ok(filled) => {
            if !filled.missing.is_empty() {
                tracing::warn!(missing = ?filled.missing, "values of a trigger's text are not there");
            }
            filled.text
        }
        // The configuration was checked: this cannot be, and the text itself is better than none.
        Err(error) => {
            tracing::error!(%error, "a trigger's text cannot be filled in");
            text.to_owned()
        }
    }
}

fn known(system: &System, job: &Job, now: Timestamp) -> Facts {
    let reader = system.reader();
    let event = job.event.and_then(|at| reader.event(at).ok().flatten());
    let about = match (&event, job.task) {
        (Some(record), _) => facts(reader, record),
        (None, Some(task)) => facts_of_node(reader, task, now).map(|task| Facts::new().with("task", task)),
        (None, None) => None,
    };
    let firing = Firing {
        occurrence: job.occurrence.clone(),
        scheduled_at: job.due,
        due_at: job.due,
    };
    with_firing(about.unwrap_or_default(), &firing, now)
}

/// What the firing is about, in words: for those who say nothing themselves.
pub(super) fn about(system: &System, job: &Job) -> String {
    let reader = system.reader();
    let task = job.task.and_then(|task| reader.node(task).ok().flatten());
    if let Some((node, task)) = task.as_ref().and_then(|node| Some((node, node.task()?))) {
        let deadline = task.spec.deadline.map(|at| format!(", due at {at}"));
        return format!(
            "Task `{}`{}: {}\n\n{}",
            node.name,
            deadline.unwrap_or_default(),
            task.spec.title,
            task.spec.prompt
        );
    }
    match job.event.and_then(|at| reader.event(at).ok().flatten()) {
        Some(record) => {
            let node = reader.node(record.node).ok().flatten();
            let name = node.map_or_else(|| record.node.to_string(), |node| node.name);
            let what = serde_json::to_string(&record.event).unwrap_or_default();
            format!(
                "`{}` of {name} at {}:\n{what}",
                record.event.topic(),
                record.at.wall
            )
        }
        None => format!("{} is due", job.occurrence),
    }
}
