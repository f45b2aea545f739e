//! What the merged configuration means, and every mistake in its meaning.
//!
//! Checking and building are one walk, as in the triggers: what is built was checked. A part
//! that is wrong gets a stand-in and the walk goes on; what it built is then thrown away.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use axum::http::HeaderValue;
use worknode_actors::definition::TeamDefinition;
use worknode_core::bounds;
use worknode_policies::{names::Suggestions, plan, plan::Plan};
use worknode_profiles::profile::{SandboxMode, inherited_mistakes, share_mistakes};

use super::{
    Sources,
    check::PLACEHOLDER,
    definition::{self, Parts},
    included::Included,
    mistake::KEPT,
    model::{Config, DEFAULT_PROFILE, LimitsSection},
    path::shown,
    profiles::{Named, Profiles},
};

mod agents;
mod door;
mod gates;
mod kinds;
mod membranes;
mod places;
mod programs;
mod triggers;

use places::{Access, Places};
use programs::Programs;

/// Characters of a name of an agent or a team.
const NAME: usize = 64;

/// A mistake in the meaning, or a warning.
#[derive(Debug)]
pub(super) struct Problem {
    pub path: String,
    pub message: String,
    pub hint: Option<String>,
}

/// The problems found so far.
#[derive(Debug, Default)]
pub(super) struct Problems {
    pub mistakes: Vec<Problem>,
    pub warnings: Vec<Problem>,
    pub left_out: usize,
    mended: BTreeSet<String>,
}

impl Problems {
    /// `mended` are the keys with mistakes that were told already.
    pub(super) fn beside(mended: BTreeSet<String>) -> Self {
        Self {
            mended,
            ..Self::default()
        }
    }

    fn say(&mut self, path: impl Into<String>, message: impl Into<String>, hint: Option<String>) {
        let (path, message) = (path.into(), message.into());
        if self.is_consequence(&path, &message) {
            return;
        }
        if self.mistakes.len() >= KEPT {
            self.left_out += 1;
            return;
        }
        self.mistakes.push(Problem { path, message, hint });
    }

    fn warn(&mut self, path: impl Into<String>, message: impl Into<String>, hint: &str) {
        let (path, message) = (path.into(), message.into());
        if self.warnings.len() < KEPT && !self.is_consequence(&path, &message) {
            let hint = Some(hint.to_owned());
            self.warnings.push(Problem { path, message, hint });
        }
    }

    /// Is this about something that could not be read, and so was told already?
    fn is_consequence(&self, path: &str, message: &str) -> bool {
        let ends = path
            .char_indices()
            .filter(|(_, c)| matches!(c, '.' | '['))
            .map(|(at, _)| at);
        message.contains(PLACEHOLDER)
            || ends
                .chain([path.len()])
                .any(|end| self.mended.contains(path.get(..end).unwrap_or_default()))
    }
}

/// What is around the configuration.
#[derive(Debug)]
pub(super) struct World<'a> {
    /// The directory of `worknode.toml`.
    pub dir: &'a Path,
    /// The variable `PATH`.
    pub search: &'a str,
    /// Where the other variables are.
    pub sources: &'a Sources,
    /// Profiles and drivers.
    pub profiles: &'a Profiles,
    /// Triggers in files of their own.
    pub included: &'a Included,
}

/// Checks what `config` means and builds it. What is built is to be used only when no mistake
/// was found.
pub(super) fn understand(config: &Config, world: &World<'_>, problems: &mut Problems) -> TeamDefinition {
    let repository = repository(config, world, problems);
    team(config, problems);
    limits(&config.limits, problems);
    door::check(config, world, problems);
    telemetry(config, problems);
    let mut programs = Programs::new(&repository, world.search);
    let places = Places::new(world, &repository);
    let agents = agents::staff(config, world, places, &mut programs, problems);
    let names_known =
        !problems.mended.contains("agent") && config.agent.iter().all(|agent| agent.name != PLACEHOLDER);
    let names: BTreeSet<&str> = agents.iter().map(|agent| agent.name.as_str()).collect();
    let plan = Plan {
        phase: config.phase.clone(),
    };
    plan_problems(&plan, config, &names, names_known, problems);
    let roles: BTreeSet<&str> = agents.iter().map(|agent| agent.spec.profile.as_str()).collect();
    if names_known {
        for problem in plan::check_roles(&plan, &roles) {
            problems.say(problem.path, problem.message, problem.hint);
        }
    }
    gates::check(config, problems);
    tests(config, &mut programs, problems);
    let tests_writes = tests_writes(config, world, places, problems);
    children(config, agents.len(), problems);
    let triggers = triggers::compiled(
        (config, world.dir),
        world.included,
        &plan,
        names_known.then_some(&names),
        problems,
    );
    let mut definition = definition::definition(
        config,
        Parts {
            repository: repository.clone(),
            agents,
            triggers,
            plan,
            tests_writes,
            kinds: kinds::declared(config, world, problems),
        },
    );
    definition.membranes = membranes::declared(config, &definition, problems);
    definition
}

/// Checks only what the gates are told.
pub(super) fn gates_only(config: &Config, problems: &mut Problems) {
    gates::check(config, problems);
}

