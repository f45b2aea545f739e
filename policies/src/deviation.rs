//! How far is the work from the plan? One number, from 0 (as planned) to 1000, in per mille, of a
//! task, a phase, an agent or the whole project.
//!
//! It is the weighted mean of five parts, each from 0 to 1000. A part about which nothing can be
//! said yet counts as 0.
//!
//! | part | weight | what it is |
//! |---|---|---|
//! | `outside` | 3 | claims under which something outside the plan was handed in, of all claims |
//! | `order` | 2 | tasks begun before all of an earlier phase was over, of all tasks begun |
//! | `late` | 2 | time beyond the estimate, as a part of it, at most 1; one whose deadline has passed is 1. The mean over tasks that have an estimate and were begun, or are overdue |
//! | `unplanned` | 2 | tasks that no plan, no trigger and no change of the plan asks for, of all tasks; none where there is no plan |
//! | `attempts` | 1 | attempts beyond the first, of those that a task may have beyond the first. The mean over tasks begun |
//!
//! The parts of several tasks are added up before they are divided, so that a large phase weighs
//! more than a small one. Where it is used, a deviation is compared with a threshold, 150 by default.

use std::{collections::BTreeMap, time::Duration};

use worknode_core::time::millis;

/// Above this the executive tier is told, unless the configuration says otherwise.
pub const THRESHOLD: u32 = 150;

/// What is known of one task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The plan's file, a trigger or a change of the plan asks for it.
    pub planned: bool,
    /// Somebody has claimed it.
    pub begun: bool,
    /// It was begun before all of an earlier phase was over.
    pub early: bool,
    /// How long it should take.
    pub estimate: Option<Duration>,
    /// How long it has taken so far, or took.
    pub spent: Duration,
    /// Its deadline has passed, and it was not completed by then.
    pub overdue: bool,
    /// Attempts used.
    pub attempts: u32,
    /// Attempts that it may have.
    pub max_attempts: u32,
    /// Claims so far.
    pub claims: u64,
    /// Claims under which something outside the plan was handed in.
    pub strayed: u64,
}

/// A part, added up: so much of so much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Part {
    sum: u64,
    of: u64,
}

impl Part {
    const fn add(&mut self, sum: u64, of: u64) {
        self.sum = self.sum.saturating_add(sum);
        self.of = self.of.saturating_add(of);
    }

    fn per_mille(self) -> u32 {
        let part = self.sum.saturating_mul(1_000).checked_div(self.of).unwrap_or(0);
        u32::try_from(part.min(1_000)).unwrap_or(1_000)
    }
}

/// The names of the parts, and their weights.
const WEIGHTS: [(&str, u32); 5] = [
    ("outside", 3),
    ("order", 2),
    ("late", 2),
    ("unplanned", 2),
    ("attempts", 1),
];

/// A deviation, with what it is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deviation {
    /// In per mille.
    pub total: u32,
    /// Its parts, in per mille each, before they are weighted.
    pub parts: BTreeMap<String, u32>,
    /// Over how many tasks.
    pub tasks: usize,
}

/// The deviation of these tasks together. Pure.
#[must_use]
pub fn of<'a>(tasks: impl IntoIterator<Item = &'a Facts>) -> Deviation {
    let mut sums = [Part::default(); WEIGHTS.len()];
    let mut count = 0;
    for facts in tasks {
        count += 1;
        let [outside, order, late, unplanned, attempts] = &mut sums;
        outside.add(facts.strayed.min(facts.claims), facts.claims);
        unplanned.add(u64::from(!facts.planned), 1);
        if facts.begun {
            order.add(u64::from(facts.early), 1);
            let (used, most) = beyond_the_first(facts);
            attempts.add(used.saturating_mul(1_000).checked_div(most).unwrap_or(0), 1_000);
        }
        if let Some(lateness) = lateness(facts) {
            late.add(lateness, 1_000);
        }
    }
    let parts = WEIGHTS.iter().zip(sums);
    let weighted: u32 = parts
        .clone()
        .map(|((_, weight), part)| weight * part.per_mille())
        .sum();
    let weights: u32 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
    Deviation {
        total: weighted / weights,
        parts: parts
            .map(|((name, _), part)| ((*name).to_owned(), part.per_mille()))
            .collect(),
        tasks: count,
    }
}

