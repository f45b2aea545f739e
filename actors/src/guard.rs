//! What stands between a wish and the deed: the panic that blocks everything, the budgets, and
//! the credentials that pause.
//!
//! One guard for the whole runtime, asked by every Worknode before a run is queued or a landing
//! is begun: there is no way around it. It decides by what the journal holds, so that the next
//! daemon decides alike; the decisions themselves are pure functions of `worknode-core`.

mod books;

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::watch;
use worknode_core::{
    agent::{AgentSpec, Share},
    budget::{Budget, Standing},
    error::{Code, Error},
    event::{Event, PanicStage},
    governor::{Effect, PoolState},
    ids::{NodeId, RunId},
    run::Receipt,
    time::Timestamp,
    usage::{Stuck, Usage},
};
use worknode_journal::{EventFilter, Reader};

use self::books::Books;
use crate::{
    definition::{AgentDefinition, TeamDefinition},
    spawn::Spawned,
};

/// May an agent start a run?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Yes.
    Now,
    /// Not yet: its pool of credentials pauses, or others hold what is left of the budget.
    Later,
    /// Not any more: the budget is used up.
    Never,
}

/// The guard.
#[derive(Debug)]
pub struct Guard {
    blocked: watch::Sender<BTreeSet<PanicStage>>,
    /// The work is too far from the plan, and the configuration says that nobody starts then.
    deviates: AtomicBool,
    books: Mutex<Books>,
}

impl Guard {
    /// As the journal has it.
    ///
    /// # Errors
    /// When the journal cannot be read, or what it says cannot be counted.
    pub(crate) fn load(reader: &Reader, team: &TeamDefinition, spawned: &[Spawned]) -> Result<Self, Error> {
        let (blocked, _) = watch::channel(blocked_by(reader, team.node())?);
        Ok(Self {
            blocked,
            deviates: AtomicBool::new(false),
            books: Mutex::new(Books::load(reader, team, spawned)?),
        })
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Nothing that is done under the lock can panic half-way.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a run start, with the share that it gets of its budget; or says why not. What was
    /// admitted and does not start is [`Self::withdrawn`].
    ///
    /// # Errors
    /// `refused`, saying by what and what to do.
    pub(crate) fn admit(
        &self,
        agent: NodeId,
        spec: &AgentSpec,
        run: RunId,
        share: Share,
        now: Timestamp,
    ) -> Result<Share, Error> {
        self.check(PanicStage::Spawns)?;
        self.books().admit(agent, spec, run, share, now)
    }

    /// Opens the books of an agent that is about to be spawned, and lets its run start, or says
    /// why not: then they are closed again. Its run is admitted once more when it is started.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub(crate) fn hire(
        &self,
        spawned: &Spawned,
        run: RunId,
        share: Share,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.check(PanicStage::Spawns)?;
        self.books().hire(spawned, run, share, now)
    }

    /// From now on the team may take so much, with so many at once.
    ///
    /// # Errors
    /// When its account is not there.
    pub(crate) fn tune(&self, name: &str, budget: Budget, places: usize) -> Result<(), Error> {
        self.books().tune(name, budget, places)
    }

    /// Opens the books of an agent that the configuration has since the start. Doing it again
    /// changes nothing.
    ///
    /// # Errors
    /// When there is no room for another account.
    pub(crate) fn enlist(&self, node: NodeId, agent: &AgentDefinition) -> Result<(), Error> {
        self.books().enlist(node, agent)
    }

    /// An agent that was hired has not come to be.
    pub(crate) fn dismiss(&self, agent: NodeId) {
        self.books().dismiss(agent);
    }

    /// A run that was admitted does not start after all.
    pub(crate) fn withdrawn(&self, run: RunId, now: Timestamp) {
        // Whoever waits for its turn on the pool is thawed at the next look at the clock.
        let _ = self.books().withdrawn(run, now);
    }

    /// What a run has used so far.
    pub(crate) fn used(&self, run: RunId, usage: &Usage) {
        self.books().used(run, usage);
    }

    /// A run is over.
    pub(crate) fn ended(&self, run: RunId, receipt: &Receipt, now: Timestamp) -> Vec<Effect> {
        self.books().ended(run, receipt, now)
    }

    /// A run says that it gets nowhere.
    pub(crate) fn stuck(&self, run: RunId, stuck: &Stuck, now: Timestamp, random: u64) -> Vec<Effect> {
        self.books().stuck(run, stuck, now, random)
    }

    /// Somebody other than its pool holds the run, or lets it go.
    pub(crate) fn held(&self, run: RunId, held: bool, now: Timestamp) -> Vec<Effect> {
        self.books().held(run, held, now)
    }

    /// A run got an answer from its provider.
    pub(crate) fn progressed(&self, run: RunId) -> Vec<Effect> {
        self.books().progressed(run)
    }

