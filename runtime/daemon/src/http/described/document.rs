//! The document: OpenAPI 3.1, of all operations.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    operation::{Answer, Draft, Parameter, Place, Schemas},
    routes::{Header, Operation, Verb},
};
use crate::http::{error::Problem, idempotency, request_id};

/// What its routes lie under.
pub(super) const PREFIX: &str = "/api/v1";
/// Where schemas lie.
pub(super) const SCHEMAS: &str = "#/components/schemas/";
/// Added to the name of a schema that is another one in a request than in an answer.
const INPUT: &str = "Input";

const ABOUT: &str = "Everything that a team of agents and the people around it can ask of their daemon. \
At the Unix socket its owner is the operator; everybody else, and everybody at TCP, sends a capability as \
`Authorization: Bearer …`.\n\n\
Refusals are RFC 9457 problems with a stable `code`. Every answer has an `X-Request-Id`, the client's own \
when it sent one. A `POST` with an `Idempotency-Key` has one effect however often it is sent. A claim's \
`epoch` goes with every write under it, in the body or as `If-Match`. A list that has more says where it \
goes on; events are followed as a stream that resumes after `Last-Event-ID`, or by asking again with `wait`. \
All of it lies under `/api`, too.";

/// The document of `operations`.
pub(super) fn of(operations: &[Operation]) -> Value {
    let mut schemas = Schemas::new();
    let problem = schemas.given.subschema_for::<Problem>().to_value();
    let mut described: Vec<Described<'_>> = operations
        .iter()
        .map(|operation| Described::new(operation, &mut schemas))
        .collect();
    let (definitions, renamed) = united(schemas);
    for one in &mut described {
        one.rename(&renamed);
    }
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for one in described {
        let (path, verb) = (one.path(), one.operation.verb.name());
        paths.entry(path).or_default().insert(verb.to_owned(), one.read());
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Worknode",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/", "description": "The daemon that this document came from." }],
        "security": [{ "capability": [] }],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "responses": problems(&problem),
            "headers": headers(),
            "securitySchemes": {
                "capability": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A capability: a run's is in the file that WORKNODE_TOKEN_FILE names, the operator's in .worknode/keys/operator.token. The owner of the Unix socket needs none there.",
                },
            },
        },
    })
}

/// One operation with all that is known of it.
struct Described<'a> {
    operation: &'a Operation,
    parameters: Vec<Parameter>,
    body: Option<super::operation::Body>,
    answers: BTreeMap<u16, Answer>,
    is_tagged: bool,
}

impl<'a> Described<'a> {
    fn new(operation: &'a Operation, schemas: &mut Schemas) -> Self {
        let segments = segments(operation.path).map(str::to_owned).collect();
        let mut draft = Draft {
            schemas,
            segments,
            parameters: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
            is_tagged: operation.is_tagged,
        };
        operation.describe(&mut draft);
        let Draft {
            mut parameters,
            body,
            answers,
            is_tagged,
            ..
        } = draft;
        parameters.extend(operation.headers.iter().map(|header| looked_at(*header)));
        if operation.verb == Verb::Post {
            parameters.push(idempotency_key());
        }
        Self {
            operation,
            parameters,
            body,
            answers,
            is_tagged,
        }
    }

    /// As the document writes it.
    fn path(&self) -> String {
        format!("{PREFIX}{}", self.operation.path.replace("{*", "{"))
    }

    fn rename(&mut self, renamed: &BTreeSet<String>) {
        for parameter in &mut self.parameters {
            rename(&mut parameter.schema, renamed);
        }
        if let Some(body) = &mut self.body {
            rename(&mut body.schema, renamed);
        }
    }

