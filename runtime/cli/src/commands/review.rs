//! `worknode approve` and `worknode reject`.

use serde_json::json;
use worknode_core::error::Error;
use worknode_daemon::view::TaskView;

use crate::{
    args::{Approve, Reject},
    client::escaped,
    output::{self, Form},
    place::Place,
};

pub(crate) async fn approve(place: &Place, args: &Approve, form: Form) -> Result<(), Error> {
    let body = json!({ "commit": args.commit, "shown": args.shown, "note": args.note });
    let task: TaskView = place
        .client()?
        .post(&format!("/tasks/{}/approve", escaped(&args.task)), &body)
        .await?;
    said(&task, "approved", form)
}

pub(crate) async fn reject(place: &Place, args: &Reject, form: Form) -> Result<(), Error> {
    let body = json!({ "commit": args.commit, "reason": args.reason });
    let task: TaskView = place
        .client()?
        .post(&format!("/tasks/{}/reject", escaped(&args.task)), &body)
        .await?;
    said(&task, "rejected", form)
}

fn said(task: &TaskView, what: &str, form: Form) -> Result<(), Error> {
    match form {
        Form::Json => output::json(task),
        Form::Text => {
            output::line(format!("{what} {}; it is {} now", task.key, task.status));
            Ok(())
        }
    }
}
