//! Somebody is told something: a person or an agent, a server, a program.

use serde_json::json;
use worknode_core::{
    error::Error,
    event::{Draft, Event, Principal},
    ids::NodeId,
};
use worknode_triggers::trigger::Recipient;

use super::{Deed, command, text::filled, webhook};
use crate::{
    scheduler::job::{Came, Job},
    system::System,
};

/// A message to somebody who reads the journal is stored with its firing.
pub(super) fn at_once(system: &System, job: &Job, to: &Recipient, message: Option<&str>) -> Option<Deed> {
    let to = match to {
        Recipient::Assignee => assignee(system, job.task),
        Recipient::Executive => "executive".to_owned(),
        Recipient::Operator => "operator".to_owned(),
        Recipient::Agent(name) => name.clone(),
        Recipient::Webhook(_) | Recipient::Command(_) => return None,
    };
    let came = Came::Done(format!("notified {to}"));
    let message = words(system, job, message);
    let draft = Draft {
        node: system.team().node(),
        by: Principal::Trigger {
            name: job.trigger.name().to_owned(),
        },
        cause: None,
        event: Event::Notified { to, message },
    };
    Some(Deed {
        drafts: vec![draft],
        came,
    })
}

/// A message to a server or a program.
pub(super) async fn send(
    system: &System,
    job: &Job,
    to: &Recipient,
    message: Option<&str>,
) -> Result<Came, Error> {
    let body = json!({
        "team": system.team().name,
        "trigger": job.trigger.name(),
        "occurrence": job.occurrence.key,
        "due": job.due,
        "attempt": job.attempts.saturating_add(1),
        "event": job.event.map(|event| event.to_string()),
        "message": words(system, job, message),
    });
    match to {
        Recipient::Webhook(spec) => webhook::send(system, job, spec, &body).await,
        Recipient::Command(parts) => command::tell(system, job, parts, &body).await,
        Recipient::Assignee | Recipient::Executive | Recipient::Operator | Recipient::Agent(_) => {
            // Begun by an earlier daemon, or after another one was replaced.
            let Some(deed) = at_once(system, job, to, message) else {
                return Ok(Came::Failed("there is nobody to tell".to_owned()));
            };
            system.store(deed.drafts).await?;
            Ok(deed.came)
        }
    }
}

fn words(system: &System, job: &Job, message: Option<&str>) -> String {
    message.map_or_else(
        || format!("{} is due", job.occurrence),
        |message| filled(system, job, message),
    )
}

/// Who works on the task, or else the operator: a message reaches somebody.
fn assignee(system: &System, task: Option<NodeId>) -> String {
    let holder = task.and_then(|task| {
        let node = system.reader().node(task).ok().flatten()?;
        let agent = node.task()?.status.claim()?.agent;
        system.agent(agent).map(|agent| agent.name.clone())
    });
    holder.unwrap_or_else(|| "operator".to_owned())
}
