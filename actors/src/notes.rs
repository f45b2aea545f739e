//! What was decided and what went wrong, for those who come later: decisions and issues.
//!
//! Who works on a task notes below it; others in a folder of the team. An issue is known by the
//! signature of its error, which is a tag of it: the same error again is the same issue.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;
use serde_json::Value;
use worknode_core::{
    bounds,
    command::{Command, Operation},
    error::{Code, Error},
    event::{Draft, Event, Principal},
    hlc::Hlc,
    ids::NodeId,
    node::{Detail, Kind, Node, NodeChange, NodeSpec},
};
use worknode_policies::authority::{Authority, notes};

use crate::{membrane::arrival, nodes::may_create, system::System};

mod decision;
mod issue;

pub use self::{
    decision::{Alternative, Decision, NewDecision, decide, decisions, search_decisions},
    issue::{Fits, Hit, Issue, NewIssue, Report, Solution, helped, issues, report, resolve, search_issues},
};

/// How often a change is tried again that another one overtook.
const TRIES: usize = 16;
/// Letters of a note's name, beside what makes it its own.
const NAME: usize = 48;

/// The document of the team that holds notes of one sort, whether it is there or not.
#[must_use]
pub fn folder_id(team: NodeId, name: &str) -> NodeId {
    NodeId::derived(team, &format!("folder:{name}"))
}

pub(crate) async fn ensure_folder(system: &System, name: &str) -> Result<NodeId, Error> {
    let team = system.team().node();
    let id = folder_id(team, name);
    if system.reader().node(id)?.is_none() {
        ensure_document(system, team, id, name).await?;
    }
    Ok(id)
}

/// Makes a document in the runtime's name, unless somebody was faster.
pub(crate) async fn ensure_document(
    system: &System,
    parent: NodeId,
    id: NodeId,
    name: &str,
) -> Result<(), Error> {
    let node = NodeSpec::new(Some(parent), Kind::Document, name, Detail::Plain);
    let made = vec![Event::NodeCreated { node }];
    match system.record(Principal::Runtime, id, made).await {
        Err(error) if error.code == Code::AlreadyExists && system.reader().node(id)?.is_some() => Ok(()),
        other => other.map(drop),
    }
}

/// Where a note of the caller's goes when it does not say: below the task that it works on, or into
/// the team's folder.
async fn place(
    system: &System,
    authority: &Authority,
    below: Option<NodeId>,
    folder: &str,
) -> Result<NodeId, Error> {
    let own_task = || authority.task.map(|task| task.node);
    let works = !authority.operations.contains(&Operation::Write);
    match below.or_else(|| own_task().filter(|_| works)) {
        Some(parent) => Ok(parent),
        None => ensure_folder(system, folder).await,
    }
}

/// A note that is to be made.
struct Making {
    id: NodeId,
    parent: NodeId,
    kind: Kind,
    name: String,
    attributes: BTreeMap<String, Value>,
    tags: BTreeSet<String>,
}

/// Makes a note, or answers the one that is there: its identity says what is in it.
async fn make(system: &System, authority: &Authority, making: Making) -> Result<(Node, bool), Error> {
    may_create(system, authority, &making.kind, making.parent, &[])?;
    let mut attributes = making.attributes;
    attributes.retain(|_, value| !value.is_null() && *value != Value::String(String::new()));
    let version = system.team().kinds.check_new(&making.kind, &attributes)?;
    let mut node = NodeSpec::new(Some(making.parent), making.kind, making.name, Detail::Plain);
    node.body.version = version;
    node.body.attributes = attributes;
    node.body.tags = making.tags;
    let event = Event::NodeCreated { node };
    arrival::passes_into(system, making.parent, &authority.principal, &event)?;
    let draft = Draft {
        node: making.id,
        by: authority.principal.clone(),
        cause: None,
        event,
    };
    match system.store(vec![draft]).await {
        Ok(records) => {
            let made = records.first().and_then(Node::created_by);
            let made = made.ok_or_else(|| Error::new(Code::Failed, "the journal answered nothing"))?;
            Ok((made, true))
        }
        Err(error) if error.code == Code::AlreadyExists => match system.reader().node(making.id)? {
            Some(node) => Ok((node, false)),
            None => Err(error),
        },
        Err(error) => Err(error),
    }
}

