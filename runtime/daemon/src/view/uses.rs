//! How much is used of what is limited: by a run, by an agent, by the team.

use serde::{Deserialize, Serialize};
use worknode_core::{
    budget::{Amount, Standing, Unit},
    ids::RunId,
    run::Run,
    time::millis,
};
use worknode_process::Resources;

use super::Live;

/// How much is used of one thing that has a limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UseView {
    /// Of what: `time`, `cpu`, `memory`, `processes`, `tokens`, `usd`; of a run also `silence`, of
    /// an agent `spawned` and `depth`, of the team `agents`.
    pub what: String,
    /// In which unit: `ms`, `bytes`, `micro_usd`, or empty for a number of things.
    pub unit: String,
    /// How much is used. What is kept for live runs out of a limit counts: nobody else can have it.
    pub used: u64,
    /// How much of that is only kept, and not used so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub kept: u64,
    /// How much may be; `None` when that is not limited.
    pub limit: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_zero(amount: &u64) -> bool {
    *amount == 0
}

impl UseView {
    /// One line of it.
    #[must_use]
    pub fn new(what: &str, unit: &str, used: u64, limit: Option<u64>) -> Self {
        Self {
            what: what.to_owned(),
            unit: unit.to_owned(),
            used,
            kept: 0,
            limit,
        }
    }

    /// The same for a number of things.
    pub(crate) fn count(what: &str, used: usize, limit: usize) -> Self {
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        Self::new(what, "", number(used), Some(number(limit)))
    }

    /// What an account gave of one thing. `measured` is what its live runs use now.
    fn of_account(standing: &Standing, measured: Amount, unit: Unit) -> Self {
        let limit = standing.limit.of(unit);
        let kept = limit.map_or(0, |_| standing.reserved.of(unit));
        let (spent, measured) = (standing.spent.of(unit), measured.of(unit));
        let used = spent.saturating_add(kept.max(measured));
        Self {
            kept: kept.saturating_sub(measured),
            ..Self::new(unit.name(), unit.measure(), used, limit)
        }
    }
}

/// What a run uses. What can be said without its shim comes from the journal; the rest is there
/// while it answers.
pub(super) fn of_run(run: &Run, live: Option<&Resources>, running_ms: Option<u64>) -> Vec<UseView> {
    let limits = &run.spec.limits;
    let ran = live.map(|live| live.time_ms).or(running_ms).unwrap_or_default();
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

/// What is used of an account whose live runs are `runs`.
pub(crate) fn of_account(standing: &Standing, runs: &[RunId], live: &Live) -> Vec<UseView> {
    let measured = measured(runs, live);
    let uses = Unit::ALL
        .into_iter()
        .map(|unit| UseView::of_account(standing, measured, unit));
    uses.collect()
}

/// What these runs use now, as far as their shims have said. Tokens and money are counted
/// elsewhere.
fn measured(runs: &[RunId], live: &Live) -> Amount {
    let of_run = |live: &Resources| {
        let processes = u64::try_from(live.processes).unwrap_or(u64::MAX);
        [
            (Unit::Time, live.time_ms),
            (Unit::Cpu, live.cpu_ms),
            (Unit::Memory, live.memory),
            (Unit::Processes, processes),
        ]
    };
    let each = runs.iter().filter_map(|run| live.get(run)).flat_map(of_run);
    each.fold(Amount::default(), |sum, (unit, amount)| {
        sum.with(unit, sum.of(unit).saturating_add(amount))
    })
}

#[cfg(test)]
mod tests {
    use worknode_core::{budget::Budget, ids::NodeId};

    use super::*;

    fn standing(limit: Option<u64>) -> Standing {
        Standing {
            limit: Budget::default()
                .with(Unit::Time, limit)
                .with(Unit::Memory, limit),
            spent: Amount::default().with(Unit::Time, 100),
            reserved: Amount::default().with(Unit::Time, 50).with(Unit::Memory, 50),
            ..Standing::default()
        }
    }

    #[test]
    fn p11_what_is_kept_counts_where_there_is_a_limit_and_is_told_apart() {
        let run = RunId::derived(NodeId::ROOT, "run");
        let resources = Resources {
            time_ms: 20,
            memory: 70,
            ..Resources::default()
        };
        let live = Live::from([(run, resources)]);
        let uses = |limit| of_account(&standing(limit), &[run], &live);
        let of = |uses: Vec<UseView>, what: &str| {
            let entry = uses.into_iter().find(|entry| entry.what == what).unwrap();
            (entry.used, entry.kept, entry.limit)
        };
        assert_eq!(of(uses(Some(500)), "time"), (150, 30, Some(500)));
        assert_eq!(of(uses(None), "time"), (120, 0, None));
        assert_eq!(
            of(uses(Some(500)), "memory"),
            (70, 0, Some(500)),
            "more than it may"
        );
        assert_eq!(of(uses(None), "memory"), (70, 0, None));
        assert_eq!(uses(None).len(), Unit::ALL.len());
    }
}
