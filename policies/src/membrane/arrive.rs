//! What comes in.

use serde_json::{Map, Value};
use worknode_core::{
    event::{Event, Principal, Record, SCHEMA_VERSION},
    hlc::Hlc,
    ids::NodeId,
    time::Timestamp,
};

use super::{Reason, Rules, outward::World};
use crate::names::fits;

/// An event that somebody wants in.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// For which Worknode.
    pub node: NodeId,
    /// Who sends it.
    pub by: Principal,
    /// Its type.
    pub name: String,
    /// Version of the form of its data.
    pub version: u32,
    /// Its data.
    pub data: Map<String, Value>,
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrival {
    /// It comes in, its data in the newest version.
    Admit(Incoming),
    /// It does not.
    Refuse(Reason),
    /// It does not, and is kept: whoever sent it cannot mend it, and it may matter.
    DeadLetter(Reason),
}

impl Rules {
    /// Decides on an event that comes in, at `now`. Pure: what else is asked for comes from `world`.
    #[must_use]
    pub fn arrive(&self, mut event: Incoming, world: &dyn World, now: Timestamp) -> Arrival {
        for layer in &self.layers {
            if let Some(accepted) = &layer.accept
                && !accepted.iter().any(|glob| fits(glob, &event.name))
            {
                let why = format!("events of type `{}` are not accepted", event.name);
                return Arrival::Refuse(layer.reason("accept", why));
            }
        }
        if let Err(reason) = self.bring_up(&mut event) {
            return refused(&event, reason);
        }
        match self.filtered(&event, world, now) {
            Ok(()) => Arrival::Admit(event),
            Err(reason) => refused(&event, reason),
        }
    }

    /// The nearest membrane that knows the type brings it up; those above must agree.
    fn bring_up(&self, event: &mut Incoming) -> Result<(), Reason> {
        let knowing = self.layers.iter().rev();
        let mut knowing = knowing.filter(|layer| layer.versions.knows(&event.name));
        let Some(nearest) = knowing.next() else {
            return Ok(());
        };
        let data = event.data.clone();
        (event.version, event.data) = nearest
            .versions
            .bring_up(&event.name, event.version, data)
            .map_err(|why| nearest.reason("schema", why))?;
        for above in knowing {
            above
                .versions
                .agree(&event.name, event.version, &event.data)
                .map_err(|why| above.reason("schema", why))?;
        }
        Ok(())
    }

    fn filtered(&self, event: &Incoming, world: &dyn World, now: Timestamp) -> Result<(), Reason> {
        let mut filters = self
            .layers
            .iter()
            .filter_map(|layer| Some((layer, layer.filter.as_ref()?)));
        let Some(first) = filters.next() else {
            return Ok(());
        };
        let record = event.as_if_stored(now);
        for (layer, filter) in std::iter::once(first).chain(filters) {
            filter
                .passes(&record, world, now)
                .map_err(|why| layer.reason("filter", why))?;
        }
        Ok(())
    }
}

impl Incoming {
    /// As what it would be if it came in.
    #[must_use]
    pub fn as_if_stored(&self, now: Timestamp) -> Record {
        Record {
            at: Hlc {
                wall: now,
                ..Hlc::ZERO
            },
            node: self.node,
            by: self.by.clone(),
            cause: None,
            version: SCHEMA_VERSION,
            event: Event::Emitted {
                name: self.name.clone(),
                version: self.version,
                data: self.data.clone(),
            },
        }
    }
}

/// An agent is told and can mend what it sends; what comes from elsewhere is kept for somebody who
/// can. Otherwise an agent could crowd out what matters with what does not.
const fn refused(event: &Incoming, reason: Reason) -> Arrival {
    match event.by {
        Principal::Agent { .. } | Principal::Outside { .. } => Arrival::Refuse(reason),
        Principal::Operator | Principal::Runtime | Principal::Trigger { .. } => Arrival::DeadLetter(reason),
    }
}
