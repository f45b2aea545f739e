//! The triggers with all that the scheduler remembers of each, and when to look at which.

use std::{collections::HashMap, sync::Arc};

use worknode_core::{time::Timestamp, trigger::TriggerState};
use worknode_triggers::{
    Agenda, Trigger,
    event::{EventIndex, EventState},
    health::OVERDUE,
    ladder::{DeadlineLadder, TaskDeadline},
    next_due,
    trigger::When,
};

use super::job::{Live, Stage, takes_time};

/// One trigger.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) trigger: Arc<Trigger>,
    /// What its events tell.
    pub(super) state: TriggerState,
    /// All that was due up to here has been looked at.
    pub(super) looked: Timestamp,
    /// What it remembers of events; none for triggers that watch none.
    pub(super) events: Option<Box<EventState>>,
    /// Its firings that are not over.
    pub(super) live: Vec<Live>,
    /// Firings that are stored and that the feed has not brought yet.
    pub(super) unseen: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Slots {
    all: Vec<Slot>,
    by_name: HashMap<Box<str>, usize>,
    /// Which of them an event may concern.
    pub(super) index: EventIndex,
    /// Those with a deadline ladder.
    pub(super) ladders: Vec<usize>,
    agenda: Agenda,
}

impl Slot {
    /// A trigger of which that much is known.
    pub(super) fn new(trigger: Arc<Trigger>, state: TriggerState, now: Timestamp) -> Self {
        let since = state.since;
        let events = matches!(trigger.when(), When::Event(_)).then(|| Box::new(EventState::new_at(since)));
        Self {
            looked: state.settled.min(now),
            state,
            events,
            live: Vec::new(),
            unseen: 0,
            trigger,
        }
    }

    /// It says something else from now on; what it began goes on.
    pub(super) fn changed(self, trigger: Arc<Trigger>, state: TriggerState, now: Timestamp) -> Self {
        Self {
            live: self.live,
            unseen: self.unseen,
            ..Self::new(trigger, state, now)
        }
    }

    /// How many of its firings go on that another one could overlap with.
    pub(super) fn running(&self) -> u32 {
        let running = self.live.iter().filter(|live| !live.is_waiting());
        let count = running.filter(|live| takes_time(&live.job.action)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// How often it has fired, as far as anybody knows.
    pub(super) fn fired(&self) -> u64 {
        self.state.fired.saturating_add(self.unseen)
    }

    pub(super) fn is_paused(&self) -> bool {
        self.state.paused.is_some()
    }

    pub(super) fn live_mut(&mut self, key: &str) -> Option<&mut Live> {
        self.live.iter_mut().find(|live| live.key() == key)
    }

    /// The firing is over.
    pub(super) fn forget(&mut self, key: &str) -> Option<Live> {
        let at = self.live.iter().position(|live| live.key() == key)?;
        Some(self.live.swap_remove(at))
    }

    /// When something of it is due next.
    pub(super) fn next_due(&self, tasks: &[TaskDeadline<'_>]) -> Option<Timestamp> {
        match self.trigger.when() {
            _ if self.is_paused() => None,
            When::Cron(_) | When::Every(_) => next_due(&self.trigger, self.looked),
            When::Deadline(_) => {
                DeadlineLadder::of(&self.trigger).and_then(|ladder| ladder.next_due(tasks, self.looked))
            }
            When::Event(_) => self
                .events
                .as_ref()
                .and_then(|state| state.next_due(&self.trigger)),
        }
    }

    /// When there is something to look at.
    pub(super) fn next_look(&self, tasks: &[TaskDeadline<'_>]) -> Option<Timestamp> {
        let due = self.next_due(tasks);
        let live = self.live.iter().filter_map(|live| match &live.stage {
            Stage::Resting(until) => Some(*until),
            Stage::Running(started) => until(started),
            Stage::Waiting if self.state.alarms.is_empty() => Some(live.job.due.plus(OVERDUE)),
            Stage::Waiting | Stage::Acting(_) => None,
        });
        live.chain(due).min()
    }
}

/// When what was started ends by itself.
pub(super) const fn until(started: &worknode_core::firing::Started) -> Option<Timestamp> {
    use worknode_core::firing::Started;
    match started {
        Started::Priority { until, .. } | Started::Raised { until, .. } => Some(*until),
        Started::Run(_) | Started::Task(_) => None,
    }
}

impl Slots {
    pub(super) fn new(all: Vec<Slot>) -> Self {
        let by_name = all.iter().enumerate();
        let by_name = by_name
            .map(|(at, slot)| (slot.trigger.name().into(), at))
            .collect();
        let ladders = all.iter().enumerate();
        let ladders = ladders.filter(|(_, slot)| matches!(slot.trigger.when(), When::Deadline(_)));
        Self {
            index: EventIndex::build(all.iter().map(|slot| slot.trigger.as_ref())),
            ladders: ladders.map(|(at, _)| at).collect(),
            by_name,
            agenda: Agenda::new(all.len()),
            all,
        }
    }

    pub(super) fn into_all(self) -> Vec<Slot> {
        self.all
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.all.iter()
    }

    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(super) fn get(&self, place: usize) -> Option<&Slot> {
        self.all.get(place)
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut Slot> {
        self.all.get_mut(place)
    }

    pub(super) fn named_mut(&mut self, name: &str) -> Option<&mut Slot> {
        self.place(name).and_then(|place| self.all.get_mut(place))
    }

    /// Notes when to look at a trigger next.
    pub(super) fn plan(&mut self, place: usize, tasks: &[TaskDeadline<'_>]) {
        if let Some(slot) = self.all.get(place) {
            let next = slot.next_look(tasks);
            self.agenda.plan(place, next);
        }
    }

    /// The next instant at which there is something to look at.
    pub(super) fn next(&mut self) -> Option<Timestamp> {
        self.agenda.first()
    }

    /// Takes out who is to be looked at by then, the earliest first.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<usize> {
        self.agenda.due(now)
    }
}

#[cfg(test)]
mod tests {
    use worknode_core::hlc::Hlc;
    use worknode_triggers::{spec::TriggerSpec, trigger::compile};

    use super::*;

    fn slot(config: &str, settled: u64) -> Slot {
        let spec: TriggerSpec = toml::from_str(config).unwrap();
        let at = Hlc {
            wall: Timestamp::from_millis(settled),
            counter: 0,
            origin: 1,
        };
        Slot::new(
            Arc::new(compile(&spec).unwrap()),
            TriggerState::new(at),
            Timestamp::MAX,
        )
    }

    fn every(name: &str, period: &str) -> Slot {
        slot(
            &format!("name = \"{name}\"\nevery = \"{period}\"\nnotify = \"operator\""),
            0,
        )
    }

    #[test]
    fn the_agenda_tells_who_is_due_and_no_one_else() {
        let mut slots = Slots::new(vec![
            every("slow", "1h"),
            every("quick", "1s"),
            every("other", "1s"),
        ]);
        for place in 0..slots.len() {
            slots.plan(place, &[]);
        }
        assert_eq!(slots.next(), Some(Timestamp::from_millis(1_000)));
        assert_eq!(slots.due(Timestamp::from_millis(1_500)), [1, 2]);
        assert_eq!(slots.next(), Some(Timestamp::from_millis(3_600_000)));
    }

    #[test]
    fn a_paused_trigger_is_not_looked_at() {
        let mut slot = every("quick", "1s");
        assert!(slot.next_look(&[]).is_some());
        slot.state.paused = Some(worknode_core::trigger::Paused {
            by: "operator".into(),
            at: Hlc::ZERO,
        });
        assert_eq!(slot.next_look(&[]), None);
    }
}
