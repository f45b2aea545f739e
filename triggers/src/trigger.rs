//! A trigger whose configuration was checked: what the rules work on.
//!
//! Kept small, because there may be a hundred thousand: patterns are plain text, and what an
//! action carries is shared with every clone.

use std::sync::Arc;

use worknode_core::time::{Span, Timestamp};

use crate::{
    cron::CronSchedule,
    glob::Glob,
    spec::{EmitSpec, Misfire, Overlap, SpawnSpec, TriggerSpec},
    validate::{self, Problem},
};

/// A checked trigger. Only [`compile`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    pub(crate) name: Box<str>,
    pub(crate) when: When,
    pub(crate) misfire: Misfire,
    pub(crate) overlap: Overlap,
    pub(crate) enabled: bool,
    /// Absent for ladders, whose steps have their own.
    pub(crate) action: Option<Arc<Action>>,
}

/// What makes a trigger due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// A cron schedule.
    Cron(Box<CronSchedule>),
    /// The multiples of a period since 1970.
    Every(Span),
    /// Events of a type.
    Event(EventRule),
    /// Steps before deadlines.
    Deadline(Ladder),
}

/// Which events to act on, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRule {
    /// Type of the events.
    pub event: Box<str>,
    /// Act on every n-th in a row; at least 1.
    pub consecutive: u32,
    /// Time after acting in which nothing fires; may be zero.
    pub cooldown: Span,
}

/// Steps before the deadlines of the tasks that a pattern names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// Names of tasks.
    pub tasks: Glob,
    /// The steps, the earliest first; no two at the same time.
    pub steps: Box<[LadderStep]>,
}

/// One step of a ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LadderStep {
    /// How long before the deadline.
    pub before: Span,
    /// What to do.
    pub action: Arc<Action>,
}

/// What a firing does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start an agent. Exactly one of `agent` and `profile` is set.
    Spawn(SpawnSpec),
    /// Stop the agents that the pattern names.
    Terminate {
        /// Names of agents.
        agents: Glob,
        /// Why.
        reason: String,
    },
    /// Send a message.
    Notify {
        /// To whom.
        to: Recipient,
        /// What it says; without it, the caller says what is due.
        message: Option<String>,
    },
    /// Record an event.
    Emit(EmitSpec),
}

/// Who gets a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// Whoever works on the task whose deadline is near. Only in ladders.
    Assignee,
    /// The executive agents of the team.
    Executive,
    /// The person who runs the team.
    Operator,
    /// One agent, by name.
    Agent(String),
}

impl From<&str> for Recipient {
    fn from(text: &str) -> Self {
        match text {
            "assignee" => Self::Assignee,
            "executive" => Self::Executive,
            "operator" => Self::Operator,
            name => Self::Agent(name.to_owned()),
        }
    }
}

/// Checks a trigger and turns it into the form that the rules work on.
///
/// # Errors
/// Every [`Problem`] of the trigger, not only the first.
pub fn compile(spec: &TriggerSpec) -> Result<Trigger, Vec<Problem>> {
    validate::compile(spec)
}

impl TriggerSpec {
    /// Every mistake in this trigger; empty when it can be used.
    #[must_use]
    pub fn validate(&self) -> Vec<Problem> {
        compile(self).err().unwrap_or_default()
    }
}

impl Trigger {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What makes it due.
    #[must_use]
    pub const fn when(&self) -> &When {
        &self.when
    }

    /// False when it is switched off; then nothing of it is ever due.
    #[must_use]
    pub const fn enabled(&self) -> bool {
        self.enabled
    }

    /// What becomes of missed occurrences.
    #[must_use]
    pub const fn misfire(&self) -> Misfire {
        self.misfire
    }

    /// What to do when the last firing still runs.
    #[must_use]
    pub const fn overlap(&self) -> Overlap {
        self.overlap
    }

    /// What a firing does. `None` for ladders: there each step has its own.
    #[must_use]
    pub const fn action(&self) -> Option<&Arc<Action>> {
        self.action.as_ref()
    }

    /// The first scheduled instant strictly after `after`. `None` for triggers without a
    /// timetable, and when there is no such instant.
    pub(crate) fn next_scheduled(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.when {
            When::Cron(schedule) => schedule.next_after(after),
            When::Every(period) => next_multiple(*period, after),
            When::Event(_) | When::Deadline(_) => None,
        }
    }
}

fn next_multiple(period: Span, after: Timestamp) -> Option<Timestamp> {
    let period = worknode_core::time::millis(period.0);
    let next = after
        .as_millis()
        .checked_div(period)?
        .checked_add(1)?
        .checked_mul(period)?;
    (next <= Timestamp::MAX.as_millis()).then(|| Timestamp::from_millis(next))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_trigger_is_small() {
        // A hundred thousand of them, with a name and a schedule each, stay far below 100 MB.
        assert!(size_of::<Trigger>() <= 128, "{}", size_of::<Trigger>());
        assert!(size_of::<CronSchedule>() <= 512, "{}", size_of::<CronSchedule>());
    }

    proptest! {
        #[test]
        fn multiples_are_strictly_after_and_at_most_a_period_away(
            period in 1_u64..10_000_000,
            after in 0..=Timestamp::MAX.as_millis(),
        ) {
            let after = Timestamp::from_millis(after);
            let period = Span(std::time::Duration::from_millis(period));
            if let Some(next) = next_multiple(period, after) {
                prop_assert!(next > after);
                prop_assert!(next.since(after) <= period.0);
                prop_assert_eq!(u128::from(next.as_millis()) % period.0.as_millis(), 0);
            }
        }
    }

    #[test]
    fn no_multiple_lies_beyond_the_end_of_time() {
        assert_eq!(next_multiple(Span::secs(1), Timestamp::MAX), None);
        assert_eq!(
            next_multiple(Span(std::time::Duration::MAX), Timestamp::default()),
            None
        );
    }
}
