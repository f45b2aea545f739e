//! One form of data into another.
//!
//! The parts of a [`Translation`] are applied in the order in which they stand there: `rename`,
//! `keep`, `drop`, `map`, `constant`, `convert`. Each sees what the one before made, so `keep` and
//! `drop` speak of the new names, and `constant` may bring back a name that was dropped.
//!
//! A path is names with dots between, as in `result.tests.passed`, and leads through tables only:
//! a list is kept, renamed or dropped as a whole, and nothing in it is touched. A path that leads
//! nowhere is no mistake: events have parts that are not always there.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Number, Value};
use worknode_core::{
    bounds::MEMBRANE_PARTS,
    membrane::{Convert, Translation},
};

/// Names in a path.
const STEPS: usize = 32;

/// Why a translation has no result for some data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Data of events and attributes are tables.
    #[error("the data is not a table")]
    NotATable,
    /// Something that is no table stands where a path leads through.
    #[error("`{path}` cannot be set: something that is no table stands on the way")]
    Blocked {
        /// The path.
        path: String,
    },
    /// The value cannot be of that type.
    #[error("`{path}` is {found}, which cannot become {to}")]
    CannotConvert {
        /// Where.
        path: String,
        /// What stands there.
        found: String,
        /// What it should become.
        to: &'static str,
    },
}

/// Applies `translation` to `data`.
///
/// # Errors
/// [`Why`] there is no result.
pub fn apply(translation: &Translation, data: Value) -> Result<Value, Why> {
    let Value::Object(mut data) = data else {
        return Err(Why::NotATable);
    };
    rename(&mut data, &translation.rename)?;
    if let Some(kept) = &translation.keep {
        data = keep(&data, kept)?;
    }
    for path in &translation.drop {
        take(&mut data, path);
    }
    for (path, table) in &translation.map {
        replace(&mut data, path, table);
    }
    for (path, value) in &translation.constant {
        put(&mut data, path, value.clone())?;
    }
    for (path, to) in &translation.convert {
        if let Some(value) = find(&mut data, path) {
            *value = converted(path, value, *to)?;
        }
    }
    Ok(Value::Object(data))
}

fn rename(data: &mut Map<String, Value>, names: &BTreeMap<String, String>) -> Result<(), Why> {
    // The longest first, so that `a.b` is taken out of `a` before `a` goes; and all are taken
    // before any is put down, so that two can change places.
    let taken: Vec<_> = names
        .iter()
        .rev()
        .filter_map(|(from, to)| Some((to, take(data, from)?)))
        .collect();
    taken
        .into_iter()
        .rev()
        .try_for_each(|(to, value)| put(data, to, value))
}

/// A value that the table knows becomes what the table has for it; another one stays.
fn replace(data: &mut Map<String, Value>, path: &str, table: &BTreeMap<String, Value>) {
    if let Some(value) = find(data, path)
        && let Some(new) = as_text(value).and_then(|text| table.get(&text))
    {
        *value = new.clone();
    }
}

/// What is wrong with a translation, each with its key. `of_events` also asks for types.
#[must_use]
pub fn mistakes(translation: &Translation, of_events: bool) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut wrong = |key: String, what: Option<String>| found.extend(what.map(|what| (key, what)));
    if of_events {
        wrong("from".to_owned(), bad_type(&translation.from));
    }
    if let Some(to) = &translation.to {
        wrong("to".to_owned(), bad_type(to));
    }
    let parts = translation.rename.len()
        + translation.keep.as_ref().map_or(0, Vec::len)
        + translation.drop.len()
        + translation.map.len()
        + translation.constant.len()
        + translation.convert.len();
    wrong(
        String::new(),
        (parts > MEMBRANE_PARTS).then(|| format!("a translation has at most {MEMBRANE_PARTS} parts")),
    );
    for (from, to) in &translation.rename {
        wrong(format!("rename.{from}"), bad_path(from).or_else(|| bad_path(to)));
    }
    let listed = translation.keep.iter().flatten().enumerate();
    let kept = listed.map(|(at, path)| (format!("keep[{at}]"), path));
    let dropped = translation.drop.iter().enumerate();
    let dropped = dropped.map(|(at, path)| (format!("drop[{at}]"), path));
    let mapped = translation.map.keys().map(|path| (format!("map.{path}"), path));
    let set = translation.constant.keys();
    let set = set.map(|path| (format!("constant.{path}"), path));
    let converted = translation.convert.keys();
    let converted = converted.map(|path| (format!("convert.{path}"), path));
    for (key, path) in kept.chain(dropped).chain(mapped).chain(set).chain(converted) {
        wrong(key, bad_path(path));
    }
    found
}

