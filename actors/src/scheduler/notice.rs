//! What happens is taken notice of: it may fire triggers, set deadlines, and end what triggers
//! started.

use std::{collections::BTreeSet, sync::Arc};

use worknode_core::{
    event::{Event, Record},
    firing::Started,
    time::Timestamp,
    trigger::{TriggerState, triggers_of},
};
use worknode_triggers::event::EventDecision;

use super::{State, TRY_AGAIN, batch::DueNow, deadlines, job::Stage, over, watch::Known};

/// So many triggers are asked about an event at once without looking where it happened.
const ASKED: usize = 16;

impl State {
    /// Takes notice of what happened, in its order.
    pub(super) async fn take_notice(&mut self, records: &[Arc<Record>]) {
        let mut due = Vec::new();
        let mut touched = BTreeSet::new();
        let mut deadlines = false;
        let mut free = false;
        for record in records {
            deadlines |= self.note_deadline(record);
            free |= self.note_own(record, &mut touched).await;
            free |= self.note_end(record).await;
            self.watch(record, &mut due, &mut touched);
        }
        let storing = self.judge_events(due).await;
        self.settle(storing).await;
        if free {
            self.wake_waiting(&mut touched).await;
            let waits = !self.waiting.is_empty();
            self.ask_again = waits.then(|| self.system.now().plus(TRY_AGAIN));
        }
        self.ask_at_end_of_pause(self.system.now());
        if deadlines {
            touched.extend(self.slots.ladders.iter().copied());
        }
        let touched: Vec<usize> = touched.into_iter().collect();
        self.raise_alarms(&touched, self.system.now()).await;
        self.plan_all(&touched);
    }

    fn note_deadline(&mut self, record: &Record) -> bool {
        if self.slots.ladders.is_empty() || !deadlines::may_change(record) {
            return false;
        }
        match self.system.reader().node(record.node) {
            Ok(Some(node)) => self.deadlines.note(&node, self.system.now()),
            Ok(None) => return false,
            Err(error) => tracing::error!(%error, "cannot read a task's deadline"),
        }
        true
    }

    /// Takes notice of what triggers did. True when a firing is over, so that another may begin.
    async fn note_own(&mut self, record: &Record, touched: &mut BTreeSet<usize>) -> bool {
        let mut over = false;
        for name in triggers_of(&record.event) {
            if let Some(place) = self.slots.place(name) {
                self.fold(place, record);
                touched.insert(place);
            }
        }
        match &record.event {
            Event::TriggerActed {
                trigger,
                occurrence,
                started,
                ..
            } => match started {
                Some(started) => self.goes_on(trigger, occurrence, *started).await,
                None => over = self.forget(trigger, occurrence),
            },
            Event::TriggerEnded {
                trigger, occurrence, ..
            } => over = self.forget(trigger, occurrence),
            Event::TriggerAttempted {
                trigger,
                occurrence,
                attempt,
                retry_at,
                ..
            } => {
                if let Some(place) = self.slots.place(trigger) {
                    self.rests(place, occurrence, *attempt, *retry_at);
                    touched.insert(place);
                }
            }
            _ => {}
        }
        over
    }

    fn fold(&mut self, place: usize, record: &Record) {
        let Some(slot) = self.slots.get_mut(place) else {
            return;
        };
        if let Event::TriggerFired { by: None, .. } = &record.event {
            // What was stored before this scheduler began is in its state already.
            if slot.state.last.as_ref().is_some_and(|last| last.at >= record.at) {
                return;
            }
            slot.unseen = slot.unseen.saturating_sub(1);
        }
        slot.state = TriggerState::after(Some(&slot.state), slot.trigger.name(), record);
    }

    fn forget(&mut self, trigger: &str, occurrence: &str) -> bool {
        self.running
            .retain(|_, (of, key)| of != trigger || key != occurrence);
        let slot = self.slots.named_mut(trigger);
        slot.and_then(|slot| slot.forget(occurrence)).is_some()
    }

    /// What a firing started goes on; it may be over already.
    pub(super) async fn goes_on(&mut self, trigger: &str, occurrence: &str, started: Started) {
        let whose = (trigger.to_owned(), occurrence.to_owned());
        self.running.insert(started, whose);
        if let Some(live) = self
            .slots
            .named_mut(trigger)
            .and_then(|slot| slot.live_mut(occurrence))
        {
            live.stage = Stage::Running(started);
        }
        if let Some(end) = over::already(&self.system, started) {
            self.ended(started, end).await;
        }
    }

    /// An attempt failed, and the next one comes then; or it was none, and whoever was hindered
    /// waits like all others for the end of that.
    fn rests(&mut self, place: usize, occurrence: &str, attempts: u32, until: Timestamp) {
        let slot = self.slots.get_mut(place);
        let Some(live) = slot.and_then(|slot| slot.live_mut(occurrence)) else {
            return;
        };
        if live.job.attempts < attempts {
            live.job.attempts = attempts;
            live.stage = Stage::Resting(until);
        } else {
            live.stage = Stage::Waiting;
            self.waiting.insert(place);
            // It may have ended before this was known.
            let soon = self.system.now().plus(TRY_AGAIN);
            self.ask_again = Some(self.ask_again.map_or(soon, |at| at.min(soon)));
        }
    }

    /// Shows an event to the triggers that it may concern.
    fn watch(&mut self, record: &Record, due: &mut Vec<DueNow>, touched: &mut BTreeSet<usize>) {
        let topic = record.event.topic();
        let mut found = Vec::new();
        self.slots.index.candidates_anywhere(topic, &mut found);
        if found.is_empty() {
            return;
        }
        let mut known = Known::of(record);
        if found.len() > ASKED {
            let path = known.path(self.system.reader());
            self.slots.index.candidates(topic, path, &mut found);
        }
        for place in found {
            let Ok(place) = usize::try_from(place) else {
                continue;
            };
            touched.insert(place);
            due.extend(self.show(place, record, &mut known));
        }
    }

    /// Shows an event to one trigger.
    fn show(&mut self, place: usize, record: &Record, known: &mut Known<'_>) -> Option<DueNow> {
        let slot = self.slots.get_mut(place).filter(|slot| !slot.is_paused())?;
        let seen = known.seen(self.system.reader(), &slot.trigger);
        let decision = slot.events.as_mut()?.on_event(&slot.trigger, &seen);
        tell(slot.trigger.name(), &decision);
        let EventDecision::Fire(occurrence) = decision else {
            return None;
        };
        Some(DueNow {
            place,
            occurrence,
            due: record.at.wall,
            action: Arc::clone(slot.trigger.action()?),
            task: None,
            event: Some(record.at),
            by: None,
        })
    }
}

/// An event that does not count although it might have to is told.
pub(super) fn tell(trigger: &str, decision: &EventDecision) {
    match decision {
        EventDecision::Unjudged { reason } => {
            tracing::warn!(trigger, reason, "an event's condition has no answer");
        }
        EventDecision::TooManySources => {
            tracing::warn!(trigger, "too many sources; an event was not counted");
        }
        _ => {}
    }
}
