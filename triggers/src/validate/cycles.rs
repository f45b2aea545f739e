//! Triggers that fire themselves without bound, alone or in a round.
//!
//! Only triggers that watch events can: a time comes once. What an action makes happen is known
//! by its kind: `emit` its own event, `spawn` all that a run, and its task, goes through. A round
//! is broken by what keeps one of its triggers from acting on each event: `cooldown` or
//! `debounce` of a second or more, `max_firings`, `consecutive` or `count` of two or more. A
//! `where` breaks it where runs lie between, since their events differ from each other; not
//! where a trigger itself writes the event.

use std::{collections::HashMap, time::Duration};

use super::Problem;
use crate::{
    event::EventIndex,
    trigger::{Action, EventRule, Trigger, When},
};

/// The shortest pause that keeps a round from turning without bound.
const PAUSE: Duration = Duration::from_secs(1);
/// Steps that the search takes. A configuration with more than that of triggers that follow each
/// other is checked up to here.
const MAX_STEPS: usize = 2_000_000;
/// Triggers of a round that are named.
const NAMED: usize = 6;

/// What a run goes through, and the agent with it.
const OF_A_RUN: &[&str] = &[
    "run_queued",
    "run_starting",
    "run_started",
    "run_session",
    "run_used",
    "run_stuck",
    "run_stopping",
    "run_exited",
    "agent_restarting",
    "agent_ready",
    "agent_quarantined",
    "agent_stopped",
];
/// What a task goes through.
const OF_A_TASK: &[&str] = &[
    "node_created",
    "task_ready",
    "task_claimed",
    "claim_renewed",
    "task_started",
    "task_progressed",
    "task_submitted",
    "task_released",
    "task_blocked",
    "verdict_recorded",
    "review_requested",
    "task_approved",
    "task_rejected",
    "landing_started",
    "landing_abandoned",
    "task_completed",
    "task_failed",
    "task_cancelled",
];
/// What every firing writes.
const OF_A_FIRING: &[&str] = &["trigger_fired", "trigger_acted"];

/// A round of triggers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// The place of the first one.
    pub trigger: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// All rounds, each told at the trigger in it that comes first. Triggers that are switched off
/// turn none.
pub fn cycles<'a>(triggers: impl IntoIterator<Item = &'a Trigger>) -> Vec<Cycle> {
    let triggers: Vec<&Trigger> = triggers.into_iter().collect();
    if !triggers
        .iter()
        .any(|trigger| matches!(trigger.when(), When::Event(_)))
    {
        return Vec::new();
    }
    let mut search = Search {
        index: EventIndex::build(triggers.iter().copied()),
        marks: vec![Mark::New; triggers.len()],
        followers: HashMap::new(),
        steps: 0,
        found: Vec::new(),
        triggers: &triggers,
    };
    for first in 0..triggers.len() {
        search.from(first);
    }
    search.found
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    /// On the way that is being followed, at this depth.
    Open(usize),
    Done,
}

/// A search that follows what each trigger makes happen.
struct Search<'a> {
    triggers: &'a [&'a Trigger],
    index: EventIndex,
    marks: Vec<Mark>,
    /// Who acts on each type of event, as far as it was asked for.
    followers: HashMap<&'a str, Vec<u32>>,
    steps: usize,
    found: Vec<Cycle>,
}

impl<'a> Search<'a> {
    fn from(&mut self, first: usize) {
        // The way to where the search is, each with those that are still to be followed.
        let mut way: Vec<(usize, Vec<usize>)> = Vec::new();
        self.enter(first, &mut way);
        while let Some((at, next)) = way.last_mut() {
            let at = *at;
            let Some(next) = next.pop() else {
                self.set(at, Mark::Done);
                way.pop();
                continue;
            };
            match self.marks.get(next) {
                Some(Mark::Open(depth)) => {
                    let round: Vec<usize> = way.iter().skip(*depth).map(|(trigger, _)| *trigger).collect();
                    self.note(&round);
                }
                Some(Mark::New) => self.enter(next, &mut way),
                _ => {}
            }
        }
    }