/// What is wrong with the type of an event.
pub(super) fn bad_type(name: &str) -> Option<String> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '*' | '?' | ',');
    if name.is_empty() || name.len() > 128 {
        Some("a type has 1 to 128 bytes".to_owned())
    } else if name.contains(odd) {
        Some(format!("`{name}` is no type: it has a blank, `,`, `*` or `?`"))
    } else {
        None
    }
}

pub(super) fn bad_path(path: &str) -> Option<String> {
    if path.is_empty() || path.split('.').any(str::is_empty) {
        Some(format!(
            "`{path}` is no path; write names with dots between, as in `result.passed`"
        ))
    } else if path.split('.').count() > STEPS {
        Some(format!("a path has at most {STEPS} names"))
    } else {
        None
    }
}

/// A path to something that nobody outside sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path(Box<[String]>);

impl Path {
    pub(super) fn new(text: &str) -> Self {
        Self(text.split('.').map(str::to_owned).collect())
    }

    /// Takes all that it leads to out of `data`. Here a path leads through lists too, into each of
    /// their items: what must not be seen must not be seen there.
    pub(super) fn redact(&self, data: &mut Map<String, Value>) -> bool {
        redact(data, &self.0)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

fn redact(data: &mut Map<String, Value>, path: &[String]) -> bool {
    match path {
        [] => false,
        [last] => data.remove(last).is_some(),
        [first, rest @ ..] => data.get_mut(first).is_some_and(|value| redact_in(value, rest)),
    }
}

fn redact_in(value: &mut Value, path: &[String]) -> bool {
    match value {
        Value::Object(table) => redact(table, path),
        Value::Array(items) => {
            let mut any = false;
            for item in items {
                any |= redact_in(item, path);
            }
            any
        }
        _ => false,
    }
}

fn take(data: &mut Map<String, Value>, path: &str) -> Option<Value> {
    match path.rsplit_once('.') {
        None => data.remove(path),
        Some((way, last)) => find(data, way)?.as_object_mut()?.remove(last),
    }
}

fn find<'a>(data: &'a mut Map<String, Value>, path: &str) -> Option<&'a mut Value> {
    let mut steps = path.split('.');
    let mut at = data.get_mut(steps.next()?)?;
    for step in steps {
        at = at.as_object_mut()?.get_mut(step)?;
    }
    Some(at)
}

fn get<'a>(data: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut steps = path.split('.');
    let mut at = data.get(steps.next()?)?;
    for step in steps {
        at = at.as_object()?.get(step)?;
    }
    Some(at)
}

/// Sets what is at `path`, with the tables on the way.
fn put(data: &mut Map<String, Value>, path: &str, value: Value) -> Result<(), Why> {
    let blocked = || Why::Blocked {
        path: path.to_owned(),
    };
    let mut table = data;
    let mut steps = path.split('.').peekable();
    while let Some(step) = steps.next() {
        if steps.peek().is_none() {
            table.insert(step.to_owned(), value);
            return Ok(());
        }
        let next = table.entry(step).or_insert_with(|| Value::Object(Map::new()));
        table = next.as_object_mut().ok_or_else(blocked)?;
    }
    Ok(())
}

fn keep(data: &Map<String, Value>, paths: &[String]) -> Result<Map<String, Value>, Why> {
    let mut kept = Map::new();
    // The shortest first: what is kept as a whole holds what is kept of it.
    let mut paths: Vec<&String> = paths.iter().collect();
    paths.sort();
    for path in paths {
        if let Some(value) = get(data, path) {
            put(&mut kept, path, value.clone())?;
        }
    }
    Ok(kept)
}

/// A value as a key of a table of `map`.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Object(_) => None,
        plain => Some(plain.to_string()),
    }
}

/// Nothing stays nothing, whatever its type.
fn converted(path: &str, value: &Value, to: Convert) -> Result<Value, Why> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let (new, name) = match to {
        Convert::String => (as_text(value).map(Value::from), "text"),
        Convert::Integer => (whole(value).map(Value::from), "a whole number"),
        Convert::Number => (number(value).map(Value::Number), "a number"),
        Convert::Boolean => (truth(value).map(Value::from), "true or false"),
    };
    new.ok_or_else(|| Why::CannotConvert {
        path: path.to_owned(),
        found: shown(value),
        to: name,
    })
}

fn whole(value: &Value) -> Option<i64> {
    /// Up to here a float has every whole number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let of_real = |real: f64| {
        let exact = real.fract() == 0.0 && real.abs() <= EXACT;
        exact.then(|| format!("{real:.0}").parse().ok()).flatten()
    };
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(of_real)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| text.parse().ok().and_then(of_real))
        }
        _ => None,
    }
}

fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => {
            let text = text.trim();
            let whole = text.parse::<i64>().ok().map(Number::from);
            whole.or_else(|| Number::from_f64(text.parse().ok()?))
        }
        _ => None,
    }
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => match number.as_i64() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A value in a message: no more of it than fits there.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
