//! The firing: one occurrence of a trigger, and how often it may act.

use serde::{Deserialize, Serialize};

use crate::{
    event::{Event, Record},
    hlc::Hlc,
    ids::NodeId,
    time::Timestamp,
};

/// One occurrence of a trigger, acted on at most once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// Name of the trigger.
    pub trigger: String,
    /// Which occurrence of it.
    pub occurrence: String,
    /// Whose event it is.
    pub node: NodeId,
    /// The event that recorded it.
    pub recorded: Hlc,
    /// When it was due.
    pub due: Timestamp,
    /// What came of it; `None` until that is recorded, `skipped: …` of one that was skipped.
    pub outcome: Option<String>,
}

/// The occurrence that an event is about, as trigger and occurrence, when it is about one.
#[must_use]
pub fn occurrence_of(event: &Event) -> Option<(&str, &str)> {
    match event {
        Event::TriggerFired {
            trigger, occurrence, ..
        }
        | Event::TriggerSkipped {
            trigger, occurrence, ..
        }
        | Event::TriggerActed {
            trigger, occurrence, ..
        } => Some((trigger, occurrence)),
        _ => None,
    }
}

/// An event that would let an occurrence act twice, or end what never began.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FiringError {
    /// The occurrence is recorded already: who comes second does not act.
    #[error("firing `{occurrence}` is recorded already")]
    Again {
        /// Which, as `trigger@occurrence`.
        occurrence: String,
    },
    /// What came of it is recorded already.
    #[error("an outcome of firing `{occurrence}` is recorded already")]
    Settled {
        /// Which, as `trigger@occurrence`.
        occurrence: String,
    },
    /// It never fired.
    #[error("there is no firing `{occurrence}`")]
    Unknown {
        /// Which, as `trigger@occurrence`.
        occurrence: String,
    },
    /// The event is about no firing.
    #[error("`{event}` is about no firing")]
    Other {
        /// The event's type.
        event: &'static str,
    },
}

/// The firing after `record`, `known` being the one that is stored of the same occurrence. The
/// only way a firing changes. P6: an occurrence is recorded once, and has one outcome.
///
/// # Errors
/// [`FiringError`] when the record does not fit.
pub fn apply(known: Option<&Firing>, record: &Record) -> Result<Firing, FiringError> {
    let begins = |trigger: &str, occurrence: &str, due, outcome| match known {
        Some(_) => Err(FiringError::Again {
            occurrence: format!("{trigger}@{occurrence}"),
        }),
        None => Ok(Firing {
            trigger: trigger.to_owned(),
            occurrence: occurrence.to_owned(),
            node: record.node,
            recorded: record.at,
            due,
            outcome,
        }),
    };
    match &record.event {
        Event::TriggerFired {
            trigger,
            occurrence,
            due,
        } => begins(trigger, occurrence, *due, None),
        Event::TriggerSkipped {
            trigger,
            occurrence,
            due,
            reason,
        } => begins(trigger, occurrence, *due, Some(format!("skipped: {reason}"))),
        Event::TriggerActed {
            trigger,
            occurrence,
            outcome,
        } => match known {
            Some(open) if open.outcome.is_none() => Ok(Firing {
                outcome: Some(outcome.clone()),
                ..open.clone()
            }),
            Some(_) => Err(FiringError::Settled {
                occurrence: format!("{trigger}@{occurrence}"),
            }),
            None => Err(FiringError::Unknown {
                occurrence: format!("{trigger}@{occurrence}"),
            }),
        },
        other => Err(FiringError::Other {
            event: other.type_name(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Principal, SCHEMA_VERSION};

    fn record(event: Event) -> Record {
        Record {
            at: Hlc::ZERO,
            node: NodeId::ROOT,
            by: Principal::Runtime,
            cause: None,
            version: SCHEMA_VERSION,
            event,
        }
    }

    fn fired() -> Record {
        record(Event::TriggerFired {
            trigger: "daily".to_owned(),
            occurrence: "monday".to_owned(),
            due: Timestamp::from_millis(7),
        })
    }

    fn acted() -> Record {
        record(Event::TriggerActed {
            trigger: "daily".to_owned(),
            occurrence: "monday".to_owned(),
            outcome: "told the operator".to_owned(),
        })
    }

    #[test]
    fn p6_an_occurrence_is_recorded_once_and_has_one_outcome() {
        assert!(matches!(apply(None, &acted()), Err(FiringError::Unknown { .. })));
        let open = apply(None, &fired()).unwrap();
        assert_eq!(open.outcome, None);
        assert!(matches!(
            apply(Some(&open), &fired()),
            Err(FiringError::Again { .. })
        ));
        let done = apply(Some(&open), &acted()).unwrap();
        assert_eq!(done.outcome.as_deref(), Some("told the operator"));
        for again in [fired(), acted()] {
            assert!(apply(Some(&done), &again).is_err(), "{again:?}");
        }
    }

    #[test]
    fn p6_what_was_skipped_never_acts() {
        let skipped = record(Event::TriggerSkipped {
            trigger: "daily".to_owned(),
            occurrence: "monday".to_owned(),
            due: Timestamp::from_millis(7),
            reason: "still running".to_owned(),
        });
        let skipped = apply(None, &skipped).unwrap();
        assert_eq!(skipped.outcome.as_deref(), Some("skipped: still running"));
        assert!(apply(Some(&skipped), &fired()).is_err());
        assert!(apply(Some(&skipped), &acted()).is_err());
    }

    #[test]
    fn other_events_are_about_no_firing() {
        let other = record(Event::TaskReady);
        assert!(occurrence_of(&other.event).is_none());
        assert_eq!(
            apply(None, &other),
            Err(FiringError::Other { event: "task_ready" })
        );
        assert_eq!(occurrence_of(&fired().event), Some(("daily", "monday")));
    }
}
