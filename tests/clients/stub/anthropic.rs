//! Messages.

use serde_json::{Value, json};

use super::{Answer, Asked, frame};

pub(super) fn asked(body: &Value) -> Asked {
    let tools = body["tools"].as_array().into_iter().flatten();
    let messages = body["messages"].as_array().into_iter().flatten();
    let blocks = messages
        .filter_map(|message| message["content"].as_array())
        .flatten();
    Asked {
        tools: tools
            .map(|tool| {
                let name = tool["name"].as_str().unwrap_or_default();
                (name.to_owned(), tool["input_schema"].clone())
            })
            .collect(),
        results: blocks.filter(|block| block["type"] == "tool_result").count(),
        json: false,
    }
}

fn block(answer: &Answer) -> Value {
    match answer {
        Answer::Text(text) => json!({ "type": "text", "text": text }),
        Answer::Call { tool, input } => {
            json!({ "type": "tool_use", "id": "toolu_stub", "name": tool, "input": input })
        }
    }
}

fn usage(output: u64) -> Value {
    json!({
        "input_tokens": 1200,
        "cache_creation_input_tokens": 300,
        "cache_read_input_tokens": 5000,
        "output_tokens": output,
    })
}

fn message(body: &Value, content: &[Value], stop: Option<&str>, output: u64) -> Value {
    json!({
        "id": format!("msg_stub_{}", asked(body).results),
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": content,
        "stop_reason": stop,
        "stop_sequence": null,
        "usage": usage(output),
    })
}

const fn stop(answer: &Answer) -> &'static str {
    match answer {
        Answer::Text(_) => "end_turn",
        Answer::Call { .. } => "tool_use",
    }
}

pub(super) fn whole(body: &Value, answer: &Answer) -> Value {
    message(body, &[block(answer)], Some(stop(answer)), 42)
}

pub(super) fn frames(body: &Value, answer: &Answer) -> Vec<String> {
    let mut empty = block(answer);
    let delta = match answer {
        Answer::Text(text) => {
            empty["text"] = json!("");
            json!({ "type": "text_delta", "text": text })
        }
        Answer::Call { input, .. } => {
            empty["input"] = json!({});
            json!({ "type": "input_json_delta", "partial_json": input.to_string() })
        }
    };
    let events = [
        json!({ "type": "message_start", "message": message(body, &[], None, 1) }),
        json!({ "type": "content_block_start", "index": 0, "content_block": empty }),
        json!({ "type": "content_block_delta", "index": 0, "delta": delta }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({
            "type": "message_delta",
            "delta": { "stop_reason": stop(answer), "stop_sequence": null },
            "usage": { "output_tokens": 42 },
        }),
        json!({ "type": "message_stop" }),
    ];
    events.iter().map(frame).collect()
}
