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
    let (kind, format) = (form.kind(), form.text("format"));
    if kind == "array" {
        let items = form.items().and_then(|items| items.forms().first().copied());
        return match items {
            _ if many => "lists".to_owned(),
            Some(items) => format!("a list of {}", self::kind(items, true)),
            None => "a list of anything".to_owned(),
        };
    }
    let named = NAMES
        .iter()
        .find(|(of, with, ..)| *of == kind && (with.is_none() || *with == format));
    let (one, several) = named.map_or(("something else", "things"), |(.., one, several)| {
        (*one, *several)
    });
    if many { several } else { one }.to_owned()
}

/// What a kind of value is called: the kind, its format where it matters, one, several. Those with a
/// format stand before those without.
const NAMES: [(&str, Option<&str>, &str, &str); 10] = [
    (
        "string",
        Some("span"),
        "a length of time, as in \"30m\"",
        "lengths of time",
    ),
    (
        "string",
        Some("percent"),
        "a percentage, as in \"80%\"",
        "percentages",
    ),
    (
        "string",
        Some("date-time"),
        "a date and time with an offset",
        "dates",
    ),
    (
        "string",
        Some("bytes"),
        "a number of bytes, as in \"2GiB\"",
        "numbers of bytes",
    ),
    ("string", None, "a string", "strings"),
    ("integer", None, "an integer", "integers"),
    (
        "number",
        Some("dollars"),
        "an amount of dollars, as in 0.5",
        "amounts of dollars",
    ),
    ("number", None, "a number", "numbers"),
    ("boolean", None, "true or false", "truth values"),
    ("object", None, "a table", "tables"),
];

/// How to write it, for the mistakes that are made most.
pub(super) fn advice(forms: &[Schema<'_>], value: &Value, path: &Path) -> Option<String> {
    let form = forms.first()?;
    let items = form.items().and_then(|items| items.forms().first().copied());
    match (value, form.kind()) {
        (Value::Table(_), "array") if items.is_some_and(|items| items.kind() == "object") => {
            Some(format!("write [[{}]]", path.keys()))
        }
        (Value::Text(text), kind) => about_text(text, kind),
        (Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Date(_), "string") => {
            Some(in_quotes(value, *form).to_owned())
        }
        (Value::List(_), "object") if matches!(path.0.last(), Some(Step::Key(_))) => {
            Some(format!("write [{}]", path.keys()))
        }
        _ => None,
    }
}

fn in_quotes(value: &Value, form: Schema<'_>) -> &'static str {
    match value {
        Value::Integer(_) if form.text("format") == Some("span") => "write it with its unit in quotes",
        _ => "write it in quotes",
    }
}

/// What is in quotes, and wanted otherwise.
fn about_text(text: &str, wanted: &str) -> Option<String> {
    let is_bare = match wanted {
        "array" => return Some(format!("write [\"{}\"]", super::shown(text))),
        "number" => text.trim().parse::<f64>().is_ok(),
        "integer" => text.trim().parse::<i64>().is_ok(),
        "boolean" => matches!(text.trim(), "true" | "false"),
        _ => false,
    };
    is_bare.then(|| "write it without quotes".to_owned())
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
    match form.kind() {
        "integer" => Value::Integer(1),
        "number" => Value::Float(1.0),
        "boolean" => Value::Boolean(true),
        "array" => Value::List(Vec::new()),
        "object" => {
            let required = form.required().filter_map(|key| Some((key, form.property(key)?)));
            let entry = |(key, schema): (&str, Schema<'_>)| {
                let value = placeholder(schema);
                (key.to_owned(), Node { at: 0, value })
            };
            Value::Table(required.map(entry).collect())
        }
        _ => Value::Text(text_for(form.text("format")).to_owned()),
    }
}

fn text_for(format: Option<&str>) -> &'static str {
    match format {
        Some("span") => "1m",
        Some("bytes") => "1GiB",
        Some("percent") => "50%",
        Some("date-time") => "2100-01-01T00:00:00Z",
        _ => PLACEHOLDER,
    }
}
