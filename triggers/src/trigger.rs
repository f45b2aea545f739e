//! A trigger whose configuration was checked: what the rules work on.
//!
//! Kept small, because there may be a hundred thousand: patterns are plain text, what an action
//! carries is shared with every clone, and terms at their defaults take no room.

use std::{fmt, sync::Arc};

use worknode_core::time::{Span, Timestamp};

use crate::{
    condition::Condition,
    cron::CronSchedule,
    event::Under,
    glob::Glob,
    spec::{
        CountBy, EmitSpec, EscalateSpec, GateSpec, Misfire, Overlap, Percent, RunSpec, SpawnSpec,
        TriggerSpec, WebhookSpec,
    },
    template::About,
    terms::{Terms, USUAL},
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
    /// Absent when all are the usual ones.
    pub(crate) terms: Option<Box<Terms>>,
    /// Of all that its configuration says.
    pub(crate) digest: u64,
}

/// What makes a trigger due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// A cron schedule.
    Cron(Box<CronSchedule>),
    /// Every so often.
    Every(Period),
    /// Events.
    Event(Box<EventRule>),
    /// Steps around deadlines.
    Deadline(Box<Ladder>),
}

/// A period, and an instant at which one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// How long; at least a second.
    pub every: Span,
    /// Where the periods are counted from, both ways.
    pub baseline: Timestamp,
}

/// Which events to act on, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRule {
    /// Types of the events.
    pub event: Glob,
    /// Only of this Worknode and those below it.
    pub under: Option<Under>,
    /// Only those for which this holds.
    pub condition: Option<Condition>,
    /// Further types that start the count anew.
    pub reset_by: Option<Glob>,
    /// How many it takes; at least 1.
    pub need: u32,
    /// Whether these have to be in a row.
    pub in_a_row: bool,
    /// All of them within this time; zero for however long.
    pub within: Span,
    /// Whose events count together.
    pub count_by: CountBy,
    /// Act when that long none matched any more; zero for at once.
    pub debounce: Span,
    /// Act when that long none matched; zero for acting on events.
    pub absent_for: Span,
    /// Time after acting in which nothing fires; may be zero.
    pub cooldown: Span,
}

/// Steps around the deadlines of the tasks that a pattern names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// Names of tasks.
    pub tasks: Glob,
    /// Only tasks for which this holds.
    pub condition: Option<Condition>,
    /// The steps, the earliest before a deadline first; no two at the same time.
    pub steps: Box<[LadderStep]>,
}

/// One step of a ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LadderStep {
    /// When.
    pub when: StepTime,
    /// Only when less than that is done.
    pub done_below: Option<Percent>,
    /// What to do.
    pub action: Arc<Action>,
}

/// When a step is, as seen from the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepTime {
    /// So long before it.
    Before(Span),
    /// When that much of the time to it has passed.
    Elapsed(Percent),
    /// So long after it.
    After(Span),
}

impl fmt::Display for StepTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(span) => write!(f, "{span}"),
            Self::Elapsed(percent) => write!(f, "{percent}"),
            Self::After(span) => write!(f, "+{span}"),
        }
    }
}

/// What a firing does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start an agent. Exactly one of `agent` and `profile` is set.
    Spawn(SpawnSpec),
    /// Stop agents.
    Terminate {
        /// Names of agents.
        agents: Glob,
        /// Only those for which this holds.
        condition: Option<Condition>,
        /// Why.
        reason: String,
        /// Time between asking and ending, when not the run's own.
        grace: Option<Span>,
    },
    /// Send a message.
    Notify {
        /// To whom.
        to: Recipient,
        /// What it says; without it, the caller says what is due.
        message: Option<String>,
    },
    /// Give agents or a task more, for a time.
    Escalate(EscalateSpec),
    /// Run gates.
    Gate(GateSpec),
    /// Record an event.
    Emit(EmitSpec),
    /// Run a command.
    Run(RunSpec),
}

impl Action {
    /// The key that it has in the configuration.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Spawn(_) => "spawn",
            Self::Terminate { .. } => "terminate",
            Self::Notify { .. } => "notify",
            Self::Escalate(_) => "escalate",
            Self::Gate(_) => "gate",
            Self::Emit(_) => "emit",
            Self::Run(_) => "run",
        }
    }
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
    /// A server.
    Webhook(WebhookSpec),
    /// A program with its arguments.
    Command(Vec<String>),
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

    /// A digest of all that its configuration says: the same for the same words, in every build. No
    /// proof against somebody who looks for two that have the same.
    #[must_use]
    pub const fn digest(&self) -> u64 {
        self.digest
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

    /// The further terms.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        self.terms.as_deref().unwrap_or(&USUAL)
    }

    /// What its texts may speak of.
    #[must_use]
    pub const fn about(&self) -> About {
        match self.when {
            When::Cron(_) | When::Every(_) => About::Time,
            When::Event(_) => About::Event,
            When::Deadline(_) => About::Task,
        }
    }

    /// Whether its condition can only be answered with facts: about the event, each task, or
    /// each agent.
    #[must_use]
    pub fn needs_facts(&self) -> bool {
        match &self.when {
            When::Cron(_) | When::Every(_) => self.terms().agents.is_some(),
            When::Event(rule) => rule.condition.is_some(),
            When::Deadline(ladder) => ladder.condition.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_is_small() {
        // A hundred thousand of them, with a name and a schedule each, stay far below 100 MB.
        assert!(size_of::<Trigger>() <= 96, "{}", size_of::<Trigger>());
        assert!(size_of::<CronSchedule>() <= 128, "{}", size_of::<CronSchedule>());
    }
}
