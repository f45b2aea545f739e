//! What came of a firing is stored: an outcome, or that it is tried again.

use std::time::Duration;

use worknode_core::{
    error::Code,
    event::{Event, PanicStage, Principal},
    time::Timestamp,
};

use super::{
    State,
    deed::{self, Lanes},
    job::{Came, Job, Stage, bounded},
    replace::{self, Previous},
};
use crate::system::System;

/// Wait before an outcome that could not be stored is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// How often that is tried. Then the next daemon settles the firing.
const TRIES: u32 = 600;

impl State {
    /// Lets a firing act that is stored. It runs beside everything else.
    pub(super) fn begin(&mut self, place: usize, key: &str, previous: Vec<Previous>) {
        let blocked = self.system.guard().blocks(PanicStage::Triggers);
        let Some(slot) = self.slots.get_mut(place) else {
            return;
        };
        let Some(live) = slot.live_mut(key) else { return };
        if blocked {
            // Nothing acts in a panic, whatever was accepted before.
            live.stage = Stage::Waiting;
            self.waiting.insert(place);
            return;
        }
        let (system, lanes, job) = (self.system.clone(), self.lanes.clone(), live.job.clone());
        let acting = self
            .jobs
            .spawn(async move { act(&system, &lanes, job, previous).await });
        live.stage = Stage::Acting(Some(acting));
    }
}

#[tracing::instrument(name = "firing", skip_all, fields(
    trigger = %job.occurrence.trigger,
    occurrence = %job.occurrence.key,
))]
async fn act(system: &System, lanes: &Lanes, job: Job, previous: Vec<Previous>) {
    let came = match replace::end_all(system, &previous, &job).await {
        Ok(()) => {
            let _lane = lanes.enter(&job.action).await;
            deed::perform(system, &job).await
        }
        Err(error) => Came::Failed(format!("the earlier firing could not be ended: {error}")),
    };
    record(system, &job, came).await;
}

/// Stores what came of it. What failed is tried again if the trigger says so.
pub(super) async fn record(system: &System, job: &Job, came: Came) {
    let failed = job.attempts.saturating_add(1);
    let retry = job.trigger.terms().retry;
    let event = match (&came, retry.and_then(|retry| retry.wait_after(failed))) {
        (Came::Failed(failure), Some(wait)) => attempted(job, failed, failure, system.now().plus(wait)),
        // That was no attempt.
        (Came::Later(hindrance, until), _) => attempted(job, job.attempts, hindrance, *until),
        _ => job.acted_event(came),
    };
    store(system, job, event).await;
}

fn attempted(job: &Job, attempt: u32, failure: &str, retry_at: Timestamp) -> Event {
    Event::TriggerAttempted {
        trigger: job.occurrence.trigger.clone(),
        occurrence: job.occurrence.key.clone(),
        attempt,
        failure: bounded(failure.to_owned()),
        retry_at,
    }
}

/// Stores an event of a firing. Without it the trigger would be taken to act for ever.
pub(super) async fn store(system: &System, job: &Job, event: Event) {
    let by = Principal::Trigger {
        name: job.trigger.name().to_owned(),
    };
    let team = system.team().node();
    for _ in 0..TRIES {
        let stored = system.record_after(Some(job.fired), by.clone(), team, vec![event.clone()]);
        match stored.await {
            Ok(_) => return,
            // Somebody settled it: it was replaced, or its trigger is gone.
            Err(error) if error.code == Code::AlreadyExists => return,
            Err(error) => tracing::error!(%error, "what came of a firing could not be stored yet"),
        }
        tokio::time::sleep(AGAIN).await;
    }
    tracing::error!(occurrence = %job.occurrence, "what came of a firing is not stored; the next daemon settles it");
}
