//! What the ledger promises, on examples.

use super::*;
use crate::{
    agent::Share,
    error::{Code, Error},
    usage::Usd,
};

mod properties;
mod shares;

fn node(n: usize) -> NodeId {
    NodeId::derived(NodeId::ROOT, &format!("node-{n}"))
}

fn run(n: usize) -> RunId {
    RunId::derived(NodeId::ROOT, &format!("run-{n}"))
}

fn tokens(tokens: u64) -> Terms {
    Terms {
        limit: Budget::default().with(Unit::Tokens, Some(tokens)),
        places: None,
    }
}

fn exactly(unit: Unit, amount: u64) -> Wish {
    Wish {
        exactly: Budget::default().with(unit, Some(amount)),
        at_most: Budget::default(),
    }
}

fn want(tokens: u64) -> Wish {
    exactly(Unit::Tokens, tokens)
}

fn took(tokens: u64) -> Usage {
    Usage {
        input_tokens: tokens,
        ..Usage::default()
    }
}

/// A team with 1,000 tokens, an agent in it with 300, and one without a limit of its own.
fn team() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.open(node(0), "web", None, tokens(1_000)).unwrap();
    ledger.open(node(1), "coder", Some(node(0)), tokens(300)).unwrap();
    ledger
        .open(node(2), "reviewer", Some(node(0)), Terms::default())
        .unwrap();
    ledger
}

fn left(ledger: &Ledger, account: usize) -> Option<u64> {
    ledger.left(node(account)).unwrap().of(Unit::Tokens)
}

#[test]
fn p8_a_share_comes_out_of_all_accounts_and_the_rest_goes_back() {
    let mut ledger = team();
    let share = ledger.reserve(run(0), node(1), want(200)).unwrap();
    assert_eq!(share, want(200).exactly);
    assert_eq!((left(&ledger, 0), left(&ledger, 1)), (Some(800), Some(100)));
    ledger.used(run(0), &took(50));
    let standing = ledger.standing(node(0)).unwrap();
    let of = |amount: Amount| amount.of(Unit::Tokens);
    assert_eq!((of(standing.spent), of(standing.reserved)), (50, 150));
    assert!(ledger.settle(run(0), Amount::from(&took(60))));
    assert_eq!((left(&ledger, 0), left(&ledger, 1)), (Some(940), Some(240)));
    assert_eq!(ledger.reserved(node(0)), Some(Amount::default()));
}

#[test]
fn p8_what_does_not_fit_is_refused_and_names_account_and_amount() {
    let mut ledger = team();
    ledger.reserve(run(0), node(1), want(250)).unwrap();
    let before = ledger.clone();
    let refusal = ledger.reserve(run(1), node(1), want(100)).unwrap_err();
    assert_eq!(ledger, before, "a refusal keeps nothing");
    assert!(refusal.may_pass(), "the first may end");
    let error = Error::from(refusal);
    assert_eq!(error.code, Code::LimitReached);
    assert_eq!(
        error.message,
        "the budget does not allow another run: coder has 50 tokens left of 300 tokens \
         (0 tokens spent, 250 tokens kept for live runs), and 100 tokens are wanted"
    );
    let refusal = ledger.reserve(run(1), node(1), want(2_000)).unwrap_err();
    let Refusal::Lacks { lacks } = &refusal else {
        panic!()
    };
    assert_eq!(lacks.len(), 2, "both accounts: {refusal}");
    assert!(!refusal.may_pass());
    let nobody = ledger.reserve(run(1), node(9), want(1)).unwrap_err();
    assert_eq!(nobody, Refusal::NoAccount { account: node(9) });
}

