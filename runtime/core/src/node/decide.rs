//! What a change of a Worknode comes to, whatever its kind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Kind, Node};
use crate::{
    agent::{Agent, AgentStatus},
    body::{Link, Relation},
    bounds,
    error::{Code, Error},
    event::Event,
    ids::NodeId,
    membrane::MembraneSpec,
};

/// What can be changed of any Worknode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "the fields repeat the types' own words; each variant says what it asks"
)]
pub enum NodeChange {
    /// Give attributes new values; `null` takes one away.
    Set {
        attributes: BTreeMap<String, Value>,
        /// Version of the kind's schema that the attributes follow afterwards.
        version: u32,
    },
    /// Give it another name.
    Rename { name: String },
    /// Hang it, and all below it, below another Worknode.
    Move { to: NodeId },
    /// Put it away.
    Archive { reason: String },
    /// Take it out again.
    Restore,
    /// Give it a tag.
    Tag { tag: String },
    /// Take a tag away.
    Untag { tag: String },
    /// Say who is to see to it.
    Assign { to: NodeId },
    /// Say that one is not to see to it any more.
    Unassign { to: NodeId },
    /// Say what it has to do with another.
    Link { link: Link },
    /// Say that it has not.
    Unlink { link: Link },
    /// Put a membrane in front of it, or take its own away.
    SetMembrane { membrane: Option<Box<MembraneSpec>> },
}

/// Decides what `change` comes to: the events to append, none when nothing is left to do. Pure.
///
/// What needs the tree to be known (is there such a parent, would the tree have a circle, is the
/// name free) is decided where the event is stored, in the same transaction.
///
/// # Errors
/// `usage` for what makes no sense, `limit_reached` at a bound, `illegal_transition` for what the
/// state does not allow.
pub fn decide(node: &Node, change: &NodeChange) -> Result<Vec<Event>, Error> {
    let body = &node.body;
    let event = match change {
        NodeChange::Set { attributes, version } => return set(node, attributes, *version),
        NodeChange::Rename { name } => rename(node, name)?,
        NodeChange::Move { to } => move_below(node, *to)?,
        NodeChange::Archive { reason } => archive(node, reason)?,
        NodeChange::Restore => body.is_archived().then_some(Event::NodeRestored),
        NodeChange::Tag { tag } => tag_with(node, tag)?,
        NodeChange::Untag { tag } => body.tags.contains(tag).then(|| Event::Untagged {
            tag: tag.clone(),
            seen: body.tags.dots(tag).collect(),
        }),
        NodeChange::Assign { to } => assign(node, *to)?,
        NodeChange::Unassign { to } => body.assignees.contains(to).then(|| Event::Unassigned {
            to: *to,
            seen: body.assignees.dots(to).collect(),
        }),
        NodeChange::Link { link } => link_to(node, *link)?,
        NodeChange::Unlink { link } => body.links.contains(link).then(|| Event::Unlinked {
            link: *link,
            seen: body.links.dots(link).collect(),
        }),
        NodeChange::SetMembrane { membrane } => {
            let membrane = membrane.clone().filter(|membrane| !membrane.is_empty());
            (body.membrane != membrane).then_some(Event::MembraneSet { membrane })
        }
    };
    Ok(event.into_iter().collect())
}

fn rename(node: &Node, name: &str) -> Result<Option<Event>, Error> {
    check_name(name)?;
    if node.name == name {
        return Ok(None);
    }
    if node.kind == Kind::Agent {
        return Err(named_elsewhere(node));
    }
    Ok(Some(Event::NodeRenamed {
        name: name.to_owned(),
    }))
}

fn tag_with(node: &Node, tag: &String) -> Result<Option<Event>, Error> {
    check_name(tag)?;
    let tags = &node.body.tags;
    let is_new = !tags.contains(tag);
    check_room("tags", tags.len(), is_new)?;
    Ok(is_new.then(|| Event::Tagged { tag: tag.clone() }))
}

fn assign(node: &Node, to: NodeId) -> Result<Option<Event>, Error> {
    let assignees = &node.body.assignees;
    let is_new = !assignees.contains(&to);
    check_room("assignees", assignees.len(), is_new)?;
    Ok(is_new.then_some(Event::Assigned { to }))
}

