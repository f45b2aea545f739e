//! What agents remember: values under keys, in namespaces, with versions and a time to forget.
//!
//! A namespace is a document below the document `memory` of the team; a key is a Worknode of kind
//! `memory` in it. So what is remembered has a history, is found by its words, and is watched like
//! all else. Both are found by their names, whatever else there is.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use worknode_core::{
    bounds,
    command::Command,
    error::{Code, Error},
    event::{Draft, Event},
    hlc::Hlc,
    ids::NodeId,
    node::{Detail, Kind, Node, NodeChange, NodeSpec, check_name},
    time::{Span, Timestamp},
};
use worknode_journal::{Reader, Selector};
use worknode_policies::authority::{Authority, notes};

use crate::{membrane::arrival, notes::ensure_folder, system::System};

/// The document that holds all namespaces.
pub const FOLDER: &str = "memory";
/// How often a write is tried again that another one overtook.
const TRIES: usize = 16;
/// Keys whose time is over that are forgotten at once when a namespace is full.
const ROOM: usize = 100;

/// A key and the namespace that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// All but the last part, as in `swarm/coder`.
    pub namespace: String,
    /// The last part.
    pub name: String,
}

impl Key {
    /// Reads a key as people write it: `swarm/coder/phase2`.
    ///
    /// # Errors
    /// `usage`, saying what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let hint = "a key is a namespace and a name, as in `swarm/coder/phase2`";
        let (namespace, name) = text
            .rsplit_once('/')
            .ok_or_else(|| Error::new(Code::Usage, format!("`{text}` names no namespace")).hint(hint))?;
        check_namespace(namespace)?;
        check_name(name).map_err(|error| error.hint(hint))?;
        if text.len() > bounds::MEMORY_KEY {
            let message = format!("the key has {} bytes; at most {}", text.len(), bounds::MEMORY_KEY);
            return Err(Error::new(Code::Usage, message));
        }
        Ok(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }
}

/// Is this a namespace?
///
/// # Errors
/// `usage`, saying what is wrong with it.
pub fn check_namespace(namespace: &str) -> Result<(), Error> {
    check_name(namespace)?;
    match namespace.split('/').map(check_name).find_map(Result::err) {
        None => Ok(()),
        Some(error) => Err(error.hint("the parts of a namespace are names with `/` between them")),
    }
}

/// What is remembered under one key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Entry {
    /// The key, with its namespace.
    pub key: String,
    /// The value.
    pub value: Value,
    /// How often it was written: 1 at first.
    pub version: u64,
    /// Who wrote it last.
    pub by: String,
    /// When.
    pub updated: Timestamp,
    /// When it is forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// How something is to be remembered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// For how long; for ever when it is not said.
    pub ttl: Option<Duration>,
    /// Only when the version is this one now; 0: when there is nothing under the key.
    pub if_version: Option<u64>,
}

/// The Worknode that holds a namespace of `team`, whether it is there or not.
#[must_use]
pub fn namespace_id(team: NodeId, namespace: &str) -> NodeId {
    let folder = crate::notes::folder_id(team, FOLDER);
    NodeId::derived(folder, &format!("namespace:{namespace}"))
}

fn key_id(namespace: NodeId, name: &str) -> NodeId {
    NodeId::derived(namespace, &format!("memory:{name}"))
}

/// What is remembered under `key`, if anything is.
///
/// # Errors
/// When the store cannot be read.
pub fn get(reader: &Reader, team: NodeId, key: &Key, now: Timestamp) -> Result<Option<Entry>, Error> {
    let node = reader.node(key_id(namespace_id(team, &key.namespace), &key.name))?;
    Ok(node.and_then(|node| entry(&key.namespace, &node, now)))
}

/// What is remembered in a namespace, in the order in which the keys came to be; from the one after
/// `after`.
///
/// # Errors
/// When the store cannot be read.
pub fn list(
    reader: &Reader,
    team: NodeId,
    namespace: &str,
    after: Option<&str>,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<Entry>, Error> {
    let id = namespace_id(team, namespace);
    let mut after = after.map(|name| key_id(id, name));
    let mut found = Vec::new();
    loop {
        let page = reader.children(id, after, limit)?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.id);
        let there = page.iter().filter_map(|node| entry(namespace, node, now));
        found.extend(there.take(limit.saturating_sub(found.len())));
        if found.len() >= limit {
            return Ok(found);
        }
    }
}

/// What is remembered in which these words are, those that fit best first.
///
/// # Errors
/// When the store cannot be read.
pub fn search(
    reader: &Reader,
    words: &str,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<(NodeId, Entry)>, Error> {
    let mut found = Vec::new();
    for (node, _) in reader.ranked(&Kind::Memory, &crate::notes::words_of(words), limit)? {
        let namespace = node.parent.map(|id| reader.node(id)).transpose()?.flatten();
        let entry = namespace.and_then(|above| entry(&above.name, &node, now));
        found.extend(entry.map(|entry| (node.id, entry)));
    }
    Ok(found)
}

/// The namespaces that begin so.
///
/// # Errors
/// When the store cannot be read.
pub fn namespaces(reader: &Reader, team: NodeId, prefix: &str) -> Result<Vec<String>, Error> {
    let folder = crate::notes::folder_id(team, FOLDER);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = reader.children(folder, after, bounds::CHILDREN)?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.id);
        let named = page.into_iter().map(|node| node.name);
        found.extend(named.filter(|name| name.starts_with(prefix)));
    }
}