fn repository(config: &Config, world: &World<'_>, problems: &mut Problems) -> PathBuf {
    let path = world.dir.join(&config.team.repository);
    match path.canonicalize() {
        Ok(found) if found.is_dir() => return found,
        Ok(_) => {
            let message = format!("`{}` is not a directory", shown(&config.team.repository));
            problems.say("team.repository", message, None);
        }
        Err(error) => {
            let written = shown(&config.team.repository);
            let message = match error.kind() {
                std::io::ErrorKind::NotFound => format!("there is no directory `{written}`"),
                _ => format!("`{written}` cannot be used: {error}"),
            };
            let hint = "the path is relative to the directory of worknode.toml".to_owned();
            problems.say("team.repository", message, Some(hint));
        }
    }
    path
}

fn team(config: &Config, problems: &mut Problems) {
    if let Some(what) = config.team.name.as_deref().and_then(bad_team_name) {
        problems.say("team.name", what, None);
    }
    let base = config.team.base.as_str();
    // What git itself refuses is told when the repository is opened.
    if base.is_empty() || base.starts_with('-') || base.chars().any(|c| c.is_whitespace() || c.is_control()) {
        problems.say(
            "team.base",
            format!("`{}` is not the name of a branch", shown(base)),
            None,
        );
    }
}

fn limits(limits: &LimitsSection, problems: &mut Problems) {
    let shared = share_mistakes(&limits.into());
    let of_each = inherited_mistakes(limits.silence, limits.start, limits.output);
    for (key, why) in shared.into_iter().chain(of_each) {
        problems.say(format!("limits.{key}"), why, None);
    }
}

/// What is wrong with the name of a team.
pub(super) fn bad_team_name(name: &str) -> Option<&'static str> {
    if name.trim().is_empty() {
        Some("the name is empty")
    } else if name.chars().count() > NAME {
        Some("the name is longer than 64 characters")
    } else if name.contains('/') || name.chars().any(char::is_control) {
        Some("the name has a `/` or a control character")
    } else {
        None
    }
}

fn telemetry(config: &Config, problems: &mut Problems) {
    let section = &config.telemetry;
    if let Some(endpoint) = &section.otlp
        && let Err(why) = worknode_telemetry::export::check_endpoint(endpoint)
    {
        let hint = "write \"http://127.0.0.1:4318\"".to_owned();
        problems.say("telemetry.otlp", why, Some(hint));
    }
    for (name, value) in &section.headers {
        let fits = axum::http::HeaderName::try_from(name).is_ok() && HeaderValue::try_from(value).is_ok();
        if !fits {
            // The value may be a secret.
            let message = format!("`{}` and its value make no HTTP header", shown(name));
            problems.say(format!("telemetry.headers.{name}"), message, None);
        }
    }
}

fn plan_problems(
    plan: &Plan,
    config: &Config,
    names: &BTreeSet<&str>,
    names_known: bool,
    problems: &mut Problems,
) {
    let names: Vec<&str> = names.iter().copied().collect();
    let gates = gates::names(config);
    let gates: Vec<&str> = gates.iter().map(String::as_str).collect();
    for problem in plan::check(plan, &gates, &names) {
        if names_known || !problem.path.ends_with(".agent") {
            problems.say(problem.path, problem.message, problem.hint);
        }
    }
}

fn tests(config: &Config, programs: &mut Programs<'_>, problems: &mut Problems) {
    let Some(tests) = &config.gate.tests else { return };
    if tests.timeout.0.is_zero() {
        problems.say("gate.tests.timeout", "tests that have no time cannot pass", None);
    }
    if tests.sandbox == SandboxMode::Off {
        let message = "without a sandbox the tests may change whatever you may, and an agent wrote them";
        let hint = "write sandbox = \"best-effort\" to keep what the kernel can";
        problems.warn("gate.tests.sandbox", message, hint);
    }
    match tests.command.first() {
        None => {
            let hint = "write command = [\"program\", \"argument\"]".to_owned();
            problems.say("gate.tests.command", "the command is empty", Some(hint));
        }
        Some(program) => {
            if let Err(trouble) = programs.find(program) {
                problems.say("gate.tests.command", trouble.to_string(), trouble.hint());
            }
        }
    }
    if tests.command.iter().any(|argument| argument.contains('\0')) {
        problems.say("gate.tests.command", "an argument has a zero byte", None);
    }
}

/// The caches that the tests may write: those of the profile whose work they look at, unless the
/// configuration names others.
fn tests_writes(
    config: &Config,
    world: &World<'_>,
    places: Places<'_>,
    problems: &mut Problems,
) -> Vec<PathBuf> {
    let of_profile = match world.profiles.profile(DEFAULT_PROFILE) {
        Named::Known(profile) => profile.writes.as_slice(),
        Named::Unread | Named::Unknown => &[],
    };
    let own = config
        .gate
        .tests
        .as_ref()
        .and_then(|tests| tests.writes.as_deref());
    places.of("gate.tests.writes", Access::Write, own, of_profile, problems)
}

/// Agents and phases are the children of one Worknode; the triggers' own phase is one more.
fn children(config: &Config, agents: usize, problems: &mut Problems) {
    let (phases, most) = (config.phase.len(), bounds::CHILDREN);
    if agents + phases + 1 > most {
        let path = if agents > phases { "agent" } else { "phase" };
        let message = format!("agents and phases together are at most {most}");
        problems.say(path, message, None);
    }
}

/// "did you mean", or else what there is.
fn did_you_mean(suggestions: &mut Suggestions, written: &str, known: &[&str]) -> Option<String> {
    let few = known.len() <= 10 && !known.is_empty();
    suggestions
        .did_you_mean(written, known.iter().copied())
        .or_else(|| few.then(|| format!("there are: {}", known.join(", "))))
}
