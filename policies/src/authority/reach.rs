//! Changes of the tree touch more than the Worknode that they are asked of: the other end of a
//! link, the new parent, everybody behind a membrane.
//!
//! | rule | what it demands |
//! |---|---|
//! | `other_end` | the other Worknode, too, is the capability's, or below it |
//! | `above_itself` | no agent changes its own membrane or one above it, nor leaves one by a move |
//! | `own_notes` | who may only work makes documents, decisions, issues and memories below its own task |

use worknode_core::{
    body::Link,
    command::{Command, Operation},
    error::{Code, Error},
    event::Principal,
    ids::NodeId,
    kind::Kind,
    node::NodeChange,
};

use super::{Authority, Target, in_subtree, kind_of};

/// What an agent makes below its own task: what it found, and what it leaves to others.
const NOTES: [Kind; 4] = [Kind::Document, Kind::Decision, Kind::Issue, Kind::Memory];

/// A Worknode, and all above it in any order.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// The Worknode.
    pub node: NodeId,
    /// All above it.
    pub ancestors: &'a [NodeId],
}

impl End<'_> {
    fn is_covered(&self, authority: &Authority) -> bool {
        let target = Target {
            node: self.node,
            ancestors: self.ancestors,
            submitted_by: None,
        };
        in_subtree(authority.subtree, &target)
    }

    fn holds(&self, node: NodeId) -> bool {
        self.node == node || self.ancestors.contains(&node)
    }
}

/// The other Worknode that a command is about, when there is one.
#[must_use]
pub const fn other_end(command: &Command) -> Option<NodeId> {
    match command {
        Command::Node {
            change:
                NodeChange::Move { to }
                | NodeChange::Assign { to }
                | NodeChange::Link {
                    link: Link { to, .. },
                },
            ..
        } => Some(*to),
        Command::Get
        | Command::Emit { .. }
        | Command::Letter { .. }
        | Command::Node { .. }
        | Command::Note { .. }
        | Command::Message(_)
        | Command::Task(_)
        | Command::Agent(_) => None,
    }
}

/// Does the command say what holds for all that is below its Worknode?
#[must_use]
pub const fn rules_below(command: &Command) -> bool {
    matches!(
        command,
        Command::Node {
            change: NodeChange::Move { .. } | NodeChange::SetMembrane { .. },
            ..
        }
    )
}

/// The Worknode of the agent that asks.
#[must_use]
pub const fn caller(authority: &Authority) -> Option<NodeId> {
    match &authority.principal {
        Principal::Agent { node, .. } | Principal::Outside { node, .. } => Some(*node),
        Principal::Operator | Principal::Runtime | Principal::Trigger { .. } => None,
    }
}

/// Decides whether `authority` reaches as far as `command` on `node` does. Asked once everything is
/// known, beside [`authorise`](super::authorise): `other` is the Worknode of [`other_end`],
/// `caller` that of [`caller`]. What is needed and not given is refused.
///
/// # Errors
/// `forbidden`, saying by which rule.
pub fn check_reach(
    authority: &Authority,
    command: &Command,
    node: NodeId,
    other: Option<End<'_>>,
    caller: Option<End<'_>>,
) -> Result<(), Error> {
    if let Some(to) = other_end(command) {
        let covered = other.is_some_and(|end| end.node == to && end.is_covered(authority));
        if !covered {
            return Err(uncovered(authority, to));
        }
    }
    let rules_itself = caller.is_none_or(|caller| caller.holds(node));
    if self::caller(authority).is_some() && rules_below(command) && rules_itself {
        let message = format!(
            "{} may not do this to Worknode {node}: it hangs below it itself (rule `above_itself`)",
            authority.principal
        );
        return Err(Error::new(Code::Forbidden, message).hint("ask the operator"));
    }
    Ok(())
}

