//! Following the journal: every event once, in order, with nothing kept in memory for those who
//! are slow.

use std::sync::Arc;

use tokio::sync::watch;
use worknode_core::{event::Record, hlc::Hlc};

use crate::{error::ReadError, events::EventFilter, reader::Reader, tail::Tail};

/// A place in the journal that moves on as it is read.
///
/// Only the stamp of the last commit is ever signalled. The events themselves come from memory
/// while the follower keeps up, and from the database when it does not: it cannot lag behind a
/// buffer and lose something.
#[derive(Debug)]
pub struct Follower {
    reader: Reader,
    committed: watch::Receiver<Hlc>,
    tail: Tail,
    after: Hlc,
}

impl Follower {
    pub(crate) const fn new(reader: Reader, committed: watch::Receiver<Hlc>, tail: Tail, after: Hlc) -> Self {
        Self {
            reader,
            committed,
            tail,
            after,
        }
    }

    /// The next events, at least one and at most `max`: waits until there are some.
    ///
    /// Dropping the future loses nothing: the place moves only when events are handed out.
    ///
    /// # Errors
    /// [`ReadError::Closed`] when the journal was closed and everything has been handed out.
    pub async fn next(&mut self, max: usize) -> Result<Vec<Arc<Record>>, ReadError> {
        loop {
            // Looked at first: what is committed after this look wakes the wait below.
            let last = *self.committed.borrow_and_update();
            if last > self.after {
                let records = match self.tail.read(self.after, max.max(1)) {
                    Some(records) => records,
                    None => self.read(max).await?,
                };
                if let Some(record) = records.last() {
                    self.after = record.at;
                    return Ok(records);
                }
            }
            self.committed.changed().await.map_err(|_| ReadError::Closed)?;
        }
    }

    async fn read(&self, max: usize) -> Result<Vec<Arc<Record>>, ReadError> {
        let filter = EventFilter {
            after: self.after,
            limit: max.max(1),
            ..EventFilter::default()
        };
        let records = self.reader.ask(move |reader| reader.events(&filter)).await?;
        Ok(records.into_iter().map(Arc::new).collect())
    }

    /// The last event that was handed out.
    #[must_use]
    pub const fn position(&self) -> Hlc {
        self.after
    }
}
