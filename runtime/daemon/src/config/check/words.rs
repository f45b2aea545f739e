//! What was found and what is wanted, in words; and what to put in place of a mistake.

use super::{PLACEHOLDER, Path, Schema, Value};
use crate::config::{document::Node, path::Step};

/// A value in words.
pub(super) const fn found(value: &Value) -> &'static str {
    match value {
        Value::Text(_) => "a string",
        Value::Integer(_) => "an integer",
        Value::Float(_) => "a number with a fraction",
        Value::Boolean(_) => "true or false",
        Value::Date(_) => "a date",
        Value::List(_) => "a list",
        Value::Table(_) => "a table",
    }
}

/// The forms of a value in words.
pub(super) fn wanted(forms: &[Schema<'_>]) -> String {
    let words: Vec<&str> = forms.iter().flat_map(|form| form.words()).collect();
    if !words.is_empty() {
        return format!("one of: {}", words.join(", "));
    }
    let kinds: Vec<String> = forms.iter().map(|form| kind(*form, false)).collect();
    kinds.join(" or ")
}

fn kind(form: Schema<'_>, many: bool) -> String {
    let (one, several) = match (form.kind(), form.text("format")) {
        ("string", Some("span")) => ("a length of time, as in \"30m\"", "lengths of time"),
        ("string", Some("percent")) => ("a percentage, as in \"80%\"", "percentages"),
        ("string", Some("date-time")) => ("a date and time with an offset", "dates"),
        ("string", Some("bytes")) => ("a number of bytes, as in \"2GiB\"", "numbers of bytes"),
        ("string", _) => ("a string", "strings"),
        ("integer", _) => ("an integer", "integers"),
        ("number", Some("dollars")) => ("an amount of dollars, as in 0.5", "amounts of dollars"),
        ("number", _) => ("a number", "numbers"),
        ("boolean", _) => ("true or false", "truth values"),
        ("object", _) => ("a table", "tables"),
        ("array", _) => {
            let items = form.items().and_then(|items| items.forms().first().copied());
            let items = items.map_or_else(|| "anything".to_owned(), |items| kind(items, true));
            return if many {
                "lists".to_owned()
            } else {
                format!("a list of {items}")
            };
        }
        _ => ("something else", "things"),
    };
    if many { several } else { one }.to_owned()
}

/// How to write it, for the mistakes that are made most.
pub(super) fn advice(forms: &[Schema<'_>], value: &Value, path: &Path) -> Option<String> {
    let form = forms.first()?;
    let items = form.items().and_then(|items| items.forms().first().copied());
    match (value, form.kind()) {
        (Value::Table(_), "array") if items.is_some_and(|items| items.kind() == "object") => {
            Some(format!("write [[{}]]", path.keys()))
        }
        (Value::Text(text), "array") => Some(format!("write [\"{}\"]", super::shown(text))),
        (Value::Integer(_), "string") if form.text("format") == Some("span") => {
            Some("write it with its unit in quotes".to_owned())
        }
        (Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Date(_), "string") => {
            Some("write it in quotes".to_owned())
        }
        (Value::Text(text), "number") if text.trim().parse::<f64>().is_ok() => {
            Some("write it without quotes".to_owned())
        }
        (Value::Text(text), "integer") if text.trim().parse::<i64>().is_ok() => {
            Some("write it without quotes".to_owned())
        }
        (Value::Text(text), "boolean") if matches!(text.trim(), "true" | "false") => {
            Some("write it without quotes".to_owned())
        }
        (Value::List(_), "object") if matches!(path.0.last(), Some(Step::Key(_))) => {
            Some(format!("write [{}]", path.keys()))
        }
        _ => None,
    }
}

/// The known key that has the same letters in another order: `nmae` for `name`.
pub(super) fn reordered<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let letters = |text: &str| {
        let mut letters: Vec<char> = text.chars().take(64).collect();
        letters.sort_unstable();
        letters
    };
    let wanted = letters(key);
    known.iter().copied().find(|name| letters(name) == wanted)
}

/// Something that the schema allows.
pub(in crate::config) fn placeholder(schema: Schema<'_>) -> Value {
    let Some(form) = schema.forms().first().copied() else {
        return Value::Boolean(true);
    };
    if let Some(word) = form.words().first() {
        return Value::Text((*word).to_owned());
    }
    match (form.kind(), form.text("format")) {
        ("string", Some("span")) => Value::Text("1m".to_owned()),
        ("string", Some("bytes")) => Value::Text("1GiB".to_owned()),
        ("string", Some("percent")) => Value::Text("50%".to_owned()),
        ("string", Some("date-time")) => Value::Text("2100-01-01T00:00:00Z".to_owned()),
        ("integer", _) => Value::Integer(1),
        ("number", _) => Value::Float(1.0),
        ("boolean", _) => Value::Boolean(true),
        ("array", _) => Value::List(Vec::new()),
        ("object", _) => {
            let required = form.required().filter_map(|key| Some((key, form.property(key)?)));
            let entry = |(key, schema): (&str, Schema<'_>)| {
                let value = placeholder(schema);
                (key.to_owned(), Node { at: 0, value })
            };
            Value::Table(required.map(entry).collect())
        }
        _ => Value::Text(PLACEHOLDER.to_owned()),
    }
}
