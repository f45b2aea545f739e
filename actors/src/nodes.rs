//! What can be done with any Worknode of the tree, whatever its kind: making one, and what a change
//! of one needs to be known.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;
use worknode_core::{
    body::{Link, NewBody},
    bounds,
    command::Command,
    error::{Code, Error},
    event::{Draft, Event},
    ids::NodeId,
    node::{Detail, Kind, Node, NodeChange, NodeSpec, check_name},
};
use worknode_policies::authority::{
    Authority,
    notes::check_message,
    reach::{self, End, check_create},
};

use crate::{
    membrane::arrival,
    new_task::{self, NewTask},
    notes,
    system::{System, random_bytes},
};

/// A Worknode as somebody makes it.
#[derive(Clone, Debug)]
pub struct NewNode {
    /// The Worknode above.
    pub parent: NodeId,
    /// What sort of thing it is.
    pub kind: Kind,
    /// Its name, unique among its siblings of the same kind.
    pub name: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, Value>,
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// Who is to see to it.
    pub assignees: BTreeSet<NodeId>,
    /// What it has to do with others.
    pub links: BTreeSet<Link>,
    /// What only a task has. Its key is the Worknode's name.
    pub task: Option<NewTask>,
}

/// Makes a Worknode.
///
/// # Errors
/// `forbidden` when the caller's capability does not cover the place or what it names, `refused` when
/// the membranes of the place do not let it in, `usage` for what makes no sense, `already_exists`,
/// `limit_reached` at a bound of the tree.
pub async fn create(system: &System, authority: &Arc<Authority>, new: NewNode) -> Result<Node, Error> {
    let named = new.links.iter().map(|link| link.to);
    let others: Vec<NodeId> = named.chain(new.assignees.iter().copied()).collect();
    may_create(system, authority, &new.kind, new.parent, &others)?;
    check_body(&new)?;
    let version = system.team().kinds.check_new(&new.kind, &new.attributes)?;
    let (id, detail) = detail(system, authority, &new)?;
    let mut node = NodeSpec::new(Some(new.parent), new.kind, new.name, detail);
    node.body = NewBody {
        version,
        attributes: new.attributes,
        tags: new.tags,
        assignees: new.assignees,
        links: new.links,
        membrane: None,
    };
    let event = Event::NodeCreated { node };
    arrival::passes_into(system, new.parent, &authority.principal, &event)?;
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

pub(crate) fn may_create(
    system: &System,
    authority: &Authority,
    kind: &Kind,
    parent: NodeId,
    others: &[NodeId],
) -> Result<(), Error> {
    let above = |id: &NodeId| Ok::<_, Error>((*id, above_existing(system, *id)?));
    let parent = above(&parent)?;
    let others: Vec<_> = others.iter().map(above).collect::<Result<_, _>>()?;
    let others: Vec<_> = others.iter().map(end).collect();
    check_create(authority, kind, end(&parent), &others)
}

fn end((node, ancestors): &(NodeId, Vec<NodeId>)) -> End<'_> {
    End {
        node: *node,
        ancestors,
    }
}

/// The Worknodes above one that must be there.
fn above_existing(system: &System, id: NodeId) -> Result<Vec<NodeId>, Error> {
    let above = system.reader().ancestors(id)?;
    if above.is_empty() && id != NodeId::ROOT {
        return Err(Error::new(Code::NotFound, format!("there is no Worknode {id}"))
            .hint("`worknode tree` shows what there is"));
    }
    Ok(above)
}

fn check_body(new: &NewNode) -> Result<(), Error> {
    check_name(&new.name)?;
    for name in new.tags.iter().chain(new.attributes.keys()) {
        check_name(name)?;
    }
    let counts = [
        ("tags", new.tags.len()),
        ("attributes", new.attributes.len()),
        ("assignees", new.assignees.len()),
        ("links", new.links.len()),
    ];
    match counts.into_iter().find(|(_, count)| *count > bounds::ATTRIBUTES) {
        None => Ok(()),
        Some((what, _)) => {
            let message = format!("a Worknode has at most {} {what}", bounds::ATTRIBUTES);
            Err(Error::new(Code::LimitReached, message))
        }
    }
}

/// What only its kind has, and the identity that comes with it.
fn detail(system: &System, authority: &Authority, new: &NewNode) -> Result<(NodeId, Detail), Error> {
    match (&new.kind, &new.task) {
        (Kind::Agent, _) => Err(Error::new(Code::Usage, "an agent is not made this way")
            .hint("`worknode spawn` makes one like another; `[[agent]]` in worknode.toml declares one")),
        (Kind::Task, task) => {
            let mut task = task.clone().unwrap_or_default();
            task.key = Some(new.name.clone());
            if task.title.is_empty() {
                task.title.clone_from(&new.name);
            }
            let spec = new_task::check(system, authority, task)?;
            let id = NodeId::derived(system.team().node(), &format!("task:{}", spec.key));
            Ok((id, Detail::Task(Box::new(spec))))
        }
        (kind, Some(_)) => {
            let message = format!("a {kind} has no title, prompt or gates: only a task has");
            Err(Error::new(Code::Usage, message).hint("use attributes"))
        }
        (_, None) => {
            let id = NodeId::from_parts(system.now().as_millis(), random_bytes::<10>());
            Ok((id, Detail::Plain))
        }
    }
}

/// May the caller do this to all that the change touches beside the Worknode itself?
pub(crate) fn check_reach(
    system: &System,
    authority: &Authority,
    command: &Command,
    node: NodeId,
) -> Result<(), Error> {
    match command {
        Command::Node { .. } => {}
        Command::Note { change, .. } => return notes::check_change(system, authority, change, node),
        Command::Message(command) => return check_message(authority, command, node),
        _ => return Ok(()),
    }
    let other = reach::other_end(command)
        .map(|to| above_existing(system, to).map(|above| (to, above)))
        .transpose()?;
    let caller = reach::caller(authority)
        .filter(|_| reach::rules_below(command))
        .map(|id| above_existing(system, id).map(|above| (id, above)))
        .transpose()?;
    reach::check_reach(
        authority,
        command,
        node,
        other.as_ref().map(end),
        caller.as_ref().map(end),
    )
}

/// The change with all that the Worknode's kind makes of it.
pub(crate) fn prepared<'a>(
    system: &System,
    node: &Node,
    change: &'a NodeChange,
) -> Result<Cow<'a, NodeChange>, Error> {
    let NodeChange::Set { attributes, .. } = change else {
        return Ok(Cow::Borrowed(change));
    };
    let (attributes, version) = system.team().kinds.change(node, attributes)?;
    Ok(Cow::Owned(NodeChange::Set { attributes, version }))
}
