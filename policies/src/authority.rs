//! May this caller ask this of that Worknode?
//!
//! The rules, in the order in which they are asked. The first that says no decides, and is
//! named in the refusal.
//!
//! | rule | what it demands |
//! |---|---|
//! | `operation` | the capability lists the operation that the command needs |
//! | `tier` | the holder's tier may do it at all, whatever the capability lists |
//! | `subtree` | the Worknode is the capability's, or below it |
//! | `own_task` | an agent reports on the task that its run holds, under the epoch that it holds |
//! | `own_review` | a reviewer that was started for one task decides on no other |
//! | `submitter` | nobody reviews their own submission |
//! | `person` | what a program asks a person for, no agent answers, nor who stands for the one that asks |
//!
//! Changes of the tree are asked more, in [`reach`]; notes and messages in [`notes`].

use std::{collections::BTreeSet, sync::Arc};

use worknode_core::{
    agent::AgentCommand,
    command::{Command, Operation},
    error::{Code, Error},
    event::Principal,
    ids::NodeId,
    raise::Raise,
    task::TaskCommand,
};

use crate::capability::{Claims, Limits, Opened, TaskHold, most_of};

pub mod notes;
pub mod reach;

/// What a caller may do, once its capability has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Who calls.
    pub principal: Principal,
    /// What it may do.
    pub operations: BTreeSet<Operation>,
    /// To this Worknode and all below it.
    pub subtree: NodeId,
    /// The task that its run is about.
    pub task: Option<TaskHold>,
    /// What it may do for a time, beside what its tier may; part of its operations.
    pub raised: BTreeSet<Operation>,
    /// What else its capability is narrowed to.
    pub limits: Limits,
    /// The capability itself, when there is one.
    pub through: Option<Arc<Opened>>,
}

impl From<Claims> for Authority {
    fn from(claims: Claims) -> Self {
        let raised: BTreeSet<Operation> = claims.raised.iter().flat_map(Raise::operations).collect();
        Self {
            principal: claims.principal,
            operations: claims.operations.union(&raised).copied().collect(),
            subtree: claims.subtree,
            task: claims.task,
            raised,
            limits: claims.limits,
            through: None,
        }
    }
}

impl Authority {
    /// All that `principal` can have, over the whole tree: for the owner of the socket, for
    /// triggers, and for the runtime itself. Agents come with a capability.
    #[must_use]
    pub fn whole(principal: Principal) -> Self {
        Self {
            operations: most_of(&principal),
            principal,
            subtree: NodeId::ROOT,
            task: None,
            raised: BTreeSet::new(),
            limits: Limits::default(),
            through: None,
        }
    }

    /// May its tier do this at all, or may it itself for a time?
    #[must_use]
    pub fn covers(&self, operation: Operation) -> bool {
        most_of(&self.principal).contains(&operation) || self.raised.contains(&operation)
    }
}

/// What the command is for.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The Worknode.
    pub node: NodeId,
    /// All Worknodes above it, in any order.
    pub ancestors: &'a [NodeId],
    /// For a task in review: who handed it in.
    pub submitted_by: Option<NodeId>,
}

/// The rule that said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table of this module says what each demands")]
pub enum Rule {
    Operation,
    Tier,
    Subtree,
    OwnTask,
    OwnReview,
    Submitter,
    Person,
}

impl Rule {
    /// The rule's name, as in refusals.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::Tier => "tier",
            Self::Subtree => "subtree",
            Self::OwnTask => "own_task",
            Self::OwnReview => "own_review",
            Self::Submitter => "submitter",
            Self::Person => "person",
        }
    }
}

/// Decides whether `authority` covers `command` on `target`. Pure.
///
/// # Errors
/// `forbidden`, saying who lacks what, and by which rule.
pub fn authorise(authority: &Authority, command: &Command, target: &Target<'_>) -> Result<(), Error> {
    match first_objection(authority, command, target) {
        None => Ok(()),
        Some(rule) => Err(refusal(rule, authority, command, target)),
    }
}

/// The first rule that says no.
#[must_use]
pub fn first_objection(authority: &Authority, command: &Command, target: &Target<'_>) -> Option<Rule> {
    let operation = command.operation();
    let checks = [
        (Rule::Operation, authority.operations.contains(&operation)),
        (Rule::Tier, authority.covers(operation)),
        (Rule::Subtree, in_subtree(authority.subtree, target)),
        (Rule::OwnTask, owns_task(authority, command, target)),
        (Rule::OwnReview, owns_review(authority, operation, target)),
        (Rule::Submitter, is_not_submitter(authority, operation, target)),
        (Rule::Person, is_person(authority, command, target)),
    ];
    checks.iter().find(|(_, holds)| !holds).map(|(rule, _)| *rule)
}

fn in_subtree(subtree: NodeId, target: &Target<'_>) -> bool {
    // Everything is below the root, the root's own list of ancestors being empty.
    subtree == NodeId::ROOT || subtree == target.node || target.ancestors.contains(&subtree)
}

/// The operator and the runtime hold no task: for them the epoch in the command is fence
/// enough (P1). An agent must have been given exactly this claim.
fn owns_task(authority: &Authority, command: &Command, target: &Target<'_>) -> bool {
    if command.operation() != Operation::Work || !is_agent(&authority.principal) {
        return true;
    }
    let Some(epoch) = epoch_of(command) else {
        return false;
    };
    authority.task
        == Some(TaskHold {
            node: target.node,
            epoch,
        })
}