    fn read(self) -> Value {
        let operation = self.operation;
        let path = operation.path.trim_start_matches('/');
        let words = path
            .split(['/', '-'])
            .map(|part| part.trim_matches(['{', '}', '*']));
        let id: Vec<&str> = [operation.verb.name()].into_iter().chain(words).collect();
        let tag = path.split('/').next().unwrap_or_default();
        let mut answers: Map<String, Value> = self
            .answers
            .iter()
            .map(|(status, answer)| (status.to_string(), read_answer(answer, self.is_tagged)))
            .collect();
        for status in refusals(operation, self.body.is_some()) {
            let name = format!("#/components/responses/{}", problem_name(status));
            answers.insert(status.to_string(), json!({ "$ref": name }));
        }
        let mut read = json!({
            "operationId": id.join("_"),
            "summary": operation.says,
            "tags": [tag],
            "parameters": self.parameters.into_iter().map(Parameter::read).collect::<Vec<_>>(),
            "responses": answers,
        });
        if operation.is_open {
            read["security"] = json!([]);
        }
        if let Some(body) = self.body {
            let mut content = json!({ "schema": body.schema });
            let example = operation
                .example
                .and_then(|text| serde_json::from_str::<Value>(text).ok());
            if let Some(example) = example {
                content["example"] = example;
            }
            read["requestBody"] =
                json!({ "required": body.required, "content": { "application/json": content } });
        }
        read
    }
}

/// The names of the parts of a path that are taken out of it.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    let named = |part: &'_ str| part.starts_with('{');
    path.split('/')
        .filter(move |part| named(part))
        .map(|part| part.trim_matches(['{', '}', '*']))
}

fn read_answer(answer: &Answer, is_tagged: bool) -> Value {
    let mut headers = json!({ "X-Request-Id": { "$ref": "#/components/headers/X-Request-Id" } });
    if is_tagged {
        headers["ETag"] = json!({ "$ref": "#/components/headers/ETag" });
    }
    let mut read = json!({ "description": answer.says, "headers": headers });
    if !answer.content.is_empty() {
        let media = answer.content.iter();
        let content: Map<String, Value> = media
            .map(|(media, schema)| (media.clone(), json!({ "schema": schema })))
            .collect();
        read["content"] = Value::Object(content);
    }
    read
}

/// With what an operation may be refused.
fn refusals(operation: &Operation, takes_body: bool) -> Vec<u16> {
    if operation.is_open {
        return vec![400, 429];
    }
    let mut refusals = vec![400, 403, 404, 429, 500, 503, 504];
    if operation.verb != Verb::Get {
        refusals.extend([409, 412, 422, 507]);
    }
    if takes_body || operation.verb == Verb::Post {
        refusals.extend([413, 415]);
    }
    refusals
}

/// Why each status comes, beside its code in words.
const REFUSALS: [(u16, &str); 13] = [
    (400, "The request makes no sense: `usage`, `invalid_config`."),
    (
        403,
        "The caller may not do it (`forbidden`), or a rule of the team forbids it (`refused`).",
    ),
    (404, "There is no such thing: `not_found`."),
    (
        409,
        "It is not possible as it stands: `held`, `stale_epoch`, `illegal_transition`, `already_exists`.",
    ),
    (412, "It was changed since it was looked at: `changed`."),
    (413, "The body is too large: `usage`."),
    (415, "The body is no JSON by its `Content-Type`: `usage`."),
    (
        422,
        "A gate said no (`gate_failed`), or the `Idempotency-Key` was used for something else (`usage`).",
    ),
    (
        429,
        "Too much at once (`backpressure`), or a limit is reached (`limit_reached`).",
    ),
    (500, "It was tried and did not work: `failed`, `corrupt_journal`."),
    (503, "The daemon does not take this on any more: `unreachable`."),
    (504, "It took longer than allowed: `timed_out`."),
    (507, "The disk is full: `disk_full`."),
];

fn problem_name(status: u16) -> String {
    let title = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason());
    title.unwrap_or_default().replace(' ', "")
}

fn problems(problem: &Value) -> Value {
    let one = |(status, says): (u16, &str)| {
        let mut answer = json!({
            "description": says,
            "headers": { "X-Request-Id": { "$ref": "#/components/headers/X-Request-Id" } },
            "content": { "application/problem+json": { "schema": problem } },
        });
        if status == 429 {
            answer["headers"]["Retry-After"] = json!({ "$ref": "#/components/headers/Retry-After" });
        }
        (problem_name(status), answer)
    };
    REFUSALS.into_iter().map(one).collect::<Map<_, _>>().into()
}