fn entry(namespace: &str, node: &Node, now: Timestamp) -> Option<Entry> {
    let attribute = |name: &str| node.body.attributes.get(&name.to_owned()).map(|value| &value.0);
    let expires = attribute("expires")
        .and_then(Value::as_u64)
        .map(Timestamp::from_millis);
    if node.body.is_archived() || expires.is_some_and(|at| at <= now) {
        return None;
    }
    Some(Entry {
        key: format!("{namespace}/{}", node.name),
        value: attribute("value").cloned().unwrap_or(Value::Null),
        version: version(node),
        by: attribute("by")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        updated: node.updated.wall,
        expires,
    })
}

fn version(node: &Node) -> u64 {
    let version = node.body.attributes.get(&"version".to_owned());
    version.and_then(|value| value.0.as_u64()).unwrap_or_default()
}

/// Remembers `value` under `key`. The same value again, to be remembered as long, is no new version.
///
/// # Errors
/// `forbidden` in another's namespace, `usage` for a value or a time beyond its bound, `changed`
/// when the version is another one, `limit_reached` when the namespace has no room for another key.
pub async fn set(
    system: &System,
    authority: &Arc<Authority>,
    key: &Key,
    value: Value,
    wish: Wish,
) -> Result<Entry, Error> {
    notes::check_namespace(authority, &key.namespace)?;
    check_value(&value)?;
    let expires = wish.ttl.map(|ttl| until(system.now(), ttl)).transpose()?;
    let namespace = ensure_namespace(system, &key.namespace).await?;
    let id = key_id(namespace, &key.name);
    for _ in 0..TRIES {
        let node = system.reader().node(id)?;
        let present = node
            .as_ref()
            .and_then(|node| entry(&key.namespace, node, system.now()));
        check_version(key, present.as_ref().map_or(0, |entry| entry.version), wish)?;
        if let Some(entry) = present.filter(|entry| is_the_same(entry, &value, expires)) {
            return Ok(entry);
        }
        let next = node.as_ref().map_or(0, version).saturating_add(1);
        let attributes = written(authority, &value, next, expires);
        let made = match &node {
            None => create(system, authority, (namespace, id), key, attributes).await,
            Some(node) => change(system, authority, node, attributes).await,
        };
        match made {
            Err(error) if matches!(error.code, Code::AlreadyExists | Code::Changed) => {}
            Err(error) if error.code == Code::LimitReached => {
                make_room(system, authority, namespace, error).await?;
            }
            made => return answer(&key.namespace, &made?, system.now()),
        }
    }
    Err(Error::backpressure(&format!(
        "memory key `{}/{}`",
        key.namespace, key.name
    )))
}

/// A namespace is full, or so `full` says: what nobody can see any more, because its time is over, gives
/// its place free.
async fn make_room(
    system: &System,
    authority: &Arc<Authority>,
    namespace: NodeId,
    full: Error,
) -> Result<(), Error> {
    let mut selector = Selector {
        root: namespace,
        parent: Some(namespace),
        kinds: vec![Kind::Memory],
        archived: Some(false),
        ..Selector::default()
    };
    loop {
        let page = system.reader().select(&selector)?;
        let now = system.now();
        let over = page
            .nodes
            .iter()
            .filter(|(node, _)| entry("", node, now).is_none());
        let over: Vec<&Node> = over.map(|(node, _)| node).take(ROOM).collect();
        for node in &over {
            forget(system, authority, node, "its time is over").await?;
        }
        selector.after = page.next;
        if !over.is_empty() {
            return Ok(());
        }
        if selector.after.is_none() {
            return Err(full);
        }
    }
}

/// Forgets what is there as it was seen; what was written again meanwhile stays.
async fn forget(system: &System, authority: &Arc<Authority>, node: &Node, reason: &str) -> Result<(), Error> {
    let reason = reason.to_owned();
    let archive = NodeChange::Archive { reason };
    match ask(system, authority, node.id, archive, Some(node.updated)).await {
        Err(error) if error.code == Code::Changed => Ok(()),
        done => done.map(|_| ()),
    }
}

/// The same value, to be remembered for good, as before.
fn is_the_same(entry: &Entry, value: &Value, expires: Option<Timestamp>) -> bool {
    entry.value == *value && entry.expires.is_none() && expires.is_none()
}

/// Forgets what is under `key`. Answers whether there was anything.
///
/// # Errors
/// `forbidden` in another's namespace.
pub async fn delete(system: &System, authority: &Arc<Authority>, key: &Key) -> Result<bool, Error> {
    notes::check_namespace(authority, &key.namespace)?;
    let id = key_id(namespace_id(system.team().node(), &key.namespace), &key.name);
    let Some(node) = system.reader().node(id)?.filter(|node| !node.body.is_archived()) else {
        return Ok(false);
    };
    let there = entry(&key.namespace, &node, system.now()).is_some();
    let reason = "forgotten".to_owned();
    ask(system, authority, id, NodeChange::Archive { reason }, None).await?;
    Ok(there)
}

