//! A message as people and programs see it.

use serde::{Deserialize, Serialize};
use worknode_actors::inbox::Kept;
use worknode_core::{hlc::Hlc, ids::NodeId, message::Message};

/// One message.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MessageView {
    /// Its name: the stamp under which it is kept.
    pub message: Hlc,
    /// To which Worknode.
    pub to: NodeId,
    /// Who said it.
    pub from: String,
    /// What, in which conversation, for which run or claim.
    #[serde(flatten)]
    pub said: Message,
    /// Does it wait to be acknowledged?
    pub open: bool,
    /// Is it for what is done now, and not for a run or a claim that is over?
    pub current: bool,
}

impl MessageView {
    /// A message that is kept, `open` or not.
    #[must_use]
    pub fn of(kept: &Kept, open: bool) -> Self {
        Self {
            message: kept.at,
            to: kept.to,
            from: kept.from.to_string(),
            said: kept.message.clone(),
            open,
            current: kept.is_current,
        }
    }
}
