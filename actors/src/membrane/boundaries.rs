//! What is above every Worknode, and the rules of the membranes there: read and compiled once, and
//! remembered until a membrane is set or anything is moved.
//!
//! Every message to a Worknode asks whether its sender's capability covers it, and whether its
//! membranes let it in; so this is asked often, and must never be out of date.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use worknode_core::{
    bounds,
    error::{Code, Error},
    event::Record,
    ids::NodeId,
    membrane::MembraneSpec,
    node::Node,
    time::Timestamp,
};
use worknode_journal::{Journal, Reader};
use worknode_policies::membrane::{Layer, Outward, Rules, World, compile};

/// Worknodes that are remembered. With one more all are forgotten, and looked up again as they are
/// asked for.
const REMEMBERED: usize = 100_000;

/// Where a Worknode hangs, and what stands in front of it.
#[derive(Debug)]
pub struct Standing {
    /// From the root down to the Worknode itself.
    path: Box<[NodeId]>,
    rules: Arc<Rules>,
}

impl Standing {
    /// The rules of all membranes from the root down to it.
    #[must_use]
    pub const fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// What is seen of `record` by who looks at `top` from outside: through all membranes from its
    /// Worknode up to `top`.
    #[must_use]
    pub fn outward<'a>(
        &self,
        record: &'a Record,
        top: NodeId,
        world: &dyn World,
        now: Timestamp,
    ) -> Outward<'a> {
        let inner = self.path.iter().skip_while(|node| **node != top);
        let through = |node: NodeId| inner.clone().any(|inner| *inner == node);
        self.rules.outward(record, &through, world, now)
    }

    /// The Worknodes above it, from the root down to its parent.
    #[must_use]
    pub fn above(&self) -> &[NodeId] {
        self.path.split_last().map_or(&[], |(_, above)| above)
    }

    /// Is it `top`, or below it?
    #[must_use]
    pub fn is_below(&self, top: NodeId) -> bool {
        self.path.contains(&top)
    }
}

/// See the module.
#[derive(Debug)]
pub struct Boundaries {
    journal: Journal,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// As of which shape of the tree.
    shape: u64,
    standings: HashMap<NodeId, Arc<Standing>>,
}

impl Boundaries {
    pub(crate) fn new(journal: Journal) -> Self {
        Self {
            journal,
            known: Mutex::default(),
        }
    }

    /// What holds for `node` now.
    ///
    /// # Errors
    /// `not_found` when there is no such Worknode; or the store cannot be read.
    pub fn of(&self, node: NodeId) -> Result<Arc<Standing>, Error> {
        // Taken first: what changes meanwhile is seen the next time.
        let shape = self.journal.moves();
        let (mut above, missing) = self.missing(node, shape)?;
        for node in missing.into_iter().rev() {
            above = Some(self.remember(above.as_deref(), &node, shape));
        }
        above.ok_or_else(|| Error::new(Code::NotFound, format!("there is no Worknode {node}")))
    }

