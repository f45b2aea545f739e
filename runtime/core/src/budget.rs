//! Budgets: what all runs share, reserved down the tree.
//!
//! ```text
//! team        $20 ── reserve: a run's share comes out of its account and of every one above
//!  ├ coder    $5     used:    what it really took so far
//!  │  └ helper       settle:  what it did not take goes back to all of them
//!  └ reviewer
//! ```
//!
//! A run that starts holds a *share*: that much is kept for it in its account and in all accounts
//! above, so that whoever starts next cannot be promised the same. What does not fit is refused
//! before it starts.
//!
//! **For good, or for a while.** Tokens, money, time and processor time are spent: what a run took
//! never comes back. Memory and processes are only held: all of it comes back when the run ends.
//!
//! **What a run gets that asks for no amount.** Of each limited account on its way, what is left
//! divided by the places that are still free in it ([`Terms::places`]): one run cannot take all,
//! and those that start together get alike. But never less than a hundredth of the account's limit
//! as long as that is left: shares that shrink with what is left would end as runs that are too
//! small to do anything. The smallest of these is its share.
//!
//! **What is left.** A live run counts as the larger of its share and what it used. A run that
//! overran its share is shown in every account above, and may bring one beyond its limit; then
//! nothing more is granted out of that account.
//!
//! Pure, and owned by one place. Everything in it can be told again from the journal:
//! [`Ledger::restore`].

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    ids::{NodeId, RunId},
    run::RunLimits,
    usage::Usage,
};

mod account;
mod amount;
mod refusal;
mod spawn;
#[cfg(test)]
mod tests;
mod unit;

pub use account::{AccountError, Fact, Standing, Terms};
pub use amount::{Amount, Budget, Wish};
pub use refusal::{Lack, Refusal};
pub use spawn::{SpawnLimits, Spawner, TooManySpawned};
pub use unit::{Quantity, Unit};

/// The least share of a run that asks for no amount, as a part of its account's limit.
const PARTS: u64 = 100;
/// What the runtime itself watches, by what a program says. The rest is the shim's to watch.
const SAID: [Unit; 2] = [Unit::Tokens, Unit::Usd];

#[derive(Clone, Debug, PartialEq, Eq)]
struct Account {
    name: String,
    parent: Option<NodeId>,
    terms: Terms,
    /// What runs took that are over, in it and below it.
    settled: Amount,
    /// Live runs in it and below it.
    live: BTreeSet<RunId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    account: NodeId,
    share: Budget,
    used: Amount,
}

impl Held {
    /// What it counts as: nobody can be promised what it may still take.
    fn claim(&self) -> Amount {
        self.share.as_amount().larger(self.used)
    }
}

/// All accounts, and the live runs that hold a share of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    accounts: BTreeMap<NodeId, Account>,
    runs: BTreeMap<RunId, Held>,
}

impl Ledger {
    /// Opens an account below another, or gives an open one other terms. `name` is what refusals
    /// call it.
    ///
    /// # Errors
    /// [`AccountError`]; then nothing is changed.
    pub fn open(
        &mut self,
        account: NodeId,
        name: &str,
        parent: Option<NodeId>,
        terms: Terms,
    ) -> Result<(), AccountError> {
        if let Some(open) = self.accounts.get_mut(&account) {
            if open.parent != parent {
                return Err(AccountError::Moved { account });
            }
            name.clone_into(&mut open.name);
            open.terms = terms;
            return Ok(());
        }
        if let Some(parent) = parent.filter(|parent| !self.accounts.contains_key(parent)) {
            return Err(AccountError::NoParent { account, parent });
        }
        let opened = Account {
            name: name.to_owned(),
            parent,
            terms,
            settled: Amount::default(),
            live: BTreeSet::new(),
        };
        self.accounts.insert(account, opened);
        Ok(())
    }

