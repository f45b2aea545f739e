//! Triggers that stopped without a word: overdue ones, and ones whose runs keep failing.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use worknode_core::time::{Span, Timestamp};

use crate::{due::TOLERANCE, trigger::Trigger};

/// How late an occurrence may be before that is an alarm: as long as it counts as punctual, and
/// as long again for acting on it.
pub const OVERDUE: Duration = TOLERANCE.saturating_mul(2);

/// Something is wrong with a trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "alarm", rename_all = "snake_case")]
pub enum Alarm {
    /// It should have fired, and neither did nor was skipped.
    Overdue {
        /// When it should have.
        due: Timestamp,
        /// How late it is.
        late: Span,
    },
    /// Its runs keep failing.
    Failing {
        /// How many in a row.
        failures: u32,
    },
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overdue { due, late } => {
                write!(f, "it was due at {due}, {late} ago, and nothing came of it")
            }
            Self::Failing { failures } => write!(f, "its last {failures} runs failed, one after the other"),
        }
    }
}

/// Is the trigger overdue at `now`? `settled` is the latest instant up to which all of its
/// occurrences are known to have fired or to have been skipped: when its last one was due, or
/// when the trigger came into being.
#[must_use]
pub fn overdue(trigger: &Trigger, settled: Timestamp, now: Timestamp) -> Option<Alarm> {
    if !trigger.enabled {
        return None;
    }
    let due = trigger.next_slot(settled)?.due;
    let late = now.since(due);
    (late > OVERDUE).then_some(Alarm::Overdue {
        due,
        late: Span(late),
    })
}

/// Do its runs keep failing? `outcomes` are those of its runs, the newest first; true is good.
/// Raised when a failure makes the row long enough, and again when the row has doubled.
#[must_use]
pub fn failing(trigger: &Trigger, outcomes: impl IntoIterator<Item = bool>) -> Option<Alarm> {
    let row = outcomes.into_iter().take_while(|good| !good).count();
    let failures = u32::try_from(row).unwrap_or(u32::MAX);
    let doubled = failures.checked_div(trigger.terms().alarm_after)?;
    let exact = failures.is_multiple_of(trigger.terms().alarm_after);
    (exact && doubled.is_power_of_two()).then_some(Alarm::Failing { failures })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{spec::TriggerSpec, trigger::compile};

    fn trigger(extra: &str) -> Trigger {
        let text = format!("name = \"t\"\ncron = \"0 * * * *\"\nnotify = \"operator\"\n{extra}");
        compile(&toml::from_str::<TriggerSpec>(&text).unwrap()).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn what_neither_fired_nor_was_skipped_is_overdue() {
        let hourly = trigger("");
        let settled = at("2026-11-21T10:00:00Z");
        assert_eq!(overdue(&hourly, settled, at("2026-11-21T11:02:00Z")), None);
        let alarm = overdue(&hourly, settled, at("2026-11-21T13:00:00Z")).unwrap();
        assert_eq!(
            alarm.to_string(),
            "it was due at 2026-11-21T11:00:00.000Z, 2h ago, and nothing came of it"
        );
        assert_eq!(
            overdue(&trigger("enabled = false"), settled, Timestamp::MAX),
            None
        );
        assert_eq!(overdue(&hourly, settled, settled), None);
        // What has ended is not overdue.
        let ended = trigger("end = \"2026-11-21T10:30:00Z\"");
        assert_eq!(overdue(&ended, settled, Timestamp::MAX), None);
    }

    #[test]
    fn a_row_of_failures_is_told_and_not_told_each_time() {
        let told = |count: usize| failing(&trigger(""), vec![false; count]).is_some();
        let counts: Vec<usize> = (0..30).filter(|count| told(*count)).collect();
        assert_eq!(counts, [3, 6, 12, 24]);
        assert_eq!(failing(&trigger(""), [false, false, true, false, false]), None);
        assert!(failing(&trigger("alarm_after = 1"), [false, true]).is_some());
    }
}
