//! What would fire over a span of time: the real rules with a clock that is only counted.
//!
//! Nothing is changed by it, and nothing is guessed: what a simulation cannot know (events to
//! come, how long runs take) its caller says in [`World`].

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::Duration,
};

use worknode_core::{bounds, time::Timestamp};

use crate::{
    admit::{Admission, Situation, admit},
    due::{SkipReason, Window},
    event::{EventDecision, EventIndex, EventState, Seen},
    firing::{Firing, Occurrence},
    ladder::{DeadlineLadder, TaskDeadline},
    trigger::{Action, LadderStep, Trigger, When},
};

/// What is assumed of the world.
#[derive(Clone, Debug, Default)]
pub struct World<'a> {
    /// Tasks with deadlines, as they stand and stay.
    pub tasks: Vec<TaskDeadline<'a>>,
    /// Events that happen, in their order.
    pub events: Vec<Seen<'a>>,
    /// How long each run takes that a trigger starts. Zero: no time at all.
    pub run_time: Duration,
}

/// One occurrence in a simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulated<'a> {
    /// When it acts, or does not.
    pub at: Timestamp,
    /// Whose.
    pub trigger: &'a Trigger,
    /// What makes it due.
    pub reason: Reason<'a>,
    /// Why it does not act, when it does not.
    pub skipped: Option<SkipReason>,
}

/// What makes an occurrence due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason<'a> {
    /// The timetable, with the scheduled instant.
    Scheduled(Timestamp),
    /// A step before or after a deadline.
    Step {
        /// Of which task.
        task: &'a str,
        /// Which step.
        step: &'a LadderStep,
        /// Its identity.
        occurrence: Occurrence,
    },
    /// An event, or that none came.
    Event {
        /// Its identity.
        occurrence: Occurrence,
    },
}

impl Simulated<'_> {
    /// The identity that the occurrence will have.
    #[must_use]
    pub fn occurrence(&self) -> Occurrence {
        match &self.reason {
            Reason::Scheduled(at) => Occurrence::scheduled(self.trigger.name(), *at),
            Reason::Step { occurrence, .. } | Reason::Event { occurrence } => occurrence.clone(),
        }
    }
}

/// What the triggers would do in `(from, to]`, in order of time. Take what is needed: the span
/// may hold very much.
#[must_use]
pub fn simulate<'a>(
    triggers: &'a [Trigger],
    from: Timestamp,
    to: Timestamp,
    world: World<'a>,
) -> Simulation<'a> {
    let mut simulation = Simulation {
        index: EventIndex::build(triggers),
        actors: triggers.iter().map(|trigger| Actor::new(trigger, from)).collect(),
        agenda: BinaryHeap::new(),
        ready: VecDeque::new(),
        next_event: world.events.partition_point(|event| event.stamp.wall <= from),
        world,
        to,
    };
    for place in 0..simulation.actors.len() {
        simulation.plan(place, from);
    }
    simulation
}

/// The occurrences of a simulation, as an iterator.
#[derive(Debug)]
pub struct Simulation<'a> {
    index: EventIndex,
    actors: Vec<Actor<'a>>,
    /// When to look at which trigger.
    agenda: BinaryHeap<Reverse<(Timestamp, usize)>>,
    /// What was found and not yet taken.
    ready: VecDeque<Simulated<'a>>,
    /// The first event that has not happened yet.
    next_event: usize,
    world: World<'a>,
    to: Timestamp,
}

/// A trigger with what a simulation remembers of it.
#[derive(Debug)]
struct Actor<'a> {
    trigger: &'a Trigger,
    looked: Timestamp,
    fired: u64,
    /// When each of its runs ends.
    runs: VecDeque<Timestamp>,
    /// One waits for the end of a run.
    waits: Option<Box<Simulated<'a>>>,
    events: EventState,
    /// Spawns: only what runs can still be running.
    starts_runs: bool,
}

impl<'a> Actor<'a> {
    fn new(trigger: &'a Trigger, from: Timestamp) -> Self {
        let stamp = worknode_core::hlc::Hlc {
            wall: from,
            counter: 0,
            origin: 0,
        };
        let spawns = |action: &Action| matches!(action, Action::Spawn(_));
        let starts_runs = match trigger.when() {
            When::Deadline(ladder) => ladder.steps.iter().any(|step| spawns(&step.action)),
            _ => trigger.action().is_some_and(|action| spawns(action)),
        };
        Self {
            trigger,
            looked: from,
            fired: 0,
            runs: VecDeque::new(),
            waits: None,
            events: EventState::new_at(stamp),
            starts_runs,
        }
    }

    /// Lets an occurrence act or not.
    fn decide(&mut self, mut due: Simulated<'a>, run_time: Duration) -> Option<Simulated<'a>> {
        while self.runs.front().is_some_and(|end| *end <= due.at) {
            self.runs.pop_front();
        }
        let situation = Situation {
            running: u32::try_from(self.runs.len()).unwrap_or(u32::MAX),
            waiting: self.waits.is_some(),
            fired: self.fired,
            ..Situation::default()
        };
        match admit(self.trigger, &situation) {
            Admission::Skip(reason) => due.skipped = Some(reason),
            Admission::Wait(_) => {
                self.waits = Some(Box::new(due));
                return None;
            }
            Admission::Start => self.act(due.at, run_time),
            Admission::ReplacePrevious => {
                self.runs.clear();
                self.act(due.at, run_time);
            }
        }
        Some(due)
    }

    fn act(&mut self, at: Timestamp, run_time: Duration) {
        self.fired = self.fired.saturating_add(1);
        // With a bound, so that a simulation of very many at once costs no more than that.
        if self.starts_runs && !run_time.is_zero() && self.runs.len() < bounds::TRIGGER_BATCH {
            self.runs.push_back(at.plus(run_time));
        }
    }
}

impl<'a> Iterator for Simulation<'a> {
    type Item = Simulated<'a>;

