//! What a trigger with a timetable owes for a window of time.
//!
//! Windows are `(last, now]` and contiguous. Occurrences that are late by more than
//! [`TOLERANCE`] are up to the misfire policy; punctual ones fire. Nothing here grows with the
//! length of the window: a trigger of every second whose daemon was down for a year costs a few
//! thousand steps, not thirty million.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use worknode_core::time::Timestamp;

pub use crate::admit::{OverlapDecision, overlap_decision};
use crate::{
    firing::{Firing, Occurrence},
    spec::Misfire,
    timetable::{Slot, last_within},
    trigger::Trigger,
};

/// How late an occurrence may be looked at and still count as punctual.
///
/// One minute: more than any pause of a daemon that is alive, and less than any schedule whose
/// author would mind. As schedules are whole seconds apart, at most 61 occurrences are punctual.
pub const TOLERANCE: Duration = Duration::from_secs(60);
/// Upper bound of the catch-up limit, whatever the configuration says.
pub const MAX_CATCH_UP: usize = 1_000;
/// Skipped occurrences that are listed one by one, the newest. The others are counted.
pub const LISTED: usize = 100;
/// Where that count ends: then it means "at least".
pub const COUNTED: usize = 10_000;

/// The time between two looks: after `last`, up to and with `now`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When was looked last. For a new trigger, when it came into being: it owes nothing older.
    pub last: Timestamp,
    /// When is looked.
    pub now: Timestamp,
}

impl Window {
    /// The newest instant that counts as late.
    pub(crate) fn edge(self) -> Timestamp {
        self.now.minus(TOLERANCE + Duration::from_millis(1))
    }
}

/// Why an occurrence did not act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// It was missed, and `misfire = "skip"`.
    Missed,
    /// It was missed, and a newer one stands for it (`misfire = "once"`).
    Superseded,
    /// It was missed, and there were more than are made up for.
    CatchUpLimit,
    /// What the last firing started was still running (`overlap = "forbid"`).
    StillRunning,
    /// Another one waits already for what the last firing started (`overlap = "queue"`).
    OneWaits,
    /// As many were running beside each other as may (`max_concurrent`).
    TooMany,
    /// It has acted as often as it may (`max_firings`).
    Spent,
    /// The provider gave nothing more (`on_quota = "skip"`).
    Quota,
    /// A panic blocks all triggers (`on_panic = "skip"`).
    Panic,
    /// As much of the task was done as the step asks for (`done_below`).
    DoneEnough,
    /// The condition held for no agent.
    NoAgent,
    /// The trigger is new: it watches from here on.
    New,
    /// As many firings led to it, one because of the other, as may.
    Chain,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missed => "missed, and missed ones are not made up for",
            Self::Superseded => "missed, and a newer one stands for it",
            Self::CatchUpLimit => "missed, and more were missed than are made up for",
            Self::StillRunning => "the last firing was still running",
            Self::OneWaits => "the last firing was still running, and another one waits for it already",
            Self::TooMany => "as many firings were running as may run beside each other",
            Self::Spent => "the trigger has acted as often as it may",
            Self::Quota => "the provider gave nothing more",
            Self::Panic => "a panic blocks all triggers",
            Self::DoneEnough => "enough of the task was done",
            Self::NoAgent => "its condition held for no agent",
            Self::New => "the trigger is new, and watches from here on",
            Self::Chain => "as many firings led to it, one because of the other, as may",
        })
    }
}

impl SkipReason {
    /// Why this policy does not make up for a missed occurrence.
    pub(crate) const fn of(misfire: Misfire) -> Self {
        match misfire {
            Misfire::Skip => Self::Missed,
            Misfire::Once => Self::Superseded,
            Misfire::All => Self::CatchUpLimit,
        }
    }
}

/// What is due. Both lists run from old to new.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// To be acted on.
    pub fire: Vec<Firing>,
    /// Not to be acted on, and why: the newest [`LISTED`].
    pub skipped: Vec<(Firing, SkipReason)>,
    /// Skipped ones that are older than those listed. [`COUNTED`] means that many or more.
    pub unlisted: usize,
}

