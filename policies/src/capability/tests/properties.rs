//! Whatever is done to a token, it never comes to allow more.

use proptest::{collection::vec, option, prelude::*, sample::subsequence};
use worknode_core::usage::Usd;

use super::*;

const OPERATIONS: [Operation; 8] = [
    Operation::Read,
    Operation::Work,
    Operation::Claim,
    Operation::Review,
    Operation::Note,
    Operation::Write,
    Operation::Spawn,
    Operation::Kill,
];
pub(super) const TEAMS: [&str; 3] = ["webapp", "blog", "shop"];
const GLOBS: [&str; 6] = [
    "**",
    "src/**",
    "src/*.rs",
    "!src/secret.rs",
    "docs/**",
    "src/a.rs",
];
pub(super) const FILES: [&str; 5] = [
    "src/a.rs",
    "src/secret.rs",
    "src/deep/b.rs",
    "docs/x.md",
    "README.md",
];

/// Something that a holder may want to do.
#[derive(Clone, Debug)]
struct Wish {
    operation: Operation,
    on: u8,
    file: &'static str,
    usd: u64,
    tokens: u64,
    depth: usize,
    fan_out: usize,
    now: u64,
    team: &'static str,
}

fn allows(opened: &Opened, wish: &Wish) -> bool {
    let authority = crate::authority::Authority::from(opened.claims_at(at(wish.now)));
    let (claims, limits) = (opened.claims(), &opened.claims().limits);
    opened.check(at(wish.now), wish.team, below).is_ok()
        && authority.operations.contains(&wish.operation)
        && below(node(wish.on), claims.subtree)
        && limits.named_files().has(wish.file)
        && limits.usd.is_none_or(|most| wish.usd <= most.micros())
        && limits.tokens.is_none_or(|most| wish.tokens <= most)
        && limits.depth.is_none_or(|most| wish.depth <= most)
        && limits.fan_out.is_none_or(|most| wish.fan_out <= most)
}

fn wish() -> impl Strategy<Value = Wish> {
    (
        prop::sample::select(&OPERATIONS[..]),
        0..12_u8,
        prop::sample::select(&FILES[..]),
        (0..12_u64, 0..12_u64, 0..12_usize, 0..12_usize),
        0..120_u64,
        prop::sample::select(&TEAMS[..]),
    )
        .prop_map(
            |(operation, on, file, (usd, tokens, depth, fan_out), now, team)| Wish {
                operation,
                on,
                file,
                usd,
                tokens,
                depth,
                fan_out,
                now,
                team,
            },
        )
}

/// Half of these would widen something.
pub(super) fn narrowing() -> impl Strategy<Value = Narrowing> {
    let names = |all: &'static [&'static str], least| {
        option::of(
            subsequence(all, least..=all.len())
                .prop_map(|some| some.into_iter().map(str::to_owned).collect::<Vec<_>>()),
        )
    };
    (
        option::of(subsequence(&OPERATIONS[..], 0..=8).prop_map(BTreeSet::from_iter)),
        option::of((0..12_u8).prop_map(node)),
        names(&GLOBS, 1),
        (
            option::of(0..12_u64),
            option::of(0..12_u64),
            option::of(0..12_usize),
            option::of(0..12_usize),
        ),
        option::of((0..120_u64).prop_map(at)),
        names(&TEAMS, 0),
    )
        .prop_map(
            |(operations, subtree, files, (usd, tokens, depth, fan_out), expires, audience)| Narrowing {
                operations,
                subtree,
                files,
                usd: usd.map(Usd::from_micros),
                tokens,
                depth,
                fan_out,
                expires,
                audience: audience.map(BTreeSet::from_iter),
                note: String::new(),
            },
        )
}

pub(super) fn whole() -> String {
    let claims = Claims {
        operations: OPERATIONS.into_iter().take(6).collect(),
        raised: vec![Raise {
            tier: Some(Tier::Executive),
            permissions: BTreeSet::new(),
            until: at(60),
        }],
        subtree: node(10),
        expires: at(100),
        ..claims()
    };
    issue(&keys(), &claims).unwrap().reveal().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn p9_no_chain_of_narrowings_ever_allows_more(
        steps in vec(narrowing(), 1..LINKS),
        wishes in vec(wish(), 24),
    ) {
        let mut token = whole();
        for step in steps {
            // What would widen is not made; what the maker of tokens lets through, the reader does.
            let Ok(narrower) = attenuate(&token, &step) else { continue };
            let before = open(&token, &ring()).unwrap();
            let after = open(narrower.reveal(), &ring()).unwrap();
            for wish in &wishes {
                prop_assert!(!allows(&after, wish) || allows(&before, wish), "{step:?} {wish:?}");
            }
            token = narrower.reveal().to_owned();
        }
    }

    /// The same for those who sign whatever they like with the secret that they hold.
    #[test]
    fn p9_no_chain_made_by_hand_allows_more(
        steps in vec(narrowing(), 1..4),
        wishes in vec(wish(), 24),
    ) {
        let before = open(&whole(), &ring()).unwrap();
        let mut token = whole();
        for step in &steps {
            token = chain::forge(&token, step);
        }
        if let Ok(after) = open(&token, &ring()) {
            for wish in &wishes {
                prop_assert!(!allows(&after, wish) || allows(&before, wish), "{steps:?} {wish:?}");
            }
        }
    }

    #[test]
    fn p9_a_token_with_any_byte_changed_never_verifies(at_byte in any::<prop::sample::Index>(), mask in 1_u8..=255) {
        let mut bytes = token().into_bytes();
        let index = at_byte.index(bytes.len());
        bytes[index] ^= mask;
        let changed = String::from_utf8_lossy(&bytes);
        prop_assert!(verify(&changed, 0).is_err());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(wn2\\.)?[A-Za-z0-9_.=-]{0,200}", narrowing in narrowing()) {
        prop_assert!(verify(&text, 0).is_err());
        prop_assert!(attenuate(&text, &narrowing).is_err());
        prop_assert!(seal(&text).is_err() && chain::peek(&text).is_err());
    }
}
