//! Each way in which a token is worth nothing, by its own reason.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    super::revoked::{Entry, What},
    *,
};

fn parts(token: &str) -> Vec<&str> {
    token.split('.').collect()
}

#[test]
fn p9_another_key_s_token_is_worth_nothing() {
    let forged = issue(&SigningKeys::from_seed([9; 32]), &claims()).unwrap();
    let refused = verify(forged.reveal(), 0);
    assert_eq!(refused, Err(Refusal::BadSignature { place: Place(0) }));
}

#[test]
fn p9_a_narrowing_is_not_taken_off_again() {
    let wide = token();
    let narrow = narrowed(
        &wide,
        Narrowing {
            operations: Some([Operation::Read].into()),
            ..Narrowing::default()
        },
    );
    // The claims and their signature are in it; the secret to prove them is not.
    let all = parts(&narrow);
    let cut = [all[0], all[1], all[2], all[5]].join(".");
    assert_eq!(verify(&cut, 0), Err(Refusal::Truncated));
    let without_proof = all[..5].join(".");
    assert_eq!(verify(&without_proof, 0), Err(Refusal::Truncated));
    // Nor does a seal of the narrow one prove the wide one.
    let sealed = seal(&narrow).unwrap();
    let seal = parts(sealed.reveal())[5].to_owned();
    let cut = [all[0], all[1], all[2], &seal].join(".");
    assert_eq!(verify(&cut, 0), Err(Refusal::Truncated));
}

#[test]
fn p9_links_are_not_put_together_anew() {
    let token = token();
    let one = narrowed(
        &token,
        Narrowing {
            tokens: Some(5),
            ..Narrowing::default()
        },
    );
    let two = narrowed(
        &one,
        Narrowing {
            usd: Some(worknode_core::usage::Usd::ZERO),
            ..Narrowing::default()
        },
    );
    let all = parts(&two);
    // The first narrowing is left out.
    let without = [all[0], all[1], all[2], all[5], all[6], all[7]].join(".");
    assert_eq!(
        verify(&without, 0),
        Err(Refusal::BadSignature { place: Place(1) })
    );
    // And the two in the other order.
    let turned = [all[0], all[1], all[2], all[5], all[6], all[3], all[4], all[7]].join(".");
    assert_eq!(verify(&turned, 0), Err(Refusal::BadSignature { place: Place(1) }));
}

#[test]
fn p9_a_chain_made_by_hand_that_widens_is_refused() {
    use worknode_core::usage::Usd;
    let micros = Usd::from_micros;
    let base = narrowed(
        &token(),
        Narrowing {
            operations: Some([Operation::Read].into()),
            usd: Some(micros(5)),
            tokens: Some(5),
            depth: Some(1),
            fan_out: Some(1),
            audience: Some(["webapp".to_owned()].into()),
            ..Narrowing::default()
        },
    );
    let none = Narrowing::default;
    let cases = [
        (
            "operations",
            Narrowing {
                operations: Some([Operation::Work].into()),
                ..none()
            },
        ),
        (
            "expiry",
            Narrowing {
                expires: Some(at(1_001)),
                ..none()
            },
        ),
        (
            "audience",
            Narrowing {
                audience: Some(["other".to_owned()].into()),
                ..none()
            },
        ),
        (
            "money",
            Narrowing {
                usd: Some(micros(6)),
                ..none()
            },
        ),
        (
            "tokens",
            Narrowing {
                tokens: Some(6),
                ..none()
            },
        ),
        (
            "spawn depth",
            Narrowing {
                depth: Some(2),
                ..none()
            },
        ),
        (
            "spawn fan-out",
            Narrowing {
                fan_out: Some(2),
                ..none()
            },
        ),
        (
            "files",
            Narrowing {
                files: Some(vec!["/etc/passwd".to_owned()]),
                ..none()
            },
        ),
        (
            "files",
            Narrowing {
                files: Some(Vec::new()),
                ..none()
            },
        ),
        (
            "a note too long",
            Narrowing {
                note: "x".repeat(201),
                ..none()
            },
        ),
    ];
    for (what, narrowing) in cases {
        let refused = Refusal::Widened {
            what,
            place: Place(2),
        };
        assert_eq!(attenuate(&base, &narrowing), Err(refused.clone()));
        // Whoever holds the secret can sign it all the same; nobody takes it.
        let by_hand = chain::forge(&base, &narrowing);
        assert_eq!(verify(&by_hand, 0), Err(refused), "{what}");
    }
}

#[test]
fn p9_a_part_of_the_tree_that_is_not_below_is_refused() {
    let elsewhere = narrowed(
        &token(),
        Narrowing {
            subtree: Some(node(9)),
            ..Narrowing::default()
        },
    );
    let refused = Refusal::Widened {
        what: "part of the tree",
        place: Place(1),
    };
    assert_eq!(verify(&elsewhere, 0), Err(refused));
    let within = narrowed(
        &token(),
        Narrowing {
            subtree: Some(node(1)),
            ..Narrowing::default()
        },
    );
    assert_eq!(verify(&within, 0).unwrap().subtree, node(1));
}

#[test]
fn p9_a_token_for_another_team_is_refused() {
    let token = narrowed(
        &token(),
        Narrowing {
            audience: Some(["blog".to_owned()].into()),
            ..Narrowing::default()
        },
    );
    let refused = Refusal::OtherAudience {
        whom: "blog".to_owned(),
        here: "webapp".to_owned(),
    };
    assert_eq!(verify(&token, 0), Err(refused));
}