    fn next(&mut self) -> Option<Simulated<'a>> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            let event = self.world.events.get(self.next_event).copied();
            let event = event.filter(|event| event.stamp.wall <= self.to);
            let planned = self.agenda.peek().map(|Reverse((at, _))| *at);
            match (planned, event) {
                (None, None) => return None,
                (Some(at), Some(event)) if event.stamp.wall < at => self.happen(&event),
                (None, Some(event)) => self.happen(&event),
                (Some(_), _) => {
                    if let Some(Reverse((at, place))) = self.agenda.pop() {
                        self.look(at, place);
                        self.plan(place, at);
                    }
                }
            }
        }
    }
}

impl<'a> Simulation<'a> {
    /// Notes when to look at a trigger next.
    fn plan(&mut self, place: usize, now: Timestamp) {
        let Some(actor) = self.actors.get(place) else {
            return;
        };
        let next = match actor.trigger.when() {
            _ if !actor.trigger.enabled() => None,
            When::Cron(_) | When::Every(_) => actor.trigger.next_slot(now).map(|slot| slot.due),
            When::Deadline(_) => {
                DeadlineLadder::of(actor.trigger).and_then(|ladder| ladder.next_due(&self.world.tasks, now))
            }
            When::Event(_) => actor.events.next_due(actor.trigger).map(|at| at.max(now)),
        };
        let freed = actor.waits.as_ref().and_then(|_| actor.runs.front().copied());
        let next = next.into_iter().chain(freed).min();
        if let Some(at) = next.filter(|at| *at <= self.to) {
            self.agenda.push(Reverse((at, place)));
        }
    }

    /// Looks at one trigger.
    fn look(&mut self, now: Timestamp, place: usize) {
        let run_time = self.world.run_time;
        let Some(actor) = self.actors.get_mut(place) else {
            return;
        };
        if let Some(waiting) = actor.waits.take() {
            if actor.runs.front().is_none_or(|end| *end <= now) {
                self.ready
                    .extend(actor.decide(Simulated { at: now, ..*waiting }, run_time));
            } else {
                actor.waits = Some(waiting);
            }
        }
        let trigger = actor.trigger;
        let window = Window {
            last: actor.looked,
            now,
        };
        let found: Vec<Simulated<'a>> = match trigger.when() {
            When::Cron(_) | When::Every(_) => {
                let slot = trigger.next_slot(window.last).filter(|slot| slot.due <= now);
                let reason = slot.map(|slot| Reason::Scheduled(slot.scheduled));
                reason
                    .into_iter()
                    .map(|reason| simulated(now, trigger, reason, None))
                    .collect()
            }
            When::Deadline(_) => steps(trigger, &self.world.tasks, window),
            When::Event(_) => {
                let fired = actor.events.on_time(trigger, now);
                fired
                    .into_iter()
                    .map(|firing| of_event(now, trigger, firing))
                    .collect()
            }
        };
        actor.looked = now;
        for due in found {
            if due.skipped.is_some() {
                self.ready.push_back(due);
            } else {
                self.ready.extend(actor.decide(due, run_time));
            }
        }
    }

    /// Lets the next event happen.
    fn happen(&mut self, event: &Seen<'a>) {
        self.next_event += 1;
        let mut candidates = Vec::new();
        self.index.candidates(event.kind, event.path, &mut candidates);
        for place in candidates
            .into_iter()
            .filter_map(|place| usize::try_from(place).ok())
        {
            let Some(actor) = self.actors.get_mut(place) else {
                continue;
            };
            let decision = actor.events.on_event(actor.trigger, event);
            if let EventDecision::Fire(occurrence) = decision {
                let reason = Reason::Event { occurrence };
                let due = simulated(event.stamp.wall, actor.trigger, reason, None);
                self.ready.extend(actor.decide(due, self.world.run_time));
            }
            self.plan(place, event.stamp.wall);
        }
    }
}

fn simulated<'a>(
    at: Timestamp,
    trigger: &'a Trigger,
    reason: Reason<'a>,
    skipped: Option<SkipReason>,
) -> Simulated<'a> {
    Simulated {
        at,
        trigger,
        reason,
        skipped,
    }
}

fn of_event(at: Timestamp, trigger: &Trigger, firing: Firing) -> Simulated<'_> {
    let reason = Reason::Event {
        occurrence: firing.occurrence,
    };
    simulated(at, trigger, reason, None)
}

/// The steps of a ladder in a window, with those that are skipped.
fn steps<'a>(trigger: &'a Trigger, tasks: &[TaskDeadline<'a>], window: Window) -> Vec<Simulated<'a>> {
    let Some(ladder) = DeadlineLadder::of(trigger) else {
        return Vec::new();
    };
    let due = ladder.due(tasks, window, bounds::CATCH_UP);
    let fire = due.fire.into_iter().map(|step| (step, None));
    let skipped = due.skipped.into_iter().map(|(step, reason)| (step, Some(reason)));
    let all = skipped.chain(fire).map(|(step, skipped)| {
        let reason = Reason::Step {
            task: step.task.task,
            step: step.step,
            occurrence: step.firing.occurrence,
        };
        simulated(window.now, trigger, reason, skipped)
    });
    all.collect()
}

#[cfg(test)]
mod tests;