fn check_value(value: &Value) -> Result<(), Error> {
    let bytes = value.to_string().len();
    if value.is_null() {
        return Err(
            Error::new(Code::Usage, "there is nothing to remember").hint("`memory delete` forgets a key")
        );
    }
    if bytes > bounds::MEMORY_VALUE {
        let message = format!(
            "the value has {bytes} bytes as JSON; at most {}",
            bounds::MEMORY_VALUE
        );
        return Err(
            Error::new(Code::Usage, message).hint("keep large things in a file, and remember where it is")
        );
    }
    Ok(())
}

fn until(now: Timestamp, ttl: Duration) -> Result<Timestamp, Error> {
    if ttl.is_zero() || ttl > bounds::MEMORY_TTL {
        let message = format!(
            "a value is remembered for at most {}, and not for {}",
            Span(bounds::MEMORY_TTL),
            Span(ttl)
        );
        return Err(Error::new(Code::Usage, message));
    }
    Ok(now.plus(ttl))
}

fn check_version(key: &Key, present: u64, wish: Wish) -> Result<(), Error> {
    match wish.if_version {
        Some(wanted) if wanted != present => {
            let what = format!(
                "`{}/{}` is at version {present}, not {wanted}",
                key.namespace, key.name
            );
            Err(Error::new(Code::Changed, what).hint("look at it again, then decide"))
        }
        _ => Ok(()),
    }
}

fn written(
    authority: &Authority,
    value: &Value,
    version: u64,
    expires: Option<Timestamp>,
) -> BTreeMap<String, Value> {
    BTreeMap::from([
        ("value".to_owned(), value.clone()),
        ("version".to_owned(), json!(version)),
        ("by".to_owned(), json!(authority.principal.to_string())),
        ("expires".to_owned(), json!(expires.map(Timestamp::as_millis))),
    ])
}

async fn ensure_namespace(system: &System, namespace: &str) -> Result<NodeId, Error> {
    let id = namespace_id(system.team().node(), namespace);
    if system.reader().node(id)?.is_none() {
        let folder = ensure_folder(system, FOLDER).await?;
        crate::notes::ensure_document(system, folder, id, namespace).await?;
    }
    Ok(id)
}

async fn create(
    system: &System,
    authority: &Authority,
    (namespace, id): (NodeId, NodeId),
    key: &Key,
    mut attributes: BTreeMap<String, Value>,
) -> Result<Node, Error> {
    attributes.retain(|_, value| !value.is_null());
    let mut node = NodeSpec::new(Some(namespace), Kind::Memory, key.name.clone(), Detail::Plain);
    node.body.version = system.team().kinds.check_new(&Kind::Memory, &attributes)?;
    node.body.attributes = attributes;
    let event = Event::NodeCreated { node };
    arrival::passes_into(system, namespace, &authority.principal, &event)?;
    let draft = Draft {
        node: id,
        by: authority.principal.clone(),
        cause: None,
        event,
    };
    let records = system.store(vec![draft]).await?;
    let made = records.first().and_then(Node::created_by);
    made.ok_or_else(|| Error::new(Code::Failed, "the journal answered nothing"))
}

async fn change(
    system: &System,
    authority: &Arc<Authority>,
    node: &Node,
    attributes: BTreeMap<String, Value>,
) -> Result<Node, Error> {
    let mut since = node.updated;
    if node.body.is_archived() {
        since = ask(system, authority, node.id, NodeChange::Restore, Some(since))
            .await?
            .updated;
    }
    let set = NodeChange::Set {
        attributes,
        version: 0,
    };
    ask(system, authority, node.id, set, Some(since)).await
}

async fn ask(
    system: &System,
    authority: &Arc<Authority>,
    node: NodeId,
    change: NodeChange,
    unless_changed_since: Option<Hlc>,
) -> Result<Node, Error> {
    let command = Command::Note {
        change,
        unless_changed_since,
    };
    let reply = system.ask(authority, node, command, None).await?;
    Ok((*reply.node()?).clone())
}

fn answer(namespace: &str, node: &Node, now: Timestamp) -> Result<Entry, Error> {
    entry(namespace, node, now).ok_or_else(|| Error::new(Code::Changed, "it was forgotten again meanwhile"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_namespace_and_a_name() {
        let key = Key::parse("swarm/coder/phase2").unwrap();
        assert_eq!(
            (key.namespace.as_str(), key.name.as_str()),
            ("swarm/coder", "phase2")
        );
        let long = format!("a/{}", "x".repeat(bounds::NAME + 1));
        for wrong in ["", "alone", "/x", "a/", "a//b", "a /b", "a/b\n", long.as_str()] {
            assert_eq!(Key::parse(wrong).unwrap_err().code, Code::Usage, "{wrong:?}");
        }
    }
}
