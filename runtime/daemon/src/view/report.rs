//! What happened: a report on the work below a Worknode, made of what the store holds and of nothing
//! else. What somebody thinks of it is in there when they recorded it as a decision.
//!
//! It is as long as the work was. Each list has its bound, and what is beyond is said to be left out.

use serde::{Deserialize, Serialize};
use worknode_actors::notes::{Decision, Issue};
use worknode_core::{
    agent::Tier,
    error::{Code, Error},
    ids::NodeId,
    time::Timestamp,
    usage::Usage,
};
use worknode_journal::Reader;

mod gather;
mod markdown;

/// What happened below a Worknode.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReportView {
    /// The Worknode.
    pub under: NodeId,
    /// Its name.
    pub name: String,
    /// When this was true.
    pub at: Timestamp,
    /// When the first of the tasks was claimed; nothing while none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Timestamp>,
    /// When the last of them was over; nothing while some are open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// How many tasks there are.
    pub tasks: usize,
    /// How many of them are completed.
    pub completed: usize,
    /// What all runs have used.
    pub used: ReportUse,
    /// The phases, and whatever else holds tasks, in the order in which they came to be.
    pub phases: Vec<ReportPhase>,
    /// Who had a part in it, in the order of their names.
    pub agents: Vec<ReportAgent>,
    /// What landed, the oldest first.
    pub landed: Vec<ReportLanding>,
    /// What did not go as it should, the oldest first.
    pub trouble: Vec<ReportTrouble>,
    /// What was decided, the oldest first.
    pub decisions: Vec<Decision>,
    /// Which errors came up, the oldest first.
    pub issues: Vec<Issue>,
    /// There is more of something than one report has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// What runs have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReportUse {
    /// How many there were.
    pub runs: usize,
    /// Milliseconds in which they lived, added up.
    pub busy_ms: u64,
    /// Tokens and money, as far as their programs said.
    pub usage: Usage,
}

/// A phase.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReportPhase {
    /// Its name.
    pub name: String,
    /// When the first of its tasks was claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Timestamp>,
    /// When the last of its tasks was over; nothing while some are open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// Its tasks, in the order of the plan.
    pub tasks: Vec<ReportTask>,
}

/// A task.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReportTask {
    /// Its name.
    pub key: String,
    /// One line.
    pub title: String,
    /// Where it stands.
    pub status: String,
    /// Whose work landed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Attempts used.
    pub attempts: u32,
    /// Milliseconds from its first claim until it was over, or until now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// Milliseconds that it should have taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_ms: Option<u64>,
    /// Paths that had to be there when it was done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deliverables: Vec<String>,
}

/// An agent's part.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReportAgent {
    /// Its name.
    pub name: String,
    /// Its tier.
    pub tier: Tier,
    /// Its profile.
    pub profile: String,
    /// Tasks that were completed with what it handed in.
    pub completed: Vec<String>,
    /// What its runs have used.
    pub used: ReportUse,
}

/// Something that landed.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReportLanding {
    /// When.
    pub at: Timestamp,
    /// Which task.
    pub task: String,
    /// Whose work it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The commit on the base branch.
    pub commit: String,
}

/// Something that did not go as it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReportTrouble {
    /// When.
    pub at: Timestamp,
    /// The type of the event that says so.
    pub event: String,
    /// What it was about.
    pub of: String,
    /// In words.
    pub what: String,
}

/// What happened below `under`.
///
/// # Errors
/// `not_found` when there is no such Worknode, or the store cannot be read.
pub fn report(reader: &Reader, under: NodeId, now: Timestamp) -> Result<ReportView, Error> {
    let top = reader
        .node(under)?
        .ok_or_else(|| Error::new(Code::NotFound, format!("there is no Worknode {under}")))?;
    gather::gather(reader, &top, now)
}
