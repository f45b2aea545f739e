//! Whatever is handed on to those who are spawned, it is never more than whoever spawned them has.

use proptest::{collection::vec, prelude::*};
use worknode_core::usage::Usd;

use super::{
    properties::{FILES, TEAMS, narrowing, whole},
    *,
};
use crate::{
    authority::Authority,
    capability::{
        lineage::{IDS, derived, handed_on},
        revoked::{Entry, What},
    },
    testing::agent,
};

/// What an agent of this tier has that nobody spawned, in a team that is Worknode 10.
fn own(tier: Tier) -> Claims {
    Claims {
        principal: agent(3, tier),
        operations: operations_of(tier),
        subtree: node(10),
        raised: vec![Raise {
            tier: Some(Tier::Executive),
            permissions: BTreeSet::new(),
            until: at(90),
        }],
        expires: at(110),
        ..claims()
    }
}

fn spawned_by(parent: &Opened, tier: Tier, now: u64) -> Opened {
    let lineage = handed_on(parent, at(now)).unwrap();
    let token = issue(&keys(), &derived(own(tier), &lineage, below)).unwrap();
    open(token.reveal(), &ring()).unwrap()
}

/// What the parent has that no raise gives, and what comes of having it.
fn can_give(parent: &Opened) -> BTreeSet<Operation> {
    let mut operations = parent.claims().operations.clone();
    if operations.contains(&Operation::Claim) && operations.contains(&Operation::Spawn) {
        operations.insert(Operation::Work);
    }
    operations
}

fn at_most<T: Ord>(child: Option<T>, parent: Option<T>) -> bool {
    parent.is_none_or(|parent| child.is_some_and(|child| child <= parent))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn p9_who_is_spawned_never_may_more_than_who_spawned_it(
        steps in vec(narrowing(), 0..4),
        tiers in vec(prop::sample::select(vec![Tier::Executive, Tier::Implementation, Tier::Validation]), 1..3),
        now in 0..120_u64,
    ) {
        let mut token = whole();
        for step in steps {
            if let Ok(narrower) = attenuate(&token, &step) {
                token = narrower.reveal().to_owned();
            }
        }
        let mut parent = open(&token, &ring()).unwrap();
        for tier in tiers {
            let child = spawned_by(&parent, tier, now);
            let (mine, theirs) = (child.claims(), parent.claims());
            for then in 0..120 {
                let may = Authority::from(child.claims_at(at(then))).operations;
                prop_assert!(may.is_subset(&can_give(&parent)), "{may:?}");
            }
            prop_assert!(mine.expires <= theirs.expires);
            if !theirs.operations.contains(&Operation::Spawn) {
                let raised = theirs.raised.iter().map(|raise| raise.until).max();
                prop_assert!(mine.expires <= raised.unwrap_or_default().max(at(now)));
            }
            prop_assert!(below(mine.subtree, theirs.subtree) || mine.operations.is_empty());
            for file in FILES {
                prop_assert!(!mine.limits.named_files().has(file) || theirs.limits.named_files().has(file));
            }
            prop_assert!(at_most(mine.limits.usd.map(Usd::micros), theirs.limits.usd.map(Usd::micros)));
            prop_assert!(at_most(mine.limits.tokens, theirs.limits.tokens));
            prop_assert!(at_most(mine.limits.depth, theirs.limits.depth));
            prop_assert!(at_most(mine.limits.fan_out, theirs.limits.fan_out));
            let taken = |team: &str| {
                let by = |claims: &Claims| claims.limits.audience.as_ref().is_none_or(|teams| teams.contains(team));
                !by(mine) || by(theirs)
            };
            prop_assert!(TEAMS.iter().all(|team| taken(team)), "it may be used elsewhere");
            parent = child;
        }
    }
}

#[test]
fn p9_who_revokes_any_of_the_chain_ends_who_was_spawned() {
    let narrower = attenuate(&whole(), &Narrowing::default()).unwrap();
    let parent = open(narrower.reveal(), &ring()).unwrap();
    let child = spawned_by(&parent, Tier::Executive, 0);
    let grandchild = spawned_by(&child, Tier::Implementation, 0);
    assert_eq!(&grandchild.ids()[..3], child.ids());
    assert_eq!(&child.ids()[..2], parent.ids());
    let revoked = |what| {
        Revoked::default()
            .and(Entry {
                what,
                at: at(50),
                reason: String::new(),
            })
            .unwrap()
    };
    for id in parent.ids() {
        let revoked = revoked(What::Token { id: id.clone() });
        let why = revoked.check(&grandchild, below).unwrap_err().to_string();
        assert!(why.contains(&format!("made from {id}")), "{why}");
    }
    let below_all = revoked(What::Below { node: node(10) });
    assert!(below_all.check(&grandchild, below).is_err());
    assert!(
        revoked(What::Token { id: "other".into() })
            .check(&grandchild, below)
            .is_ok()
    );
}

#[test]
fn p9_a_word_for_others_work_is_not_handed_on_by_who_has_none() {
    let executive = Claims {
        operations: operations_of(Tier::Executive),
        raised: Vec::new(),
        ..claims()
    };
    let parent = open(issue(&keys(), &executive).unwrap().reveal(), &ring()).unwrap();
    let coder = spawned_by(&parent, Tier::Implementation, 0);
    assert_eq!(coder.claims().operations, operations_of(Tier::Implementation));
    let reader = spawned_by(&parent, Tier::Validation, 0);
    assert!(!reader.claims().operations.contains(&Operation::Review));
}

#[test]
fn p8_a_chain_grows_only_so_long() {
    let long = Claims {
        from: vec!["0".repeat(32); IDS],
        ..claims()
    };
    let parent = open(issue(&keys(), &long).unwrap().reveal(), &ring()).unwrap();
    assert_eq!(handed_on(&parent, at(0)).unwrap_err().code, Code::LimitReached);
}
