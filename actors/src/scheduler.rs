//! The scheduler: fires what is due.
//!
//! It sleeps until the next instant at which something is due, looks at the whole window since
//! it last looked, and acts on each occurrence once: the firing, what it does and its outcome
//! are one transaction wherever the deed is only an event (P6). Stopping agents is not, and so
//! is journalled before and after.

mod act;
mod ask;
mod watch;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::task::JoinHandle;
use worknode_core::{
    bounds,
    error::Error,
    event::{Event, Principal, Record},
    hlc::Hlc,
    ids::NodeId,
    node::{Kind, Node},
    time::Timestamp,
};
use worknode_journal::{EventFilter, Firing, Reader};
use worknode_query::Facts;
use worknode_triggers::{
    Occurrence, SkipReason, Trigger, Window, due,
    due::next_due,
    event::{EventDecision, EventState},
    ladder::{DeadlineLadder, TaskDeadline},
    spec::Percent,
    trigger::{Action, When},
};

pub(crate) use self::act::PHASE as TRIGGERED;
pub use self::ask::{Replaced, SchedulerMsg, TriggerReport};
use self::watch::{Known, facts_of_node};
use crate::{clock::sleep_until, feed, store::all_of_kind, system::System};

/// Wait before a firing that could not be stored is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The actor.
#[derive(Debug)]
pub(crate) struct Scheduler;

/// A task whose deadline counts.
struct Deadline {
    key: String,
    deadline: Timestamp,
    since: Timestamp,
    /// How much is done, as its holder says.
    done: Option<Percent>,
}

pub(crate) struct State {
    system: System,
    /// Triggers with a timetable or a deadline ladder.
    timed: Vec<Arc<Trigger>>,
    /// Triggers that watch events, each with what it remembers of them.
    watching: Vec<(Arc<Trigger>, EventState)>,
    deadlines: HashMap<NodeId, Deadline>,
    /// Everything up to here has been looked at.
    looked: Timestamp,
    /// Whether something of the present look could not be stored, as on a full disk.
    unstored: AtomicBool,
    /// The next instant at which something is due, as of the last look.
    next: Option<Timestamp>,
    alarm: Option<JoinHandle<()>>,
}

/// An occurrence that is due, and what to do about it.
struct DueNow {
    trigger: Arc<Trigger>,
    occurrence: Occurrence,
    due: Timestamp,
    action: Arc<Action>,
    /// The task whose deadline it is about.
    about: Option<NodeId>,
    /// The event that it fires on; once the firing is stored, the firing.
    cause: Option<Hlc>,
}

impl Actor for Scheduler {
    type Msg = SchedulerMsg;
    type State = State;
    type Arguments = System;

    async fn pre_start(
        &self,
        myself: ActorRef<SchedulerMsg>,
        system: System,
    ) -> Result<State, ActorProcessingErr> {
        let begun = system.journal().last_stamp();
        let mut state = State::new(system)?;
        feed::follow(state.system.journal(), begun, myself.clone(), SchedulerMsg::Feed);
        state.finish_what_was_fired().await?;
        state.catch_up_on_events(begun).await?;
        myself.send_message(SchedulerMsg::Look)?;
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<SchedulerMsg>,
        message: SchedulerMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SchedulerMsg::Look => state.look().await,
            SchedulerMsg::LookNow(done) => {
                state.look().await;
                // Who asked may have gone away.
                let _ = done.send(());
            }
            SchedulerMsg::Feed(batch) => state.take_notice(&batch.records).await,
            SchedulerMsg::Fire { trigger, reply, .. } => drop(reply.send(Err(ask::unknown(&trigger)))),
            SchedulerMsg::Pause { trigger, reply, .. } | SchedulerMsg::Resume { trigger, reply, .. } => {
                drop(reply.send(Err(ask::unknown(&trigger))));
            }
            SchedulerMsg::Replace { reply, .. } => drop(reply.send(Ok(Replaced::default()))),
            SchedulerMsg::Report { reply, .. } => drop(reply.send(Ok(Vec::new()))),
        }
        state.set_alarm(&myself);
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<SchedulerMsg>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(alarm) = state.alarm.take() {
            alarm.abort();
        }
        Ok(())
    }
}

