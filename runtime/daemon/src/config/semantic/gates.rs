//! What the gates are told.

use worknode_gates::{
    gate::rule,
    judge::{self, Profiles},
};
use worknode_policies::gate;

use super::Problems;
use crate::config::{model::Config, path::shown};

/// Names of the gates that a task may name.
pub(super) fn names(config: &Config) -> Vec<String> {
    judge::names(&config.all_gates())
}

/// Checks what the gates are told, and who asks for which.
pub(super) fn check(config: &Config, problems: &mut Problems) {
    for (at, name) in config.team.gates.iter().flatten().enumerate() {
        known_gate(config, &format!("team.gates[{at}]"), name, problems);
    }
    for (at, phase) in config.phase.iter().enumerate() {
        for (position, task) in phase.task.iter().enumerate() {
            for name in task.gates.iter().flatten() {
                configured(
                    config,
                    &format!("phase[{at}].task[{position}].gates"),
                    name,
                    problems,
                );
            }
        }
    }
    for bad in Profiles::of(&config.gates).err().into_iter().flatten() {
        problems.say(bad.key, bad.why, bad.hint);
    }
    own_names(config, problems);
    own_gates(config, problems);
}

/// What the user's own gates are told.
fn own_gates(config: &Config, problems: &mut Problems) {
    for (name, command) in &config.gate.command {
        if command.command.first().is_none_or(String::is_empty) {
            let hint = "write command = [\"program\", \"argument\"]".to_owned();
            problems.say(
                format!("gate.command.{name}.command"),
                "the command is empty",
                Some(hint),
            );
        }
    }
    for (name, told) in &config.gate.rule {
        if let Err(error) = rule::compile(&told.require) {
            problems.say(format!("gate.rule.{name}.require"), error.to_string(), error.hint);
        }
    }
}

/// Names of the user's own gates must not mean two things.
fn own_names(config: &Config, problems: &mut Problems) {
    let own = worknode_gates::gate::GATES.map(|about| about.name);
    let named = |kind: &'static str, name: &String| (format!("gate.{kind}.{name}"), name.clone());
    let commands = config.gate.command.keys().map(|name| named("command", name));
    let rules = config.gate.rule.keys().map(|name| named("rule", name));
    for (path, name) in commands.chain(rules) {
        if own.contains(&name.as_str()) {
            problems.say(
                path,
                "the program has a gate of this name",
                Some("choose another name".to_owned()),
            );
        } else if !is_name(&name) {
            let hint = "write letters, digits, `-` and `_`".to_owned();
            problems.say(
                path,
                format!("`{}` is not the name of a gate", shown(&name)),
                Some(hint),
            );
        } else if config.gate.command.contains_key(&name) && path.starts_with("gate.rule.") {
            problems.say(
                path,
                "a command has this name, too",
                Some("choose another name".to_owned()),
            );
        }
    }
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.is_empty() && name.chars().all(plain)
}

/// Checks a gate that somebody names.
pub(super) fn known_gate(config: &Config, path: &str, name: &str, problems: &mut Problems) {
    let names = names(config);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match gate::check_name(name, &names) {
        Err(unknown) => {
            let message = format!("there is no gate `{}`", shown(name));
            problems.say(path, message, Some(unknown.hint));
        }
        Ok(()) => configured(config, path, name, problems),
    }
}

/// Gates that need something of the configuration have it?
fn configured(config: &Config, path: &str, name: &str, problems: &mut Problems) {
    if name == gate::TESTS && config.gate.tests.is_none() {
        let hint = "add [gate.tests] with command = [\"program\", \"argument\"]".to_owned();
        problems.say(path, "the gate `tests` has no command", Some(hint));
    }
    if name == "coverage" {
        match &config.gate.coverage {
            None => {
                let hint = "add [gate.coverage] with reports = [\"coverage.xml\"]".to_owned();
                problems.say(path, "the gate `coverage` has no report", Some(hint));
            }
            Some(told) if told.command.is_none() && config.gate.tests.is_none() => {
                let hint = "add `command` to [gate.coverage], or [gate.tests]".to_owned();
                problems.say(
                    path,
                    "nothing makes the reports of the gate `coverage`",
                    Some(hint),
                );
            }
            Some(_) => {}
        }
    }
}
