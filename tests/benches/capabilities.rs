//! What a door asks of each capability: at the first sight, and when it was seen before.

use std::hint::black_box;
use std::time::{Duration, Instant};

use worknode_core::{command::Operation, event::Principal, ids::NodeId, time::Timestamp};
use worknode_policies::{
    capability::{Claims, Limits, Narrowing, Ring, Sight, VERSION, attenuate, issue, most_of},
    verdict::SigningKeys,
};

use crate::{
    Bench, Failure,
    measure::Samples,
    report::{Figure, Unit},
};

/// How often a token was narrowed.
const CHAINS: [usize; 3] = [0, 2, 8];

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let times = bench.load(2_000, 20);
    let keys = SigningKeys::from_seed([7; 32]);
    let mut figures = Vec::new();
    for links in CHAINS {
        let token = token(&keys, links)?;
        let (mut first, mut again) = (Vec::new(), Vec::new());
        let mut known = Sight::new(Ring::from(keys.public()));
        known.open(&token)?;
        for _ in 0..times {
            let mut fresh = Sight::new(Ring::from(keys.public()));
            first.push(timed(|| fresh.open(&token).is_ok()));
            again.push(timed(|| known.open(&token).is_ok()));
        }
        let (first, again) = (Samples::from_iter(first), Samples::from_iter(again));
        let figure = |what: &str, ours: &Samples, load: String| Figure {
            what: format!("capability narrowed {links} times, {what}"),
            unit: Unit::Seconds,
            ours: ours.median(),
            baseline: 0.0,
            load,
        };
        let bytes = token.len();
        figures.push(figure(
            "first sight",
            &first,
            format!("median of {times}, {bytes} bytes"),
        ));
        figures.push(figure(
            "seen before",
            &again,
            format!("median of {times}, {bytes} bytes"),
        ));
    }
    Ok(figures)
}

fn token(keys: &SigningKeys, links: usize) -> Result<String, Failure> {
    let principal = Principal::Outside {
        node: NodeId::ROOT,
        name: "ada".to_owned(),
    };
    let claims = Claims {
        version: VERSION,
        operations: most_of(&principal),
        principal,
        subtree: NodeId::ROOT,
        task: None,
        raised: Vec::new(),
        expires: Timestamp::MAX,
        issued: Timestamp::default(),
        limits: Limits::default(),
        from: Vec::new(),
    };
    let mut token = issue(keys, &claims)?.reveal().to_owned();
    for _ in 0..links {
        let narrowing = Narrowing {
            operations: Some([Operation::Read].into()),
            tokens: Some(1_000),
            ..Narrowing::default()
        };
        token = attenuate(&token, &narrowing)?.reveal().to_owned();
    }
    Ok(token)
}

fn timed(work: impl FnOnce() -> bool) -> Duration {
    let begun = Instant::now();
    black_box(work());
    begun.elapsed()
}
