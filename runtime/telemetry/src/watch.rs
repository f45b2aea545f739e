//! The task that follows the journal, for numbers and spans.

use std::sync::Arc;

use opentelemetry_sdk::trace::SpanData;
use tokio::{sync::mpsc, task::JoinHandle};
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
pub fn trace_tools(journal: &Journal, queue: Queue, mut calls: mpsc::Receiver<ToolCall>) -> JoinHandle<()> {
    let reader = journal.reader().clone();
    tokio::spawn(async move {
        while let Some(call) = calls.recv().await {
            let agent = call.agent;
            let name = reader.ask(move |reader| Ok(name_of(agent, reader))).await;
            queue.put(spans::tool(&call, &name.unwrap_or_else(|_| agent.to_string())));
        }
    })
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