impl State {
    fn new(system: System) -> Result<Self, Error> {
        let triggers = system.team().triggers.iter().cloned().map(Arc::new);
        let (watching, timed): (Vec<_>, Vec<_>) =
            triggers.partition(|trigger| matches!(trigger.when(), When::Event(_)));
        let reader = &system.reader().clone();
        // The window goes on where the last firing of any trigger with a timetable ended; a
        // store that never fired owes nothing from before now.
        let looked = last_due(reader, &timed)?.unwrap_or_else(|| system.now());
        let mut state = Self {
            timed,
            watching: watching
                .into_iter()
                .map(|trigger| (trigger, EventState::default()))
                .collect(),
            deadlines: HashMap::new(),
            looked: looked.min(system.now()),
            unstored: AtomicBool::new(false),
            next: None,
            alarm: None,
            system,
        };
        for node in all_of_kind(reader, Kind::Task)? {
            state.note_deadline(&node);
        }
        Ok(state)
    }

    fn note_deadline(&mut self, node: &Node) {
        let Some(task) = node.task() else { return };
        match task.spec.deadline {
            Some(deadline) if !task.status.is_terminal() => {
                let known = self.deadlines.get(&node.id);
                // A deadline that is moved is given anew.
                let since = match known {
                    Some(known) if known.deadline == deadline => known.since,
                    Some(_) => self.system.now(),
                    None => node.created.wall,
                };
                let done = task.progress.as_ref().and_then(|progress| progress.percent);
                self.deadlines.insert(
                    node.id,
                    Deadline {
                        key: task.spec.key.clone(),
                        deadline,
                        since,
                        done: done.and_then(Percent::new),
                    },
                );
            }
            _ => drop(self.deadlines.remove(&node.id)),
        }
    }

    /// Fires what fell due since the last look.
    async fn look(&mut self) {
        let window = Window {
            last: self.looked,
            now: self.system.now(),
        };
        if window.now <= window.last {
            // The first look may come within the millisecond of the start. It is not the last.
            self.next = self.next_look();
            return;
        }
        self.unstored.store(false, Ordering::Relaxed);
        for trigger in self.timed.clone() {
            let (fire, skipped) = self.owed(&trigger, window);
            for (occurrence, due, reason) in skipped {
                self.skip(&occurrence, due, reason).await;
            }
            for due in fire {
                self.fire(due).await;
            }
        }
        self.fire_by_time(window.now).await;
        if self.unstored.load(Ordering::Relaxed) {
            // The window stays open: what was stored is not acted on twice, the rest is tried
            // again.
            self.next = Some(window.now.plus(TRY_AGAIN));
        } else {
            self.looked = window.now;
            self.next = self.next_look();
        }
    }

    /// Triggers that watch events also act when none come.
    async fn fire_by_time(&mut self, now: Timestamp) {
        for at in 0..self.watching.len() {
            let Some((trigger, state)) = self.watching.get_mut(at) else {
                continue;
            };
            let fired = state.on_time(trigger, now);
            let Some(action) = trigger.action().cloned() else {
                continue;
            };
            let trigger = Arc::clone(trigger);
            for firing in fired {
                self.fire(DueNow {
                    trigger: Arc::clone(&trigger),
                    occurrence: firing.occurrence,
                    due: firing.due_at,
                    action: Arc::clone(&action),
                    about: None,
                    cause: None,
                })
                .await;
            }
        }
    }

    /// What one trigger owes for the window.
    fn owed(
        &self,
        trigger: &Arc<Trigger>,
        window: Window,
    ) -> (Vec<DueNow>, Vec<(Occurrence, Timestamp, SkipReason)>) {
        match trigger.when() {
            When::Cron(_) | When::Every(_) => {
                let owed = due(trigger, window, bounds::CATCH_UP);
                let action = trigger.action().cloned();
                let fire = owed.fire.into_iter().filter_map(|firing| {
                    let action = action.clone()?;
                    let (occurrence, due) = (firing.occurrence, firing.due_at);
                    Some(DueNow {
                        trigger: Arc::clone(trigger),
                        occurrence,
                        due,
                        action,
                        about: None,
                        cause: None,
                    })
                });
                let skipped = owed.skipped.into_iter();
                (
                    fire.collect(),
                    skipped.map(|(f, why)| (f.occurrence, f.due_at, why)).collect(),
                )
            }
            When::Deadline(_) => self.owed_steps(trigger, window),
            When::Event(_) => (Vec::new(), Vec::new()),
        }
    }

