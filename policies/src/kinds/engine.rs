//! What translates attributes of an older version: the same as events.

use serde_json::Value;
use worknode_core::membrane::Translation;

use crate::membrane::translate;

pub(super) fn apply(translation: &Translation, value: Value) -> Result<Value, String> {
    translate::apply(translation, value).map_err(|why| why.to_string())
}
