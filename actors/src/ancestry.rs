//! What is above a Worknode, remembered until anything is moved.
//!
//! Every message to a Worknode asks whether its sender's capability covers it, so this is asked
//! often; and it must not be out of date, or who could reach a Worknode before it was moved could
//! reach it ever after (P9).

use std::sync::{Arc, Mutex, PoisonError};

use worknode_core::{error::Error, ids::NodeId};
use worknode_journal::Journal;

/// All Worknodes above one.
#[derive(Debug)]
pub(crate) struct Ancestry {
    node: NodeId,
    journal: Journal,
    /// As of which number of moves.
    known: Mutex<Option<(u64, Arc<[NodeId]>)>>,
}

impl Ancestry {
    pub(crate) const fn of(node: NodeId, journal: Journal) -> Self {
        Self {
            node,
            journal,
            known: Mutex::new(None),
        }
    }

    /// The Worknodes above it now, its parent first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn now(&self) -> Result<Arc<[NodeId]>, Error> {
        // Taken first: a move that comes between is seen the next time.
        let moves = self.journal.moves();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, above)) = known.as_ref()
            && *then == moves
        {
            return Ok(Arc::clone(above));
        }
        let above: Arc<[NodeId]> = self.journal.reader().ancestors(self.node)?.into();
        *known = Some((moves, Arc::clone(&above)));
        Ok(above)
    }
}

#[cfg(test)]
mod tests {
    use worknode_core::{
        event::{Draft, Event, Principal},
        node::{Detail, Kind, NodeSpec},
        time::ManualClock,
    };
    use worknode_journal::Durability;

    use super::*;

    #[tokio::test]
    async fn p9_what_is_above_is_looked_at_again_after_a_move() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(worknode_core::time::Timestamp::from_millis(1)));
        let journal = Journal::open(&dir.path().join("journal.db"), clock).unwrap();
        let id = |n| NodeId::from(uuid::Uuid::from_u128(n));
        let append = async |node, event| {
            let draft = Draft {
                node,
                by: Principal::Runtime,
                cause: None,
                event,
            };
            journal.append(vec![draft], Durability::Durable).await.unwrap();
        };
        let made = |parent, name: &str| Event::NodeCreated {
            node: NodeSpec::new(parent, Kind::Team, name, Detail::Plain),
        };
        append(NodeId::ROOT, made(None, "all")).await;
        append(id(1), made(Some(NodeId::ROOT), "one")).await;
        append(id(2), made(Some(NodeId::ROOT), "two")).await;
        append(id(3), made(Some(id(1)), "three")).await;
        let ancestry = Ancestry::of(id(3), journal.clone());
        assert_eq!(*ancestry.now().unwrap(), [id(1), NodeId::ROOT]);
        append(id(1), Event::NodeMoved { parent: id(2) }).await;
        assert_eq!(*ancestry.now().unwrap(), [id(1), id(2), NodeId::ROOT]);
        assert!(Arc::ptr_eq(&ancestry.now().unwrap(), &ancestry.now().unwrap()));
    }
}
