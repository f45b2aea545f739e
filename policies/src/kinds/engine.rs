//! The way to what checks and what translates.

use serde_json::{Map, Value};
use worknode_core::membrane::Translation;

#[derive(Clone, Debug)]
pub(super) struct Schema(Value);

pub(super) fn compile(schema: &Value) -> Result<Schema, Vec<(String, String)>> {
    if schema.is_object() {
        Ok(Schema(schema.clone()))
    } else {
        Err(vec![(String::new(), "a schema is an object".to_owned())])
    }
}

pub(super) fn check(schema: &Schema, value: &Value) -> Result<(), String> {
    let required = schema.0.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            return Err(format!("`{name}` is missing"));
        }
    }
    Ok(())
}

pub(super) fn apply(translation: &Translation, value: Value) -> Result<Value, String> {
    let Value::Object(mut object) = value else {
        return Err("not an object".to_owned());
    };
    for (from, to) in &translation.rename {
        if let Some(value) = object.remove(from) {
            object.insert(to.clone(), value);
        }
    }
    if let Some(keep) = &translation.keep {
        object = object
            .into_iter()
            .filter(|(name, _)| keep.contains(name))
            .collect::<Map<_, _>>();
    }
    for name in &translation.drop {
        object.remove(name);
    }
    object.extend(translation.constant.clone());
    Ok(Value::Object(object))
}
