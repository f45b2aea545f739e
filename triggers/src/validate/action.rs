//! The one action that a trigger, or the step of a ladder, takes.

use std::time::Duration;

use worknode_core::{agent::Tier, bounds, time::Span};

use super::{
    Problems, condition,
    words::{exactly_one, glob, name, shortened, templated, text, within},
};
use crate::{
    condition::{Condition, agent_scope},
    glob::Glob,
    spec::{
        EmitSpec, EscalateSpec, GateSpec, NotifySpec, RaiseSpec, RunSpec, SpawnSpec, StepSpec, TaskSpec,
        TerminateSpec, TriggerSpec, WebhookSpec,
    },
    template::About,
    trigger::{Action, Recipient},
};

/// Files of one task. More are an error.
pub const MAX_FILES: usize = 1_000;
/// Program and arguments of one command. More are an error.
pub const MAX_COMMAND: usize = 256;
/// Longest time for which an agent or a task gets more.
pub const MAX_ESCALATION: Duration = Duration::from_secs(7 * 24 * 3600);
/// What `terminate` calls the agents for which the trigger's own condition holds.
const MATCHING: &str = "matching";

/// The action keys of a trigger or of a step.
pub(super) struct Actions<'a> {
    spawn: Option<&'a SpawnSpec>,
    terminate: Option<&'a TerminateSpec>,
    notify: Option<&'a NotifySpec>,
    escalate: Option<&'a EscalateSpec>,
    gate: Option<&'a GateSpec>,
    emit: Option<&'a EmitSpec>,
    run: Option<&'a RunSpec>,
}

impl<'a> Actions<'a> {
    pub(super) const fn of_trigger(spec: &'a TriggerSpec) -> Self {
        Self {
            spawn: spec.spawn.as_ref(),
            terminate: spec.terminate.as_ref(),
            notify: spec.notify.as_ref(),
            escalate: spec.escalate.as_ref(),
            gate: spec.gate.as_ref(),
            emit: spec.emit.as_ref(),
            run: spec.run.as_ref(),
        }
    }

    pub(super) const fn of_step(step: &'a StepSpec) -> Self {
        Self {
            spawn: step.spawn.as_ref(),
            terminate: step.terminate.as_ref(),
            notify: step.notify.as_ref(),
            escalate: step.escalate.as_ref(),
            gate: step.gate.as_ref(),
            emit: step.emit.as_ref(),
            run: step.run.as_ref(),
        }
    }

    pub(super) const fn set(&self) -> [(&'static str, bool); 7] {
        [
            ("spawn", self.spawn.is_some()),
            ("terminate", self.terminate.is_some()),
            ("notify", self.notify.is_some()),
            ("escalate", self.escalate.is_some()),
            ("gate", self.gate.is_some()),
            ("emit", self.emit.is_some()),
            ("run", self.run.is_some()),
        ]
    }
}

/// What all actions are checked against.
struct Check<'a> {
    key: &'a str,
    about: About,
    /// The trigger's own condition, when it chooses agents.
    matching: Option<&'a String>,
    problems: &'a mut Problems,
}

/// The one action that is set. `about` is what it can speak of, `matching` the trigger's own
/// condition when it chooses agents.
pub(super) fn action(
    actions: &Actions<'_>,
    key: &str,
    about: About,
    matching: Option<&String>,
    problems: &mut Problems,
) -> Option<Action> {
    exactly_one(&actions.set(), key, "action", problems);
    let mut check = Check {
        key,
        about,
        matching,
        problems,
    };
    let spawn = actions.spawn.map(|spec| check.spawn(spec));
    let terminate = actions.terminate.and_then(|spec| check.terminate(spec));
    let notify = actions.notify.and_then(|spec| check.notify(spec));
    let escalate = actions.escalate.map(|spec| check.escalate(spec));
    let gate = actions.gate.map(|spec| check.gate(spec));
    let emit = actions.emit.map(|spec| check.emit(spec));
    let run = actions.run.map(|spec| check.run(spec));
    spawn
        .or(terminate)
        .or(notify)
        .or(escalate)
        .or(gate)
        .or(emit)
        .or(run)
}

