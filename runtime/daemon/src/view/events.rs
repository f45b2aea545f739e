//! Which events are wanted: a condition in CEL over an event, its Worknode and its agent, as in
//! triggers.

use worknode_core::{
    error::Error,
    event::{Principal, Record},
};
use worknode_journal::{EventFilter, Reader};
use worknode_query::Facts;
use worknode_triggers::condition::{Condition, event_scope};

/// Events read at once to look for those that are wanted.
const SCAN: usize = 1_000;

/// A condition on events.
#[derive(Clone, Debug)]
pub struct EventCondition(Condition);

impl EventCondition {
    /// Reads and checks it.
    ///
    /// # Errors
    /// `usage`, saying what is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Ok(Self(Condition::compile(text, event_scope())?))
    }

    /// Does it hold of this event? What it has no answer for is not wanted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn holds(&self, reader: &Reader, record: &Record) -> Result<bool, Error> {
        let found = |id, used: &str| {
            if self.0.uses(used) {
                reader.node(id)
            } else {
                Ok(None)
            }
        };
        let node = found(record.node, "node")?;
        let agent = match &record.by {
            Principal::Agent { node, .. } => found(*node, "agent")?,
            _ => None,
        };
        // Seen at the time of the event, so that the answer is the same tomorrow.
        let facts = Facts::of_event(record, node.as_ref(), agent.as_ref(), record.at.wall);
        Ok(facts.is_ok_and(|facts| self.0.holds(&facts).unwrap_or(false)))
    }
}

/// The events that fit `filter` and of which `condition` holds, at most as many as the filter says.
///
/// # Errors
/// When the store cannot be read.
pub fn events_where(
    reader: &Reader,
    filter: &EventFilter,
    condition: &EventCondition,
) -> Result<Vec<Record>, Error> {
    let mut scan = Scan::of(filter.clone());
    let mut found = Vec::new();
    loop {
        let page = scan.passed(reader.events(scan.next())?);
        if page.is_empty() {
            return Ok(found);
        }
        for record in page {
            if found.len() >= filter.limit {
                return Ok(found);
            }
            if condition.holds(reader, &record)? {
                found.push(record);
            }
        }
    }
}

/// Goes through the journal page by page, in the order of a filter.
#[derive(Debug)]
pub(crate) struct Scan(EventFilter);

impl Scan {
    pub(crate) fn of(filter: EventFilter) -> Self {
        Self(EventFilter {
            limit: SCAN,
            ..filter
        })
    }

    /// The page that is to be read next.
    pub(crate) const fn next(&self) -> &EventFilter {
        &self.0
    }

    /// What is new on the page that was read. Nothing is the end.
    pub(crate) fn passed(&mut self, mut page: Vec<Record>) -> Vec<Record> {
        // Backwards, `until` is the oldest so far, which was looked at before.
        page.retain(|record| self.0.until != Some(record.at));
        if let Some(last) = page.last() {
            if self.0.newest_first {
                self.0.until = Some(last.at);
            } else {
                self.0.after = last.at;
            }
        }
        page
    }
}
