//! A ladder of steps around deadlines.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Problems,
    action::{Actions, action},
    condition,
    words::{exactly_one, glob, shortened},
};
use crate::{
    condition::task_scope,
    spec::{DeadlineSpec, StepSpec, TriggerSpec},
    template::About,
    trigger::{Ladder, LadderStep, StepTime, When},
};

/// Steps of one ladder. More are an error.
pub const MAX_STEPS: usize = 32;

pub(super) fn ladder(spec: &DeadlineSpec, problems: &mut Problems) -> Option<When> {
    let tasks = match spec.of.strip_prefix("task:") {
        Some(pattern) => glob(pattern, "deadline.of", problems),
        None => {
            let hint = "write `task:*` for all tasks".to_owned();
            let message = format!("`{}` does not say whose deadlines", shortened(&spec.of));
            problems.add("deadline.of", message, Some(hint));
            None
        }
    };
    let condition = condition(spec.condition.as_ref(), "deadline.where", task_scope(), problems);
    let count = spec.steps.len();
    problems.require(count > 0, "deadline.steps", "a ladder has at least one step");
    if count > MAX_STEPS {
        let message = format!("{count} steps; at most {MAX_STEPS} are allowed");
        problems.add("deadline.steps", message, None);
        return None;
    }
    let mut seen = BTreeSet::new();
    let mut steps: Vec<LadderStep> = Vec::with_capacity(count);
    for (index, spec) in spec.steps.iter().enumerate() {
        let key = format!("deadline.steps[{index}]");
        steps.extend(step(spec, &key, &mut seen, problems));
    }
    // As in time, as far as that is the same for all tasks.
    steps.sort_by_key(|step| match step.when {
        StepTime::Before(before) => (0, std::cmp::Reverse(before), step.when),
        StepTime::Elapsed(_) => (
            1,
            std::cmp::Reverse(worknode_core::time::Span::default()),
            step.when,
        ),
        StepTime::After(_) => (
            2,
            std::cmp::Reverse(worknode_core::time::Span::default()),
            step.when,
        ),
    });
    Some(When::Deadline(Box::new(Ladder {
        tasks: tasks?,
        condition,
        steps: steps.into(),
    })))
}

fn step(
    spec: &StepSpec,
    key: &str,
    seen: &mut BTreeSet<StepTime>,
    problems: &mut Problems,
) -> Option<LadderStep> {
    let set = [
        ("at", spec.at.is_some()),
        ("after", spec.after.is_some()),
        ("elapsed", spec.elapsed.is_some()),
    ];
    exactly_one(&set, key, "time of the step", problems);
    let before = spec.at.map(|at| ("at", StepTime::Before(at)));
    let after = spec.after.map(|after| ("after", StepTime::After(after)));
    let elapsed = spec.elapsed.map(|part| ("elapsed", StepTime::Elapsed(part)));
    let when = before.or(after).or(elapsed);
    if let Some((word, when)) = when
        && !seen.insert(when)
    {
        // The time is the step's identity.
        let hint = "put the second action into a trigger of its own".to_owned();
        problems.add(
            format!("{key}.{word}"),
            format!("there is another step at {when}"),
            Some(hint),
        );
    }
    let action = action(&Actions::of_step(spec), key, About::Task, None, problems).map(Arc::new);
    Some(LadderStep {
        when: when?.1,
        done_below: spec.done_below,
        action: action?,
    })
}

pub(super) fn has_no_action(spec: &TriggerSpec, problems: &mut Problems) {
    for (key, is_set) in Actions::of_trigger(spec).set() {
        if is_set {
            let hint = "put it into a step".to_owned();
            problems.add(key, "each step of a ladder has its own action", Some(hint));
        }
    }
}
