//! What is due is judged.
//!
//! What one look at one trigger comes to is one bundle: stored together or not at all, so that the
//! newest occurrence that is recorded tells up to when everything is.

use std::sync::Arc;

use worknode_core::{
    bounds,
    event::{Draft, Event, PanicStage, Principal},
    hlc::Hlc,
    ids::NodeId,
    time::Timestamp,
};
use worknode_triggers::{
    Admission, Occurrence, Situation, SkipReason, admit,
    trigger::{Action, When},
};

use super::{
    State, chain,
    deed::{self, Deed},
    job::{Came, Job, Live, Stage, takes_time},
    replace::Previous,
    watch::agents_that,
};
use crate::guard::Readiness;

/// Firings of one trigger that are under way at the same time. One more is skipped.
pub(super) const LIVE: usize = bounds::TRIGGER_BATCH;

/// An occurrence that is due, and what to do about it.
#[derive(Clone, Debug)]
pub(super) struct DueNow {
    pub(super) place: usize,
    pub(super) occurrence: Occurrence,
    pub(super) due: Timestamp,
    pub(super) action: Arc<Action>,
    /// The task whose deadline it is about.
    pub(super) task: Option<NodeId>,
    /// The event that it fires on.
    pub(super) event: Option<Hlc>,
    /// Who fires it by hand.
    pub(super) by: Option<Principal>,
}

/// What one look at one trigger comes to.
#[derive(Debug)]
pub(super) struct Bundle {
    pub(super) place: usize,
    pub(super) entries: Vec<Entry>,
    /// Once it is stored, the trigger has been looked at up to here.
    pub(super) looked: Option<Timestamp>,
}

/// One occurrence in it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) drafts: Vec<Draft>,
    /// Where it acts from, once it is stored.
    pub(super) fires: Option<Fires>,
}

#[derive(Debug)]
pub(super) struct Fires {
    pub(super) due: DueNow,
    pub(super) start: Start,
}

/// How a firing goes on once it is stored.
#[derive(Debug)]
pub(super) enum Start {
    /// Its deed is stored with it.
    Stored,
    /// It acts, after that is over.
    Now(Vec<Previous>),
    /// It waits.
    Later,
}

impl Bundle {
    pub(super) const fn of(place: usize, looked: Option<Timestamp>) -> Self {
        Self {
            place,
            entries: Vec::new(),
            looked,
        }
    }

    pub(super) fn events(&self) -> usize {
        self.entries.iter().map(|entry| entry.drafts.len()).sum()
    }

    /// Adds an event that is stored with the others, and nothing follows from.
    pub(super) fn note(&mut self, draft: Option<Draft>) {
        let entry = |draft| Entry {
            drafts: vec![draft],
            fires: None,
        };
        self.entries.extend(draft.map(entry));
    }

    pub(super) fn drafts(&self) -> impl Iterator<Item = &Draft> {
        self.entries.iter().flat_map(|entry| &entry.drafts)
    }
}

impl State {
    /// Adds an occurrence that is not acted on.
    pub(super) fn pass_over(
        &self,
        bundle: &mut Bundle,
        occurrence: &Occurrence,
        due: Timestamp,
        reason: SkipReason,
    ) {
        let event = Event::TriggerSkipped {
            trigger: occurrence.trigger.clone(),
            occurrence: occurrence.key.clone(),
            due,
            reason: reason.to_string(),
        };
        let drafts = vec![self.draft(&occurrence.trigger, None, event)];
        bundle.entries.push(Entry { drafts, fires: None });
    }

    /// Adds occurrences that are not listed one by one.
    pub(super) fn pass_over_many(
        &self,
        bundle: &mut Bundle,
        trigger: &str,
        until: Timestamp,
        count: usize,
        reason: SkipReason,
    ) {
        let event = Event::TriggerPassed {
            trigger: trigger.to_owned(),
            until,
            count: count as u64,
            reason: reason.to_string(),
        };
        let drafts = vec![self.draft(trigger, None, event)];
        bundle.entries.push(Entry { drafts, fires: None });
    }

    /// Adds an occurrence that is due: it fires, or is skipped. Answers why it is skipped.
    pub(super) async fn admit_to(&mut self, bundle: &mut Bundle, due: DueNow) -> Option<SkipReason> {
        let admission = match self.objection(&due) {
            Some(reason) => Admission::Skip(reason),
            None => self.admission(&due),
        };
        let start = match admission {
            Admission::Skip(reason) => {
                self.pass_over(bundle, &due.occurrence, due.due, reason);
                return Some(reason);
            }
            Admission::Start => Start::Now(Vec::new()),
            Admission::ReplacePrevious => Start::Now(self.previous(due.place)),
            Admission::Wait(_) => Start::Later,
        };
        let entry = self.fire(due, start).await;
        bundle.entries.extend(entry);
        None
    }

