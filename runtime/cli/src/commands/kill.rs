//! `worknode kill`: it answers when it is over, with receipts.

use serde_json::json;
use worknode_core::{agent::ended, error::Error};
use worknode_daemon::view::KilledView;

use crate::{
    args::Kill,
    output::{self, Form},
    place::Place,
};

pub(crate) async fn kill(place: &Place, args: Kill, form: Form) -> Result<(), Error> {
    let mut body = json!({
        "targets": args.targets,
        "all": args.all,
        "reason": args.reason,
        "dry_run": args.dry_run,
    });
    if let (Some(grace), Some(object)) = (args.grace, body.as_object_mut()) {
        object.insert("grace".to_owned(), json!(grace.to_string()));
    }
    let killed: Vec<KilledView> = place.client()?.post("/kill", &body).await?;
    match form {
        Form::Json => output::json(&killed),
        Form::Text => {
            for entry in &killed {
                output::line(told(entry, args.dry_run));
            }
            Ok(())
        }
    }
}

pub(super) fn told(entry: &KilledView, dry_run: bool) -> String {
    let KilledView {
        target, kind, was, ..
    } = entry;
    match (&entry.receipt, entry.run, dry_run) {
        (_, Some(run), true) => format!("would stop {kind} {target} ({was}, run {run})"),
        (_, None, true) => format!("would stop {kind} {target} ({was}, nothing runs)"),
        (Some(receipt), ..) => {
            let means = match (receipt.term_sent, receipt.kill_sent) {
                (_, true) => "KILL",
                (true, false) => "TERM",
                (false, false) => "nothing: it was over",
            };
            format!(
                "{kind} {target}: {}; {} processes ended by {means}, nothing left",
                ended(receipt),
                receipt.processes_ended
            )
        }
        (None, ..) => format!("{kind} {target}: nothing was running"),
    }
}
