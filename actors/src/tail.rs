//! The end of the journal, read once for all who watch it.
//!
//! A follower of its own for each watcher would read and decode every event as often as there are
//! watchers. Here one task reads, and all of them get the same records. A watcher that is slow, or
//! begins further back, reads the store by itself until it has come to where the others are: what
//! is handed out live is bounded, and nothing is lost.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast::{self, error::RecvError};
use worknode_core::{event::Record, hlc::Hlc};
use worknode_journal::{EventFilter, Journal, ReadError, Reader};

/// Records read at once.
const BATCH: usize = 256;
/// Batches that wait for a watcher. One that lags behind them reads the store.
const BATCHES: usize = 256;

/// Records as they were committed, all after `before`.
#[derive(Debug)]
struct Batch {
    before: Hlc,
    records: Vec<Arc<Record>>,
}

type Sender = broadcast::Sender<Arc<Batch>>;

/// See the module.
#[derive(Debug)]
pub struct Tail {
    journal: Journal,
    /// Present while somebody watches.
    live: Arc<Mutex<Option<Sender>>>,
}

impl Tail {
    pub(crate) fn new(journal: Journal) -> Self {
        Self {
            journal,
            live: Arc::default(),
        }
    }

    /// Everything after `after`, and then what comes.
    #[must_use]
    pub fn watch(&self, after: Hlc) -> Watcher {
        Watcher {
            receiver: self.subscribe(),
            reader: self.journal.reader().clone(),
            after,
            behind: true,
        }
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Batch>> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = live.as_ref() {
            return sender.subscribe();
        }
        let (sender, receiver) = broadcast::channel(BATCHES);
        *live = Some(sender.clone());
        tokio::spawn(read(self.journal.clone(), Arc::clone(&self.live), sender));
        receiver
    }
}

/// Reads for all until the journal is closed or nobody watches.
async fn read(journal: Journal, live: Arc<Mutex<Option<Sender>>>, sender: Sender) {
    // What is stored already, each watcher reads by itself.
    let begin = journal.reader().ask(Reader::last_stamp).await;
    let mut follower = journal.follow(begin.unwrap_or(Hlc::ZERO));
    loop {
        let before = follower.position();
        let records = follower.next(BATCH).await;
        let mut live = live.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(records) = records else {
            *live = None;
            return;
        };
        // Under the lock: nobody begins to watch what is just about to end.
        if sender.receiver_count() == 0 {
            *live = None;
            return;
        }
        // It fails only when the last watcher has gone away, which is seen above the next time.
        let _ = sender.send(Arc::new(Batch { before, records }));
    }
}

/// A place in the journal that moves on.
#[derive(Debug)]
pub struct Watcher {
    receiver: broadcast::Receiver<Arc<Batch>>,
    reader: Reader,
    after: Hlc,
    /// Whether there may be something between `after` and what is handed out live.
    behind: bool,
}

impl Watcher {
    /// The next records, at least one: waits until there are some. Dropping the future loses
    /// nothing.
    ///
    /// # Errors
    /// [`ReadError::Closed`] when the journal was closed and everything has been handed out.
    pub async fn next(&mut self) -> Result<Vec<Arc<Record>>, ReadError> {
        let mut closed = false;
        loop {
            if self.behind {
                let records = self.stored().await?;
                if !records.is_empty() {
                    return Ok(self.moved(records));
                }
                self.behind = false;
            }
            if closed {
                return Err(ReadError::Closed);
            }
            match self.receiver.recv().await {
                Ok(batch) if batch.before > self.after => self.behind = true,
                Ok(batch) => {
                    let new: Vec<_> = batch
                        .records
                        .iter()
                        .filter(|r| r.at > self.after)
                        .cloned()
                        .collect();
                    if !new.is_empty() {
                        return Ok(self.moved(new));
                    }
                }
                Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => (self.behind, closed) = (true, true),
            }
        }
    }

    async fn stored(&self) -> Result<Vec<Arc<Record>>, ReadError> {
        let filter = EventFilter {
            after: self.after,
            limit: BATCH,
            ..EventFilter::default()
        };
        let records = self.reader.ask(move |reader| reader.events(&filter)).await?;
        Ok(records.into_iter().map(Arc::new).collect())
    }

    fn moved(&mut self, records: Vec<Arc<Record>>) -> Vec<Arc<Record>> {
        if let Some(last) = records.last() {
            self.after = last.at;
        }
        records
    }
}
