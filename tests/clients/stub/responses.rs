//! Responses.

use serde_json::{Value, json};

use super::{Answer, Asked, frame};

pub(super) fn asked(body: &Value) -> Asked {
    let input = || body["input"].as_array().into_iter().flatten();
    let kind = |item: &Value| item["type"].as_str().unwrap_or_default().to_owned();
    let tools = body["tools"].as_array().into_iter().flatten();
    Asked {
        tools: tools
            .map(|tool| {
                let name = tool["name"].as_str().or(tool["type"].as_str());
                (name.unwrap_or_default().to_owned(), tool["parameters"].clone())
            })
            .collect(),
        results: input()
            .filter(|item| kind(item).ends_with("_call_output"))
            .count(),
        json: false,
    }
}

fn item(body: &Value, answer: &Answer) -> Value {
    let step = asked(body).results;
    match answer {
        Answer::Text(text) => json!({
            "type": "message",
            "id": format!("msg_{step}"),
            "role": "assistant",
            "status": "completed",
            "content": [{ "type": "output_text", "text": text, "annotations": [] }],
        }),
        Answer::Call { tool, input } => json!({
            "type": "function_call",
            "id": format!("fc_{step}"),
            "call_id": format!("call_{step}"),
            "name": tool,
            "arguments": input.to_string(),
            "status": "completed",
        }),
    }
}

pub(super) fn whole(body: &Value, answer: &Answer) -> Value {
    json!({
        "id": format!("resp_{}", asked(body).results),
        "object": "response",
        "created_at": 0,
        "status": "completed",
        "model": body["model"],
        "output": [item(body, answer)],
        "usage": {
            "input_tokens": 1500,
            "input_tokens_details": { "cached_tokens": 700 },
            "output_tokens": 42,
            "output_tokens_details": { "reasoning_tokens": 7 },
            "total_tokens": 1542,
        },
    })
}

pub(super) fn frames(body: &Value, answer: &Answer) -> Vec<String> {
    let (item, whole) = (item(body, answer), whole(body, answer));
    let mut begun = whole.clone();
    begun["status"] = json!("in_progress");
    begun["output"] = json!([]);
    begun["usage"] = json!(null);
    let events = [
        json!({ "type": "response.created", "response": begun }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": item }),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": item }),
        json!({ "type": "response.completed", "response": whole }),
    ];
    events.iter().map(frame).collect()
}
