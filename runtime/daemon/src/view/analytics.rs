//! How a part of the tree does: how far its tasks are, what lies in its pipeline, what its agents
//! get done. From facts that are stored anyway, looked at when it is asked (P11).

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use worknode_core::{
    error::Error,
    hlc::Hlc,
    ids::NodeId,
    node::{Kind, Node},
    run::RunStatus,
    time::Timestamp,
};
use worknode_journal::{Reader, Selector, Span, StoredRun};
use worknode_query::Outcome;

/// Milliseconds of a day.
const DAY: u64 = 24 * 60 * 60 * 1_000;
/// Runs that are looked at for one answer. Older ones are left out, and that is said.
const RUNS: usize = 100_000;
/// Tasks that are looked at for one answer. Those beyond are left out, and that is said.
const TASKS: usize = 200_000;
/// Runs read at once.
const PAGE: usize = 1_000;

/// How far the tasks of a part of the tree are.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ProgressView {
    /// The Worknode below which they are.
    pub under: NodeId,
    /// How many are done, of how many.
    pub progress: Outcome,
    /// How many there are in each status.
    pub by_status: Outcome,
    /// How many are done below each Worknode that has tasks.
    pub by_parent: Outcome,
}

/// What an attribute comes to, in each group.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PipelineView {
    /// The Worknode below which they are.
    pub under: NodeId,
    /// The sum of the value, in each group.
    pub value: Outcome,
    /// How many Worknodes are in each group.
    pub count: Outcome,
}

/// What agents got done.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AgentsView {
    /// The Worknode below which their tasks are.
    pub under: NodeId,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// Each agent that had a run or completed a task in that time, by name.
    pub agents: Vec<AgentNumbers>,
    /// From when a task could be begun until it was completed.
    pub lead_time: Latency,
    /// From its last claim until it was completed.
    pub cycle_time: Latency,
    /// There was more than one answer looks at; the oldest is left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// One agent's part.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AgentNumbers {
    /// Its name.
    pub agent: String,
    /// Tasks that were completed with what it handed in.
    pub completed: u64,
    /// The same for each day (UTC), as in `2026-11-21`.
    pub per_day: BTreeMap<String, u64>,
    /// Its runs.
    pub runs: u64,
    /// Milliseconds in which it had a run.
    pub busy_ms: u64,
    /// The part of the time in which it had a run, from 0 to 1.
    pub utilisation: f64,
}

/// How long things took, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Latency {
    /// How many there were.
    pub count: usize,
    /// Half took at most so long.
    pub p50_ms: Option<u64>,
    /// Of a hundred, 90.
    pub p90_ms: Option<u64>,
    /// Of a hundred, 99.
    pub p99_ms: Option<u64>,
}

impl Latency {
    fn of(mut taken: Vec<u64>) -> Self {
        taken.sort_unstable();
        let at = |percent: usize| {
            // The least value that so many do not exceed.
            let rank = taken.len().saturating_mul(percent).div_ceil(100);
            taken.get(rank.saturating_sub(1)).copied()
        };
        Self {
            count: taken.len(),
            p50_ms: at(50),
            p90_ms: at(90),
            p99_ms: at(99),
        }
    }
}

/// What agents got done on the tasks below `under`, in the last `days`.
///
/// # Errors
/// When the store cannot be read.
pub fn agents(reader: &Reader, under: NodeId, days: u64, now: Timestamp) -> Result<AgentsView, Error> {
    let from = Timestamp::from_millis(now.as_millis().saturating_sub(days.saturating_mul(DAY)));
    let mut cut = false;
    let completed = completed(reader, under, from, now, &mut cut)?;
    let runs = runs(reader, from, &mut cut)?;
    let mut books = Books::new(reader, from, now);
    for stored in &runs {
        books.count_run(stored)?;
    }
    for node in &completed {
        let done_by = node.task().and_then(|task| task.done_by);
        if let (Some(agent), Some(at)) = (done_by, node.times.finished) {
            books.count_completed(agent, at)?;
        }
    }
    let took = |from: fn(&Node) -> Option<Hlc>| {
        let spans = completed.iter().filter_map(|task| {
            let (from, to) = (from(task)?, task.times.finished?);
            Some(to.wall.as_millis().saturating_sub(from.wall.as_millis()))
        });
        Latency::of(spans.collect())
    };
    Ok(AgentsView {
        under,
        from,
        to: now,
        lead_time: took(|task| task.times.ready),
        cycle_time: took(|task| task.times.claimed),
        agents: books.finish(),
        cut,
    })
}

