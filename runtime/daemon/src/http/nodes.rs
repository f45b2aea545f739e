//! Worknodes, whatever their kind: make one, look at it, change it. The verbs are the same on every
//! level of the tree.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use worknode_actors::{
    new_task::NewTask,
    nodes::{self, NewNode},
};
use worknode_core::{
    body::{Link, Relation},
    command::Command,
    error::{Code, Error},
    hlc::Hlc,
    ids::NodeId,
    membrane::MembraneSpec,
    node::{Kind, Node, NodeChange},
};

use super::{
    Api,
    auth::Caller,
    described::Routes,
    error::ApiError,
    events,
    parts::{Json, Path},
};
use crate::view::{NodeView, find_node};

type Answer = Result<Response, ApiError>;

pub(super) fn routes() -> Routes {
    Routes::new()
        .post("/nodes", create, "Makes a Worknode")
        .answers::<NodeView>(201, "It was made.")
        .example(r#"{"kind": "document", "name": "design", "tags": ["draft"]}"#)
        .get("/nodes/{id}", show, "One Worknode")
        .answers::<NodeView>(200, "As it is now.")
        .tagged()
        .put(
            "/nodes/{id}",
            set,
            "Changes attributes, name or membrane of a Worknode",
        )
        .answers::<NodeView>(200, "As it is now.")
        .tagged()
        .if_match()
        .example(r#"{"attributes": {"stage": "won", "note": null}}"#)
        .post("/nodes/{id}/emit", emit, "Records an event of a Worknode")
        .answers::<events::Emitted>(201, "It came in.")
        .answers::<events::Aside>(202, "There was no room for it.")
        .example(r#"{"name": "deployed", "data": {"where": "staging"}}"#)
        .post(
            "/nodes/{id}/{verb}",
            change,
            "Changes a Worknode: move, rename, archive, restore, tag, untag, assign, unassign, link, unlink",
        )
        .answers::<NodeView>(200, "As it is now.")
        .tagged()
        .if_match()
        .example(r#"{"tag": "urgent"}"#)
}

/// The Worknode that `text` names.
pub(super) fn named(api: &Api, text: &str) -> Result<Node, Error> {
    find_node(api.reader(), api.kinds(), text)
}

/// The same, when the caller may look at it.
pub(super) fn readable(api: &Api, caller: &Caller, text: &str) -> Result<Node, Error> {
    caller.may_read()?;
    let node = named(api, text)?;
    check_covered(api, caller, node.id)?;
    Ok(node)
}

/// Does the caller's capability cover this Worknode?
pub(super) fn check_covered(api: &Api, caller: &Caller, id: NodeId) -> Result<(), Error> {
    let subtree = caller.0.subtree;
    if subtree == NodeId::ROOT || subtree == id || api.reader().ancestors(id)?.contains(&subtree) {
        return Ok(());
    }
    let message = format!(
        "{} may not look at Worknode {id}: it is not below {subtree}",
        caller.0.principal
    );
    Err(Error::new(Code::Forbidden, message).hint("the capability covers another part of the tree"))
}

/// A Worknode with the stamp that `If-Match` asks for.
fn answer(api: &Api, node: &Node) -> Response {
    let view = NodeView::read(node, api.kinds());
    let mut response = Json(&view).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", view.updated)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

async fn show(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let node = readable(&api, &caller, &id)?;
    Ok(answer(&api, &node))
}

/// A Worknode as a client makes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewNode")]
struct Create {
    /// Where; below the team when it is not said.
    #[serde(default)]
    parent: Option<String>,
    kind: String,
    name: String,
    #[serde(default)]
    attributes: BTreeMap<String, Value>,
    #[serde(default)]
    tags: BTreeSet<String>,
    #[serde(default)]
    assignees: BTreeSet<String>,
    #[serde(default)]
    links: Vec<LinkBody>,
    /// What only a task has.
    #[serde(default)]
    task: Option<NewTask>,
}

async fn create(State(api): State<Arc<Api>>, caller: Caller, Json(body): Json<Create>) -> Answer {
    let kind: Kind = body
        .kind
        .parse()
        .map_err(|error| Error::new(Code::Usage, format!("{error}")))?;
    let id = |text: &String| named(&api, text).map(|node| node.id);
    let parent = match &body.parent {
        Some(parent) => id(parent)?,
        None => api.runtime.system().team().node(),
    };
    let links = body.links.iter().map(|link| match link.read(&api)? {
        (relation, to, false) => Ok(Link { relation, to }),
        (_, _, true) => Err(Error::new(Code::Usage, "this link belongs to the other Worknode")
            .hint("make the Worknode first, then link it")),
    });
    let new = NewNode {
        parent,
        kind,
        name: body.name,
        attributes: body.attributes,
        tags: body.tags,
        links: links.collect::<Result<_, _>>()?,
        assignees: body.assignees.iter().map(id).collect::<Result<_, _>>()?,
        task: body.task,
    };
    let node = nodes::create(api.runtime.system(), &caller.0, new).await?;
    Ok((StatusCode::CREATED, answer(&api, &node)).into_response())
}

/// What is to be different. What is not named stays as it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NodeChanges")]
struct Set {
    /// New values; `null` takes one away.
    #[serde(default)]
    attributes: BTreeMap<String, Value>,
    #[serde(default)]
    name: Option<String>,
    /// `null` takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<Box<MembraneSpec>>")]
    membrane: Option<Option<Box<MembraneSpec>>>,
}

/// Tells `null` from what is not there.
fn given<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<Box<MembraneSpec>>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

async fn set(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Set>,
) -> Answer {
    let mut node = named(&api, &id)?;
    let mut since = if_match(&headers)?;
    let mut changes = Vec::new();
    if !body.attributes.is_empty() {
        changes.push(NodeChange::Set {
            attributes: body.attributes,
            // Which version it is follows from the kind.
            version: 0,
        });
    }
    changes.extend(body.membrane.map(|membrane| NodeChange::SetMembrane { membrane }));
    changes.extend(body.name.map(|name| NodeChange::Rename { name }));
    if changes.is_empty() {
        return Err(Error::new(Code::Usage, "there is nothing to change")
            .hint("send `attributes`, `name` or `membrane`")
            .into());
    }
    for change in changes {
        node = asked(&api, &caller, node.id, change, since).await?;
        // The next change follows upon this one, or upon nothing.
        since = since.map(|_| node.updated);
    }
    Ok(answer(&api, &node))
}

async fn emit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<events::Emit>,
) -> Answer {
    let node = named(&api, &id)?;
    events::emit_on(&api, &caller, node.id, body).await
}

/// What a verb needs to be known; each takes its own part of it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "NodeVerb")]
struct Change {
    to: Option<String>,
    tag: Option<String>,
    name: Option<String>,
    reason: Option<String>,
    relation: Option<String>,
}

async fn change(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((id, verb)): Path<(String, String)>,
    headers: HeaderMap,
    body: Option<Json<Change>>,
) -> Answer {
    let body = body.map(|Json(body)| body).unwrap_or_default();
    let node = named(&api, &id)?;
    let (of, change) = read(&api, &verb, &node, body)?;
    let since = if_match(&headers)?;
    let changed = asked(&api, &caller, of, change, since).await?;
    if of == node.id {
        return Ok(answer(&api, &changed));
    }
    // The link is the other one's; the answer is about the one that was asked.
    Ok(answer(&api, &named(&api, &node.id.to_string())?))
}

/// The change that a verb means, and of which Worknode.
fn read(api: &Api, verb: &str, node: &Node, body: Change) -> Result<(NodeId, NodeChange), Error> {
    let needs = |what: Option<String>, name: &str| {
        what.ok_or_else(|| Error::new(Code::Usage, format!("`{verb}` needs `{name}`")))
    };
    let other = |to| needs(to, "to").and_then(|to| Ok(named(api, &to)?.id));
    let change = match verb {
        "move" => NodeChange::Move { to: other(body.to)? },
        "rename" => NodeChange::Rename {
            name: needs(body.name, "name")?,
        },
        "archive" => NodeChange::Archive {
            reason: body.reason.unwrap_or_default(),
        },
        "restore" => NodeChange::Restore,
        "tag" => NodeChange::Tag {
            tag: needs(body.tag, "tag")?,
        },
        "untag" => NodeChange::Untag {
            tag: needs(body.tag, "tag")?,
        },
        "assign" => NodeChange::Assign { to: other(body.to)? },
        "unassign" => NodeChange::Unassign { to: other(body.to)? },
        "link" | "unlink" => {
            let link = LinkBody {
                relation: needs(body.relation, "relation")?,
                to: needs(body.to, "to")?,
            };
            let (relation, to, reverse) = link.read(api)?;
            let (of, to) = if reverse { (to, node.id) } else { (node.id, to) };
            let link = Link { relation, to };
            let change = if verb == "link" {
                NodeChange::Link { link }
            } else {
                NodeChange::Unlink { link }
            };
            return Ok((of, change));
        }
        _ => {
            return Err(Error::new(Code::NotFound, format!("a Worknode cannot `{verb}`"))
                .hint("there are: move, rename, archive, restore, tag, untag, assign, unassign, link, unlink, emit"));
        }
    };
    Ok((node.id, change))
}

/// A link as a client names it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewLink")]
struct LinkBody {
    relation: String,
    to: String,
}

impl LinkBody {
    /// What, with which, and whether it is read from the other side.
    fn read(&self, api: &Api) -> Result<(Relation, NodeId, bool), Error> {
        let to = named(api, &self.to)?.id;
        let name = self.relation.as_str();
        let fits = |relation: &Relation| relation.name() == name || relation.reverse_name() == name;
        let relation = Relation::ALL.into_iter().find(fits).ok_or_else(|| {
            let all = Relation::ALL
                .iter()
                .flat_map(|relation| [relation.name(), relation.reverse_name()]);
            let all: Vec<_> = all.collect();
            Error::new(Code::Usage, format!("there is no relation `{name}`"))
                .hint(format!("there are: {}", all.join(", ")))
        })?;
        Ok((relation, to, relation.name() != name))
    }
}

async fn asked(
    api: &Api,
    caller: &Caller,
    node: NodeId,
    change: NodeChange,
    unless_changed_since: Option<Hlc>,
) -> Result<Node, Error> {
    let command = Command::Node {
        change,
        unless_changed_since,
    };
    let reply = api.runtime.system().ask(&caller.0, node, command, None).await?;
    Ok((*reply.node()?).clone())
}

/// The stamp that the client saw: the `updated` of the Worknode, with or without quotes.
fn if_match(headers: &HeaderMap) -> Result<Option<Hlc>, Error> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim().trim_matches('"');
    if text == "*" {
        return Ok(None);
    }
    let stamp = text.parse().map_err(|_| {
        Error::new(Code::Usage, "`If-Match` is not a stamp").hint("send the `updated` of the Worknode")
    })?;
    Ok(Some(stamp))
}
