//! From what the configuration says to what the rules work on, or every mistake in it.
//!
//! Checking and compiling are one walk: what compiles was checked, and there is no second list
//! of rules that could disagree. A missing part is noted and the walk goes on, so that its
//! author sees all mistakes at once.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use crate::{
    cron::{CronSchedule, DEFAULT_ZONE},
    spec::{DeadlineSpec, Misfire, TriggerSpec},
    trigger::{EventRule, Ladder, LadderStep, Trigger, When},
};

mod action;
mod words;

pub use self::{
    action::MAX_FILES,
    words::{MAX_NAME, MAX_TEXT},
};
use self::{
    action::{Actions, Recipients, action},
    words::{exactly_one, glob, name, shortened},
};

/// Shortest period of `every`. As fine as cron gets; what needs more is an event.
pub const MIN_PERIOD: Duration = Duration::from_secs(1);
/// Steps of one ladder. More are an error.
pub const MAX_STEPS: usize = 32;

/// One mistake in a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it is, within the trigger: `cron`, `deadline.steps[1].at`. Empty when the trigger
    /// as a whole lacks something.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead, where that can be said.
    pub hint: Option<String>,
}

/// The mistakes found so far.
#[derive(Debug, Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, key: impl Into<String>, message: impl Into<String>, hint: Option<String>) {
        self.0.push(Problem {
            key: key.into(),
            message: message.into(),
            hint,
        });
    }

    /// Notes a problem unless `fine`.
    fn require(&mut self, fine: bool, key: &str, message: &str) {
        if !fine {
            self.add(key, message, None);
        }
    }
}

pub(crate) fn compile(spec: &TriggerSpec) -> Result<Trigger, Vec<Problem>> {
    let mut problems = Problems::default();
    name(&spec.name, "name", &mut problems);
    let when = schedule(spec, &mut problems);
    useless_keys(spec, &mut problems);
    let action = if spec.deadline.is_some() {
        ladder_has_no_action(spec, &mut problems);
        None
    } else {
        let recipients = Recipients::WithoutTask;
        action(&Actions::of_trigger(spec), "", recipients, &mut problems).map(Arc::new)
    };
    match when {
        Some(when) if problems.0.is_empty() => Ok(Trigger {
            name: spec.name.as_str().into(),
            when,
            misfire: spec.misfire,
            overlap: spec.overlap,
            enabled: spec.enabled,
            action,
        }),
        _ => Err(problems.0),
    }
}

/// The one schedule that is set.
fn schedule(spec: &TriggerSpec, problems: &mut Problems) -> Option<When> {
    let set = [
        ("cron", spec.cron.is_some()),
        ("every", spec.every.is_some()),
        ("event", spec.event.is_some()),
        ("deadline", spec.deadline.is_some()),
    ];
    exactly_one(&set, "", "schedule", problems);
    // All that are set are checked, so that the author of two sees the mistakes of both.
    let cron = spec.cron.as_deref().and_then(|cron| {
        let zone = spec.timezone.as_deref().unwrap_or(DEFAULT_ZONE);
        cron_schedule(cron, zone, problems)
    });
    let every = spec.every.map(|period| {
        problems.require(period.0 >= MIN_PERIOD, "every", "a period is one second or more");
        When::Every(period)
    });
    let event = spec
        .event
        .as_deref()
        .map(|event| event_rule(spec, event, problems));
    let deadline = spec
        .deadline
        .as_ref()
        .and_then(|deadline| ladder(deadline, problems));
    cron.or(every).or(event).or(deadline)
}

fn cron_schedule(cron: &str, zone: &str, problems: &mut Problems) -> Option<When> {
    match CronSchedule::parse(cron, zone) {
        Ok(schedule) => Some(When::Cron(Box::new(schedule))),
        Err(error) => {
            let about_zone = error.is_about_zone();
            let key = if about_zone { "timezone" } else { "cron" };
            problems.add(key, error.to_string(), error.hint());
            // A wrong zone must not hide a wrong expression.
            if about_zone && let Err(error) = CronSchedule::parse(cron, DEFAULT_ZONE) {
                problems.add("cron", error.to_string(), error.hint());
            }
            None
        }
    }
}

fn event_rule(spec: &TriggerSpec, event: &str, problems: &mut Problems) -> When {
    name(event, "event", problems);
    let consecutive = spec.consecutive.unwrap_or(1);
    problems.require(consecutive > 0, "consecutive", "the count starts at 1");
    if spec.emit.as_ref().is_some_and(|emit| emit.event == event) {
        problems.add("emit.event", "the trigger would fire itself for ever", None);
    }
    When::Event(EventRule {
        event: event.into(),
        consecutive,
        cooldown: spec.cooldown.unwrap_or_default(),
    })
}

/// Keys that are set and would do nothing: their author expects something of them.
fn useless_keys(spec: &TriggerSpec, problems: &mut Problems) {
    for (key, is_set, needed, is_there) in [
        ("timezone", spec.timezone.is_some(), "cron", spec.cron.is_some()),
        (
            "consecutive",
            spec.consecutive.is_some(),
            "event",
            spec.event.is_some(),
        ),
        ("cooldown", spec.cooldown.is_some(), "event", spec.event.is_some()),
    ] {
        if is_set && !is_there {
            problems.add(key, format!("`{key}` has a meaning only beside `{needed}`"), None);
        }
    }
    if spec.event.is_some() && spec.misfire != Misfire::default() {
        let hint = "events are read from the journal, so none is missed: leave it out";
        problems.add(
            "misfire",
            "`misfire` has no meaning beside `event`",
            Some(hint.to_owned()),
        );
    }
}

fn ladder(spec: &DeadlineSpec, problems: &mut Problems) -> Option<When> {
    let tasks = match spec.of.strip_prefix("task:") {
        Some(pattern) => glob(pattern, "deadline.of", problems),
        None => {
            let hint = "write `task:*` for all tasks".to_owned();
            let message = format!("`{}` does not say whose deadlines", shortened(&spec.of));
            problems.add("deadline.of", message, Some(hint));
            None
        }
    };
    let count = spec.steps.len();
    problems.require(count > 0, "deadline.steps", "a ladder has at least one step");
    if count > MAX_STEPS {
        problems.add(
            "deadline.steps",
            format!("{count} steps; at most {MAX_STEPS} are allowed"),
            None,
        );
        return None;
    }
    let mut seen = BTreeSet::new();
    let mut steps: Vec<LadderStep> = Vec::with_capacity(count);
    for (index, step) in spec.steps.iter().enumerate() {
        let key = format!("deadline.steps[{index}]");
        if !seen.insert(step.at) {
            // The time is the step's identity.
            let hint = "put the second action into a trigger of its own".to_owned();
            problems.add(
                format!("{key}.at"),
                format!("there is another step at {}", step.at),
                Some(hint),
            );
        }
        let action = action(&Actions::of_step(step), &key, Recipients::OfTask, problems).map(Arc::new);
        steps.extend(action.map(|action| LadderStep {
            before: step.at,
            action,
        }));
    }
    steps.sort_by_key(|step| std::cmp::Reverse(step.before));
    Some(When::Deadline(Ladder {
        tasks: tasks?,
        steps: steps.into(),
    }))
}

fn ladder_has_no_action(spec: &TriggerSpec, problems: &mut Problems) {
    for (key, is_set) in Actions::of_trigger(spec).set() {
        if is_set {
            let hint = "put it into a step".to_owned();
            problems.add(key, "each step of a ladder has its own action", Some(hint));
        }
    }
}

#[cfg(test)]
mod tests;
