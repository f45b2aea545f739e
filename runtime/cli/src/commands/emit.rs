//! `worknode emit`: an event of the user's own.

use std::{io::Read, path::Path};

use serde_json::{Map, Value, json};
use worknode_core::{
    bounds,
    error::{Code, Error},
};

use crate::{
    answers::own::Emitted,
    args::Emit,
    output::{self, Form},
    place::Place,
};

pub(crate) async fn emit(place: &Place, args: Emit, form: Form) -> Result<(), Error> {
    let mut data = match &args.file {
        Some(file) => table(file)?,
        None => Map::new(),
    };
    data.extend(args.data.into_iter().map(|(key, text)| (key, Value::from(text))));
    let mut body = json!({ "name": args.name, "version": args.version, "data": data });
    if let Some(node) = args.node {
        body["node"] = node.into();
    }
    let answer: Value = place.client()?.post("/events", &body).await?;
    match form {
        Form::Json => output::json(&Emitted {
            emitted: args.name,
            answer,
        }),
        Form::Text => {
            match answer.get("dead_letter").and_then(Value::as_str) {
                Some(letter) => output::line(format!("{} is kept as dead letter {letter}", args.name)),
                None => output::line(format!("emitted {}", args.name)),
            }
            Ok(())
        }
    }
}

/// A JSON object out of a file, or out of standard input.
pub(super) fn table(file: &Path) -> Result<Map<String, Value>, Error> {
    let wrong = |why: String| Error::new(Code::Usage, format!("`{}`: {why}", file.display()));
    let most = u64::try_from(bounds::EVENT_PAYLOAD).unwrap_or(u64::MAX);
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin()
            .take(most.saturating_add(1))
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(file)
            .and_then(|opened| opened.take(most.saturating_add(1)).read_to_string(&mut text))
    };
    let read = read.map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if read > bounds::EVENT_PAYLOAD {
        return Err(wrong(format!("is larger than {} bytes", bounds::EVENT_PAYLOAD)));
    }
    match serde_json::from_str(&text) {
        Ok(Value::Object(table)) => Ok(table),
        Ok(_) => Err(wrong("is no JSON object".to_owned()).hint("write {\"key\": value, …}")),
        Err(error) => Err(wrong(format!("is not JSON: {error}"))),
    }
}
