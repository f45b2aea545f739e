//! One ladder for everything that somebody has to settle: whoever the work is given to, then the
//! executive tier, then the operator. Each step has a deadline; who lets it pass hands on.
//!
//! The ladder is pure data and one function. What it comes to is in the journal, so that the next
//! daemon goes on at the step where this one was.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What has to be settled.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Matter {
    /// A task cannot go on without help.
    Blocked,
    /// Somebody asked for what they may not have.
    Refused,
    /// A task was tried as often as it may be.
    Attempts,
    /// The work is too far from the plan.
    Deviation,
    /// Nobody approved in time, or the approval grew old.
    Approval,
    /// The executive and the one who does the work do not agree.
    Disagreement,
}

impl Matter {
    /// Its name, as in JSON and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Refused => "refused",
            Self::Attempts => "attempts",
            Self::Deviation => "deviation",
            Self::Approval => "approval",
            Self::Disagreement => "disagreement",
        }
    }

    /// Who is asked first. Whoever does the work cannot settle that it has failed, that it may not,
    /// or that it disagrees.
    #[must_use]
    pub const fn first(self) -> Rung {
        match self {
            Self::Blocked | Self::Deviation | Self::Approval => Rung::Assignee,
            Self::Refused | Self::Attempts | Self::Disagreement => Rung::Executive,
        }
    }
}

/// A step of the ladder.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// Whoever the work is given to.
    Assignee,
    /// The executive tier.
    Executive,
    /// The operator, who has the last word.
    Operator,
}

impl Rung {
    /// Its name, as in JSON and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Assignee => "assignee",
            Self::Executive => "executive",
            Self::Operator => "operator",
        }
    }

    /// Who is next; nobody is above the operator.
    #[must_use]
    pub const fn above(self) -> Option<Self> {
        match self {
            Self::Assignee => Some(Self::Executive),
            Self::Executive => Some(Self::Operator),
            Self::Operator => None,
        }
    }

    /// How long they have.
    #[must_use]
    pub const fn time(self) -> Option<Duration> {
        match self {
            Self::Assignee => Some(ASSIGNEE_TIME),
            Self::Executive => Some(EXECUTIVE_TIME),
            Self::Operator => None,
        }
    }
}

/// How long whoever the work is given to has to settle it. Then the executive tier is asked.
pub const ASSIGNEE_TIME: Duration = Duration::from_secs(5 * 60);
/// How long the executive tier has. Then the operator is asked, who has all the time.
pub const EXECUTIVE_TIME: Duration = Duration::from_secs(30 * 60);

/// One step that was taken. Whose it is, is the Worknode of its event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Escalation {
    /// What has to be settled.
    pub matter: Matter,
    /// Which occurrence of it: a matter that comes again later is another one.
    pub topic: String,
    /// Who is asked now.
    pub to: Rung,
    /// Until when they have time; the operator has all the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What it is about, in words.
    pub reason: String,
}

/// Who can be asked at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Present {
    /// Somebody holds the work, or is named for it.
    pub assignee: bool,
    /// The team has an agent of the executive tier.
    pub executive: bool,
}

impl Present {
    const fn has(self, rung: Rung) -> bool {
        match rung {
            Rung::Assignee => self.assignee,
            Rung::Executive => self.executive,
            Rung::Operator => true,
        }
    }
}

/// Decides the next step of `matter`, `last` being the one before. `None` when there is still time,
/// or the operator has been asked. Who is not there is passed over. Pure.
#[must_use]
pub fn next_step(
    matter: Matter,
    topic: &str,
    last: Option<&Escalation>,
    present: Present,
    reason: &str,
    now: Timestamp,
) -> Option<Escalation> {
    let from = match last {
        None => Some(matter.first()),
        Some(last) if last.until.is_some_and(|until| until <= now) => last.to.above(),
        Some(_) => None,
    };
    let mut rung = from?;
    while !present.has(rung) {
        rung = rung.above()?;
    }
    let reason = match last {
        None => reason.to_owned(),
        Some(last) => format!("{reason} (the {} did not settle it in time)", last.to.name()),
    };
    Some(Escalation {
        matter,
        topic: topic.to_owned(),
        to: rung,
        until: rung.time().map(|time| now.plus(time)),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Present = Present {
        assignee: true,
        executive: true,
    };

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_millis(secs * 1_000)
    }

    fn climb(matter: Matter, present: Present) -> Vec<(Rung, u64)> {
        let (mut last, mut now, mut seen) = (None, at(0), Vec::new());
        while let Some(step) = next_step(matter, "1", last.as_ref(), present, "stuck", now) {
            seen.push((step.to, now.as_millis() / 1_000));
            assert_eq!(
                next_step(matter, "1", Some(&step), present, "stuck", now),
                None,
                "it has time"
            );
            now = step.until.unwrap_or(now);
            last = Some(step);
            assert!(seen.len() <= 3, "the ladder has three steps");
        }
        seen
    }

    #[test]
    fn p8_every_matter_reaches_the_operator_in_bounded_time() {
        let up = [
            (Rung::Assignee, 0),
            (Rung::Executive, 300),
            (Rung::Operator, 2_100),
        ];
        assert_eq!(climb(Matter::Blocked, ALL), up);
        assert_eq!(
            climb(Matter::Attempts, ALL),
            [(Rung::Executive, 0), (Rung::Operator, 1_800)]
        );
        let nobody = Present::default();
        for matter in [
            Matter::Blocked,
            Matter::Refused,
            Matter::Attempts,
            Matter::Deviation,
            Matter::Approval,
            Matter::Disagreement,
        ] {
            assert_eq!(climb(matter, nobody), [(Rung::Operator, 0)]);
            assert_eq!(climb(matter, ALL).last().unwrap().0, Rung::Operator);
        }
    }

    #[test]
    fn p5_the_next_daemon_goes_on_at_the_same_step() {
        let first = next_step(Matter::Blocked, "1", None, ALL, "stuck", at(0)).unwrap();
        let stored = serde_json::to_string(&first).unwrap();
        let again: Escalation = serde_json::from_str(&stored).unwrap();
        assert_eq!(
            next_step(Matter::Blocked, "1", Some(&again), ALL, "stuck", at(299)),
            None
        );
        let next = next_step(Matter::Blocked, "1", Some(&again), ALL, "stuck", at(300)).unwrap();
        assert_eq!(next.to, Rung::Executive);
        assert!(next.reason.contains("assignee did not settle"), "{}", next.reason);
    }
}
