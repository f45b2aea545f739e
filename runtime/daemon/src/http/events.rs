//! Events: a page, or a stream that can be resumed.

mod page;

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event as SseEvent, KeepAlive, Sse},
    },
};
use futures_util::{StreamExt, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use worknode_actors::membrane::Reply;
use worknode_core::{
    command::Command,
    error::{Code, Error},
    event::Record,
    hlc::Hlc,
    ids::NodeId,
    node::Kind,
    time::Span,
};
use worknode_journal::EventFilter;

pub(super) use self::page::page;
use super::{
    Api,
    auth::Caller,
    described::Routes,
    error::ApiError,
    lens::Lens,
    nodes::named,
    parts::{Created, Json, Query},
};
use crate::view::{self, events::EventCondition};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            "/events",
            list,
            "What happened: a page, a page as soon as there is something, or a stream",
        )
        .answers::<Vec<Record>>(200, "The events, the oldest first.")
        .or_streams()
        .post(
            "/events",
            emit,
            "Records an event of the team, or of another Worknode",
        )
        .answers::<Emitted>(201, "It came in.")
        .answers::<Aside>(202, "There was no room for it.")
        .example(r#"{"name": "deployed", "data": {"where": "staging"}}"#)
}

/// Events of one page when the client names no number.
const PAGE: usize = 100;
/// Events that a stream takes out of the journal at once.
const BATCH: usize = 256;

/// Which events.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Wanted {
    since: Option<Hlc>,
    limit: Option<usize>,
    /// A task or an agent, by name.
    node: Option<String>,
    /// A Worknode: its events and those of all below it.
    under: Option<String>,
    /// `membranes`: as it is seen from outside. Agents never see it otherwise.
    through: Option<Through>,
    /// Comma-separated types.
    types: Option<String>,
    /// From the end.
    newest: bool,
    /// How long to wait for something when there is nothing yet, as in `30s`; a minute at most.
    wait: Option<Span>,
    /// Only those of which this condition in CEL holds.
    #[serde(rename = "where")]
    condition: Option<String>,
}

/// What events are looked at through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Through {
    Membranes,
    Nothing,
}

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response, ApiError> {
    caller.may_read()?;
    let streamed = headers
        .get(header::ACCEPT)
        .is_some_and(|accept| accept == "text/event-stream");
    let filter = filter(&api, &wanted)?;
    let under = wanted
        .under
        .as_deref()
        .map(|text| named(&api, text))
        .transpose()?;
    let through = wanted.through == Some(Through::Membranes);
    let condition = wanted
        .condition
        .as_deref()
        .map(EventCondition::parse)
        .transpose()?;
    let lens = Lens::of(&api, &caller, under.map(|node| node.id), through)?.only(condition);
    if streamed {
        let resumed = headers
            .get("last-event-id")
            .and_then(|id| id.to_str().ok()?.parse().ok());
        return follow(&api, &caller, filter, lens, resumed);
    }
    let records = page(&api, filter, &lens, wanted.wait.map(|wait| wait.0)).await?;
    Ok(Json(records).into_response())
}

fn filter(api: &Api, wanted: &Wanted) -> Result<EventFilter, Error> {
    let node = match &wanted.node {
        None => None,
        Some(name) => Some(view::find_among(api.reader(), &[Kind::Task, Kind::Agent], name)?.id),
    };
    let types = wanted.types.as_deref().unwrap_or_default();
    Ok(EventFilter {
        after: wanted.since.unwrap_or(Hlc::ZERO),
        node,
        types: types
            .split(',')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
        newest_first: wanted.newest,
        limit: wanted.limit.unwrap_or(PAGE),
        ..EventFilter::default()
    })
}

/// Everything after the given stamp, and then what comes; a client that lost the connection
/// goes on from the last id that it saw.
pub(super) fn follow(
    api: &Api,
    caller: &Caller,
    filter: EventFilter,
    lens: Lens,
    resumed: Option<Hlc>,
) -> Result<Response, ApiError> {
    let open = api.limits.stream(&caller.0.principal)?;
    let after = resumed.unwrap_or(filter.after);
    let follower = api.runtime.system().journal().follow(after);
    // Ends with the daemon: an open stream must not hold up a graceful stop.
    let stop = api.stop.subscribe();
    let batches = stream::unfold((follower, stop), |(mut follower, mut stop)| async move {
        let records = tokio::select! {
            records = follower.next(BATCH) => records.ok()?,
            _ = stop.wait_for(Option::is_some) => return None,
        };
        Some((records, (follower, stop)))
    });
    let events = batches.flat_map(stream::iter).filter_map(move |record| {
        // Given back when the stream is over, whoever ends it.
        let _open = &open;
        std::future::ready(lens.see(&record).filter(|seen| matches(&filter, seen)))
    });
    let events = Sse::new(events.map(|record| Ok::<_, Infallible>(sse(&record))));
    Ok(events.keep_alive(KeepAlive::default()).into_response())
}

fn matches(filter: &EventFilter, record: &Record) -> bool {
    let of_node = filter.node.is_none_or(|node| node == record.node);
    let of_type = filter.types.is_empty() || filter.types.iter().any(|name| name == record.event.topic());
    of_node && of_type
}

fn sse(record: &Record) -> SseEvent {
    let event = SseEvent::default()
        .id(record.at.to_string())
        .event(record.event.topic());
    // A record that came out of the store as JSON goes back into it.
    event.json_data(record).unwrap_or_default()
}

/// An event of the user's own, or of another system.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Emit {
    #[serde(alias = "type")]
    pub(super) name: String,
    #[serde(default = "first")]
    pub(super) version: u32,
    #[serde(default)]
    pub(super) data: Map<String, Value>,
    /// For which Worknode, when the path does not say; the team by default.
    #[serde(default)]
    node: Option<String>,
}

const fn first() -> u32 {
    1
}

impl Emit {
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.name.is_empty() || self.name.len() > 128 {
            return Err(Error::new(Code::Usage, "an event needs a name of 1 to 128 bytes"));
        }
        Ok(())
    }
}

pub(super) async fn emit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<Emit>,
) -> Result<Response, ApiError> {
    let node = match &body.node {
        Some(node) => named(&api, node)?.id,
        None => api.runtime.system().team().node(),
    };
    emit_on(&api, &caller, node, body).await
}

/// It came in.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Emitted {
    /// Its stamp.
    at: Option<Hlc>,
}

/// There was no room for it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Aside {
    /// It waits in place of an older one of its kind.
    Conflated { conflated: bool },
    /// It is kept as a dead letter.
    Kept { dead_letter: Hlc, reason: String },
}

fn accepted(aside: Aside) -> Response {
    (StatusCode::ACCEPTED, Json(aside)).into_response()
}

/// Records an event of one Worknode. 201 when it came in; 202 when there was no room for it and it
/// is kept, or gave way to a newer one.
pub(super) async fn emit_on(
    api: &Api,
    caller: &Caller,
    node: NodeId,
    body: Emit,
) -> Result<Response, ApiError> {
    body.check()?;
    let emit = Command::Emit {
        name: body.name,
        version: body.version,
        data: body.data,
    };
    let reply = api.runtime.system().ask(&caller.0, node, emit, None).await?;
    Ok(match reply {
        Reply::Done { records, .. } => {
            let at = records.first().map(|record| record.at);
            Created(Emitted { at }).into_response()
        }
        Reply::Conflated => accepted(Aside::Conflated { conflated: true }),
        Reply::PutAside { letter, reason } => accepted(Aside::Kept {
            dead_letter: letter,
            reason,
        }),
    })
}
