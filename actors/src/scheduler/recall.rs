//! Where an earlier daemon stopped, this one goes on.
//!
//! | what | from |
//! |---|---|
//! | the window of each trigger | its newest occurrence, or when it was first seen |
//! | what was begun | firings without an outcome: each deed can be repeated, or says that it was interrupted |
//! | what goes on | firings whose run, task or raise is not over; a raise without its trigger ends |
//! | what event triggers counted | the events since they last fired, up to [`RECALLED`] of them |

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use worknode_core::{
    error::Error,
    event::{Draft, Event, Record},
    firing::{Firing, Started},
    hlc::Hlc,
    time::Timestamp,
    trigger::TriggerState,
};
use worknode_journal::{EventFilter, Reader};
use worknode_triggers::{
    Admission, Occurrence, Situation, Trigger, admit,
    event::{EventDecision, EventState, Seen},
    spec::CountBy,
    trigger::When,
};

use super::{
    State,
    batch::DueNow,
    job::{Job, Live, Stage},
    notice::tell,
    slot::{Slot, until},
    watch::Known,
};
use crate::system::System;

/// Names of one event that says since when triggers are watched.
const NAMES: usize = 500;
/// Rows that are read at once.
const PAGE: usize = 1_000;
/// Events that are looked at again at a start, at the most. What event triggers counted before
/// these is forgotten: they may fire later than they would have, never too early.
pub(super) const RECALLED: usize = 20_000;

/// What is known of every trigger that there ever was.
pub(super) fn stored_states(reader: &Reader) -> Result<HashMap<String, TriggerState>, Error> {
    let mut all = HashMap::new();
    let mut after = String::new();
    loop {
        let page = reader.triggers(&after, PAGE)?;
        let Some((last, _)) = page.last() else {
            return Ok(all);
        };
        after.clone_from(last);
        all.extend(page);
    }
}

/// The slots of these triggers. New ones, and those that say something else than they did to the
/// last daemon, begin now, and that is stored; so is which are gone.
pub(super) async fn slots(
    system: &System,
    triggers: Vec<Trigger>,
    mut known: HashMap<String, TriggerState>,
) -> Result<Vec<Slot>, Error> {
    let here: HashSet<&str> = triggers
        .iter()
        .filter(|trigger| trigger.enabled())
        .map(Trigger::name)
        .collect();
    let gone = known
        .iter()
        .filter(|(name, state)| state.watched && !here.contains(name.as_str()));
    let gone: Vec<String> = gone.map(|(name, _)| name.clone()).collect();
    let is_watched = |trigger: &Trigger| {
        let known = known.get(trigger.name()).filter(|state| state.watched);
        // What an earlier version stored has no digest.
        known.is_some_and(|state| state.digest.is_none_or(|digest| digest == trigger.digest()))
    };
    let new = triggers.iter().filter(|trigger| here.contains(trigger.name()));
    let new: Vec<(String, u64)> = new.filter(|trigger| !is_watched(trigger)).map(watching).collect();
    let records = tell_watched(system, new, gone).await?;
    for record in &records {
        for name in worknode_core::trigger::triggers_of(&record.event) {
            let next = TriggerState::after(known.get(name), name, record);
            known.insert(name.clone(), next);
        }
    }
    let now = system.now();
    let latest = system.journal().last_stamp();
    let slot = |trigger: Trigger| {
        let state = known.remove(trigger.name());
        let state = state.unwrap_or_else(|| TriggerState::new(latest));
        Slot::new(Arc::new(trigger), state, now)
    };
    Ok(triggers.into_iter().map(slot).collect())
}

/// A trigger as it is told of: its name, and the digest of what it says.
pub(super) fn watching(trigger: &Trigger) -> (String, u64) {
    (trigger.name().to_owned(), trigger.digest())
}

/// Stores since when triggers are watched, and which are gone.
pub(super) async fn tell_watched(
    system: &System,
    new: Vec<(String, u64)>,
    gone: Vec<String>,
) -> Result<Vec<Record>, Error> {
    let begun = new.chunks(NAMES).map(|chunk| {
        let (triggers, digests) = chunk.iter().cloned().unzip();
        Event::TriggersWatched { triggers, digests }
    });
    let over = gone.chunks(NAMES).map(|chunk| Event::TriggersDropped {
        triggers: chunk.to_vec(),
    });
    let draft = |event| Draft {
        node: system.team().node(),
        by: worknode_core::event::Principal::Runtime,
        cause: None,
        event,
    };
    let drafts: Vec<Draft> = over.chain(begun).map(draft).collect();
    if drafts.is_empty() {
        return Ok(Vec::new());
    }
    system.store(drafts).await
}

