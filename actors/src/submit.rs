//! Handing in work.
//!
//! A submission is acknowledged once its commit is in the runtime's own store with every
//! object checked: from then on nothing that happens to the agent's clone can lose it (P5).

use std::{path::PathBuf, sync::Arc};

use worknode_core::{
    command::Command,
    error::{Code, Error},
    git::CommitId,
    ids::NodeId,
    task::{Claim, TaskCommand},
};
use worknode_git::{ImportError, ImportLimits};
use worknode_policies::authority::{Authority, Target, authorise};

use crate::{membrane::Reply, outside::failed, system::System, violations::note_refusal};

/// Takes `commit` out of the clone of the task's holder and hands it in. Who has no clone of ours
/// hands in a commit of the team's own repository.
///
/// # Errors
/// What the membrane or the task refuses; `refused` for a commit that cannot be taken.
pub async fn submit(
    system: &System,
    authority: &Arc<Authority>,
    task: NodeId,
    epoch: u64,
    commit: CommitId,
) -> Result<Reply, Error> {
    let node = system.ask(authority, task, Command::Get, None).await?.node()?;
    let hand_in = Command::Task(TaskCommand::Submit {
        epoch,
        commit: commit.clone(),
    });
    // Before anything is taken out of anybody's clone: it must be the caller's own (P9).
    let standing = system.boundaries().of(task)?;
    let target = Target {
        node: task,
        ancestors: standing.above(),
        submitted_by: None,
    };
    if let Err(refused) = authorise(authority, &hand_in, &target) {
        note_refusal(system, &authority.principal, task, &refused).await;
        return Err(refused);
    }
    let holder = node
        .task()
        .and_then(|task| task.status.claim())
        .filter(|claim| claim.epoch == epoch);
    if let Some(claim) = holder
        && let Err(refused) = take(system, claim, &commit).await
    {
        note_refusal(system, &authority.principal, task, &refused).await;
        return Err(refused);
    }
    // Without a hold this is refused, or repeats what was done: the task decides.
    system.ask(authority, task, hand_in, None).await
}

async fn take(system: &System, claim: &Claim, commit: &CommitId) -> Result<(), Error> {
    let context = system.context();
    let base = context
        .repository
        .base_tip(&context.team.base)
        .await
        .map_err(failed)?;
    let clone = source(system, claim)?;
    context
        .store
        .import(&clone, commit, &base, &ImportLimits::default())
        .await
        .map_err(|error| {
            let code = if matches!(error, ImportError::Git(_)) {
                Code::Failed
            } else {
                Code::Refused
            };
            Error::new(code, format!("the submission was not taken: {error}"))
                .hint("commit your work in your workspace and submit the commit at its HEAD")
        })
}

/// Where the work of this claim is.
fn source(system: &System, claim: &Claim) -> Result<PathBuf, Error> {
    if claim.run.is_none() {
        return Ok(system.team().repository.clone());
    }
    let holder = system.reader().node(claim.agent)?;
    let holder = holder.ok_or_else(|| {
        Error::new(
            Code::NotFound,
            "there is no Worknode of the agent that holds the task",
        )
    })?;
    Ok(system.context().paths.workspace(&holder.name))
}