fn set(node: &Node, attributes: &BTreeMap<String, Value>, version: u32) -> Result<Vec<Event>, Error> {
    for name in attributes.keys() {
        check_name(name)?;
    }
    if version < node.body.version {
        return Err(Error::new(
            Code::IllegalTransition,
            format!(
                "the attributes of `{}` follow version {} of their schema, not {version}",
                node.name, node.body.version
            ),
        )
        .hint("a newer worknode wrote them; use that one"));
    }
    let known = |name: &String| node.body.attributes.get(name).map(|value| &value.0);
    let changed: BTreeMap<String, Value> = attributes
        .iter()
        .filter(|(name, value)| known(name).unwrap_or(&Value::Null) != *value)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let added = changed.keys().filter(|name| known(name).is_none()).count();
    let all = node.body.attributes.len().saturating_add(added);
    if all > bounds::ATTRIBUTES {
        return Err(too_many("attributes", bounds::ATTRIBUTES));
    }
    if changed.is_empty() && version == node.body.version {
        return Ok(Vec::new());
    }
    Ok(vec![Event::AttributesSet {
        attributes: changed,
        version,
    }])
}

fn move_below(node: &Node, to: NodeId) -> Result<Option<Event>, Error> {
    if node.id == NodeId::ROOT {
        return Err(Error::new(Code::Refused, "the root cannot be moved"));
    }
    if to == node.id {
        return Err(Error::new(
            Code::Refused,
            format!("`{}` cannot hang below itself", node.name),
        ));
    }
    // Elsewhere it would draw on another's limits, and no longer end with whoever spawned it.
    if node.agent().is_some_and(|agent| agent.spec.like.is_some()) {
        return Err(Error::new(
            Code::Refused,
            format!(
                "`{}` stays beneath whoever spawned it: its limits come out of theirs",
                node.name
            ),
        ));
    }
    Ok((node.parent != Some(to)).then_some(Event::NodeMoved { parent: to }))
}

/// An agent's workspace and its configuration have its name too.
fn named_elsewhere(node: &Node) -> Error {
    let message = format!("agent `{}` keeps its name: its workspace has it too", node.name);
    Error::new(Code::Refused, message).hint("give it a tag or an attribute instead")
}

/// What still works is not put away: it would go on unseen.
fn archive(node: &Node, reason: &str) -> Result<Option<Event>, Error> {
    if node.id == NodeId::ROOT {
        return Err(Error::new(Code::Refused, "the root cannot be archived"));
    }
    let busy = match node.kind {
        Kind::Task => node.task().is_some_and(|task| !task.status.is_terminal()),
        Kind::Agent => node.agent().is_some_and(|agent| !rests(agent)),
        _ => false,
    };
    if busy {
        return Err(Error::new(
            Code::IllegalTransition,
            format!("{} `{}` is {}", node.kind.name(), node.name, node.status()),
        )
        .hint("cancel or kill it first"));
    }
    Ok((!node.body.is_archived()).then(|| Event::NodeArchived {
        reason: reason.to_owned(),
    }))
}

const fn rests(agent: &Agent) -> bool {
    matches!(
        agent.status,
        AgentStatus::Stopped { .. } | AgentStatus::Quarantined { .. }
    )
}

fn link_to(node: &Node, link: Link) -> Result<Option<Event>, Error> {
    if link.to == node.id {
        return Err(Error::new(
            Code::Refused,
            format!("`{}` cannot be linked to itself", node.name),
        ));
    }
    let planned = link.relation == Relation::DependsOn && node.dependencies().any(|known| known == link.to);
    let over = node.task().is_some_and(|task| task.status.is_terminal());
    if over && link.relation == Relation::DependsOn && !planned {
        return Err(Error::new(
            Code::IllegalTransition,
            format!("task `{}` is {} and waits for nothing", node.name, node.status()),
        ));
    }
    let is_new = !planned && !node.body.links.contains(&link);
    check_room("links", node.body.links.len(), is_new)?;
    Ok(is_new.then_some(Event::Linked { link }))
}

/// A name that people can type and see: no control characters, no blank ends.
///
/// # Errors
/// `usage`, saying what is wrong with it.
pub fn check_name(name: &str) -> Result<(), Error> {
    let wrong = if name.is_empty() {
        "is empty"
    } else if name.len() > bounds::NAME {
        "is too long"
    } else if name.chars().any(char::is_control) {
        "has control characters"
    } else if name.trim() != name {
        "begins or ends with a blank"
    } else {
        return Ok(());
    };
    let shown: String = name.chars().take(40).collect();
    Err(Error::new(Code::Usage, format!("the name {shown:?} {wrong}"))
        .hint(format!("use 1 to {} bytes of plain text", bounds::NAME)))
}

/// Is there room for what is new? What is there already needs none.
fn check_room(what: &str, has: usize, is_new: bool) -> Result<(), Error> {
    if !is_new || has < bounds::ATTRIBUTES {
        Ok(())
    } else {
        Err(too_many(what, bounds::ATTRIBUTES))
    }
}

fn too_many(what: &str, limit: usize) -> Error {
    Error::new(
        Code::LimitReached,
        format!("a Worknode has at most {limit} {what}"),
    )
}
