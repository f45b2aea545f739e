//! What a plan lets each run of a task have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worknode_core::{
    agent::Share,
    amount::{Bytes, Dollars},
    usage::Usd,
};

/// What each run of a task may have at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskLimits {
    /// Tokens, without those that a cache supplied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Money in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<Dollars>,
    /// Memory of all its processes together, as in "2GiB".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// Processes that live at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
}

impl TaskLimits {
    /// As runs are given it.
    #[must_use]
    pub fn share(&self) -> Share {
        Share {
            tokens: self.tokens,
            usd: self.usd.map(Usd::from),
            memory: self.memory.map(|memory| memory.0),
            processes: self.processes,
            ..Share::default()
        }
    }

    /// As runs are given it, with what `other` says where this says nothing.
    #[must_use]
    pub fn or(self, other: Share) -> Share {
        let own = self.share();
        Share {
            tokens: own.tokens.or(other.tokens),
            usd: own.usd.or(other.usd),
            memory: own.memory.or(other.memory),
            processes: own.processes.or(other.processes),
            ..other
        }
    }

    /// The keys that leave nothing to work with.
    pub fn nothing(&self) -> impl Iterator<Item = &'static str> {
        let share = self.share();
        let nothing = [
            ("tokens", share.tokens == Some(0)),
            ("usd", share.usd == Some(Usd::default())),
            ("memory", share.memory == Some(0)),
            ("processes", share.processes == Some(0)),
        ];
        nothing
            .into_iter()
            .filter(|(_, wrong)| *wrong)
            .map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_stays() {
        let told = TaskLimits {
            tokens: Some(5),
            ..TaskLimits::default()
        };
        let before = Share {
            tokens: Some(9),
            processes: Some(3),
            ..Share::default()
        };
        let after = told.or(before);
        assert_eq!((after.tokens, after.processes), (Some(5), Some(3)));
        assert_eq!(TaskLimits::default().or(before), before);
    }
}
