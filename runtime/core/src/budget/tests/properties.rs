//! What the ledger promises, on random trees and histories.

use proptest::{collection::vec, option, prelude::*};

use super::*;

/// Something of each, or nothing is said.
fn budget(most: u64) -> impl Strategy<Value = Budget> {
    vec(option::of(0..most), Unit::ALL.len()).prop_map(|amounts| {
        let each = Unit::ALL.into_iter().zip(amounts);
        each.fold(Budget::default(), |budget, (unit, amount)| {
            budget.with(unit, amount)
        })
    })
}

fn amount(most: u64) -> impl Strategy<Value = Amount> {
    budget(most).prop_map(Budget::as_amount)
}

/// A tree of accounts: each is below an earlier one.
fn tree() -> impl Strategy<Value = Vec<(usize, Terms)>> {
    let account = (any::<prop::sample::Index>(), budget(2_000), option::of(0usize..6));
    vec(account, 1..8).prop_map(|accounts| {
        let terms = accounts
            .into_iter()
            .enumerate()
            .map(|(at, (above, limit, places))| (above.index(at.max(1)), Terms { limit, places }));
        terms.collect()
    })
}

#[derive(Clone, Debug)]
enum Act {
    Reserve(prop::sample::Index, Wish),
    Used(prop::sample::Index, u64, u64),
    Settle(prop::sample::Index, Amount),
}

fn act() -> impl Strategy<Value = Act> {
    use any as index;
    let wish = (budget(900), budget(900)).prop_map(|(exactly, at_most)| Wish { exactly, at_most });
    prop_oneof![
        3 => (index::<prop::sample::Index>(), wish).prop_map(|(at, wish)| Act::Reserve(at, wish)),
        2 => (index::<prop::sample::Index>(), 0u64..1_200, 0u64..1_200).prop_map(|(at, t, u)| Act::Used(at, t, u)),
        2 => (index::<prop::sample::Index>(), amount(1_200)).prop_map(|(at, taken)| Act::Settle(at, taken)),
    ]
}

/// Everything that ever happened to a run, told apart from the ledger.
#[derive(Clone, Debug)]
struct Told {
    account: usize,
    share: Budget,
    used: Amount,
    live: bool,
}

struct World {
    tree: Vec<(usize, Terms)>,
    ledger: Ledger,
    runs: Vec<Told>,
}

fn usage(tokens: u64, usd: u64) -> Usage {
    Usage {
        output_tokens: tokens,
        cost: Usd::from_micros(usd),
        ..Usage::default()
    }
}

fn opened(tree: &[(usize, Terms)]) -> Ledger {
    let mut ledger = Ledger::default();
    for (at, (above, terms)) in tree.iter().enumerate() {
        let parent = (at > 0).then(|| node(*above));
        ledger
            .open(node(at), &format!("account {at}"), parent, *terms)
            .unwrap();
    }
    ledger
}

impl World {
    fn new(tree: Vec<(usize, Terms)>) -> Self {
        Self {
            ledger: opened(&tree),
            tree,
            runs: Vec::new(),
        }
    }

    fn is_below(&self, mut account: usize, above: usize) -> bool {
        while account != above && account != 0 {
            account = self.tree[account].0;
        }
        account == above
    }

