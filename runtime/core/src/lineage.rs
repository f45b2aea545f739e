//! What whoever spawned an agent may hand on to it. The agent's own capability is never more.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    command::Operation,
    error::{Code, Error},
    ids::NodeId,
    time::Timestamp,
    usage::Usd,
};

/// What the capability through which an agent was asked for hands on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Lineage {
    /// The ids of that capability and of all that it was made from, the first first. Whoever revokes
    /// one of them ends the rights of the agent, too.
    pub ids: Vec<String>,
    /// What it may at most. What was raised for a time is not in it.
    pub operations: BTreeSet<Operation>,
    /// Where.
    pub subtree: NodeId,
    /// Until when.
    pub expires: Timestamp,
    /// Lists of globs: a file of its task must be named by each of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Vec<String>>,
    /// Money that what it spawns itself may take at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<Usd>,
    /// Tokens that what it spawns itself may take at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// How many agents may stand below each other by its spawning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// How many agents that it spawned may live at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fan_out: Option<usize>,
    /// By which teams it may be taken; `None`: by any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<BTreeSet<String>>,
}

impl Lineage {
    /// How long a run that begins at `now` may go on, so that it is gone, after its `grace`, when what
    /// is handed on ends: nobody lives on without the rights that it was started with.
    ///
    /// # Errors
    /// `refused` when there is not even time for its grace.
    pub fn time_left(&self, now: Timestamp, grace: Duration) -> Result<Duration, Error> {
        let left = self.expires.since(now).saturating_sub(grace);
        if left.is_zero() {
            let what = format!(
                "the capability through which it was spawned expires at {}: there is no time for a run",
                self.expires
            );
            return Err(Error::new(Code::Refused, what).hint("spawn another, through one that holds longer"));
        }
        Ok(left)
    }
}
