//! The firing: one occurrence of a trigger, and how often it may act.

use serde::{Deserialize, Serialize};

use crate::{
    event::{Event, Record},
    hlc::Hlc,
    ids::{NodeId, RunId},
    time::Timestamp,
};

/// One occurrence of a trigger, acted on at most once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
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
    /// What else is known of it.
    pub course: Course,
}

/// How a firing went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Course {
    /// Who fired it by hand, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// It was not acted on.
    #[serde(default, skip_serializing_if = "is_false")]
    pub skipped: bool,
    /// Attempts that failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// When the next one comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// When it was acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acted: Option<Hlc>,
    /// What was started and goes on by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Started>,
    /// When that was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Hlc>,
    /// It went wrong.
    #[serde(default, skip_serializing_if = "is_false")]
    pub failed: bool,
}

/// What a firing started, which goes on after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Started {
    /// A run.
    Run(RunId),
    /// A task.
    Task(NodeId),
    /// A higher priority of a task, for a time.
    Priority {
        /// Which task.
        task: NodeId,
        /// What its priority was.
        from: i32,
        /// When it is taken back.
        until: Timestamp,
    },
    /// More rights for whoever works on a task, for a time.
    Raised {
        /// Which task.
        task: NodeId,
        /// What its priority was, when that is another one meanwhile.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<i32>,
        /// When it is over.
        until: Timestamp,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Firing {
    /// Is there anything still to be done or waited for?
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.outcome.is_none() || self.is_running()
    }

    /// Does what it started still go on?
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.course.started.is_some() && self.course.ended.is_none()
    }

    fn with_outcome(mut self, outcome: &str, failed: bool) -> Self {
        self.outcome = Some(outcome.to_owned());
        self.course.failed = failed;
        self
    }

    fn skipped(mut self, reason: &str) -> Self {
        self.course.skipped = true;
        self.with_outcome(&format!("skipped: {reason}"), false)
    }
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
        | Event::TriggerAttempted {
            trigger, occurrence, ..
        }
        | Event::TriggerActed {
            trigger, occurrence, ..
        }
        | Event::TriggerEnded {
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
/// only way a firing changes. P6: an occurrence is recorded once, and has one outcome and one end.
///
/// # Errors
/// [`FiringError`] when the record does not fit.
pub fn apply(known: Option<&Firing>, record: &Record) -> Result<Firing, FiringError> {
    match &record.event {
        Event::TriggerFired {
            trigger,
            occurrence,
            due,
            by,
        } => {
            let by = by.as_ref().map(ToString::to_string);
            let course = Course {
                by,
                ..Course::default()
            };
            begin(known, record, trigger, occurrence, *due).map(|firing| Firing { course, ..firing })
        }
        Event::TriggerSkipped {
            trigger,
            occurrence,
            due,
            reason,
        } => begin(known, record, trigger, occurrence, *due).map(|firing| firing.skipped(reason)),
        Event::TriggerAttempted {
            trigger,
            occurrence,
            attempt,
            retry_at,
            ..
        } => without_outcome(known, trigger, occurrence).map(|mut firing| {
            firing.course.attempts = *attempt;
            firing.course.retry_at = Some(*retry_at);
            firing
        }),
        Event::TriggerActed {
            trigger,
            occurrence,
            outcome,
            failed,
            started,
        } => without_outcome(known, trigger, occurrence).map(|mut firing| {
            firing.course.retry_at = None;
            firing.course.acted = Some(record.at);
            firing.course.started = *started;
            firing.with_outcome(outcome, *failed)
        }),
        Event::TriggerEnded {
            trigger,
            occurrence,
            outcome,
            failed,
        } => running(known, trigger, occurrence).map(|mut firing| {
            firing.course.ended = Some(record.at);
            firing.with_outcome(outcome, *failed)
        }),
        other => Err(FiringError::Other {
            event: other.type_name(),
        }),
    }
}

fn begin(
    known: Option<&Firing>,
    record: &Record,
    trigger: &str,
    occurrence: &str,
    due: Timestamp,
) -> Result<Firing, FiringError> {
    if known.is_some() {
        return Err(FiringError::Again {
            occurrence: format!("{trigger}@{occurrence}"),
        });
    }
    Ok(Firing {
        trigger: trigger.to_owned(),
        occurrence: occurrence.to_owned(),
        node: record.node,
        recorded: record.at,
        due,
        outcome: None,
        course: Course::default(),
    })
}

fn without_outcome(known: Option<&Firing>, trigger: &str, occurrence: &str) -> Result<Firing, FiringError> {
    let name = || format!("{trigger}@{occurrence}");
    match known {
        Some(open) if open.outcome.is_none() => Ok(open.clone()),
        Some(_) => Err(FiringError::Settled { occurrence: name() }),
        None => Err(FiringError::Unknown { occurrence: name() }),
    }
}

fn running(known: Option<&Firing>, trigger: &str, occurrence: &str) -> Result<Firing, FiringError> {
    let name = || format!("{trigger}@{occurrence}");
    match known {
        Some(running) if running.is_running() => Ok(running.clone()),
        Some(_) => Err(FiringError::Settled { occurrence: name() }),
        None => Err(FiringError::Unknown { occurrence: name() }),
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
            by: None,
        })
    }

    fn acted() -> Record {
        of(None)
    }

    fn of(started: Option<Started>) -> Record {
        record(Event::TriggerActed {
            trigger: "daily".to_owned(),
            occurrence: "monday".to_owned(),
            outcome: "told the operator".to_owned(),
            failed: false,
            started,
        })
    }

    fn ended() -> Record {
        record(Event::TriggerEnded {
            trigger: "daily".to_owned(),
            occurrence: "monday".to_owned(),
            outcome: "exited with code 1".to_owned(),
            failed: true,
        })
    }

    #[test]
    fn p6_what_was_started_ends_once() {
        let open = apply(None, &fired()).unwrap();
        assert!(open.is_open() && !open.is_running());
        assert!(apply(Some(&open), &ended()).is_err(), "it started nothing yet");
        let running = apply(Some(&open), &of(Some(Started::Task(NodeId::ROOT)))).unwrap();
        assert!(running.is_open() && running.is_running());
        let over = apply(Some(&running), &ended()).unwrap();
        assert!(!over.is_open() && over.course.failed);
        assert_eq!(over.outcome.as_deref(), Some("exited with code 1"));
        assert!(apply(Some(&over), &ended()).is_err());
        let at_once = apply(Some(&open), &acted()).unwrap();
        assert!(!at_once.is_open());
        assert!(
            apply(Some(&at_once), &ended()).is_err(),
            "there is nothing to end"
        );
    }

    #[test]
    fn p6_failed_attempts_are_counted_until_there_is_an_outcome() {
        let attempted = |attempt| {
            record(Event::TriggerAttempted {
                trigger: "daily".to_owned(),
                occurrence: "monday".to_owned(),
                attempt,
                failure: "refused".to_owned(),
                retry_at: Timestamp::from_millis(9),
            })
        };
        let open = apply(None, &fired()).unwrap();
        let again = apply(Some(&open), &attempted(1)).unwrap();
        assert_eq!((again.course.attempts, again.outcome.as_ref()), (1, None));
        assert_eq!(again.course.retry_at, Some(Timestamp::from_millis(9)));
        let done = apply(Some(&again), &acted()).unwrap();
        assert_eq!(done.course.retry_at, None);
        assert!(apply(Some(&done), &attempted(2)).is_err());
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