impl Check<'_> {
    fn at(&self, key: &str) -> String {
        within(self.key, key)
    }

    fn require(&mut self, fine: bool, key: &str, message: &str) {
        let key = self.at(key);
        self.problems.require(fine, &key, message);
    }

    fn spawn(&mut self, spec: &SpawnSpec) -> Action {
        let key = self.at("spawn");
        let set = [
            ("agent", spec.agent.is_some()),
            ("profile", spec.profile.is_some()),
        ];
        exactly_one(&set, &key, "agent to start", self.problems);
        for (word, text) in [
            ("agent", &spec.agent),
            ("profile", &spec.profile),
            ("driver", &spec.driver),
        ] {
            if let Some(text) = text {
                name(text, &within(&key, word), self.problems);
            }
        }
        let odd_driver = spec.driver.is_some() && spec.agent.is_some();
        self.require(
            !odd_driver,
            "spawn.driver",
            "an agent of the team has its driver already",
        );
        if let Some(task) = &spec.task {
            self.task(task, &within(&key, "task"));
        }
        if let Some(prompt) = &spec.prompt {
            let alone = spec.task.is_none();
            self.require(
                alone,
                "spawn.prompt",
                "there is `task` as well, which has a prompt of its own",
            );
            templated(
                prompt,
                bounds::PROMPT,
                &within(&key, "prompt"),
                self.about,
                self.problems,
            );
        }
        let no_time = spec.max_duration == Some(Span::default());
        self.require(!no_time, "spawn.max_duration", "a run needs some time");
        if let Some(raise) = &spec.raise {
            self.raise(raise, &within(&key, "raise"));
        }
        let no_tokens = spec
            .budget
            .as_ref()
            .is_some_and(|budget| budget.tokens == Some(0));
        self.require(!no_tokens, "spawn.budget.tokens", "a run needs some tokens");
        Action::Spawn(spec.clone())
    }

    fn task(&mut self, spec: &TaskSpec, key: &str) {
        text(&spec.title, &within(key, "title"), self.about, self.problems);
        templated(
            &spec.prompt,
            bounds::PROMPT,
            &within(key, "prompt"),
            self.about,
            self.problems,
        );
        let few = spec.files.len() <= MAX_FILES;
        self.problems
            .require(few, &within(key, "files"), "more files than a task can name");
        for (index, file) in spec.files.iter().take(MAX_FILES).enumerate() {
            let outside =
                file.is_empty() || file.starts_with('/') || file.split('/').any(|part| part == "..");
            if outside {
                let key = format!("{}[{index}]", within(key, "files"));
                let message = format!("`{}` is not a path within the repository", shortened(file));
                self.problems.add(key, message, None);
            }
        }
        for (index, gate) in spec.gates.iter().flatten().enumerate() {
            name(gate, &format!("{}[{index}]", within(key, "gates")), self.problems);
        }
    }

    fn terminate(&mut self, spec: &TerminateSpec) -> Option<Action> {
        let key = self.at("terminate");
        text(&spec.reason, &within(&key, "reason"), self.about, self.problems);
        let matching = spec.agents == MATCHING;
        if matching && self.matching.is_none() {
            let hint = "add `where`, as in `where = \"agent.idle > duration('4h')\"`".to_owned();
            let message = "`matching` are those for which the trigger's `where` holds, and there is none";
            self.problems.add(within(&key, "agents"), message, Some(hint));
        }
        let pattern = if matching { "*" } else { &spec.agents };
        let agents: Option<Glob> = glob(pattern, &within(&key, "agents"), self.problems);
        let own = spec.condition.as_ref();
        let both = matching && own.is_some();
        self.require(
            !both,
            "terminate.where",
            "`matching` goes by the trigger's own `where`",
        );
        // What is wrong with the trigger's own condition is told there.
        let condition = match self.matching.filter(|_| matching) {
            Some(whole) => Condition::compile(whole, agent_scope()).ok(),
            None => condition(own, &within(&key, "where"), agent_scope(), self.problems),
        };
        Some(Action::Terminate {
            agents: agents?,
            condition,
            reason: spec.reason.clone(),
            grace: spec.grace,
        })
    }

    fn notify(&mut self, spec: &NotifySpec) -> Option<Action> {
        let key = self.at("notify");
        let set = [
            ("to", spec.to.is_some()),
            ("webhook", spec.webhook.is_some()),
            ("command", spec.command.is_some()),
        ];
        exactly_one(&set, &key, "recipient", self.problems);
        let person = spec.to.as_deref().map(Recipient::from);
        let to_key = within(&key, "to");
        match &person {
            Some(Recipient::Agent(agent)) => name(agent, &to_key, self.problems),
            Some(Recipient::Assignee) if self.about != About::Task => {
                let hint = "write `executive`, `operator` or the name of an agent".to_owned();
                let message = "only the step of a deadline has an assignee";
                self.problems.add(to_key, message, Some(hint));
            }
            _ => {}
        }
        if let Some(webhook) = &spec.webhook {
            self.webhook(webhook, &within(&key, "webhook"));
        }
        if let Some(command) = &spec.command {
            self.command(command, &within(&key, "command"));
        }
        if let Some(message) = &spec.message {
            text(message, &within(&key, "message"), self.about, self.problems);
        }
        let webhook = spec.webhook.clone().map(Recipient::Webhook);
        let command = spec.command.clone().map(Recipient::Command);
        Some(Action::Notify {
            to: person.or(webhook).or(command)?,
            message: spec.message.clone(),
        })
    }

    fn webhook(&mut self, spec: &WebhookSpec, key: &str) {
        if let Err(message) = usable_url(&spec.url) {
            let hint = "write `https://example.org/path`, or `http://127.0.0.1:8080/path`".to_owned();
            self.problems.add(within(key, "url"), message, Some(hint));
        } else if spec.ca.is_some() && !spec.url.starts_with("https://") {
            let message = "only a server of an https address proves who it is";
            self.problems.add(within(key, "ca"), message, None);
        }
        let no_file = spec.ca.as_ref().is_some_and(|file| file.trim().is_empty());
        self.problems
            .require(!no_file, &within(key, "ca"), "this names no file");
        if let Some(name_of_key) = &spec.key {
            name(name_of_key, &within(key, "key"), self.problems);
        }
        let no_time = spec.timeout == Some(Span::default());
        self.problems
            .require(!no_time, &within(key, "timeout"), "an attempt needs some time");
    }

    fn command(&mut self, command: &[String], key: &str) {
        let named = command.first().is_some_and(|program| !program.trim().is_empty());
        self.problems.require(named, key, "a command needs a program");
        if command.len() > MAX_COMMAND {
            let message = format!("{} parts; a command has at most {MAX_COMMAND}", command.len());
            self.problems.add(key, message, None);
        }
        // What an event says must not choose the program.
        if command.first().is_some_and(|program| program.contains("{{")) {
            self.problems
                .add(key, "the program itself cannot be a value", None);
        }
        for (at, part) in command.iter().take(MAX_COMMAND).enumerate().skip(1) {
            templated(
                part,
                bounds::EVENT_PAYLOAD,
                &format!("{key}[{at}]"),
                self.about,
                self.problems,
            );
        }
    }

    fn escalate(&mut self, spec: &EscalateSpec) -> Action {
        let key = self.at("escalate");
        let raises = spec.priority.is_some() || spec.tier.is_some() || !spec.permissions.is_empty();
        if spec.agents.is_some() {
            let hint = "runs of the task that the trigger is about are raised, whoever works on it";
            let message = "this goes by task, not by agent";
            self.problems
                .add(within(&key, "agents"), message, Some(hint.to_owned()));
        } else if !raises {
            let hint = "set `priority`, `tier` or `permissions`".to_owned();
            self.problems.add(key, "this raises nothing", Some(hint));
        } else if self.about == About::Time {
            let hint = "use it in a step of a deadline, or on an event of a task".to_owned();
            self.problems
                .add(key, "there is no task that could be raised", Some(hint));
        } else {
            self.raised(spec.tier, spec.duration, &key);
        }
        Action::Escalate(spec.clone())
    }

    /// To what, and for how long.
    fn raise(&mut self, raise: &RaiseSpec, key: &str) {
        let raises = raise.tier.is_some() || !raise.permissions.is_empty();
        if !raises {
            let hint = "set `tier` or `permissions`, or leave `raise` out".to_owned();
            self.problems
                .add(key.to_owned(), "this raises nothing", Some(hint));
        }
        self.raised(raise.tier, raise.duration, key);
    }

    fn raised(&mut self, tier: Option<Tier>, time: Span, key: &str) {
        match tier {
            None | Some(Tier::Executive) => {}
            Some(Tier::Validation) => {
                let hint = "spawn an agent of that tier; `executive` can be raised to".to_owned();
                let message = "whoever agrees to work is of the tier `validation` itself";
                self.problems.add(within(key, "tier"), message, Some(hint));
            }
            Some(Tier::Implementation) => {
                let hint = "write `executive`".to_owned();
                let message = "nobody has less, so this raises nothing";
                self.problems.add(within(key, "tier"), message, Some(hint));
            }
        }
        if time.0.is_zero() || time.0 > MAX_ESCALATION {
            let message = "from a moment to seven days are possible";
            self.problems.add(within(key, "for"), message, None);
        }
    }

    fn gate(&mut self, spec: &GateSpec) -> Action {
        let key = self.at("gate");
        let some = !spec.gates.is_empty();
        self.problems
            .require(some, &within(&key, "gates"), "this names no gate");
        for (at, gate) in spec.gates.iter().enumerate() {
            name(gate, &format!("{key}.gates[{at}]"), self.problems);
        }
        if let Some(on) = &spec.on {
            // What begins with a dash would be an option to git.
            let odd = on.is_empty() || on.starts_with('-') || on.contains(char::is_whitespace);
            self.problems
                .require(!odd, &within(&key, "on"), "this is no commit, branch or tag");
            templated(
                on,
                super::MAX_TEXT,
                &within(&key, "on"),
                self.about,
                self.problems,
            );
        }
        if let Some(diff) = &spec.diff {
            let odd = diff.is_empty() || diff.starts_with('-') || diff.contains(char::is_whitespace);
            self.problems.require(
                !odd,
                &within(&key, "diff"),
                "this is no time, as in \"7d\", and no commit or branch",
            );
        }
        Action::Gate(spec.clone())
    }

    fn emit(&mut self, spec: &EmitSpec) -> Action {
        let key = self.at("emit");
        name(&spec.event, &within(&key, "event"), self.problems);
        let data = spec.data.iter().flatten();
        let size: usize = data.clone().map(|(key, value)| key.len() + value.len()).sum();
        let fits = size <= bounds::EVENT_PAYLOAD;
        self.problems
            .require(fits, &within(&key, "data"), "more than an event can carry");
        for (word, value) in data {
            let key = format!("{key}.data.{}", shortened(word));
            templated(value, bounds::EVENT_PAYLOAD, &key, self.about, self.problems);
        }
        Action::Emit(spec.clone())
    }

    fn run(&mut self, spec: &RunSpec) -> Action {
        let key = self.at("run");
        self.command(&spec.command, &within(&key, "command"));
        let no_time = spec.timeout == Some(Span::default());
        self.problems
            .require(!no_time, &within(&key, "timeout"), "a command needs some time");
        Action::Run(spec.clone())
    }
}

/// Is it an address to which a message may go? In the clear only on this machine.
fn usable_url(url: &str) -> Result<(), String> {
    let shown = || shortened(url);
    let Some((rest, safe)) = after_scheme(url) else {
        return Err(format!("`{}` is not an http(s) address", shown()));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() || url.contains(is_odd) || url.len() > super::MAX_TEXT {
        return Err(format!("`{}` is not an http(s) address", shown()));
    }
    if authority.contains('@') {
        return Err("an address must not have a password in it".to_owned());
    }
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    if safe || ["localhost", "127.0.0.1", "[::1]", "::1"].contains(&host) {
        Ok(())
    } else {
        Err(format!("`{}` would send the message in the clear", shown()))
    }
}

/// What follows the scheme, and whether others can read what goes there.
fn after_scheme(url: &str) -> Option<(&str, bool)> {
    match url.strip_prefix("https://") {
        Some(rest) => Some((rest, true)),
        None => Some((url.strip_prefix("http://")?, false)),
    }
}

fn is_odd(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}
