//! Many at once, too many at once, and a writer that fails.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
    mpsc,
};

use worknode_core::{
    error::{Code, Error},
    ids::NodeId,
    time::{Clock, Timestamp},
};

use super::support::{MORNING, Store, emitted, node, root, task};
use crate::{AppendError, Durability, Journal, limits};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_lose_nothing() {
    const WRITERS: usize = 200;
    let store = Store::new().await;
    let tasks = (1..=WRITERS)
        .map(|n| task(node(n as u128), &n.to_string()))
        .collect();
    store.append(tasks).await.unwrap();
    let writers: Vec<_> = (1..=WRITERS)
        .map(|n| {
            let journal = store.journal.clone();
            tokio::spawn(async move {
                for k in 0..5 {
                    let durability = if k % 2 == 0 {
                        Durability::Durable
                    } else {
                        Durability::Local
                    };
                    let records = journal
                        .append(vec![emitted(node(n as u128), k)], durability)
                        .await
                        .unwrap();
                    assert_eq!(records.len(), 1);
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let report = store.assert_sound().await;
    assert_eq!(report.events, 1 + 6 * WRITERS as u64);
    assert_eq!(store.journal.reader().event_count().unwrap(), report.events);
}

#[tokio::test]
async fn closing_stores_what_is_queued_and_refuses_what_comes_later() {
    let store = Store::new().await;
    let (first, closed) = tokio::join!(
        store.append(vec![emitted(NodeId::ROOT, 1)]),
        store.journal.close()
    );
    first.unwrap();
    closed.unwrap();
    assert_eq!(
        store.append(vec![emitted(NodeId::ROOT, 2)]).await,
        Err(AppendError::Closed)
    );
    store.journal.close().await.unwrap();
    store.assert_sound().await;
}

/// Panics when it is asked, once it is armed.
#[derive(Debug, Default)]
struct Bomb(AtomicBool);

impl Clock for Bomb {
    fn now(&self) -> Timestamp {
        assert!(!self.0.load(Ordering::SeqCst), "a test's bomb");
        MORNING
    }
}

#[tokio::test]
async fn a_writer_that_panics_leaves_nobody_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(Bomb::default());
    let journal = Journal::open(&dir.path().join("journal.db"), Arc::<Bomb>::clone(&clock)).unwrap();
    journal.append(vec![root()], Durability::Durable).await.unwrap();
    let mut follower = journal.follow(journal.last_stamp());
    clock.0.store(true, Ordering::SeqCst);
    let append = || journal.append(vec![emitted(NodeId::ROOT, 1)], Durability::Durable);
    let (one, two) = tokio::join!(append(), append());
    assert_eq!((one, two), (Err(AppendError::Closed), Err(AppendError::Closed)));
    assert_eq!(append().await, Err(AppendError::Closed));
    assert!(follower.next(1).await.is_err());
    journal.close().await.unwrap();
}

/// Stands still, and whoever asks it too, until a test lets go of the other end.
#[derive(Debug)]
struct Held(Mutex<mpsc::Receiver<()>>, AtomicBool);

impl Clock for Held {
    fn now(&self) -> Timestamp {
        if self.1.load(Ordering::SeqCst) {
            let gate = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // An error says that the other end is gone.
            let _ = gate.recv();
        }
        MORNING
    }
}

#[tokio::test]
async fn p8_a_full_queue_is_backpressure_and_a_silent_writer_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let (hold, held) = mpsc::channel();
    let clock = Arc::new(Held(Mutex::new(held), AtomicBool::new(false)));
    let journal = Journal::open(&dir.path().join("journal.db"), Arc::<Held>::clone(&clock)).unwrap();
    journal.append(vec![root()], Durability::Durable).await.unwrap();
    clock.1.store(true, Ordering::SeqCst);
    let append = |n| {
        let journal = journal.clone();
        tokio::spawn(async move {
            journal
                .append(vec![emitted(NodeId::ROOT, n)], Durability::Durable)
                .await
        })
    };
    // The writer may hold a group of its own beside what is queued.
    let waiting: Vec<_> = (0..limits::QUEUE + limits::GROUP + 1).map(append).collect();
    // From here on time passes as soon as everybody waits.
    tokio::time::pause();
    let mut outcomes = Vec::new();
    for append in waiting {
        outcomes.push(append.await.unwrap());
    }
    let refused = outcomes
        .iter()
        .filter(|o| **o == Err(AppendError::Backpressure))
        .count();
    let unknown = outcomes
        .iter()
        .filter(|o| **o == Err(AppendError::TimedOut))
        .count();
    assert!(
        refused >= 1 && unknown >= limits::QUEUE,
        "{refused} refused, {unknown} unknown"
    );
    assert_eq!(refused + unknown, outcomes.len());
    let error = Error::from(AppendError::Backpressure);
    assert!(error.code == Code::Backpressure && error.retry_after_ms.is_some());

    tokio::time::resume();
    drop(hold);
    journal
        .append(vec![emitted(NodeId::ROOT, 0)], Durability::Durable)
        .await
        .unwrap();
    let events = journal.verify().await.unwrap().events;
    assert_eq!(
        events,
        2 + unknown as u64,
        "here they were appended; the refused ones were not"
    );
}
