//! Durable appends per second, against one plain `BEGIN IMMEDIATE; INSERT; COMMIT` per event.
//!
//! One JSON line per figure. The baseline is the best case of the plain way: one connection, one
//! thread, statements prepared, no waiting for locks, and no checks, projections or hashes. Both
//! run in turns in the same process on the same disk; the better round of each counts.
//! `cargo bench -p worknode-journal --bench append`

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use worknode_core::{
    event::{Draft, Event, Principal},
    ids::NodeId,
    node::{Detail, Kind, NodeSpec},
    time::{Clock, Timestamp},
};
use worknode_journal::{Durability, Journal};

const ROUND: Duration = Duration::from_secs(2);
const ROUNDS: usize = 3;

type Failure = Box<dyn std::error::Error>;

/// A fixed morning plus the time since the start.
#[derive(Debug)]
struct Running(Instant);

impl Clock for Running {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000).plus(self.0.elapsed())
    }
}

fn main() -> Result<(), Failure> {
    let dir = tempfile::tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let journal = Journal::open(&dir.path().join("journal.db"), Arc::new(Running(Instant::now())))?;
    let plain = plain_log(&dir.path().join("plain.db"))?;
    runtime.block_on(journal.append(vec![created(NodeId::ROOT)], Durability::Durable))?;
    // Numbers on the command line choose other numbers of writers.
    let mut chosen: Vec<u32> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    if chosen.is_empty() {
        chosen = vec![1, 64, 1_024];
    }
    for writers in chosen {
        let nodes: Vec<_> = (0..writers)
            .map(|n| NodeId::derived(NodeId::ROOT, &format!("{writers}/{n}")))
            .collect();
        let creations = nodes.iter().map(|id| created(*id)).collect();
        runtime.block_on(journal.append(creations, Durability::Durable))?;
        let (mut ours, mut baseline) = (0.0_f64, 0.0_f64);
        for _ in 0..ROUNDS {
            baseline = baseline.max(measure_plain(&plain)?);
            ours = ours.max(runtime.block_on(measure_journal(&journal, &nodes))?);
        }
        println!(
            r#"{{"what":"durable appends, writers: {writers}","ours":{ours:.0},"baseline":{baseline:.0},"unit":"events/s","ratio":{:.2},"load":{}}}"#,
            ours / baseline,
            load()
        );
    }
    runtime.block_on(journal.close())?;
    Ok(())
}

/// Each writer appends one event after the other, each to a Worknode of its own.
async fn measure_journal(journal: &Journal, nodes: &[NodeId]) -> Result<f64, Failure> {
    let begun = Instant::now();
    let writers: Vec<_> = nodes
        .iter()
        .map(|&node| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let mut appended = 0_u32;
                while begun.elapsed() < ROUND {
                    journal
                        .append(vec![emitted(node, appended)], Durability::Durable)
                        .await?;
                    appended += 1;
                }
                Ok::<_, worknode_journal::AppendError>(appended)
            })
        })
        .collect();
    let mut total = 0;
    for writer in writers {
        total += writer.await??;
    }
    Ok(f64::from(total) / begun.elapsed().as_secs_f64())
}

fn measure_plain(plain: &Connection) -> Result<f64, Failure> {
    let begun = Instant::now();
    let mut appended = 0_u32;
    let node = NodeId::ROOT;
    while begun.elapsed() < ROUND {
        let draft = emitted(node, appended);
        plain.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        plain
            .prepare_cached("INSERT INTO events (node, topic, body) VALUES (?1, ?2, ?3)")?
            .execute((
                node.to_string(),
                draft.event.topic(),
                serde_json::to_string(&draft.event)?,
            ))?;
        plain.prepare_cached("COMMIT")?.execute([])?;
        appended += 1;
    }
    Ok(f64::from(appended) / begun.elapsed().as_secs_f64())
}

fn plain_log(path: &Path) -> Result<Connection, Failure> {
    let conn = Connection::open(path)?;
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    conn.execute_batch(
        "PRAGMA synchronous = FULL;
         CREATE TABLE events (seq INTEGER PRIMARY KEY, node TEXT, topic TEXT, body TEXT);
         CREATE INDEX events_by_node ON events (node);",
    )?;
    Ok(conn)
}

/// About 300 bytes.
fn emitted(node: NodeId, number: u32) -> Draft {
    let log = "src/main.rs:12: mismatched types: expected `u64`, found `usize`; ".repeat(4);
    Draft {
        node,
        by: Principal::Runtime,
        cause: None,
        event: Event::Emitted {
            name: "compilation_failed".to_owned(),
            data: [
                ("exit_code".to_owned(), number.to_string()),
                ("log".to_owned(), log),
            ]
            .into(),
        },
    }
}

fn created(id: NodeId) -> Draft {
    let root = id == NodeId::ROOT;
    Draft {
        node: id,
        by: Principal::Operator,
        cause: None,
        event: Event::NodeCreated {
            node: NodeSpec {
                parent: (!root).then_some(NodeId::ROOT),
                kind: if root { Kind::Organisation } else { Kind::Document },
                name: id.to_string(),
                detail: Detail::Plain,
            },
        },
    }
}

/// The machine's load over the last minute: figures of a busy machine are low.
fn load() -> String {
    std::fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|text| text.split(' ').next().map(str::to_owned))
        .unwrap_or_else(|| "null".to_owned())
}
