//! Every mistake in a plan, with its place and advice.

use std::collections::{BTreeMap, BTreeSet};

use worknode_core::{bounds, task::Approval};

use super::{DEPENDENCIES, EDGES, NAME, PhaseSpec, Plan, PlanTask, TaskLimits, graph};
use crate::{
    gate,
    names::{Suggestions, fits},
    pattern::Patterns,
    text,
};

/// The largest quorum: more different ones agree on nothing.
pub const MOST_AGREE: u8 = 9;

/// A mistake in a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: keys and positions from the top, as in `phase[0].task[2].depends_on`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Finds every mistake in `plan`. `gates` and `agents` are the names that exist.
///
/// A plan without problems is safe to [`super::resolve`].
#[must_use]
pub fn check(plan: &Plan, gates: &[&str], agents: &[&str]) -> Vec<Problem> {
    let mut checker = Checker {
        gates,
        agents,
        places: places(plan),
        suggestions: Suggestions::default(),
        problems: Vec::new(),
    };
    checker.size(plan);
    let mut names = BTreeMap::new();
    for (at, phase) in plan.phase.iter().enumerate() {
        checker.phase(at, phase, &mut names);
    }
    checker.edges(plan);
    checker.problems
}

/// Finds roles that no agent has. `roles` are the profiles of the agents.
#[must_use]
pub fn check_roles(plan: &Plan, roles: &BTreeSet<&str>) -> Vec<Problem> {
    let mut suggestions = Suggestions::default();
    let mut problems = Vec::new();
    for (at, phase) in plan.phase.iter().enumerate() {
        for (position, task) in phase.task.iter().enumerate() {
            let Some(role) = task.role.as_deref().filter(|role| !roles.contains(role)) else {
                continue;
            };
            let shown = text::clipped(&text::readable(role), NAME);
            let near = suggestions.did_you_mean(role, roles.iter().copied());
            problems.push(Problem {
                path: format!("phase[{at}].task[{position}].role"),
                message: format!("no agent has the profile `{shown}`"),
                hint: near.or_else(|| Some("a role is the profile of an [[agent]]".to_owned())),
            });
        }
    }
    problems
}

/// Where each task stands: phase and position. Of tasks with the same id, the first.
fn places(plan: &Plan) -> BTreeMap<&str, (usize, usize)> {
    let mut places = BTreeMap::new();
    for (phase, spec) in plan.phase.iter().enumerate() {
        for (task, spec) in spec.task.iter().enumerate() {
            places.entry(spec.id.as_str()).or_insert((phase, task));
        }
    }
    places
}

struct Checker<'a> {
    gates: &'a [&'a str],
    agents: &'a [&'a str],
    places: BTreeMap<&'a str, (usize, usize)>,
    suggestions: Suggestions,
    problems: Vec<Problem>,
}

impl<'a> Checker<'a> {
    fn say(&mut self, path: impl Into<String>, message: impl Into<String>, hint: Option<String>) {
        self.problems.push(Problem {
            path: path.into(),
            message: message.into(),
            hint,
        });
    }

    fn size(&mut self, plan: &Plan) {
        let tasks = plan.tasks().count();
        let most = bounds::PENDING_TASKS;
        if tasks > most {
            let hint = "split the work into several plans".to_owned();
            self.say(
                "phase",
                format!("{tasks} tasks are too many; at most {most}"),
                Some(hint),
            );
        }
    }

    fn phase(&mut self, at: usize, phase: &'a PhaseSpec, names: &mut BTreeMap<&'a str, usize>) {
        let path = format!("phase[{at}]");
        if let Some(what) = bad_phase_name(&phase.name) {
            self.say(format!("{path}.name"), what, None);
        } else if let Some(first) = names.insert(&phase.name, at) {
            let message = format!("phase `{}` is there already, as phase[{first}]", phase.name);
            let hint = "give it another name, or put its tasks there".to_owned();
            self.say(format!("{path}.name"), message, Some(hint));
        }
        for (position, task) in phase.task.iter().enumerate() {
            self.task((at, position), task);
        }
        let tasks: Vec<&PlanTask> = phase.task.iter().collect();
        for (id, cycle) in graph::cycles(&tasks) {
            let position = self.places.get(id).map_or(0, |(_, position)| *position);
            let hint = "leave out one of these dependencies".to_owned();
            let message = format!("the tasks wait for each other: {cycle}");
            self.say(format!("{path}.task[{position}].depends_on"), message, Some(hint));
        }
    }

