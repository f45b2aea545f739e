//! What a run has used of what costs money, and why one that lives gets nowhere.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ids::NodeId, time::Timestamp};

/// An amount of money, in millionths of a US dollar: prices per token are that small, and sums
/// of integers do not drift.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Usd(u64);

impl Usd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From millionths of a dollar.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// From dollars, as programs and people write them; rounded to the nearest millionth. `None`
    /// for what is negative, not a number, or beyond what can be counted.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked before"
    )]
    pub fn from_dollars(dollars: f64) -> Option<Self> {
        // 2^53: beyond it a double no longer holds every integer.
        const MOST: f64 = 9_007_199_254_740_992.0;
        let micros = (dollars * 1e6).round();
        (0.0..=MOST).contains(&micros).then_some(Self(micros as u64))
    }

    /// In millionths of a dollar.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// The sum, or as much as can be counted.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left after `other` is taken; never below zero.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        if micros.is_multiple_of(10_000) {
            write!(f, "${dollars}.{:02}", micros / 10_000)
        } else {
            write!(f, "${dollars}.{micros:06}")
        }
    }
}

/// What a run has used so far. Always the total since its start, never a difference: a report
/// that is read twice changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Usage {
    /// Tokens sent, without those that a cache supplied.
    pub input_tokens: u64,
    /// Tokens received.
    pub output_tokens: u64,
    /// Tokens that a cache supplied.
    pub cache_read_tokens: u64,
    /// Tokens that were put into a cache.
    pub cache_write_tokens: u64,
    /// Answers of the model.
    pub turns: u64,
    /// Tools that were called.
    pub tool_calls: u64,
    /// Money, as far as the program says; [`Usd::ZERO`] when it does not.
    pub cost: Usd,
}

impl Usage {
    /// All tokens that count against a limit. What came out of a cache costs little and would
    /// drown the rest, so it does not count.
    #[must_use]
    pub const fn tokens(&self) -> u64 {
        self.input_tokens
            .saturating_add(self.output_tokens)
            .saturating_add(self.cache_write_tokens)
    }

    /// Both together.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cache_read_tokens: self.cache_read_tokens.saturating_add(other.cache_read_tokens),
            cache_write_tokens: self.cache_write_tokens.saturating_add(other.cache_write_tokens),
            turns: self.turns.saturating_add(other.turns),
            tool_calls: self.tool_calls.saturating_add(other.tool_calls),
            cost: self.cost.plus(other.cost),
        }
    }
}

/// Why a run that lives gets nowhere. Derived from what its program says, and shown with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "stuck", rename_all = "snake_case")]
pub enum Stuck {
    /// It asks for a permission that nobody gives.
    PermissionPrompt {
        /// For which tool or action.
        what: String,
    },
    /// Its provider gives nothing more until then.
    QuotaPaused {
        /// When it gives again; `None` when the provider did not say.
        reset_at: Option<Timestamp>,
    },
    /// Its provider is overloaded; it tries again by itself.
    Overloaded,
    /// Its credentials are refused.
    Unauthenticated {
        /// What the provider said.
        what: String,
    },
    /// Nothing came for long.
    Silent {
        /// Since when.
        since: Timestamp,
    },
    /// It does the same again and again, or asks the model again and again for nothing.
    Looping {
        /// What.
        what: String,
    },
    /// The model takes no longer conversation.
    ContextExhausted,
    /// It waits for another Worknode.
    WaitingOn {
        /// Which.
        node: NodeId,
    },
    /// It waits for a person.
    WaitingOnHuman,
}

impl Stuck {
    /// The cause's name, as in JSON and on screen.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PermissionPrompt { .. } => "permission_prompt",
            Self::QuotaPaused { .. } => "quota_paused",
            Self::Overloaded => "overloaded",
            Self::Unauthenticated { .. } => "unauthenticated",
            Self::Silent { .. } => "silent",
            Self::Looping { .. } => "looping",
            Self::ContextExhausted => "context_exhausted",
            Self::WaitingOn { .. } => "waiting_on",
            Self::WaitingOnHuman => "waiting_on_human",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_counted_in_millionths() {
        assert_eq!(Usd::from_dollars(0.004_07), Some(Usd::from_micros(4_070)));
        assert_eq!(
            Usd::from_dollars(20.0).map(|usd| usd.to_string()).as_deref(),
            Some("$20.00")
        );
        assert_eq!(Usd::from_micros(1_234_567).to_string(), "$1.234567");
        for nonsense in [-0.01, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(Usd::from_dollars(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn p8_sums_stop_at_the_end_and_do_not_wrap() {
        let most = Usage {
            input_tokens: u64::MAX,
            cost: Usd::from_micros(u64::MAX),
            ..Usage::default()
        };
        let sum = most.plus(&most);
        assert_eq!(sum.tokens(), u64::MAX);
        assert_eq!(sum.cost.micros(), u64::MAX);
        assert_eq!(Usd::ZERO.minus(Usd::from_micros(1)), Usd::ZERO);
    }
}