fn headers() -> Value {
    json!({
        "X-Request-Id": {
            "description": "What the daemon's log calls this request: the client's own name for it, or one of ours.",
            "required": true,
            "schema": { "type": "string", "minLength": 1, "maxLength": request_id::LENGTH },
        },
        "ETag": {
            "description": "Which state of it this is: send it back as `If-Match`.",
            "schema": { "type": "string" },
        },
        "Retry-After": {
            "description": "Seconds to wait.",
            "schema": { "type": "integer", "minimum": 1 },
        },
    })
}

fn idempotency_key() -> Parameter {
    Parameter {
        name: "Idempotency-Key".to_owned(),
        place: Place::Header,
        required: false,
        schema: json!({
            "type": "string", "minLength": 1, "maxLength": idempotency::LENGTH, "pattern": "^[!-~]+$",
            "description": "The same key has one effect: what was answered first is answered again; after a restart of the daemon, that it was done (409, `already_exists`).",
        }),
    }
}

fn looked_at(header: Header) -> Parameter {
    let (name, schema) = match header {
        Header::IfMatch => (
            "If-Match",
            json!({ "type": "string", "description": "The `ETag` as it was seen: refused with 412 when it was changed since." }),
        ),
        Header::IfMatchEpoch => (
            "If-Match",
            json!({ "type": "string", "description": "The epoch of the claim, instead of `epoch` in the body.", "examples": ["\"3\""] }),
        ),
        Header::Accept => (
            "Accept",
            json!({ "type": "string", "enum": ["application/json", "text/event-stream"], "description": "A page, or a stream." }),
        ),
        Header::LastEventId => (
            "Last-Event-ID",
            json!({ "type": "string", "description": "The stamp of the last event that was seen: the stream goes on after it." }),
        ),
    };
    Parameter {
        name: name.to_owned(),
        place: Place::Header,
        required: false,
        schema,
    }
}

/// All schemas under one roof, and which of those for requests had to be called otherwise there.
fn united(mut schemas: Schemas) -> (Map<String, Value>, BTreeSet<String>) {
    let mut all = schemas.given.take_definitions(true);
    let taken = schemas.taken.take_definitions(true);
    let mut renamed: BTreeSet<String> = taken
        .iter()
        .filter(|(name, schema)| all.get(*name).is_some_and(|given| given != *schema))
        .map(|(name, _)| name.clone())
        .collect();
    // What leads to another schema is another schema.
    loop {
        let more: Vec<String> = taken
            .iter()
            .filter(|(name, schema)| {
                all.contains_key(*name) && !renamed.contains(*name) && leads_to(schema, &renamed)
            })
            .map(|(name, _)| name.clone())
            .collect();
        if more.is_empty() {
            break;
        }
        renamed.extend(more);
    }
    for (name, mut schema) in taken {
        rename(&mut schema, &renamed);
        let name = if renamed.contains(&name) {
            name + INPUT
        } else {
            name
        };
        all.insert(name, schema);
    }
    (all, renamed)
}

fn leads_to(schema: &Value, names: &BTreeSet<String>) -> bool {
    match schema {
        Value::Object(fields) => fields.iter().any(|(key, value)| {
            let target = value.as_str().filter(|_| key == "$ref");
            target
                .and_then(|target| target.strip_prefix(SCHEMAS))
                .is_some_and(|name| names.contains(name))
                || leads_to(value, names)
        }),
        Value::Array(items) => items.iter().any(|item| leads_to(item, names)),
        _ => false,
    }
}

fn rename(schema: &mut Value, names: &BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(target)) = fields.get_mut("$ref")
                && target
                    .strip_prefix(SCHEMAS)
                    .is_some_and(|name| names.contains(name))
            {
                target.push_str(INPUT);
            }
            fields.values_mut().for_each(|value| rename(value, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, names)),
        _ => {}
    }
}
