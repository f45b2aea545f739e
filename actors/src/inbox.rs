//! Messages on their way: said, kept until they are acknowledged, and read.

use std::sync::Arc;

use worknode_core::{
    bounds::{INBOX, RECIPIENTS},
    command::Command,
    error::{Code, Error},
    event::{Event, Principal, Record},
    hlc::Hlc,
    ids::NodeId,
    message::{self, Message, MessageCommand},
    node::{Kind, Node},
};
use worknode_journal::{EventFilter, Reader, Selector};
use worknode_policies::authority::Authority;

use crate::system::System;

/// A message that waits, or did.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its stamp, which is its name.
    pub at: Hlc,
    /// To which Worknode.
    pub to: NodeId,
    /// Who said it.
    pub from: Principal,
    /// What.
    pub message: Message,
    /// Is it for what the Worknode is doing now?
    pub is_current: bool,
}

/// Says something to a Worknode, or to all agents at and below it. Answers where it is kept, in the
/// order of the tree.
///
/// # Errors
/// What [`message::send`] refuses of the only one; `limit_reached` when too many would hear it. Of
/// several, those whose inbox is full are left out; when nobody is left, that is the answer.
pub async fn send(
    system: &System,
    authority: &Arc<Authority>,
    to: &Node,
    broadcast: bool,
    message: Message,
) -> Result<Vec<(NodeId, Hlc)>, Error> {
    let recipients = if broadcast {
        agents_below(system, to)?
    } else {
        vec![to.id]
    };
    let mut kept = Vec::new();
    let mut refused = None;
    for recipient in recipients {
        match tell(system, authority, recipient, message.clone()).await {
            Ok(at) => kept.push((recipient, at)),
            Err(error) if broadcast => refused = Some(error),
            Err(error) => return Err(error),
        }
    }
    match refused {
        Some(error) if kept.is_empty() => Err(error),
        _ => Ok(kept),
    }
}

async fn tell(
    system: &System,
    authority: &Arc<Authority>,
    to: NodeId,
    message: Message,
) -> Result<Hlc, Error> {
    let key = message.key.clone();
    let command = Command::Message(MessageCommand::Send(Box::new(message)));
    let reply = system.ask(authority, to, command, None).await?;
    if let Some(at) = reply.stamp() {
        return Ok(at);
    }
    // It was taken before, under the same key.
    let by = &authority.principal;
    let before = key.map(|key| same(system.reader(), to, by, &key)).transpose()?;
    let gone = || Error::new(Code::Failed, "the journal answered nothing");
    before.flatten().ok_or_else(gone)
}

fn agents_below(system: &System, top: &Node) -> Result<Vec<NodeId>, Error> {
    let mut selector = Selector {
        root: top.id,
        kinds: vec![Kind::Agent],
        archived: Some(false),
        limit: RECIPIENTS,
        ..Selector::default()
    };
    let mut found = Vec::new();
    loop {
        let page = system.reader().select(&selector)?;
        found.extend(page.nodes.iter().map(|(node, _)| node.id));
        if found.len() > RECIPIENTS {
            let what = format!("more than {RECIPIENTS} agents are below `{}`", top.name);
            return Err(Error::new(Code::LimitReached, what).hint("name a smaller part of the tree"));
        }
        selector.after = page.next;
        if page.next.is_none() {
            break;
        }
    }
    if found.is_empty() {
        let what = format!("there is no agent at or below `{}`", top.name);
        return Err(Error::new(Code::NotFound, what));
    }
    Ok(found)
}

/// Says that a message to `node` was heard. Twice is once.
///
/// # Errors
/// `not_found` when there never was such a message, `forbidden` when it is for somebody else.
pub async fn acknowledge(system: &System, authority: &Arc<Authority>, message: Hlc) -> Result<NodeId, Error> {
    let record = system.reader().event(message)?;
    let sent = record.filter(|record| matches!(record.event, Event::MessageSent { .. }));
    let Some(sent) = sent else {
        let what = format!("there is no message {message}");
        return Err(Error::new(Code::NotFound, what).hint("`worknode message list` shows what waits"));
    };
    let command = Command::Message(MessageCommand::Ack { message });
    system.ask(authority, sent.node, command, None).await?;
    Ok(sent.node)
}

/// What a command about messages comes to.
pub(crate) fn decide(
    system: &System,
    node: &Node,
    by: &Principal,
    command: &MessageCommand,
) -> Result<Vec<Event>, Error> {
    match command {
        MessageCommand::Send(sent) => {
            let before = sent
                .key
                .as_ref()
                .map(|key| same(system.reader(), node.id, by, key));
            if before.transpose()?.flatten().is_some() {
                return Ok(Vec::new());
            }
            Ok(vec![message::send(node, sent)?])
        }
        MessageCommand::Ack { message } => Ok(message::acknowledge(node, *message).into_iter().collect()),
    }
}

/// The message that `by` sent before under this key, among the last that were kept.
fn same(reader: &Reader, node: NodeId, by: &Principal, key: &str) -> Result<Option<Hlc>, Error> {
    let is_it = |record: &Record| {
        let sender = record.by.to_string() == by.to_string();
        let same =
            matches!(&record.event, Event::MessageSent { message } if message.key.as_deref() == Some(key));
        sender && same
    };
    Ok(all(reader, node)?
        .iter()
        .find(|record| is_it(record))
        .map(|record| record.at))
}

/// The last messages to a Worknode, heard or not, the newest first.
fn all(reader: &Reader, node: NodeId) -> Result<Vec<Record>, Error> {
    let filter = EventFilter {
        node: Some(node),
        types: vec!["message_sent".to_owned()],
        newest_first: true,
        limit: INBOX,
        ..EventFilter::default()
    };
    Ok(reader.events(&filter)?)
}

/// The messages to `node` that nobody has acknowledged, the oldest first. Each is looked up by its
/// stamp: how much else happened there makes no difference.
///
/// # Errors
/// When the store cannot be read.
pub fn waiting(reader: &Reader, node: &Node) -> Result<Vec<Kept>, Error> {
    let mut found = Vec::new();
    for stamp in node.body.inbox.iter() {
        found.extend(reader.event(*stamp)?.and_then(|record| kept(node, record)));
    }
    Ok(found)
}

/// The last messages to `node`, heard or not, the oldest first.
///
/// # Errors
/// When the store cannot be read.
pub fn history(reader: &Reader, node: &Node) -> Result<Vec<Kept>, Error> {
    let records = all(reader, node.id)?;
    Ok(records
        .into_iter()
        .rev()
        .filter_map(|record| kept(node, record))
        .collect())
}

/// What waits for an agent: what was said to it, and to the task that it works on.
///
/// # Errors
/// When the store cannot be read.
pub fn waiting_for(reader: &Reader, agent: &Node, task: Option<&Node>) -> Result<Vec<Kept>, Error> {
    let mut found = waiting(reader, agent)?;
    if let Some(task) = task {
        found.extend(waiting(reader, task)?);
    }
    found.retain(|kept| kept.is_current);
    found.sort_by_key(|kept| kept.at);
    Ok(found)
}

fn kept(node: &Node, record: Record) -> Option<Kept> {
    let Event::MessageSent { message } = record.event else {
        return None;
    };
    Some(Kept {
        at: record.at,
        to: record.node,
        from: record.by,
        is_current: message.is_for(node),
        message: *message,
    })
}
