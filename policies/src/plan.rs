//! Plans: phases and tasks, as `plan.toml` or `worknode.toml` says them.
//!
//! ```toml
//! [[phase]]
//! name = "foundation"
//!
//! [[phase.task]]
//! id = "schema"
//! title = "Design the database schema"
//! prompt = "Write schema.sql …"
//! files = ["schema.sql", "docs/schema.md"]
//! ```
//!
//! Phases run in the order in which they stand: a task of a later phase waits for all tasks of
//! the phase before. [`check`] finds every mistake, [`resolve`] says which Worknodes are meant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use worknode_core::{
    task::Approval,
    time::{Span, Timestamp},
};

pub mod advice;
mod amend;
mod check;
mod graph;
mod limits;
mod resolve;
#[cfg(test)]
mod tests;

pub use amend::difference;
pub use check::{MOST_AGREE, Problem, check, check_roles};
pub use limits::TaskLimits;
pub use resolve::{Defaults, Planned, resolve};

/// Dependencies of one task, those on the phase before included.
pub const DEPENDENCIES: usize = 1_000;
/// Dependencies of a whole plan.
pub const EDGES: usize = 100_000;
/// Characters of a task's id or a phase's name.
pub const NAME: usize = 64;

/// What a team is to do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// The phases, in the order in which they are worked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phase: Vec<PhaseSpec>,
}

/// One phase of a plan. Its tasks wait for all tasks of the phase before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseSpec {
    /// Its name, unique in the plan.
    pub name: String,
    /// What it is about, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its tasks. Their order decides among tasks of equal priority.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub task: Vec<PlanTask>,
}

/// One task of a plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanTask {
    /// Its name, unique in the plan: lower-case letters, digits, `.`, `_` and `-`, at most 64.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// What to do, for the agent.
    pub prompt: String,
    /// Globs of the files that may change, relative to the repository. `!` excludes, and wins.
    /// `*` stays within a folder, `**` does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Globs of the files that may be made, in place of those of `files`; an empty list: none.
    /// Otherwise whatever `files` names may be made, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_create: Option<Vec<String>>,
    /// Globs of the files that may be deleted. A file that is named only in `files` may not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_delete: Vec<String>,
    /// Paths that must be there when it is done, without wildcards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deliverables: Vec<String>,
    /// Ids of the tasks that must be completed first, in this phase or an earlier one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// Name or glob of the agents that may take it, as in `coder-*`. Otherwise any agent of the
    /// implementation tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Profile of the agents that may take it, as in `implementation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How long it should take from its first claim until it has landed, as in "45m". Otherwise
    /// nothing is said about that, and it is never late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Span>,
    /// When it should be completed. Deadline triggers look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Gates that must pass on the tree that lands; otherwise the team's. `plan` is always one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gates: Option<Vec<String>>,
    /// Who must agree beside the gates: "none", "validation", "operator", or { quorum = 2 }, so many
    /// different ones; otherwise as the team says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// How often it is tried before it fails; otherwise as the team says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// Higher goes first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i32,
    /// A time limit for each run of this task, where it is shorter than the agent's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<Span>,
    /// Further limits of each run, where they are tighter than its agent's, as in
    /// { tokens = 200_000, usd = 2.0, memory = "2GiB", processes = 64 }.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<TaskLimits>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_zero(priority: &i32) -> bool {
    *priority == 0
}

impl Plan {
    /// All tasks, in the order of the plan.
    pub fn tasks(&self) -> impl Iterator<Item = &PlanTask> {
        self.phase.iter().flat_map(|phase| &phase.task)
    }
}

/// What the plan says, as a digest: equal for plans that mean the same, whatever their files'
/// layout and comments. Fields that are left out do not enter it, so that it stays the same
/// when a later version knows more of them.
#[must_use]
pub fn digest(plan: &Plan) -> String {
    use std::fmt::Write as _;
    // A plan is plain data with string keys; that cannot fail to become JSON.
    let json = serde_json::to_vec(plan).unwrap_or_default();
    let mut hash = Sha256::new();
    hash.update(b"worknode plan v1\n");
    hash.update(&json);
    hash.finalize()
        .iter()
        .fold("sha256:".to_owned(), |mut text, byte| {
            // Writing into a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
