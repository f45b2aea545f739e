//! How a caller sees what happens: the operator as it is, or through membranes when they ask so;
//! an agent always through membranes, and only what its capability covers (P9).

use worknode_actors::{subtree::parent_before, system::System};
use worknode_core::{error::Error, event::Principal, event::Record, ids::NodeId};

use super::{Api, auth::Caller, nodes::check_covered};
use crate::view::events::EventCondition;

/// What somebody looks through.
#[derive(Clone, Debug)]
pub(super) struct Lens {
    system: System,
    top: NodeId,
    through: bool,
    /// Only this, of what it shows.
    condition: Option<EventCondition>,
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
            condition: None,
        })
    }

    /// What a caller looks through at a place that need not be there yet, and that it may see.
    pub(super) fn at(api: &Api, caller: &Caller, top: NodeId) -> Self {
        Self {
            system: api.runtime.system().clone(),
            top,
            through: matches!(caller.0.principal, Principal::Agent { .. }),
            condition: None,
        }
    }

    /// The same, for those events only of which `condition` holds as they are seen.
    pub(super) fn only(self, condition: Option<EventCondition>) -> Self {
        Self { condition, ..self }
    }

    /// Is everything seen as it is?
    pub(super) fn is_clear(&self) -> bool {
        !self.through && self.top == NodeId::ROOT && self.condition.is_none()
    }

    /// What is seen of an event, when anything is.
    pub(super) fn see(&self, record: &Record) -> Option<Record> {
        self.look(record).filter(|seen| self.is_wanted(seen))
    }

    /// One for which the store has no answer is shown: better once too often than never.
    fn is_wanted(&self, seen: &Record) -> bool {
        self.condition.as_ref().is_none_or(|condition| {
            let answer = condition.holds(self.system.reader(), seen);
            answer.unwrap_or_else(|error| {
                tracing::warn!(%error, at = %seen.at, "a condition cannot be asked of an event");
                true
            })
        })
    }

    fn look(&self, record: &Record) -> Option<Record> {
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