    fn act(&mut self, act: &Act) -> Result<(), TestCaseError> {
        match act {
            Act::Reserve(at, wish) => self.reserve(at.index(self.tree.len()), *wish)?,
            Act::Used(at, tokens, usd) => {
                if let Some(n) = (!self.runs.is_empty()).then(|| at.index(self.runs.len())) {
                    self.ledger.used(run(n), &usage(*tokens, *usd));
                    self.take(n, Amount::from(&usage(*tokens, *usd)));
                }
            }
            Act::Settle(at, taken) => {
                if let Some(n) = (!self.runs.is_empty()).then(|| at.index(self.runs.len())) {
                    self.take(n, *taken);
                    let was_live = std::mem::take(&mut self.runs[n].live);
                    prop_assert_eq!(self.ledger.settle(run(n), *taken), was_live);
                    let once = self.ledger.clone();
                    prop_assert!(
                        !self
                            .ledger
                            .settle(run(n), Amount::from(&usage(1_000_000, 1_000_000)))
                    );
                    prop_assert_eq!(&self.ledger, &once);
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, n: usize, taken: Amount) {
        let told = &mut self.runs[n];
        if told.live {
            told.used = told.used.larger(taken);
        }
    }

    fn reserve(&mut self, account: usize, wish: Wish) -> Result<(), TestCaseError> {
        let above: Vec<usize> = (0..self.tree.len())
            .filter(|above| self.is_below(account, *above))
            .collect();
        let before: Vec<Budget> = above
            .iter()
            .map(|at| self.ledger.left(node(*at)).unwrap())
            .collect();
        let n = self.runs.len();
        match self.ledger.reserve(run(n), node(account), wish) {
            Ok(share) => {
                for unit in Unit::ALL {
                    let (wanted, most) = (wish.exactly.of(unit), wish.at_most.of(unit));
                    let share = share.of(unit);
                    for left in before.iter().filter_map(|left| left.of(unit)) {
                        prop_assert!(share.is_some_and(|share| share <= left), "{share:?} of {left}");
                    }
                    if wanted.is_some() {
                        prop_assert_eq!(share, wanted, "exactly, or not at all");
                    } else if let Some(most) = most {
                        prop_assert!(share.is_some_and(|share| share <= most), "{share:?} of {most}");
                    }
                }
                self.runs.push(Told {
                    account,
                    share,
                    used: Amount::default(),
                    live: true,
                });
            }
            Err(Refusal::NoAccount { .. }) => prop_assert!(false, "all are open"),
            Err(Refusal::Lacks { lacks }) => {
                prop_assert!(!lacks.is_empty());
                for lack in lacks {
                    let at = above.iter().position(|at| node(*at) == lack.account).unwrap();
                    prop_assert_eq!(before[at].of(lack.unit), Some(lack.left));
                    prop_assert!(lack.left < lack.wanted.unwrap_or_else(|| least(lack.unit, lack.limit)));
                }
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        for (at, (_, terms)) in self.tree.iter().enumerate() {
            let below = || self.runs.iter().filter(|told| self.is_below(told.account, at));
            let standing = self.ledger.standing(node(at)).unwrap();
            prop_assert_eq!(standing.live, below().filter(|told| told.live).count());
            for unit in Unit::ALL {
                // Of what is only held, nothing is ever spent.
                let used = |told: &Told| told.used.for_good().of(unit);
                let spent: u64 = below().map(used).sum();
                let kept = |told: &Told| told.share.of(unit).unwrap_or(0).saturating_sub(used(told));
                let reserved: u64 = below().filter(|told| told.live).map(kept).sum();
                prop_assert_eq!(
                    (standing.spent.of(unit), standing.reserved.of(unit)),
                    (spent, reserved)
                );
                let Some(limit) = terms.limit.of(unit) else {
                    continue;
                };
                prop_assert_eq!(
                    standing.left.of(unit),
                    Some(limit.saturating_sub(spent + reserved))
                );
                let overran = below().any(|told| told.share.of(unit).is_none_or(|share| used(told) > share));
                prop_assert!(overran || spent + reserved <= limit);
            }
        }
        Ok(())
    }

    fn facts(&self) -> impl Iterator<Item = Fact> {
        self.runs.iter().enumerate().map(|(n, told)| {
            let account = node(told.account);
            if told.live {
                Fact::Live {
                    run: run(n),
                    account,
                    share: told.share,
                    usage: usage(told.used.of(Unit::Tokens), told.used.of(Unit::Usd)),
                }
            } else {
                let taken = told.used;
                Fact::Ended { account, taken }
            }
        })
    }
}

proptest! {
    #[test]
    fn p8_no_account_gives_more_than_it_has(tree in tree(), acts in vec(act(), 0..60)) {
        let mut world = World::new(tree);
        for act in &acts {
            world.act(act)?;
            world.check()?;
        }
    }

    #[test]
    fn p5_a_ledger_out_of_the_journal_is_the_live_one(tree in tree(), acts in vec(act(), 0..60), backwards: bool) {
        let mut world = World::new(tree);
        for act in &acts {
            world.act(act)?;
        }
        let mut restored = opened(&world.tree);
        let mut facts: Vec<Fact> = world.facts().collect();
        if backwards {
            facts.reverse();
        }
        prop_assert_eq!(restored.restore(facts), []);
        prop_assert_eq!(restored, world.ledger);
    }

    #[test]
    fn p8_absurd_amounts_do_no_harm(limit: u64, wanted in option::of(any::<u64>()), used: u64) {
        for unit in Unit::ALL {
            let mut ledger = Ledger::default();
            let terms = Terms { limit: Budget::default().with(unit, Some(limit)), places: None };
            ledger.open(node(0), "web", None, terms).unwrap();
            let wish = Wish {
                exactly: Budget::default().with(unit, wanted),
                at_most: Budget::default(),
            };
            for n in 0..4 {
                let _ = ledger.reserve(run(n), node(0), wish);
                ledger.used(run(n), &took(used));
                ledger.settle(run(n), Amount::default().with(unit, used));
            }
            let standing = ledger.standing(node(0)).unwrap();
            prop_assert_eq!(standing.reserved, Amount::default());
            prop_assert!(standing.left.of(unit).is_some_and(|left| left <= limit));
        }
    }
}