    /// What speaks against it before anything else is asked.
    fn objection(&self, due: &DueNow) -> Option<SkipReason> {
        let slot = self.slots.get(due.place)?;
        if slot.live.len() >= LIVE {
            return Some(SkipReason::TooMany);
        }
        if due
            .event
            .is_some_and(|event| chain::is_too_long(self.system.reader(), event))
        {
            return Some(SkipReason::Chain);
        }
        let condition = slot.trigger.terms().agents.as_ref()?;
        let timed = matches!(slot.trigger.when(), When::Cron(_) | When::Every(_));
        let nobody = timed && due.by.is_none() && agents_that(&self.system, condition).is_empty();
        nobody.then_some(SkipReason::NoAgent)
    }

    fn admission(&self, due: &DueNow) -> Admission {
        let Some(slot) = self.slots.get(due.place) else {
            return Admission::Skip(SkipReason::Missed);
        };
        let situation = Situation {
            // By hand it may act once more than it may.
            fired: if due.by.is_some() { 0 } else { slot.fired() },
            ..self.situation(due.place, &due.action)
        };
        admit(&slot.trigger, &situation)
    }

    /// How things stand for a trigger, apart from how often it has fired.
    pub(super) fn situation(&self, place: usize, action: &Action) -> Situation {
        let Some(slot) = self.slots.get(place) else {
            return Situation::default();
        };
        Situation {
            running: if takes_time(action) { slot.running() } else { 0 },
            waiting: slot.live.iter().any(Live::is_waiting),
            fired: 0,
            panic: self.system.guard().blocks(PanicStage::Triggers),
            quota: self.has_no_quota(slot.trigger.name(), action),
        }
    }

    /// Does the provider give nothing more to the agent that would be started?
    fn has_no_quota(&self, trigger: &str, action: &Action) -> bool {
        let Action::Spawn(spec) = action else { return false };
        let agent = deed::spawn::agent_of(&self.system, trigger, spec);
        agent.is_some_and(|(node, agent)| {
            let readiness = self
                .system
                .guard()
                .readiness(node, &agent.spec, self.system.now());
            readiness == Readiness::Later
        })
    }

    /// A firing that is about to be stored. Nothing of it happens before.
    async fn fire(&mut self, due: DueNow, start: Start) -> Option<Entry> {
        let slot = self.slots.get_mut(due.place)?;
        let job = Job {
            trigger: Arc::clone(&slot.trigger),
            occurrence: due.occurrence.clone(),
            due: due.due,
            action: Arc::clone(&due.action),
            task: due.task,
            event: due.event,
            fired: Hlc::ZERO,
            attempts: 0,
            again: false,
        };
        if due.by.is_none() {
            slot.unseen = slot.unseen.saturating_add(1);
        }
        let deed = match &start {
            Start::Now(previous) if previous.is_empty() => deed::at_once(&self.system, &job).await,
            _ => None,
        };
        let mut drafts = vec![self.draft(job.trigger.name(), due.event, job.fired_event(due.by.as_ref()))];
        let stored = deed.is_some();
        let mut goes_on = true;
        if let Some(Deed { drafts: deed, came }) = deed {
            goes_on = matches!(came, Came::Started(..));
            drafts.extend(deed);
            drafts.push(self.draft(job.trigger.name(), None, job.acted_event(came)));
        }
        if goes_on {
            self.keep_live(due.place, job, matches!(start, Start::Later))?;
        }
        let start = if stored { Start::Stored } else { start };
        Some(Entry {
            drafts,
            fires: Some(Fires { due, start }),
        })
    }

    /// A firing is under way, or waits until it may begin.
    fn keep_live(&mut self, place: usize, job: Job, waits: bool) -> Option<()> {
        let stage = if waits {
            self.waiting.insert(place);
            Stage::Waiting
        } else {
            Stage::Acting(None)
        };
        let slot = self.slots.get_mut(place)?;
        slot.live.push(Live { job, stage });
        Some(())
    }

    /// A draft of what a trigger does; its Worknode is the team.
    pub(super) fn draft(&self, trigger: &str, cause: Option<Hlc>, event: Event) -> Draft {
        Draft {
            node: self.system.team().node(),
            by: Principal::Trigger {
                name: trigger.to_owned(),
            },
            cause,
            event,
        }
    }
}
