//! Everything that can be asked of a Worknode: the one interface of every side, from the
//! command line to the tests. Matched without a wildcard, so that a new command is a decision
//! everywhere.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    agent::AgentCommand,
    event::{first_version, is_first_version},
    hlc::Hlc,
    letter::LetterAction,
    message::MessageCommand,
    node::NodeChange,
    task::TaskCommand,
};

/// What can be asked of a Worknode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Command {
    /// Say what you are.
    Get,
    /// Remember an event of the user's own.
    Emit {
        /// Its name.
        name: String,
        /// Version of the form of its data.
        #[serde(default = "first_version", skip_serializing_if = "is_first_version")]
        version: u32,
        /// Its data.
        #[serde(default)]
        data: Map<String, Value>,
    },
    /// Settle an event that was refused and kept.
    Letter {
        /// The stamp of the event that kept it.
        letter: Hlc,
        /// How.
        action: LetterAction,
    },
    /// Change what any Worknode has.
    Node {
        /// How.
        change: NodeChange,
        /// Only if this is still the last event that changed it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unless_changed_since: Option<Hlc>,
    },
    /// Change what somebody decided, found out or remembers.
    Note {
        /// How.
        change: NodeChange,
        /// Only if this is still the last event that changed it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unless_changed_since: Option<Hlc>,
    },
    /// Say something to whoever it is, or that it was heard.
    Message(MessageCommand),
    /// For a task.
    Task(TaskCommand),
    /// For an agent.
    Agent(AgentCommand),
}

/// What a capability allows, and what a command needs.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Look at anything.
    Read,
    /// Report on the task that one holds: progress, submit, block, release, renew, hand over.
    Work,
    /// Claim tasks.
    Claim,
    /// Approve or reject a submission.
    Review,
    /// Remember, decide, report issues, send messages: each where its own rule allows it.
    Note,
    /// Remember events and create tasks.
    Write,
    /// Start and resume agents.
    Spawn,
    /// Stop agents, runs and tasks.
    Kill,
    /// What only the runtime itself does: verdicts, landings, process facts.
    Administer,
}

impl Command {
    /// What a caller must be allowed to do, to ask this.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        match self {
            Self::Get => Operation::Read,
            Self::Emit { .. } | Self::Letter { .. } | Self::Node { .. } => Operation::Write,
            Self::Note { .. } | Self::Message(_) => Operation::Note,
            Self::Task(command) => of_task(command),
            Self::Agent(command) => of_agent(command),
        }
    }
}

const fn of_task(command: &TaskCommand) -> Operation {
    match command {
        TaskCommand::Progress { .. }
        | TaskCommand::Submit { .. }
        | TaskCommand::Release { .. }
        | TaskCommand::Renew { .. }
        | TaskCommand::HandOver { .. }
        | TaskCommand::Block { .. } => Operation::Work,
        TaskCommand::Approve { .. } | TaskCommand::Reject { .. } => Operation::Review,
        TaskCommand::Prioritise { .. } => Operation::Write,
        TaskCommand::Claim { .. } => Operation::Claim,
        TaskCommand::Cancel { .. } => Operation::Kill,
        TaskCommand::Retry | TaskCommand::Amend { .. } => Operation::Spawn,
        TaskCommand::MarkReady
        | TaskCommand::Start { .. }
        | TaskCommand::Lapse { .. }
        | TaskCommand::RecordVerdict { .. }
        | TaskCommand::RequestReview { .. }
        | TaskCommand::BeginLanding { .. }
        | TaskCommand::AbandonLanding { .. }
        | TaskCommand::Complete { .. }
        | TaskCommand::Expire { .. }
        | TaskCommand::Raise { .. }
        | TaskCommand::Lower { .. }
        | TaskCommand::Fail { .. } => Operation::Administer,
    }
}

const fn of_agent(command: &AgentCommand) -> Operation {
    match command {
        AgentCommand::Start { .. } | AgentCommand::Resume => Operation::Spawn,
        AgentCommand::StopRun { .. }
        | AgentCommand::Kill { .. }
        | AgentCommand::Freeze { .. }
        | AgentCommand::Thaw { .. } => Operation::Kill,
        AgentCommand::AnswerPermission(_) => Operation::Review,
        AgentCommand::Started { .. }
        | AgentCommand::Used { .. }
        | AgentCommand::StuckOn { .. }
        | AgentCommand::InSession { .. }
        | AgentCommand::AskPermission { .. }
        | AgentCommand::EndPermission { .. }
        | AgentCommand::Exited { .. }
        | AgentCommand::BackoffOver => Operation::Administer,
    }
}
