//! `worknode prompts`: what programs of agents ask people for.

use serde_json::json;
use worknode_core::error::Error;
use worknode_daemon::view::{PromptAnswerView, PromptView, prompts::waiting};

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
            let all = ask_or_read(place, client.get("/prompts"), waiting).await?;
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

/// The text with all that a terminal would not show as it is, or not at all, written out: what is
/// allowed is what was seen.
fn visible(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        let hides = matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if hides || (c.is_control() && c != '\n') {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
        shown
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_what_was_seen() {
        assert_eq!(visible("rm -r x\n  ü"), "rm -r x\n  ü");
        assert_eq!(
            visible("a\u{1b}[2K\r\u{202e}b\u{9b}"),
            "a\\u{1b}[2K\\u{d}\\u{202e}b\\u{9b}"
        );
    }
}