#[test]
fn p8_who_asks_for_no_amount_gets_a_part() {
    let mut ledger = team();
    let terms = Terms {
        places: Some(4),
        ..tokens(1_000)
    };
    ledger.open(node(0), "web", None, terms).unwrap();
    let mut granted = |n| {
        ledger
            .reserve(run(n), node(2), Wish::default())
            .map(|share| share.of(Unit::Tokens))
    };
    assert_eq!(
        [granted(0), granted(1), granted(2)],
        [Ok(Some(250)), Ok(Some(250)), Ok(Some(250))]
    );
    assert_eq!(granted(0), Ok(Some(250)), "asked again, it answers the same");
    ledger.settle(run(0), Amount::from(&took(250)));
    ledger.settle(run(1), Amount::from(&took(250)));
    ledger.settle(run(2), Amount::from(&took(480)));
    // 20 are left: a fourth of it is less than a hundredth of the limit.
    let mut granted = |n| {
        ledger
            .reserve(run(n), node(2), Wish::default())
            .map(|share| share.of(Unit::Tokens))
    };
    assert_eq!([granted(3), granted(4)], [Ok(Some(10)), Ok(Some(10))]);
    assert!(granted(5).is_err(), "nothing is left");
}

#[test]
fn where_nothing_is_limited_nothing_is_kept() {
    let mut ledger = Ledger::default();
    ledger.open(node(0), "web", None, Terms::default()).unwrap();
    let wish = exactly(Unit::Time, 5_000);
    assert_eq!(ledger.reserve(run(0), node(0), wish), Ok(wish.exactly));
    ledger.used(run(0), &took(u64::MAX));
    assert_eq!(ledger.left(node(0)), Some(Budget::default()));
    assert_eq!(ledger.spent(node(0)).unwrap().of(Unit::Tokens), u64::MAX);
}

#[test]
fn p8_an_overrun_is_shown_and_nothing_more_is_granted() {
    let mut ledger = team();
    ledger.reserve(run(0), node(1), want(300)).unwrap();
    ledger.used(run(0), &took(1_500));
    assert_eq!(ledger.spent(node(0)).unwrap().of(Unit::Tokens), 1_500);
    assert_eq!(ledger.reserved(node(0)).unwrap().of(Unit::Tokens), 0);
    assert!(ledger.reserve(run(1), node(2), want(1)).is_err());
    ledger.settle(run(0), Amount::from(&took(1_200)));
    assert_eq!(
        ledger.spent(node(0)).unwrap().of(Unit::Tokens),
        1_500,
        "what was spent stays spent"
    );
    assert!(ledger.reserve(run(1), node(2), Wish::default()).is_err());
}

#[test]
fn p8_a_cap_is_reached_when_it_is_met() {
    let limits = RunLimits {
        tokens: Some(10),
        usd: Some(Usd::from_micros(5)),
        ..RunLimits::default()
    };
    assert_eq!(Ledger::reached(&limits, &took(9)), None);
    assert_eq!(Ledger::reached(&limits, &took(10)), Some(Unit::Tokens));
    let dear = Usage {
        cost: Usd::from_micros(5),
        ..Usage::default()
    };
    assert_eq!(Ledger::reached(&limits, &dear), Some(Unit::Usd));
    assert_eq!(Ledger::reached(&RunLimits::default(), &dear), None);
}

#[test]
fn accounts_do_not_move_and_close_only_when_nobody_needs_them() {
    let mut ledger = team();
    let moved = ledger.open(node(1), "coder", Some(node(2)), tokens(1));
    assert_eq!(moved, Err(AccountError::Moved { account: node(1) }));
    let lost = ledger.open(node(5), "x", Some(node(6)), tokens(1));
    assert!(matches!(lost, Err(AccountError::NoParent { .. })));
    assert!(!ledger.close(node(0)), "it has accounts below it");
    ledger.reserve(run(0), node(1), want(100)).unwrap();
    assert!(!ledger.close(node(1)), "it has a live run");
    ledger.settle(run(0), Amount::from(&took(100)));
    assert!(ledger.close(node(1)) && !ledger.close(node(1)));
    assert_eq!(left(&ledger, 0), Some(900), "what was spent stays counted above");
}

#[test]
fn facts_without_an_account_are_answered() {
    let fact = Fact::Ended {
        account: node(7),
        taken: Amount::from(&took(1)),
    };
    assert_eq!(team().restore([fact]), [fact]);
}