impl State {
    /// Goes on with the firings that are not over.
    pub(super) async fn finish_what_was_fired(&mut self) -> Result<(), Error> {
        let mut after = Hlc::ZERO;
        let mut open = Vec::new();
        loop {
            let page = self.system.reader().firings_under_way(after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.recorded;
            for firing in page {
                if let Some(job) = self.recalled(&firing).await {
                    open.push((job, firing));
                }
            }
        }
        // What goes on is known first: the others may have to wait for it.
        for (job, firing) in open {
            self.go_on(job, &firing).await;
        }
        Ok(())
    }

    /// The firing as it was; what only goes on is noted already, what nobody can go on with is ended.
    async fn recalled(&mut self, firing: &Firing) -> Option<Job> {
        let place = self.slots.place(&firing.trigger);
        let slot = place.and_then(|place| self.slots.get(place));
        let trigger = slot.map(|slot| Arc::clone(&slot.trigger));
        let job = trigger.and_then(|trigger| Job::recall(&trigger, firing, |key| self.deadlines.task(key)));
        if let Some(started) = firing.course.started {
            self.recall_started(firing, started, place.zip(job)).await;
            return None;
        }
        if job.is_none() {
            self.nobody_goes_on(firing).await;
        }
        job
    }

    /// What it started goes on, also without its trigger; what it raised does not, as then nobody would
    /// look when that is over.
    async fn recall_started(&mut self, firing: &Firing, started: Started, known: Option<(usize, Job)>) {
        let lives = known.is_some();
        if let Some((place, job)) = known
            && let Some(slot) = self.slots.get_mut(place)
        {
            let stage = Stage::Running(started);
            slot.live.push(Live { job, stage });
        }
        self.goes_on(&firing.trigger, &firing.occurrence, started).await;
        if !lives && until(&started).is_some() {
            let occurrence = Occurrence {
                trigger: firing.trigger.clone(),
                key: firing.occurrence.clone(),
            };
            self.lower(started, &occurrence, firing.recorded).await;
        }
    }

    async fn nobody_goes_on(&self, firing: &Firing) {
        let event = Event::TriggerActed {
            trigger: firing.trigger.clone(),
            occurrence: firing.occurrence.clone(),
            outcome: "the trigger is no longer configured".to_owned(),
            failed: true,
            started: None,
        };
        let draft = self.draft(&firing.trigger, Some(firing.recorded), event);
        if let Err(error) = self.system.store(vec![draft]).await {
            tracing::error!(%error, "the end of a firing could not be stored; the next daemon does");
        }
    }

    async fn go_on(&mut self, job: Job, firing: &Firing) {
        let Some(place) = self.slots.place(&firing.trigger) else {
            return;
        };
        let key = job.occurrence.key.clone();
        let situation = Situation {
            waiting: false,
            ..self.situation(place, &job.action)
        };
        let admission = admit(&job.trigger, &situation);
        let resting = firing.course.retry_at;
        let stage = match admission {
            _ if resting.is_some() => Stage::Resting(resting.unwrap_or_default()),
            Admission::Wait(_) => Stage::Waiting,
            _ => Stage::Acting(None),
        };
        let Some(slot) = self.slots.get_mut(place) else {
            return;
        };
        let waits = matches!(stage, Stage::Waiting);
        let acts = matches!(stage, Stage::Acting(_));
        slot.live.push(Live { job, stage });
        if waits {
            self.waiting.insert(place);
        }
        if acts {
            self.begin(place, &key, Vec::new());
        }
    }

    /// What event triggers counted, and what they should have fired on and did not.
    pub(super) async fn recall_events(&mut self, until: Hlc) -> Result<(), Error> {
        let reader = self.system.reader().clone();
        let Some(from) = self.begin_recall(&reader)? else {
            return Ok(());
        };
        let mut due = Vec::new();
        let mut filter = EventFilter {
            after: from,
            until: Some(until),
            ..EventFilter::default()
        };
        loop {
            let page = reader.events(&filter)?;
            let Some(newest) = page.last() else { break };
            filter.after = newest.at;
            for record in &page {
                self.recall_event(&reader, record, &mut due)?;
            }
        }
        let storing = self.judge_events(due).await;
        self.settle(storing).await;
        Ok(())
    }

    /// Sets every event trigger back to where its count can be gone on from; answers from where
    /// events have to be seen again.
    fn begin_recall(&mut self, reader: &Reader) -> Result<Option<Hlc>, Error> {
        let oldest = reader.stamp_back(RECALLED)?;
        let mut from: Option<Hlc> = None;
        for place in 0..self.slots.len() {
            let Some(slot) = self.slots.get_mut(place) else {
                continue;
            };
            let When::Event(rule) = slot.trigger.when() else {
                continue;
            };
            let anchor = anchor(&slot.state);
            let state = match (rule.count_by, slot.state.last.is_some()) {
                (CountBy::All, true) => EventState::fired_on(anchor.max(oldest)),
                _ => EventState::new_at(slot.state.since.max(oldest)),
            };
            let begins = match rule.count_by {
                CountBy::All => anchor.max(oldest),
                CountBy::Source => slot.state.since.max(oldest),
            };
            slot.events = Some(Box::new(state));
            if slot.trigger.enabled() && !slot.is_paused() {
                from = Some(from.map_or(begins, |known| known.min(begins)));
            }
        }
        Ok(from)
    }

    fn recall_event(&mut self, reader: &Reader, record: &Record, due: &mut Vec<DueNow>) -> Result<(), Error> {
        let mut found = Vec::new();
        self.slots
            .index
            .candidates_anywhere(record.event.topic(), &mut found);
        let mut known = Known::of(record);
        for place in found {
            let Ok(place) = usize::try_from(place) else {
                continue;
            };
            let Some(slot) = self.slots.get_mut(place).filter(|slot| !slot.is_paused()) else {
                continue;
            };
            let Some(action) = slot.trigger.action().cloned() else {
                continue;
            };
            let newest = slot.state.last.as_ref().map_or(Hlc::ZERO, |last| last.at);
            let seen = known.seen(reader, &slot.trigger);
            let Some(state) = slot.events.as_mut() else {
                continue;
            };
            for Fires {
                occurrence,
                at,
                event,
            } in fires_on(state, &slot.trigger, &seen, record.at)
            {
                if !is_told(reader, &occurrence, at, newest)? {
                    due.push(DueNow {
                        place,
                        occurrence,
                        due: at,
                        action: Arc::clone(&action),
                        task: None,
                        event,
                        by: None,
                    });
                }
            }
        }
        Ok(())
    }
}

/// Is it recorded? Up to the last firing that is, the journal knows better.
fn is_told(reader: &Reader, occurrence: &Occurrence, due: Timestamp, newest: Hlc) -> Result<bool, Error> {
    Ok(due <= newest.wall || reader.firing(&occurrence.trigger, &occurrence.key)?.is_some())
}

/// An occurrence, when it was due, and the event that it is about.
struct Fires {
    occurrence: Occurrence,
    at: Timestamp,
    event: Option<Hlc>,
}

/// What a trigger fires on when it sees an event of this instant; first what was due by time since the
/// event before, which has fired then.
fn fires_on(state: &mut EventState, trigger: &Trigger, seen: &Seen<'_>, at: Hlc) -> Vec<Fires> {
    let by_time = state.on_time(trigger, at.wall).into_iter().map(|firing| Fires {
        event: firing.occurrence.key.parse().ok(),
        occurrence: firing.occurrence,
        at: firing.due_at,
    });
    let mut fires: Vec<Fires> = by_time.collect();
    let decision = state.on_event(trigger, seen);
    tell(trigger.name(), &decision);
    if let EventDecision::Fire(occurrence) = decision {
        fires.push(Fires {
            occurrence,
            at: at.wall,
            event: Some(at),
        });
    }
    fires
}

/// From where the count of a trigger is known: the event that it fired on, or its beginning.
fn anchor(state: &TriggerState) -> Hlc {
    let Some(last) = &state.last else {
        return state.since;
    };
    let on = last.occurrence.parse().unwrap_or(last.at);
    on.max(state.since)
}
