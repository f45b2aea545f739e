//! The rules that are checked: the ones that ship, behind a seam at which a test can break one.

use std::collections::HashSet;

use worknode_core::{
    agent::{self, Agent, AgentCommand, AgentDecision},
    command::Command,
    error::{Error, IllegalTransition},
    event::{Event, Principal, Record},
    firing::{self, Firing, FiringError},
    git::CommitId,
    ids::NodeId,
    run::RunStatus,
    task::{self, Landing, Task, TaskCommand, TaskDecision},
    time::Timestamp,
};
use worknode_policies::{
    authority::{self, Authority, Target},
    landing::{self, Candidate},
    verdict::PublicKey,
};

use crate::{
    definition::TeamDefinition,
    policy::land,
    team::{
        settlement::{Settlement, settlement},
        steps::{self, Step},
        view::View,
    },
};

/// Every decision that the explored daemon takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// What a command to a task comes to.
    pub(crate) task: fn(&Task, &TaskCommand, &Principal, Timestamp) -> Result<TaskDecision, Error>,
    /// What an event makes of a task.
    pub(crate) task_after: fn(&Task, &Event) -> Result<Task, IllegalTransition>,
    /// What a command to an agent comes to.
    pub(crate) agent: fn(&Agent, &AgentCommand, &Principal, Timestamp) -> Result<AgentDecision, Error>,
    /// What an event makes of an agent.
    pub(crate) agent_after: fn(&Agent, &Event, Timestamp) -> Result<Agent, IllegalTransition>,
    /// Who may ask what.
    pub(crate) authorise: fn(&Authority, &Command, &Target<'_>) -> Result<(), Error>,
    /// What the team does next.
    pub(crate) team: fn(&View, &TeamDefinition, &HashSet<NodeId>, Timestamp) -> Vec<Step>,
    /// What becomes of a claim without a live run.
    pub(crate) settlement: fn(Option<&RunStatus>) -> Settlement,
    /// What comes next for a submission.
    pub(crate) review: fn(&Task, &Candidate, &CommitId, &PublicKey) -> landing::Step,
    /// What became of a landing whose end nobody saw.
    pub(crate) landed: fn(&Landing, bool) -> TaskCommand,
    /// What an event makes of an occurrence.
    pub(crate) firing: fn(Option<&Firing>, &Record) -> Result<Firing, FiringError>,
    /// The identity of an occurrence's run, when so many daemons have died.
    pub(crate) run_of_firing: fn(u8) -> u8,
    /// Does a daemon that finds a live process of an earlier one take it over, rather than start it
    /// again?
    pub(crate) adopts: bool,
}

/// The rules as they ship.
pub(crate) const SHIPPED: Rules = Rules {
    task: task::decide,
    task_after: Task::apply,
    agent: agent::decide,
    agent_after: Agent::apply,
    authorise: authority::authorise,
    team: steps::decide,
    settlement,
    review: landing::next_step,
    landed: land::settlement,
    firing: firing::apply,
    run_of_firing: |_| 0,
    adopts: true,
};
