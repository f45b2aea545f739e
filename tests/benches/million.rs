//! A million Worknodes: what it costs to make them, to keep them, to start on them after `kill -9`,
//! and to find something among them. The baseline is the same tree in plain SQLite: one table of
//! tasks with the indexes that each question needs, and a table for full-text search.
//!
//! The tree is that of an organisation: teams, projects, phases and tasks, of which one in a hundred
//! is still open. It is made through the journal in batches, as an import does it, each batch on the
//! disk before the next. Then the real program starts on it, is killed, and starts again.

mod daemon;
mod plain;
mod questions;
mod tree;

use std::time::{Duration, Instant};

use worknode_core::ids::NodeId;
use worknode_daemon::daemon::journal_path;
use worknode_journal::Journal;

use self::tree::Tree;
use crate::{
    Bench, Failure, population,
    report::{Figure, Unit},
    scene,
    scene::Stage,
};

/// Worknodes of the whole load.
const SIZE: usize = 1_000_000;
/// Worknodes whose first message is timed.
const WOKEN: usize = 2_000;

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let size = bench.size.unwrap_or_else(|| bench.load(SIZE, 3_000));
    let tree = Tree::of(size);
    let stage = Stage::new("")?;
    let told = |what: &str, begun: Instant| eprintln!("  {what}: {:.1?}", begun.elapsed());

    let begun = Instant::now();
    let made = bench.tokio.block_on(tree::make(&tree, stage.scene.path()))?;
    told("made", begun);
    let begun = Instant::now();
    let plain_dir = tempfile::tempdir()?;
    let plain = plain::Plain::make(&tree, &plain_dir.path().join("plain.db"))?;
    told("made in plain SQLite", begun);

    let path = journal_path(stage.scene.path());
    let mut figures = Vec::from(sizes(&tree, [made, plain.made], [file(&path)?, plain.bytes()?]));
    let begun = Instant::now();
    figures.extend(questions::ask(&tree, &Journal::open_read_only(&path)?, &plain)?);
    told("asked", begun);
    let begun = Instant::now();
    figures.extend(bench.tokio.block_on(woken(&tree, &stage))?);
    told("woken", begun);
    let begun = Instant::now();
    figures.extend(daemon::start_and_kill(&tree, &stage)?);
    told("started and killed", begun);
    Ok(figures)
}

fn file(path: &std::path::Path) -> Result<u64, Failure> {
    Ok(std::fs::metadata(path)?.len())
}

fn sizes(tree: &Tree, made: [Duration; 2], bytes: [u64; 2]) -> [Figure; 2] {
    let nodes = tree.size() as f64;
    let [ours, baseline] = made.map(|time| nodes / time.as_secs_f64());
    let [store, plain] = bytes.map(|bytes| bytes as f64 / nodes);
    let load = |what: &str| {
        format!(
            "{} Worknodes: {}; {what}; baseline: plain SQLite",
            tree.size(),
            tree.in_words()
        )
    };
    [
        Figure {
            what: "Worknodes made".to_owned(),
            unit: Unit::PerSecond,
            ours,
            baseline,
            load: load("two events each, in durable batches"),
        },
        Figure {
            what: "store of a Worknode".to_owned(),
            unit: Unit::Bytes,
            ours: store,
            baseline: plain,
            load: load("its events, which the baseline has none of, its state, its words"),
        },
    ]
}

/// The first answer of Worknodes that are data, against a bare read of the store.
async fn woken(tree: &Tree, stage: &Stage) -> Result<[Figure; 2], Failure> {
    let runtime = scene::runtime(stage.scene.path()).await?;
    let ids: Vec<NodeId> = tree.some_tasks(2 * WOKEN).collect();
    let (woken, read) = population::wake_some(runtime.system(), &ids).await?;
    runtime.shutdown("the benchmark is over").await;
    runtime.system().journal().close().await?;
    let figure = |what: &str, at: usize| Figure {
        what: format!("first answer of one of a million that rest, {what}"),
        unit: Unit::Seconds,
        ours: woken[at],
        baseline: read[at],
        load: format!(
            "one of {} is asked `Get`, one at a time, anywhere in the tree; baseline: a bare read of \
             the store, in turns",
            tree.size()
        ),
    };
    Ok([figure("median", 0), figure("p99", 1)])
}
