//! What is wrong with triggers, and with the scheduler itself.

use serde::{Deserialize, Serialize};
use worknode_actors::scheduler::pulse;
use worknode_core::{error::Error, time::Timestamp};
use worknode_journal::Reader;

/// Triggers with alarms that a status shows. The others are in the list of triggers.
const SHOWN: usize = 100;

/// Something that does not work as it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StatusAlarm {
    /// Which trigger; none when it is the scheduler itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// `overdue`, `failing`, or `stalled` of the scheduler.
    pub cause: String,
    /// In words.
    pub detail: String,
    /// Since when.
    pub since: Timestamp,
}

impl StatusAlarm {
    /// For people, with what to do about it.
    pub(super) fn words(&self) -> String {
        match &self.trigger {
            Some(trigger) => format!(
                "trigger {trigger}: {} (`worknode trigger show {trigger}`)",
                self.detail
            ),
            None => format!(
                "the scheduler stands still since {}: {} (`worknode down` and `worknode up -d` start it anew)",
                self.since, self.detail
            ),
        }
    }
}

/// The alarms that are not over, as the store has them.
pub(super) fn standing(reader: &Reader) -> Result<Vec<StatusAlarm>, Error> {
    let stalled = pulse::standing(reader)?.map(|(since, detail)| StatusAlarm {
        trigger: None,
        cause: "stalled".to_owned(),
        detail,
        since,
    });
    let mut all: Vec<StatusAlarm> = stalled.into_iter().collect();
    for (trigger, state) in reader.alarmed_triggers(SHOWN)? {
        all.extend(state.alarms.into_iter().map(|alarm| StatusAlarm {
            trigger: Some(trigger.clone()),
            cause: alarm.cause.name().to_owned(),
            detail: alarm.detail,
            since: alarm.since.wall,
        }));
    }
    Ok(all)
}