    /// Forgets an account that nobody needs any more; what was spent in it stays counted above.
    /// `false` when it is not open, has a live run, or has accounts below it.
    pub fn close(&mut self, account: NodeId) -> bool {
        let idle = self
            .accounts
            .get(&account)
            .is_some_and(|open| open.live.is_empty());
        let is_parent = self.accounts.values().any(|other| other.parent == Some(account));
        let closes = idle && !is_parent;
        if closes {
            self.accounts.remove(&account);
        }
        closes
    }

    /// Keeps a share for a run that is about to start, and answers it: what it wants exactly it
    /// gets, or it does not start; of the rest what the rule of this module says. Asked again for
    /// a run that holds a share, it answers the same.
    ///
    /// # Errors
    /// [`Refusal`]: what is lacking, and where.
    pub fn reserve(&mut self, run: RunId, account: NodeId, wish: Wish) -> Result<Budget, Refusal> {
        if let Some(held) = self.runs.get(&run) {
            return Ok(held.share);
        }
        let share = self.offer(account, wish)?;
        self.hold(run, account, share, Amount::default());
        Ok(share)
    }

    /// What a run took so far, all in all. A report that is read late or twice changes nothing:
    /// what was spent stays spent.
    pub fn used(&mut self, run: RunId, usage: &Usage) {
        if let Some(held) = self.runs.get_mut(&run) {
            held.used = held.used.larger(Amount::from(usage));
        }
    }

    /// The run is over: what it took is spent, and the rest goes back to all accounts. `false`
    /// when it holds nothing, because it was settled before or never began.
    pub fn settle(&mut self, run: RunId, taken: Amount) -> bool {
        let Some(held) = self.runs.remove(&run) else {
            return false;
        };
        let spent = held.used.larger(taken).for_good();
        for id in self.chain(held.account) {
            if let Some(account) = self.accounts.get_mut(&id) {
                account.settled = account.settled.plus(spent);
                account.live.remove(&run);
            }
        }
        true
    }

    /// Takes over what the journal knows, in any order, into accounts that are open. Answers the
    /// facts whose account is not.
    #[must_use = "what could not be counted is missing in every account"]
    pub fn restore(&mut self, facts: impl IntoIterator<Item = Fact>) -> Vec<Fact> {
        let mut lost = Vec::new();
        for fact in facts {
            let account = match &fact {
                Fact::Ended { account, .. } | Fact::Live { account, .. } => *account,
            };
            if !self.accounts.contains_key(&account) {
                lost.push(fact);
                continue;
            }
            match fact {
                Fact::Ended { account, taken } => self.charge(account, taken.for_good()),
                Fact::Live {
                    run,
                    account,
                    share,
                    usage,
                } => self.hold(run, account, share, Amount::from(&usage)),
            }
        }
        lost
    }

    /// The account as it stands; `None` when it is not open.
    #[must_use]
    pub fn standing(&self, account: NodeId) -> Option<Standing> {
        self.accounts.get(&account).map(|account| self.stand(account))
    }

    /// What runs took in the account and below it, live ones included.
    #[must_use]
    pub fn spent(&self, account: NodeId) -> Option<Amount> {
        self.standing(account).map(|standing| standing.spent)
    }

    /// What is kept there for live runs beyond what they took so far.
    #[must_use]
    pub fn reserved(&self, account: NodeId) -> Option<Amount> {
        self.standing(account).map(|standing| standing.reserved)
    }

    /// What the account itself can still give; one above it may have less.
    #[must_use]
    pub fn left(&self, account: NodeId) -> Option<Budget> {
        self.standing(account).map(|standing| standing.left)
    }

    /// The share that a live run holds.
    #[must_use]
    pub fn share(&self, run: RunId) -> Option<Budget> {
        self.runs.get(&run).map(|held| held.share)
    }

    /// The runs that live in an account and below it.
    #[must_use]
    pub fn live(&self, account: NodeId) -> Vec<RunId> {
        let open = self.accounts.get(&account);
        open.map_or_else(Vec::new, |open| open.live.iter().copied().collect())
    }

