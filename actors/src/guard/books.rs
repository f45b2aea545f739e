//! The books: what is left of each budget, and which credentials pause.
//!
//! Kept in memory and made anew from the journal at each start: ended runs by their receipts,
//! live ones by the limits that they were granted.

use std::collections::HashMap;

use worknode_core::{
    agent::{AgentSpec, Share},
    budget::{Amount, Budget, Fact, Ledger, Standing, Terms, Wish},
    error::{Code, Error},
    governor::{Admission, Effect, Governor, Patience, PoolState},
    hlc::Hlc,
    ids::{NodeId, RunId},
    lineage::Lineage,
    run::{Hold, Receipt, Run, RunStatus},
    time::Timestamp,
    usage::{Stuck, Usage},
};
use worknode_journal::{EventFilter, Reader};

use super::Readiness;
use crate::{
    definition::{AgentDefinition, TeamDefinition},
    spawn::Spawned,
};

#[derive(Debug)]
pub(super) struct Books {
    ledger: Ledger,
    pools: HashMap<String, Governor>,
    /// The pool of each agent.
    pool_of: HashMap<NodeId, String>,
    /// The pool that each live run is on.
    live: HashMap<RunId, String>,
    /// Pauses that were under way when the last daemon ended, for runs that live still.
    owed: Vec<Effect>,
    /// The account of the team.
    team: NodeId,
}

impl Books {
    pub(super) fn load(reader: &Reader, team: &TeamDefinition, spawned: &[Spawned]) -> Result<Self, Error> {
        let mut books = Self {
            ledger: Ledger::default(),
            pools: HashMap::new(),
            pool_of: HashMap::new(),
            live: HashMap::new(),
            owed: Vec::new(),
            team: team.node(),
        };
        books.open_accounts(team)?;
        for agent in &team.agents {
            let pool = || Governor::new(agent.pool.clone(), Patience::default());
            books.pools.entry(agent.pool.clone()).or_insert_with(pool);
            books
                .pool_of
                .insert(team.agent_node(&agent.name), agent.pool.clone());
        }
        for agent in spawned {
            books.open(agent)?;
        }
        books.remember_pauses(reader, team.node())?;
        books.remember_runs(reader, team.node())?;
        Ok(books)
    }

    /// One account for the team, and one below it for each agent.
    fn open_accounts(&mut self, team: &TeamDefinition) -> Result<(), Error> {
        let terms = |limit, places| Terms { limit, places };
        let broken = |error: &dyn std::fmt::Display| Error::new(Code::Failed, error.to_string());
        let root = team.node();
        self.ledger
            .open(root, &team.name, None, terms(team.budget, Some(team.live_agents)))
            .map_err(|error| broken(&error))?;
        for agent in &team.agents {
            let node = team.agent_node(&agent.name);
            self.ledger
                .open(
                    node,
                    &agent.name,
                    Some(root),
                    terms(agent.budget.unwrap_or_default(), Some(1)),
                )
                .map_err(|error| broken(&error))?;
        }
        Ok(())
    }

    /// The team's account on other terms.
    pub(super) fn tune(&mut self, name: &str, limit: Budget, places: usize) -> Result<(), Error> {
        let terms = Terms {
            limit,
            places: Some(places),
        };
        self.ledger
            .open(self.team, name, None, terms)
            .map_err(|error| Error::new(Code::Failed, error.to_string()))
    }

    /// The account of a spawned agent is beneath that of whoever spawned it: what it takes comes
    /// out of theirs, and what it leaves goes back there. It is beneath the team's when the other is
    /// no longer known.
    fn open(&mut self, spawned: &Spawned) -> Result<(), Error> {
        let known = self.ledger.standing(spawned.parent).is_some();
        let parent = if known { spawned.parent } else { self.team };
        let definition = &spawned.definition;
        let terms = Terms {
            limit: definition.budget.unwrap_or_default(),
            places: Some(1),
        };
        self.ledger
            .open(spawned.node, &definition.name, Some(parent), terms)
            .map_err(|error| Error::new(Code::Failed, error.to_string()))?;
        self.pool_of.insert(spawned.node, definition.pool.clone());
        Ok(())
    }