impl Due {
    /// The same for a trigger that may act only `left` times more: what is beyond is skipped.
    #[must_use]
    pub fn with_left(mut self, left: u64) -> Self {
        let left = usize::try_from(left).unwrap_or(usize::MAX).min(self.fire.len());
        let spent = self.fire.split_off(left);
        self.skipped
            .extend(spent.into_iter().map(|firing| (firing, SkipReason::Spent)));
        self
    }
}

/// What a `cron` or `every` trigger owes for a window; `catch_up` bounds what is made up for
/// unless the trigger has a bound of its own. Triggers of other kinds, and those that are
/// switched off, owe nothing here.
#[must_use]
pub fn due(trigger: &Trigger, window: Window, catch_up: usize) -> Due {
    if !trigger.enabled || window.now <= window.last {
        return Due::default();
    }
    let edge = window.edge().max(window.last);
    let quota = quota(trigger.misfire, trigger.terms().catch_up.unwrap_or(catch_up));
    let mut missed = newest(trigger, window.last, edge, quota + LISTED);
    let oldest = missed.last().copied();
    let mut skipped = missed.split_off(quota.min(missed.len()));
    missed.reverse();
    skipped.reverse();

    let firing = |slot: Slot| Firing {
        occurrence: Occurrence::scheduled(&trigger.name, slot.scheduled),
        scheduled_at: slot.scheduled,
        due_at: slot.due,
    };
    let reason = SkipReason::of(trigger.misfire);
    let punctual = slots(trigger, edge, window.now);
    Due {
        fire: missed.into_iter().chain(punctual).map(firing).collect(),
        unlisted: match oldest {
            // The oldest listed one is not counted again.
            Some(oldest) if skipped.len() >= LISTED => {
                let before = oldest.due.minus(Duration::from_millis(1));
                slots(trigger, window.last, before).take(COUNTED).count()
            }
            _ => 0,
        },
        skipped: skipped.into_iter().map(|slot| (firing(slot), reason)).collect(),
    }
}

/// When to look at this trigger next: the first instant after `after` at which one of its
/// timetable is due. `None` for triggers that have no timetable or are switched off.
#[must_use]
pub fn next_due(trigger: &Trigger, after: Timestamp) -> Option<Timestamp> {
    trigger
        .next_slot(after)
        .filter(|_| trigger.enabled)
        .map(|slot| slot.due)
}

/// The occurrences of a timetable that are due after `after`, in order, each as it will fire.
/// Nothing is changed by looking. May be very many: take what is needed.
pub fn upcoming(trigger: &Trigger, after: Timestamp) -> impl Iterator<Item = Firing> {
    slots(trigger, after, Timestamp::MAX)
        .filter(|_| trigger.enabled)
        .map(|slot| Firing {
            occurrence: Occurrence::scheduled(&trigger.name, slot.scheduled),
            scheduled_at: slot.scheduled,
            due_at: slot.due,
        })
}

/// How many missed occurrences are made up for.
pub(crate) fn quota(misfire: Misfire, catch_up: usize) -> usize {
    let limit = match misfire {
        Misfire::Skip => 0,
        Misfire::Once => 1,
        Misfire::All => MAX_CATCH_UP,
    };
    limit.min(catch_up)
}

/// The occurrences that are due in `(after, until]`, oldest first.
fn slots(trigger: &Trigger, after: Timestamp, until: Timestamp) -> impl Iterator<Item = Slot> {
    std::iter::successors(trigger.next_slot(after), |slot| trigger.next_slot(slot.due))
        .take_while(move |slot| slot.due <= until)
}

/// Up to `count` occurrences that are due in `(after, until]`, newest first.
fn newest(trigger: &Trigger, after: Timestamp, until: Timestamp, count: usize) -> Vec<Slot> {
    let moment = Duration::from_millis(1);
    let next = |from: Timestamp| trigger.next_slot(from).map(|slot| slot.due);
    let mut found = Vec::new();
    let mut until = until;
    while found.len() < count
        && let Some(due) = last_within(after, until, next)
        && let Some(slot) = trigger.next_slot(due.minus(moment))
    {
        found.push(slot);
        until = due.minus(moment);
    }
    found
}

#[cfg(test)]
mod tests;
