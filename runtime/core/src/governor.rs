//! The governor of a credential pool: runs that share one quota pause together, and one of them
//! alone tries whether it is over.
//!
//! ```text
//!          quota, or overload of two               until is reached
//!   open ────────────────────────────→ paused ────────────────────────→ probing
//!    ↑                                 ↑    │ nobody is held: the next    │ │
//!    │                                 │    └ start is the probe ────────→│ │
//!    │                                 └───────── the same again ─────────┘ │
//!    └──────────── the probe gets an answer, or shows nothing for long ─────┘
//! ```
//!
//! While a pool is paused every run on it is held still and none starts. At the end of the pause
//! exactly one run goes on: one that is held, in turn, or else the next that wants to start. When
//! it gets an answer all go on; when it is refused again the pause begins again, longer each time
//! that nobody says how long it should be.
//!
//! Nobody is held for ever. A pause is bounded ([`Patience::longest`]), whatever a provider says;
//! a probe that neither succeeds nor fails is believed after a while ([`Patience::probe`]); one
//! that ends gives its turn to the next.
//!
//! Pure: time and random bits come in, and what is to be done goes out.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use crate::{
    event::Event,
    ids::RunId,
    time::{Timestamp, millis},
    usage::Stuck,
};

mod state;
#[cfg(test)]
mod tests;

pub use state::{Admission, Effect, Patience, PoolState};

/// How many runs must be overloaded at the same time before it is the provider and not chance.
/// One alone tries again by itself, and nobody else is better off for waiting with it.
const OVERLOADED: usize = 2;
/// The shortest pause when the provider names its end: one that is over already would be none.
const SHORTEST: Duration = Duration::from_secs(1);

/// One pool of credentials, and the live runs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Governor {
    pool: String,
    patience: Patience,
    state: PoolState,
    /// Pauses since the pool was open.
    pauses: u32,
    /// Runs that go on: all while open, none while paused, the probe while probing.
    going: BTreeSet<RunId>,
    /// Runs that are held, in the order in which they will try.
    held: VecDeque<RunId>,
    /// Runs that are overloaded, since any got an answer.
    overloaded: BTreeSet<RunId>,
}

impl Governor {
    /// An open pool that nobody uses yet.
    #[must_use]
    pub fn new(pool: impl Into<String>, patience: Patience) -> Self {
        Self {
            pool: pool.into(),
            patience,
            state: PoolState::Open,
            pauses: 0,
            going: BTreeSet::new(),
            held: VecDeque::new(),
            overloaded: BTreeSet::new(),
        }
    }

    /// The pool's name.
    #[must_use]
    pub fn pool(&self) -> &str {
        &self.pool
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> &PoolState {
        &self.state
    }

    /// The runs that are held.
    pub fn held(&self) -> impl Iterator<Item = RunId> {
        self.held.iter().copied()
    }

    /// At boot, from the journal: an event that happened at `at`. Those of other pools and other
    /// types change nothing. A probe that was under way is forgotten: the first [`Self::tick`]
    /// begins another.
    pub fn fold(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::PoolPaused { pool, until, reason } if *pool == self.pool => {
                self.state = PoolState::Paused {
                    until: *until,
                    reason: reason.clone(),
                    since: self.since().unwrap_or(at),
                };
                self.pauses = self.pauses.saturating_add(1);
            }
            Event::PoolResumed { pool } if *pool == self.pool => {
                self.state = PoolState::Open;
                self.pauses = 0;
            }
            _ => {}
        }
    }