    /// An agent of the configuration that came since the start. Its account is beneath the team's.
    pub(super) fn enlist(&mut self, node: NodeId, agent: &AgentDefinition) -> Result<(), Error> {
        if self.ledger.standing(node).is_none() {
            let terms = Terms {
                limit: agent.budget.unwrap_or_default(),
                places: Some(1),
            };
            self.ledger
                .open(node, &agent.name, Some(self.team), terms)
                .map_err(|error| Error::new(Code::Failed, error.to_string()))?;
        }
        let pool = || Governor::new(agent.pool.clone(), Patience::default());
        self.pools.entry(agent.pool.clone()).or_insert_with(pool);
        self.pool_of.insert(node, agent.pool.clone());
        Ok(())
    }

    pub(super) fn hire(
        &mut self,
        spawned: &Spawned,
        run: RunId,
        share: Share,
        now: Timestamp,
    ) -> Result<(), Error> {
        let is_new = self.ledger.standing(spawned.node).is_none();
        self.open(spawned)?;
        let admitted = self.admit(spawned.node, &spawned.definition.spec, run, share, now);
        if admitted.is_err() && is_new {
            self.dismiss(spawned.node);
        }
        admitted.map(drop)
    }

    pub(super) fn dismiss(&mut self, agent: NodeId) {
        if self.ledger.close(agent) {
            self.pool_of.remove(&agent);
        }
    }

    fn remember_pauses(&mut self, reader: &Reader, team: NodeId) -> Result<(), Error> {
        let filter = EventFilter {
            node: Some(team),
            types: vec!["pool_paused".to_owned(), "pool_resumed".to_owned()],
            newest_first: true,
            limit: 100,
            ..EventFilter::default()
        };
        for record in reader.events(&filter)?.iter().rev() {
            for pool in self.pools.values_mut() {
                pool.fold(&record.event, record.at.wall);
            }
        }
        Ok(())
    }

