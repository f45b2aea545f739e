//! What comes next for a task in review?
//!
//! The policy actor asks this after every event that touches the task, does the one thing that
//! the answer says, and asks again. Between the questions nothing is remembered here.
//!
//! A verdict counts when it is about exactly the tree that would land, and carries the
//! runtime's signature. A base branch that moved makes another tree, and so asks for all
//! gates again; what a reviewer said stands, because it is about the submission.

use worknode_core::{
    agent::Tier,
    event::Principal,
    git::CommitId,
    task::{Approval, Landing, Review, Task, TaskStatus},
    verdict::{Finding, Outcome, Verdict},
};

use crate::{gate, signing::PublicKey, verdict};

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
    let reviewer = match task.spec.approval {
        Approval::None => return Step::Land(landing.clone()),
        Approval::Validation => Reviewer::Validation,
        Approval::Operator => Reviewer::Operator,
    };
    let approved = review
        .approved_by
        .as_ref()
        .is_some_and(|by| may_approve(by, reviewer, review));
    if approved {
        Step::Land(landing.clone())
    } else if review.candidate.is_some() {
        Step::AwaitReview(reviewer)
    } else {
        Step::RequestReview(landing.commit.clone())
    }
}

fn may_approve(by: &Principal, reviewer: Reviewer, review: &Review) -> bool {
    match by {
        Principal::Operator => true,
        Principal::Agent { node, tier, .. } => {
            reviewer == Reviewer::Validation && *tier == Tier::Validation && *node != review.submission.agent
        }
        Principal::Outside { .. } | Principal::Runtime | Principal::Trigger { .. } => false,
    }
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
