//! What is worth nothing any more, though its time has not come.

use serde::{Deserialize, Serialize};
use worknode_core::{ids::NodeId, time::Timestamp};

use super::{Refusal, TaskHold, chain::Opened};

/// Revocations that are kept. Who needs more replaces the key, which ends all of them.
pub const MOST: usize = 10_000;

/// What is revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
pub enum What {
    /// One token, and all that were made from it.
    Token {
        /// Its id, as `capability show` tells it.
        id: String,
    },
    /// What was made for claims of a task up to this one.
    Claims {
        /// The task and the last epoch.
        hold: TaskHold,
    },
    /// What is for a part of the tree.
    Below {
        /// Its top.
        node: NodeId,
    },
}

/// One revocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What.
    #[serde(flatten)]
    pub what: What,
    /// When: what is issued afterwards is not meant.
    pub at: Timestamp,
    /// Why, for the record.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// All revocations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revoked(Vec<Entry>);

/// There are too many revocations.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{MOST} revocations are kept already; `worknode capability rotate --grace 0s` ends all that was ever issued"
)]
pub struct TooMany;

impl Revoked {
    /// The same with one more. One that ends nothing more than those that are there adds nothing, and
    /// takes the place of those that end nothing more than it does.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn and(&self, entry: Entry) -> Result<Self, TooMany> {
        if self.0.iter().any(|kept| kept.covers(&entry)) {
            return Ok(self.clone());
        }
        let rest = self.0.iter().filter(|kept| !entry.covers(kept));
        let mut all: Vec<Entry> = rest.cloned().collect();
        if all.len() >= MOST {
            return Err(TooMany);
        }
        all.push(entry);
        Ok(Self(all))
    }

    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Is nothing revoked?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Is this one revoked? `is_at_or_below(node, top)` tells of the tree.
    ///
    /// # Errors
    /// [`Refusal::Revoked`], saying what was.
    pub fn check(
        &self,
        opened: &Opened,
        is_at_or_below: impl Fn(NodeId, NodeId) -> bool,
    ) -> Result<(), Refusal> {
        let meant = |entry: &&Entry| entry.means(opened, &is_at_or_below);
        let Some(entry) = self.0.iter().find(meant) else {
            return Ok(());
        };
        let what = entry.what.words(opened);
        let why = if entry.reason.is_empty() {
            what
        } else {
            format!("{what} ({})", entry.reason)
        };
        Err(Refusal::Revoked { at: entry.at, why })
    }
}

impl Entry {
    /// Does it end all that `other` ends? Of two parts of the tree that cannot be told here.
    fn covers(&self, other: &Self) -> bool {
        match (&self.what, &other.what) {
            (What::Token { id }, What::Token { id: other }) => id == other,
            (What::Claims { hold }, What::Claims { hold: other }) => {
                hold.node == other.node && hold.epoch >= other.epoch
            }
            (What::Below { node }, What::Below { node: below }) => node == below && self.at >= other.at,
            (What::Token { .. } | What::Claims { .. } | What::Below { .. }, _) => false,
        }
    }

    fn means(&self, opened: &Opened, is_at_or_below: &impl Fn(NodeId, NodeId) -> bool) -> bool {
        let claims = opened.claims();
        match &self.what {
            What::Token { id } => opened.ids().contains(id),
            What::Claims { hold } => claims
                .task
                .is_some_and(|task| task.node == hold.node && task.epoch <= hold.epoch),
            What::Below { node } => claims.issued <= self.at && is_at_or_below(claims.subtree, *node),
        }
    }
}

impl What {
    /// As the holder of `opened` is told.
    fn words(&self, opened: &Opened) -> String {
        match self {
            Self::Token { id } if Some(id) == opened.ids().last() => "this capability".to_owned(),
            Self::Token { id } => format!("it was made from {id}"),
            Self::Claims { hold } => {
                format!("the claims of task {} up to epoch {}", hold.node, hold.epoch)
            }
            Self::Below { node } => format!("all for what is below {node}"),
        }
    }
}
