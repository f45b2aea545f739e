//! The identity of an occurrence: what lets a firing act only once.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use worknode_core::{hlc::Hlc, time::Timestamp};

use crate::trigger::StepTime;

/// An occurrence with its instants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// Its identity.
    pub occurrence: Occurrence,
    /// For when it was scheduled.
    pub scheduled_at: Timestamp,
    /// When it is due: later than scheduled with jitter, or for a step whose own time was past
    /// when its task got the deadline.
    pub due_at: Timestamp,
}

/// The end of the key of what was fired by hand.
const BY_HAND: &str = "#hand";

/// One occurrence of a trigger. Two looks at the same window, before and after a crash, yield
/// equal occurrences; whoever has recorded one does not act on it again.
///
/// Text: `trigger@key`. The key is
/// - the scheduled instant, for `cron` and `every`;
/// - `<task>@<deadline>#<step>`, for a step of a deadline ladder, with the step as the time
///   before the deadline (`6h`), after it (`+6h`), or the part of the time that has passed
///   (`80%`): a moved deadline makes new occurrences, an edited ladder none for the steps that
///   stay;
/// - the stamp of the event, for `event`; of the last one with `debounce`;
/// - `<source>@<instant>#absent`, for `absent_for`, with the instant from which nothing came;
/// - `<instant>#hand`, for one that somebody fired by hand then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Occurrence {
    /// Name of the trigger. Has no `@`.
    pub trigger: String,
    /// Which occurrence of it.
    pub key: String,
}

impl Occurrence {
    /// Of a trigger that fires at scheduled instants.
    #[must_use]
    pub fn scheduled(trigger: &str, at: Timestamp) -> Self {
        Self::new(trigger, at.to_string())
    }

    /// Of a step around the deadline of a task.
    #[must_use]
    pub fn step(trigger: &str, task: &str, deadline: Timestamp, when: StepTime) -> Self {
        let when = when.to_string().replace(' ', "");
        Self::new(trigger, format!("{task}@{deadline}#{when}"))
    }

    /// Of a trigger that waits for events of a source and got none since an instant.
    #[must_use]
    pub fn absence(trigger: &str, source: &str, since: Timestamp) -> Self {
        Self::new(trigger, format!("{source}@{since}#absent"))
    }

    /// Fired by hand at an instant, whatever the timetable says.
    #[must_use]
    pub fn by_hand(trigger: &str, at: Timestamp) -> Self {
        Self::new(trigger, format!("{at}{BY_HAND}"))
    }

    /// Was it fired by hand?
    #[must_use]
    pub fn is_by_hand(&self) -> bool {
        self.key.ends_with(BY_HAND)
    }

    /// Of a trigger that watches events.
    #[must_use]
    pub fn of_event(trigger: &str, event: Hlc) -> Self {
        Self::new(trigger, event.to_string())
    }

    fn new(trigger: &str, key: String) -> Self {
        Self {
            trigger: trigger.to_owned(),
            key,
        }
    }
}

impl fmt::Display for Occurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.trigger, self.key)
    }
}

/// The text names no occurrence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a firing, as in daily-review@2026-11-23T08:00:00.000Z")]
pub struct NotAnOccurrence(pub String);

impl FromStr for Occurrence {
    type Err = NotAnOccurrence;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('@') {
            Some((trigger, key)) if !trigger.is_empty() && !key.is_empty() => {
                Ok(Self::new(trigger, key.to_owned()))
            }
            _ => Err(NotAnOccurrence(text.to_owned())),
        }
    }
}

impl Serialize for Occurrence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Occurrence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use worknode_core::time::Span;

    use super::*;

    #[test]
    fn p6_every_kind_has_a_text_that_reads_back() {
        let deadline: Timestamp = "2026-12-01T17:00:00Z".parse().unwrap();
        let stamp: Hlc = "2026-11-21T10:24:30.123Z-0007-1a2b3c4d".parse().unwrap();
        for (occurrence, text) in [
            (
                Occurrence::scheduled("daily", deadline),
                "daily@2026-12-01T17:00:00.000Z",
            ),
            (
                Occurrence::step(
                    "ladder",
                    "schema",
                    deadline,
                    StepTime::Before(Span::secs(36 * 3600)),
                ),
                "ladder@schema@2026-12-01T17:00:00.000Z#1day12h",
            ),
            (
                Occurrence::step("ladder", "schema", deadline, StepTime::After(Span::secs(60))),
                "ladder@schema@2026-12-01T17:00:00.000Z#+1m",
            ),
            (
                Occurrence::absence("quiet", "coder-1", deadline),
                "quiet@coder-1@2026-12-01T17:00:00.000Z#absent",
            ),
            (
                Occurrence::by_hand("daily", deadline),
                "daily@2026-12-01T17:00:00.000Z#hand",
            ),
            (
                Occurrence::of_event("broken", stamp),
                "broken@2026-11-21T10:24:30.123Z-0007-1a2b3c4d",
            ),
        ] {
            assert_eq!(occurrence.to_string(), text);
            assert_eq!(text.parse::<Occurrence>().unwrap(), occurrence);
            let json = serde_json::to_string(&occurrence).unwrap();
            assert_eq!(serde_json::from_str::<Occurrence>(&json).unwrap(), occurrence);
        }
        assert!("daily".parse::<Occurrence>().is_err());
        assert!("@2026".parse::<Occurrence>().is_err());
    }
}
