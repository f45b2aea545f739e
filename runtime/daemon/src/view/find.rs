//! Which Worknode is meant? By its id, a unique beginning of it, its path of names from the top, or
//! its name where that is unique.

use worknode_core::{
    error::{Code, Error},
    ids::NodeId,
    node::{Kind, Node},
};
use worknode_journal::Reader;
use worknode_policies::kinds::Kinds;

/// Characters of an id that may stand for it.
const BEGINNING: usize = 4;
/// How many are named when several ids begin so.
const CANDIDATES: usize = 5;
/// Longest text that is looked up: a path as deep as the tree.
const LENGTH: usize = 4 * 1024;

/// The Worknode that `text` names:
///
/// - `root`, or `/`;
/// - its id, or at least four digits of a unique beginning;
/// - the names from below the root down to it, as in `webapp/foundation/schema`; where siblings of
///   several kinds have one name, `phase:foundation`;
/// - its name, where nothing else has it; a child of the root first.
///
/// # Errors
/// `not_found`, or `usage` when several fit.
pub fn find_node(reader: &Reader, kinds: &Kinds, text: &str) -> Result<Node, Error> {
    if text.len() > LENGTH {
        return Err(Error::new(Code::Usage, "this is too long to name a Worknode"));
    }
    if let Ok(id) = text.parse::<NodeId>() {
        return reader.node(id)?.ok_or_else(|| nothing(text));
    }
    let path = text.trim_matches('/');
    if path == "root" || (path.is_empty() && !text.is_empty()) {
        return reader.node(NodeId::ROOT)?.ok_or_else(|| nothing(text));
    }
    if let Some(node) = by_path(reader, path)? {
        return Ok(node);
    }
    if let Some(node) = by_name(reader, kinds, text)? {
        return Ok(node);
    }
    by_beginning(reader, text)
}

/// The one whose id begins so.
fn by_beginning(reader: &Reader, text: &str) -> Result<Node, Error> {
    if text.len() < BEGINNING {
        return Err(nothing(text));
    }
    let mut fitting = reader.beginning_with(text, CANDIDATES)?;
    match (fitting.len(), fitting.pop()) {
        (1, Some(node)) => Ok(node),
        (0, _) => Err(nothing(text)),
        (_, last) => {
            let called = fitting.iter().chain(&last);
            let called: Vec<_> = called
                .map(|node| format!("{} ({})", node.name, node.id))
                .collect();
            Err(several(text, "ids begin so").hint(format!("give more of one of {}", called.join(", "))))
        }
    }
}

/// Down from the root, name by name.
fn by_path(reader: &Reader, path: &str) -> Result<Option<Node>, Error> {
    let mut here = None;
    for segment in path.split('/') {
        let parent = here.as_ref().map_or(NodeId::ROOT, |node: &Node| node.id);
        here = child(reader, parent, segment)?;
        if here.is_none() {
            return Ok(None);
        }
    }
    Ok(here)
}

fn child(reader: &Reader, parent: NodeId, segment: &str) -> Result<Option<Node>, Error> {
    let mut named = reader.children_named(parent, segment)?;
    if named.is_empty()
        && let Some((kind, name)) = segment.split_once(':')
        && let Ok(kind) = kind.parse::<Kind>()
    {
        return Ok(reader.child(parent, &kind, name)?);
    }
    if named.len() > 1 {
        let kinds: Vec<_> = named
            .iter()
            .map(|node| format!("{}:{segment}", node.kind))
            .collect();
        return Err(several(
            segment,
            &format!("siblings are called so; say one of {}", kinds.join(", ")),
        ));
    }
    Ok(named.pop())
}

/// Anywhere in the tree.
fn by_name(reader: &Reader, kinds: &Kinds, name: &str) -> Result<Option<Node>, Error> {
    let (kind, name) = match name.split_once(':') {
        Some((kind, name)) => (kind.parse::<Kind>().ok(), name),
        None => (None, name),
    };
    let all = Kind::OWN.iter().chain(kinds.own());
    let mut named = Vec::new();
    for kind in all.filter(|one| kind.as_ref().is_none_or(|kind| kind == *one)) {
        named.extend(reader.named(kind, name, 2)?);
    }
    if named.len() > 1 {
        return Err(several(
            name,
            "Worknodes are called so; give the path, as in `team/phase/task`",
        ));
    }
    Ok(named.pop())
}

fn nothing(text: &str) -> Error {
    let shown: String = text.chars().take(100).collect();
    Error::new(Code::NotFound, format!("there is no Worknode `{shown}`"))
        .hint("`worknode tree` shows what there is; `worknode search` finds it by its words")
}

fn several(text: &str, what: &str) -> Error {
    let shown: String = text.chars().take(100).collect();
    Error::new(Code::Usage, format!("`{shown}` is not unique: several {what}"))
}
