//! `worknode node`: the same operations on every level of the tree.

use serde_json::{Map, Value, json};
use worknode_core::{error::Error, event::Record, hlc::Hlc, ids::NodeId};
use worknode_daemon::view::{LinkView, NodePage, NodeView};

use super::{dry, events, search, task};
use crate::{
    answers::own::NodeEmitted,
    args::tree::{Below, Create, LinkArgs, Node},
    client::{Client, escaped},
    events::Names,
    output::{self, Form, bold, cell, colour_of, dim, paint, state, table},
    place::Place,
};

pub(crate) async fn node(place: &Place, node: Node, form: Form) -> Result<(), Error> {
    let client = place.client()?;
    match node {
        Node::Create(args) => {
            let made: NodeView = client.post("/nodes", &new_node(args)?).await?;
            show(&made, form)
        }
        Node::Get { node } => show(&client.get(&path(&node, "")).await?, form),
        Node::Set {
            node,
            attributes,
            since,
        } => {
            let attributes: Map<String, Value> = attributes.into_iter().collect();
            let body = json!({ "attributes": attributes });
            show(&client.put(&path(&node, ""), &body, since.if_match).await?, form)
        }
        Node::Rename { node, name, since } => {
            let change = ("rename", json!({ "name": name }));
            changed(&client, &node, change, since.if_match, form).await
        }
        Node::Move { node, to, since } => {
            let change = ("move", json!({ "to": to }));
            changed(&client, &node, change, since.if_match, form).await
        }
        Node::Archive {
            node, dry_run: true, ..
        } => {
            let found: NodeView = client.get(&path(&node, "")).await?;
            dry::would(
                "archive",
                &[format!("{} {}", found.kind.name(), found.name)],
                form,
            )
        }
        Node::Archive { node, reason, .. } => {
            changed(
                &client,
                &node,
                ("archive", json!({ "reason": reason })),
                None,
                form,
            )
            .await
        }
        Node::Restore { node } => changed(&client, &node, ("restore", json!({})), None, form).await,
        Node::Tag { node, tag } => changed(&client, &node, ("tag", json!({ "tag": tag })), None, form).await,
        Node::Untag { node, tag } => {
            changed(&client, &node, ("untag", json!({ "tag": tag })), None, form).await
        }
        Node::Assign { node, to } => {
            changed(&client, &node, ("assign", json!({ "to": to })), None, form).await
        }
        Node::Unassign { node, to } => {
            changed(&client, &node, ("unassign", json!({ "to": to })), None, form).await
        }
        Node::Link(args) => link(&client, "link", args, form).await,
        Node::Unlink(args) => link(&client, "unlink", args, form).await,
        Node::Children(args) => below(&client, "children", &args, form).await,
        Node::Descendants(args) => below(&client, "descendants", &args, form).await,
        Node::Ancestors { node } => {
            let above: Vec<NodeView> = client.get(&path(&node, "/ancestors")).await?;
            match form {
                Form::Json => output::json(&above),
                Form::Text => {
                    search::print(&above);
                    Ok(())
                }
            }
        }
        Node::Links { node } => {
            let found: Vec<LinkView> = client.get(&path(&node, "/links")).await?;
            links(&found, form)
        }
        Node::Emit { node, name, data } => {
            let data: std::collections::BTreeMap<_, _> = data.into_iter().collect();
            let body = json!({ "name": name, "data": data });
            client.post::<Value>(&path(&node, "/emit"), &body).await?;
            match form {
                Form::Json => output::json(&NodeEmitted { emitted: name }),
                Form::Text => {
                    output::line(format!("emitted {name}"));
                    Ok(())
                }
            }
        }
        Node::Events { node, last } => history(&client, &node, last, form).await,
        Node::Watch { node, since, types } => watch(&client, &node, since, &types, form).await,
    }
}

fn path(node: &str, rest: &str) -> String {
    format!("/nodes/{}{rest}", escaped(node))
}

async fn changed(
    client: &Client,
    node: &str,
    (verb, body): (&str, Value),
    if_match: Option<Hlc>,
    form: Form,
) -> Result<(), Error> {
    let path = path(node, &format!("/{verb}"));
    show(&client.post_if(&path, &body, if_match).await?, form)
}

