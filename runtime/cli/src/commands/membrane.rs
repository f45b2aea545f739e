//! `worknode membrane`: what stands in front of a Worknode.

use serde_json::{Value, json};
use worknode_core::error::Error;

use super::{dry, emit::table};
use crate::{
    args::Membrane,
    client::escaped,
    output::{self, Form, bold, dim, paint},
    place::Place,
};

pub(crate) async fn membrane(place: &Place, args: Membrane, form: Form) -> Result<(), Error> {
    let client = place.client()?;
    let path = |node: &str| format!("/nodes/{}/membrane", escaped(node));
    match args {
        Membrane::Show { node } => {
            let shown: Value = client.get(&path(&node)).await?;
            print(&shown, form, show)
        }
        Membrane::Test { node, event } => {
            let body = table(&event)?;
            let tried: Value = client.post(&format!("{}/test", path(&node)), &body).await?;
            print(&tried, form, tested)
        }
        Membrane::Set { node, file } => set(place, &node, table(&file)?.into(), form).await,
        Membrane::Clear { node, dry_run: true } => {
            client.get::<Value>(&path(&node)).await?;
            dry::would("take away", &[format!("the membrane of {node}")], form)
        }
        Membrane::Clear { node, .. } => set(place, &node, Value::Null, form).await,
    }
}

async fn set(place: &Place, node: &str, membrane: Value, form: Form) -> Result<(), Error> {
    let path = format!("/nodes/{}", escaped(node));
    let body = json!({ "membrane": membrane });
    let changed: Value = place.client()?.put(&path, &body, None).await?;
    print(&changed, form, |_| {
        output::line(format!("the membrane of {node} is changed"));
    })
}

fn print(answer: &Value, form: Form, text: impl FnOnce(&Value)) -> Result<(), Error> {
    match form {
        Form::Json => output::json(answer),
        Form::Text => {
            text(answer);
            Ok(())
        }
    }
}

fn show(shown: &Value) {
    let membranes = shown["membranes"].as_array().map_or(&[][..], Vec::as_slice);
    if membranes.is_empty() {
        output::line(format!("no membrane stands in front of {}", word(&shown["name"])));
        return;
    }
    for membrane in membranes {
        let whose = format!("{} {}", word(&membrane["kind"]), word(&membrane["name"]));
        output::line(paint(&whose, bold()));
        for (key, value) in membrane["says"].as_object().into_iter().flatten() {
            output::line(format!("  {key:<10} {value}"));
        }
    }
    output::line(paint(&format!("in all, for {}", word(&shown["name"])), bold()));
    for key in ["rate", "capacity", "overflow"] {
        if !shown[key].is_null() {
            output::line(format!("  {key:<10} {}", word(&shown[key])));
        }
    }
}

fn tested(tried: &Value) {
    output::line(format!("in: {}", verdict(&tried["arrives"])));
    for left in tried["leaves"].as_array().into_iter().flatten() {
        output::line(format!("outside of {}: {}", word(&left["from"]), verdict(left)));
    }
}

fn verdict(verdict: &Value) -> String {
    let decision = paint(&word(&verdict["decision"]), bold());
    let reason = verdict["reason"].as_str().map(|reason| paint(reason, dim()));
    let event = verdict["event"].as_object().map(|event| {
        let part = |key| event.get(key).map(word).unwrap_or_default();
        format!("{} {} {}", part("name"), part("version"), part("data"))
    });
    let rest = reason.or(event).unwrap_or_default();
    format!("{decision} {rest}")
}

/// A text without its quotes, anything else as JSON.
fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
