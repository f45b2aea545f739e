//! Events: a page, or a stream that can be resumed.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

use axum::{
    Json,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event as SseEvent, KeepAlive, Sse},
    },
};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use worknode_core::{
    command::Command,
    error::{Code, Error},
    event::Record,
    hlc::Hlc,
    ids::NodeId,
    node::Kind,
};
use worknode_journal::EventFilter;

use super::{Api, auth::Caller, error::ApiError};
use crate::view;

/// Events of one page when the client names no number.
const PAGE: usize = 100;
/// Events read at once for a stream.
const BATCH: usize = 256;

/// Which events.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Wanted {
    since: Option<Hlc>,
    limit: Option<usize>,
    /// A task or an agent, by name.
    node: Option<String>,
    /// Comma-separated types.
    types: Option<String>,
    /// From the end.
    newest: bool,
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
    if streamed {
        let resumed = headers
            .get("last-event-id")
            .and_then(|id| id.to_str().ok()?.parse().ok());
        return Ok(follow(&api, filter, resumed));
    }
    let mut records = api.reader().events(&filter)?;
    if wanted.newest {
        records.reverse();
    }
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
fn follow(api: &Api, filter: EventFilter, resumed: Option<Hlc>) -> Response {
    let follower = api
        .runtime
        .system()
        .journal()
        .follow(resumed.unwrap_or(filter.after));
    // Ends with the daemon: an open stream must not hold up a graceful stop.
    let stop = api.stop.subscribe();
    let batches = stream::unfold((follower, stop), |(mut follower, mut stop)| async move {
        let records = tokio::select! {
            records = follower.next(BATCH) => records.ok()?,
            _ = stop.wait_for(Option::is_some) => return None,
        };
        Some((records, (follower, stop)))
    });
    let events = batches
        .flat_map(stream::iter)
        .filter(move |record| std::future::ready(matches(&filter, record)));
    Sse::new(events.map(|record| Ok::<_, Infallible>(sse(&record))))
        .keep_alive(KeepAlive::default())
        .into_response()
}

fn matches(filter: &EventFilter, record: &Record) -> bool {
    let of_node = filter.node.is_none_or(|node| node == record.node);
    let of_type = filter.types.is_empty() || filter.types.iter().any(|name| name == record.event.topic());
    of_node && of_type
}

pub(super) fn sse(record: &Record) -> SseEvent {
    let event = SseEvent::default()
        .id(record.at.to_string())
        .event(record.event.topic());
    // A record that came out of the store as JSON goes back into it.
    event.json_data(record).unwrap_or_default()
}

/// An event of the user's own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Emit {
    name: String,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

pub(super) async fn emit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(body): Json<Emit>,
) -> Result<StatusCode, ApiError> {
    let team = api.runtime.system().team().node();
    emit_on(&api, &caller, team, body).await
}

/// Records an event of one Worknode.
pub(super) async fn emit_on(
    api: &Api,
    caller: &Caller,
    node: NodeId,
    body: Emit,
) -> Result<StatusCode, ApiError> {
    if body.name.is_empty() || body.name.len() > 128 {
        return Err(Error::new(Code::Usage, "an event needs a name of 1 to 128 bytes").into());
    }
    let emit = Command::Emit {
        name: body.name,
        data: body.data,
    };
    api.runtime.system().ask(&caller.0, node, emit, None).await?;
    Ok(StatusCode::CREATED)
}
