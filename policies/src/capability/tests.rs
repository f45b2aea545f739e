//! What a token says is what was signed, and narrower at each step.

mod lineage;
mod properties;
mod refused;

use worknode_core::raise::Raise;

use super::*;
use crate::{
    signing::SigningKeys,
    testing::{agent, keys, node},
};

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn claims() -> Claims {
    Claims {
        version: VERSION,
        principal: agent(1, Tier::Implementation),
        operations: operations_of(Tier::Implementation),
        subtree: node(2),
        task: Some(TaskHold {
            node: node(3),
            epoch: 4,
        }),
        raised: Vec::new(),
        expires: at(1_000),
        issued: at(10),
        limits: Limits::default(),
        from: Vec::new(),
    }
}

fn token() -> String {
    issue(&keys(), &claims()).unwrap().reveal().to_owned()
}

fn ring() -> Ring {
    keys().public().into()
}

/// Each Worknode is below those with a higher number.
fn below(node: NodeId, top: NodeId) -> bool {
    top >= node
}

fn verify(token: &str, now: u64) -> Result<Claims, Refusal> {
    let opened = open(token, &ring())?;
    opened.check(at(now), "webapp", below)?;
    Ok(opened.claims().clone())
}

fn narrowed(token: &str, narrowing: Narrowing) -> String {
    attenuate(token, &narrowing).unwrap().reveal().to_owned()
}

#[test]
fn a_token_says_what_was_signed_until_it_expires() {
    assert_eq!(verify(&token(), 999), Ok(claims()));
    assert_eq!(verify(&token(), 1_000), Err(Refusal::Expired { at: at(1_000) }));
}

#[test]
fn a_holder_narrows_it_without_asking_anybody() {
    let reader = narrowed(
        &token(),
        Narrowing {
            operations: Some([Operation::Read].into()),
            note: "for the linter".to_owned(),
            ..Narrowing::default()
        },
    );
    let shorter = narrowed(
        &reader,
        Narrowing {
            expires: Some(at(500)),
            files: Some(vec!["src/**".to_owned()]),
            ..Narrowing::default()
        },
    );
    let opened = open(&shorter, &ring()).unwrap();
    assert_eq!(opened.claims().operations, [Operation::Read].into());
    assert_eq!(
        opened.claims().principal,
        claims().principal,
        "it acts in the same name"
    );
    assert_eq!(
        (opened.ids().len(), opened.notes()[0].as_str()),
        (3, "for the linter")
    );
    assert_eq!(opened.ids()[0], open(&token(), &ring()).unwrap().ids()[0]);
    assert!(
        opened.claims().limits.named_files().has("src/a.rs")
            && !opened.claims().limits.named_files().has("a.rs")
    );
    assert!(verify(&shorter, 499).is_ok() && verify(&shorter, 500).is_err());
    assert!(verify(&reader, 500).is_ok(), "the wider one is as it was");
}

#[test]
fn p9_what_was_raised_is_worth_nothing_from_its_end_on_and_is_not_handed_on() {
    let mut raised = claims();
    raised.raised = vec![Raise {
        tier: Some(Tier::Executive),
        permissions: BTreeSet::new(),
        until: at(500),
    }];
    let token = issue(&keys(), &raised).unwrap().reveal().to_owned();
    let at_time = |now| open(&token, &ring()).unwrap().claims_at(at(now));
    assert_eq!(at_time(499), raised);
    assert_eq!(at_time(500), claims(), "the rest goes on");
    let reader = Narrowing {
        operations: Some([Operation::Read].into()),
        ..Narrowing::default()
    };
    let opened = open(&narrowed(&token, reader), &ring()).unwrap();
    let authority = crate::authority::Authority::from(opened.claims_at(at(0)));
    assert_eq!(authority.operations, [Operation::Read].into());
    let wider = Narrowing {
        operations: Some([Operation::Kill].into()),
        ..Narrowing::default()
    };
    assert!(attenuate(&token, &wider).is_err());
}

#[test]
fn p8_as_much_as_a_task_can_be_raised_fits_into_a_token() {
    use worknode_core::{bounds, raise::Permission as P};
    let all = [P::Claim, P::Write, P::Spawn, P::Kill, P::Network, P::Workspaces];
    let raise = Raise {
        tier: Some(Tier::Executive),
        permissions: all.into(),
        until: at(u64::from(u32::MAX) * 1_000),
    };
    let mut most = claims();
    most.principal = agent(1, Tier::Implementation);
    most.raised = vec![raise; bounds::RAISES + 1];
    assert!(issue(&keys(), &most).is_ok());
}

#[test]
fn a_sealed_token_counts_and_is_not_narrowed() {
    let sealed = seal(&token()).unwrap();
    assert_eq!(verify(sealed.reveal(), 0), Ok(claims()));
    assert!(open(sealed.reveal(), &ring()).unwrap().is_sealed());
    assert_eq!(
        attenuate(sealed.reveal(), &Narrowing::default()),
        Err(Refusal::Sealed)
    );
    assert_eq!(seal(sealed.reveal()), Err(Refusal::Sealed));
}

