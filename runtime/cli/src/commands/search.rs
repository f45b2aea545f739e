//! `worknode search` and `worknode query`: which Worknodes, and what they come to.

use std::fmt::Display;

use serde::Serialize;
use worknode_core::error::Error;
use worknode_daemon::view::{AggregateView, FailedView, NodePage, NodeView};

use crate::{
    args::tree::{Narrow, Search},
    client::escaped,
    output::{self, Form, cell, dim, paint, state, table},
    place::Place,
};

/// The part of a path behind its `?`.
#[derive(Debug, Default)]
pub(super) struct Question(Vec<String>);

impl Question {
    /// Says one thing, when there is something to say.
    pub(super) fn set(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.0.push(format!("{name}={}", escaped(&value.to_string())));
        }
    }

    pub(super) fn narrow(&mut self, narrow: &Narrow) {
        self.set("kind", narrow.kind.as_ref());
        self.set("status", narrow.status.as_ref());
        self.set("all", narrow.all.then_some(true));
        self.set("limit", Some(narrow.limit));
        self.set("cursor", narrow.cursor.as_ref());
    }

    pub(super) fn text(&self) -> String {
        self.0.join("&")
    }
}

pub(crate) async fn search(place: &Place, args: &Search, form: Form) -> Result<(), Error> {
    let mut question = Question::default();
    question.set("q", (!args.words.is_empty()).then(|| args.words.join(" ")));
    question.set("where", args.filter.as_ref());
    question.set("under", args.under.as_ref());
    question.narrow(&args.narrow);
    let client = place.client()?;
    if args.aggregates.is_empty() {
        let found: NodePage = client.get(&format!("/search?{}", question.text())).await?;
        return page(&found, form);
    }
    question.set("aggregate", Some(args.aggregates.join(";")));
    let numbers: AggregateView = client.get(&format!("/search?{}", question.text())).await?;
    aggregates(&numbers, form)
}

/// One page, and how to see the next.
pub(super) fn page(found: &NodePage, form: Form) -> Result<(), Error> {
    if form == Form::Json {
        return output::json(found);
    }
    print(&found.nodes);
    failed(found.failed.as_ref());
    if let Some(next) = &found.next {
        output::line(paint(&format!("there may be more: --cursor {next}"), dim()));
    }
    Ok(())
}

fn failed(failed: Option<&FailedView>) {
    if let Some(failed) = failed {
        let text = format!("{} without an answer: {}", failed.nodes, failed.reason);
        output::line(paint(&text, dim()));
    }
}

/// Worknodes as a table.
pub(super) fn print(nodes: &[NodeView]) {
    let mut rows = table(&["KIND", "NAME", "STATUS", "TAGS", "ID"]);
    for node in nodes {
        let tags: Vec<_> = node.tags.iter().map(String::as_str).collect();
        rows.add_row([
            cell(node.kind.name()),
            cell(&node.name),
            state(&node.status),
            cell(tags.join(",")),
            cell(node.id.to_string()),
        ]);
    }
    output::rows(&rows, "nothing is found");
}

fn aggregates(view: &AggregateView, form: Form) -> Result<(), Error> {
    if form == Form::Json {
        return output::json(view);
    }
    for outcome in &view.aggregates {
        let mut rows = table(&["GROUP", &outcome.aggregate, "WORKNODES"]);
        for group in &outcome.groups {
            let key = group.key.iter().map(|key| view.names.get(key).unwrap_or(key));
            rows.add_row([
                cell(key.map(String::as_str).collect::<Vec<_>>().join(", ")),
                cell(plain(&group.value)),
                cell(plain(&group.count)),
            ]);
        }
        output::rows(&rows, "nothing to count");
    }
    failed(view.failed.as_ref());
    Ok(())
}

/// A number as JSON has it; nothing for what has no value.
fn plain(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::Null) | Err(_) => String::new(),
        Ok(value) => value.to_string(),
    }
}
