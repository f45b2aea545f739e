//! Tokens and money, together.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    agent::Share,
    run::{RunLimits, StopCause},
    usage::{Usage, Usd},
};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Tokens, as [`Usage::tokens`] counts them.
    Tokens,
    /// Money, in millionths of a dollar.
    Usd,
}

impl Unit {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Tokens, Self::Usd];

    /// Why a run is stopped that has reached its cap of this.
    #[must_use]
    pub const fn stop_cause(self) -> StopCause {
        match self {
            Self::Tokens => StopCause::TokensLimit,
            Self::Usd => StopCause::UsdLimit,
        }
    }
}

/// So much of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// Of what.
    pub unit: Unit,
    /// How much.
    pub amount: u64,
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unit {
            Unit::Tokens if self.amount == 1 => f.write_str("1 token"),
            Unit::Tokens => write!(f, "{} tokens", self.amount),
            Unit::Usd => Usd::from_micros(self.amount).fmt(f),
        }
    }
}

/// So much of both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Tokens.
    pub tokens: u64,
    /// Money.
    pub usd: Usd,
}

impl Amount {
    /// How much of one of them.
    #[must_use]
    pub const fn of(self, unit: Unit) -> u64 {
        match unit {
            Unit::Tokens => self.tokens,
            Unit::Usd => self.usd.micros(),
        }
    }

    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(other.tokens),
            usd: self.usd.plus(other.usd),
        }
    }

    pub(super) const fn minus(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_sub(other.tokens),
            usd: self.usd.minus(other.usd),
        }
    }

    /// Of each the larger.
    pub(super) fn larger(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.max(other.tokens),
            usd: self.usd.max(other.usd),
        }
    }
}

impl From<&Usage> for Amount {
    fn from(usage: &Usage) -> Self {
        Self {
            tokens: usage.tokens(),
            usd: usage.cost,
        }
    }
}

/// A limit of both; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// Tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd: Option<Usd>,
}

impl Budget {
    /// How much of one of them.
    #[must_use]
    pub fn of(self, unit: Unit) -> Option<u64> {
        match unit {
            Unit::Tokens => self.tokens,
            Unit::Usd => self.usd.map(Usd::micros),
        }
    }

    /// Is neither limited?
    #[must_use]
    pub const fn is_unlimited(self) -> bool {
        self.tokens.is_none() && self.usd.is_none()
    }

    /// The limit with not more than `most` of one of them.
    pub(super) fn at_most(mut self, unit: Unit, most: u64) -> Self {
        let most = self.of(unit).map_or(most, |own| own.min(most));
        match unit {
            Unit::Tokens => self.tokens = Some(most),
            Unit::Usd => self.usd = Some(Usd::from_micros(most)),
        }
        self
    }

    pub(super) fn minus(self, amount: Amount) -> Self {
        Self {
            tokens: self.tokens.map(|tokens| tokens.saturating_sub(amount.tokens)),
            usd: self.usd.map(|usd| usd.minus(amount.usd)),
        }
    }

    /// What is kept for a run with this share. Nothing is kept of what is not limited.
    pub(super) fn as_amount(self) -> Amount {
        Amount {
            tokens: self.tokens.unwrap_or_default(),
            usd: self.usd.unwrap_or_default(),
        }
    }
}

impl From<Share> for Budget {
    fn from(share: Share) -> Self {
        Self {
            tokens: share.tokens,
            usd: share.usd,
        }
    }
}

impl From<&RunLimits> for Budget {
    fn from(limits: &RunLimits) -> Self {
        Self {
            tokens: limits.tokens,
            usd: limits.usd,
        }
    }
}
