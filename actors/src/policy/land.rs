//! Candidates, and landing them.

use std::time::Duration;

use worknode_core::{
    command::Command,
    error::{Code, Error},
    event::{Event, PanicStage, Principal},
    git::CommitId,
    ids::NodeId,
    node::Node,
    task::{Landing, Task, TaskCommand, TaskStatus},
    verdict::Finding,
};
use worknode_git::{LandError, Merged};
use worknode_policies::landing::Candidate;

use super::{Bench, Made};
use crate::{
    membrane::Reply,
    outside::{authorship, failed},
    store::landed,
    system::System,
};

/// Wait before a landing is tried again that something outside is in the way of.
const IN_THE_WAY: Duration = Duration::from_secs(5);

/// Puts the submission on top of `base`.
pub(super) async fn make_candidate(system: &System, node: &Node, base: &CommitId) -> Result<Made, Error> {
    let Some(task) = node.task() else {
        return Ok(Made::default());
    };
    let TaskStatus::InReview(review) = &task.status else {
        return Ok(Made::default());
    };
    let submitted = &review.submission.commit;
    let author = system
        .team()
        .agent(review.submission.agent)
        .map_or("agent", |agent| &agent.name);
    let authorship = authorship(system, author)?;
    let run = review.submission.run.map(|run| run.to_string());
    let message = message(task, run.as_deref().unwrap_or("none of this runtime"));
    let merged = system
        .context()
        .store
        .candidate(base, submitted, &message, &authorship)
        .await
        .map_err(failed)?;
    Ok(match merged {
        Merged::Clean(candidate) => Made {
            known: Candidate::Made(Landing {
                tree: candidate.tree().clone(),
                commit: candidate.commit().clone(),
                base: base.clone(),
            }),
            git: Some(candidate),
        },
        Merged::Conflict { paths } => {
            let finding = |path| {
                Finding::new(
                    "merge.conflict",
                    "changes here do not fit on what has landed meanwhile",
                )
                .in_file(path)
                .hint("your next workspace starts from the present base: make the change again on top of it")
            };
            let findings = paths.iter().map(|path| finding(path.to_string())).collect();
            Made {
                known: Candidate::Conflict(findings),
                git: None,
            }
        }
        Merged::Empty => {
            let finding = Finding::new("merge.empty", "the submission changes nothing on the base branch")
                .hint("commit the work that the task asks for, then submit");
            Made {
                known: Candidate::Conflict(vec![finding]),
                git: None,
            }
        }
    })
}

fn message(task: &Task, run: &str) -> String {
    format!(
        "{}\n\nWorknode-Task: {}\nWorknode-Run: {run}\n",
        task.spec.title, task.spec.key
    )
}

/// Lands the candidate, when it is still on top of the base. Returns whether there is more to do.
pub(super) async fn land(
    system: &System,
    bench: &Bench,
    task: NodeId,
    landing: Landing,
    made: &mut Made,
) -> Result<bool, Error> {
    let context = system.context();
    system.guard().allows(PanicStage::Landings).await;
    let _one_at_a_time = bench.landing.lock().await;
    let base = context
        .repository
        .base_tip(&context.team.base)
        .await
        .map_err(failed)?;
    let Some(candidate) = made.git.take().filter(|_| base == landing.base) else {
        note_moved_base(system, &landing.base, &base).await?;
        *made = Made::default();
        return Ok(true);
    };
    let begin = Command::Task(TaskCommand::BeginLanding {
        landing: landing.clone(),
    });
    let Reply::Done {
        permit: Some(permit), ..
    } = system.command(task, begin).await?
    else {
        return Err(Error::new(Code::Refused, "the task gave no permit to land"));
    };
    let outcome = context
        .repository
        .land(permit, candidate, &context.team.base, &context.store)
        .await;
    *made = Made::default();
    match outcome {
        Ok(landed) => {
            let complete = TaskCommand::Complete {
                tree: landing.tree,
                commit: landed.commit,
            };
            system.command(task, Command::Task(complete)).await?;
            Ok(false)
        }
        Err(error) => {
            let reason = error.to_string();
            tracing::warn!(%error, "not landed");
            system
                .command(task, Command::Task(TaskCommand::AbandonLanding { reason }))
                .await?;
            wait_if_in_the_way(system, &error).await
        }
    }
}

/// A base that moved is merged and judged again at once; what a person must clear away is
/// told, and looked at again after a while.
async fn wait_if_in_the_way(system: &System, error: &LandError) -> Result<bool, Error> {
    match error {
        LandError::BaseMoved { .. } => {}
        LandError::WorkTreeInTheWay { .. } | LandError::Locked { .. } | LandError::Busy { .. } => {
            system
                .notify("operator", format!("approved work cannot land: {error}"))
                .await;
            tokio::time::sleep(IN_THE_WAY).await;
        }
        LandError::NotPermitted { .. } | LandError::Repository(_) | LandError::Other(_) => {
            return Err(failed(error));
        }
    }
    Ok(true)
}

/// What moved the base was another landing, or somebody by hand; only the latter is news.
async fn note_moved_base(system: &System, from: &CommitId, to: &CommitId) -> Result<(), Error> {
    let ours = landed(system.reader(), to)?;
    if !ours {
        let event = Event::BaseMoved {
            from: from.clone(),
            to: to.clone(),
        };
        system
            .record(Principal::Runtime, system.team().node(), vec![event])
            .await?;
    }
    Ok(())
}

/// A landing that an earlier daemon began: the base branch knows what came of it.
pub(super) async fn settle(system: &System, landing: &Landing) -> Result<TaskCommand, Error> {
    let context = system.context();
    let landed = context
        .repository
        .contains(&context.team.base, &landing.commit)
        .await
        .map_err(failed)?;
    Ok(settlement(landing, landed))
}

/// What became of a landing whose end nobody saw: the base branch has its commit, or never will.
pub(crate) fn settlement(landing: &Landing, landed: bool) -> TaskCommand {
    if landed {
        TaskCommand::Complete {
            tree: landing.tree.clone(),
            commit: landing.commit.clone(),
        }
    } else {
        TaskCommand::AbandonLanding {
            reason: "the daemon ended before it landed".to_owned(),
        }
    }
}
