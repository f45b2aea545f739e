//! The task that follows the journal, for numbers and spans.

use std::{sync::Arc, time::Duration};

use opentelemetry_sdk::trace::SpanData;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use worknode_core::{event::Record, trace::ToolCall};
use worknode_journal::{Journal, Reader};

use crate::{
    export::Queue,
    metrics::Metrics,
    spans::{self, Spans, name_of},
};

/// Records that are looked at together.
const BATCH: usize = 1_024;

/// Counts what happens from now on, until the journal is closed. Sees to it that nobody waits for it: what
/// it falls behind with it reads from the store.
pub fn count(journal: &Journal, metrics: Metrics) -> JoinHandle<()> {
    each_batch(journal, move |records, reader| metrics.take(records, reader))
}

/// Puts a span into the queue for everything that ends from now on.
pub fn trace(journal: &Journal, queue: Queue) -> JoinHandle<()> {
    let mut spans = Spans::default();
    each_batch(journal, move |records, reader| {
        for record in records {
            put_all(&queue, spans.take(record, reader));
            put_all(&queue, spans.task(record, reader));
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
    pub fn start(journal: &Journal, queue: Queue, mut calls: mpsc::Receiver<ToolCall>) -> Self {
        let reader = journal.reader().clone();
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            loop {
                let call = tokio::select! {
                    biased;
                    call = calls.recv() => call,
                    _ = &mut stopped, if !calls.is_closed() => {
                        // What was told before is told on.
                        calls.close();
                        continue;
                    }
                };
                let Some(call) = call else { return };
                let agent = call.agent;
                let name = reader.ask(move |reader| Ok(name_of(agent, reader))).await;
                queue.put(spans::tool(&call, &name.unwrap_or_else(|_| agent.to_string())));
            }
        });
        Self { stop, task }
    }

    /// Ends, when what was told so far is in the queue, or after `patience`.
    pub async fn stop(self, patience: Duration) {
        // A task that is over has told all.
        let _ = self.stop.send(());
        let mut task = self.task;
        if tokio::time::timeout(patience, &mut task).await.is_err() {
            task.abort();
        }
    }
}

fn put_all(queue: &Queue, spans: impl IntoIterator<Item = SpanData>) {
    for span in spans {
        queue.put(span);
    }
}

/// Calls `take` with everything that happens from now on.
fn each_batch(
    journal: &Journal,
    mut take: impl FnMut(&[Arc<Record>], &Reader) + Send + 'static,
) -> JoinHandle<()> {
    let mut follower = journal.follow(journal.last_stamp());
    let reader = journal.reader().clone();
    tokio::spawn(async move {
        while let Ok(records) = follower.next(BATCH).await {
            take(&records, &reader);
        }
    })
}
