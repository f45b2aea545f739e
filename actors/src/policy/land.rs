//! Candidates, and landing them.

use std::time::Duration;

use tokio::sync::{
    MutexGuard, SemaphorePermit,
    oneshot::{self, error::TryRecvError},
};
use worknode_core::{
    command::Command,
    error::{Code, Error},
    event::{Event, PanicStage, Principal},
    git::{CommitId, TreeId},
    ids::NodeId,
    node::Node,
    task::{Landing, TaskCommand, TaskStatus},
    verdict::Finding,
};
use worknode_git::{Authorship, LandError, Merged};
use worknode_policies::{landing::Candidate, pattern::Patterns};

use super::{
    Bench, Made,
    queue::{Landed, work_off},
};
use crate::{
    membrane::Reply,
    outside::{authorship, failed},
    store::{HELD, landed, tasks_that_are},
    system::System,
};

/// Files that such a word names.
const TOLD: usize = 10;
/// Characters of a verdict's signature that a landed commit names. The journal has all of it.
const SIGNATURE: usize = 22;
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
    let authorship = author_of(system, node)?;
    let message = text(node);
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

/// What the commit of a submission says before anybody has judged it.
pub(super) fn text(node: &Node) -> String {
    let Some(task) = node.task() else {
        return node.name.clone();
    };
    let run = match &task.status {
        TaskStatus::InReview(review) => review.submission.run.map(|run| run.to_string()),
        _ => None,
    };
    format!(
        "{}\n\nWorknode-Task: {}\nWorknode-Run: {}\n",
        task.spec.title,
        task.spec.key,
        run.as_deref().unwrap_or("none of this runtime")
    )
}

/// Author and committer of a submission.
pub(super) fn author_of(system: &System, node: &Node) -> Result<Authorship, Error> {
    let author = match node.task().map(|task| &task.status) {
        Some(TaskStatus::InReview(review)) => author(system, review.submission.agent)?,
        _ => "worknode".to_owned(),
    };
    authorship(system, &author)
}

/// Where the base branch is now.
pub(super) async fn tip(system: &System) -> Result<CommitId, Error> {
    let context = system.context();
    let tip = context.repository.base_tip(&context.team.base).await;
    tip.map_err(failed)
}

/// The candidate as the commit that lands: the same tree on the same base, and a message that names
/// who made it, who agreed, and by which verdicts; or, of several that land together, on the one
/// `onto` which it was put, which has the tree of its base.
pub(super) async fn sign_off(
    system: &System,
    node: &Node,
    candidate: &worknode_git::Candidate,
    onto: Option<&CommitId>,
) -> Result<worknode_git::Candidate, Error> {
    let Some((task, TaskStatus::InReview(review))) = node.task().map(|task| (task, &task.status)) else {
        return Ok(candidate.clone());
    };
    let mut text = text(node);
    let mut add = |name: &str, value: &str| {
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
        text.push('\n');
    };
    add("Worknode-Author", &author(system, review.submission.agent)?);
    for word in review.words(task.spec.approval) {
        add("Worknode-Approved-By", &word.by.to_string());
    }
    for gate in &task.spec.gates {
        if let Some(verdict) = review.verdicts.get(gate) {
            let signature: String = verdict.signature.chars().take(SIGNATURE).collect();
            add("Worknode-Verdict", &format!("{gate} passed {signature}"));
        }
    }
    let (store, by) = (&system.context().store, author_of(system, node)?);
    let base = onto.unwrap_or_else(|| candidate.base());
    store.reworded(candidate, base, &text, &by).await.map_err(failed)
}

/// Whose work it is: an agent of ours, or somebody outside.
fn author(system: &System, id: NodeId) -> Result<String, Error> {
    if let Some(agent) = system.agent(id) {
        return Ok(agent.name.clone());
    }
    let node = system.reader().node(id)?;
    Ok(node.map_or_else(|| "agent".to_owned(), |node| node.name))
}

/// What came of waiting in the queue.
enum Turn<'a> {
    /// It is at the front, and the only one that lands while it holds this.
    Own(MutexGuard<'a, ()>),
    /// Somebody took it along and did not land it: it may stand elsewhere by now.
    LookAgain,
    /// Somebody took it along, and it has landed.
    Landed,
}

/// Waits until it holds the landing.
async fn front<'a>(bench: &'a Bench, turn: &mut oneshot::Receiver<Landed>) -> Turn<'a> {
    let held = bench.landing.lock().await;
    match turn.try_recv() {
        Err(TryRecvError::Empty) => Turn::Own(held),
        Err(TryRecvError::Closed) => Turn::LookAgain,
        Ok(Landed) => Turn::Landed,
    }
}

