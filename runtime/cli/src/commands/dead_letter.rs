//! `worknode dead-letter`: events that membranes refused and kept.

use serde_json::{Value, json};
use worknode_core::error::Error;

use super::dry;
use crate::{
    args::{DeadLetter, Letter},
    client::escaped,
    output::{self, Form},
    place::Place,
};

pub(crate) async fn dead_letter(place: &Place, args: DeadLetter, form: Form) -> Result<(), Error> {
    match args {
        DeadLetter::List { node } => list(place, &node, form).await,
        DeadLetter::Show(letter) => {
            let shown: Value = place.client()?.get(&path(place, &letter).await?).await?;
            output::json(&shown)
        }
        DeadLetter::Replay(letter) => settle(place, &letter, "replay", form).await,
        DeadLetter::Discard {
            letter,
            dry_run: true,
        } => {
            let found: Value = place.client()?.get(&path(place, &letter).await?).await?;
            let name = found["original"]["name"].as_str().unwrap_or("event");
            dry::would("throw away", &[format!("{name} {}", letter.letter)], form)
        }
        DeadLetter::Discard { letter, .. } => settle(place, &letter, "discard", form).await,
    }
}

async fn list(place: &Place, node: &str, form: Form) -> Result<(), Error> {
    let node = of(place, node).await?;
    let path = format!("/nodes/{}/dead-letters", escaped(&node));
    let kept: Value = place.client()?.get(&path).await?;
    if form == Form::Json {
        return output::json(&kept);
    }
    let letters = kept["letters"].as_array().map_or(&[][..], Vec::as_slice);
    for letter in letters {
        let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        output::line(format!(
            "{}  {}  {}",
            part(&letter["letter"]),
            part(&letter["original"]["name"]),
            part(&letter["reason"])
        ));
    }
    if letters.is_empty() {
        output::line("no dead letters");
    }
    if let Some(lost) = kept["lost"].as_u64().filter(|lost| *lost > 0) {
        output::line(format!("{lost} older ones were given up"));
    }
    Ok(())
}

async fn settle(place: &Place, letter: &Letter, how: &str, form: Form) -> Result<(), Error> {
    let path = format!("{}/{how}", path(place, letter).await?);
    let settled: Value = place.client()?.post(&path, &json!({})).await?;
    match form {
        Form::Json => output::json(&settled),
        Form::Text => {
            output::line(format!("{how}: {}", letter.letter));
            Ok(())
        }
    }
}

async fn path(place: &Place, letter: &Letter) -> Result<String, Error> {
    let node = of(place, &letter.node).await?;
    let stamp = escaped(&letter.letter.to_string());
    Ok(format!("/nodes/{}/dead-letters/{stamp}", escaped(&node)))
}

/// `team` is the team, whatever its name.
async fn of(place: &Place, node: &str) -> Result<String, Error> {
    if node != "team" {
        return Ok(node.to_owned());
    }
    let status: Value = place.client()?.get("/status").await?;
    Ok(status["team"].as_str().unwrap_or(node).to_owned())
}
