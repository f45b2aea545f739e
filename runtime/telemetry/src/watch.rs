//! The task that follows the journal, for numbers and spans; and the one that hears of tools.

use std::time::Duration;

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use worknode_core::trace::ToolCall;
use worknode_journal::Journal;

use crate::{
    export::Queue,
    metrics::Metrics,
    spans::{self, Spans},
};

/// Records that are looked at together.
const BATCH: usize = 1_024;

/// Counts everything that happens from now on, and puts a span into the queue for what ends, when there
/// is one. Ends with the journal. Nobody waits for it: what it falls behind with it reads from the store.
pub fn follow(journal: &Journal, metrics: Metrics, queue: Option<Queue>) -> JoinHandle<()> {
    let mut follower = journal.follow(journal.last_stamp());
    let reader = journal.reader().clone();
    let mut spans = Spans::default();
    tokio::spawn(async move {
        while let Ok(records) = follower.next(BATCH).await {
            metrics.take(&records, &reader);
            let Some(queue) = &queue else { continue };
            for record in &records {
                spans.take(record, &reader).for_each(|span| queue.put(span));
            }
        }
    })
}

/// Puts a span into the queue for every call of a tool.
#[derive(Debug)]
pub struct ToolTracing {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl ToolTracing {
    /// Begins.
    #[must_use]
    pub fn start(queue: Queue, mut calls: mpsc::Receiver<ToolCall>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = tell(&queue, &mut calls) => return,
                _ = stopped => calls.close(),
            }
            // What was told before is told on.
            tell(&queue, &mut calls).await;
        });
        Self { stop, task }
    }

    /// Ends, when what was told so far is in the queue, or after `patience`.
    pub async fn stop(self, patience: Duration) {
        // A task that is over has told all.
        let _ = self.stop.send(());
        end_within(patience, self.task).await;
    }
}

/// Until there will be no more. Nothing is taken and not told: there is no other wait in it.
async fn tell(queue: &Queue, calls: &mut mpsc::Receiver<ToolCall>) {
    while let Some(call) = calls.recv().await {
        queue.put(spans::tool(&call));
    }
}

/// Waits for the end of a task that comes to it by itself, and breaks it off after `patience`.
pub async fn end_within(patience: Duration, mut task: JoinHandle<()>) {
    if tokio::time::timeout(patience, &mut task).await.is_err() {
        task.abort();
    }
}