    /// What is due by now.
    pub(crate) fn tick(&self, now: Timestamp) -> Vec<Effect> {
        self.books().tick(now)
    }

    /// When there is something to [`Self::tick`] for.
    pub(crate) fn due(&self, now: Timestamp) -> Option<Timestamp> {
        self.books().due(now)
    }

    /// May this agent start a run?
    pub(crate) fn readiness(&self, agent: NodeId, spec: &AgentSpec, now: Timestamp) -> Readiness {
        self.books().readiness(agent, spec, now)
    }

    /// The budget of a team or an agent as it stands; `None` when it has no account.
    #[must_use]
    pub fn standing(&self, account: NodeId) -> Option<Standing> {
        self.books().standing(account)
    }

    /// The live runs whose shares come out of this account.
    #[must_use]
    pub fn runs_of(&self, account: NodeId) -> Vec<RunId> {
        self.books().runs_of(account)
    }

    /// The pools of credentials, and where each stands.
    #[must_use]
    pub fn pools(&self) -> Vec<(String, PoolState)> {
        self.books().pools()
    }

    /// What a panic blocks now.
    #[must_use]
    pub fn blocked(&self) -> BTreeSet<PanicStage> {
        self.blocked.borrow().clone()
    }

    /// Is this blocked?
    #[must_use]
    pub fn blocks(&self, stage: PanicStage) -> bool {
        self.blocked.borrow().contains(&stage) || (stage == PanicStage::Spawns && self.is_off_plan())
    }

    /// Does nobody start because the work is too far from the plan?
    #[must_use]
    pub fn is_off_plan(&self) -> bool {
        self.deviates.load(Ordering::Relaxed)
    }

    /// From now on nobody starts because of that, or somebody may again.
    pub(crate) fn off_plan(&self, off: bool) {
        self.deviates.store(off, Ordering::Relaxed);
    }

    /// Refuses what a panic blocks.
    ///
    /// # Errors
    /// `refused`, saying what to do.
    pub fn check(&self, stage: PanicStage) -> Result<(), Error> {
        if stage == PanicStage::Spawns && self.is_off_plan() {
            let what = "the work is too far from the plan, so nobody starts";
            return Err(Error::new(Code::Refused, what)
                .hint("`worknode plan deviation` shows why; change the plan, or `plan.on_deviation`"));
        }
        if self.blocks(stage) {
            let what = stage.name();
            return Err(Error::new(Code::Refused, format!("a panic blocks all {what}"))
                .hint("`worknode unpanic` lifts it"));
        }
        Ok(())
    }

    /// Resolves when this is not blocked, or no longer.
    pub(crate) async fn allows(&self, stage: PanicStage) {
        let mut blocked = self.blocked.subscribe();
        // The sender is this very guard.
        let _ = blocked.wait_for(|blocked| !blocked.contains(&stage)).await;
    }

    /// Takes notice of an event.
    pub(crate) fn take(&self, event: &Event) {
        self.blocked.send_if_modified(|blocked| {
            let before = blocked.len();
            fold(blocked, event);
            blocked.len() != before
        });
    }
}

/// What is blocked after `event`.
fn fold(blocked: &mut BTreeSet<PanicStage>, event: &Event) {
    match event {
        Event::Panicked { .. } => blocked.extend(PanicStage::ALL),
        Event::PanicLifted { stage } => {
            blocked.remove(stage);
        }
        _ => {}
    }
}

/// What the newest panic blocks and nobody has lifted since, as the journal has it. `team` is the
/// Worknode whose events say so.
///
/// # Errors
/// When the journal cannot be read.
pub fn blocked_by(reader: &Reader, team: NodeId) -> Result<BTreeSet<PanicStage>, Error> {
    let filter = EventFilter {
        node: Some(team),
        types: vec!["panicked".to_owned(), "panic_lifted".to_owned()],
        newest_first: true,
        limit: PanicStage::ALL.len() + 1,
        ..EventFilter::default()
    };
    let newest = reader.events(&filter)?;
    let mut blocked = BTreeSet::new();
    for record in newest.iter().rev() {
        fold(&mut blocked, &record.event);
    }
    Ok(blocked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_blocks_everything_and_is_lifted_stage_by_stage() {
        let mut blocked = BTreeSet::new();
        let panicked = Event::Panicked {
            reason: "test".into(),
        };
        fold(&mut blocked, &panicked);
        fold(&mut blocked, &panicked);
        for (at, stage) in PanicStage::ALL.into_iter().enumerate() {
            assert_eq!(blocked.len(), PanicStage::ALL.len() - at);
            fold(&mut blocked, &Event::PanicLifted { stage });
            assert!(!blocked.contains(&stage));
        }
    }
}
