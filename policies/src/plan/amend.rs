//! What changed between two plans for one task, in words that an event can carry.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use worknode_core::{bounds, task::TaskSpec};

/// What a task's plan said and says, as far as the two differ. What is long is told by its digest:
/// the event beside it has it in full.
#[must_use]
pub fn difference(
    before: Option<&TaskSpec>,
    after: Option<&TaskSpec>,
) -> (Map<String, Value>, Map<String, Value>) {
    let (mut before, mut after) = (fields(before), fields(after));
    before.remove("amended");
    after.remove("amended");
    let same: Vec<String> = before
        .iter()
        .filter(|(name, value)| after.get(*name) == Some(value))
        .map(|(name, _)| name.clone())
        .collect();
    for name in same {
        before.remove(&name);
        after.remove(&name);
    }
    (shortened(before), shortened(after))
}

fn fields(spec: Option<&TaskSpec>) -> Map<String, Value> {
    match spec.map(serde_json::to_value) {
        Some(Ok(Value::Object(fields))) => fields,
        _ => Map::new(),
    }
}

fn shortened(fields: Map<String, Value>) -> Map<String, Value> {
    let short = |value: Value| {
        let text = value.to_string();
        if text.len() <= bounds::PLAN_VALUE {
            return value;
        }
        let digest = Sha256::digest(text.as_bytes());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Value::String(format!("sha256:{hex} ({} bytes)", text.len()))
    };
    fields
        .into_iter()
        .map(|(name, value)| (name, short(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::spec;

    #[test]
    fn only_what_differs_is_told_and_what_is_long_by_its_digest() {
        let before = spec("t");
        let after = TaskSpec {
            files: vec!["docs/**".into()],
            prompt: "x".repeat(bounds::PROMPT),
            amended: true,
            ..spec("t")
        };
        let (was, is) = difference(Some(&before), Some(&after));
        assert_eq!(was.keys().collect::<Vec<_>>(), ["files", "prompt"]);
        assert_eq!(is["files"], serde_json::json!(["docs/**"]));
        assert!(is["prompt"].as_str().unwrap().starts_with("sha256:"), "{is:?}");
        assert!(serde_json::to_string(&is).unwrap().len() < bounds::EVENT_PAYLOAD / 2);
        let (nothing, made) = difference(None, Some(&before));
        assert!(nothing.is_empty() && made.contains_key("title"));
        assert_eq!(difference(Some(&before), Some(&before)), (Map::new(), Map::new()));
    }
}
