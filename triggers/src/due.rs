//! What a trigger with a timetable owes for a window of time.
//!
//! Windows are `(last, now]` and contiguous. Occurrences that are late by more than
//! [`TOLERANCE`] are up to the misfire policy; punctual ones fire. Nothing here grows with the
//! length of the window: a trigger of every second whose daemon was down for a year costs a few
//! thousand steps, not thirty million.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use worknode_core::time::Timestamp;

use crate::{
    firing::Occurrence,
    spec::{Misfire, Overlap},
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

/// An occurrence with the instant for which it was scheduled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// Its identity.
    pub occurrence: Occurrence,
    /// When it should have been, or is.
    pub scheduled_at: Timestamp,
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
    /// A panic blocks all triggers.
    Panic,
    /// The trigger is new: it watches from here on.
    New,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missed => "missed, and missed ones are not made up for",
            Self::Superseded => "missed, and a newer one stands for it",
            Self::CatchUpLimit => "missed, and more were missed than are made up for",
            Self::StillRunning => "the last firing was still running",
            Self::Panic => "a panic blocks all triggers",
            Self::New => "the trigger is new, and watches from here on",
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

/// What a `cron` or `every` trigger owes for a window; `catch_up` bounds what is made up for.
/// Triggers of other kinds, and those that are switched off, owe nothing here.
#[must_use]
pub fn due(trigger: &Trigger, window: Window, catch_up: usize) -> Due {
    if !trigger.enabled || window.now <= window.last {
        return Due::default();
    }
    let edge = window.edge().max(window.last);
    let quota = quota(trigger.misfire, catch_up);
    let mut missed = newest(trigger, window.last, edge, quota + LISTED);
    let oldest = missed.last().copied();
    let mut skipped = missed.split_off(quota.min(missed.len()));
    missed.reverse();
    skipped.reverse();

    let firing = |at: Timestamp| Firing {
        occurrence: Occurrence::scheduled(&trigger.name, at),
        scheduled_at: at,
    };
    let reason = SkipReason::of(trigger.misfire);
    let punctual = scheduled(trigger, edge, window.now);
    Due {
        fire: missed.into_iter().chain(punctual).map(firing).collect(),
        unlisted: if skipped.len() < LISTED {
            0
        } else {
            // The oldest listed one is not counted again.
            let before = oldest.unwrap_or_default().minus(Duration::from_millis(1));
            scheduled(trigger, window.last, before).take(COUNTED).count()
        },
        skipped: skipped.into_iter().map(|at| (firing(at), reason)).collect(),
    }
}

/// When to look at this trigger next: its first scheduled instant after `after`. `None` for
/// triggers that have no timetable or are switched off.
#[must_use]
pub fn next_due(trigger: &Trigger, after: Timestamp) -> Option<Timestamp> {
    if trigger.enabled {
        trigger.next_scheduled(after)
    } else {
        None
    }
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

/// The scheduled instants in `(after, until]`, oldest first.
fn scheduled(trigger: &Trigger, after: Timestamp, until: Timestamp) -> impl Iterator<Item = Timestamp> {
    std::iter::successors(trigger.next_scheduled(after), |at| trigger.next_scheduled(*at))
        .take_while(move |at| *at <= until)
}

/// Up to `count` scheduled instants in `(after, until]`, newest first.
fn newest(trigger: &Trigger, after: Timestamp, until: Timestamp, count: usize) -> Vec<Timestamp> {
    let mut found = Vec::new();
    let mut until = until;
    while found.len() < count
        && let Some(at) = newest_one(trigger, after, until)
    {
        found.push(at);
        until = at.minus(Duration::from_millis(1));
    }
    found
}

/// The newest scheduled instant in `(after, until]`.
///
/// Schedules only know how to go forward. Whether there is one left in `(middle, until]` is one
/// question to them, so halving the window finds the last: forty questions for a century.
fn newest_one(trigger: &Trigger, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
    let next_in =
        |after: Timestamp, until: Timestamp| trigger.next_scheduled(after).filter(|at| *at <= until);
    let mut newest = next_in(after, until)?;
    // None lies after `until`, which moves down to meet the newest one known.
    let mut until = until;
    while newest < until {
        let half = until.since(newest).as_millis() / 2;
        let middle = newest.plus(Duration::from_millis(u64::try_from(half).unwrap_or(u64::MAX)));
        match next_in(middle, until) {
            Some(at) => newest = at,
            None => until = middle,
        }
    }
    Some(newest)
}

/// What to do with an occurrence, given what the last one started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverlapDecision {
    /// Act.
    Start,
    /// Do not act; record it as [`SkipReason::StillRunning`].
    Skip,
    /// Stop what is running, and act when that is proved.
    ReplacePrevious,
}

/// The overlap rule.
#[must_use]
pub const fn overlap_decision(overlap: Overlap, previous_still_running: bool) -> OverlapDecision {
    match (overlap, previous_still_running) {
        (_, false) | (Overlap::Allow, true) => OverlapDecision::Start,
        (Overlap::Forbid, true) => OverlapDecision::Skip,
        (Overlap::Replace, true) => OverlapDecision::ReplacePrevious,
    }
}

#[cfg(test)]
mod tests;
