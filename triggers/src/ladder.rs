//! Which steps of a deadline ladder are due.
//!
//! A step is due `before` its task's deadline, but never earlier than the deadline was set: a
//! task that is given six hours has not missed the step at twenty-four, it has arrived at the
//! step at six. Steps that arrive together this way are late ones, and the misfire policy
//! decides about late steps task by task: with `once`, a task gets the step nearest to its
//! deadline, and only that.

use std::cmp::Ordering;

use worknode_core::time::{Span, Timestamp};

use crate::{
    due::{self, Firing, LISTED, SkipReason, Window},
    firing::Occurrence,
    trigger::{Ladder, LadderStep, Trigger, When},
};

/// A task that has a deadline and is not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskDeadline<'a> {
    /// The task's name.
    pub task: &'a str,
    /// Its deadline.
    pub deadline: Timestamp,
    /// When the task got this deadline. A new deadline is a new ladder.
    pub since: Timestamp,
}

/// A due step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFiring<'a> {
    /// Identity, and when it is due.
    pub firing: Firing,
    /// For which task.
    pub task: TaskDeadline<'a>,
    /// Which step: what to do.
    pub step: &'a LadderStep,
}

/// The steps that are due. Both lists run from old to new.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LadderDue<'a> {
    /// To be acted on.
    pub fire: Vec<StepFiring<'a>>,
    /// Not to be acted on, and why: the newest [`LISTED`].
    pub skipped: Vec<(StepFiring<'a>, SkipReason)>,
    /// Skipped ones that are older than those listed.
    pub unlisted: usize,
}

/// A ladder with the trigger it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct DeadlineLadder<'a> {
    trigger: &'a Trigger,
    ladder: &'a Ladder,
}

impl<'a> DeadlineLadder<'a> {
    /// The ladder of a trigger; `None` when it has none or is switched off.
    #[must_use]
    pub fn of(trigger: &'a Trigger) -> Option<Self> {
        match trigger.when() {
            When::Deadline(ladder) if trigger.enabled => Some(Self { trigger, ladder }),
            _ => None,
        }
    }

    /// The steps that became due in the window. At most `catch_up` late ones fire, the newest.
    #[must_use]
    pub fn due(&self, tasks: &[TaskDeadline<'a>], window: Window, catch_up: usize) -> LadderDue<'a> {
        let mut fire = Vec::new();
        let mut late = Vec::new();
        let mut skipped = Vec::new();
        let reason = SkipReason::of(self.trigger.misfire);
        for task in self.named(tasks) {
            let (missed, punctual) = self.of_task(task, window);
            fire.extend(punctual);
            let per_task = due::quota(self.trigger.misfire, due::MAX_CATCH_UP);
            let passed_over = missed.len().saturating_sub(per_task);
            for (index, step) in missed.into_iter().enumerate() {
                if index < passed_over {
                    skipped.push((step, reason));
                } else {
                    late.push(step);
                }
            }
        }
        late.sort_by(order);
        let too_many = late.len().saturating_sub(catch_up.min(due::MAX_CATCH_UP));
        skipped.extend(
            late.drain(..too_many)
                .map(|step| (step, SkipReason::CatchUpLimit)),
        );
        fire.extend(late);
        fire.sort_by(order);
        skipped.sort_by(|(one, _), (other, _)| order(one, other));
        let unlisted = skipped.len().saturating_sub(LISTED);
        skipped.drain(..unlisted);
        LadderDue {
            fire,
            skipped,
            unlisted,
        }
    }

    /// When to look next: the first instant after `after` at which a step is due.
    #[must_use]
    pub fn next_due(&self, tasks: &[TaskDeadline<'_>], after: Timestamp) -> Option<Timestamp> {
        let named = tasks.iter().filter(|task| self.ladder.tasks.matches(task.task));
        named
            .flat_map(|task| self.ladder.steps.iter().map(|step| due_at(*task, step)))
            .filter(|at| *at > after)
            .min()
    }

    fn named(&self, tasks: &[TaskDeadline<'a>]) -> impl Iterator<Item = TaskDeadline<'a>> {
        tasks
            .iter()
            .copied()
            .filter(|task| self.ladder.tasks.matches(task.task))
    }

    /// The steps of one task that fell due in the window: late ones, punctual ones.
    fn of_task(&self, task: TaskDeadline<'a>, window: Window) -> (Vec<StepFiring<'a>>, Vec<StepFiring<'a>>) {
        let in_window = |at: Timestamp| window.last < at && at <= window.now;
        let mut due: Vec<&LadderStep> = self.ladder.steps.iter().collect();
        due.retain(|step| in_window(due_at(task, step)));
        let edge = window.edge();
        // A step is late when its own time is: the time at which the deadline was set excuses
        // nothing, or all steps before it would count as punctual together.
        let is_late = |step: &&LadderStep| planned_at(task, step) <= edge;
        let firing = |step| self.firing(task, step);
        let (late, punctual): (Vec<_>, Vec<_>) = due.into_iter().partition(is_late);
        (
            late.into_iter().map(firing).collect(),
            punctual.into_iter().map(firing).collect(),
        )
    }

    fn firing(&self, task: TaskDeadline<'a>, step: &'a LadderStep) -> StepFiring<'a> {
        StepFiring {
            firing: Firing {
                occurrence: Occurrence::step(&self.trigger.name, task.task, task.deadline, step.before),
                scheduled_at: planned_at(task, step),
            },
            task,
            step,
        }
    }
}

/// When the ladder puts the step.
fn planned_at(task: TaskDeadline<'_>, step: &LadderStep) -> Timestamp {
    let Span(before) = step.before;
    task.deadline.minus(before)
}

/// When the step can be due at the earliest.
fn due_at(task: TaskDeadline<'_>, step: &LadderStep) -> Timestamp {
    planned_at(task, step).max(task.since)
}

/// From old to new; ties have an order too, so that equal windows yield equal lists.
fn order(one: &StepFiring<'_>, other: &StepFiring<'_>) -> Ordering {
    let key = |step: &StepFiring<'_>| (step.firing.scheduled_at, step.task.deadline);
    key(one)
        .cmp(&key(other))
        .then_with(|| one.task.task.cmp(other.task.task))
}

#[cfg(test)]
mod tests;
