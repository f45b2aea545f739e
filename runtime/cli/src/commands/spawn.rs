//! `worknode spawn`: one agent more.

use serde_json::json;
use worknode_core::error::Error;
use worknode_daemon::view::AgentView;

use super::{now, ps, task::prompt};
use crate::{
    args::Spawn,
    output::{self, Form},
    place::Place,
};

pub(crate) async fn spawn(place: &Place, args: Spawn, form: Form) -> Result<(), Error> {
    let body = json!({
        "like": args.like,
        "name": args.name,
        "task": args.task,
        "title": args.title.unwrap_or_default(),
        "prompt": prompt(args.prompt)?,
        "max_duration": args.max_duration,
        "tokens": args.tokens,
        "usd": args.usd,
        "cpu": args.cpu,
        "memory": args.memory,
        "processes": args.processes,
    });
    let agent: AgentView = place.client()?.post("/agents", &body).await?;
    match form {
        Form::Json => output::json(&agent),
        Form::Text => {
            ps::print(std::slice::from_ref(&agent), now());
            Ok(())
        }
    }
}
