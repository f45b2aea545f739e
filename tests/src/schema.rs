//! Whether what a command answers in JSON is what its schema says.
//!
//! Of JSON Schema it knows what ours are made of; a word that it does not know is a mistake of the
//! test, not a value that fits.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, LazyLock, Mutex, OnceLock},
};

use serde_json::{Map, Value};

use crate::program::command;

/// What only describes, and bounds: those of answers are the program's own.
const ASIDE: [&str; 19] = [
    "$schema",
    "$defs",
    "title",
    "description",
    "default",
    "examples",
    "format",
    "readOnly",
    "deprecated",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "pattern",
    "uniqueItems",
    "propertyNames",
    "prefixItems",
];

/// Asserts that the answer of `worknode ARGS --json` is as `worknode schema` says. Commands that have no
/// schema are left alone: which those are is a test of the program.
#[track_caller]
pub fn check_answer(dir: &Path, args: &[String], stdout: &str) {
    let Some((name, schema)) = schema_of(dir, args) else {
        return;
    };
    let is_lines = schema["description"]
        .as_str()
        .is_some_and(|said| said.starts_with("One document a line"));
    let documents: Vec<Value> = if is_lines {
        let read = |line| serde_json::from_str(line);
        let lines = stdout
            .lines()
            .map(|line| read(line).unwrap_or_else(|why| panic!("`{name} --json`, {line}: {why}")));
        lines.collect()
    } else {
        let whole = serde_json::from_str(stdout);
        vec![whole.unwrap_or_else(|why| panic!("`{name} --json` is no JSON: {why}\n{stdout}"))]
    };
    for document in documents {
        if let Err(why) = fits(&schema, &document) {
            panic!("`{name} --json` is not as its schema says: {why}\n{document:#}");
        }
    }
}

/// The command among these arguments, and its schema. Asked once for each command.
fn schema_of(dir: &Path, args: &[String]) -> Option<(String, Arc<Value>)> {
    static NAMES: OnceLock<Vec<String>> = OnceLock::new();
    static KNOWN: LazyLock<Mutex<HashMap<String, Arc<Value>>>> = LazyLock::new(Mutex::default);
    let names = NAMES.get_or_init(|| {
        let all = ask(dir, &["--json"]);
        serde_json::from_value(all["commands"].clone()).unwrap()
    });
    let words: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .take_while(|word| !word.starts_with('-'))
        .take(2)
        .collect();
    for count in (1..=words.len()).rev() {
        let name = words[..count].join(" ");
        if !names.contains(&name) {
            continue;
        }
        let known = KNOWN.lock().unwrap().get(&name).cloned();
        let schema = known.unwrap_or_else(|| {
            let schema = Arc::new(ask(dir, &words[..count]));
            KNOWN.lock().unwrap().insert(name.clone(), Arc::clone(&schema));
            schema
        });
        return Some((name, schema));
    }
    None
}

#[track_caller]
fn ask(dir: &Path, words: &[&str]) -> Value {
    let done = command(dir).arg("schema").args(words).output().unwrap();
    serde_json::from_slice(&done.stdout).unwrap_or_else(|why| panic!("schema {words:?}: {why}: {done:?}"))
}

/// Does `value` fit this schema?
///
/// # Errors
/// Where it does not, and why.
pub fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    Check { root: schema }.at(schema, value, ("", true))
}

/// Where something stands, and whether the schema at hand says all of it.
type Place<'a> = (&'a str, bool);

struct Check<'a> {
    root: &'a Value,
}