    fn task(&mut self, place: (usize, usize), task: &'a PlanTask) {
        let path = format!("phase[{}].task[{}]", place.0, place.1);
        self.id(&path, place, task);
        self.texts(&path, task);
        self.patterns(&path, task);
        self.depends_on(&path, place.0, task);
        self.names(&path, task);
        if task.max_attempts == Some(0) {
            let hint = "at least 1, or leave it out".to_owned();
            self.say(
                format!("{path}.max_attempts"),
                "a task that is never tried cannot be done",
                Some(hint),
            );
        }
        self.results(&path, task);
        if let Some(Approval::Quorum(wanted)) = task.approval
            && !(2..=MOST_AGREE).contains(&wanted)
        {
            let hint = format!("from 2 to {MOST_AGREE}; for one, write \"validation\" or \"operator\"");
            let message = format!("a quorum of {wanted} is none");
            self.say(format!("{path}.approval"), message, Some(hint));
        }
        if task.estimate.is_some_and(|span| span.0.is_zero()) {
            let hint = "as in \"45m\", or leave it out".to_owned();
            let message = "work that takes no time needs no plan";
            self.say(format!("{path}.estimate"), message, Some(hint));
        }
        if task.max_duration.is_some_and(|span| span.0.is_zero()) {
            let hint = "as in \"30m\", or leave it out".to_owned();
            self.say(
                format!("{path}.max_duration"),
                "a run that lasts no time does nothing",
                Some(hint),
            );
        }
        for key in task.limits.iter().flat_map(TaskLimits::nothing) {
            let hint = "name how much there is, or leave it out".to_owned();
            self.say(
                format!("{path}.limits.{key}"),
                "a run that has nothing of it does nothing",
                Some(hint),
            );
        }
    }

    fn id(&mut self, path: &str, place: (usize, usize), task: &PlanTask) {
        let path = format!("{path}.id");
        let id = text::clipped(&text::readable(&task.id), NAME);
        if !is_id(&task.id) {
            let message = if id.is_empty() {
                "the id is empty".to_owned()
            } else {
                format!("`{id}` cannot be an id")
            };
            let hint = format!(
                "begin with a lower-case letter or digit, go on with those, `.`, `_` or `-`, at most {NAME}"
            );
            self.say(path, message, Some(hint));
            return;
        }
        if let Some(first) = self.places.get(task.id.as_str()).filter(|first| **first != place) {
            let message = format!(
                "task `{id}` is there already, as phase[{}].task[{}]",
                first.0, first.1
            );
            self.say(path, message, Some("ids are unique in the whole plan".to_owned()));
        }
    }

    fn texts(&mut self, path: &str, task: &PlanTask) {
        if task.title.trim().is_empty() {
            self.say(format!("{path}.title"), "the title is empty", None);
        }
        if task.prompt.trim().is_empty() {
            let hint = "say what is to be done; the agent knows nothing else".to_owned();
            self.say(format!("{path}.prompt"), "the prompt is empty", Some(hint));
        }
        let (size, most) = (task.prompt.len(), bounds::PROMPT);
        if size > most {
            let message = format!("the prompt has {size} bytes; at most {most}");
            let hint = "put long material into a file of the repository and name it".to_owned();
            self.say(format!("{path}.prompt"), message, Some(hint));
        }
    }

    fn patterns(&mut self, path: &str, task: &PlanTask) {
        let nothing = Vec::new();
        let may_create = task.may_create.as_ref().unwrap_or(&nothing);
        let lists = [
            ("files", &task.files),
            ("may_create", may_create),
            ("may_delete", &task.may_delete),
        ];
        // Who may only make files needs to change none.
        let needs_files = may_create.is_empty();
        for (key, list) in lists {
            self.pattern_list(&format!("{path}.{key}"), key, list, key == "files" && needs_files);
        }
    }

    fn pattern_list(&mut self, at: &str, key: &str, list: &[String], needed: bool) {
        let patterns = match Patterns::parse(list) {
            Ok(patterns) => patterns,
            Err(errors) => {
                for error in errors {
                    self.say(at.to_owned(), error.to_string(), error.hint());
                }
                return;
            }
        };
        let message = match list {
            _ if !patterns.is_empty() => return,
            [] if !needed => return,
            [] => format!("`{key}` is empty, so nothing that the task does could land"),
            _ => format!("`{key}` only excludes, so it names no file"),
        };
        let hint = "name the files that may change, as in [\"src/**\", \"!src/generated/**\"]";
        self.say(at.to_owned(), message, Some(hint.to_owned()));
    }

