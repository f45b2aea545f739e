//! The triggers of a team, compiled, and what they name.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use worknode_core::bounds;
use worknode_policies::{
    gate::PLAN,
    names::{Suggestions, fits},
    plan::Plan,
};
use worknode_triggers::{
    Trigger, TriggerSpec, compile,
    spec::{GateSpec, NotifySpec, SpawnSpec, TerminateSpec},
    trigger::Recipient,
    validate::{Cycle, cycles},
};

use super::{Problems, did_you_mean, gates::known_gate};
use crate::config::{included::Included, model::Config, path::shown};

/// Checks all triggers and compiles them. `names` are those of the agents, when all could be
/// read.
pub(super) fn compiled(
    (config, dir): (&Config, &Path),
    included: &Included,
    plan: &Plan,
    names: Option<&BTreeSet<&str>>,
    problems: &mut Problems,
) -> Vec<Trigger> {
    let count = config.trigger.len();
    if count > bounds::TRIGGERS {
        let message = format!("{count} triggers are too many; at most {}", bounds::TRIGGERS);
        problems.say("trigger", message, None);
    }
    let mut checker = Checker {
        config,
        dir,
        included,
        names,
        plan,
        problems,
        suggestions: Suggestions::default(),
        seen: BTreeMap::new(),
    };
    let triggers = config.trigger.iter().take(bounds::TRIGGERS).enumerate();
    let (places, compiled): (Vec<usize>, Vec<Trigger>) = triggers
        .filter_map(|(at, spec)| Some((at, checker.trigger(at, spec)?)))
        .unzip();
    for Cycle { trigger, problem } in cycles(&compiled) {
        let at = places.get(trigger).copied().unwrap_or_default();
        problems.say(
            format!("trigger[{at}].{}", problem.key),
            problem.message,
            problem.hint,
        );
    }
    compiled
}

struct Checker<'a> {
    config: &'a Config,
    /// The directory of `worknode.toml`.
    dir: &'a Path,
    included: &'a Included,
    names: Option<&'a BTreeSet<&'a str>>,
    plan: &'a Plan,
    problems: &'a mut Problems,
    suggestions: Suggestions,
    /// Where each name stands first.
    seen: BTreeMap<&'a str, usize>,
}

impl<'a> Checker<'a> {
    fn trigger(&mut self, at: usize, spec: &'a TriggerSpec) -> Option<Trigger> {
        let path = format!("trigger[{at}]");
        if let Some(first) = self.seen.get(spec.name.as_str()) {
            let message = format!(
                "there is another trigger `{}`, at {}",
                shown(&spec.name),
                self.included.called(*first)
            );
            let hint = "names of triggers are unique".to_owned();
            self.problems.say(format!("{path}.name"), message, Some(hint));
        } else {
            self.seen.insert(&spec.name, at);
        }
        self.action(
            &path,
            spec.spawn.as_ref(),
            spec.terminate.as_ref(),
            spec.notify.as_ref(),
        );
        self.gates_on_commit(&path, spec.gate.as_ref());
        if let Some(deadline) = &spec.deadline {
            self.tasks_with_deadline(&path, &deadline.of);
            for (step, spec) in deadline.steps.iter().enumerate() {
                let path = format!("{path}.deadline.steps[{step}]");
                self.action(
                    &path,
                    spec.spawn.as_ref(),
                    spec.terminate.as_ref(),
                    spec.notify.as_ref(),
                );
                self.gates_on_commit(&path, spec.gate.as_ref());
            }
        }
        match compile(spec) {
            Ok(trigger) => Some(trigger),
            Err(mistakes) => {
                for mistake in mistakes {
                    let dot = if mistake.key.is_empty() { "" } else { "." };
                    let key = format!("{path}{dot}{}", mistake.key);
                    self.problems.say(key, mistake.message, mistake.hint);
                }
                None
            }
        }
    }

