//! What is done about a run that lives and gets nowhere.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_core::usage::Stuck;

/// What is done about a run that gets nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StuckAction {
    /// Nothing: it goes on by itself, or its limits end it.
    Wait,
    /// The operator is told.
    Notify,
    /// It is held still, for somebody to look at.
    Freeze,
    /// It is stopped, as at a limit: whether its agent starts again, its restart policy says.
    Kill,
    /// The executive is told, or the operator when there is none.
    Escalate,
}

impl StuckAction {
    /// The action's name, as in JSON and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Notify => "notify",
            Self::Freeze => "freeze",
            Self::Kill => "kill",
            Self::Escalate => "escalate",
        }
    }
}

/// What is done about a run that gets nowhere, by the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StuckPolicy {
    /// It asks for a permission that nobody gives. Default: "kill".
    pub permission_prompt: StuckAction,
    /// Its provider gives nothing more for a while; all agents on the same credentials wait
    /// together. Default: "wait".
    pub quota_paused: StuckAction,
    /// Its provider is overloaded; it tries again by itself. Default: "wait".
    pub overloaded: StuckAction,
    /// Its credentials are refused. Default: "escalate".
    pub unauthenticated: StuckAction,
    /// Nothing came for as long as `limits.silence`. Default: "kill".
    pub silent: StuckAction,
    /// It does the same again and again. Default: "kill".
    pub looping: StuckAction,
    /// The model takes no longer conversation. Default: "kill".
    pub context_exhausted: StuckAction,
    /// It waits for another agent or task. Default: "wait".
    pub waiting_on: StuckAction,
    /// It waits for a person. Default: "notify".
    pub waiting_on_human: StuckAction,
}

impl Default for StuckPolicy {
    fn default() -> Self {
        Self {
            permission_prompt: StuckAction::Kill,
            quota_paused: StuckAction::Wait,
            overloaded: StuckAction::Wait,
            unauthenticated: StuckAction::Escalate,
            silent: StuckAction::Kill,
            looping: StuckAction::Kill,
            context_exhausted: StuckAction::Kill,
            waiting_on: StuckAction::Wait,
            waiting_on_human: StuckAction::Notify,
        }
    }
}

impl StuckPolicy {
    /// What is done about this cause.
    #[must_use]
    pub const fn action(&self, stuck: &Stuck) -> StuckAction {
        match stuck {
            Stuck::PermissionPrompt { .. } => self.permission_prompt,
            Stuck::QuotaPaused { .. } => self.quota_paused,
            Stuck::Overloaded => self.overloaded,
            Stuck::Unauthenticated { .. } => self.unauthenticated,
            Stuck::Silent { .. } => self.silent,
            Stuck::Looping { .. } => self.looping,
            Stuck::ContextExhausted => self.context_exhausted,
            Stuck::WaitingOn { .. } => self.waiting_on,
            Stuck::WaitingOnHuman => self.waiting_on_human,
        }
    }
}

#[cfg(test)]
mod tests {
    use worknode_core::{ids::NodeId, time::Timestamp};

    use super::*;

    fn causes() -> [Stuck; 9] {
        let what = String::new;
        [
            Stuck::PermissionPrompt { what: what() },
            Stuck::QuotaPaused { reset_at: None },
            Stuck::Overloaded,
            Stuck::Unauthenticated { what: what() },
            Stuck::Silent {
                since: Timestamp::default(),
            },
            Stuck::Looping { what: what() },
            Stuck::ContextExhausted,
            Stuck::WaitingOn { node: NodeId::ROOT },
            Stuck::WaitingOnHuman,
        ]
    }

    #[test]
    fn each_cause_has_a_key_of_its_own_name() {
        for cause in causes() {
            let text = format!("{} = \"freeze\"", cause.name());
            let policy: StuckPolicy = toml::from_str(&text).unwrap();
            for other in causes() {
                let expected = if other == cause {
                    StuckAction::Freeze
                } else {
                    StuckPolicy::default().action(&other)
                };
                assert_eq!(policy.action(&other), expected, "{text}: {other:?}");
            }
        }
    }

    #[test]
    fn what_goes_on_by_itself_is_left_alone() {
        let policy = StuckPolicy::default();
        let actions = causes().map(|cause| policy.action(&cause).name());
        let expected = [
            "kill", "wait", "wait", "escalate", "kill", "kill", "kill", "wait", "notify",
        ];
        assert_eq!(actions, expected);
    }
}
