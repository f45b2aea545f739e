//! Triggers that stopped without a word are told of, once for each cause.

use worknode_core::{
    event::{Draft, Event},
    time::{Span, Timestamp},
    trigger::{AlarmCause, TriggerState},
};
use worknode_triggers::health::{Alarm, OVERDUE, failing};

use super::{State, slot::Slot};

impl State {
    /// Raises the alarms that are due for these triggers, and ends those whose cause is over.
    pub(super) async fn raise_alarms(&mut self, places: &[usize], now: Timestamp) {
        let slots = places.iter().filter_map(|place| self.slots.get(*place));
        let drafts: Vec<Draft> = slots
            .flat_map(|slot| {
                changes(slot, now)
                    .into_iter()
                    .map(|event| (slot.trigger.name(), event))
            })
            .map(|(trigger, event)| self.draft(trigger, None, event))
            .collect();
        if drafts.is_empty() {
            return;
        }
        match self.system.store(drafts).await {
            // What stands is not raised again before the feed brings it.
            Ok(records) => {
                for record in &records {
                    if let Event::TriggerAlarm { trigger, .. } = &record.event
                        && let Some(slot) = self.slots.named_mut(trigger)
                    {
                        slot.state = TriggerState::after(Some(&slot.state), trigger, record);
                    }
                }
            }
            Err(error) => {
                self.try_again();
                tracing::error!(%error, "an alarm of a trigger could not be stored; it is tried again");
            }
        }
    }
}

/// The alarms that begin or end for one trigger.
fn changes(slot: &Slot, now: Timestamp) -> Vec<Event> {
    let stands = |cause| slot.state.alarms.iter().find(|alarm| alarm.cause == cause);
    let alarm = |cause, detail: String, over| Event::TriggerAlarm {
        trigger: slot.trigger.name().to_owned(),
        cause,
        detail,
        over,
    };
    let mut changes = Vec::new();
    let causes = [
        (AlarmCause::Overdue, overdue(slot, now)),
        (AlarmCause::Failing, fails(slot)),
    ];
    for (cause, present) in causes {
        match (stands(cause), present) {
            (None, Some(present)) => changes.push(alarm(cause, present.to_string(), false)),
            (Some(standing), None) if is_over(slot, cause, now) => {
                changes.push(alarm(cause, standing.detail.clone(), true));
            }
            _ => {}
        }
    }
    changes
}

/// A firing that was accepted and waits too long is overdue.
fn overdue(slot: &Slot, now: Timestamp) -> Option<Alarm> {
    let waiting = slot.live.iter().filter(|live| live.is_waiting());
    let due = waiting.map(|live| live.job.due).min()?;
    let late = now.since(due);
    (late >= OVERDUE).then_some(Alarm::Overdue {
        due,
        late: Span(late),
    })
}

/// Its last firings went wrong, one after the other.
fn fails(slot: &Slot) -> Option<Alarm> {
    let failures = usize::try_from(slot.state.failures).unwrap_or(usize::MAX);
    failing(&slot.trigger, std::iter::repeat_n(false, failures))
}

fn is_over(slot: &Slot, cause: AlarmCause, now: Timestamp) -> bool {
    match cause {
        AlarmCause::Overdue => overdue(slot, now).is_none(),
        AlarmCause::Failing => slot.state.failures == 0,
    }
}