async fn link(client: &Client, verb: &str, args: LinkArgs, form: Form) -> Result<(), Error> {
    let body = json!({ "relation": args.relation, "to": args.to });
    changed(client, &args.node, (verb, body), None, form).await
}

fn new_node(args: Create) -> Result<Value, Error> {
    let attributes: Map<String, Value> = args.attributes.into_iter().collect();
    let links: Vec<Value> = args
        .links
        .into_iter()
        .map(|(relation, to)| json!({ "relation": relation, "to": to }))
        .collect();
    let mut body = json!({
        "kind": args.kind,
        "name": args.name,
        "attributes": attributes,
        "tags": args.tags,
        "assignees": args.assignees,
        "links": links,
    });
    if let Some(parent) = args.parent {
        body["parent"] = json!(parent);
    }
    if args.title.is_some() || args.prompt.is_some() {
        let prompt = task::prompt(args.prompt)?;
        body["task"] = json!({ "title": args.title.unwrap_or_default(), "prompt": prompt });
    }
    Ok(body)
}

async fn below(client: &Client, what: &str, args: &Below, form: Form) -> Result<(), Error> {
    let mut query = search::Question::default();
    query.narrow(&args.narrow);
    let page: NodePage = client
        .get(&path(&args.node, &format!("/{what}?{}", query.text())))
        .await?;
    search::page(&page, form)
}

fn show(node: &NodeView, form: Form) -> Result<(), Error> {
    if form == Form::Json {
        return output::json(node);
    }
    let status = paint(&node.status, colour_of(&node.status));
    let away = if node.archived { " (archived)" } else { "" };
    output::line(format!(
        "{} {} {status}{away}",
        paint(node.kind.name(), dim()),
        paint(&node.name, bold())
    ));
    let say = |what: &str, text: String| {
        if !text.is_empty() {
            output::line(format!("  {:<11} {text}", paint(what, dim())));
        }
    };
    say("id", node.id.to_string());
    say("parent", node.parent.map(|id| id.to_string()).unwrap_or_default());
    say("title", node.title.clone().unwrap_or_default());
    for (name, value) in &node.attributes {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        say("attribute", format!("{name} = {value}"));
    }
    say("unreadable", node.unreadable.clone().unwrap_or_default());
    say("tags", node.tags.iter().cloned().collect::<Vec<_>>().join(", "));
    let ids = |ids: Vec<NodeId>| ids.iter().map(NodeId::to_string).collect::<Vec<_>>().join(", ");
    say("assignees", ids(node.assignees.iter().copied().collect()));
    for link in &node.links {
        say("link", format!("{} {}", link.relation.name(), link.to));
    }
    say("updated", node.updated.to_string());
    Ok(())
}

fn links(links: &[LinkView], form: Form) -> Result<(), Error> {
    if form == Form::Json {
        return output::json(&links);
    }
    let mut rows = table(&["RELATION", "KIND", "NAME", "STATUS"]);
    for link in links {
        rows.add_row([
            cell(&link.relation),
            cell(link.kind.name()),
            cell(&link.name),
            state(&link.status),
        ]);
    }
    output::rows(&rows, "no links");
    Ok(())
}

async fn history(client: &Client, node: &str, last: usize, form: Form) -> Result<(), Error> {
    let records: Vec<Record> = client
        .get(&path(node, &format!("/events?newest=true&limit={last}")))
        .await?;
    let mut names = Names::default();
    // A reader that has gone away needs no more.
    let _ = events::print(&records, &mut names, form)?;
    Ok(())
}

async fn watch(
    client: &Client,
    node: &str,
    since: Option<Hlc>,
    types: &[String],
    form: Form,
) -> Result<(), Error> {
    let mut query = search::Question::default();
    query.set("since", since);
    if !types.is_empty() {
        query.set("types", Some(types.join(",")));
    }
    let path = path(node, &format!("/watch?{}", query.text()));
    events::stream(client, &path, &mut Names::default(), form).await
}
