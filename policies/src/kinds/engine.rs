//! What translates: renames, leaves out, adds.

use serde_json::{Map, Value};
use worknode_core::membrane::Translation;

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
