//! What agents remember: values under keys, read by all who may, written in one's own namespace.

use std::sync::Arc;

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use worknode_actors::memory::{self, Entry, Key, Wish};
use worknode_core::{
    command::Operation,
    error::{Code, Error},
    time::Span,
};
use worknode_journal::EventFilter;

use super::{
    Api,
    auth::Caller,
    described::Routes,
    error::ApiError,
    events,
    lens::Lens,
    nodes::check_covered,
    parts::{Json, Path, Query},
};

/// Keys of one page when the client names no number.
const PAGE: usize = 100;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            "/memory",
            list,
            "What is remembered: by words, in a namespace, or which namespaces there are",
        )
        .answers::<Listed>(200, "Entries, or namespaces.")
        .streams()
        .get("/memory/{*key}", show, "What is remembered under a key")
        .put(
            "/memory/{*key}",
            set,
            "Remembers a value under a key, in one's own namespace",
        )
        .example(r#"{"value": {"done": 3}, "ttl": "7d"}"#)
        .delete("/memory/{*key}", forget, "Forgets a key")
}

/// What to list.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Which {
    /// Words that are looked for in all namespaces.
    q: Option<String>,
    /// The keys of this namespace; without it, the namespaces.
    namespace: Option<String>,
    /// Only namespaces that begin so.
    prefix: Option<String>,
    /// Go on after this key of the page before: its name in the namespace.
    after: Option<String>,
    limit: Option<usize>,
    /// Instead of what is there: what happens there, as a stream, from now on.
    watch: bool,
}

/// What a list is of.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Listed {
    /// What is remembered.
    Entries(Vec<Entry>),
    /// The namespaces that there are.
    Namespaces { namespaces: Vec<String> },
}

async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    Query(which): Query<Which>,
) -> Result<Response, ApiError> {
    caller.may_read()?;
    let (reader, team) = (api.reader(), api.runtime.system().team().node());
    let now = api.runtime.system().now();
    let limit = which.limit.unwrap_or(PAGE).max(1);
    if let Some(words) = &which.q {
        let mut found = memory::search(reader, words, limit, now)?;
        found.retain(|(id, _)| check_covered(&api, &caller, *id).is_ok());
        let entries: Vec<Entry> = found.into_iter().map(|(_, entry)| entry).collect();
        return Ok(Json(Listed::Entries(entries)).into_response());
    }
    let Some(namespace) = &which.namespace else {
        check_covered(&api, &caller, team)?;
        let prefix = which.prefix.as_deref().unwrap_or_default();
        let namespaces = memory::namespaces(reader, team, prefix)?;
        return Ok(Json(Listed::Namespaces { namespaces }).into_response());
    };
    memory::check_namespace(namespace)?;
    covered(&api, &caller, namespace)?;
    if which.watch {
        return watch(&api, &caller, namespace, &headers);
    }
    let entries = memory::list(reader, team, namespace, which.after.as_deref(), limit, now)?;
    Ok(Json(Listed::Entries(entries)).into_response())
}

/// Nobody need have remembered anything there yet.
fn covered(api: &Api, caller: &Caller, namespace: &str) -> Result<(), Error> {
    let team = api.runtime.system().team().node();
    let id = memory::namespace_id(team, namespace);
    let there = api.reader().node(id)?.is_some();
    check_covered(api, caller, if there { id } else { team })
}

fn watch(api: &Api, caller: &Caller, namespace: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let resumed = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let filter = EventFilter {
        after: api.runtime.system().journal().last_stamp(),
        ..EventFilter::default()
    };
    let id = memory::namespace_id(api.runtime.system().team().node(), namespace);
    let lens = Lens::at(api, caller, id);
    events::follow(api, caller, filter, lens, resumed)
}

async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(key): Path<String>,
) -> Result<Json<Entry>, ApiError> {
    caller.may_read()?;
    let system = api.runtime.system();
    let parsed = Key::parse(&key)?;
    covered(&api, &caller, &parsed.namespace)?;
    let entry = memory::get(api.reader(), system.team().node(), &parsed, system.now())?;
    let nothing = || {
        Error::new(Code::NotFound, format!("nothing is remembered under `{key}`"))
            .hint("`worknode memory list` shows what is")
    };
    Ok(Json(entry.ok_or_else(nothing)?))
}

/// What to remember, and how.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewEntry")]
struct Set {
    value: Value,
    /// For how long, as in `30m`; for ever when it is not said.
    #[serde(default)]
    ttl: Option<Span>,
    /// Only when this is the version now; 0: when there is nothing.
    #[serde(default)]
    if_version: Option<u64>,
}

async fn set(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(key): Path<String>,
    Json(body): Json<Set>,
) -> Result<Json<Entry>, ApiError> {
    caller.may(Operation::Note, "remember anything")?;
    let wish = Wish {
        ttl: body.ttl.map(|ttl| ttl.0),
        if_version: body.if_version,
    };
    let entry = memory::set(
        api.runtime.system(),
        &caller.0,
        &Key::parse(&key)?,
        body.value,
        wish,
    )
    .await?;
    Ok(Json(entry))
}

/// A key that is forgotten.
#[derive(Debug, Serialize, JsonSchema)]
struct Forgotten {
    key: String,
    /// Was anything there?
    deleted: bool,
}

async fn forget(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(key): Path<String>,
) -> Result<Json<Forgotten>, ApiError> {
    caller.may(Operation::Note, "forget anything")?;
    let deleted = memory::delete(api.runtime.system(), &caller.0, &Key::parse(&key)?).await?;
    Ok(Json(Forgotten { key, deleted }))
}