/// The tasks that were completed since.
fn completed(
    reader: &Reader,
    under: NodeId,
    from: Timestamp,
    to: Timestamp,
    cut: &mut bool,
) -> Result<Vec<Node>, Error> {
    let mut selector = Selector {
        root: under,
        kinds: vec![Kind::Task],
        statuses: vec!["completed".to_owned()],
        finished: Span {
            from: Some(from),
            to: Some(to),
        },
        ..Selector::default()
    };
    let mut tasks = Vec::new();
    loop {
        let page = reader.select(&selector)?;
        tasks.extend(page.nodes.into_iter().map(|(node, _)| node));
        selector.after = page.next;
        if selector.after.is_none() {
            return Ok(tasks);
        }
        if tasks.len() >= TASKS {
            *cut = true;
            return Ok(tasks);
        }
    }
}

/// The runs that were queued since, oldest first, and those of before that still live.
fn runs(reader: &Reader, from: Timestamp, cut: &mut bool) -> Result<Vec<StoredRun>, Error> {
    let mut after = Hlc {
        wall: from,
        counter: 0,
        origin: 0,
    };
    let mut runs: Vec<StoredRun> = reader.live_runs()?;
    runs.retain(|stored| stored.begun <= after);
    loop {
        let page = reader.runs_after(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(runs) };
        after = last.begun;
        runs.extend(page);
        if runs.len() >= RUNS {
            *cut = true;
            return Ok(runs);
        }
    }
}

/// What is counted of each agent.
struct Books<'a> {
    reader: &'a Reader,
    from: Timestamp,
    to: Timestamp,
    agents: HashMap<NodeId, AgentNumbers>,
}

impl<'a> Books<'a> {
    fn new(reader: &'a Reader, from: Timestamp, to: Timestamp) -> Self {
        Self {
            reader,
            from,
            to,
            agents: HashMap::new(),
        }
    }

    fn of(&mut self, agent: NodeId) -> Result<&mut AgentNumbers, Error> {
        if !self.agents.contains_key(&agent) {
            let name = self.reader.node(agent)?.map(|node| node.name);
            let numbers = AgentNumbers {
                agent: name.unwrap_or_else(|| agent.to_string()),
                ..AgentNumbers::default()
            };
            self.agents.insert(agent, numbers);
        }
        Ok(self.agents.entry(agent).or_default())
    }

    fn count_run(&mut self, stored: &StoredRun) -> Result<(), Error> {
        let over = matches!(stored.run.status, RunStatus::Exited { .. });
        let from = stored.begun.wall.max(self.from);
        let to = if over { stored.updated.wall } else { self.to };
        let numbers = self.of(stored.agent)?;
        numbers.runs = numbers.runs.saturating_add(1);
        let busy = to.as_millis().saturating_sub(from.as_millis());
        numbers.busy_ms = numbers.busy_ms.saturating_add(busy);
        Ok(())
    }

    fn count_completed(&mut self, agent: NodeId, at: Hlc) -> Result<(), Error> {
        let day: String = at.wall.to_string().chars().take(10).collect();
        let numbers = self.of(agent)?;
        numbers.completed = numbers.completed.saturating_add(1);
        let of_day = numbers.per_day.entry(day).or_default();
        *of_day = of_day.saturating_add(1);
        Ok(())
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of some days are far below 2^53"
    )]
    fn finish(self) -> Vec<AgentNumbers> {
        let all = self.to.as_millis().saturating_sub(self.from.as_millis()).max(1);
        let mut agents: Vec<AgentNumbers> = self.agents.into_values().collect();
        for numbers in &mut agents {
            numbers.utilisation = numbers.busy_ms as f64 / all as f64;
        }
        agents.sort_by(|one, other| one.agent.cmp(&other.agent));
        agents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        assert_eq!(Latency::of(vec![]), Latency::default());
        let one = Latency::of(vec![7]);
        assert_eq!((one.p50_ms, one.p90_ms, one.p99_ms), (Some(7), Some(7), Some(7)));
        let many = Latency::of((1..=100).rev().collect());
        assert_eq!(
            (many.count, many.p50_ms, many.p90_ms, many.p99_ms),
            (100, Some(50), Some(90), Some(99))
        );
    }
}
