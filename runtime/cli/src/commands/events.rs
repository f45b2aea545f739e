//! `worknode events`: what happened, and with `-f` what happens.

use std::ops::ControlFlow;

use http_body_util::BodyExt;
use worknode_core::{
    error::{Code, Error},
    event::Record,
    hlc::Hlc,
    node::Kind,
};
use worknode_daemon::view::{
    self,
    events::{EventCondition, events_where},
};
use worknode_journal::{EventFilter, Reader};

use super::{ask_or_read, tree};
use crate::{
    args::{look::Events, tree::Tree},
    client::{Client, escaped},
    events::Names,
    output::{self, Form},
    place::Place,
};

/// Events asked for at once.
const PAGE: usize = 1_000;
/// Worknodes that are called by their names. Beyond it, what is not named in the events themselves
/// is called by the beginning of its id.
const NAMES: usize = 10_000;

pub(crate) async fn events(place: &Place, args: &Events, form: Form) -> Result<(), Error> {
    let client = place.client()?;
    let mut names = Names::default();
    let known = Tree {
        under: None,
        depth: None,
        kind: None,
        all: true,
        limit: NAMES,
    };
    for node in tree::collect(place, &known).await?.0 {
        names.add(node.id, node.name);
    }
    let mut after = args.since.map_or(Hlc::ZERO, |since| since.0);
    if let Some(last) = args.last {
        let path = query(args, after, last, true);
        let records = page(place, &client, args, after, last, &path).await?;
        after = records.last().map_or(after, |record| record.at);
        if print(&records, &mut names, form)?.is_break() {
            return Ok(());
        }
    } else {
        loop {
            let path = query(args, after, PAGE, false);
            let records = page(place, &client, args, after, PAGE, &path).await?;
            let Some(last) = records.last() else { break };
            after = last.at;
            if print(&records, &mut names, form)?.is_break() {
                return Ok(());
            }
        }
    }
    if args.follow {
        follow(&client, args, after, &mut names, form).await
    } else {
        Ok(())
    }
}

async fn page(
    place: &Place,
    client: &Client,
    args: &Events,
    after: Hlc,
    limit: usize,
    path: &str,
) -> Result<Vec<Record>, Error> {
    // Without a daemon nobody knows what membranes would make of it.
    if args.under.is_some() {
        return client.get(path).await;
    }
    ask_or_read(place, client.get(path), |reader| read(reader, args, after, limit)).await
}

fn read(reader: &Reader, args: &Events, after: Hlc, limit: usize) -> Result<Vec<Record>, Error> {
    let node = match &args.node {
        None => None,
        Some(name) => Some(view::find_among(reader, &[Kind::Task, Kind::Agent], name)?.id),
    };
    let condition = args.condition.as_deref().map(EventCondition::parse).transpose()?;
    let newest_first = args.last.is_some();
    let filter = EventFilter {
        after,
        node,
        types: args.types.clone(),
        newest_first,
        limit,
        ..EventFilter::default()
    };
    let mut records = match condition {
        None => reader.events(&filter)?,
        Some(condition) => events_where(reader, &filter, &condition)?,
    };
    if newest_first {
        records.reverse();
    }
    Ok(records)
}

fn query(args: &Events, after: Hlc, limit: usize, newest: bool) -> String {
    let mut path = format!("/events?since={after}&limit={limit}&newest={newest}");
    if let Some(node) = &args.node {
        path.push_str(&format!("&node={}", escaped(node)));
    }
    if let Some(under) = &args.under {
        let through = if args.raw { "nothing" } else { "membranes" };
        path.push_str(&format!("&under={}&through={through}", escaped(under)));
    }
    if let Some(condition) = &args.condition {
        path.push_str(&format!("&where={}", escaped(condition)));
    }
    if !args.types.is_empty() {
        path.push_str(&format!("&types={}", escaped(&args.types.join(","))));
    }
    path
}

async fn follow(
    client: &Client,
    args: &Events,
    after: Hlc,
    names: &mut Names,
    form: Form,
) -> Result<(), Error> {
    stream(client, &query(args, after, PAGE, false), names, form).await
}

/// Shows what a stream of events brings, until it ends or nobody reads any more.
pub(super) async fn stream(client: &Client, path: &str, names: &mut Names, form: Form) -> Result<(), Error> {
    let mut body = client.stream(path).await?;
    let mut pending = Vec::new();
    while let Some(frame) = body.frame().await {
        let broken = |error| {
            Error::new(
                Code::Unreachable,
                format!("the stream of events broke off: {error}"),
            )
        };
        let Ok(bytes) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        pending.extend_from_slice(&bytes);
        while let Some(end) = pending.windows(2).position(|two| two == b"\n\n") {
            let message: Vec<u8> = pending.drain(..end + 2).collect();
            let records: Vec<Record> = String::from_utf8_lossy(&message)
                .lines()
                .filter_map(record)
                .collect();
            if print(&records, names, form)?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The record in a line of a server-sent event; comments and ids have none.
fn record(line: &str) -> Option<Record> {
    serde_json::from_str(line.strip_prefix("data:")?.trim_start()).ok()
}

/// Breaks off when nobody reads any more: `worknode events -f | head` has an end.
pub(super) fn print(records: &[Record], names: &mut Names, form: Form) -> Result<ControlFlow<()>, Error> {
    for record in records {
        names.learn(record);
        let read_on = match form {
            // One document a line: a stream has no end.
            Form::Json => {
                let text = serde_json::to_string(record)
                    .map_err(|error| Error::new(Code::Failed, error.to_string()))?;
                output::stream_line(text)
            }
            Form::Text => output::stream_line(names.line(record)),
        };
        if read_on.is_break() {
            return Ok(read_on);
        }
    }
    Ok(ControlFlow::Continue(()))
}
