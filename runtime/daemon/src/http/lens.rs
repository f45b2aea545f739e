//! How a caller sees what happens: the operator as it is, or through membranes when they ask so;
//! an agent always through membranes, and only what its capability covers (P9).

use worknode_actors::{subtree::parent_before, system::System};
use worknode_core::{error::Error, event::Principal, event::Record, ids::NodeId};

use super::{Api, auth::Caller, nodes::check_covered};

/// What somebody looks through.
#[derive(Clone, Debug)]
pub(super) struct Lens {
    system: System,
    top: NodeId,
    through: bool,
}

impl Lens {
    /// What `caller` looks through at `top`, or at all that it may see.
    ///
    /// # Errors
    /// `forbidden` when its capability does not cover `top`.
    pub(super) fn of(api: &Api, caller: &Caller, top: Option<NodeId>, through: bool) -> Result<Self, Error> {
        let top = match top {
            Some(top) => {
                check_covered(api, caller, top)?;
                top
            }
            None => caller.0.subtree,
        };
        Ok(Self {
            system: api.runtime.system().clone(),
            top,
            through: through || matches!(caller.0.principal, Principal::Agent { .. }),
        })
    }

    /// What a caller looks through at a place that need not be there yet, and that it may see.
    pub(super) fn at(api: &Api, caller: &Caller, top: NodeId) -> Self {
        Self {
            system: api.runtime.system().clone(),
            top,
            through: matches!(caller.0.principal, Principal::Agent { .. }),
        }
    }

    /// Is everything seen as it is?
    pub(super) fn is_clear(&self) -> bool {
        !self.through && self.top == NodeId::ROOT
    }

    /// What is seen of an event, when anything is.
    pub(super) fn see(&self, record: &Record) -> Option<Record> {
        let boundaries = self.system.boundaries();
        if self.through {
            let seen = boundaries.seen(record, self.top, self.system.now());
            return seen.map(std::borrow::Cow::into_owned);
        }
        let left = || parent_before(self.system.reader(), record);
        let inside = self.top == NodeId::ROOT
            || boundaries.has_below(self.top, record.node)
            || left().is_some_and(|parent| boundaries.has_below(self.top, parent));
        inside.then(|| record.clone())
    }
}
