//! What people and the daemon ask: fire, pause, resume, other triggers, how things stand.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use worknode_core::{
    bounds,
    error::{Code, Error},
    event::{Draft, Event, PanicStage, Principal},
    trigger::TriggerState,
};
use worknode_triggers::{Occurrence, Trigger, Window, due, event::EventState};

use super::{
    State,
    ask::{Replaced, TriggerReport, unknown},
    batch::{Bundle, DueNow},
    job::{Came, Live, Stage},
    outcome, recall,
    slot::{Slot, until},
    storing::Storing,
};
use crate::request::Request;

impl State {
    /// Fires a trigger because somebody wants it.
    pub(super) async fn fire_by_hand(
        &mut self,
        name: &str,
        by: Principal,
        request: Option<Request>,
    ) -> Result<Occurrence, Error> {
        let place = self.slots.place(name).ok_or_else(|| unknown(name))?;
        self.system.guard().check(PanicStage::Triggers)?;
        let Some(action) = self
            .slots
            .get(place)
            .and_then(|slot| slot.trigger.action().cloned())
        else {
            let message = format!("`{name}` is a ladder: its steps are about tasks, and none is named");
            return Err(Error::new(Code::Usage, message).hint("move the deadline of a task instead"));
        };
        let now = self.free_instant(name)?;
        let occurrence = Occurrence::by_hand(name, now);
        let due = DueNow {
            place,
            occurrence: occurrence.clone(),
            due: now,
            action,
            task: None,
            event: None,
            by: Some(by.clone()),
        };
        let mut bundle = Bundle::of(place, None);
        if let Some(reason) = self.admit_to(&mut bundle, due).await {
            return Err(Error::new(
                Code::Refused,
                format!("`{name}` does not fire: {reason}"),
            ));
        }
        bundle.note(request.map(|request| request.done_by(self.system.team().node(), by)));
        let mut storing = Storing::default();
        self.store_with(&mut storing, bundle).await;
        self.settle(storing).await;
        self.plan_all(&[place]);
        if self.system.reader().firing(name, &occurrence.key)?.is_none() {
            return Err(Error::new(
                Code::Failed,
                "the firing could not be stored, and so did not act",
            ));
        }
        Ok(occurrence)
    }

    /// Two firings by hand in one moment are two.
    fn free_instant(&self, name: &str) -> Result<worknode_core::time::Timestamp, Error> {
        let mut now = self.system.now();
        for _ in 0..1_000 {
            let key = Occurrence::by_hand(name, now).key;
            if self.system.reader().firing(name, &key)?.is_none() {
                return Ok(now);
            }
            now = now.plus(Duration::from_millis(1));
        }
        Err(Error::backpressure("firings by hand"))
    }

    pub(super) async fn pause(&mut self, name: &str, by: Principal) -> Result<bool, Error> {
        let place = self.slots.place(name).ok_or_else(|| unknown(name))?;
        if self.slots.get(place).is_some_and(Slot::is_paused) {
            return Ok(false);
        }
        let event = Event::TriggerPaused {
            trigger: name.to_owned(),
        };
        self.tell_of(place, by, event).await?;
        Ok(true)
    }

    pub(super) async fn resume(&mut self, name: &str, by: Principal) -> Result<bool, Error> {
        let place = self.slots.place(name).ok_or_else(|| unknown(name))?;
        let now = self.system.now();
        let Some(slot) = self.slots.get(place).filter(|slot| slot.is_paused()) else {
            return Ok(false);
        };
        let window = Window {
            last: slot.looked,
            now,
        };
        let owed = due(&slot.trigger, window, bounds::CATCH_UP);
        let passed = owed.fire.len() + owed.skipped.len() + owed.unlisted;
        let event = Event::TriggerResumed {
            trigger: name.to_owned(),
            passed: passed as u64,
        };
        self.tell_of(place, by, event).await?;
        if let Some(slot) = self.slots.get_mut(place) {
            slot.looked = slot.looked.max(now);
            let since = slot.state.since;
            if let Some(events) = &mut slot.events {
                **events = EventState::new_at(since);
            }
        }
        self.plan_all(&[place]);
        Ok(true)
    }

    /// Stores what somebody decided about a trigger.
    async fn tell_of(&mut self, place: usize, by: Principal, event: Event) -> Result<(), Error> {
        let draft = Draft {
            node: self.system.team().node(),
            by,
            cause: None,
            event,
        };
        let records = self.system.store(vec![draft]).await?;
        if let Some(slot) = self.slots.get_mut(place) {
            for record in &records {
                slot.state = TriggerState::after(Some(&slot.state), slot.trigger.name(), record);
            }
        }
        self.plan_all(&[place]);
        Ok(())
    }

