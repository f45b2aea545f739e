//! What is shared: of some of it every run takes for good, some it only holds while it lives.

use std::{fmt, time::Duration};

use crate::{amount::Bytes, run::StopCause, time::Span, usage::Usd};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Tokens, as [`Usage::tokens`](crate::usage::Usage::tokens) counts them.
    Tokens,
    /// Money, in millionths of a dollar.
    Usd,
    /// Wall time without frozen time, in milliseconds: of all runs together, so two that run side
    /// by side for an hour take two.
    Time,
    /// Processor time, in milliseconds.
    Cpu,
    /// Bytes of memory.
    Memory,
    /// Processes.
    Processes,
}

impl Unit {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Tokens,
        Self::Usd,
        Self::Time,
        Self::Cpu,
        Self::Memory,
        Self::Processes,
    ];

    /// Its name: a key of the configuration, and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Usd => "usd",
            Self::Time => "time",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Processes => "processes",
        }
    }

    /// In what it is measured, in JSON; empty for a number of things.
    #[must_use]
    pub const fn measure(self) -> &'static str {
        match self {
            Self::Tokens | Self::Processes => "",
            Self::Usd => "micro_usd",
            Self::Time | Self::Cpu => "ms",
            Self::Memory => "bytes",
        }
    }

    /// Does a run give back all of it when it ends? Else what it took is spent.
    #[must_use]
    pub const fn is_held(self) -> bool {
        match self {
            Self::Memory | Self::Processes => true,
            Self::Tokens | Self::Usd | Self::Time | Self::Cpu => false,
        }
    }

    /// Why a run is stopped that has reached its cap of this.
    #[must_use]
    pub const fn stop_cause(self) -> StopCause {
        match self {
            Self::Tokens => StopCause::TokensLimit,
            Self::Usd => StopCause::UsdLimit,
            Self::Time => StopCause::TimeLimit,
            Self::Cpu => StopCause::CpuLimit,
            Self::Memory => StopCause::MemoryLimit,
            Self::Processes => StopCause::ProcessesLimit,
        }
    }

    /// Its place among [`Self::ALL`].
    pub(super) const fn place(self) -> usize {
        match self {
            Self::Tokens => 0,
            Self::Usd => 1,
            Self::Time => 2,
            Self::Cpu => 3,
            Self::Memory => 4,
            Self::Processes => 5,
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
        let amount = self.amount;
        let plural = |one: &'static str, many: &'static str| if amount == 1 { one } else { many };
        match self.unit {
            Unit::Tokens => write!(f, "{amount} {}", plural("token", "tokens")),
            Unit::Usd => Usd::from_micros(amount).fmt(f),
            Unit::Time => write!(f, "{} of time", Span(Duration::from_millis(amount))),
            Unit::Cpu => write!(f, "{} of processor time", Span(Duration::from_millis(amount))),
            Unit::Memory => write!(f, "{} of memory", Bytes(amount)),
            Unit::Processes => write!(f, "{amount} {}", plural("process", "processes")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_has_a_place_and_a_cause_of_its_own() {
        for (place, unit) in Unit::ALL.into_iter().enumerate() {
            assert_eq!(unit.place(), place);
            assert!(unit.stop_cause().is_limit());
            let others = Unit::ALL.into_iter().filter(|other| *other != unit);
            assert!(
                others
                    .into_iter()
                    .all(|other| other.name() != unit.name() && other.stop_cause() != unit.stop_cause())
            );
        }
    }

    #[test]
    fn quantities_are_shown_as_people_write_them() {
        let show = |unit, amount| Quantity { unit, amount }.to_string();
        assert_eq!(show(Unit::Tokens, 1), "1 token");
        assert_eq!(show(Unit::Usd, 1_500_000), "$1.50");
        assert_eq!(show(Unit::Time, 5_400_000), "1h 30m of time");
        assert_eq!(show(Unit::Cpu, 500), "500ms of processor time");
        assert_eq!(show(Unit::Memory, 2 << 30), "2GiB of memory");
        assert_eq!(show(Unit::Processes, 20), "20 processes");
    }
}
