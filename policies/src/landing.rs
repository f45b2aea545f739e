//! What comes next for a task in review?
//!
//! The policy actor asks this after every event that touches the task, does the one thing that
//! the answer says, and asks again. Between the questions nothing is remembered here.
//!
//! A verdict counts when it is about exactly the tree that would land, and carries the
//! runtime's signature; [`what_counts`] drops those for another task, claim or configuration. A base branch that moved makes another tree, and so asks for all
//! gates again; what a reviewer said stands, because it is about the submission.

use std::collections::BTreeMap;

use worknode_core::{
    event::Principal,
    git::CommitId,
    ids::NodeId,
    task::{Approval, Landing, Review, Task, TaskSpec, TaskStatus},
    time::Timestamp,
    verdict::{Bound, Finding, Outcome, Verdict},
};

use crate::{
    gate,
    signing::{Message, PublicKey, digest},
    verdict,
};

pub mod batch;
pub mod share;

/// The submission, put on top of the base branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// Not yet tried.
    Unmade,
    /// It does not fit on the base branch any more.
    Conflict(Vec<Finding>),
    /// This would land.
    Made(Landing),
}

/// Who has to agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reviewer {
    /// An agent of the validation tier, or the operator.
    Validation,
    /// The operator alone.
    Operator,
    /// Several, each another: the operator, people who may review, and agents of the validation tier.
    Quorum,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: the task is not in review.
    Nothing,
    /// Put the submission on top of the base branch as it is now.
    MakeCandidate,
    /// Run these gates on the candidate, in this order.
    RunGates(Vec<String>),
    /// Give the task back with these objections.
    Reject(Vec<Finding>),
    /// Ask for a reviewer, showing this candidate.
    RequestReview(CommitId),
    /// Wait for somebody to decide.
    AwaitReview(Reviewer),
    /// Ask the task for the permit to land this, and land it.
    Land(Landing),
    /// A landing was begun and its outcome is not known: look at the base branch, then complete
    /// or abandon it.
    Settle(Landing),
}

/// Decides what comes next for `task`. `base` is the tip of the base branch now, `key` the one
/// that genuine verdicts verify with. Pure.
#[must_use]
pub fn next_step(task: &Task, candidate: &Candidate, base: &CommitId, key: &PublicKey) -> Step {
    let TaskStatus::InReview(review) = &task.status else {
        return Step::Nothing;
    };
    if let Some(landing) = &review.landing {
        return Step::Settle(landing.clone());
    }
    let landing = match candidate {
        Candidate::Made(landing) if landing.base == *base => landing,
        Candidate::Unmade | Candidate::Made(_) => return Step::MakeCandidate,
        Candidate::Conflict(findings) => return Step::Reject(or_unexplained(findings.clone(), "merge")),
    };
    match judged(task, review, landing, key) {
        Gates::Open(missing) => Step::RunGates(missing),
        Gates::Failed(findings) => Step::Reject(findings),
        Gates::Passed => agreed(task, review, landing),
    }
}

/// What a verdict and an approval must fit to count.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    /// The task.
    pub node: NodeId,
    /// What time it is.
    pub time: Timestamp,
    /// For each gate, the digest of what it is told to look for.
    pub config: &'a BTreeMap<String, String>,
}

/// The task with only the verdicts and approvals that count now: bound to this task, this claim and
/// this configuration; given for what is shown now, and not too long ago.
#[must_use]
pub fn what_counts(task: &Task, now: &Now<'_>) -> Task {
    let mut counted = task.clone();
    let TaskStatus::InReview(review) = &mut counted.status else {
        return counted;
    };
    let epoch = review.submission.epoch;
    let fits = |gate: &str, bound: &Bound| {
        bound.task == now.node && bound.epoch == epoch && now.config.get(gate) == Some(&bound.config)
    };
    review
        .verdicts
        .retain(|gate, verdict| verdict.bound.as_ref().is_some_and(|bound| fits(gate, bound)));
    let shown = shown(&task.spec, &review.submission.commit);
    review
        .approvals
        .retain(|word| word.shown == shown && word.counts_at(now.time));
    counted
}