/// Attempts used and allowed beyond the first.
fn beyond_the_first(facts: &Facts) -> (u64, u64) {
    let most = facts.max_attempts.saturating_sub(1);
    let used = facts.attempts.saturating_sub(1).min(most);
    (used.into(), most.into())
}

/// In per mille of the estimate; `None` when nothing can be said.
fn lateness(facts: &Facts) -> Option<u64> {
    if facts.overdue {
        return Some(1_000);
    }
    let estimate = millis(facts.estimate.filter(|_| facts.begun)?);
    let beyond = millis(facts.spent).saturating_sub(estimate);
    Some(
        beyond
            .saturating_mul(1_000)
            .checked_div(estimate)
            .unwrap_or(1_000)
            .min(1_000),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn as_planned() -> Facts {
        Facts {
            planned: true,
            begun: true,
            estimate: Some(Duration::from_secs(60)),
            spent: Duration::from_secs(60),
            attempts: 1,
            max_attempts: 3,
            claims: 1,
            ..Facts::default()
        }
    }

    fn total(change: impl Fn(&mut Facts)) -> u32 {
        let mut facts = as_planned();
        change(&mut facts);
        of([&facts]).total
    }

    #[test]
    fn work_as_planned_does_not_deviate() {
        assert_eq!(total(|_| {}), 0);
        assert_eq!(of([]).total, 0);
        let untouched = Facts {
            planned: true,
            max_attempts: 3,
            ..Facts::default()
        };
        assert_eq!(of([&untouched]).total, 0);
    }

    #[test]
    fn each_part_has_its_weight() {
        assert_eq!(total(|f| f.strayed = 1), 300);
        assert_eq!(total(|f| f.early = true), 200);
        assert_eq!(total(|f| f.spent = Duration::from_secs(90)), 100);
        assert_eq!(total(|f| f.spent = Duration::from_secs(6_000)), 200);
        assert_eq!(total(|f| f.overdue = true), 200);
        assert_eq!(total(|f| f.planned = false), 200);
        assert_eq!(total(|f| f.attempts = 2), 50);
        assert_eq!(total(|f| f.attempts = 9), 100);
        let worst = |f: &mut Facts| {
            (f.planned, f.early, f.overdue, f.attempts, f.strayed) = (false, true, true, 3, 1);
        };
        assert_eq!(total(worst), 1_000);
    }

    #[test]
    fn several_tasks_are_added_up_before_they_are_divided() {
        let stray = Facts {
            strayed: 1,
            ..as_planned()
        };
        let good = as_planned();
        let both = of([&good, &stray]);
        assert_eq!((both.total, both.parts["outside"], both.tasks), (150, 500, 2));
    }

    proptest! {
        #[test]
        fn p8_it_is_always_within_its_bounds(
            flags in any::<[bool; 4]>(),
            estimate in any::<Option<u32>>(),
            numbers in any::<[u64; 3]>(),
            attempts in any::<[u32; 2]>(),
        ) {
            let facts = Facts {
                planned: flags[0],
                begun: flags[1],
                early: flags[2],
                overdue: flags[3],
                estimate: estimate.map(|secs| Duration::from_secs(secs.into())),
                spent: Duration::from_millis(numbers[0]),
                claims: numbers[1],
                strayed: numbers[2],
                attempts: attempts[0],
                max_attempts: attempts[1],
            };
            let deviation = of([&facts, &facts]);
            prop_assert!(deviation.total <= 1_000);
            prop_assert!(deviation.parts.values().all(|part| *part <= 1_000));
        }
    }
}
