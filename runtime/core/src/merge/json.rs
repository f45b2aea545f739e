//! A JSON value with an order, so that it can be merged.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A JSON value with a total order: null, booleans, numbers, texts, lists, objects; numbers by
/// their text, objects by their members in the order of the keys.
///
/// The order means nothing beyond being the same on every machine, which is all that a tie
/// between two replicas asks for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(pub Value);

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Json {}

impl PartialOrd for Json {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Json {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        // By text, because 1 and 1.0 and -0.0 and 0.0 are written differently.
        (Value::Number(a), Value::Number(b)) => a.to_string().cmp(&b.to_string()),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => {
            in_turn(a.iter().zip(b), |(a, b)| compare(a, b)).then_with(|| a.len().cmp(&b.len()))
        }
        (Value::Object(a), Value::Object(b)) => {
            let (a, b) = (sorted(a), sorted(b));
            in_turn(a.iter().zip(&b), |(a, b)| {
                a.0.cmp(b.0).then_with(|| compare(a.1, b.1))
            })
            .then_with(|| a.len().cmp(&b.len()))
        }
        _ => rank(a).cmp(&rank(b)),
    }
}

fn in_turn<I: Iterator>(pairs: I, order: impl Fn(I::Item) -> Ordering) -> Ordering {
    pairs.map(order).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

fn sorted(object: &serde_json::Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut members: Vec<_> = object.iter().collect();
    members.sort_unstable_by_key(|(key, _)| *key);
    members
}

const fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kinds_and_contents_have_one_order() {
        let ordered = [
            json!(null),
            json!(false),
            json!(true),
            json!(1),
            json!(1.0),
            json!("a"),
            json!("b"),
            json!([]),
            json!([1]),
            json!([1, 2]),
            json!({}),
            json!({"a": 1}),
            json!({"a": 1, "b": 0}),
            json!({"a": 2}),
            json!({"b": 0}),
        ]
        .map(Json);
        for (i, a) in ordered.iter().enumerate() {
            for (j, b) in ordered.iter().enumerate() {
                assert_eq!(a.cmp(b), i.cmp(&j), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn the_order_of_members_does_not_matter() {
        let one: Json = serde_json::from_str(r#"{"a":1,"b":[2]}"#).unwrap();
        let other: Json = serde_json::from_str(r#"{"b":[2],"a":1}"#).unwrap();
        assert_eq!(one, other);
    }
}