    fn enter(&mut self, at: usize, way: &mut Vec<(usize, Vec<usize>)>) {
        let Some(trigger) = self.triggers.get(at) else {
            return;
        };
        if self.marks.get(at) != Some(&Mark::New) || self.steps > MAX_STEPS {
            return;
        }
        let next = match trigger.when() {
            When::Event(rule) if trigger.enabled() && !has_brake(trigger, rule) => {
                self.next(trigger, rule.condition.is_some())
            }
            _ => Vec::new(),
        };
        self.steps += 1 + next.len();
        self.set(at, Mark::Open(way.len()));
        way.push((at, next));
    }

    /// Who acts on what this trigger makes happen.
    fn next(&mut self, trigger: &'a Trigger, has_condition: bool) -> Vec<usize> {
        let mut next = Vec::new();
        for kind in trigger
            .action()
            .into_iter()
            .flat_map(|action| made_by(action, has_condition))
        {
            let index = &self.index;
            let followers = self.followers.entry(kind).or_insert_with(|| {
                let mut found = Vec::new();
                index.candidates_anywhere(kind, &mut found);
                found
            });
            for place in followers.iter() {
                let Ok(place) = usize::try_from(*place) else {
                    continue;
                };
                let acts = self
                    .triggers
                    .get(place)
                    .is_some_and(|trigger| match trigger.when() {
                        When::Event(rule) => rule.event.matches(kind) && !is_settled_by_condition(rule, kind),
                        _ => false,
                    });
                if acts {
                    next.push(place);
                }
            }
        }
        next.sort_unstable();
        next.dedup();
        next
    }

    fn set(&mut self, at: usize, mark: Mark) {
        if let Some(place) = self.marks.get_mut(at) {
            *place = mark;
        }
    }

    fn note(&mut self, round: &[usize]) {
        let Some(first) = round.iter().min().copied() else {
            return;
        };
        if self.found.iter().any(|cycle| cycle.trigger == first) {
            return;
        }
        let Some(trigger) = self.triggers.get(first) else {
            return;
        };
        let start = round.iter().position(|at| *at == first).unwrap_or_default();
        let turned = round.iter().cycle().skip(start).take(round.len());
        let names: Vec<&str> = turned
            .filter_map(|at| Some(self.triggers.get(*at)?.name()))
            .collect();
        self.found.push(Cycle {
            trigger: first,
            problem: Problem {
                key: trigger.action().map_or("", |action| key(action)).to_owned(),
                message: message(&names),
                hint: Some("give it `cooldown`, `debounce` or `max_firings`".to_owned()),
            },
        });
    }
}

fn message(names: &[&str]) -> String {
    if names.len() <= 1 {
        return "the trigger would fire itself for ever".to_owned();
    }
    let more = names.len().saturating_sub(NAMED);
    let named: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    let rest = if more > 0 {
        format!(", {more} more")
    } else {
        String::new()
    };
    format!(
        "the triggers would fire each other for ever: {}{rest}, and again",
        named.join(", ")
    )
}

/// Where in the configuration the action says what comes of it.
fn key(action: &Action) -> &'static str {
    match action {
        Action::Emit(_) => "emit.event",
        other => other.key(),
    }
}

/// The types of events that the action makes happen.
fn made_by(action: &Action, has_condition: bool) -> impl Iterator<Item = &str> {
    let own = made_always(action, has_condition);
    let task: &[&str] = match action {
        Action::Spawn(spec) if spec.task.is_some() && !has_condition => OF_A_TASK,
        _ => &[],
    };
    let emitted = match action {
        Action::Emit(spec) => Some(spec.event.as_str()),
        _ => None,
    };
    own.iter().chain(task).chain(OF_A_FIRING).copied().chain(emitted)
}

/// Those that follow from the sort of action alone.
const fn made_always(action: &Action, has_condition: bool) -> &'static [&'static str] {
    match action {
        Action::Spawn(_) if has_condition => &[],
        Action::Spawn(_) => OF_A_RUN,
        Action::Notify { .. } => &["notified"],
        Action::Gate(_) => &["verdict_recorded"],
        Action::Escalate(_) => &["node_updated", "task_raised", "task_lowered"],
        // There are only so many agents to stop, and a command writes what it likes.
        Action::Terminate { .. } | Action::Emit(_) | Action::Run(_) => &[],
    }
}

/// Does the condition tell runs and tasks apart? Of what triggers write, it cannot be known.
fn is_settled_by_condition(rule: &EventRule, kind: &str) -> bool {
    rule.condition.is_some() && (OF_A_RUN.contains(&kind) || OF_A_TASK.contains(&kind))
}