async fn change(
    system: &System,
    authority: &Arc<Authority>,
    node: NodeId,
    attributes: BTreeMap<String, Value>,
    unless_changed_since: Option<Hlc>,
) -> Result<Node, Error> {
    let change = NodeChange::Set {
        attributes,
        version: 0,
    };
    let command = Command::Note {
        change,
        unless_changed_since,
    };
    let reply = system.ask(authority, node, command, None).await?;
    Ok((*reply.node()?).clone())
}

/// Is this change of a note one that its writer may make?
pub(crate) fn check_change(
    system: &System,
    authority: &Authority,
    change: &NodeChange,
    id: NodeId,
) -> Result<(), Error> {
    let reader = system.reader();
    let ancestors = reader.ancestors(id)?;
    let gone = || Error::new(Code::NotFound, format!("there is no note {id}"));
    let node = reader.node(id)?.ok_or_else(gone)?;
    let above = node
        .parent
        .map(|parent| reader.node(parent))
        .transpose()?
        .flatten();
    let namespace = above
        .filter(|_| node.kind == Kind::Memory)
        .map(|above| above.name);
    let note = notes::Note {
        node: id,
        kind: &node.kind,
        ancestors: &ancestors,
        namespace: namespace.as_deref(),
        author: text(&node, "author").parse().ok(),
    };
    notes::check_change(authority, change, &note)
}

/// Who wrote a note, as its attributes say it.
fn author(principal: &Principal) -> [(String, Value); 2] {
    let node = match principal {
        Principal::Agent { node, .. } | Principal::Outside { node, .. } => Value::String(node.to_string()),
        Principal::Operator | Principal::Runtime | Principal::Trigger { .. } => Value::Null,
    };
    [
        ("by".to_owned(), Value::String(principal.to_string())),
        ("author".to_owned(), node),
    ]
}

fn attribute<'a>(node: &'a Node, name: &str) -> Option<&'a Value> {
    node.body.attributes.get(&name.to_owned()).map(|value| &value.0)
}

fn text(node: &Node, name: &str) -> String {
    let value = attribute(node, name).and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}

fn number(node: &Node, name: &str) -> u64 {
    attribute(node, name).and_then(Value::as_u64).unwrap_or_default()
}

fn check_texts(texts: &[(&str, &str)]) -> Result<(), Error> {
    match texts.iter().find(|(_, text)| text.len() > bounds::NOTE_TEXT) {
        None => Ok(()),
        Some((what, text)) => {
            let message = format!("{what} has {} bytes; at most {}", text.len(), bounds::NOTE_TEXT);
            Err(Error::new(Code::Usage, message).hint("keep what is long in a file, and say where it is"))
        }
    }
}

/// A name that people recognise, made unique by `own`.
fn name_of(text: &str, own: &str) -> String {
    let mut name = String::new();
    for word in text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        if name.len() + word.len() > NAME {
            break;
        }
        if !name.is_empty() {
            name.push('-');
        }
        name.push_str(&word.to_lowercase());
    }
    let own: String = own.chars().take(8).collect();
    if name.is_empty() {
        own
    } else {
        format!("{name}-{own}")
    }
}

/// The words of a question, for a search.
pub(crate) fn words_of(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let mut all: Vec<String> = Vec::new();
    for word in words.filter(|word| !word.is_empty()) {
        let word = word.to_lowercase();
        if !all.contains(&word) {
            all.push(word);
        }
    }
    all
}

/// Is this note in the part of the tree that the caller may see?
pub(crate) fn is_covered(system: &System, subtree: NodeId, node: &Node) -> Result<bool, Error> {
    Ok(subtree == NodeId::ROOT || system.reader().ancestors(node.id)?.contains(&subtree))
}

/// One of something that was looked for by words, with how well it fits.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Ranked<T> {
    /// What was found.
    #[serde(flatten)]
    pub found: T,
    /// How well it fits: more is better.
    pub score: f64,
}
