//! `worknode prompts`: what programs of agents ask people for.

use serde_json::json;
use worknode_core::{error::Error, ids::NodeId};
use worknode_daemon::view::{PromptAnswerView, PromptView, prompts::waiting};
use worknode_journal::Reader;
use worknode_policies::text::visible;

use super::{ask_or_read, now};
use crate::{
    args::prompts::{Answer, Prompt, Prompts},
    client::{Client, escaped},
    output::{self, Form, ago, bold, dim, paint},
    place::Place,
};

pub(crate) async fn prompts(place: &Place, args: Prompts, form: Form) -> Result<(), Error> {
    let client = place.client()?;
    match args.command.unwrap_or(Prompt::List) {
        Prompt::List => {
            let all = |reader: &Reader| waiting(reader, NodeId::ROOT);
            let all = ask_or_read(place, client.get("/prompts"), all).await?;
            list(&all, form)
        }
        Prompt::Show { id } => {
            let one: PromptView = client.get(&format!("/prompts/{}", escaped(&id))).await?;
            match form {
                Form::Json => output::json(&one),
                Form::Text => {
                    show(&one);
                    Ok(())
                }
            }
        }
        Prompt::Allow(answer) => say(&client, &answer, "allow", "", form).await,
        Prompt::Deny { answer, reason } => say(&client, &answer, "deny", &reason, form).await,
    }
}

async fn say(client: &Client, answer: &Answer, word: &str, reason: &str, form: Form) -> Result<(), Error> {
    let path = format!("/prompts/{}", escaped(&answer.id));
    let shown = match &answer.shown {
        Some(shown) => shown.clone(),
        None => {
            let one: PromptView = client.get(&path).await?;
            if form == Form::Text {
                show(&one);
            }
            one.digest
        }
    };
    let body = json!({ "shown": shown, "reason": reason });
    let said: PromptAnswerView = client.post(&format!("{path}/{word}"), &body).await?;
    match form {
        Form::Json => output::json(&said),
        Form::Text => {
            output::line(format!("{} {} of {}", said.answer.name(), said.id, said.agent));
            Ok(())
        }
    }
}

fn list(all: &[PromptView], form: Form) -> Result<(), Error> {
    if form == Form::Json {
        return output::json(&all);
    }
    for one in all {
        show(one);
    }
    if all.is_empty() {
        output::line("nothing waits for a person");
    }
    Ok(())
}

fn show(one: &PromptView) {
    let task = one
        .task
        .as_ref()
        .map_or_else(String::new, |task| format!(" on {task}"));
    let head = format!("{} {}{task} asks for {}", one.id, one.agent, visible(&one.tool));
    output::line(paint(&head, bold()));
    let asked = ago(now(), one.since);
    let digest = &one.digest;
    output::line(paint(
        &format!("  {asked}, until {}; {digest}", one.expires),
        dim(),
    ));
    output::line(format!("  {}", visible(&one.what).replace('\n', "\n  ")));
}
