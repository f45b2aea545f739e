//! The values that a driver's keys take.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_core::agent::Tier;

/// What a program's output is to be read as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Text that nobody reads but people. Its exit code says whether it succeeded.
    #[default]
    None,
    /// Claude Code's `stream-json`; two-way with its control messages.
    ClaudeCode,
    /// Codex: the events of `exec --json`; two-way, its `app-server`.
    Codex,
    /// Gemini CLI's `stream-json`.
    Gemini,
    /// OpenCode's `run --format json`.
    Opencode,
    /// The Agent Client Protocol, version 1.
    Acp,
}

/// Does the program only write, or is it also spoken to?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// It writes one event a line; its stdin is closed.
    #[default]
    Lines,
    /// Its stdin is held: the brief goes in there, and its requests are answered.
    TwoWay,
}

/// The model of each tier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Models {
    /// For executives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executive: Option<String>,
    /// For those who work on tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implementation: Option<String>,
    /// For reviewers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<String>,
}

impl Models {
    /// The model of `tier`; `None` leaves the choice to the program.
    #[must_use]
    pub fn of(&self, tier: Tier) -> Option<&str> {
        match tier {
            Tier::Executive => self.executive.as_deref(),
            Tier::Implementation => self.implementation.as_deref(),
            Tier::Validation => self.validation.as_deref(),
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        let all = [&self.executive, &self.implementation, &self.validation];
        all.into_iter().filter_map(Option::as_deref)
    }
}

/// How a program is asked to stop, before it is made to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stop {
    /// Send the protocol's own cancel message before the signal. What the run has cost is then
    /// still told.
    pub cancel: bool,
}

/// Where a program must write for its own sake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Writes {
    /// Directories: absolute, `~/…`, or beginning with `$VARIABLE`. One whose variable is not
    /// set is left out.
    pub write: Vec<String>,
}

/// What an exit code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExitMeaning {
    /// The command line or the session was refused.
    Input,
    /// The most turns that it was allowed.
    MaxTurns,
    /// Its credentials were refused.
    Auth,
    /// It was interrupted.
    Interrupted,
}