    fn action(
        &mut self,
        path: &str,
        spawn: Option<&SpawnSpec>,
        terminate: Option<&TerminateSpec>,
        notify: Option<&NotifySpec>,
    ) {
        if let Some(agent) = spawn.and_then(|spawn| spawn.agent.as_deref()) {
            self.agent(&format!("{path}.spawn.agent"), agent);
        }
        let task = spawn.and_then(|spawn| spawn.task.as_ref());
        let gates = task
            .into_iter()
            .flat_map(|task| task.gates.iter().flatten())
            .enumerate();
        for (at, gate) in gates {
            known_gate(
                self.config,
                &format!("{path}.spawn.task.gates[{at}]"),
                gate,
                self.problems,
            );
        }
        if let Some(terminate) = terminate {
            // `matching` are those for which a condition holds.
            if terminate.agents != "matching" {
                self.agents(&format!("{path}.terminate.agents"), &terminate.agents);
            }
        }
        self.authorities(path, notify);
        if let Some(Recipient::Agent(agent)) = notify
            .and_then(|notify| notify.to.as_deref())
            .map(Recipient::from)
        {
            self.agent(&format!("{path}.notify.to"), &agent);
        }
    }

    /// A file that is not there now may come before the trigger fires, and then be another than was
    /// meant: it is to be there.
    fn authorities(&mut self, path: &str, notify: Option<&NotifySpec>) {
        let webhook = notify.and_then(|notify| notify.webhook.as_ref());
        let Some(file) = webhook.and_then(|webhook| webhook.ca.as_deref()) else {
            return;
        };
        if !file.trim().is_empty() && !self.dir.join(file).is_file() {
            let message = format!("there is no file `{}`", shown(file));
            let hint = "the path is relative to the directory of worknode.toml".to_owned();
            self.problems
                .say(format!("{path}.notify.webhook.ca"), message, Some(hint));
        }
    }

    /// A trigger's gates judge a commit that nobody handed in.
    fn gates_on_commit(&mut self, path: &str, gate: Option<&GateSpec>) {
        for (at, gate) in gate.into_iter().flat_map(|gate| &gate.gates).enumerate() {
            let path = format!("{path}.gate.gates[{at}]");
            if gate == PLAN {
                let message = "this gate compares what somebody handed in with what its task names";
                let hint = "a trigger can run every other gate".to_owned();
                self.problems.say(path, message, Some(hint));
            } else {
                known_gate(self.config, &path, gate, self.problems);
            }
        }
    }

    fn agent(&mut self, path: &str, name: &str) {
        let Some(names) = self.names else { return };
        if names.contains(name) {
            return;
        }
        let first = format!("{name}-1");
        let hint = if names.contains(first.as_str()) {
            Some(format!("did you mean `{first}`?"))
        } else {
            let known: Vec<&str> = names.iter().copied().collect();
            did_you_mean(&mut self.suggestions, name, &known)
        };
        self.problems
            .say(path, format!("there is no agent `{}`", shown(name)), hint);
    }

    fn agents(&mut self, path: &str, pattern: &str) {
        if !pattern.contains(['*', '?']) {
            return self.agent(path, pattern);
        }
        let Some(names) = self.names else { return };
        if !names.iter().any(|name| fits(pattern, name)) {
            let message = format!("`{}` fits no agent", shown(pattern));
            let few = names.len() <= 10 && !names.is_empty();
            let hint =
                few.then(|| format!("there are: {}", Vec::from_iter(names.iter().copied()).join(", ")));
            self.problems.say(path, message, hint);
        }
    }

    /// Tasks may come later, so a pattern that fits none of the plan is no mistake.
    fn tasks_with_deadline(&mut self, path: &str, of: &str) {
        let Some(pattern) = of.strip_prefix("task:") else {
            return;
        };
        let mut tasks = self.plan.tasks().peekable();
        if tasks.peek().is_none() {
            return;
        }
        if !tasks.any(|task| task.deadline.is_some() && fits(pattern, &task.id)) {
            let message = format!("`{}` fits no task of the plan that has a deadline", shown(of));
            self.problems.warn(
                format!("{path}.deadline.of"),
                message,
                "give the task a deadline, or mind the name",
            );
        }
    }
}
