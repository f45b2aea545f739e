//! When triggers fire next.

use serde::{Deserialize, Serialize};
use worknode_core::time::Timestamp;
use worknode_triggers::{
    Trigger, World, simulate,
    simulate::{Reason, Simulated},
    trigger::When,
};

use super::{KnownTasks, short};

/// Occurrences that are told at the most.
pub(super) const MOST: usize = 10_000;
/// Occurrences that do not act, and are passed over in search of those that do.
const PASSED: usize = 100_000;

/// What fires next, the earliest first.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NextViews {
    /// The occurrences.
    pub next: Vec<NextView>,
    /// What else there is to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One occurrence that is to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NextView {
    /// When it acts, in UTC.
    pub at: String,
    /// The same as a clock in the trigger's time zone shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<String>,
    /// That zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Whose it is.
    pub trigger: String,
    /// For when it is scheduled, where jitter puts it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<String>,
    /// The task whose deadline it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Which step of the ladder: so long before the deadline, after it with `+`, or a part of the
    /// time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
}

impl NextView {
    pub(super) fn of(due: &Simulated<'_>) -> Self {
        let (scheduled, task, step) = match &due.reason {
            Reason::Scheduled(at) => ((*at != due.at).then(|| short(*at)), None, None),
            Reason::Step { task, step, .. } => (None, Some((*task).to_owned()), Some(step.when.to_string())),
            Reason::Event { .. } => (None, None, None),
        };
        let zone = match due.trigger.when() {
            When::Cron(schedule) => Some(schedule),
            When::Every(_) | When::Event(_) | When::Deadline(_) => None,
        };
        Self {
            at: short(due.at),
            local: zone.map(|schedule| schedule.local(due.at)),
            timezone: zone.map(|schedule| schedule.zone_name().to_owned()),
            trigger: due.trigger.name().to_owned(),
            scheduled,
            task,
            step,
        }
    }
}

/// The first `count` occurrences of these triggers that are due after `from`, each as it will fire
/// if nothing hinders it. Nothing is changed by looking.
#[must_use]
pub fn next(triggers: &[&Trigger], tasks: &KnownTasks, from: Timestamp, count: usize) -> NextViews {
    let triggers: Vec<Trigger> = triggers.iter().map(|trigger| (*trigger).clone()).collect();
    let world = World {
        tasks: tasks.deadlines(),
        ..World::default()
    };
    let all = simulate(&triggers, from, Timestamp::MAX, world);
    let acting = all.take(PASSED).filter(|due| due.skipped.is_none());
    NextViews {
        next: acting
            .take(count.min(MOST))
            .map(|due| NextView::of(&due))
            .collect(),
        notes: notes(&triggers, tasks),
    }
}

/// Which triggers nobody can foresee, and why.
pub(super) fn notes(triggers: &[Trigger], tasks: &KnownTasks) -> Vec<String> {
    let names = |of: &dyn Fn(&Trigger) -> bool| {
        let names: Vec<_> = triggers
            .iter()
            .filter(|trigger| of(trigger))
            .map(Trigger::name)
            .collect();
        match names.as_slice() {
            [] => None,
            few if few.len() <= 3 => Some(few.join(", ")),
            [first, ..] => Some(format!("{first} and {} more", names.len() - 1)),
        }
    };
    let is = |trigger: &Trigger, kind: &str| trigger.enabled() && super::kind_of(trigger) == kind;
    let no_tasks = tasks.is_empty();
    let unjudged = tasks.some_are_only_planned();
    let told = [
        (
            names(&|trigger| !trigger.enabled()),
            "switched off: nothing of it is due",
        ),
        (
            names(&|trigger| is(trigger, "event")),
            "acts on events, which nobody can foresee",
        ),
        (
            names(&|trigger| is(trigger, "deadline")).filter(|_| no_tasks),
            "no task that is open has a deadline",
        ),
        (
            names(&|trigger| is(trigger, "deadline") && trigger.needs_facts()).filter(|_| unjudged),
            "its condition cannot be asked of tasks that are not there yet",
        ),
        (
            names(&|trigger| {
                trigger.enabled() && !is(trigger, "deadline") && trigger.terms().agents.is_some()
            }),
            "acts only when its condition holds for an agent then",
        ),
    ];
    told.into_iter()
        .filter_map(|(names, why)| Some(format!("{}: {why}", names?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triggers::schedule;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_merged_and_shown_in_utc_and_by_the_own_clock() {
        let berlin = schedule("30 2 * * *", Some("Europe/Berlin")).unwrap();
        let hourly = schedule("0 * * * *", None).unwrap();
        let found = next(
            &[&berlin, &hourly],
            &KnownTasks::default(),
            at("2026-03-28T23:30:00Z"),
            4,
        );
        let shown: Vec<_> = found
            .next
            .iter()
            .map(|next| (next.at.as_str(), next.local.as_deref().unwrap()))
            .collect();
        assert_eq!(
            shown,
            [
                ("2026-03-29T00:00:00Z", "2026-03-29T00:00:00+00:00"),
                // Half past two is not shown that day.
                ("2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00"),
                ("2026-03-29T01:00:00Z", "2026-03-29T01:00:00+00:00"),
                ("2026-03-29T02:00:00Z", "2026-03-29T02:00:00+00:00"),
            ]
        );
        assert!(found.notes.is_empty());
    }

    #[test]
    fn p8_no_more_is_told_than_the_bound() {
        let every_second = schedule("* * * * * *", None).unwrap();
        let all = next(
            &[&every_second],
            &KnownTasks::default(),
            at("2026-01-01T00:00:00Z"),
            usize::MAX,
        );
        assert_eq!(all.next.len(), MOST);
    }
}