/// Lands the candidate, when it is still on top of the base. Who was just judged has its place until it
/// is in the queue: so nobody who waits for that place comes before it. Returns whether there is more to
/// do.
pub(super) async fn land(
    system: &System,
    bench: &Bench,
    task: NodeId,
    landing: Landing,
    made: &mut Made,
    place: Option<SemaphorePermit<'_>>,
) -> Result<bool, Error> {
    let mut place = place;
    if system.guard().check(PanicStage::Landings).is_err() {
        // While nothing may land, others are judged.
        place = None;
        system.guard().allows(PanicStage::Landings).await;
    }
    let Some(candidate) = std::mem::take(made).git else {
        return Ok(true);
    };
    let mut turn = bench.queue.join(task, &candidate);
    // Whoever holds the landing may wait for it.
    drop(place);
    let _one_at_a_time = match front(bench, &mut turn).await {
        Turn::Own(held) => held,
        Turn::LookAgain => return Ok(true),
        Turn::Landed => return Ok(false),
    };
    let base = tip(system).await?;
    if base != landing.base {
        note_moved_base(system, &landing.base, &base).await?;
        work_off(system, bench).await?;
        return Ok(turn.try_recv().is_err());
    }
    bench.queue.leave(task);
    land_alone(system, task, landing, candidate).await
}

/// Lets the candidate be judged for the first time together with others that wait. Returns whether
/// there is more to do.
pub(super) async fn among_others(
    system: &System,
    bench: &Bench,
    task: NodeId,
    made: &mut Made,
) -> Result<bool, Error> {
    system.guard().allows(PanicStage::Landings).await;
    let Some(candidate) = std::mem::take(made).git else {
        return Ok(true);
    };
    let mut turn = bench.queue.join(task, &candidate);
    // Until somebody has been judged who came before, more may come who can be judged together.
    drop(bench.judging.acquire().await.map_err(failed)?);
    let _one_at_a_time = match front(bench, &mut turn).await {
        Turn::Own(held) => held,
        Turn::LookAgain => return Ok(true),
        Turn::Landed => return Ok(false),
    };
    work_off(system, bench).await?;
    Ok(turn.try_recv().is_err())
}

/// The branch is where gates saw it: one step, and the work is on it.
async fn land_alone(
    system: &System,
    task: NodeId,
    landing: Landing,
    candidate: worknode_git::Candidate,
) -> Result<bool, Error> {
    let context = system.context();
    let node = system.reader().node(task)?;
    let Some(node) = node else { return Ok(false) };
    let candidate = sign_off(system, &node, &candidate, None).await?;
    let landing = Landing {
        commit: candidate.commit().clone(),
        ..landing
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
    let tree = landing.tree.clone();
    let outcome = context
        .repository
        .land(permit, candidate, &context.team.base, &context.store)
        .await;
    match outcome {
        Ok(landed) => {
            let complete = TaskCommand::Complete {
                tree: landing.tree,
                commit: landed.commit,
            };
            system.command(task, Command::Task(complete)).await?;
            tell_those_at_work(system, &[task], &landing.base, &tree).await;
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

/// Those who work on files that have just changed under them hear of it: what they hand in is merged
/// onto the new base, and may not fit any more.
pub(super) async fn tell_those_at_work(system: &System, landed: &[NodeId], base: &CommitId, tree: &TreeId) {
    if let Err(error) = try_to_tell(system, landed, base, tree).await {
        tracing::warn!(%error, "who works on what has just changed could not be told");
    }
}

async fn try_to_tell(
    system: &System,
    landed: &[NodeId],
    base: &CommitId,
    tree: &TreeId,
) -> Result<(), Error> {
    let changes = system.context().store.changes(base, tree).await.map_err(failed)?;
    let paths: Vec<String> = changes.iter().map(|change| change.path.to_string()).collect();
    for node in tasks_that_are(system.reader(), &HELD)? {
        let Some(task) = node.task() else { continue };
        let Some(claim) = task.status.claim().filter(|_| !landed.contains(&node.id)) else {
            continue;
        };
        let Ok(files) = Patterns::parse(&task.spec.files) else {
            continue;
        };
        let touched: Vec<&str> = paths
            .iter()
            .map(String::as_str)
            .filter(|path| files.matches(path))
            .collect();
        if touched.is_empty() {
            continue;
        }
        let some = touched.iter().take(TOLD).copied().collect::<Vec<_>>().join(", ");
        let message = format!(
            "the base branch moved under task `{}`: {} of its files changed ({some})",
            node.name,
            touched.len()
        );
        let told = Event::Notified {
            to: author(system, claim.agent)?,
            message,
        };
        system.record(Principal::Runtime, node.id, vec![told]).await?;
    }
    Ok(())
}

/// A base that moved is merged and judged again at once; what a person must clear away is
/// told, and looked at again after a while.
pub(super) async fn wait_if_in_the_way(system: &System, error: &LandError) -> Result<bool, Error> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_was_taken_along_and_has_not_landed_looks_again() {
        let bench = Bench::new();
        let (taken, mut turn) = oneshot::channel();
        assert!(matches!(front(&bench, &mut turn).await, Turn::Own(_)));
        drop(taken);
        assert!(matches!(front(&bench, &mut turn).await, Turn::LookAgain));
        let (taken, mut turn) = oneshot::channel();
        taken.send(Landed).unwrap();
        assert!(matches!(front(&bench, &mut turn).await, Turn::Landed));
        assert!(!bench.is_crowded(), "only who is at the front holds the landing");
    }
}
