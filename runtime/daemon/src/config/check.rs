//! Checks a layer against the JSON Schema, noting every mistake instead of stopping at the
//! first.
//!
//! Each mistake is also *mended* in the layer: a value of the wrong type gives way to a
//! [`PLACEHOLDER`] of the right one, a misspelt key is read as the one that was meant. So the
//! rest can be read and checked for its meaning, and all mistakes are told at once. Nothing
//! that was mended is ever used: where there is a mistake, nothing is started.

use std::collections::BTreeSet;

use worknode_core::{
    amount::{Bytes, Dollars},
    time::{Span, Timestamp},
};
use worknode_policies::names::{self, Suggestions};
use worknode_triggers::spec::Percent;

use super::{
    document::{Node, Value},
    path::{Path, shown},
    schema::Schema,
};

mod words;

pub(super) use words::placeholder;

/// Stands for a text that could not be read. What is said about it is a consequence.
pub(super) const PLACEHOLDER: &str = "not-read-0f3a";

/// Keys of the design that this version does not have, so that nobody thinks they misspelt them.
const LATER: [&str; 0] = [];

/// A mistake at a position of the layer.
#[derive(Debug)]
pub(super) struct Finding {
    pub at: usize,
    pub key: String,
    pub message: String,
    pub hint: Option<String>,
}

/// Checks layers and remembers what was wrong.
#[derive(Debug, Default)]
pub(super) struct Checker {
    pub findings: Vec<Finding>,
    /// How many were found beyond the bound.
    pub left_out: usize,
    /// The keys that were mended. What else is wrong with them is a consequence.
    pub mended: BTreeSet<String>,
    path: Path,
    suggestions: Suggestions,
}

impl Checker {
    /// Checks a layer and mends it.
    pub(super) fn layer(&mut self, root: &mut Node, schema: Schema<'_>) {
        self.node(root, schema, false);
    }

    /// Notes that `key` is missing in the merged layers.
    pub(super) fn missing(&mut self, at: usize, key: &str) {
        self.path.push_key(key);
        self.say(at, format!("`{key}` is missing"), None);
        self.path.pop();
    }

    fn say(&mut self, at: usize, message: impl Into<String>, hint: Option<String>) {
        if self.findings.len() >= super::mistake::KEPT {
            self.left_out += 1;
            return;
        }
        let key = self.path.to_string();
        self.mended.insert(key.clone());
        self.findings.push(Finding {
            at,
            key,
            message: message.into(),
            hint,
        });
    }

    fn node(&mut self, node: &mut Node, schema: Schema<'_>, in_list: bool) {
        let forms = schema.forms();
        let Some(form) = forms.iter().find(|form| fits(**form, &node.value)).copied() else {
            let message = format!(
                "found {}, want {}",
                words::found(&node.value),
                words::wanted(&forms)
            );
            let advice = words::advice(&forms, &node.value, &self.path);
            return self.replace(node, schema, message, advice);
        };
        match &mut node.value {
            Value::Text(_) if !form.words().is_empty() => self.word(node, schema, &forms),
            Value::Text(_) | Value::Date(_) => self.format(node, form),
            Value::Integer(_) | Value::Float(_) => self.number(node, schema, form),
            Value::List(items) => self.items(items, form),
            Value::Table(_) => self.table(node, form, in_list),
            Value::Boolean(_) => {}
        }
    }

    fn number(&mut self, node: &mut Node, schema: Schema<'_>, form: Schema<'_>) {
        if let Some(message) = out_of_range(&node.value, form) {
            self.replace(node, schema, message, None);
        }
    }

    fn items(&mut self, items: &mut [Node], form: Schema<'_>) {
        if let Some(schema) = form.items() {
            self.list(items, schema);
        }
    }

    /// Notes a mistake and puts something harmless in its place.
    fn replace(&mut self, node: &mut Node, schema: Schema<'_>, message: String, hint: Option<String>) {
        self.say(node.at, message, hint);
        node.value = placeholder(schema);
    }

