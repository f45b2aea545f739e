//! From what the configuration says to what the rules work on, or every mistake in it.
//!
//! Checking and compiling are one walk: what compiles was checked, and there is no second list
//! of rules that could disagree. A missing part is noted and the walk goes on, so that its
//! author sees all mistakes at once.

use std::sync::Arc;

use worknode_query::Scope;

use crate::{
    condition::Condition,
    spec::TriggerSpec,
    template::About,
    trigger::{Trigger, When},
};

mod action;
mod cycles;
mod event;
mod ladder;
mod schedule;
mod terms;
mod words;

use self::{
    action::{Actions, action},
    words::name,
};
pub use self::{
    action::{MAX_COMMAND, MAX_ESCALATION, MAX_FILES},
    cycles::{Cycle, cycles},
    event::{MAX_COUNT, MAX_COUNT_WITHIN},
    ladder::MAX_STEPS,
    schedule::MIN_PERIOD,
    words::{MAX_NAME, MAX_TEXT},
};

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

/// What stands where a name would in the addresses of triggers.
const RESERVED: [&str; 3] = ["next", "runs", "simulate"];

pub(crate) fn compile(spec: &TriggerSpec) -> Result<Trigger, Vec<Problem>> {
    let mut problems = Problems::default();
    name(&spec.name, "name", &mut problems);
    if RESERVED.contains(&spec.name.as_str()) {
        let message = format!(
            "`{}` is what `worknode trigger {}` and its address are called",
            spec.name, spec.name
        );
        problems.add("name", message, Some("give it another name".to_owned()));
    }
    let when = schedule::schedule(spec, &mut problems);
    schedule::useless_keys(spec, &mut problems);
    let terms = terms::terms(spec, &mut problems);
    let action = if spec.deadline.is_some() {
        ladder::has_no_action(spec, &mut problems);
        None
    } else {
        let about = if spec.event.is_some() {
            About::Event
        } else {
            About::Time
        };
        let matching = spec.condition.as_ref().filter(|_| spec.event.is_none());
        action(&Actions::of_trigger(spec), "", about, matching, &mut problems).map(Arc::new)
    };
    match when {
        Some(when) if problems.0.is_empty() => finish(spec, when, terms, action),
        _ => Err(problems.0),
    }
}

fn finish(
    spec: &TriggerSpec,
    when: When,
    terms: Option<Box<crate::terms::Terms>>,
    action: Option<Arc<crate::trigger::Action>>,
) -> Result<Trigger, Vec<Problem>> {
    let trigger = Trigger {
        name: spec.name.as_str().into(),
        when,
        misfire: spec.misfire,
        overlap: spec.overlap,
        enabled: spec.enabled,
        action,
        terms,
        digest: digest(spec),
    };
    match cycles([&trigger]).pop() {
        Some(Cycle { problem, .. }) => Err(vec![problem]),
        None => Ok(trigger),
    }
}

/// FNV-1a of the configuration as JSON, whose keys are in the order of their declaration.
fn digest(spec: &TriggerSpec) -> u64 {
    // What was read from text can be written as text.
    let text = serde_json::to_string(spec).unwrap_or_default();
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Reads a condition and notes what is wrong with it.
fn condition(
    source: Option<&String>,
    key: &str,
    scope: &Scope,
    problems: &mut Problems,
) -> Option<Condition> {
    let compiled = Condition::compile(source?, scope);
    compiled
        .map_err(|error| problems.add(key, error.to_string(), error.hint.clone()))
        .ok()
}

#[cfg(test)]
mod tests;
