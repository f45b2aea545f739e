//! Which steps of a deadline ladder are due.
//!
//! A step is due before its task's deadline, after it, or when a part of the time has passed, but
//! never earlier than the deadline was set: a task that is given six hours has not missed the
//! step at twenty-four, it has arrived at the step at six. Steps that arrive together this way
//! are late ones, and the misfire policy decides about late steps task by task: with `once`, a
//! task gets the last of them, and only that.

use std::{cmp::Ordering, time::Duration};

use worknode_core::time::{Span, Timestamp, millis};
use worknode_query::Facts;

use crate::{
    due::{self, LISTED, SkipReason, Window},
    firing::{Firing, Occurrence},
    spec::Percent,
    terms::Terms,
    trigger::{Ladder, LadderStep, StepTime, Trigger, When},
};

/// A task that has a deadline and is not finished.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TaskDeadline<'a> {
    /// The task's name.
    pub task: &'a str,
    /// Its deadline.
    pub deadline: Timestamp,
    /// When the task got this deadline. A new deadline is a new ladder.
    pub since: Timestamp,
    /// How much of it is done, as far as somebody said.
    pub done: Option<Percent>,
    /// What conditions are asked of. Needed when [`Trigger::needs_facts`] says so.
    pub facts: Option<&'a Facts>,
}

/// A due step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepFiring<'a> {
    /// Identity, and when it is due.
    pub firing: Firing,
    /// For which task.
    pub task: TaskDeadline<'a>,
    /// Which step: what to do.
    pub step: &'a LadderStep,
}

/// The steps that are due. Both lists run from old to new.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LadderDue<'a> {
    /// To be acted on.
    pub fire: Vec<StepFiring<'a>>,
    /// Not to be acted on, and why: the newest [`LISTED`].
    pub skipped: Vec<(StepFiring<'a>, SkipReason)>,
    /// Skipped ones that are older than those listed.
    pub unlisted: usize,
    /// Tasks for which the condition could not be answered, and why; at most [`LISTED`]. They
    /// have no steps here.
    pub unjudged: Vec<(&'a str, String)>,
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
        let mut due = LadderDue::default();
        let mut late = Vec::new();
        let reason = SkipReason::of(self.trigger.misfire);
        for task in tasks.iter().copied() {
            match self.is_about(&task) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(why) if due.unjudged.len() < LISTED => {
                    due.unjudged.push((task.task, why));
                    continue;
                }
                Err(_) => continue,
            }
            let (mut missed, punctual) = self.of_task(task, window);
            due.fire.extend(punctual);
            let per_task = due::quota(self.trigger.misfire, due::MAX_CATCH_UP);
            let passed_over = missed.len().saturating_sub(per_task);
            due.skipped
                .extend(missed.drain(..passed_over).map(|step| (step, reason)));
            late.extend(missed);
        }
        late.sort_by(order);
        let catch_up = self.trigger.terms().catch_up.unwrap_or(catch_up);
        let too_many = late.len().saturating_sub(catch_up.min(due::MAX_CATCH_UP));
        let beyond = late.drain(..too_many);
        due.skipped
            .extend(beyond.map(|step| (step, SkipReason::CatchUpLimit)));
        due.fire.extend(late);
        due.settle();
        due
    }

    /// When to look next: the first instant after `after` at which a step is due.
    #[must_use]
    pub fn next_due(&self, tasks: &[TaskDeadline<'_>], after: Timestamp) -> Option<Timestamp> {
        // A condition may hold by then: only the name decides.
        let named = tasks.iter().filter(|task| self.ladder.tasks.matches(task.task));
        named
            .flat_map(|task| self.ladder.steps.iter().map(|step| due_at(task, step)))
            .filter(|at| *at > after)
            .min()
    }

    /// Is the ladder about this task?
    fn is_about(&self, task: &TaskDeadline<'_>) -> Result<bool, String> {
        if !self.ladder.tasks.matches(task.task) {
            return Ok(false);
        }
        match (&self.ladder.condition, task.facts) {
            (None, _) => Ok(true),
            (Some(condition), Some(facts)) => condition.holds(facts).map_err(|error| error.to_string()),
            (Some(_), None) => Err("nothing is known of it to answer `where`".to_owned()),
        }
    }

    /// The steps of one task that fell due in the window: late ones, punctual ones.
    fn of_task(&self, task: TaskDeadline<'a>, window: Window) -> (Vec<StepFiring<'a>>, Vec<StepFiring<'a>>) {
        let Terms { start, end, .. } = self.trigger.terms();
        let in_window = |at: Timestamp| window.last < at && at <= window.now && *start <= at && at <= *end;
        let mut due: Vec<&LadderStep> = self.ladder.steps.iter().collect();
        due.retain(|step| in_window(due_at(&task, step)));
        due.sort_by_key(|step| planned_at(&task, step));
        let edge = window.edge();
        // A step is late when its own time is: the time at which the deadline was set excuses
        // nothing, or all steps before it would count as punctual together.
        let is_late = |step: &&LadderStep| planned_at(&task, step) <= edge;
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
                occurrence: Occurrence::step(&self.trigger.name, task.task, task.deadline, step.when),
                scheduled_at: planned_at(&task, step),
                due_at: due_at(&task, step),
            },
            task,
            step,
        }
    }
}

impl LadderDue<'_> {
    /// Leaves out what is not needed any more, and puts all in order.
    fn settle(&mut self) {
        for step in std::mem::take(&mut self.fire) {
            if step.is_needed() {
                self.fire.push(step);
            } else {
                self.skipped.push((step, SkipReason::DoneEnough));
            }
        }
        self.fire.sort_by(order);
        self.skipped.sort_by(|(one, _), (other, _)| order(one, other));
        self.unlisted = self.skipped.len().saturating_sub(LISTED);
        self.skipped.drain(..self.unlisted);
    }
}

impl StepFiring<'_> {
    /// Is less done than the step asks for? Who says nothing has done nothing.
    fn is_needed(&self) -> bool {
        let done = self.task.done.map_or(0, Percent::get);
        self.step.done_below.is_none_or(|below| done < below.get())
    }
}

/// When the ladder puts the step.
fn planned_at(task: &TaskDeadline<'_>, step: &LadderStep) -> Timestamp {
    match step.when {
        StepTime::Before(Span(before)) => task.deadline.minus(before),
        StepTime::After(Span(after)) => task.deadline.plus(after),
        StepTime::Elapsed(part) => {
            let time = millis(task.deadline.since(task.since));
            let passed = u128::from(time) * u128::from(part.get()) / 100;
            task.since
                .plus(Duration::from_millis(u64::try_from(passed).unwrap_or(u64::MAX)))
        }
    }
}

/// When the step can be due at the earliest.
fn due_at(task: &TaskDeadline<'_>, step: &LadderStep) -> Timestamp {
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
