//! Notes and messages: what one writes beside one's work.
//!
//! | rule | what it demands |
//! |---|---|
//! | `own_namespace` | who may not write everywhere remembers only below its own name |
//! | `own_note` | and changes only what it noted itself, or what is below its own task; that an issue was seen again, or helped, anybody may say |
//! | `own_inbox` | a message is acknowledged by whom it is for |

use worknode_core::{
    command::Operation,
    error::{Code, Error},
    event::Principal,
    ids::NodeId,
    kind::Kind,
    message::MessageCommand,
    node::NodeChange,
};

use super::{Authority, kind_of};
/// Attributes of an issue that only count.
pub const COUNTERS: [&str; 2] = ["seen", "helped"];
/// What may stand before a namespace of one's own.
const SWARM: &str = "swarm";

/// What is known of a note.
#[derive(Clone, Copy, Debug)]
pub struct Note<'a> {
    /// The note.
    pub node: NodeId,
    /// What it is.
    pub kind: &'a Kind,
    /// All above it.
    pub ancestors: &'a [NodeId],
    /// Of what is remembered: the namespace.
    pub namespace: Option<&'a str>,
    /// Who wrote it.
    pub author: Option<NodeId>,
}

/// Is this namespace the caller's own: its name, or its name in the swarm, and all below?
#[must_use]
pub fn owns_namespace(principal: &Principal, namespace: &str) -> bool {
    let (Principal::Agent { name, .. } | Principal::Outside { name, .. }) = principal else {
        return true;
    };
    let mut segments = namespace.split('/');
    let first = segments.next();
    let own = if first == Some(SWARM) {
        segments.next()
    } else {
        first
    };
    own == Some(name.as_str())
}

/// Decides whether `authority` may remember something in `namespace`.
///
/// # Errors
/// `forbidden`, saying by which rule.
pub fn check_namespace(authority: &Authority, namespace: &str) -> Result<(), Error> {
    if writes_everywhere(authority)
        || (may_note(authority) && owns_namespace(&authority.principal, namespace))
    {
        return Ok(());
    }
    let who = &authority.principal;
    let message = format!("{who} may not remember anything in `{namespace}` (rule `own_namespace`)");
    Err(Error::new(Code::Forbidden, message).hint(format!(
        "use `{who}/…` or `{SWARM}/{who}/…`; other namespaces can be read"
    )))
}

/// Decides whether `authority` may change a note so.
///
/// # Errors
/// `forbidden`, saying by which rule.
pub fn check_change(authority: &Authority, change: &NodeChange, note: &Note<'_>) -> Result<(), Error> {
    let who = &authority.principal;
    if !matches!(note.kind, Kind::Decision | Kind::Issue | Kind::Memory) {
        let message = format!("Worknode {} is of kind {}, and no note", note.node, note.kind);
        return Err(Error::new(Code::Usage, message));
    }
    let changes_a_note = matches!(
        change,
        NodeChange::Set { .. } | NodeChange::Archive { .. } | NodeChange::Restore
    );
    if !changes_a_note {
        return Err(Error::new(
            Code::Usage,
            "a note is written, put away and taken out again",
        ));
    }
    if writes_everywhere(authority) {
        return Ok(());
    }
    if let Some(namespace) = note.namespace {
        return check_namespace(authority, namespace);
    }
    if may_change(authority, change, note) {
        return Ok(());
    }
    let message = format!(
        "{who} may not change note {}: {} changes its own (rule `own_note`)",
        note.node,
        kind_of(who)
    );
    Err(Error::new(Code::Forbidden, message).hint("tell its author, or an executive, in a message"))
}

/// Its own notes, and those of its task, entirely; of what others found out, how often it was met.
fn may_change(authority: &Authority, change: &NodeChange, note: &Note<'_>) -> bool {
    let by_author = note.author.is_some() && note.author == own_node(&authority.principal);
    let of_its_task = authority
        .task
        .is_some_and(|task| note.ancestors.contains(&task.node));
    let only_met = *note.kind == Kind::Issue && only_counts(change);
    may_note(authority) && (by_author || of_its_task || only_met)
}

/// Decides whether `authority` may do this with messages to `node`. Whom one may say something to
/// is a question of the subtree alone.
///
/// # Errors
/// `forbidden`, saying by which rule.
pub fn check_message(authority: &Authority, command: &MessageCommand, node: NodeId) -> Result<(), Error> {
    let own = || {
        own_node(&authority.principal) == Some(node) || authority.task.is_some_and(|task| task.node == node)
    };
    match command {
        MessageCommand::Send(_) => Ok(()),
        MessageCommand::Ack { .. } if writes_everywhere(authority) || own() => Ok(()),
        MessageCommand::Ack { .. } => {
            let message = format!(
                "{} may not acknowledge messages to Worknode {node} (rule `own_inbox`)",
                authority.principal
            );
            Err(Error::new(Code::Forbidden, message).hint("whom it is for acknowledges it"))
        }
    }
}

