//! Chat completions.

use serde_json::{Value, json};

use super::{Answer, Asked, frame};

pub(super) fn asked(body: &Value) -> Asked {
    let tools = body["tools"].as_array().into_iter().flatten();
    let messages = body["messages"].as_array().into_iter().flatten();
    Asked {
        tools: tools
            .map(|tool| {
                let function = &tool["function"];
                let name = function["name"].as_str().unwrap_or_default();
                (name.to_owned(), function["parameters"].clone())
            })
            .collect(),
        results: messages.filter(|message| message["role"] == "tool").count(),
        json: false,
    }
}

fn message(body: &Value, answer: &Answer) -> (Value, &'static str) {
    match answer {
        Answer::Text(text) => (json!({ "role": "assistant", "content": text }), "stop"),
        Answer::Call { tool, input } => {
            let call = json!({
                "index": 0,
                "id": format!("call_{}", asked(body).results),
                "type": "function",
                "function": { "name": tool, "arguments": input.to_string() },
            });
            let message = json!({ "role": "assistant", "content": null, "tool_calls": [call] });
            (message, "tool_calls")
        }
    }
}

fn usage() -> Value {
    json!({
        "prompt_tokens": 1500,
        "completion_tokens": 42,
        "total_tokens": 1542,
        "prompt_tokens_details": { "cached_tokens": 700 },
    })
}

pub(super) fn whole(body: &Value, answer: &Answer) -> Value {
    let (message, finish) = message(body, answer);
    json!({
        "id": "chatcmpl-stub",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [{ "index": 0, "message": message, "finish_reason": finish }],
        "usage": usage(),
    })
}

pub(super) fn frames(body: &Value, answer: &Answer) -> Vec<String> {
    let (message, finish) = message(body, answer);
    let chunk = |choices: Value, usage: Value| {
        frame(&json!({
            "id": "chatcmpl-stub",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": body["model"],
            "choices": choices,
            "usage": usage,
        }))
    };
    let choice =
        |delta: Value, finish: Value| json!([{ "index": 0, "delta": delta, "finish_reason": finish }]);
    vec![
        chunk(choice(message, Value::Null), Value::Null),
        chunk(choice(json!({}), json!(finish)), Value::Null),
        chunk(json!([]), usage()),
        "data: [DONE]\n\n".to_owned(),
    ]
}
