//! Live runs: where each stands, and how much it uses of what it may.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use worknode_core::{
    governor::PoolState,
    ids::{NodeId, RunId},
    raise::{Raise, in_force},
    run::{Purpose, Run, RunStatus},
    time::{Timestamp, millis},
    usage::{Stuck, Usage},
};
use worknode_process::{Identify, Liveness, Resources};

use super::{PoolView, UseView, uses};

/// One live run.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
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
    /// What it may do beside what its agent may, and until when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub raised: Vec<Raise>,
    /// Tokens and money so far.
    #[serde(default)]
    pub usage: Usage,
    /// What it uses, of what it may.
    #[serde(default, rename = "use")]
    pub uses: Vec<UseView>,
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
        raised: in_force(&run.spec.raised, now),
        usage: run.usage,
        uses: uses::of_run(run, live, running_ms),
    }
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
