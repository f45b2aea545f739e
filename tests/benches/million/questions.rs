//! Finding something among them: one Worknode, the children of one, what a condition selects, what
//! has some words.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use worknode_actors::query::{self, Query};
use worknode_core::{
    ids::NodeId,
    time::{Clock as _, Timestamp},
};
use worknode_journal::Reader;
use worknode_policies::kinds::Kinds;

use super::{
    plain::{Plain, key},
    tree::{self, TAG, TAGGED, Tree},
};
use crate::{
    Failure,
    measure::Samples,
    report::{Figure, Unit},
};

/// How often each question is asked.
const READS: usize = 20_000;
const LISTS: usize = 2_000;
const QUERIES: usize = 300;
/// Children on one page.
const PAGE: usize = 100;

/// Asks, each question of both stores in turns.
pub(super) fn ask(tree: &Tree, reader: &Reader, plain: &Plain) -> Result<Vec<Figure>, Failure> {
    let asker = Asker {
        reader,
        kinds: Arc::default(),
        now: worknode_actors::clock::SystemClock.now(),
    };
    let mut figures = Vec::new();
    let mut also = |what: &str, load: &str, [ours, baseline]: [Samples; 2]| {
        for (name, ours, baseline) in [
            ("p50", ours.median(), baseline.median()),
            ("p99", ours.p99(), baseline.p99()),
        ] {
            figures.push(Figure {
                what: format!("{what}, {name}"),
                unit: Unit::Seconds,
                ours,
                baseline,
                load: format!("among {}; {load}", tree.size()),
            });
        }
    };
    also(
        "one Worknode read",
        "by its id, from anywhere; baseline: its row",
        in_turns(
            tree.some_tasks(READS),
            |id| Ok(usize::from(reader.node(id)?.is_some())),
            |id| plain.count("id = ?1", key(id)),
        )?,
    );
    also(
        "children listed",
        "a page of at most 100 below a phase; baseline: their rows by an index",
        in_turns(
            tree.some_phases(LISTS),
            |id| asker.children(id),
            |id| plain.count("parent = ?1 LIMIT 100", key(id)),
        )?,
    );
    let condition = format!("kind == \"task\" && \"{TAG}\" in tags");
    also(
        "100 selected by CEL",
        &format!("`{condition}`, which the index answers; baseline: their rows by an index"),
        in_turns(
            0..QUERIES,
            |_| asker.select(&condition, TAGGED),
            |_| plain.count("tag = ?1", TAG),
        )?,
    );
    let partly = "kind == \"task\" && status == \"ready\" && title.contains(\" the \") && priority >= 1";
    also(
        "100 selected by CEL, evaluated",
        &format!("`{partly}`, of which the index knows kind, status and priority; baseline: their rows"),
        in_turns(
            0..QUERIES,
            |_| asker.select(partly, 1),
            |_| {
                plain.count(
                    "kind = 'task' AND status = 'ready' AND priority >= ?1 AND title LIKE '% the %' LIMIT 100",
                    1,
                )
            },
        )?,
    );
    also(
        "full-text search",
        "a frequent and a rare word, of which the end may be missing; baseline: FTS5, the row ids alone",
        in_turns(
            (0..QUERIES).map(|n| tree::words(n * 31 % tree.size().min(900))),
            |words| asker.search(&words),
            |words| plain.search(&words),
        )?,
    );
    Ok(figures)
}

struct Asker<'a> {
    reader: &'a Reader,
    kinds: Arc<Kinds>,
    now: Timestamp,
}

impl Asker<'_> {
    fn page(&self, query: &Query) -> Result<usize, Failure> {
        let found = query::page(self.reader, &self.kinds, query, self.now)?;
        Ok(found.nodes.len())
    }

    fn children(&self, id: NodeId) -> Result<usize, Failure> {
        self.page(&Query {
            parent: Some(id),
            limit: PAGE,
            ..Query::below(NodeId::ROOT)
        })
    }

    fn select(&self, condition: &str, least: usize) -> Result<usize, Failure> {
        let found = self.page(&Query {
            filter: Some(condition.to_owned()),
            limit: TAGGED,
            ..Query::below(NodeId::ROOT)
        })?;
        if found < least {
            return Err(format!("`{condition}` found {found} of {least}").into());
        }
        Ok(found)
    }

    fn search(&self, words: &str) -> Result<usize, Failure> {
        self.page(&Query {
            words: Some(words.to_owned()),
            ..Query::below(NodeId::ROOT)
        })
    }
}

/// What each takes with both stores, one after the other. Each must find something.
fn in_turns<T: Clone>(
    questions: impl Iterator<Item = T>,
    ours: impl Fn(T) -> Result<usize, Failure>,
    baseline: impl Fn(T) -> Result<usize, Failure>,
) -> Result<[Samples; 2], Failure> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for question in questions {
        first.push(timed(|| ours(question.clone()))?);
        second.push(timed(|| baseline(question))?);
    }
    Ok([first, second].map(Samples::from_iter))
}

fn timed(find: impl FnOnce() -> Result<usize, Failure>) -> Result<Duration, Failure> {
    let begun = Instant::now();
    let found = find()?;
    let took = begun.elapsed();
    if found == 0 {
        return Err("nothing was found".into());
    }
    Ok(took)
}