    /// What holds for a Worknode that was just read, `shape` being the shape of the tree before that:
    /// only what is above it may have to be read too.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn of_read(&self, node: &Node, shape: u64) -> Result<Arc<Standing>, Error> {
        let above = node.parent.map(|parent| self.of(parent)).transpose()?;
        Ok(self.remember(above.as_deref(), node, shape))
    }

    /// What holds for `node` below `above`. It is remembered unless the tree has another shape by now.
    fn remember(&self, above: Option<&Standing>, node: &Node, shape: u64) -> Arc<Standing> {
        let standing = Arc::new(below(above, node));
        let mut known = self.known(shape);
        if known.shape == shape {
            if known.standings.len() >= REMEMBERED {
                known.standings.clear();
            }
            known.standings.insert(node.id, Arc::clone(&standing));
        }
        standing
    }

    /// What is seen of `record` by who looks at `top` from outside; `None` when it is not of its
    /// subtree, or stays inside. What cannot be decided stays inside.
    #[must_use]
    pub fn seen<'a>(&self, record: &'a Record, top: NodeId, now: Timestamp) -> Option<Cow<'a, Record>> {
        let standing = self.standing_below(record.node, top)?;
        match standing.outward(record, top, &Stored(self.journal.reader()), now) {
            Outward::Pass(seen) => Some(seen),
            Outward::Inside(reason) => {
                tracing::trace!(at = %record.at, %reason, "an event stays inside");
                None
            }
        }
    }

    /// Is `node` below `top`, or `top` itself? Not when its place cannot be told.
    #[must_use]
    pub fn has_below(&self, top: NodeId, node: NodeId) -> bool {
        self.standing_below(node, top).is_some()
    }

    /// The same for those who have to know why it cannot be told.
    ///
    /// # Errors
    /// `not_found`; when the store cannot be read.
    pub fn is_at_or_below(&self, node: NodeId, top: NodeId) -> Result<bool, Error> {
        Ok(node == top || self.of(node)?.is_below(top))
    }

    fn standing_below(&self, node: NodeId, top: NodeId) -> Option<Arc<Standing>> {
        match self.of(node) {
            Ok(standing) => Some(standing).filter(|standing| standing.is_below(top)),
            Err(error) => {
                tracing::warn!(%error, %node, "an event stays inside: its place is not known");
                None
            }
        }
    }

    /// The nearest that is known, and the Worknodes below it down to `node`, `node` first.
    fn missing(&self, node: NodeId, shape: u64) -> Result<(Option<Arc<Standing>>, Vec<Node>), Error> {
        let mut missing = Vec::new();
        let mut next = Some(node);
        while let Some(id) = next.filter(|_| missing.len() <= bounds::DEPTH) {
            if let Some(standing) = self.known(shape).standings.get(&id) {
                return Ok((Some(Arc::clone(standing)), missing));
            }
            let Some(found) = self.journal.reader().node(id)? else {
                break;
            };
            next = found.parent;
            missing.push(found);
        }
        Ok((None, missing))
    }

    /// What is remembered, without what an earlier shape of the tree made of it.
    fn known(&self, shape: u64) -> MutexGuard<'_, Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.shape < shape {
            *known = Known {
                shape,
                standings: HashMap::new(),
            };
        }
        known
    }
}

fn below(above: Option<&Standing>, node: &Node) -> Standing {
    let path = above.map_or(&[][..], |above| &above.path);
    let rules = above.map_or_else(Arc::default, |above| Arc::clone(&above.rules));
    Standing {
        path: path.iter().copied().chain([node.id]).collect(),
        rules: match &node.body.membrane {
            None => rules,
            Some(spec) => Arc::new(rules.with(Arc::new(layer(node.id, spec)))),
        },
    }
}

/// A stored membrane that cannot be read, as one from another version, lets nothing through: to let
/// everything through is what it was set against.
fn layer(node: NodeId, spec: &MembraneSpec) -> Layer {
    compile(node, spec).unwrap_or_else(|mistakes| {
        let told = mistakes.first().map(|mistake| mistake.message.as_str());
        tracing::error!(%node, why = told, "a stored membrane cannot be read; nothing passes it");
        Layer::closed(node)
    })
}

/// The Worknodes of the store, for filters that ask for them.
#[derive(Debug)]
pub(crate) struct Stored<'a>(pub(crate) &'a Reader);

impl World for Stored<'_> {
    fn node(&self, id: NodeId) -> Option<Arc<Node>> {
        self.0.node(id).ok().flatten().map(Arc::new)
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
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1)));
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
        let boundaries = Boundaries::new(journal.clone());
        assert_eq!(boundaries.of(id(3)).unwrap().above(), [NodeId::ROOT, id(1)]);
        append(id(1), Event::NodeMoved { parent: id(2) }).await;
        assert_eq!(
            boundaries.of(id(3)).unwrap().above(),
            [NodeId::ROOT, id(2), id(1)]
        );
        assert!(Arc::ptr_eq(
            &boundaries.of(id(3)).unwrap(),
            &boundaries.of(id(3)).unwrap()
        ));
        let read = journal.reader().node(id(3)).unwrap().unwrap();
        let standing = boundaries.of_read(&read, journal.moves()).unwrap();
        assert_eq!(standing.above(), [NodeId::ROOT, id(2), id(1)]);
    }
}