/// The Worknode in whose name the caller acts.
const fn own_node(principal: &Principal) -> Option<NodeId> {
    match principal {
        Principal::Agent { node, .. } | Principal::Outside { node, .. } => Some(*node),
        Principal::Operator | Principal::Runtime | Principal::Trigger { .. } => None,
    }
}

fn only_counts(change: &NodeChange) -> bool {
    matches!(change, NodeChange::Set { attributes, .. }
        if attributes.keys().all(|name| COUNTERS.contains(&name.as_str())))
}

fn writes_everywhere(authority: &Authority) -> bool {
    may(authority, Operation::Write)
}

fn may_note(authority: &Authority) -> bool {
    may(authority, Operation::Note)
}

fn may(authority: &Authority, operation: Operation) -> bool {
    authority.operations.contains(&operation) && authority.covers(operation)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;
    use worknode_core::{agent::Tier, hlc::Hlc, ids::RunId};

    use super::*;
    use crate::capability::{Limits, TaskHold, operations_of};

    fn id(name: &str) -> NodeId {
        NodeId::derived(NodeId::ROOT, name)
    }

    fn agent(name: &str, tier: Tier) -> Authority {
        Authority {
            principal: Principal::Agent {
                node: id(name),
                name: name.to_owned(),
                run: RunId::from_parts(1, [0; 10]),
                tier,
            },
            operations: operations_of(tier),
            subtree: id("team"),
            task: Some(TaskHold {
                node: id("task"),
                epoch: 1,
            }),
            raised: std::collections::BTreeSet::new(),
            limits: Limits::default(),
            through: None,
        }
    }

    fn set(names: &[&str]) -> NodeChange {
        let attributes: BTreeMap<_, _> = names.iter().map(|name| ((*name).to_owned(), json!(1))).collect();
        NodeChange::Set {
            attributes,
            version: 0,
        }
    }

    #[test]
    fn p9_one_remembers_below_ones_own_name() {
        let coder = agent("coder", Tier::Implementation);
        for own in ["coder", "coder/notes", "swarm/coder", "swarm/coder/phase2"] {
            assert_eq!(check_namespace(&coder, own), Ok(()), "{own}");
        }
        for other in [
            "",
            "swarm",
            "coder2",
            "swarm/lead",
            "lead/coder",
            "swarm//coder",
            "Coder",
        ] {
            assert!(check_namespace(&coder, other).is_err(), "{other}");
        }
        assert!(check_namespace(&agent("lead", Tier::Executive), "swarm/coder").is_ok());
        assert!(check_namespace(&Authority::whole(Principal::Operator), "swarm").is_ok());
        let mut narrowed = coder;
        narrowed.operations.remove(&Operation::Note);
        assert!(check_namespace(&narrowed, "coder").is_err());
    }

    #[test]
    fn p9_one_changes_ones_own_notes_and_counts_others() {
        let coder = agent("coder", Tier::Implementation);
        let above = [id("team"), NodeId::ROOT];
        let issue = |author: &str| Note {
            node: id("issue"),
            kind: &Kind::Issue,
            ancestors: &above,
            namespace: None,
            author: Some(id(author)),
        };
        assert_eq!(check_change(&coder, &set(&["fix"]), &issue("coder")), Ok(()));
        assert!(check_change(&coder, &set(&["fix"]), &issue("lead")).is_err());
        assert_eq!(check_change(&coder, &set(&["helped"]), &issue("lead")), Ok(()));
        assert!(check_change(&coder, &set(&["helped", "fix"]), &issue("lead")).is_err());
        let below_task = [id("task"), id("team"), NodeId::ROOT];
        let below = Note {
            ancestors: &below_task,
            ..issue("lead")
        };
        assert_eq!(check_change(&coder, &set(&["fix"]), &below), Ok(()));
        let memory = Note {
            kind: &Kind::Memory,
            namespace: Some("swarm/lead"),
            ..issue("coder")
        };
        assert!(check_change(&coder, &set(&["value"]), &memory).is_err());
    }

    #[test]
    fn p9_a_note_is_no_way_to_change_anything_else() {
        let operator = Authority::whole(Principal::Operator);
        let task = Note {
            node: id("task"),
            kind: &Kind::Task,
            ancestors: &[],
            namespace: None,
            author: None,
        };
        assert!(check_change(&operator, &set(&["fix"]), &task).is_err());
        let issue = Note {
            kind: &Kind::Issue,
            ..task
        };
        let away = NodeChange::Move { to: id("elsewhere") };
        assert!(check_change(&operator, &away, &issue).is_err());
    }

    #[test]
    fn p9_a_message_is_acknowledged_by_whom_it_is_for() {
        let coder = agent("coder", Tier::Implementation);
        let ack = MessageCommand::Ack { message: Hlc::ZERO };
        for own in ["coder", "task"] {
            assert_eq!(check_message(&coder, &ack, id(own)), Ok(()));
        }
        assert!(check_message(&coder, &ack, id("lead")).is_err());
        assert_eq!(
            check_message(&agent("lead", Tier::Executive), &ack, id("coder")),
            Ok(())
        );
    }
}