#[test]
fn a_replaced_key_counts_for_a_while() {
    let next = SigningKeys::from_seed([8; 32]);
    let turned = ring().replaced_by(next.public(), at(100));
    let old = open(&token(), &turned).unwrap();
    assert_eq!(old.check(at(99), "webapp", below), Ok(()));
    assert_eq!(old.check(at(100), "webapp", below), Err(Refusal::OldKey));
    let new = issue(&next, &claims()).unwrap();
    assert_eq!(
        open(new.reveal(), &turned)
            .unwrap()
            .check(at(999), "webapp", below),
        Ok(())
    );
    // The next one ends what its predecessors signed no later than what itself signed so far.
    let again = |until| turned.replaced_by(SigningKeys::from_seed([9; 32]).public(), at(until));
    let ends = |ring: &Ring| ring.older.iter().map(|older| older.until).collect::<Vec<_>>();
    assert_eq!(ends(&again(30)), [at(30), at(30)]);
    assert_eq!(ends(&again(300)), [at(300), at(100)]);
    // For good is for good: a clock that is set back changes nothing.
    let over = open(&token(), &turned.clone().without_grace()).unwrap();
    assert_eq!(over.check(at(0), "webapp", below), Err(Refusal::OldKey));
    let many = (0..20).fold(turned, |ring, n| {
        ring.replaced_by(SigningKeys::from_seed([n; 32]).public(), at(1))
    });
    assert_eq!(many.older.len(), ring::OLDER);
}

#[test]
fn p8_what_was_seen_is_remembered_up_to_a_bound() {
    let mut sight = Sight::holding(ring(), 2);
    let of = |n: u64| {
        let claims = Claims {
            expires: at(n),
            ..claims()
        };
        issue(&keys(), &claims).unwrap().reveal().to_owned()
    };
    for n in [1, 2, 3, 3, 2] {
        let opened = sight.open(&of(n)).unwrap();
        assert_eq!(opened.claims().expires, at(n));
        assert!(sight.len() <= 2);
    }
    // Rubbish leaves nothing behind.
    for n in 0..100 {
        assert!(sight.open(&format!("wn2.{n}.x.y")).is_err());
    }
    assert_eq!(sight.len(), 2);
    sight.turn(SigningKeys::from_seed([8; 32]).public().into());
    assert!(
        sight.open(&of(3)).is_err() && sight.is_empty(),
        "with another key it is another question"
    );
    let mut sight = Sight::holding(ring(), 2);
    let Ok(Look::New(unseen)) = sight.look(&of(1)) else {
        panic!("it was not seen")
    };
    let opened = unseen.open(&of(1)).unwrap();
    sight.turn(SigningKeys::from_seed([8; 32]).public().into());
    sight.remember(unseen, &opened);
    assert!(sight.is_empty(), "it was opened with the key before");
}

#[test]
fn patterns_of_a_task_are_covered_only_where_that_is_certain() {
    let limits = |list: &[&str]| Limits {
        files: vec![list.iter().map(|&one| one.to_owned()).collect()],
        ..Limits::default()
    };
    for (list, pattern, covered) in [
        (&["src/**"][..], "src/api/**", true),
        (&["src/**"], "src/**", true),
        (&["src/**"], "src/a.rs", true),
        (&["src/**"], "docs/a.md", false),
        (&["src/**"], "**", false),
        (&["src/**"], "*.rs", false),
        (&["src/**"], "srcs/**", false),
        (&["**"], "anything/**", true),
        (&["src/**", "!src/secret/**"], "src/**", false),
        (&["src/**", "!src/secret/**"], "src/secret/key", false),
        (&["src/**", "!src/secret/**"], "src/a.rs", true),
        (&["docs/**"], "!docs/**", true),
        // Another name for the file that is taken away.
        (&["src/**", "!src/secret"], "src/secre\\t", false),
        (&["src\\/**"], "src/a/**", false),
    ] {
        let answer = limits(list).named_files().cover([pattern]);
        assert_eq!(answer.is_ok(), covered, "{list:?} {pattern}");
    }
    assert!(Limits::default().named_files().cover(["**"]).is_ok());
}

#[test]
fn p8_a_token_is_never_longer_than_what_is_read() {
    let mut long = claims();
    long.principal = Principal::Trigger {
        name: "x".repeat(LENGTH),
    };
    assert!(issue(&keys(), &long).is_err());
    let mut chain = token();
    for _ in 0..LINKS {
        chain = narrowed(&chain, Narrowing::default());
    }
    assert!(verify(&chain, 0).is_ok());
    assert_eq!(attenuate(&chain, &Narrowing::default()), Err(Refusal::TooLong));
}

#[test]
fn p9_debug_hides_the_token() {
    assert_eq!(format!("{:?}", issue(&keys(), &claims()).unwrap()), "Token(…)");
}

#[test]
fn p9_each_tier_has_the_least() {
    use Operation as O;
    let list = |set: BTreeSet<O>| set.into_iter().collect::<Vec<_>>();
    assert_eq!(
        list(operations_of(Tier::Implementation)),
        [O::Read, O::Work, O::Note]
    );
    assert_eq!(
        list(operations_of(Tier::Validation)),
        [O::Read, O::Review, O::Note]
    );
    assert_eq!(
        list(operations_of(Tier::Executive)),
        [O::Read, O::Claim, O::Note, O::Write, O::Spawn, O::Kill]
    );
    assert!(!most_of(&Principal::Operator).contains(&O::Administer));
    assert!(most_of(&Principal::Runtime).contains(&O::Administer));
}

/// The format as it is documented, byte for byte: what another program must make of the same.
#[test]
fn the_format_is_as_it_is_written_down() {
    let token = token();
    let vector = |name: &str, made: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src/capability/tests")
            .join(name);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, format!("{made}\n")).unwrap();
        }
        assert_eq!(
            made,
            std::fs::read_to_string(&path).unwrap().trim(),
            "tokens that are about count no more: raise VERSION"
        );
    };
    vector("vector.txt", &token);
    let narrowed = narrowed(
        &token,
        Narrowing {
            expires: Some(at(500)),
            ..Narrowing::default()
        },
    );
    vector("narrowed.txt", &narrowed);
}
