//! What a gate found on a named tree.

mod measure;

use std::collections::BTreeMap;

pub use measure::Measure;
use serde::{Deserialize, Serialize};

use crate::{
    git::{CommitId, TreeId},
    ids::NodeId,
};

/// Whether a finding counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// It fails its gate.
    #[default]
    Error,
    /// It is told and fails nothing.
    Warning,
    /// Somebody decided, with a reason and a last day, that it does not count.
    Waived,
}

impl Weight {
    /// Does it fail its gate?
    #[must_use]
    pub const fn fails(&self) -> bool {
        matches!(self, Self::Error)
    }
}

/// One thing that a gate or a reviewer objects to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Finding {
    /// The rule that was broken, as `plan.outside` or `tests.failed`.
    pub rule: String,
    /// Where, when it is about a file: path relative to the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line in that file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The function that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// What was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measure>,
    /// What may be measured at most, or at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Measure>,
    /// What was seen.
    pub message: String,
    /// What would satisfy the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether it counts.
    #[serde(default, skip_serializing_if = "Weight::fails")]
    pub weight: Weight,
}

impl Finding {
    /// A finding that is about no single file.
    pub fn new(rule: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            rule: rule.into(),
            message: message.into(),
            ..Self::default()
        }
    }

    /// Does it say that something was handed in that the plan does not name?
    #[must_use]
    pub fn is_outside_plan(&self) -> bool {
        let rule = self.rule.as_str();
        rule.starts_with("plan.") && !matches!(rule, "plan.empty" | "plan.undelivered")
    }

    /// Does it say more than words: which function, what was measured, what is allowed?
    #[must_use]
    pub const fn is_measured(&self) -> bool {
        self.function.is_some() || self.measured.is_some() || self.limit.is_some()
    }

    /// The same finding about one file.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// The same finding with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Did the tree satisfy the gate?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Yes.
    Passed,
    /// No; the findings say why.
    Failed,
}

/// What a verdict is bound to beside its tree: it counts for nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Bound {
    /// The task.
    pub task: NodeId,
    /// The claim under which the work was handed in.
    pub epoch: u64,
    /// Which attempt at the task that was.
    pub attempt: u32,
    /// The tip of the base branch under the tree.
    pub base: CommitId,
    /// Digest of what the gate was told to look for: the plan of the task, and its own settings.
    pub config: String,
    /// What looked: names and versions.
    pub tools: BTreeMap<String, String>,
    /// Digest of all that the gate found, and of what it found it in.
    pub evidence: String,
}

/// The signed result of one gate on one tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Verdict {
    /// Which gate.
    pub gate: String,
    /// The tree that was judged: exactly these files.
    pub tree: TreeId,
    /// The candidate commit that holds the tree.
    pub commit: CommitId,
    /// What came out.
    pub outcome: Outcome,
    /// Why, when it failed.
    pub findings: Vec<Finding>,
    /// Findings beyond [`crate::bounds::FINDINGS`] that are not listed.
    #[serde(default)]
    pub more_findings: usize,
    /// How long the gate took, in milliseconds.
    pub took_ms: u64,
    /// What else it is bound to. Verdicts of the first versions are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<Box<Bound>>,
    /// The runtime's signature over everything above, base64.
    pub signature: String,
}
