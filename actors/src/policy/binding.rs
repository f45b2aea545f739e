//! What a verdict is bound to: the task and claim that it is about, what its gate was told, and what
//! looked.

use std::collections::BTreeMap;

use worknode_core::{
    node::Node,
    task::{Landing, TaskSpec, TaskStatus},
    verdict::Bound,
};
use worknode_policies::{evidence::evidence_digest, gate, verdict::config_digest};

use super::{gates::Found, tools};
use crate::{definition::TeamDefinition, system::System};

/// For each gate of a task, the digest of what it is told to look for.
pub(super) fn configs(system: &System, spec: &TaskSpec) -> BTreeMap<String, String> {
    let digest = |gate: &String| (gate.clone(), config(system, spec, gate));
    spec.gates.iter().map(digest).collect()
}

fn config(system: &System, spec: &TaskSpec, gate: &str) -> String {
    config_digest(spec, gate, &settings(system.team(), gate))
}

/// The gate's own settings, in words that differ when they do. After an upgrade the words may be
/// others; then the gates run again.
fn settings(team: &TeamDefinition, gate: &str) -> String {
    match gate {
        gate::TESTS => format!("{:?}", team.tests),
        _ => format!("{:?} {:?}", team.gates, team.tests),
    }
}

/// What a verdict about this submission is bound to. Nothing when the task is not in review any
/// more: then there is nothing that it could count for.
pub(super) async fn bound(
    system: &System,
    node: &Node,
    landing: &Landing,
    gate: &str,
    found: &Found,
) -> Option<Bound> {
    let task = node.task()?;
    let TaskStatus::InReview(review) = &task.status else {
        return None;
    };
    Some(Bound {
        task: node.id,
        epoch: review.submission.epoch,
        attempt: task.attempts,
        base: landing.base.clone(),
        config: config(system, &task.spec, gate),
        tools: tools::of_gate(system, gate).await,
        evidence: evidence_digest(&found.findings, &landing.tree, &found.material),
    })
}
