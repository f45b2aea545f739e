//! `worknode memory`: values under keys.

use serde_json::{Value, json};
use worknode_actors::memory::Entry;
use worknode_core::error::Error;

use super::{dry, events, search::Question, task::prompt};
use crate::{
    args::notes::Memory,
    client::{Client, escaped},
    events::Names,
    output::{self, Form, cell, table},
    place::Place,
};

pub(crate) async fn memory(place: &Place, args: Memory, form: Form) -> Result<(), Error> {
    let client = place.client()?;
    match args {
        Memory::Set {
            key,
            value,
            ttl,
            if_version,
        } => {
            let mut body = json!({ "value": value_of(value)?, "if_version": if_version });
            if let Some(ttl) = ttl {
                body["ttl"] = json!(ttl.to_string());
            }
            show(&client.put(&path(&key), &body, None).await?, form)
        }
        Memory::Get { key } => show(&client.get(&path(&key)).await?, form),
        Memory::List {
            namespace,
            limit,
            after,
        } => list(&client, namespace, limit, after, form).await,
        Memory::Delete { key, dry_run: true } => {
            let entry: Entry = client.get(&path(&key)).await?;
            dry::would(
                "forget",
                &[format!("{} (version {})", entry.key, entry.version)],
                form,
            )
        }
        Memory::Delete { key, .. } => {
            let gone: Value = client.delete(&path(&key)).await?;
            if form == Form::Json {
                return output::json(&gone);
            }
            let what = if gone["deleted"] == true {
                "forgotten"
            } else {
                "nothing was there"
            };
            output::line(format!("{key}: {what}"));
            Ok(())
        }
        Memory::Watch { namespace } => {
            let mut question = Question::default();
            question.set("namespace", Some(namespace));
            question.set("watch", Some(true));
            let path = format!("/memory?{}", question.text());
            events::stream(&client, &path, &mut Names::default(), form).await
        }
    }
}

fn path(key: &str) -> String {
    let parts: Vec<String> = key.split('/').map(escaped).collect();
    format!("/memory/{}", parts.join("/"))
}

/// JSON where it reads as such, else text.
fn value_of(text: String) -> Result<Value, Error> {
    let text = prompt(Some(text))?;
    Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn show(entry: &Entry, form: Form) -> Result<(), Error> {
    if form == Form::Json {
        return output::json(entry);
    }
    output::line(plain(&entry.value));
    Ok(())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

async fn list(
    client: &Client,
    namespace: Option<String>,
    limit: usize,
    after: Option<String>,
    form: Form,
) -> Result<(), Error> {
    let namespace = match namespace {
        Some(name) if !name.ends_with('/') => name,
        prefix => return namespaces(client, prefix.unwrap_or_default(), form).await,
    };
    let mut question = Question::default();
    question.set("namespace", Some(&namespace));
    question.set("limit", Some(limit));
    question.set("after", after);
    let entries: Vec<Entry> = client.get(&format!("/memory?{}", question.text())).await?;
    if form == Form::Json {
        return output::json(&entries);
    }
    let mut rows = table(&["KEY", "VERSION", "BY", "VALUE"]);
    for entry in &entries {
        let value: String = plain(&entry.value).chars().take(80).collect();
        rows.add_row([
            cell(&entry.key),
            cell(entry.version.to_string()),
            cell(&entry.by),
            cell(value),
        ]);
    }
    output::rows(&rows, "nothing is remembered there");
    Ok(())
}

async fn namespaces(client: &Client, prefix: String, form: Form) -> Result<(), Error> {
    let mut question = Question::default();
    question.set("prefix", Some(prefix));
    let found: Value = client.get(&format!("/memory?{}", question.text())).await?;
    if form == Form::Json {
        return output::json(&found);
    }
    let names = found["namespaces"].as_array().map_or(&[][..], Vec::as_slice);
    for name in names {
        output::line(name.as_str().unwrap_or_default());
    }
    if names.is_empty() {
        let words = "nothing is remembered; `worknode memory set NAMESPACE/KEY VALUE` does";
        output::line(output::paint(words, output::dim()));
    }
    Ok(())
}