fn has_brake(trigger: &Trigger, rule: &EventRule) -> bool {
    rule.need > 1
        || rule.cooldown.0 >= PAUSE
        || rule.debounce.0 >= PAUSE
        || !rule.absent_for.0.is_zero()
        || trigger.terms().max_firings.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{spec::TriggerSpec, trigger::compile};

    fn trigger(name: &str, text: &str) -> Trigger {
        compile(&toml::from_str::<TriggerSpec>(&format!("name = \"{name}\"\n{text}")).unwrap()).unwrap()
    }

    /// The place and message of the first mistake of a trigger alone.
    fn alone(text: &str) -> Option<(String, String)> {
        let spec: TriggerSpec = toml::from_str(&format!("name = \"t\"\n{text}")).unwrap();
        spec.validate()
            .into_iter()
            .next()
            .map(|problem| (problem.key, problem.message))
    }

    #[test]
    fn a_trigger_that_fires_itself_is_found_however_it_does() {
        for (text, key) in [
            ("event = \"a\"\nemit = { event = \"a\" }", "emit.event"),
            ("event = \"a*\"\nemit = { event = \"ab\" }", "emit.event"),
            (
                "event = \"a\"\nwhere = \"event.data.x > 1\"\nemit = { event = \"a\" }",
                "emit.event",
            ),
            ("event = \"trigger_fired\"\nnotify = \"operator\"", "notify"),
            ("event = \"*\"\nrun = { command = [\"true\"] }", "run"),
            ("event = \"notified\"\nnotify = \"operator\"", "notify"),
            ("event = \"run_exited\"\nspawn = { agent = \"a\" }", "spawn"),
            (
                "event = \"task_failed\"\nspawn = { agent = \"a\", task = { title = \"mend it\" } }",
                "spawn",
            ),
        ] {
            let (found, message) = alone(text).unwrap();
            assert_eq!(
                (found.as_str(), message.as_str()),
                (key, "the trigger would fire itself for ever"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_has_an_end_is_fine() {
        for text in [
            "event = \"a\"\nemit = { event = \"b\" }",
            "event = \"a\"\nmax_firings = 3\nemit = { event = \"a\" }",
            "event = \"run_exited\"\ncooldown = \"10m\"\nspawn = { agent = \"a\" }",
            "event = \"run_exited\"\nconsecutive = 3\nspawn = { agent = \"a\" }",
            "event = \"run_exited\"\nwhere = \"agent.name != 'a'\"\nspawn = { agent = \"a\" }",
            "event = \"task_failed\"\nspawn = { agent = \"a\" }",
            "event = \"run_exited\"\nterminate = { agents = \"*\", reason = \"r\" }",
            "event = \"a\"\nenabled = false\nemit = { event = \"a\" }",
            "every = \"1h\"\nemit = { event = \"trigger_fired\" }",
        ] {
            assert_eq!(alone(text), None, "{text}");
        }
    }

    #[test]
    fn a_round_is_told_once_at_its_first_trigger() {
        let triggers = [
            trigger("outside", "event = \"z\"\nemit = { event = \"a\" }"),
            trigger("ping", "event = \"a\"\nemit = { event = \"b\" }"),
            trigger("pong", "event = \"b\"\nemit = { event = \"c\" }"),
            trigger("pang", "event = \"c\"\nemit = { event = \"a\" }"),
        ];
        let found = cycles(&triggers);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].trigger, found[0].problem.key.as_str()),
            (1, "emit.event")
        );
        assert_eq!(
            found[0].problem.message,
            "the triggers would fire each other for ever: `ping`, `pong`, `pang`, and again"
        );
        // One brake is enough.
        let mut braked = triggers.to_vec();
        braked[3] = trigger(
            "pang",
            "event = \"c\"\ncooldown = \"1s\"\nemit = { event = \"a\" }",
        );
        assert_eq!(cycles(&braked), []);
    }

    #[test]
    fn p8_many_triggers_on_one_event_are_no_work() {
        let triggers: Vec<Trigger> = (0..2_000)
            .map(|number| {
                trigger(
                    &format!("t{number}"),
                    &format!("event = \"a\"\nemit = {{ event = \"b{number}\" }}"),
                )
            })
            .collect();
        assert_eq!(cycles(&triggers), []);
    }
}
