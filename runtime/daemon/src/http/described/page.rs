//! The document as a page for people. Whatever it shows comes out of the document, and it loads
//! nothing: it can be read where there is no network.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::Value;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}\
h1,h2{line-height:1.2}h2{margin-top:2rem;border-bottom:1px solid #ddd}\
code,pre{font:13px/1.45 ui-monospace,monospace}pre{background:#f5f5f5;padding:.6rem;overflow:auto}\
details{border:1px solid #ddd;border-radius:4px;margin:.4rem 0;padding:.3rem .6rem}summary{cursor:pointer}\
.verb{display:inline-block;width:4.5rem;font-weight:600}table{border-collapse:collapse;width:100%}\
td,th{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;border-bottom:1px solid #eee}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}pre{background:#222}\
h2,details,td,th{border-color:#333}a{color:#8bf}}";

/// The page of a document.
pub(super) fn of(document: &Value) -> String {
    let info = &document["info"];
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Worknode API</title><style>{STYLE}</style>\
         <h1>Worknode API <small>{}</small></h1>",
        escaped(text(&info["version"])),
    );
    for part in text(&info["description"]).split("\n\n") {
        put(&mut page, format_args!("<p>{}</p>", marked(part)));
    }
    page.push_str("<p>For programs: <a href=\"openapi.json\">openapi.json</a>, OpenAPI 3.1.</p>");
    let responses = &document["components"]["responses"];
    for (tag, operations) in by_tag(document) {
        put(&mut page, format_args!("<h2 id=\"{0}\">{0}</h2>", escaped(tag)));
        for (path, verb, operation) in operations {
            put_operation(&mut page, path, verb, operation, responses);
        }
    }
    page.push_str("<h2 id=\"schemas\">schemas</h2>");
    for (name, schema) in fields(&document["components"]["schemas"]) {
        put_schema(&mut page, name, schema);
    }
    page
}

type Listed<'a> = (&'a str, &'a str, &'a Value);

fn by_tag(document: &Value) -> BTreeMap<&str, Vec<Listed<'_>>> {
    let mut tags: BTreeMap<&str, Vec<Listed<'_>>> = BTreeMap::new();
    for (path, verbs) in fields(&document["paths"]) {
        for (verb, operation) in fields(verbs) {
            tags.entry(text(&operation["tags"][0]))
                .or_default()
                .push((path, verb, operation));
        }
    }
    tags
}

fn put_operation(page: &mut String, path: &str, verb: &str, operation: &Value, responses: &Value) {
    put(
        page,
        format_args!(
            "<details id=\"{}\"><summary><span class=\"verb\">{}</span><code>{}</code> {}</summary>",
            escaped(text(&operation["operationId"])),
            verb.to_uppercase(),
            escaped(path),
            marked(text(&operation["summary"])),
        ),
    );
    put_parameters(page, &operation["parameters"]);
    let body = &operation["requestBody"]["content"]["application/json"];
    if body.is_object() {
        put(page, format_args!("<p>Takes {}</p>", kind_of(&body["schema"])));
    }
    if !body["example"].is_null() {
        put(
            page,
            format_args!("<pre>{}</pre>", escaped(&indented(&body["example"]))),
        );
    }
    page.push_str("<table><tr><th>Answers</th><th></th><th></th></tr>");
    for (status, answer) in fields(&operation["responses"]) {
        let name = text(&answer["$ref"]).rsplit('/').next().unwrap_or_default();
        let answer = responses.get(name).unwrap_or(answer);
        let content = fields(&answer["content"]);
        let kinds: Vec<String> = content
            .map(|(media, one)| format!("{} <code>{}</code>", kind_of(&one["schema"]), escaped(media)))
            .collect();
        put(
            page,
            format_args!(
                "<tr><td>{status}</td><td>{}</td><td>{}</td></tr>",
                marked(text(&answer["description"])),
                kinds.join("<br>"),
            ),
        );
    }
    page.push_str("</table></details>");
}

fn put_parameters(page: &mut String, parameters: &Value) {
    let Some(parameters) = parameters.as_array().filter(|all| !all.is_empty()) else {
        return;
    };
    page.push_str("<table><tr><th>Parameter</th><th>in</th><th></th><th></th></tr>");
    for one in parameters {
        let must = if one["required"] == true { ", required" } else { "" };
        put(
            page,
            format_args!(
                "<tr><td><code>{}</code></td><td>{}{must}</td><td>{}</td><td>{}</td></tr>",
                escaped(text(&one["name"])),
                text(&one["in"]),
                kind_of(&one["schema"]),
                marked(text(&one["description"])),
            ),
        );
    }
    page.push_str("</table>");
}

fn put_schema(page: &mut String, name: &str, schema: &Value) {
    put(
        page,
        format_args!(
            "<details id=\"schema-{0}\"><summary><code>{0}</code> {1}</summary><pre>{2}</pre></details>",
            escaped(name),
            marked(text(&schema["description"])),
            escaped(&indented(schema)),
        ),
    );
}

/// What a schema is called, with the way to it.
fn kind_of(schema: &Value) -> String {
    if let Some(name) = text(&schema["$ref"]).strip_prefix("#/components/schemas/") {
        return format!("<a href=\"#schema-{0}\">{0}</a>", escaped(name));
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(all) = schema[choice].as_array() {
            return all.iter().map(kind_of).collect::<Vec<_>>().join(" or ");
        }
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => format!("list of {}", kind_of(&schema["items"])),
        Value::String(kind) => escaped(kind),
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    }
}

fn fields(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn indented(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Writing to memory does not fail.
fn put(page: &mut String, what: std::fmt::Arguments<'_>) {
    let _ = page.write_fmt(what);
}

fn escaped(text: &str) -> String {
    let one = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        c => c.to_string(),
    };
    text.chars().map(one).collect()
}

/// What stands between backticks is code.
fn marked(text: &str) -> String {
    let parts = escaped(text);
    let mut marked = String::new();
    for (at, part) in parts.split('`').enumerate() {
        if at % 2 == 1 {
            put(&mut marked, format_args!("<code>{part}</code>"));
        } else {
            marked.push_str(part);
        }
    }
    marked
}
