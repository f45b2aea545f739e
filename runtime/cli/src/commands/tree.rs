//! `worknode tree`: the one tree in which everything lives, as much of it as is asked for.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use worknode_actors::query::{self, Query};
use worknode_core::{
    error::{Code, Error},
    ids::NodeId,
    node::Kind,
};
use worknode_daemon::view::{NodePage, NodeView, find_node};
use worknode_journal::Reader;

use super::{ask_or_read, now, search::Question};
use crate::{
    args::tree::Tree,
    output::{self, Form, colour_of, dim, paint},
    place::Place,
};

/// Worknodes asked for at once.
const PAGE: usize = 1_000;

pub(crate) async fn tree(place: &Place, args: &Tree, form: Form) -> Result<(), Error> {
    let (nodes, more) = collect(place, args).await?;
    if form == Form::Json {
        return output::json(&nodes);
    }
    let ids: HashSet<NodeId> = nodes.iter().map(|node| node.id).collect();
    let mut children: HashMap<Option<NodeId>, Vec<&NodeView>> = HashMap::new();
    for node in &nodes {
        // What hangs below something that is not shown is shown as a tree of its own.
        let parent = node.parent.filter(|parent| ids.contains(parent));
        children.entry(parent).or_default().push(node);
    }
    for root in children.get(&None).into_iter().flatten() {
        print(root, &children, "", "");
    }
    if more {
        let text = format!(
            "… and more: --limit {} or --under NODE",
            args.limit.saturating_mul(10)
        );
        output::line(paint(&text, dim()));
    }
    Ok(())
}

/// At most as many as are asked for, and whether there are more.
pub(super) async fn collect(place: &Place, args: &Tree) -> Result<(Vec<NodeView>, bool), Error> {
    let client = place.client()?;
    let mut nodes = Vec::new();
    let mut cursor = None;
    loop {
        let limit = args.limit.saturating_sub(nodes.len()).clamp(1, PAGE);
        let mut question = Question::default();
        question.set("under", args.under.as_ref());
        question.set("depth", args.depth);
        question.set("kind", args.kind.as_ref());
        question.set("all", args.all.then_some(true));
        question.set("limit", Some(limit));
        question.set("cursor", cursor.as_ref());
        let path = format!("/nodes?{}", question.text());
        let read = |reader: &Reader| read(reader, args, limit, cursor.clone());
        let page: NodePage = ask_or_read(place, client.get(&path), read).await?;
        nodes.extend(page.nodes);
        if page.next.is_none() || nodes.len() >= args.limit {
            return Ok((nodes, page.next.is_some()));
        }
        cursor = page.next;
    }
}

/// The same without a daemon. Attributes are as they are stored then.
fn read(reader: &Reader, args: &Tree, limit: usize, cursor: Option<String>) -> Result<NodePage, Error> {
    let kinds = Arc::default();
    let under = match &args.under {
        Some(under) => find_node(reader, &kinds, under)?.id,
        None => NodeId::ROOT,
    };
    let named = args.kind.as_deref().unwrap_or_default().split(',');
    let named = named.filter(|kind| !kind.is_empty()).map(str::parse::<Kind>);
    let query = Query {
        kinds: named
            .collect::<Result<_, _>>()
            .map_err(|error| Error::new(Code::Usage, error.to_string()))?,
        archived: (!args.all).then_some(false),
        levels: args.depth,
        limit,
        cursor,
        ..Query::below(under)
    };
    let found = query::page(reader, &kinds, &query, now())?;
    Ok(NodePage::of(found, &kinds))
}

fn print(node: &NodeView, children: &HashMap<Option<NodeId>, Vec<&NodeView>>, lead: &str, below: &str) {
    let status = paint(&node.status, colour_of(&node.status));
    let away = if node.archived { " (archived)" } else { "" };
    output::line(format!(
        "{lead}{} {} {status}{away}",
        paint(node.kind.name(), dim()),
        node.name
    ));
    let list = children
        .get(&Some(node.id))
        .map(Vec::as_slice)
        .unwrap_or_default();
    for (at, child) in list.iter().enumerate() {
        let (branch, rest) = if at + 1 == list.len() {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        print(
            child,
            children,
            &format!("{below}{branch}"),
            &format!("{below}{rest}"),
        );
    }
}