    /// From now on, these are the triggers.
    pub(super) async fn replace(&mut self, triggers: Vec<Trigger>) -> Result<Replaced, Error> {
        let replaced = self.differences(&triggers);
        let begins: HashSet<&str> = replaced
            .added
            .iter()
            .chain(&replaced.changed)
            .map(String::as_str)
            .collect();
        let begin = triggers.iter().filter(|trigger| begins.contains(trigger.name()));
        let begin = begin.map(recall::watching).collect();
        let records = recall::tell_watched(&self.system, begin, replaced.removed.clone()).await?;
        let stored = recall::stored_states(self.system.reader())?;
        let changed: HashSet<&str> = replaced.changed.iter().map(String::as_str).collect();
        let mut before: HashMap<String, Slot> = HashMap::new();
        for slot in std::mem::take(&mut self.slots).into_all() {
            before.insert(slot.trigger.name().to_owned(), slot);
        }
        let now = self.system.now();
        let latest = records
            .last()
            .map_or_else(|| self.system.journal().last_stamp(), |record| record.at);
        let mut all = Vec::with_capacity(triggers.len());
        for trigger in triggers {
            let known = before.remove(trigger.name());
            let state = |known: Option<&TriggerState>| {
                let known = known.cloned().or_else(|| stored.get(trigger.name()).cloned());
                known.unwrap_or_else(|| TriggerState::new(latest))
            };
            all.push(match known {
                Some(slot) if !changed.contains(trigger.name()) => slot,
                Some(slot) => {
                    let state = state(stored.get(trigger.name()));
                    slot.changed(Arc::new(trigger), state, now)
                }
                None => {
                    let state = state(None);
                    Slot::new(Arc::new(trigger), state, now)
                }
            });
        }
        self.slots = super::slot::Slots::new(all);
        let places: Vec<usize> = (0..self.slots.len()).collect();
        for slot in before.into_values() {
            self.drop_waiting(slot).await;
        }
        self.waiting = self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.live.iter().any(Live::is_waiting))
            .map(|(place, _)| place)
            .collect();
        self.kept.clear();
        self.plan_all(&places);
        Ok(replaced)
    }

    fn differences(&self, triggers: &[Trigger]) -> Replaced {
        let mut replaced = Replaced::default();
        let mut here = HashSet::new();
        for trigger in triggers {
            here.insert(trigger.name());
            let known = self
                .slots
                .place(trigger.name())
                .and_then(|place| self.slots.get(place));
            match known {
                Some(slot) if *slot.trigger == *trigger => replaced.kept += 1,
                Some(_) => replaced.changed.push(trigger.name().to_owned()),
                None => replaced.added.push(trigger.name().to_owned()),
            }
        }
        let names = self.slots.iter().map(|slot| slot.trigger.name());
        replaced.removed = names
            .filter(|name| !here.contains(name))
            .map(str::to_owned)
            .collect();
        replaced
    }

    /// What waits of a trigger that is gone is not done any more, and what it raised is taken back; what
    /// else it began goes on.
    async fn drop_waiting(&mut self, slot: Slot) {
        for Live { job, stage } in slot.live {
            match stage {
                Stage::Waiting | Stage::Resting(_) => {
                    let came = Came::Failed("the trigger is no longer configured".to_owned());
                    outcome::store(&self.system, &job, job.acted_event(came)).await;
                }
                Stage::Running(started) if until(&started).is_some() => {
                    self.lower(started, &job.occurrence, job.fired).await;
                }
                Stage::Running(_) | Stage::Acting(_) => {}
            }
        }
    }

    /// How triggers stand.
    pub(super) fn report(&self, of: Option<&str>) -> Result<Vec<TriggerReport>, Error> {
        let tasks = self.deadlines.all();
        let report = |slot: &Slot| {
            let key = |wanted: fn(&Stage) -> bool| {
                let keys = slot.live.iter().filter(move |live| wanted(&live.stage));
                keys.map(|live| live.key().to_owned())
            };
            let resting = slot.live.iter().find_map(|live| match live.stage {
                Stage::Resting(until) => Some((live.key().to_owned(), until)),
                _ => None,
            });
            TriggerReport {
                name: slot.trigger.name().to_owned(),
                enabled: slot.trigger.enabled(),
                next: slot.next_due(&tasks),
                state: slot.state.clone(),
                running: key(|stage| matches!(stage, Stage::Acting(_) | Stage::Running(_))).collect(),
                queued: key(|stage| matches!(stage, Stage::Waiting)).next(),
                retrying: resting,
            }
        };
        if let Some(name) = of {
            let slot = self.slots.place(name).and_then(|place| self.slots.get(place));
            return slot.map(|slot| vec![report(slot)]).ok_or_else(|| unknown(name));
        }
        let mut all: Vec<TriggerReport> = self.slots.iter().map(report).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }
}
