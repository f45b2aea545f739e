//! Why a run does not start: what is lacking, and in which account.

use std::fmt;

use super::{Quantity, Standing, Unit};
use crate::{
    error::{Code, Error},
    ids::NodeId,
};

/// A run does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody opened it.
    #[error("there is no account {account}, so nothing can come out of it")]
    NoAccount {
        /// Which.
        account: NodeId,
    },
    /// Too little is left.
    #[error("the budget does not allow another run: {}", joined(lacks))]
    Lacks {
        /// Where, the run's own account first.
        lacks: Vec<Lack>,
    },
}

impl Refusal {
    /// Would it fit when the runs that are live now end and give back what is kept for them?
    /// Then waiting may help; else only a larger limit does.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NoAccount { .. } => false,
            Self::Lacks { lacks } => lacks.iter().all(Lack::may_pass),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let hint = match &refusal {
            Refusal::NoAccount { .. } => "name an agent of this team",
            Refusal::Lacks { .. } if refusal.may_pass() => {
                "it may fit when a live run ends and gives back what it did not use"
            }
            Refusal::Lacks { .. } => "raise the limit in worknode.toml, or ask for less",
        };
        Self::new(Code::LimitReached, refusal.to_string()).hint(hint)
    }
}

/// Too little is left of one thing in one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// Which account.
    pub account: NodeId,
    /// What people call it.
    pub name: String,
    /// Of what.
    pub unit: Unit,
    /// How much the run wants; `None` when it would take any.
    pub wanted: Option<u64>,
    /// How much is left.
    pub left: u64,
    /// How much is spent.
    pub spent: u64,
    /// How much is kept for live runs.
    pub reserved: u64,
    /// How much there is all in all.
    pub limit: u64,
}

impl Lack {
    pub(super) fn new(
        account: NodeId,
        name: &str,
        standing: &Standing,
        unit: Unit,
        wanted: Option<u64>,
    ) -> Self {
        Self {
            account,
            name: name.to_owned(),
            unit,
            wanted,
            left: standing.left.of(unit).unwrap_or_default(),
            spent: standing.spent.of(unit),
            reserved: standing.reserved.of(unit),
            limit: standing.limit.of(unit).unwrap_or_default(),
        }
    }

    fn may_pass(&self) -> bool {
        let at_best = self.limit.saturating_sub(self.spent);
        self.wanted.unwrap_or(1) <= at_best
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |amount| Quantity {
            unit: self.unit,
            amount,
        };
        let (left, limit) = (show(self.left), show(self.limit));
        write!(f, "{} has {left} left of {limit}", self.name)?;
        let (spent, reserved) = (show(self.spent), show(self.reserved));
        write!(f, " ({spent} spent, {reserved} kept for live runs)")?;
        match self.wanted {
            Some(wanted) => write!(f, ", and {} are wanted", show(wanted)),
            None => Ok(()),
        }
    }
}

fn joined(lacks: &[Lack]) -> String {
    let lacks: Vec<String> = lacks.iter().map(ToString::to_string).collect();
    lacks.join("; ")
}
