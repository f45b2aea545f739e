//! `worknode freeze`, `thaw`, `panic` and `unpanic`: hold one, or everything.

use serde_json::json;
use worknode_core::{error::Error, event::PanicStage};
use worknode_daemon::view::{AgentView, PanicView};

use super::{dry, kill::told, now, ps};
use crate::{
    args::{Freeze, Panic, Thaw, Unpanic},
    client::escaped,
    output::{self, Form},
    place::Place,
};

pub(crate) async fn freeze(place: &Place, args: Freeze, form: Form) -> Result<(), Error> {
    each(
        place,
        &args.targets,
        "freeze",
        &json!({ "reason": args.reason }),
        form,
    )
    .await
}

pub(crate) async fn thaw(place: &Place, args: Thaw, form: Form) -> Result<(), Error> {
    each(place, &args.targets, "thaw", &json!({}), form).await
}

async fn each(
    place: &Place,
    targets: &[String],
    verb: &str,
    body: &serde_json::Value,
    form: Form,
) -> Result<(), Error> {
    let client = place.client()?;
    let mut agents: Vec<AgentView> = Vec::new();
    for target in targets {
        let path = format!("/agents/{}/{verb}", escaped(target));
        agents.push(client.post(&path, body).await?);
    }
    match form {
        Form::Json => output::json(&agents),
        Form::Text => {
            ps::print(&agents, now());
            Ok(())
        }
    }
}

pub(crate) async fn panic(place: &Place, args: Panic, form: Form) -> Result<(), Error> {
    if args.dry_run {
        return dry::would("stop", &dry::running(place).await?, form);
    }
    let body = json!({ "reason": args.reason });
    let panic: PanicView = place.client()?.post("/panic", &body).await?;
    if form == Form::Json {
        return output::json(&panic);
    }
    for entry in &panic.stopped {
        output::line(told(entry, false));
    }
    output::line(format!(
        "{} runs stopped; {} are blocked until `worknode unpanic`",
        panic.stopped.len(),
        names(&panic.blocked)
    ));
    Ok(())
}

pub(crate) async fn unpanic(place: &Place, args: Unpanic, form: Form) -> Result<(), Error> {
    let body = json!({ "up_to": args.up_to });
    let panic: PanicView = place.client()?.post("/unpanic", &body).await?;
    if form == Form::Json {
        return output::json(&panic);
    }
    output::line(match (panic.lifted.as_slice(), panic.blocked.as_slice()) {
        ([], []) => "nothing was blocked".to_owned(),
        ([], blocked) => format!("{} stay blocked", names(blocked)),
        (lifted, []) => format!("{} go on; nothing is blocked any more", names(lifted)),
        (lifted, blocked) => format!("{} go on; {} stay blocked", names(lifted), names(blocked)),
    });
    Ok(())
}

fn names(stages: &[PanicStage]) -> String {
    let names: Vec<_> = stages.iter().map(|stage| stage.name()).collect();
    names.join(", ")
}
