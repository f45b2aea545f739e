//! JSON-RPC over lines, with or without its `jsonrpc` field.

use serde_json::{Value, json};

/// The error that says that a method is not offered.
pub(super) const NOT_OFFERED: i32 = -32_601;

/// One message of the other side.
pub(super) enum Message<'a> {
    /// It wants an answer.
    Request {
        id: &'a Value,
        method: &'a str,
        params: &'a Value,
    },
    /// It wants none.
    Notice { method: &'a str, params: &'a Value },
    /// It answers the request with this number.
    Answer {
        id: u64,
        result: Result<&'a Value, &'a Value>,
    },
}

impl<'a> Message<'a> {
    /// `None` when it is no message at all.
    pub(super) fn parse(event: &'a Value) -> Option<Self> {
        let params = &event["params"];
        match (event.get("id"), event["method"].as_str()) {
            (Some(id), Some(method)) => Some(Self::Request { id, method, params }),
            (None, Some(method)) => Some(Self::Notice { method, params }),
            (Some(id), None) => {
                let result = event.get("error").filter(|error| !error.is_null());
                let result = result.map_or_else(|| Ok(&event["result"]), Err);
                Some(Self::Answer {
                    id: id.as_u64()?,
                    result,
                })
            }
            (None, None) => None,
        }
    }
}

/// What an error says, with all its details.
pub(super) fn error_text(error: &Value) -> String {
    let message = error["message"].as_str().unwrap_or_default();
    match &error["data"] {
        Value::Null => message.to_owned(),
        Value::String(data) => format!("{message}: {data}"),
        data => format!("{message}: {data}"),
    }
}

/// The id of the input that answers the request `id`.
pub(super) fn answer_id(id: &Value) -> String {
    format!("answer {}", super::json::clip(&id.to_string(), 100))
}

/// An answer that refuses.
pub(super) fn refusal(id: &Value, message: &str) -> Value {
    json!({ "id": id, "error": { "code": NOT_OFFERED, "message": message } })
}
