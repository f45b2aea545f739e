//! What an operation answers, as a JSON Schema that needs nothing around it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    DOCUMENT,
    document::{PREFIX, SCHEMAS},
};

/// Where definitions lie in a schema that stands alone.
const OWN: &str = "#/$defs/";

/// The JSON Schema of what `verb path` answers when it succeeds, as in `get` and `/tasks/{id}`, path
/// and all as in the document. Nothing when there is no such operation, or it answers no JSON.
#[must_use]
pub fn answer_schema(verb: &str, path: &str) -> Option<Value> {
    let operation = DOCUMENT["paths"].get(format!("{PREFIX}{path}"))?.get(verb)?;
    let answers = operation["responses"].as_object()?.iter();
    let done = answers.filter(|(status, _)| status.starts_with('2'));
    let forms = done.filter_map(|(_, answer)| answer.pointer("/content/application~1json/schema"));
    let mut different: Vec<Value> = Vec::new();
    for form in forms {
        if !different.contains(form) {
            different.push(form.clone());
        }
    }
    let schema = match different.len() {
        0 => return None,
        1 => different.swap_remove(0),
        _ => json!({ "anyOf": different }),
    };
    Some(alone(schema))
}

/// The schema with all that it refers to.
fn alone(mut schema: Value) -> Value {
    let mut wanted = BTreeSet::new();
    take_along(&mut schema, &mut wanted);
    let mut definitions: BTreeMap<String, Value> = BTreeMap::new();
    while let Some(name) = wanted.pop_first() {
        if definitions.contains_key(&name) {
            continue;
        }
        let mut definition = DOCUMENT["components"]["schemas"][&name].clone();
        take_along(&mut definition, &mut wanted);
        definitions.insert(name, definition);
    }
    if !definitions.is_empty()
        && let Some(fields) = schema.as_object_mut()
    {
        fields.insert("$defs".to_owned(), json!(definitions));
    }
    schema
}

/// Points what refers to the document to what will stand beside it, and notes its names.
fn take_along(schema: &mut Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                let name = (key == "$ref")
                    .then(|| value.as_str().and_then(|text| text.strip_prefix(SCHEMAS)))
                    .flatten()
                    .map(str::to_owned);
                match name {
                    Some(name) => {
                        *value = format!("{OWN}{name}").into();
                        names.insert(name);
                    }
                    None => take_along(value, names),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| take_along(item, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_refers_to_comes_with_it() {
        let schema = answer_schema("get", "/tasks").unwrap();
        assert_eq!(schema["type"], "array");
        assert_eq!(schema["items"]["$ref"], "#/$defs/TaskView");
        assert!(schema["$defs"]["Finding"].is_object(), "{schema}");
        assert!(!schema.to_string().contains(SCHEMAS));
        assert_eq!(answer_schema("get", "/nothing"), None);
        assert_eq!(answer_schema("get", "/docs"), None, "no JSON");
    }
}