#[test]
fn p4_p9_what_is_revoked_is_refused_with_all_that_was_made_from_it() {
    let wide = open(&token(), &ring()).unwrap();
    let narrow = open(
        &narrowed(
            &token(),
            Narrowing {
                tokens: Some(1),
                ..Narrowing::default()
            },
        ),
        &ring(),
    )
    .unwrap();
    let revoked = |what: What| {
        let entry = Entry {
            what,
            at: at(20),
            reason: "lost".to_owned(),
        };
        Revoked::default().and(entry).unwrap()
    };
    let is = |revoked: &Revoked, opened: &Opened| revoked.check(opened, below).is_err();

    let of_wide = revoked(What::Token {
        id: wide.ids()[0].clone(),
    });
    assert!(is(&of_wide, &wide) && is(&of_wide, &narrow));
    let of_narrow = revoked(What::Token {
        id: narrow.ids()[1].clone(),
    });
    assert!(!is(&of_narrow, &wide) && is(&of_narrow, &narrow));

    let claims = |epoch| {
        revoked(What::Claims {
            hold: TaskHold { node: node(3), epoch },
        })
    };
    assert!(!is(&claims(3), &wide) && is(&claims(4), &wide) && is(&claims(5), &narrow));

    assert!(is(&revoked(What::Below { node: node(2) }), &wide));
    assert!(
        !is(&revoked(What::Below { node: node(1) }), &wide),
        "only a part of what it is for"
    );
    let later = Claims {
        issued: at(21),
        ..super::claims()
    };
    let later = open(issue(&keys(), &later).unwrap().reveal(), &ring()).unwrap();
    assert!(
        !is(&revoked(What::Below { node: node(2) }), &later),
        "it was issued afterwards"
    );
    let refused = of_wide.check(&narrow, below).unwrap_err().to_string();
    assert!(
        refused.contains("it was made from") && refused.contains("lost"),
        "{refused}"
    );
}

#[test]
fn p8_revocations_are_bounded() {
    let entry = |n: usize| Entry {
        what: What::Token { id: n.to_string() },
        at: at(1),
        reason: String::new(),
    };
    let json = serde_json::to_string(&(0..revoked::MOST).map(entry).collect::<Vec<_>>()).unwrap();
    let full: Revoked = serde_json::from_str(&json).unwrap();
    assert_eq!(full.len(), revoked::MOST);
    assert!(full.and(entry(revoked::MOST)).is_err());
    assert_eq!(
        full.and(entry(0)).unwrap(),
        full,
        "asked again, it is there already"
    );
}

#[test]
fn p8_a_revocation_takes_the_place_of_those_that_it_covers() {
    let with = |all: &Revoked, what: What, millis: u64| {
        let entry = Entry {
            what,
            at: at(millis),
            reason: String::new(),
        };
        all.and(entry).unwrap()
    };
    let claims = |n, epoch| What::Claims {
        hold: TaskHold { node: node(n), epoch },
    };
    let below = || What::Below { node: node(2) };
    let mut all = Revoked::default();
    for (what, millis, many) in [
        (claims(3, 4), 1, 1),
        (claims(3, 3), 2, 1),
        (claims(3, 5), 3, 1),
        (claims(4, 1), 4, 2),
        (below(), 9, 3),
        (below(), 8, 3),
        (below(), 10, 3),
    ] {
        all = with(&all, what, millis);
        assert_eq!(all.len(), many, "{all:?}");
    }
    let wide = open(&token(), &ring()).unwrap();
    assert!(all.check(&wide, super::below).is_err());
}

#[test]
fn p9_a_token_that_says_more_than_is_understood_is_refused() {
    let all = token();
    let json = URL_SAFE_NO_PAD.decode(parts(&all)[1]).unwrap();
    let json = String::from_utf8(json).unwrap();
    for (changed, why) in [
        (
            json.replacen(r#"{"says":{"#, r#"{"says":{"only_on_mondays":true,"#, 1),
            "more",
        ),
        (json.replace(r#""version":2"#, r#""version":3"#), "later"),
    ] {
        assert_ne!(changed, json, "{why}");
        let signed = chain::signed(&keys(), changed.as_bytes());
        assert_eq!(open(&signed, &ring()), Err(Refusal::Malformed), "{why}");
    }
}

#[test]
fn rubbish_is_refused() {
    for (bad, refusal) in [
        ("", Refusal::Malformed),
        ("wn2", Refusal::Malformed),
        ("wn2.", Refusal::Truncated),
        ("wn2..", Refusal::Truncated),
        ("wn2.a.b.c.d.e.f", Refusal::Truncated),
        ("wn1.e30.e30", Refusal::Malformed),
        ("Bearer x", Refusal::Malformed),
        (&"x".repeat(1 << 20), Refusal::TooLong),
        (&format!("{}.", token()), Refusal::Truncated),
        (&format!("wn2{}.AA", ".AA.AA".repeat(20)), Refusal::TooLong),
    ] {
        assert_eq!(verify(bad, 0), Err(refusal), "{bad:.20}");
    }
}

#[test]
fn p9_every_single_bit_matters() {
    let narrow = narrowed(
        &token(),
        Narrowing {
            tokens: Some(1),
            ..Narrowing::default()
        },
    );
    for good in [token(), narrow] {
        let good = good.into_bytes();
        for index in 0..good.len() {
            for bit in [0, 1, 5, 7] {
                let mut bytes = good.clone();
                bytes[index] ^= 1 << bit;
                let changed = String::from_utf8_lossy(&bytes);
                assert!(verify(&changed, 0).is_err(), "bit {bit} of byte {index}");
            }
        }
    }
}

#[test]
fn p9_no_beginning_of_a_token_is_one() {
    let narrow = narrowed(
        &token(),
        Narrowing {
            tokens: Some(1),
            ..Narrowing::default()
        },
    );
    for end in 0..narrow.len() {
        assert!(verify(&narrow[..end], 0).is_err(), "its first {end} bytes");
    }
}