fn owns_review(authority: &Authority, operation: Operation, target: &Target<'_>) -> bool {
    operation != Operation::Review || authority.task.is_none_or(|task| task.node == target.node)
}

fn is_not_submitter(authority: &Authority, operation: Operation, target: &Target<'_>) -> bool {
    match &authority.principal {
        Principal::Agent { node, .. } | Principal::Outside { node, .. } if operation == Operation::Review => {
            target.submitted_by != Some(*node)
        }
        Principal::Agent { .. }
        | Principal::Outside { .. }
        | Principal::Operator
        | Principal::Runtime
        | Principal::Trigger { .. } => true,
    }
}

/// Who asks, and who works beside it, cannot be who answers.
fn is_person(authority: &Authority, command: &Command, target: &Target<'_>) -> bool {
    if !matches!(command, Command::Agent(AgentCommand::AnswerPermission(_))) {
        return true;
    }
    match &authority.principal {
        Principal::Operator => true,
        Principal::Outside { node, .. } => *node != target.node,
        Principal::Agent { .. } | Principal::Runtime | Principal::Trigger { .. } => false,
    }
}

const fn is_agent(principal: &Principal) -> bool {
    matches!(principal, Principal::Agent { .. })
}

/// The claim under which a task's holder writes.
const fn epoch_of(command: &Command) -> Option<u64> {
    match command {
        Command::Task(
            TaskCommand::Start { epoch }
            | TaskCommand::Renew { epoch, .. }
            | TaskCommand::Progress { epoch, .. }
            | TaskCommand::Submit { epoch, .. }
            | TaskCommand::Release { epoch, .. }
            | TaskCommand::HandOver { epoch, .. }
            | TaskCommand::Lapse { epoch }
            | TaskCommand::Block { epoch, .. },
        ) => Some(*epoch),
        Command::Task(
            TaskCommand::MarkReady
            | TaskCommand::Claim { .. }
            | TaskCommand::Prioritise { .. }
            | TaskCommand::Raise { .. }
            | TaskCommand::Lower { .. }
            | TaskCommand::RecordVerdict { .. }
            | TaskCommand::RequestReview { .. }
            | TaskCommand::Approve { .. }
            | TaskCommand::Reject { .. }
            | TaskCommand::BeginLanding { .. }
            | TaskCommand::AbandonLanding { .. }
            | TaskCommand::Complete { .. }
            | TaskCommand::Fail { .. }
            | TaskCommand::Cancel { .. }
            | TaskCommand::Amend { .. }
            | TaskCommand::Expire { .. }
            | TaskCommand::Retry,
        )
        | Command::Get
        | Command::Emit { .. }
        | Command::Letter { .. }
        | Command::Node { .. }
        | Command::Note { .. }
        | Command::Message(_)
        | Command::Agent(_) => None,
    }
}

fn refusal(rule: Rule, authority: &Authority, command: &Command, target: &Target<'_>) -> Error {
    let who = &authority.principal;
    let what = operation_name(command.operation());
    let node = target.node;
    let (why, hint) = match rule {
        Rule::Operation => (
            format!("{who} may not {what}: its capability does not list it"),
            "ask the operator, or an agent whose tier may".to_owned(),
        ),
        Rule::Tier => (
            format!(
                "{who} may not {what}: {} may not, whatever the capability lists",
                kind_of(who)
            ),
            "ask the operator, or an agent whose tier may".to_owned(),
        ),
        Rule::Subtree => (
            format!(
                "{who} may not {what} here: {node} is not below {}",
                authority.subtree
            ),
            "the capability covers another part of the tree".to_owned(),
        ),
        Rule::OwnTask => (
            format!(
                "{who} may not report on task {node} under this epoch: {}",
                held(authority)
            ),
            "report on your own task, with the epoch in WORKNODE_EPOCH".to_owned(),
        ),
        Rule::OwnReview => (
            format!("{who} may not review task {node}: {}", held(authority)),
            "decide on the task of your own brief".to_owned(),
        ),
        Rule::Person => (
            format!("{who} may not answer what the agent {node} asks for: a person has to"),
            "the operator answers, or a person with a capability that lists `review`".to_owned(),
        ),
        Rule::Submitter => (
            format!("{who} may not review task {node}: it handed in the work itself"),
            "another agent of the validation tier, or the operator, decides".to_owned(),
        ),
    };
    Error::new(Code::Forbidden, format!("{why} (rule `{}`)", rule.name())).hint(hint)
}

fn held(authority: &Authority) -> String {
    match authority.task {
        None => "its run is about no task".to_owned(),
        Some(task) => format!("its run is about task {} at epoch {}", task.node, task.epoch),
    }
}

fn kind_of(principal: &Principal) -> String {
    match principal {
        Principal::Operator => "the operator".to_owned(),
        Principal::Runtime => "the runtime".to_owned(),
        Principal::Trigger { .. } => "a trigger".to_owned(),
        Principal::Agent { tier, .. } => format!("the {} tier", tier.name()),
        Principal::Outside { .. } => "somebody outside".to_owned(),
    }
}

const fn operation_name(operation: Operation) -> &'static str {
    match operation {
        Operation::Read => "read",
        Operation::Work => "report work",
        Operation::Claim => "claim tasks",
        Operation::Review => "review",
        Operation::Note => "write notes and messages",
        Operation::Write => "write",
        Operation::Spawn => "spawn",
        Operation::Kill => "kill",
        Operation::Administer => "administer",
    }
}

#[cfg(test)]
mod tests;
