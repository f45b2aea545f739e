//! What fell due since the last look.

use std::{collections::BTreeSet, sync::Arc};

use worknode_core::{bounds, time::Timestamp};
use worknode_triggers::{
    SkipReason, Window, due,
    ladder::{DeadlineLadder, TaskDeadline},
    trigger::When,
};

use super::{
    State,
    batch::{Bundle, DueNow},
    storing::Storing,
};

impl State {
    /// Fires what fell due since the last look at each trigger that is on the agenda.
    pub(super) async fn look(&mut self) {
        let now = self.system.now();
        self.again = None;
        self.end_again().await;
        let kept = std::mem::take(&mut self.kept);
        let mut storing = self.judge_events(kept).await;
        let mut places: BTreeSet<usize> = self.slots.due(now).into_iter().collect();
        self.ask_again = self.ask_again.filter(|at| *at > now);
        self.wake_waiting(&mut places).await;
        let places: Vec<usize> = places.into_iter().collect();
        for place in &places {
            self.step_live(*place, now).await;
            if let Some(bundle) = self.owed(*place, now).await {
                self.store_with(&mut storing, bundle).await;
            }
        }
        self.settle(storing).await;
        self.ask_at_end_of_pause(now);
        self.raise_alarms(&places, now).await;
        self.plan_all(&places);
    }

    /// When to look at these next.
    pub(super) fn plan_all(&mut self, places: &[usize]) {
        let tasks = self.deadlines.all();
        for place in places {
            self.slots.plan(*place, &tasks);
        }
    }

    /// Occurrences of event triggers: each is a bundle of its own.
    pub(super) async fn judge_events(&mut self, due: Vec<DueNow>) -> Storing {
        let mut storing = Storing::default();
        for due in due {
            let mut bundle = Bundle::of(due.place, None);
            self.admit_to(&mut bundle, due).await;
            self.store_with(&mut storing, bundle).await;
        }
        storing
    }

    /// What one trigger owes by now.
    async fn owed(&mut self, place: usize, now: Timestamp) -> Option<Bundle> {
        let slot = self.slots.get(place)?;
        let window = Window {
            last: slot.looked,
            now,
        };
        if slot.is_paused() {
            return None;
        }
        match slot.trigger.when() {
            When::Event(_) => self.owed_by_silence(place, now).await,
            // The clock was set back: all up to then has been looked at.
            _ if window.now <= window.last => None,
            When::Cron(_) | When::Every(_) => self.owed_by_time(place, window).await,
            When::Deadline(_) => self.owed_steps(place, window).await,
        }
    }

    async fn owed_by_time(&mut self, place: usize, window: Window) -> Option<Bundle> {
        let trigger = Arc::clone(&self.slots.get(place)?.trigger);
        let mut bundle = Bundle::of(place, Some(window.now));
        let owed = due(&trigger, window, bounds::CATCH_UP);
        self.unlisted(&mut bundle, trigger.name(), owed.unlisted, &owed.skipped, window);
        for (firing, reason) in &owed.skipped {
            self.pass_over(&mut bundle, &firing.occurrence, firing.due_at, *reason);
        }
        let action = trigger.action()?;
        for firing in owed.fire {
            let due = DueNow {
                place,
                occurrence: firing.occurrence,
                due: firing.due_at,
                action: Arc::clone(action),
                task: None,
                event: None,
                by: None,
            };
            self.admit_to(&mut bundle, due).await;
        }
        Some(bundle)
    }

    /// One event stands for all that are skipped and not listed; it ends where the list begins.
    fn unlisted(
        &self,
        bundle: &mut Bundle,
        trigger: &str,
        count: usize,
        listed: &[(worknode_triggers::Firing, SkipReason)],
        window: Window,
    ) {
        if count > 0 {
            let first = listed.first();
            let until = first.map_or(window.now, |(firing, _)| firing.due_at);
            let reason = first.map_or(SkipReason::Missed, |(_, reason)| *reason);
            self.pass_over_many(bundle, trigger, until, count, reason);
        }
    }

    async fn owed_steps(&mut self, place: usize, window: Window) -> Option<Bundle> {
        let trigger = Arc::clone(&self.slots.get(place)?.trigger);
        let ladder = DeadlineLadder::of(&trigger)?;
        let facts = self.deadlines.facts(self.system.reader(), &trigger, window.now);
        let mut tasks: Vec<TaskDeadline<'_>> = self.deadlines.all();
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
        let skipped = owed.skipped.into_iter();
        let skipped: Vec<_> = skipped.map(|(step, reason)| (step.firing, reason)).collect();
        let fire: Vec<_> = owed
            .fire
            .into_iter()
            .map(|step| DueNow {
                place,
                task: self.deadlines.task(step.task.task),
                occurrence: step.firing.occurrence,
                due: step.firing.scheduled_at,
                action: Arc::clone(&step.step.action),
                event: None,
                by: None,
            })
            .collect();
        let mut bundle = Bundle::of(place, Some(window.now));
        self.unlisted(&mut bundle, trigger.name(), owed.unlisted, &skipped, window);
        for (firing, reason) in &skipped {
            self.pass_over(&mut bundle, &firing.occurrence, firing.scheduled_at, *reason);
        }
        for due in fire {
            self.admit_to(&mut bundle, due).await;
        }
        Some(bundle)
    }

    /// Triggers that watch events also act when none come.
    async fn owed_by_silence(&mut self, place: usize, now: Timestamp) -> Option<Bundle> {
        let slot = self.slots.get_mut(place)?;
        let action = Arc::clone(slot.trigger.action()?);
        let fired = slot.events.as_mut()?.on_time(&slot.trigger, now);
        let mut bundle = Bundle::of(place, None);
        for firing in fired {
            let due = DueNow {
                place,
                // A burst is named by its last event, silence by none.
                event: firing.occurrence.key.parse().ok(),
                occurrence: firing.occurrence,
                due: firing.due_at,
                action: Arc::clone(&action),
                task: None,
                by: None,
            };
            self.admit_to(&mut bundle, due).await;
        }
        Some(bundle)
    }
}
