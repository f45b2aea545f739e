//! `generateContent`, whole and streaming.

use serde_json::{Value, json};

use super::{Answer, Asked, frame};

pub(super) fn asked(body: &Value) -> Asked {
    let tools = body["tools"].as_array().into_iter().flatten();
    let functions = tools
        .filter_map(|tool| tool["functionDeclarations"].as_array())
        .flatten();
    let contents = body["contents"].as_array().into_iter().flatten();
    let parts = contents
        .filter_map(|content| content["parts"].as_array())
        .flatten();
    Asked {
        tools: functions
            .map(|function| {
                let takes = function
                    .get("parametersJsonSchema")
                    .unwrap_or(&function["parameters"]);
                let name = function["name"].as_str().unwrap_or_default();
                (name.to_owned(), takes.clone())
            })
            .collect(),
        results: parts.filter(|part| part["functionResponse"].is_object()).count(),
        json: body["generationConfig"]["responseMimeType"] == "application/json",
    }
}

pub(super) fn whole(answer: &Answer) -> Value {
    let part = match answer {
        Answer::Text(text) => json!({ "text": text }),
        Answer::Call { tool, input } => json!({ "functionCall": { "name": tool, "args": input } }),
    };
    json!({
        "candidates": [{
            "content": { "role": "model", "parts": [part] },
            "finishReason": "STOP",
            "index": 0,
        }],
        "usageMetadata": {
            "promptTokenCount": 1500,
            "candidatesTokenCount": 42,
            "totalTokenCount": 1549,
            "cachedContentTokenCount": 700,
            "thoughtsTokenCount": 7,
        },
        "modelVersion": "stub",
        "responseId": "stub",
    })
}

pub(super) fn frames(answer: &Answer) -> Vec<String> {
    vec![frame(&whole(answer))]
}