    fn remember_runs(&mut self, reader: &Reader, team: NodeId) -> Result<(), Error> {
        let mut after = Hlc::ZERO;
        loop {
            let page = reader.runs_after(after, worknode_journal::limits::PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.begun;
            for stored in page {
                let run = stored.run.spec.id;
                // What belongs to nobody any more is the team's.
                let account = if self.ledger.standing(stored.agent).is_some() {
                    stored.agent
                } else {
                    team
                };
                let share = Budget::from(&stored.run.spec.limits);
                let fact = if let RunStatus::Exited { receipt } = &stored.run.status {
                    let taken = Amount::taken(share, receipt);
                    Fact::Ended { account, taken }
                } else {
                    self.rejoin_pool(stored.agent, &stored.run);
                    Fact::Live {
                        run,
                        account,
                        share,
                        usage: stored.run.usage,
                    }
                };
                // The account is open: it was looked for just now.
                let _ = self.ledger.restore([fact]);
            }
        }
    }

    /// A run of an earlier daemon. One that its pool held and that the pool has let go since, is
    /// let go: the daemon may have died in between.
    fn rejoin_pool(&mut self, agent: NodeId, run: &Run) {
        let id = run.spec.id;
        let held_by = match run.status {
            RunStatus::Frozen { hold, .. } => Some(hold),
            _ => None,
        };
        let Some(name) = self.pool_of.get(&agent) else {
            return;
        };
        self.live.insert(id, name.clone());
        let Some(pool) = self.pools.get_mut(name) else {
            return;
        };
        match held_by {
            Some(Hold::Asked | Hold::Stuck) => {}
            Some(Hold::Pool) if *pool.state() == PoolState::Open => {
                self.owed.extend(pool.adopt(id));
                self.owed.push(Effect::Thaw(id));
            }
            Some(Hold::Pool) | None => self.owed.extend(pool.adopt(id)),
        }
    }

    /// Somebody else holds the run now, or lets it go.
    pub(super) fn held(&mut self, run: RunId, held: bool, now: Timestamp) -> Vec<Effect> {
        match (self.pool_of_run(run), held) {
            (None, _) => Vec::new(),
            (Some(pool), true) => pool.gone(run, now),
            (Some(pool), false) => pool.adopt(run),
        }
    }

    pub(super) fn admit(
        &mut self,
        agent: NodeId,
        spec: &AgentSpec,
        run: RunId,
        share: Share,
        now: Timestamp,
    ) -> Result<Share, Error> {
        let granted = self.ledger.reserve(run, agent, Wish::of(spec, share))?;
        if let Some(name) = self.pool_of.get(&agent)
            && let Some(pool) = self.pools.get_mut(name)
        {
            if let Admission::Wait { until, reason } = pool.admit(run, now) {
                self.ledger.settle(run, Amount::default());
                let message = format!("its credentials (`{name}`) pause until {until}: {reason}");
                return Err(Error::new(Code::Refused, message)
                    .hint("it starts by itself then; `worknode status` shows the pause"));
            }
            self.live.insert(run, name.clone());
        }
        Ok(Share::from(granted))
    }

    pub(super) fn used(&mut self, run: RunId, usage: &Usage) {
        self.ledger.used(run, usage);
    }

    /// It has not begun, and has taken nothing.
    pub(super) fn withdrawn(&mut self, run: RunId, now: Timestamp) -> Vec<Effect> {
        self.over(run, Amount::default(), now)
    }

    pub(super) fn ended(&mut self, run: RunId, receipt: &Receipt, now: Timestamp) -> Vec<Effect> {
        let share = self.ledger.share(run).unwrap_or_default();
        self.over(run, Amount::taken(share, receipt), now)
    }

    fn over(&mut self, run: RunId, taken: Amount, now: Timestamp) -> Vec<Effect> {
        self.ledger.settle(run, taken);
        let pool = self.live.remove(&run).and_then(|name| self.pools.get_mut(&name));
        pool.map_or_else(Vec::new, |pool| pool.gone(run, now))
    }

    fn pool_of_run(&mut self, run: RunId) -> Option<&mut Governor> {
        self.pools.get_mut(self.live.get(&run)?)
    }

    pub(super) fn stuck(&mut self, run: RunId, stuck: &Stuck, now: Timestamp, random: u64) -> Vec<Effect> {
        self.pool_of_run(run)
            .map_or_else(Vec::new, |pool| pool.stuck(run, stuck, now, random))
    }

    pub(super) fn progressed(&mut self, run: RunId) -> Vec<Effect> {
        self.pool_of_run(run)
            .map_or_else(Vec::new, |pool| pool.progressed(run))
    }

    pub(super) fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = std::mem::take(&mut self.owed);
        effects.extend(self.pools.values_mut().flat_map(|pool| pool.tick(now)));
        effects
    }

    pub(super) fn due(&self, now: Timestamp) -> Option<Timestamp> {
        if !self.owed.is_empty() {
            return Some(now);
        }
        self.pools.values().filter_map(|pool| pool.due(now)).min()
    }

    /// May this agent start a run? Asked at every turn of the team: nothing is kept for it.
    pub(super) fn readiness(&self, agent: NodeId, spec: &AgentSpec, now: Timestamp) -> Readiness {
        let over = |lineage: &Lineage| lineage.time_left(now, spec.limits.grace).is_err();
        if spec.lineage.as_deref().is_some_and(over) {
            return Readiness::Never;
        }
        match self.ledger.offer(agent, Wish::of(spec, Share::default())) {
            Err(refusal) if refusal.may_pass() => return Readiness::Later,
            Err(_) => return Readiness::Never,
            Ok(_) => {}
        }
        let pool = self.pool_of.get(&agent).and_then(|name| self.pools.get(name));
        if pool.is_none_or(|pool| pool.admits(now)) {
            Readiness::Now
        } else {
            Readiness::Later
        }
    }

    pub(super) fn standing(&self, account: NodeId) -> Option<Standing> {
        self.ledger.standing(account)
    }

    pub(super) fn runs_of(&self, account: NodeId) -> Vec<RunId> {
        self.ledger.live(account)
    }

    pub(super) fn pools(&self) -> Vec<(String, PoolState)> {
        let mut pools: Vec<_> = self
            .pools
            .values()
            .map(|pool| (pool.pool().to_owned(), pool.state().clone()))
            .collect();
        pools.sort_by(|one, other| one.0.cmp(&other.0));
        pools
    }
}
