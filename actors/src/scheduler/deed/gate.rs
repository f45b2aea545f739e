//! Gates are run on a commit, beside those that judge submissions. What they find is the outcome.

use worknode_core::{
    error::{Code, Error},
    git::CommitId,
    time::Span,
    verdict::Finding,
};
use worknode_triggers::spec::GateSpec;

use super::text::filled;
use crate::{
    outside::failed,
    policy::gates_on_commit,
    scheduler::job::{Came, Job},
    system::System,
};

/// Findings whose words are part of the outcome.
const SHOWN: usize = 3;

/// Runs them, one after the other.
pub(super) async fn run(system: &System, job: &Job, spec: &GateSpec) -> Result<Came, Error> {
    let on = spec
        .on
        .as_ref()
        .map_or_else(|| system.team().base.clone(), |on| filled(system, job, on));
    let commit = commit(system, &on).await?;
    let base = match &spec.diff {
        Some(since) => before(system, &commit, since).await?,
        None => None,
    };
    let mut words = Vec::new();
    let mut passed = true;
    let found = gates_on_commit(system, &spec.gates, &commit, base.as_ref()).await?;
    for (gate, findings) in spec.gates.iter().zip(found) {
        passed &= !findings.iter().any(|finding| finding.weight.fails());
        words.push(told(gate, &findings));
    }
    let since = spec.diff.as_ref().map(|since| format!(" since {since}"));
    let since = since.unwrap_or_default();
    let outcome = format!("{on} at {}{since}: {}", commit.short(), words.join("; "));
    Ok(if passed {
        Came::Done(outcome)
    } else {
        Came::Failed(outcome)
    })
}

fn told(gate: &str, findings: &[Finding]) -> String {
    let failing: Vec<&Finding> = findings.iter().filter(|one| one.weight.fails()).collect();
    if failing.is_empty() {
        return format!("{gate} passed");
    }
    let shown = failing.iter().take(SHOWN);
    let shown: Vec<&str> = shown
        .filter_map(|finding| finding.message.lines().next())
        .collect();
    format!("{gate} failed with {}: {}", failing.len(), shown.join(", "))
}

/// From where on it is looked at: where it was that long ago, or where it and another parted. What has
/// no such commit is all new.
async fn before(system: &System, commit: &CommitId, since: &str) -> Result<Option<CommitId>, Error> {
    let repository = &system.context().repository;
    if let Ok(Span(time)) = since.parse::<Span>() {
        let at = system.now().minus(time);
        return repository.commit_at(commit, at).await.map_err(failed);
    }
    let other = self::commit(system, since).await?;
    repository.common(commit, &other).await.map_err(failed)
}

/// A commit by its full name, or what a branch is at.
async fn commit(system: &System, on: &str) -> Result<CommitId, Error> {
    if let Ok(commit) = on.parse::<CommitId>() {
        return Ok(commit);
    }
    let tip = system.context().repository.base_tip(on).await;
    tip.map_err(|error| {
        let Error { message, .. } = failed(error);
        Error::new(Code::NotFound, message).hint("name a branch, or a commit in full")
    })
}
