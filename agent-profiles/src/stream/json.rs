//! Reading JSON that may be anything.

use serde_json::Value;
use worknode_core::usage::Usd;

/// The text at `pointer`; empty when there is none.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The count at `pointer`; zero when there is none.
pub(super) fn count(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

/// The dollars at `pointer`; `None` when there are none that make sense.
pub(super) fn dollars(value: &Value, pointer: &str) -> Option<Usd> {
    Usd::from_dollars(value.pointer(pointer)?.as_f64()?)
}

/// The list at `pointer`; empty when there is none.
pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

/// An HTTP status at `pointer`.
pub(super) fn status(value: &Value, pointer: &str) -> Option<u16> {
    let status = value.pointer(pointer)?.as_u64()?;
    u16::try_from(status)
        .ok()
        .filter(|status| (100..600).contains(status))
}

/// `text`, no longer than `most` bytes and cut between characters.
pub(super) fn clip(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// What a tool was called with, in short: what people would look for in it, or all of it.
pub(super) fn summary(input: &Value) -> String {
    const TELLING: [&str; 10] = [
        "command",
        "file_path",
        "filePath",
        "path",
        "pattern",
        "url",
        "query",
        "skill",
        "description",
        "prompt",
    ];
    const SHORT: usize = 200;
    let telling = TELLING.iter().find_map(|key| match &input[*key] {
        Value::String(text) => Some(text.clone()),
        Value::Array(_) => Some(input[*key].to_string()),
        _ => None,
    });
    let all = || match input {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(map) if map.is_empty() => String::new(),
        other => other.to_string(),
    };
    clip(&telling.unwrap_or_else(all), SHORT)
}
