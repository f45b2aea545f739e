//! `worknode message`: what agents and people say to each other.

use serde_json::{Value, json};
use worknode_core::error::Error;
use worknode_daemon::view::MessageView;

use super::{search::Question, task::prompt};
use crate::{
    args::notes::Message,
    client::escaped,
    output::{self, Form, dim, paint},
    place::Place,
};

pub(crate) async fn message(place: &Place, args: Message, form: Form) -> Result<(), Error> {
    let client = place.client()?;
    match args {
        Message::Send {
            to,
            text,
            broadcast,
            thread,
            run,
            epoch,
            key,
        } => {
            let body = json!({
                "to": to, "text": prompt(Some(text))?, "broadcast": broadcast,
                "thread": thread, "run": run, "epoch": epoch, "key": key,
            });
            sent(&client.post("/messages", &body).await?, form)
        }
        Message::List { of, all } => {
            let mut question = Question::default();
            question.set("of", of);
            question.set("all", all.then_some(true));
            let found: Vec<MessageView> = client.get(&format!("/messages?{}", question.text())).await?;
            list(&found, form)
        }
        Message::Ack { messages } => {
            let mut heard = Vec::new();
            for message in &messages {
                let path = format!("/messages/{}/ack", escaped(&message.to_string()));
                heard.push(client.post::<Value>(&path, &json!({})).await?);
            }
            match form {
                Form::Json => output::json(&heard),
                Form::Text => {
                    output::line(format!("acknowledged {}", heard.len()));
                    Ok(())
                }
            }
        }
    }
}

fn sent(answer: &Value, form: Form) -> Result<(), Error> {
    if form == Form::Json {
        return output::json(answer);
    }
    for one in answer["sent"].as_array().map_or(&[][..], Vec::as_slice) {
        output::line(format!("sent {}", one["message"].as_str().unwrap_or_default()));
    }
    Ok(())
}

fn list(messages: &[MessageView], form: Form) -> Result<(), Error> {
    if form == Form::Json {
        return output::json(&messages);
    }
    for message in messages {
        let state = match (message.open, message.current) {
            (false, _) => " (heard)",
            (true, false) => " (for a run or a claim that is over)",
            (true, true) => "",
        };
        let thread = message
            .said
            .thread
            .map_or_else(String::new, |thread| format!(", on {thread}"));
        let head = format!("{} from {}{thread}{state}", message.message, message.from);
        output::line(paint(&head, dim()));
        output::line(format!("  {}", message.said.text.replace('\n', "\n  ")));
    }
    if messages.is_empty() {
        output::line("no messages");
    }
    Ok(())
}
