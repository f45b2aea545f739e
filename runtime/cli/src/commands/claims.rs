//! `worknode task claim|next|renew|hand-over|progress`: for those whom the runtime does not run.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use worknode_core::{error::Error, ids::NodeId, time::Timestamp};

use super::task::path_of;
use crate::{
    answers::own::Noted,
    args::{Next, Task},
    output::{self, Form},
    place::Place,
};

/// A claim, as the daemon answers it.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub(crate) struct Held {
    /// The task.
    task: NodeId,
    /// Its name.
    key: String,
    /// Who holds it.
    agent: NodeId,
    /// Which claim it is: every write under it carries this.
    epoch: u64,
    /// Until when, unless it is renewed.
    lease_until: Timestamp,
}

/// Makes or keeps a claim, and says what it is.
pub(super) async fn hold(place: &Place, task: Task, form: Form) -> Result<(), Error> {
    let Some((path, body)) = request(task) else {
        return Ok(());
    };
    let held: Held = place.client()?.post(&path, &body).await?;
    match form {
        Form::Json => output::json(&held),
        Form::Text => {
            let Held {
                key,
                epoch,
                lease_until,
                ..
            } = held;
            output::line(format!("{key} is held at epoch {epoch} until {lease_until}"));
            Ok(())
        }
    }
}

/// Says how far a task is.
pub(super) async fn progress(place: &Place, task: &str, said: Value, form: Form) -> Result<(), Error> {
    let _: Value = place.client()?.post(&path_of(task, "progress"), &said).await?;
    match form {
        Form::Json => output::json(&Noted { noted: true }),
        Form::Text => {
            output::line("noted");
            Ok(())
        }
    }
}

fn request(task: Task) -> Option<(String, Value)> {
    match task {
        Task::Claim { task, holder, lease } => Some((
            path_of(&task, "claim"),
            json!({ "agent": holder, "lease": lease }),
        )),
        Task::Next(next) => Some(("/tasks/claim".to_owned(), next_body(next))),
        Task::Renew { task, epoch, lease } => {
            Some((path_of(&task, "renew"), json!({ "epoch": epoch, "lease": lease })))
        }
        Task::HandOver {
            task,
            epoch,
            to,
            lease,
        } => Some((
            path_of(&task, "hand-over"),
            json!({ "epoch": epoch, "to": to, "lease": lease }),
        )),
        _ => None,
    }
}

fn next_body(next: Next) -> Value {
    json!({
        "agent": next.holder,
        "lease": next.lease,
        "wait": next.wait,
        "where": next.condition,
        "skills": next.skills,
        "below": next.below,
        "steal_from": next.steal_from,
        "above": next.above,
    })
}
