//! The one thread that writes.
//!
//! It takes what is queued, applies it, commits it once, and then answers everybody. While it
//! waits for the disk, the next group gathers by itself: the slower the disk, the larger the
//! groups. What is taken first, [`Inbox`] says.

use std::{
    fs::File,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};
use worknode_core::{
    bounds,
    event::{Draft, Record, SCHEMA_VERSION},
    hlc::{Hlc, HlcClock},
    time::{Clock, Timestamp},
};

use crate::{
    error::{AppendError, StoreError},
    fold::Fold,
    inbox::Inbox,
    limits,
    open::{Opened, beside},
    schema::{self, Head},
    stamp,
    tables::{self, EventRow},
    tail::Tail,
};

/// The topics of what changes what stands above or in front of a Worknode. An event of the user's
/// own may have the same name; then somebody looks again at what has not changed.
const SHAPING: [&str; 2] = ["node_moved", "membrane_set"];

/// When an append is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// After the events are on the disk: they survive any crash (P5).
    Durable,
    /// Once they are accepted, stamped and in the group that is being committed. A crash, or a
    /// disk that refuses that commit, may lose them; their stamps are then never used again.
    /// For progress, usage and heartbeats.
    Local,
}

/// Events that are appended together.
#[derive(Debug)]
pub(crate) struct Request {
    /// What happened, each with the text that will be stored.
    pub(crate) drafts: Vec<(Draft, String)>,
    pub(crate) durability: Durability,
    pub(crate) answer: oneshot::Sender<Answer>,
    /// Its share of [`limits::QUEUE_BYTES`].
    pub(crate) bytes: OwnedSemaphorePermit,
}

/// What an append comes to.
pub(crate) type Answer = Result<Vec<Record>, AppendError>;

/// An answer that may be given once the group is on the disk.
type Waiting = (oneshot::Sender<Answer>, Answer);

/// Owner of the connection, the clock and the chain.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    conn: Connection,
    clock: Arc<dyn Clock>,
    hlc: HlcClock,
    origin: u32,
    head: Head,
    fold: Fold,
    /// Set when a group failed: what is in memory may not be what is in the file.
    doubtful: bool,
    /// Pages in the write-ahead log, as of the last commit.
    logged: Arc<AtomicU32>,
    /// The length at which the write-ahead log is cut next.
    cut_log_at: u64,
    /// Commits since its length was looked at.
    unwatched: u32,
    committed: watch::Sender<Hlc>,
    /// Commits in which something was hung elsewhere.
    moves: Arc<AtomicU64>,
    tail: Tail,
    _lock: File,
}