    /// When [`Self::tick`] has something to do, or somebody who was told to wait may ask again.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.state {
            PoolState::Open => None,
            // Whoever starts next is the probe; there is nothing to wait for.
            PoolState::Paused { until, .. } if self.held.is_empty() && *until <= now => None,
            PoolState::Paused { until, .. } => Some((*until).min(now.plus(self.patience.longest))),
            PoolState::Probing { until, .. } => Some((*until).min(now.plus(self.patience.probe))),
        }
    }

    /// Would a run that is not on the pool yet be admitted now?
    #[must_use]
    pub fn admits(&self, now: Timestamp) -> bool {
        match &self.state {
            PoolState::Open => true,
            PoolState::Paused { until, .. } => *until <= now && self.held.is_empty(),
            PoolState::Probing { .. } => false,
        }
    }

    /// A run wants to start. When it is admitted it is on the pool until it is [`Self::gone`].
    pub fn admit(&mut self, run: RunId, now: Timestamp) -> Admission {
        if self.going.contains(&run) {
            return match self.state {
                PoolState::Probing { .. } => Admission::Probe,
                PoolState::Open | PoolState::Paused { .. } => Admission::Go,
            };
        }
        match &self.state {
            PoolState::Open => {
                self.going.insert(run);
                Admission::Go
            }
            PoolState::Paused { .. } if self.admits(now) => {
                self.probe(run, now);
                Admission::Probe
            }
            PoolState::Paused { until, reason, .. } | PoolState::Probing { until, reason, .. } => {
                Admission::Wait {
                    until: *until,
                    reason: reason.clone(),
                }
            }
        }
    }

    /// A run that lives already comes onto the pool: at boot, or when somebody else who held it
    /// lets it go.
    #[must_use = "the run may have to be held"]
    pub fn adopt(&mut self, run: RunId) -> Vec<Effect> {
        if self.going.contains(&run) || self.held.contains(&run) {
            return Vec::new();
        }
        if self.state == PoolState::Open {
            self.going.insert(run);
            return Vec::new();
        }
        self.held.push_back(run);
        vec![Effect::Freeze(run)]
    }

    /// A run says that it gets nowhere. Only quota and overload are the pool's affair. What a run
    /// says that is held was written before it was, and is known.
    #[must_use = "runs have to be held"]
    pub fn stuck(&mut self, run: RunId, stuck: &Stuck, now: Timestamp, random: u64) -> Vec<Effect> {
        if !self.listens_to(run) {
            return Vec::new();
        }
        match stuck {
            Stuck::QuotaPaused { reset_at } => {
                let reason = match reset_at {
                    Some(reset_at) => format!("quota used up until {reset_at}"),
                    None => "quota used up".to_owned(),
                };
                self.pause(*reset_at, reason, now, random)
            }
            Stuck::Overloaded => {
                self.overloaded.insert(run);
                let is_probe = self.state != PoolState::Open;
                if is_probe || self.overloaded.len() >= OVERLOADED {
                    self.pause(None, "the provider is overloaded".to_owned(), now, random)
                } else {
                    Vec::new()
                }
            }
            _ => Vec::new(),
        }
    }

    /// Does what this run says count for the pool now?
    fn listens_to(&self, run: RunId) -> bool {
        match &self.state {
            // A run may have ended before its last words were read.
            PoolState::Open => true,
            PoolState::Paused { .. } => false,
            PoolState::Probing { run: probe, .. } => *probe == run,
        }
    }

    /// A run got an answer from its provider: not an echo of what it had read before.
    #[must_use = "runs have to go on"]
    pub fn progressed(&mut self, run: RunId) -> Vec<Effect> {
        match self.state {
            PoolState::Open => {
                self.overloaded.clear();
                Vec::new()
            }
            PoolState::Probing { run: probe, .. } if probe == run => self.open(),
            PoolState::Paused { .. } | PoolState::Probing { .. } => Vec::new(),
        }
    }

    /// A run is over, never began, or is held by somebody else for another reason. A probe that
    /// goes without a word gives its turn to the next.
    #[must_use = "another run may have to try"]
    pub fn gone(&mut self, run: RunId, now: Timestamp) -> Vec<Effect> {
        self.going.remove(&run);
        self.overloaded.remove(&run);
        self.held.retain(|held| *held != run);
        match &self.state {
            PoolState::Probing {
                run: probe,
                reason,
                since,
                ..
            } if *probe == run => {
                self.state = PoolState::Paused {
                    until: now,
                    reason: reason.clone(),
                    since: *since,
                };
                self.tick(now)
            }
            _ => Vec::new(),
        }
    }

    /// Time has passed.
    #[must_use = "a run may have to try"]
    pub fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
        let (longest, probe) = (self.patience.longest, self.patience.probe);
        match &mut self.state {
            PoolState::Open => Vec::new(),
            PoolState::Paused { until, .. } => {
                // The clock may have stepped back.
                *until = (*until).min(now.plus(longest));
                match self.held.front() {
                    Some(run) if *until <= now => {
                        let run = *run;
                        self.probe(run, now);
                        vec![Effect::Thaw(run)]
                    }
                    _ => Vec::new(),
                }
            }
            PoolState::Probing { until, .. } => {
                *until = (*until).min(now.plus(probe));
                if *until <= now { self.open() } else { Vec::new() }
            }
        }
    }

    fn since(&self) -> Option<Timestamp> {
        match &self.state {
            PoolState::Open => None,
            PoolState::Paused { since, .. } | PoolState::Probing { since, .. } => Some(*since),
        }
    }

    /// From paused to probing.
    fn probe(&mut self, run: RunId, now: Timestamp) {
        if let PoolState::Paused { reason, since, .. } = &self.state {
            self.state = PoolState::Probing {
                run,
                until: now.plus(self.patience.probe),
                reason: reason.clone(),
                since: *since,
            };
            self.held.retain(|held| *held != run);
            self.going.insert(run);
        }
    }

    fn pause(
        &mut self,
        reset_at: Option<Timestamp>,
        reason: String,
        now: Timestamp,
        random: u64,
    ) -> Vec<Effect> {
        let guess = self.guess(random);
        let until = match reset_at {
            None => now.plus(guess),
            // The first time it is believed; after that it was wrong before.
            Some(reset_at) if self.pauses == 0 => reset_at.max(now.plus(SHORTEST)),
            Some(reset_at) => reset_at.max(now.plus(guess)),
        };
        let until = until.min(now.plus(self.patience.longest));
        let since = self.since().unwrap_or(now);
        self.pauses = self.pauses.saturating_add(1);
        self.overloaded.clear();
        self.state = PoolState::Paused {
            until,
            reason: reason.clone(),
            since,
        };
        let frozen = std::mem::take(&mut self.going);
        self.held.extend(&frozen);
        let pool = self.pool.clone();
        let record = Effect::Record(Box::new(Event::PoolPaused { pool, until, reason }));
        std::iter::once(record)
            .chain(frozen.into_iter().map(Effect::Freeze))
            .collect()
    }

    fn open(&mut self) -> Vec<Effect> {
        self.state = PoolState::Open;
        self.pauses = 0;
        self.overloaded.clear();
        let thawed: Vec<RunId> = self.held.drain(..).collect();
        self.going.extend(&thawed);
        let pool = self.pool.clone();
        let record = Effect::Record(Box::new(Event::PoolResumed { pool }));
        std::iter::once(record)
            .chain(thawed.into_iter().map(Effect::Thaw))
            .collect()
    }

    /// The next pause when nobody says how long. `random` spreads it over its upper half, so that
    /// daemons that share a quota do not try together.
    fn guess(&self, random: u64) -> Duration {
        let doublings = self.pauses.min(30);
        let most = millis(self.patience.guess.min(self.patience.longest));
        let full = millis(self.patience.first)
            .saturating_mul(1 << doublings)
            .min(most);
        let half = full / 2;
        Duration::from_millis(half + random % (full - half + 1))
    }
}