/// Decides whether `authority` may make a Worknode of `kind` below `parent`, which names `others`.
///
/// # Errors
/// `forbidden`, saying by which rule.
pub fn check_create(
    authority: &Authority,
    kind: &Kind,
    parent: End<'_>,
    others: &[End<'_>],
) -> Result<(), Error> {
    if let Some(end) = others.iter().find(|end| !end.is_covered(authority)) {
        return Err(uncovered(authority, end.node));
    }
    if !parent.is_covered(authority) {
        return Err(uncovered(authority, parent.node));
    }
    let may = |operation| authority.operations.contains(&operation) && authority.covers(operation);
    let own_task = authority.task.is_some_and(|task| task.node == parent.node);
    if may(Operation::Write) || (may(Operation::Work) && own_task && NOTES.contains(kind)) {
        return Ok(());
    }
    let who = &authority.principal;
    let message = format!(
        "{who} may not make a {kind} below Worknode {}: {} may not (rule `own_notes`)",
        parent.node,
        kind_of(who)
    );
    Err(Error::new(Code::Forbidden, message)
        .hint("who works on a task makes documents, decisions, issues and memories below it; for others ask the executive tier"))
}

fn uncovered(authority: &Authority, node: NodeId) -> Error {
    let message = format!(
        "{} may not reach Worknode {node}: it is not below {} (rule `other_end`)",
        authority.principal, authority.subtree
    );
    Error::new(Code::Forbidden, message).hint("the capability covers another part of the tree")
}

#[cfg(test)]
mod tests {
    use worknode_core::{agent::Tier, body::Relation};

    use super::*;
    use crate::{
        capability::{Limits, TaskHold, operations_of},
        testing::{agent, node},
    };

    const TEAM: u8 = 1;
    const OUTSIDE: u8 = 2;
    const CALLER: u8 = 5;
    const TASK: u8 = 10;

    fn authority(tier: Tier) -> Authority {
        Authority {
            principal: agent(CALLER, tier),
            operations: operations_of(tier),
            subtree: node(TEAM),
            task: Some(TaskHold {
                node: node(TASK),
                epoch: 1,
            }),
            raised: std::collections::BTreeSet::new(),
            limits: Limits::default(),
            through: None,
        }
    }

    fn command(change: NodeChange) -> Command {
        Command::Node {
            change,
            unless_changed_since: None,
        }
    }

    fn two_ended(to: u8) -> [Command; 3] {
        let link = Link {
            relation: Relation::DependsOn,
            to: node(to),
        };
        [
            command(NodeChange::Move { to: node(to) }),
            command(NodeChange::Assign { to: node(to) }),
            command(NodeChange::Link { link }),
        ]
    }

    fn end(of: u8, ancestors: &[NodeId]) -> End<'_> {
        End {
            node: node(of),
            ancestors,
        }
    }

    #[test]
    fn p9_both_ends_must_be_covered() {
        let executive = authority(Tier::Executive);
        let (inside, outside) = ([node(TEAM), NodeId::ROOT], [NodeId::ROOT]);
        let caller = end(CALLER, &inside);
        let ask = |command: &Command, other| check_reach(&executive, command, node(20), other, Some(caller));
        for command in two_ended(21) {
            assert_eq!(ask(&command, Some(end(21, &inside))), Ok(()));
            assert!(ask(&command, None).is_err(), "not looked up: {command:?}");
            assert!(
                ask(&command, Some(end(20, &inside))).is_err(),
                "another one: {command:?}"
            );
        }
        for command in two_ended(OUTSIDE) {
            let refused = ask(&command, Some(end(OUTSIDE, &outside))).unwrap_err();
            assert!(refused.message.contains("other_end"), "{refused}");
        }
    }

    #[test]
    fn p9_nobody_rules_over_itself() {
        let executive = authority(Tier::Executive);
        let above = [node(TEAM), NodeId::ROOT];
        let membrane = || command(NodeChange::SetMembrane { membrane: None });
        let away = || command(NodeChange::Move { to: node(30) });
        let other = Some(end(30, &above));
        for of in [CALLER, TEAM] {
            for command in [membrane(), away()] {
                let caller = Some(end(CALLER, &above));
                let refused = check_reach(&executive, &command, node(of), other, caller).unwrap_err();
                assert!(refused.message.contains("above_itself"), "{refused}");
            }
        }
        let caller = Some(end(CALLER, &above));
        assert_eq!(
            check_reach(&executive, &membrane(), node(40), None, caller),
            Ok(())
        );
        assert!(check_reach(&executive, &membrane(), node(40), None, None).is_err());
        let operator = Authority::whole(Principal::Operator);
        assert_eq!(
            check_reach(&operator, &membrane(), node(TEAM), None, None),
            Ok(())
        );
    }

    #[test]
    fn p9_who_works_makes_notes_below_its_own_task() {
        let above = [node(TEAM), NodeId::ROOT];
        let create = |tier, kind: &Kind, below| check_create(&authority(tier), kind, end(below, &above), &[]);
        for kind in NOTES {
            assert_eq!(create(Tier::Implementation, &kind, TASK), Ok(()));
            assert!(create(Tier::Implementation, &kind, 11).is_err());
            assert!(create(Tier::Validation, &kind, TASK).is_err());
        }
        for kind in [Kind::Task, Kind::Phase, Kind::Team] {
            assert!(create(Tier::Implementation, &kind, TASK).is_err());
            assert_eq!(create(Tier::Executive, &kind, 11), Ok(()));
        }
        let outside = [NodeId::ROOT];
        let executive = authority(Tier::Executive);
        assert!(check_create(&executive, &Kind::Task, end(OUTSIDE, &outside), &[]).is_err());
        let named = [end(OUTSIDE, &outside)];
        assert!(check_create(&executive, &Kind::Task, end(11, &above), &named).is_err());
    }
}
