//! The four actions that a trigger, or the step of a ladder, may take.

use worknode_core::{bounds, time::Span};

use super::{
    Problems,
    words::{exactly_one, glob, name, shortened, text, within},
};
use crate::{
    spec::{EmitSpec, NotifySpec, SpawnSpec, StepSpec, TaskSpec, TerminateSpec, TriggerSpec},
    trigger::{Action, Recipient},
};

/// Files of one task. More are an error.
pub const MAX_FILES: usize = 1_000;

/// The action keys of a trigger or of a step.
pub(super) struct Actions<'a> {
    spawn: Option<&'a SpawnSpec>,
    terminate: Option<&'a TerminateSpec>,
    notify: Option<&'a NotifySpec>,
    emit: Option<&'a EmitSpec>,
}

impl<'a> Actions<'a> {
    pub(super) const fn of_trigger(spec: &'a TriggerSpec) -> Self {
        Self {
            spawn: spec.spawn.as_ref(),
            terminate: spec.terminate.as_ref(),
            notify: spec.notify.as_ref(),
            emit: spec.emit.as_ref(),
        }
    }

    pub(super) const fn of_step(step: &'a StepSpec) -> Self {
        Self {
            spawn: step.spawn.as_ref(),
            terminate: step.terminate.as_ref(),
            notify: step.notify.as_ref(),
            emit: step.emit.as_ref(),
        }
    }

    pub(super) const fn set(&self) -> [(&'static str, bool); 4] {
        [
            ("spawn", self.spawn.is_some()),
            ("terminate", self.terminate.is_some()),
            ("notify", self.notify.is_some()),
            ("emit", self.emit.is_some()),
        ]
    }
}

/// Whether there is a task, and so an assignee, that an action can speak of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Recipients {
    OfTask,
    WithoutTask,
}

/// The one action that is set.
pub(super) fn action(
    actions: &Actions<'_>,
    key: &str,
    recipients: Recipients,
    problems: &mut Problems,
) -> Option<Action> {
    exactly_one(&actions.set(), key, "action", problems);
    let spawn = actions
        .spawn
        .map(|spec| spawn(spec, &within(key, "spawn"), problems));
    let terminate = actions
        .terminate
        .and_then(|spec| terminate(spec, &within(key, "terminate"), problems));
    let notify = actions
        .notify
        .map(|spec| notify(spec, &within(key, "notify"), recipients, problems));
    let emit = actions.emit.map(|spec| {
        name(&spec.event, &within(key, "emit.event"), problems);
        let size: usize = spec
            .data
            .iter()
            .flatten()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        problems.require(
            size <= bounds::EVENT_PAYLOAD,
            &within(key, "emit.data"),
            "more than an event can carry",
        );
        Action::Emit(spec.clone())
    });
    spawn.or(terminate).or(notify).or(emit)
}

fn spawn(spec: &SpawnSpec, key: &str, problems: &mut Problems) -> Action {
    let set = [
        ("agent", spec.agent.is_some()),
        ("profile", spec.profile.is_some()),
    ];
    exactly_one(&set, key, "agent to start", problems);
    if let Some(agent) = &spec.agent {
        name(agent, &within(key, "agent"), problems);
    }
    if let Some(profile) = &spec.profile {
        name(profile, &within(key, "profile"), problems);
    }
    if let Some(task) = &spec.task {
        self::task(task, &within(key, "task"), problems);
    }
    let no_time = spec.max_duration == Some(Span::default());
    problems.require(!no_time, &within(key, "max_duration"), "a run needs some time");
    Action::Spawn(spec.clone())
}

fn task(spec: &TaskSpec, key: &str, problems: &mut Problems) {
    text(&spec.title, &within(key, "title"), problems);
    let fits = spec.prompt.len() <= bounds::PROMPT;
    problems.require(fits, &within(key, "prompt"), "longer than a prompt can be");
    let few = spec.files.len() <= MAX_FILES;
    problems.require(few, &within(key, "files"), "more files than a task can name");
    for (index, file) in spec.files.iter().take(MAX_FILES).enumerate() {
        let outside = file.is_empty() || file.starts_with('/') || file.split('/').any(|part| part == "..");
        if outside {
            let key = format!("{}[{index}]", within(key, "files"));
            let message = format!("`{}` is not a path within the repository", shortened(file));
            problems.add(key, message, None);
        }
    }
    for (index, gate) in spec.gates.iter().flatten().enumerate() {
        name(gate, &format!("{}[{index}]", within(key, "gates")), problems);
    }
}

fn terminate(spec: &TerminateSpec, key: &str, problems: &mut Problems) -> Option<Action> {
    text(&spec.reason, &within(key, "reason"), problems);
    let agents = glob(&spec.agents, &within(key, "agents"), problems)?;
    Some(Action::Terminate {
        agents,
        reason: spec.reason.clone(),
    })
}

fn notify(spec: &NotifySpec, key: &str, recipients: Recipients, problems: &mut Problems) -> Action {
    let to = Recipient::from(spec.to.as_str());
    let to_key = within(key, "to");
    match &to {
        Recipient::Agent(agent) => name(agent, &to_key, problems),
        Recipient::Assignee if recipients == Recipients::WithoutTask => {
            let hint = "write `executive`, `operator` or the name of an agent".to_owned();
            problems.add(to_key, "only the step of a deadline has an assignee", Some(hint));
        }
        Recipient::Assignee | Recipient::Executive | Recipient::Operator => {}
    }
    if let Some(message) = &spec.message {
        text(message, &within(key, "message"), problems);
    }
    Action::Notify {
        to,
        message: spec.message.clone(),
    }
}
