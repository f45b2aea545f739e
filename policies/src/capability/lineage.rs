//! What a capability hands on to agents that are spawned through it, and what theirs is then.
//!
//! A spawned agent's capability is the runtime's own: it names another holder, which no narrowing can.
//! So the runtime narrows: whatever the agent's tier may, it keeps what the capability through which it
//! was asked for may hand on, and carries that one's ids as those that it was made from.
//!
//! | of the capability | what is handed on |
//! |---|---|
//! | operations | all but what is raised for a time; who may claim tasks for others and spawn, may let work |
//! | expiry | as it is; when only a raise lets it spawn, the end of that raise. Runs end with it, too |
//! | part of the tree, files, money, tokens, depth, fan-out, audience | as they are |

use std::collections::BTreeSet;

use worknode_core::{
    command::Operation,
    error::{Code, Error},
    ids::NodeId,
    lineage::Lineage,
    raise::Raise,
    time::Timestamp,
};

use super::{Claims, Limits, Opened};

/// Ids that a chain carries at the most: each is a part of every token that is made from it.
pub const IDS: usize = 64;

/// What `opened` hands on at `now`.
///
/// # Errors
/// `limit_reached` when it was made from more capabilities than can be carried along.
pub fn handed_on(opened: &Opened, now: Timestamp) -> Result<Lineage, Error> {
    let claims = opened.claims();
    if opened.ids().len() > IDS {
        let what = format!("this capability was made from more than {IDS} others");
        return Err(Error::new(Code::LimitReached, what).hint("spawn through one that is narrowed less"));
    }
    let mut operations = claims.operations.clone();
    if [Operation::Claim, Operation::Spawn]
        .iter()
        .all(|one| operations.contains(one))
    {
        operations.insert(Operation::Work);
    }
    let Limits {
        files,
        usd,
        tokens,
        depth,
        fan_out,
        audience,
    } = claims.limits.clone();
    Ok(Lineage {
        ids: opened.ids().to_vec(),
        operations,
        subtree: claims.subtree,
        expires: may_spawn_until(claims, now),
        files,
        usd,
        tokens,
        depth,
        fan_out,
        audience,
    })
}

/// What only a raise lets it do, ends with the raise: so does what comes of it.
fn may_spawn_until(claims: &Claims, now: Timestamp) -> Timestamp {
    if claims.operations.contains(&Operation::Spawn) {
        return claims.expires;
    }
    let lets_spawn = |raise: &&Raise| raise.holds_at(now) && raise.operations().contains(&Operation::Spawn);
    let ends = claims.raised.iter().filter(lets_spawn).map(|raise| raise.until);
    // Whom nothing lets spawn hands on nothing.
    ends.max().unwrap_or(now).min(claims.expires)
}

/// `own`, as much of it as `lineage` hands on. `is_at_or_below(node, top)` tells of the tree.
#[must_use]
pub fn derived(own: Claims, lineage: &Lineage, is_at_or_below: impl Fn(NodeId, NodeId) -> bool) -> Claims {
    let within = |node, top| top == NodeId::ROOT || is_at_or_below(node, top);
    let mut operations: BTreeSet<Operation> = own
        .operations
        .intersection(&lineage.operations)
        .copied()
        .collect();
    let subtree = if within(own.subtree, lineage.subtree) {
        own.subtree
    } else {
        if !within(lineage.subtree, own.subtree) {
            // They have no Worknode in common.
            operations.clear();
        }
        lineage.subtree
    };
    let mut raised = own.raised;
    raised.retain(|raise| raise.operations().is_subset(&lineage.operations));
    let mut files = own.limits.files;
    files.extend(lineage.files.iter().cloned());
    Claims {
        operations,
        subtree,
        raised,
        expires: own.expires.min(lineage.expires),
        limits: Limits {
            files,
            usd: least(own.limits.usd, lineage.usd),
            tokens: least(own.limits.tokens, lineage.tokens),
            depth: least(own.limits.depth, lineage.depth),
            fan_out: least(own.limits.fan_out, lineage.fan_out),
            audience: both(own.limits.audience, lineage.audience.as_ref()),
        },
        from: lineage.ids.clone(),
        ..own
    }
}

fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn both(one: Option<BTreeSet<String>>, other: Option<&BTreeSet<String>>) -> Option<BTreeSet<String>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.intersection(other).cloned().collect()),
        (one, other) => one.or_else(|| other.cloned()),
    }
}
