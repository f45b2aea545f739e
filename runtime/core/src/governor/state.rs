//! Where a pool stands, and what its governor answers.

use std::time::Duration;

use crate::{event::Event, ids::RunId, time::Timestamp};

/// How long a pool waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The first pause when nobody says how long it should be. It doubles with each that follows.
    pub first: Duration,
    /// The longest pause of those.
    pub guess: Duration,
    /// The longest pause of all. A provider may name a day next week; trying in between costs one
    /// request, and the quota may have been raised.
    pub longest: Duration,
    /// How long a probe may show nothing before all go on.
    pub probe: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(60),
            guess: Duration::from_secs(30 * 60),
            longest: Duration::from_secs(6 * 60 * 60),
            probe: Duration::from_secs(5 * 60),
        }
    }
}

/// Where a pool stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolState {
    /// Its runs go on, and others may start.
    Open,
    /// Its runs are held, and none starts.
    Paused {
        /// When one may try.
        until: Timestamp,
        /// Why.
        reason: String,
        /// When it began; it may have been prolonged since.
        since: Timestamp,
    },
    /// One run tries. The others are held, and none starts.
    Probing {
        /// Which run.
        run: RunId,
        /// When all go on if it shows nothing.
        until: Timestamp,
        /// Why the pool was paused.
        reason: String,
        /// When the pause began.
        since: Timestamp,
    },
}

/// May a run start on the pool?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Go,
    /// Yes, and the others wait for what becomes of it.
    Probe,
    /// No.
    Wait {
        /// When to ask again.
        until: Timestamp,
        /// Why.
        reason: String,
    },
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Store this event of the team before anything else is done.
    Record(Box<Event>),
    /// Hold this run still; one whose process is only coming to life, as soon as it has.
    Freeze(RunId),
    /// Let this run go on.
    Thaw(RunId),
}
