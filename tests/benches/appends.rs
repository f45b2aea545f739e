//! Durable appends, against one plain `BEGIN IMMEDIATE; INSERT; COMMIT` per event.
//!
//! The baseline is the best case of the plain way: one connection in one loop, statements
//! prepared, no waiting for locks, no index, and no checks, projections or hashes. With a
//! connection for each writer it would be slower, since writers of SQLite exclude each other.
//! Both store the same text, and take turns on the same disk.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use serde::Serialize;
use worknode_actors::clock::SystemClock;
use worknode_core::{
    event::{Draft, Event, Principal, SCHEMA_VERSION},
    ids::NodeId,
};
use worknode_journal::{AppendError, Durability, Journal};

use crate::{
    Bench, Failure,
    measure::Samples,
    population::created,
    report::{Figure, Unit},
};

const ROUNDS: usize = 3;

/// How long each append of a round took, and how long the round.
struct Round {
    appends: Vec<Duration>,
    whole: Duration,
}

impl Round {
    fn per_second(&self) -> f64 {
        self.appends.len() as f64 / self.whole.as_secs_f64()
    }
}

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let dir = tempfile::tempdir()?;
    let round = bench.load(Duration::from_millis(800), Duration::from_millis(50));
    let journal = Journal::open(&dir.path().join("journal.db"), Arc::new(SystemClock))?;
    let plain = plain_log(&dir.path().join("plain.db"))?;
    bench
        .tokio
        .block_on(journal.append(vec![created(NodeId::ROOT, None)], Durability::Durable))?;
    let mut figures = Vec::new();
    for writers in [1_usize, 64, 1_024] {
        let nodes: Vec<_> = (0..writers)
            .map(|n| NodeId::derived(NodeId::ROOT, &format!("{writers}/{n}")))
            .collect();
        let creations = nodes.iter().map(|id| created(*id, Some(NodeId::ROOT))).collect();
        bench
            .tokio
            .block_on(journal.append(creations, Durability::Durable))?;
        let (mut ours, mut baseline) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            baseline.push(plain_appends(&plain, round)?);
            ours.push(bench.tokio.block_on(appends(&journal, &nodes, round))?);
        }
        figures.extend(compared(writers, &ours, &baseline)?);
    }
    bench.tokio.block_on(journal.close())?;
    Ok(figures)
}

fn compared(writers: usize, ours: &[Round], baseline: &[Round]) -> Result<Vec<Figure>, Failure> {
    let bytes = body(&emitted(NodeId::ROOT, 0))?.len();
    let rate = |rounds: &[Round]| rounds.iter().map(Round::per_second).collect::<Samples>().median();
    let each = |rounds: &[Round]| -> Samples {
        rounds
            .iter()
            .flat_map(|round| round.appends.iter().copied())
            .collect()
    };
    let load = format!(
        "events of {bytes} bytes, each writer its own Worknode, synchronous=FULL; \
         baseline: one connection, BEGIN IMMEDIATE; INSERT; COMMIT per event"
    );
    let figure = |what: String, unit, ours, baseline| Figure {
        what,
        unit,
        ours,
        baseline,
        load: load.clone(),
    };
    let mut figures = vec![figure(
        format!(
            "durable appends, {writers} writer{}",
            if writers == 1 { "" } else { "s" }
        ),
        Unit::PerSecond,
        rate(ours),
        rate(baseline),
    )];
    if writers == 1 {
        let (ours, baseline) = (each(ours), each(baseline));
        let what = "durable append, 1 writer, p99".to_owned();
        figures.push(figure(what, Unit::Seconds, ours.p99(), baseline.p99()));
    }
    Ok(figures)
}

/// Each writer appends one event after the other.
async fn appends(journal: &Journal, nodes: &[NodeId], round: Duration) -> Result<Round, Failure> {
    let begun = Instant::now();
    let writer = |node: NodeId| {
        let journal = journal.clone();
        async move {
            let mut appends = Vec::new();
            while begun.elapsed() < round {
                let each = Instant::now();
                journal
                    .append(vec![emitted(node, appends.len())], Durability::Durable)
                    .await?;
                appends.push(each.elapsed());
            }
            Ok::<_, AppendError>(appends)
        }
    };
    let writers: Vec<_> = nodes.iter().map(|node| tokio::spawn(writer(*node))).collect();
    let mut appends = Vec::new();
    for writer in writers {
        appends.extend(writer.await??);
    }
    Ok(Round {
        appends,
        whole: begun.elapsed(),
    })
}

fn plain_appends(plain: &Connection, round: Duration) -> Result<Round, Failure> {
    let begun = Instant::now();
    let mut appends = Vec::new();
    while begun.elapsed() < round {
        let each = Instant::now();
        let draft = emitted(NodeId::ROOT, appends.len());
        let text = body(&draft)?;
        plain.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        plain
            .prepare_cached("INSERT INTO events (topic, body) VALUES (?1, ?2)")?
            .execute((draft.event.topic(), text))?;
        plain.prepare_cached("COMMIT")?.execute([])?;
        appends.push(each.elapsed());
    }
    Ok(Round {
        appends,
        whole: begun.elapsed(),
    })
}

fn plain_log(path: &Path) -> Result<Connection, Failure> {
    let conn = Connection::open(path)?;
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    conn.execute_batch(
        "PRAGMA synchronous = FULL;
         CREATE TABLE events (seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, body TEXT NOT NULL);",
    )?;
    Ok(conn)
}

/// The text of an event, as the journal stores it.
fn body(draft: &Draft) -> Result<String, Failure> {
    #[derive(Serialize)]
    struct Body<'a> {
        node: NodeId,
        by: &'a Principal,
        version: u16,
        #[serde(flatten)]
        event: &'a Event,
    }
    let body = Body {
        node: draft.node,
        by: &draft.by,
        version: SCHEMA_VERSION,
        event: &draft.event,
    };
    Ok(serde_json::to_string(&body)?)
}

/// An event of some 300 bytes.
fn emitted(node: NodeId, number: usize) -> Draft {
    let log = "src/main.rs:12: expected `u64`, found `usize`; ".repeat(2);
    let data = [
        ("exit_code".to_owned(), number.into()),
        ("log".to_owned(), log.into()),
    ]
    .into_iter()
    .collect();
    let event = Event::Emitted {
        name: "compilation_failed".to_owned(),
        version: 1,
        data,
    };
    Draft {
        node,
        by: Principal::Runtime,
        cause: None,
        event,
    }
}
