//! What a gate found on a named tree.

use serde::{Deserialize, Serialize};

use crate::git::{CommitId, TreeId};

/// One thing that a gate or a reviewer objects to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule that was broken, as `plan.outside` or `tests.failed`.
    pub rule: String,
    /// Where, when it is about a file: path relative to the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line in that file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What was seen.
    pub message: String,
    /// What would satisfy the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Yes.
    Passed,
    /// No; the findings say why.
    Failed,
}

/// The signed result of one gate on one tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The runtime's signature over everything above, base64.
    pub signature: String,
}