    fn owed_steps(
        &self,
        trigger: &Arc<Trigger>,
        window: Window,
    ) -> (Vec<DueNow>, Vec<(Occurrence, Timestamp, SkipReason)>) {
        let Some(ladder) = DeadlineLadder::of(trigger) else {
            return (Vec::new(), Vec::new());
        };
        let facts = self.task_facts(trigger, window.now);
        let mut tasks = self.task_deadlines();
        for (task, facts) in tasks.iter_mut().zip(&facts) {
            task.facts = facts.as_ref();
        }
        let owed = ladder.due(&tasks, window, bounds::CATCH_UP);
        for (task, why) in &owed.unjudged {
            tracing::warn!(
                trigger = trigger.name(),
                task,
                why,
                "a deadline's condition has no answer"
            );
        }
        let fire = owed.fire.into_iter().map(|step| DueNow {
            trigger: Arc::clone(trigger),
            about: self
                .deadlines
                .iter()
                .find(|(_, d)| d.key == step.task.task)
                .map(|(id, _)| *id),
            occurrence: step.firing.occurrence,
            due: step.firing.scheduled_at,
            action: Arc::clone(&step.step.action),
            cause: None,
        });
        let skipped = owed.skipped.into_iter();
        (
            fire.collect(),
            skipped
                .map(|(s, why)| (s.firing.occurrence, s.firing.scheduled_at, why))
                .collect(),
        )
    }

    /// What a condition on tasks is asked of, in the order of [`Self::task_deadlines`].
    fn task_facts(&self, trigger: &Trigger, now: Timestamp) -> Vec<Option<Facts>> {
        if !trigger.needs_facts() {
            return Vec::new();
        }
        let reader = self.system.reader();
        self.deadlines
            .keys()
            .map(|task| facts_of_node(reader, *task, now))
            .collect()
    }

