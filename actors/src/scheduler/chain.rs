//! How many firings led to an event, one because of the other.

use worknode_core::{
    bounds,
    event::{Event, Principal, Record},
    hlc::Hlc,
};
use worknode_journal::Reader;

/// Did so many firings lead to this event that no further one may follow from it?
///
/// The configuration is checked for rounds; this bounds those that it cannot see, where names of
/// events come from elsewhere.
pub(super) fn is_too_long(reader: &Reader, event: Hlc) -> bool {
    let mut firings = 0_usize;
    let mut next = Some(event);
    // Between two firings there are at most a few events.
    for _ in 0..bounds::TRIGGER_CHAIN.saturating_mul(4) {
        let Some(record) = next.and_then(|at| found(reader, at)) else {
            return false;
        };
        if matches!(record.event, Event::TriggerFired { .. }) {
            firings += 1;
            if firings >= bounds::TRIGGER_CHAIN {
                return true;
            }
        }
        next = cause(reader, &record);
    }
    true
}

/// What led to it: as it says, or the firing that it was stored with.
fn cause(reader: &Reader, record: &Record) -> Option<Hlc> {
    if record.cause.is_some() || matches!(record.event, Event::TriggerFired { .. }) {
        return record.cause;
    }
    let Principal::Trigger { name } = &record.by else {
        return None;
    };
    let last = reader.firings_before(name, Some(record.at), 1);
    last.map_err(|error| tracing::error!(%error, "the causes of a firing cannot be read"))
        .ok()?
        .pop()
        .map(|firing| firing.recorded)
}

fn found(reader: &Reader, at: Hlc) -> Option<Record> {
    let found = reader.event(at);
    found
        .map_err(|error| tracing::error!(%error, "the causes of a firing cannot be read"))
        .ok()
        .flatten()
}
