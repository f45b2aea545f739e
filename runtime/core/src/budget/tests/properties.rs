//! What the ledger promises, on random trees and histories.

use proptest::{collection::vec, option, prelude::*};

use super::*;

/// A tree of accounts: each is below an earlier one.
fn tree() -> impl Strategy<Value = Vec<(usize, Terms)>> {
    let limit = || option::of(0u64..2_000);
    let account = (
        any::<prop::sample::Index>(),
        limit(),
        limit(),
        option::of(0usize..6),
    );
    vec(account, 1..8).prop_map(|accounts| {
        let terms = accounts
            .into_iter()
            .enumerate()
            .map(|(at, (above, tokens, usd, places))| {
                let usd = usd.map(Usd::from_micros);
                let limit = Budget { tokens, usd };
                (above.index(at.max(1)), Terms { limit, places })
            });
        terms.collect()
    })
}

#[derive(Clone, Debug)]
enum Act {
    Reserve(prop::sample::Index, Option<u64>, Option<u64>),
    Used(prop::sample::Index, u64, u64),
    Settle(prop::sample::Index, u64, u64),
}

fn act() -> impl Strategy<Value = Act> {
    use any as index;
    let wanted = || option::of(0u64..900);
    prop_oneof![
        3 => (index::<prop::sample::Index>(), wanted(), wanted()).prop_map(|(at, t, u)| Act::Reserve(at, t, u)),
        2 => (index::<prop::sample::Index>(), 0u64..1_200, 0u64..1_200).prop_map(|(at, t, u)| Act::Used(at, t, u)),
        2 => (index::<prop::sample::Index>(), 0u64..1_200, 0u64..1_200).prop_map(|(at, t, u)| Act::Settle(at, t, u)),
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
            Act::Reserve(at, tokens, usd) => self.reserve(at.index(self.tree.len()), *tokens, *usd)?,
            Act::Used(at, tokens, usd) => {
                if let Some(n) = (!self.runs.is_empty()).then(|| at.index(self.runs.len())) {
                    self.ledger.used(run(n), &usage(*tokens, *usd));
                    self.take(n, *tokens, *usd);
                }
            }
            Act::Settle(at, tokens, usd) => {
                if let Some(n) = (!self.runs.is_empty()).then(|| at.index(self.runs.len())) {
                    self.take(n, *tokens, *usd);
                    let was_live = std::mem::take(&mut self.runs[n].live);
                    prop_assert_eq!(self.ledger.settle(run(n), &usage(*tokens, *usd)), was_live);
                    let once = self.ledger.clone();
                    prop_assert!(!self.ledger.settle(run(n), &usage(1_000_000, 1_000_000)));
                    prop_assert_eq!(&self.ledger, &once);
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, n: usize, tokens: u64, usd: u64) {
        let told = &mut self.runs[n];
        if told.live {
            told.used = told.used.larger(Amount::from(&usage(tokens, usd)));
        }
    }

    fn reserve(
        &mut self,
        account: usize,
        tokens: Option<u64>,
        usd: Option<u64>,
    ) -> Result<(), TestCaseError> {
        let wanted = Share {
            tokens,
            usd: usd.map(Usd::from_micros),
            time: None,
        };
        let above: Vec<usize> = (0..self.tree.len())
            .filter(|above| self.is_below(account, *above))
            .collect();
        let before: Vec<Budget> = above
            .iter()
            .map(|at| self.ledger.left(node(*at)).unwrap())
            .collect();
        let n = self.runs.len();
        match self.ledger.reserve(run(n), node(account), wanted) {
            Ok(share) => {
                let share = Budget::from(share);
                for unit in Unit::ALL {
                    for left in before.iter().filter_map(|left| left.of(unit)) {
                        let share = share.of(unit);
                        prop_assert!(share.is_some_and(|share| share <= left), "{share:?} of {left}");
                    }
                    if let Some(wanted) = Budget::from(wanted).of(unit) {
                        prop_assert_eq!(share.of(unit), Some(wanted), "exactly, or not at all");
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
                    prop_assert!(lack.left < lack.wanted.unwrap_or(1));
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
                let spent: u64 = below().map(|told| told.used.of(unit)).sum();
                let kept = |told: &Told| {
                    told.share
                        .of(unit)
                        .unwrap_or(0)
                        .saturating_sub(told.used.of(unit))
                };
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
                let overran =
                    below().any(|told| told.share.of(unit).is_none_or(|share| told.used.of(unit) > share));
                prop_assert!(overran || spent + reserved <= limit);
            }
        }
        Ok(())
    }

    fn facts(&self) -> impl Iterator<Item = Fact> {
        self.runs.iter().enumerate().map(|(n, told)| {
            let (account, usage) = (
                node(told.account),
                usage(told.used.tokens, told.used.usd.micros()),
            );
            if told.live {
                Fact::Live {
                    run: run(n),
                    account,
                    share: told.share,
                    usage,
                }
            } else {
                Fact::Ended { account, usage }
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
        let mut ledger = Ledger::default();
        ledger.open(node(0), "web", None, tokens(limit)).unwrap();
        let wanted = Share { tokens: wanted, ..Share::default() };
        for n in 0..4 {
            let _ = ledger.reserve(run(n), node(0), wanted);
            ledger.used(run(n), &took(used));
            ledger.settle(run(n), &took(used));
        }
        let standing = ledger.standing(node(0)).unwrap();
        prop_assert_eq!(standing.reserved, Amount::default());
        prop_assert!(standing.left.tokens.is_some_and(|left| left <= limit));
    }
}