    fn word(&mut self, node: &mut Node, schema: Schema<'_>, forms: &[Schema<'_>]) {
        let Value::Text(text) = &node.value else { return };
        let words: Vec<&str> = forms.iter().flat_map(|form| form.words()).collect();
        if !words.contains(&text.as_str()) {
            let hint = self.suggestions.did_you_mean(text, words.iter().copied());
            let message = format!("`{}` is none of: {}", shown(text), words.join(", "));
            self.replace(node, schema, message, hint);
        }
    }

    fn format(&mut self, node: &mut Node, form: Schema<'_>) {
        let (Value::Text(text) | Value::Date(text)) = &node.value else {
            return;
        };
        let text = text.clone();
        let error = match form.text("format") {
            Some("bytes") => text.parse::<Bytes>().err().map(|error| error.to_string()),
            Some("span") => text.parse::<Span>().err().map(|error| error.to_string()),
            Some("percent") => text.parse::<Percent>().err().map(|error| error.to_string()),
            Some("date-time") => text.parse::<Timestamp>().err().map(|error| error.to_string()),
            _ => None,
        };
        match error {
            // The error quotes the text; what it quotes must fit into a line.
            Some(error) => self.replace(node, form, error.replacen(&text, &shown(&text), 1), None),
            None => node.value = Value::Text(text),
        }
    }

    /// What could not be read stays as a placeholder, so that the others keep their numbers.
    fn list(&mut self, items: &mut [Node], schema: Schema<'_>) {
        for (index, item) in items.iter_mut().enumerate() {
            self.path.push_index(index);
            self.node(item, schema, true);
            self.path.pop();
        }
    }

    fn table(&mut self, node: &mut Node, form: Schema<'_>, in_list: bool) {
        let at = node.at;
        let Value::Table(entries) = &mut node.value else {
            return;
        };
        let mut taken: BTreeSet<String> = entries.iter().map(|(key, _)| key.clone()).collect();
        let mut kept: Vec<(String, Node)> = Vec::with_capacity(entries.len());
        for (key, mut child) in std::mem::take(entries) {
            let schema = form.property(&key).or_else(|| form.additional());
            let known = match schema {
                Some(schema) => Some((key, schema)),
                None if form.is_closed() => self.unknown(&key, child.at, form, &mut taken),
                // The form is somebody else's: a schema, data of a translation.
                None => {
                    kept.push((key, child));
                    continue;
                }
            };
            let Some((key, schema)) = known else { continue };
            self.path.push_key(&key);
            self.node(&mut child, schema, in_list);
            self.path.pop();
            kept.push((key, child));
        }
        // Elsewhere another layer may have it.
        if in_list {
            self.required(form, at, &mut kept);
        }
        *entries = kept;
    }

    /// What has to be there, and is not.
    fn required(&mut self, form: Schema<'_>, at: usize, kept: &mut Vec<(String, Node)>) {
        for key in form.required() {
            if kept.iter().all(|(other, _)| other != key) {
                self.missing(at, key);
                let value = form.property(key).map_or(Value::Boolean(true), placeholder);
                kept.push((key.to_owned(), Node { at, value }));
            }
        }
    }

    /// Notes an unknown key. The one that was probably meant, when it is not there beside it.
    fn unknown<'s>(
        &mut self,
        key: &str,
        at: usize,
        form: Schema<'s>,
        taken: &mut BTreeSet<String>,
    ) -> Option<(String, Schema<'s>)> {
        if self.findings.len() >= super::mistake::KEPT {
            self.left_out += 1;
            return None;
        }
        self.path.push_key(key);
        let known: Vec<&str> = form.properties().map(|(name, _)| name).collect();
        let message = format!("there is no key `{}`", shown(key));
        if LATER.contains(&self.path.keys().as_str()) {
            let hint = "not available in this version; leave it out".to_owned();
            self.say(at, message, Some(hint));
            self.path.pop();
            return None;
        }
        let meant = names::nearest(key, known.iter().copied()).or_else(|| words::reordered(key, &known));
        let hint = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("there are: {}", known.join(", ")),
        };
        self.say(at, message, Some(hint));
        self.path.pop();
        let meant = meant.filter(|meant| taken.insert((*meant).to_owned()))?;
        self.path.push_key(meant);
        self.mended.insert(self.path.to_string());
        self.path.pop();
        Some((meant.to_owned(), form.property(meant)?))
    }
}

/// Is the value of the form's type?
fn fits(form: Schema<'_>, value: &Value) -> bool {
    match value {
        Value::Text(_) => matches!(form.kind(), "string" | ""),
        Value::Integer(_) => matches!(form.kind(), "integer" | "number" | ""),
        Value::Float(_) => matches!(form.kind(), "number" | ""),
        Value::Boolean(_) => matches!(form.kind(), "boolean" | ""),
        Value::Date(_) => form.text("format") == Some("date-time"),
        Value::List(_) => matches!(form.kind(), "array" | ""),
        Value::Table(_) => matches!(form.kind(), "object" | ""),
    }
}

/// What is wrong with a number.
fn out_of_range(value: &Value, form: Schema<'_>) -> Option<String> {
    if form.text("format") == Some("dollars") {
        return not_dollars(value);
    }
    let Value::Integer(number) = *value else {
        return None;
    };
    let (least, most) = range_of(form.text("format"));
    let bound = |keyword| {
        form.get(keyword)
            .and_then(serde_json::Value::as_i64)
            .map(i128::from)
    };
    let least: i128 = bound("minimum").unwrap_or(least);
    let most: i128 = bound("maximum").unwrap_or(most);
    if number < least {
        Some(format!("{number} is too small; at least {least}"))
    } else if number > most {
        Some(format!("the number is too large; at most {most}"))
    } else {
        None
    }
}

fn not_dollars(value: &Value) -> Option<String> {
    let number = match value {
        Value::Float(number) => *number,
        #[expect(
            clippy::cast_precision_loss,
            reason = "far beyond all money it makes no difference"
        )]
        Value::Integer(number) => *number as f64,
        _ => return None,
    };
    Dollars::try_from(number).err().map(|error| error.to_string())
}

/// What the type of a number can hold. TOML has 64 bits with a sign, whatever the type has.
fn range_of(format: Option<&str>) -> (i128, i128) {
    match format {
        Some("uint8") => (0, u8::MAX.into()),
        Some("uint16") => (0, u16::MAX.into()),
        Some("uint32") => (0, u32::MAX.into()),
        Some("int32") => (i32::MIN.into(), i32::MAX.into()),
        Some("uint64" | "uint") => (0, i64::MAX.into()),
        _ => (i64::MIN.into(), i64::MAX.into()),
    }
}

#[cfg(test)]
mod tests;
