//! Amounts and limits of everything that is shared, together.

use std::time::Duration;

use super::Unit;
use crate::{
    agent::{AgentSpec, Share},
    run::{Ending, Receipt, RunLimits},
    time::millis,
    usage::{Usage, Usd},
};

const UNITS: usize = Unit::ALL.len();

/// So much of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount([u64; UNITS]);

impl Amount {
    /// How much of one of them.
    #[must_use]
    pub const fn of(self, unit: Unit) -> u64 {
        self.0[unit.place()]
    }

    /// The same with so much of one of them.
    #[must_use]
    pub const fn with(mut self, unit: Unit, amount: u64) -> Self {
        self.0[unit.place()] = amount;
        self
    }

    /// What a run has taken that is over and was granted `share`. What was not measured, because
    /// nobody saw its end, counts as all that it could have been.
    #[must_use]
    pub fn taken(share: Budget, receipt: &Receipt) -> Self {
        let resources = receipt.resources;
        let lasted = receipt.started_at.map(|began| receipt.ended_at.since(began));
        let lasted = lasted.map_or(0, millis);
        let time = match resources.time_ms {
            0 => share.of(Unit::Time).map_or(lasted, |most| most.min(lasted)),
            measured => measured,
        };
        let cpu = match (resources.cpu_ms, &receipt.ending) {
            (0, Ending::Unseen) => share.of(Unit::Cpu).unwrap_or_default(),
            (measured, _) => measured,
        };
        Self::from(&receipt.usage)
            .with(Unit::Time, time)
            .with(Unit::Cpu, cpu)
    }

    /// Without what a run gives back when it ends.
    pub(super) fn for_good(self) -> Self {
        Unit::ALL
            .into_iter()
            .filter(|unit| unit.is_held())
            .fold(self, |amount, unit| amount.with(unit, 0))
    }

    pub(super) fn plus(self, other: Self) -> Self {
        self.each(other, u64::saturating_add)
    }

    pub(super) fn minus(self, other: Self) -> Self {
        self.each(other, u64::saturating_sub)
    }

    /// Of each the larger.
    pub(super) fn larger(self, other: Self) -> Self {
        self.each(other, u64::max)
    }

    fn each(self, other: Self, join: impl Fn(u64, u64) -> u64) -> Self {
        let mut joined = self;
        for unit in Unit::ALL {
            joined = joined.with(unit, join(self.of(unit), other.of(unit)));
        }
        joined
    }
}

impl From<&Usage> for Amount {
    fn from(usage: &Usage) -> Self {
        Self::default()
            .with(Unit::Tokens, usage.tokens())
            .with(Unit::Usd, usage.cost.micros())
    }
}

/// A limit of each; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget([Option<u64>; UNITS]);

impl Budget {
    /// How much of one of them.
    #[must_use]
    pub const fn of(self, unit: Unit) -> Option<u64> {
        self.0[unit.place()]
    }

    /// The same with such a limit of one of them.
    #[must_use]
    pub const fn with(mut self, unit: Unit, limit: Option<u64>) -> Self {
        self.0[unit.place()] = limit;
        self
    }

    /// Is nothing limited?
    #[must_use]
    pub fn is_unlimited(self) -> bool {
        self == Self::default()
    }

    /// The limit with not more than `most` of one of them.
    #[must_use]
    pub fn at_most(self, unit: Unit, most: u64) -> Self {
        let most = self.of(unit).map_or(most, |own| own.min(most));
        self.with(unit, Some(most))
    }

    pub(super) fn minus(self, amount: Amount) -> Self {
        let mut left = self;
        for unit in Unit::ALL {
            let rest = self.of(unit).map(|limit| limit.saturating_sub(amount.of(unit)));
            left = left.with(unit, rest);
        }
        left
    }

    /// What is kept for a run with this share. Nothing is kept of what is not limited.
    pub(super) fn as_amount(self) -> Amount {
        Amount(self.0.map(Option::unwrap_or_default))
    }
}

impl From<Share> for Budget {
    fn from(share: Share) -> Self {
        Self::default()
            .with(Unit::Tokens, share.tokens)
            .with(Unit::Usd, share.usd.map(Usd::micros))
            .with(Unit::Time, share.time.map(millis))
            .with(Unit::Cpu, share.cpu.map(millis))
            .with(Unit::Memory, share.memory)
            .with(Unit::Processes, share.processes.map(u64::from))
    }
}

impl From<Budget> for Share {
    fn from(budget: Budget) -> Self {
        let processes = budget.of(Unit::Processes);
        Self {
            time: budget.of(Unit::Time).map(Duration::from_millis),
            tokens: budget.of(Unit::Tokens),
            usd: budget.of(Unit::Usd).map(Usd::from_micros),
            cpu: budget.of(Unit::Cpu).map(Duration::from_millis),
            memory: budget.of(Unit::Memory),
            processes: processes.map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
        }
    }
}

impl From<&RunLimits> for Budget {
    fn from(limits: &RunLimits) -> Self {
        Self::from(Share {
            time: Some(limits.time),
            tokens: limits.tokens,
            usd: limits.usd,
            cpu: limits.cpu,
            memory: limits.memory,
            processes: limits.processes,
        })
    }
}

/// What a run wants of what is shared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Of these exactly so much, or it does not start.
    pub exactly: Budget,
    /// Of these a part, which is not more than this.
    pub at_most: Budget,
}

impl Wish {
    /// What a run of such an agent wants, when whoever starts it allows no more than `share`.
    #[must_use]
    pub fn of(spec: &AgentSpec, share: Share) -> Self {
        let (asked, allowed) = (Budget::from(spec.asks), Budget::from(share));
        let mut exactly = Budget::default();
        for unit in Unit::ALL {
            let own = asked.of(unit);
            let most = own.map(|own| allowed.of(unit).map_or(own, |most| most.min(own)));
            exactly = exactly.with(unit, most);
        }
        Self {
            exactly,
            at_most: Budget::from(&share.of(spec.limits)),
        }
    }

    /// What it gets where no account limits it.
    pub(super) fn start(self) -> Budget {
        let mut share = self.at_most;
        for unit in Unit::ALL {
            share = share.with(unit, self.exactly.of(unit).or(self.at_most.of(unit)));
        }
        share
    }
}
