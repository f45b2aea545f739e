//! The layers that stand in no file: variables and flags.

use super::{Overrides, Sources};
use crate::config::{
    document::{Document, Node, Origin, Value, parse_value},
    schema::Schema,
};

/// Variables with this beginning and a double underscore are configuration.
const PREFIX: &str = "WORKNODE_";
/// Keys that a variable names at the most. The configuration has no more without a list.
const KEYS: usize = 8;

/// The layer of the environment. Variables without a double underscore are something else:
/// `WORKNODE_RUN` and its like are set for agents.
pub(super) fn variables(sources: &Sources, schema: Schema<'_>) -> Document {
    let mut variables: Vec<(&str, &str, &str)> = sources
        .env
        .iter()
        .filter_map(|(name, value)| {
            let key = name.strip_prefix(PREFIX).filter(|key| key.contains("__"))?;
            Some((name.as_str(), key, value.as_str()))
        })
        .collect();
    variables.sort_unstable();
    let mut root = Node::table();
    for (at, (_, key, value)) in variables.iter().enumerate() {
        let keys: Vec<String> = key.splitn(KEYS, "__").map(str::to_lowercase).collect();
        insert(
            &mut root,
            &keys,
            Node {
                at,
                value: read_as_wanted(value, &keys, schema, at),
            },
        );
    }
    let names = variables.iter().map(|(name, _, _)| (*name).to_owned()).collect();
    Document {
        origin: Origin::Variables(names),
        root,
    }
}

/// A variable is text. Where no text is wanted it is read as TOML; what cannot be read so stays
/// text, and is found to be of the wrong type.
fn read_as_wanted(text: &str, keys: &[String], schema: Schema<'_>, at: usize) -> Value {
    let mut forms = schema.forms();
    for key in keys {
        let property = forms
            .first()
            .and_then(|form| form.property(key).or_else(|| form.additional()));
        forms = property.map(Schema::forms).unwrap_or_default();
    }
    let wants_text = forms.iter().any(|form| matches!(form.kind(), "string" | ""));
    let value = if wants_text {
        None
    } else {
        parse_value(text.trim(), at)
    };
    value.map_or_else(|| Value::Text(text.to_owned()), |node| node.value)
}

/// Puts a value in at its keys. One that stands in the way of another gives way to it, and the
/// check finds what is left of them to be of the wrong type.
fn insert(table: &mut Node, keys: &[String], value: Node) {
    let at = value.at;
    let (Value::Table(entries), Some((key, rest))) = (&mut table.value, keys.split_first()) else {
        *table = value;
        return;
    };
    let place = match entries.iter().position(|(name, _)| name == key) {
        Some(place) => place,
        None => {
            entries.push((key.clone(), Node { at, ..Node::table() }));
            entries.len() - 1
        }
    };
    let Some((_, child)) = entries.get_mut(place) else {
        return;
    };
    if rest.is_empty() {
        *child = value;
    } else {
        if !matches!(child.value, Value::Table(_)) {
            *child = Node { at, ..Node::table() };
        }
        insert(child, rest, value);
    }
}

/// The layer of the flags.
pub(super) fn flags(overrides: &Overrides) -> Document {
    let text = |value: &Option<String>| value.clone().map(Value::Text);
    let agents = overrides.agents.map(|agents| Value::Integer(agents.into()));
    let given = [
        ("--listen", ["daemon", "listen"], text(&overrides.listen)),
        ("--base", ["team", "base"], text(&overrides.base)),
        ("--agents", ["limits", "agents"], agents),
    ];
    let (mut root, mut names) = (Node::table(), Vec::new());
    for (name, keys, value) in given {
        if let Some(value) = value {
            let keys = keys.map(str::to_owned);
            insert(
                &mut root,
                &keys,
                Node {
                    at: names.len(),
                    value,
                },
            );
            names.push(name);
        }
    }
    Document {
        origin: Origin::Flags(names),
        root,
    }
}