impl Writer {
    pub(crate) fn new(
        path: PathBuf,
        opened: Opened,
        clock: Arc<dyn Clock>,
        committed: watch::Sender<Hlc>,
    ) -> Result<Self, StoreError> {
        let Opened {
            mut conn,
            origin,
            head,
            lock,
        } = opened;
        let logged = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&logged);
        // In place of SQLite's own hook, which copies the log within the commit that fills it: whoever
        // waits for that commit would wait for the copy.
        conn.wal_hook(Some(move |_: &mut _, pages| {
            counted.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        let last = schema::last_stamp(head, origin);
        committed.send_replace(last);
        Ok(Self {
            fold: Fold::load(&conn, origin)?,
            hlc: HlcClock::resume(origin, last, bounds::CLOCK_DRIFT),
            path,
            conn,
            clock,
            origin,
            head,
            doubtful: false,
            logged,
            cut_log_at: limits::WAL_BYTES,
            unwatched: 0,
            committed,
            moves: Arc::default(),
            tail: Tail::after(last),
            _lock: lock,
        })
    }

    /// Counts the commits in which something was hung elsewhere.
    pub(crate) fn moves(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.moves)
    }

    /// The last events, for those who follow.
    pub(crate) const fn tail(&self) -> &Tail {
        &self.tail
    }

    /// Works until it is told to close, or until nobody is left who could ask for anything.
    pub(crate) fn run(mut self, mut inbox: Inbox) {
        while let Some(group) = inbox.next() {
            let requests = group.len();
            if let Some([write, commit]) = self.commit(group) {
                inbox.measured(requests, write, commit);
            }
        }
        self.finish();
        for done in inbox.into_closing() {
            // Whoever stopped waiting needs no answer.
            let _ = done.send(());
        }
    }

    /// Appends the requests of one group in one transaction and answers each. Says how long the
    /// writing took, and how long the commit, unless it failed.
    pub(crate) fn commit(&mut self, group: Vec<Request>) -> Option<[Duration; 2]> {
        let mut waiting = Vec::with_capacity(group.len());
        let result = self.write(group, &mut waiting);
        match result {
            Ok(took) => {
                // Nobody may be told of events before a follower could see them.
                self.committed.send_if_modified(|last| {
                    let now = schema::last_stamp(self.head, self.origin);
                    std::mem::replace(last, now) != now
                });
                for (answer, outcome) in waiting {
                    let _ = answer.send(outcome);
                }
                self.bound_log();
                Some(took)
            }
            Err(reason) => {
                tracing::error!(%reason, requests = waiting.len(), "a group of events could not be stored");
                self.doubtful = true;
                for (answer, _) in waiting {
                    let _ = answer.send(Err(reason.clone().into()));
                }
                None
            }
        }
    }

    fn write(
        &mut self,
        group: Vec<Request>,
        waiting: &mut Vec<Waiting>,
    ) -> Result<[Duration; 2], StoreError> {
        let mut requests = group.into_iter();
        let result = self.write_in_transaction(&mut requests, waiting);
        if result.is_err() {
            // Those that were not even looked at failed with the group.
            waiting.extend(requests.map(|request| (request.answer, Ok(Vec::new()))));
            if !self.conn.is_autocommit() {
                // When even this fails, the next group begins with the same failure.
                let _ = self.conn.execute_batch("ROLLBACK");
            }
        }
        result
    }

    fn write_in_transaction(
        &mut self,
        requests: &mut impl Iterator<Item = Request>,
        waiting: &mut Vec<Waiting>,
    ) -> Result<[Duration; 2], StoreError> {
        let begun = Instant::now();
        if self.doubtful {
            self.recover()?;
        }
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let (mut rows, mut stored) = (Vec::new(), Vec::new());
        for request in requests {
            let before = rows.len();
            let outcome = self.stage(request.drafts, &mut rows);
            if let Ok(records) = &outcome {
                self.fold.keep_request();
                let sizes = rows[before..].iter().map(|row: &EventRow| row.body.len());
                stored.extend(records.iter().cloned().map(Arc::new).zip(sizes));
            } else {
                self.fold.drop_request();
                rows.truncate(before);
            }
            drop(request.bytes);
            match (request.durability, &outcome) {
                (Durability::Local, Ok(_)) => {
                    let _ = request.answer.send(outcome);
                }
                // A refusal may rest on what this very group changes, so it waits too.
                (Durability::Durable, _) | (Durability::Local, Err(_)) => {
                    waiting.push((request.answer, outcome));
                }
            }
        }
        let head = tables::append(&self.conn, self.head, self.origin, &rows)?;
        tables::save(&self.conn, &mut self.fold)?;
        let written = Instant::now();
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        let took = [written.duration_since(begun), written.elapsed()];
        self.head = head;
        self.fold.committed();
        if rows.iter().any(|row| SHAPING.contains(&row.topic.as_str())) {
            self.moves.fetch_add(1, Ordering::Release);
        }
        self.tail.extend(stored);
        Ok(took)
    }

    /// Stamps the events of one request and applies them to the projections in memory.
    fn stage(&mut self, drafts: Vec<(Draft, String)>, rows: &mut Vec<EventRow>) -> Answer {
        let now = self.clock.now();
        if now > stamp::LAST {
            return Err(no_stamp_fits(now));
        }
        if drafts.len() > 1 && drafts.iter().any(|(draft, _)| draft.event.looks_at_tree()) {
            return Err(AppendError::Malformed {
                why: "what changes the shape of the tree is appended on its own".to_owned(),
            });
        }
        let mut records = Vec::with_capacity(drafts.len());
        for (draft, body) in drafts {
            let at = self.hlc.tick(now);
            let key = stamp::key(at);
            if key <= rows.last().map_or(self.head.key, |row| row.key) {
                return Err(no_stamp_fits(at.wall));
            }
            let record = Record {
                at,
                node: draft.node,
                by: draft.by,
                cause: draft.cause,
                version: SCHEMA_VERSION,
                event: draft.event,
            };
            rows.push(EventRow {
                key,
                before: stamp::key(self.fold.apply(&self.conn, &record)?),
                topic: record.event.topic().to_owned(),
                body,
            });
            records.push(record);
        }
        Ok(records)
    }

    /// After a failed group: what the file holds is what counts. The clock alone goes on, so
    /// that a stamp that was given is not given again.
    fn recover(&mut self) -> Result<(), StoreError> {
        self.head = schema::head(&self.conn, self.origin)?;
        self.fold.forget(&self.conn)?;
        self.doubtful = false;
        Ok(())
    }

    /// Copies a long log into the database, now that everybody has an answer. SQLite starts over at the
    /// log's beginning only when no reader is in it. Against readers that never pause it is cut by
    /// force: new reads wait for a moment. One long read (a verification) is not waited for; then the
    /// log grows until that read is over.
    fn bound_log(&mut self) {
        if self.logged.load(Ordering::Relaxed) >= limits::CHECKPOINT_PAGES {
            let copied = self
                .conn
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            if let Err(error) = copied {
                tracing::warn!(%error, "the journal's write-ahead log could not be copied; it is tried again");
            }
        }
        self.unwatched = self.unwatched.saturating_add(1);
        if self.unwatched < limits::LOOK_AT_LOG {
            return;
        }
        self.unwatched = 0;
        let length = std::fs::metadata(beside(&self.path, "-wal")).map_or(0, |meta| meta.len());
        if length <= self.cut_log_at {
            return;
        }
        self.cut_log_at = if self.cut_log(limits::CUT_WAIT) {
            limits::WAL_BYTES
        } else {
            length.saturating_add(limits::WAL_BYTES / 4)
        };
    }

    fn cut_log(&self, wait: Duration) -> bool {
        let cut = self.conn.busy_timeout(wait).and_then(|()| {
            self.conn
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
        });
        // Nothing is lost either way: the log keeps what the database does not have.
        if let Err(error) = &cut {
            tracing::warn!(%error, "the journal's write-ahead log could not be cut");
        }
        let _ = self.conn.busy_timeout(limits::LOCK_WAIT);
        cut.is_ok_and(|busy| busy == 0)
    }

    fn finish(self) {
        self.cut_log(limits::LOCK_WAIT);
        if let Err((_, error)) = self.conn.close() {
            tracing::warn!(%error, "the journal was not closed cleanly; the next start repairs it");
        }
    }
}

fn no_stamp_fits(wall: Timestamp) -> AppendError {
    AppendError::Malformed {
        why: format!("the clock of this machine stands at {wall}, for which there are no stamps"),
    }
}