impl Check<'_> {
    fn at(&self, schema: &Value, value: &Value, (place, is_whole): Place<'_>) -> Result<(), String> {
        let words = match schema {
            Value::Bool(true) => return Ok(()),
            Value::Object(words) => words,
            other => return Err(format!("{place}: nothing fits {other}")),
        };
        for (word, says) in words {
            self.word(words, (word, says), value, (place, is_whole))?;
        }
        self.fields(words, value, (place, is_whole))
    }

    fn word(
        &self,
        words: &Map<String, Value>,
        (word, says): (&str, &Value),
        value: &Value,
        (place, is_whole): Place<'_>,
    ) -> Result<(), String> {
        // What stands beside properties says only a part.
        let part = (place, is_whole && !words.contains_key("properties"));
        match word {
            "$ref" => {
                let pointer = says.as_str().and_then(|text| text.strip_prefix('#')).unwrap();
                let target = self.root.pointer(pointer);
                let target = target.ok_or_else(|| format!("{place}: {says} leads nowhere"))?;
                self.at(target, value, part)
            }
            "anyOf" => self.some(says, value, part, 1..=usize::MAX),
            "oneOf" => self.some(says, value, part, 1..=1),
            "allOf" => {
                let all = says.as_array().unwrap();
                all.iter().try_for_each(|one| self.at(one, value, (place, false)))
            }
            // Together, below.
            "properties" | "required" | "additionalProperties" => Ok(()),
            "items" => {
                let items = value.as_array().into_iter().flatten().enumerate();
                let mut items = items.map(|(at, item)| self.at(says, item, (&format!("{place}/{at}"), true)));
                items.try_for_each(|item| item)
            }
            plain => is_so((plain, says), value, place),
        }
    }

    fn some(
        &self,
        forms: &Value,
        value: &Value,
        (place, is_whole): Place<'_>,
        wanted: std::ops::RangeInclusive<usize>,
    ) -> Result<(), String> {
        let forms = forms.as_array().unwrap();
        let tried: Vec<_> = forms
            .iter()
            .map(|form| self.at(form, value, (place, is_whole)))
            .collect();
        let fit = tried.iter().filter(|form| form.is_ok()).count();
        if wanted.contains(&fit) {
            return Ok(());
        }
        let why: Vec<String> = tried.into_iter().filter_map(Result::err).collect();
        Err(format!("{place}: {fit} of {} forms fit: {why:?}", forms.len()))
    }

    fn fields(
        &self,
        words: &Map<String, Value>,
        value: &Value,
        (place, is_whole): Place<'_>,
    ) -> Result<(), String> {
        let combines = ["$ref", "anyOf", "oneOf", "allOf"];
        let is_whole = is_whole && !combines.iter().any(|word| words.contains_key(*word));
        let Some(fields) = value.as_object() else {
            return Ok(());
        };
        let properties = words.get("properties").and_then(Value::as_object);
        for name in words
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if !fields.contains_key(name.as_str().unwrap()) {
                return Err(format!("{place}: {name} is missing"));
            }
        }
        for (name, field) in fields {
            let place = format!("{place}/{name}");
            match properties.and_then(|properties| properties.get(name)) {
                Some(schema) => self.at(schema, field, (&place, true))?,
                None => match words.get("additionalProperties") {
                    Some(Value::Bool(false)) => return Err(format!("{place} is not described")),
                    Some(schema) => self.at(schema, field, (&place, true))?,
                    // Ours are open; yet what an answer has must be described.
                    None if properties.is_some() && is_whole => {
                        return Err(format!("{place} is not described"));
                    }
                    None => {}
                },
            }
        }
        Ok(())
    }
}

/// What a word says of the value alone.
fn is_so((word, says): (&str, &Value), value: &Value, place: &str) -> Result<(), String> {
    let is = match word {
        "type" => return is_of(says, value, place),
        "enum" => says.as_array().unwrap().contains(value),
        "const" => says == value,
        aside if ASIDE.contains(&aside) => true,
        other => return Err(format!("{place}: this test does not know `{other}`")),
    };
    is.then_some(())
        .ok_or_else(|| format!("{place}: {value} is none of {says}"))
}

fn is_of(types: &Value, value: &Value, place: &str) -> Result<(), String> {
    let is = |kind: &Value| match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    };
    let fits = match types {
        Value::Array(types) => types.iter().any(is),
        one => is(one),
    };
    fits.then_some(())
        .ok_or_else(|| format!("{place}: {value} is no {types}"))
}