    /// What must be there when it is done can be made by it, and is a path.
    fn results(&mut self, path: &str, task: &PlanTask) {
        let path = format!("{path}.deliverables");
        let (count, most) = (task.deliverables.len(), bounds::DELIVERABLES);
        if count > most {
            self.say(
                &path,
                format!("{count} deliverables are too many; at most {most}"),
                None,
            );
            return;
        }
        for result in &task.deliverables {
            let shown = text::clipped(&text::readable(result), 128);
            let one = Patterns::parse(std::slice::from_ref(result));
            if !one.is_ok_and(|one| one.literals().any(|path| path == result)) {
                let hint = "write paths as git has them, as in \"docs/schema.md\"".to_owned();
                let message = format!("`{shown}` is not the path of one file");
                self.say(&path, message, Some(hint));
                continue;
            }
            let may = task.may_create.iter().chain([&task.files]);
            let mut may = may.filter_map(|list| Patterns::parse(list).ok());
            if !may.any(|patterns| patterns.matches(result)) {
                let hint = "name it in `files`, too".to_owned();
                let message = format!("the task may not change `{shown}`, so it cannot deliver it");
                self.say(&path, message, Some(hint));
            }
        }
    }

    fn depends_on(&mut self, path: &str, phase: usize, task: &PlanTask) {
        let path = format!("{path}.depends_on");
        let mut seen = BTreeSet::new();
        for id in &task.depends_on {
            let shown = text::clipped(&text::readable(id), NAME);
            if !seen.insert(id) {
                self.say(&path, format!("`{shown}` stands there twice"), None);
                continue;
            }
            match self.places.get(id.as_str()) {
                None => {
                    let known = self.places.keys().copied();
                    let hint = self.suggestions.did_you_mean(id, known);
                    self.say(&path, format!("there is no task `{shown}`"), hint);
                }
                Some((of, _)) if *of > phase => {
                    let message = format!("`{shown}` is in a later phase, which waits for this one");
                    let hint = "move one of the two tasks to another phase".to_owned();
                    self.say(&path, message, Some(hint));
                }
                Some(_) => {}
            }
        }
    }

    fn names(&mut self, path: &str, task: &PlanTask) {
        for name in task.gates.iter().flatten() {
            if let Err(unknown) = gate::check_name(name, self.gates) {
                self.say(format!("{path}.gates"), unknown.to_string(), Some(unknown.hint));
            }
        }
        let Some(pattern) = &task.agent else { return };
        if self.agents.iter().any(|name| fits(pattern, name)) {
            return;
        }
        let shown = text::clipped(&text::readable(pattern), NAME);
        let several = format!("{pattern}-*");
        let hint = if self.agents.iter().any(|name| fits(&several, name)) {
            Some(format!("did you mean `{shown}-*`?"))
        } else {
            self.suggestions
                .did_you_mean(pattern, self.agents.iter().copied())
        };
        self.say(
            format!("{path}.agent"),
            format!("no agent has the name `{shown}`"),
            hint,
        );
    }

    /// Dependencies are stored with each task, so two wide phases in a row cost their product.
    fn edges(&mut self, plan: &Plan) {
        let hint = || Some("let a last task of the earlier phase depend on all others of it".to_owned());
        let mut edges = 0_usize;
        for (at, (phase, awaited)) in plan.phase.iter().zip(graph::awaited(plan)).enumerate() {
            let own: usize = phase.task.iter().map(|task| task.depends_on.len()).sum();
            edges = edges
                .saturating_add(own)
                .saturating_add(awaited.len().saturating_mul(phase.task.len()));
            for (position, task) in phase.task.iter().enumerate() {
                let count = task.depends_on.len() + awaited.len();
                if count > DEPENDENCIES {
                    let path = format!("phase[{at}].task[{position}].depends_on");
                    let message = format!(
                        "the task would wait for {count} others, those of the phase before included; at most {DEPENDENCIES}"
                    );
                    self.say(path, message, hint());
                }
            }
        }
        if edges > EDGES {
            let message =
                format!("the plan has {edges} dependencies, those between phases included; at most {EDGES}");
            self.say("phase", message, hint());
        }
    }
}

fn is_id(text: &str) -> bool {
    let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= NAME
        && text.starts_with(first)
        && text.chars().all(|c| first(c) || matches!(c, '.' | '_' | '-'))
}

fn bad_phase_name(name: &str) -> Option<String> {
    if name.trim().is_empty() {
        Some("the name is empty".to_owned())
    } else if name.chars().count() > NAME {
        Some(format!("the name is longer than {NAME} characters"))
    } else if name.chars().any(char::is_control) || name.contains('/') {
        Some("the name has a `/` or a control character".to_owned())
    } else {
        None
    }
}