/// Digest of what somebody is shown who is to decide: the work, and what was asked.
#[must_use]
pub fn shown(spec: &TaskSpec, submission: &CommitId) -> String {
    // A task's specification is plain data; that cannot fail to become JSON.
    let spec = serde_json::to_vec(spec).unwrap_or_default();
    let message = Message::of("worknode shown v1");
    digest(&message.bytes(&spec).bytes(submission.as_str().as_bytes()))
}

/// May gates judge this submission for the first time together with others that wait? Only when it
/// lands as soon as they have passed: a reviewer is shown what gates have passed, and objections are
/// always to the work alone.
#[must_use]
pub fn may_share_judgement(task: &Task) -> bool {
    match &task.status {
        TaskStatus::InReview(review) => review.landing.is_none() && review.is_approved(task.spec.approval),
        _ => false,
    }
}

/// Somebody whose approval has become too old before the work could land.
#[must_use]
pub fn expired(task: &Task, now: Timestamp) -> Option<Principal> {
    let TaskStatus::InReview(review) = &task.status else {
        return None;
    };
    if review.landing.is_some() {
        return None;
    }
    let old = review.approvals.iter().find(|word| !word.counts_at(now))?;
    Some(old.by.clone())
}

/// Where the gates of a task stand on one tree.
enum Gates {
    Open(Vec<String>),
    Failed(Vec<Finding>),
    Passed,
}

/// An agent has few attempts, so it hears all objections at once: every gate runs before a
/// rejection. Except after the plan gate: what changed outside the plan is not run at all.
fn judged(task: &Task, review: &Review, landing: &Landing, key: &PublicKey) -> Gates {
    let valid = |gate: &String| -> Option<&Verdict> {
        review
            .verdicts
            .get(gate)
            .filter(|v| v.gate == *gate && v.tree == landing.tree && verdict::verify(v, key).is_ok())
    };
    let failed: Vec<&Verdict> = task
        .spec
        .gates
        .iter()
        .filter_map(valid)
        .filter(|verdict| verdict.outcome == Outcome::Failed)
        .collect();
    let missing: Vec<String> = task
        .spec
        .gates
        .iter()
        .filter(|gate| valid(gate).is_none())
        .cloned()
        .collect();
    let stop_now = failed.iter().any(|verdict| verdict.gate == gate::PLAN);
    if !missing.is_empty() && !stop_now {
        return Gates::Open(missing);
    }
    if failed.is_empty() {
        return Gates::Passed;
    }
    let findings = failed
        .into_iter()
        .flat_map(|verdict| or_unexplained(verdict.findings.clone(), &verdict.gate))
        .collect();
    Gates::Failed(findings)
}

/// All gates passed: has everybody agreed?
fn agreed(task: &Task, review: &Review, landing: &Landing) -> Step {
    let approval = task.spec.approval;
    if review.is_approved(approval) {
        return Step::Land(landing.clone());
    }
    if review.candidate.is_none() {
        return Step::RequestReview(landing.commit.clone());
    }
    Step::AwaitReview(match approval {
        Approval::None | Approval::Validation => Reviewer::Validation,
        Approval::Operator => Reviewer::Operator,
        Approval::Quorum(_) => Reviewer::Quorum,
    })
}

/// A refusal always says something, or the next attempt would begin without a word.
fn or_unexplained(findings: Vec<Finding>, gate: &str) -> Vec<Finding> {
    if findings.is_empty() {
        let rule = format!("{gate}.failed");
        vec![Finding::new(rule, format!("`{gate}` said no and gave no reason"))]
    } else {
        findings
    }
}

#[cfg(test)]
mod tests;