    /// Which cap of tokens or money a run has reached; it is to be stopped then, during the run.
    #[must_use]
    pub fn reached(limits: &RunLimits, usage: &Usage) -> Option<Unit> {
        let (most, used) = (Budget::from(limits), Amount::from(usage));
        SAID.into_iter()
            .find(|unit| most.of(*unit).is_some_and(|most| used.of(*unit) >= most))
    }

    /// What a run would get in this account now, or what it lacks. Nothing is kept for it.
    ///
    /// # Errors
    /// As [`Self::reserve`].
    pub fn offer(&self, account: NodeId, wish: Wish) -> Result<Budget, Refusal> {
        if !self.accounts.contains_key(&account) {
            return Err(Refusal::NoAccount { account });
        }
        let (mut share, mut lacks) = (wish.start(), Vec::new());
        for id in self.chain(account) {
            if let Some(account) = self.accounts.get(&id) {
                share = self.offer_of(id, account, wish, share, &mut lacks);
            }
        }
        if lacks.is_empty() {
            Ok(share)
        } else {
            Err(Refusal::Lacks { lacks })
        }
    }

    /// What is left of `share` when one account of the chain has its say; what it lacks goes to
    /// `lacks`.
    fn offer_of(
        &self,
        id: NodeId,
        account: &Account,
        wish: Wish,
        mut share: Budget,
        lacks: &mut Vec<Lack>,
    ) -> Budget {
        let standing = self.stand(account);
        for unit in Unit::ALL {
            let (Some(limit), Some(left)) = (standing.limit.of(unit), standing.left.of(unit)) else {
                continue;
            };
            let wanted = wish.exactly.of(unit);
            if left < wanted.unwrap_or_else(|| least(unit, limit)) {
                lacks.push(Lack::new(id, &account.name, &standing, unit, wanted));
            } else if wanted.is_none() {
                let fair = fair(limit, left, free(account.terms.places, standing.live));
                share = share.at_most(unit, fair);
            }
        }
        share
    }

    fn hold(&mut self, run: RunId, account: NodeId, share: Budget, used: Amount) {
        let held = Held { account, share, used };
        // A run is in one account only, whatever is told twice.
        if self.runs.insert(run, held).is_some() {
            for account in self.accounts.values_mut() {
                account.live.remove(&run);
            }
        }
        for id in self.chain(account) {
            if let Some(account) = self.accounts.get_mut(&id) {
                account.live.insert(run);
            }
        }
    }

    fn charge(&mut self, account: NodeId, spent: Amount) {
        for id in self.chain(account) {
            if let Some(account) = self.accounts.get_mut(&id) {
                account.settled = account.settled.plus(spent);
            }
        }
    }

    /// The account and those above it. Ends, because an account is opened below one that is there
    /// already and never moves.
    fn chain(&self, account: NodeId) -> Vec<NodeId> {
        let above = |id: &NodeId| self.accounts.get(id).and_then(|account| account.parent);
        std::iter::successors(Some(account), above).collect()
    }

    fn stand(&self, account: &Account) -> Standing {
        let (mut spent, mut claimed) = (account.settled, account.settled);
        for held in account.live.iter().filter_map(|run| self.runs.get(run)) {
            spent = spent.plus(held.used);
            claimed = claimed.plus(held.claim());
        }
        Standing {
            limit: account.terms.limit,
            spent,
            reserved: claimed.minus(spent),
            left: account.terms.limit.minus(claimed),
            live: account.live.len(),
        }
    }
}

/// Places that are still free, the one that is asked for included.
fn free(places: Option<usize>, live: usize) -> u64 {
    let free = places.map_or(1, |places| places.saturating_sub(live).max(1));
    u64::try_from(free).unwrap_or(u64::MAX)
}

/// With less than this no run starts that asks for no amount.
fn least(unit: Unit, limit: u64) -> u64 {
    if unit.is_held() {
        limit.div_ceil(PARTS).max(1)
    } else {
        1
    }
}

/// What a run gets that asks for no amount; see the head of this module.
fn fair(limit: u64, left: u64, free: u64) -> u64 {
    left.div_ceil(free).max(limit.div_ceil(PARTS)).min(left)
}