    fn task_deadlines(&self) -> Vec<TaskDeadline<'_>> {
        let deadlines = self.deadlines.values();
        deadlines
            .map(|d| TaskDeadline {
                task: &d.key,
                deadline: d.deadline,
                since: d.since,
                done: d.done,
                facts: None,
            })
            .collect()
    }

    /// What happened may fire event triggers, and may set or end deadlines.
    async fn take_notice(&mut self, records: &[Arc<Record>]) {
        for record in records {
            self.note_record(record);
            for at in 0..self.watching.len() {
                self.watch(at, record).await;
            }
        }
    }

    /// Shows one record to one trigger that watches events.
    async fn watch(&mut self, at: usize, record: &Record) {
        let Some((trigger, state)) = self.watching.get_mut(at) else {
            return;
        };
        let known = Known::of(&self.system, trigger, record);
        let decision = state.on_event(trigger, &known.seen(record.event.topic(), record.at));
        match &decision {
            EventDecision::Unjudged { reason } => {
                tracing::warn!(
                    trigger = trigger.name(),
                    reason,
                    "an event's condition has no answer"
                );
            }
            EventDecision::TooManySources => {
                tracing::warn!(
                    trigger = trigger.name(),
                    "too many sources; an event was not counted"
                );
            }
            _ => {}
        }
        let (EventDecision::Fire(occurrence), Some(action)) = (decision, trigger.action().cloned()) else {
            return;
        };
        let trigger = Arc::clone(trigger);
        let due = record.at.wall;
        self.fire(DueNow {
            trigger,
            occurrence,
            due,
            action,
            about: Some(record.node),
            cause: Some(record.at),
        })
        .await;
    }

    /// Events that an earlier daemon stored and may not have acted on. A trigger that has fired
    /// before remembers from there. A new one begins now, so that it does not act on old events;
    /// where it began is stored, so that the next daemon finds what this one may leave undone.
    async fn catch_up_on_events(&mut self, until: Hlc) -> Result<(), Error> {
        for at in 0..self.watching.len() {
            let Some((trigger, state)) = self.watching.get_mut(at) else {
                continue;
            };
            let last = self.system.reader().firings_of(trigger.name(), 1)?.pop();
            let known = last.and_then(|firing| {
                let since = firing.occurrence.parse::<Hlc>().ok()?;
                Some((since, began_there(&firing)))
            });
            let Some((since, new)) = known else {
                if trigger.enabled() {
                    let here = Occurrence::of_event(trigger.name(), until);
                    *state = EventState::new_at(until);
                    self.skip(&here, until.wall, SkipReason::New).await;
                }
                continue;
            };
            *state = if new {
                EventState::new_at(since)
            } else {
                EventState::fired_on(since)
            };
            let mut filter = EventFilter {
                after: since,
                until: Some(until),
                ..EventFilter::default()
            };
            loop {
                let page = self.system.reader().events(&filter)?;
                let Some(newest) = page.last() else { break };
                filter.after = newest.at;
                for record in &page {
                    self.watch(at, record).await;
                }
            }
        }
        Ok(())
    }

    fn note_record(&mut self, record: &Record) {
        let touches_deadlines = matches!(
            record.event,
            Event::NodeCreated { .. }
                | Event::NodeUpdated { .. }
                | Event::TaskCompleted { .. }
                | Event::TaskProgressed { .. }
                | Event::TaskFailed { .. }
                | Event::TaskCancelled { .. }
                | Event::TaskRetried
        );
        if !touches_deadlines {
            return;
        }
        match self.system.reader().node(record.node) {
            Ok(Some(node)) => {
                self.note_deadline(&node);
                self.next = self.next_look();
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "cannot read a task's deadline"),
        }
    }

    async fn skip(&self, occurrence: &Occurrence, due: Timestamp, reason: SkipReason) {
        let event = Event::TriggerSkipped {
            trigger: occurrence.trigger.clone(),
            occurrence: occurrence.key.clone(),
            due,
            reason: reason.to_string(),
        };
        self.store(&occurrence.trigger, None, vec![event]).await;
    }

    /// Stores what a trigger does because of `cause`. Answers the first event's stamp; nothing
    /// when it was not stored.
    async fn store(&self, trigger: &str, cause: Option<Hlc>, events: Vec<Event>) -> Option<Hlc> {
        let by = Principal::Trigger {
            name: trigger.to_owned(),
        };
        let team = self.system.team().node();
        match self.system.record_after(cause, by, team, events).await {
            Ok(records) => records.first().map(|record| record.at),
            Err(error) if error.code == worknode_core::error::Code::AlreadyExists => None,
            Err(error) => {
                tracing::error!(%error, trigger, "a firing could not be stored, and so did not act");
                self.unstored.store(true, Ordering::Relaxed);
                None
            }
        }
    }

    /// One timer for all triggers.
    fn set_alarm(&mut self, myself: &ActorRef<SchedulerMsg>) {
        if let Some(alarm) = self.alarm.take() {
            alarm.abort();
        }
        let next = self.next;
        let (clock, myself) = (Arc::clone(self.system.clock()), myself.clone());
        self.alarm = next.map(|instant| {
            tokio::spawn(async move {
                sleep_until(&clock, Some(instant)).await;
                // A scheduler that is gone needs no alarm.
                let _ = myself.send_message(SchedulerMsg::Look);
            })
        });
    }

    fn next_look(&self) -> Option<Timestamp> {
        let deadlines = self.task_deadlines();
        let next = |trigger: &Arc<Trigger>| match trigger.when() {
            When::Cron(_) | When::Every(_) => next_due(trigger, self.looked),
            When::Deadline(_) => DeadlineLadder::of(trigger)?.next_due(&deadlines, self.looked),
            When::Event(_) => None,
        };
        let timed = self.timed.iter().filter_map(next);
        let watching = self
            .watching
            .iter()
            .filter_map(|(trigger, state)| state.next_due(trigger));
        timed.chain(watching).min()
    }
}

/// Is this not a firing, but where the trigger began to watch?
fn began_there(firing: &Firing) -> bool {
    let began = SkipReason::New.to_string();
    let outcome = firing.outcome.as_deref();
    outcome.is_some_and(|outcome| outcome.ends_with(&began))
}

/// When the newest firing of any trigger with a timetable was due.
fn last_due(reader: &Reader, triggers: &[Arc<Trigger>]) -> Result<Option<Timestamp>, Error> {
    let mut newest = None;
    for trigger in triggers
        .iter()
        .filter(|t| matches!(t.when(), When::Cron(_) | When::Every(_)))
    {
        let firing = reader.firings_of(trigger.name(), 1)?.into_iter().next();
        newest = newest.max(firing.map(|firing| firing.due));
    }
    Ok(newest)
}
