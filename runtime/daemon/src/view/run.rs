//! Live runs: where each stands, and how much it uses of what it may.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use worknode_core::{
    budget::{Standing, Unit},
    governor::PoolState,
    ids::{NodeId, RunId},
    run::{Purpose, Run, RunStatus},
    time::{Timestamp, millis},
    usage::{Stuck, Usage},
};
use worknode_process::{Identify, Liveness, Resources};

use super::PoolView;

/// One live run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunView {
    /// Its identity.
    pub id: RunId,
    /// Where it stands.
    pub status: String,
    /// What it is for: `work`, `review`, `standing`, `fired` or `spawned`.
    pub purpose: String,
    /// The task that it is about.
    pub task: Option<String>,
    /// Its process.
    pub pid: Option<u32>,
    /// Whether that process was there when this was asked: `alive`, `gone` or `unknown`.
    pub evidence: Option<String>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// How long it has run, in milliseconds.
    pub running_ms: Option<u64>,
    /// How long it may run, in milliseconds.
    pub limit_ms: u64,
    /// Why it gets nowhere, when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck: Option<Stuck>,
    /// Its program's own session, as far as it has named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Tokens and money so far.
    #[serde(default)]
    pub usage: Usage,
    /// What it uses, of what it may.
    #[serde(default, rename = "use")]
    pub uses: Vec<UseView>,
}

/// How much is used of one thing that has a limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UseView {
    /// Of what: `time`, `silence`, `memory`, `processes`, `cpu`, `tokens`, `usd`.
    pub what: String,
    /// In which unit: `ms`, `bytes`, `micro_usd`, or empty for a number of things.
    pub unit: String,
    /// How much is used.
    pub used: u64,
    /// How much may be; `None` when that is not limited.
    pub limit: Option<u64>,
}

impl UseView {
    /// One line of it.
    #[must_use]
    pub fn new(what: &str, unit: &str, used: u64, limit: Option<u64>) -> Self {
        Self {
            what: what.to_owned(),
            unit: unit.to_owned(),
            used,
            limit,
        }
    }
}

pub(super) fn run_view(
    run: &Run,
    tasks: &HashMap<NodeId, String>,
    live: Option<&Resources>,
    now: Timestamp,
) -> RunView {
    let process = run.status.process();
    let started_at = run.status.since();
    let running_ms = started_at
        .filter(|_| !matches!(run.status, RunStatus::Exited { .. }))
        .map(|at| millis(now.since(at)));
    RunView {
        id: run.spec.id,
        status: run.status.name().to_owned(),
        purpose: match run.spec.purpose {
            Purpose::Work { .. } => "work",
            Purpose::Review { .. } => "review",
            Purpose::Standing => "standing",
            Purpose::Fired { .. } => "fired",
            Purpose::Spawned { .. } => "spawned",
        }
        .to_owned(),
        task: run
            .spec
            .purpose
            .task()
            .map(|id| tasks.get(&id).cloned().unwrap_or_else(|| id.to_string())),
        pid: process.map(|process| process.pid),
        evidence: process.map(|process| {
            let seen = match process.is_alive() {
                Liveness::Alive => "alive",
                Liveness::Gone => "gone",
                Liveness::Unknown => "unknown",
            };
            seen.to_owned()
        }),
        started_at,
        running_ms,
        limit_ms: millis(run.spec.limits.time),
        stuck: run.stuck.clone(),
        session: run.session.clone(),
        usage: run.usage,
        uses: uses(run, live, running_ms),
    }
}

/// What can be said without its shim comes from the journal; the rest is there while it answers.
fn uses(run: &Run, live: Option<&Resources>, running_ms: Option<u64>) -> Vec<UseView> {
    let limits = &run.spec.limits;
    let ran = live.map(|live| live.ran_ms).or(running_ms).unwrap_or_default();
    let mut uses = vec![
        UseView::new("time", "ms", ran, Some(millis(limits.time))),
        UseView::new("tokens", "", run.usage.tokens(), limits.tokens),
        UseView::new(
            "usd",
            "micro_usd",
            run.usage.cost.micros(),
            limits.usd.map(|usd| usd.micros()),
        ),
    ];
    if let Some(live) = live {
        let processes = u64::try_from(live.processes).unwrap_or(u64::MAX);
        uses.extend([
            UseView::new("silence", "ms", live.silent_ms, Some(millis(limits.silence))),
            UseView::new("memory", "bytes", live.memory, limits.memory),
            UseView::new("processes", "", processes, limits.processes.map(u64::from)),
            UseView::new("cpu", "ms", live.cpu_ms, limits.cpu.map(millis)),
        ]);
    }
    uses
}

/// What the team uses of its budget. What is promised to live runs counts as used: nobody else
/// can have it.
pub(crate) fn budget_view(standing: &Standing, places: usize) -> Vec<UseView> {
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let taken = |unit| standing.spent.of(unit).saturating_add(standing.reserved.of(unit));
    let limit = |unit| standing.limit.of(unit);
    vec![
        UseView::new("agents", "", number(standing.live), Some(number(places))),
        UseView::new("tokens", "", taken(Unit::Tokens), limit(Unit::Tokens)),
        UseView::new("usd", "micro_usd", taken(Unit::Usd), limit(Unit::Usd)),
    ]
}

/// A pool that does not give at the moment.
pub(crate) fn pool_view((pool, state): &(String, PoolState)) -> Option<PoolView> {
    let (status, until, reason) = match state {
        PoolState::Open => return None,
        PoolState::Paused { until, reason, .. } => ("paused", until, reason),
        PoolState::Probing { until, reason, .. } => ("probing", until, reason),
    };
    Some(PoolView {
        pool: pool.clone(),
        status: status.to_owned(),
        until: *until,
        reason: reason.clone(),
    })
}
