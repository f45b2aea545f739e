//! The queue of those who may land and whose base has moved meanwhile. Who comes to the front takes
//! the others along: they are put on top of each other, gates judge the top once, and the branch goes
//! there in one step. Which of them, when gates say no, is decided by [`Batches`].
//!
//! Here only good news is final. Whoever does not land looks again by themselves, is judged alone on the
//! base of then, and hears from the gates what is wrong.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use tokio::sync::oneshot;
use worknode_core::{
    command::Command,
    error::{Code, Error},
    git::{CommitId, TreeId},
    ids::NodeId,
    node::Node,
    task::{LandPermit, Landing, TaskCommand, TaskStatus},
    verdict::Outcome,
};
use worknode_git::{Candidate, Merged};
use worknode_policies::{
    gate,
    landing::batch::{Batches, Next, Told},
    verdict::{Judgement, sign},
};

use super::{Bench, binding, gates::Shared, land};
use crate::{membrane::Reply, outside::failed, system::System};

/// Submissions that are judged together.
const TOGETHER: usize = 16;
/// Submissions that one turn at the front takes along.
const ALONG: usize = 64;

/// What became of one that waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It has landed.
    Landed,
    /// It has not; look at it again.
    LookAgain,
}

/// One that waits.
#[derive(Debug)]
struct Waiting {
    task: NodeId,
    candidate: Candidate,
    done: oneshot::Sender<Turn>,
}

/// Those that wait.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<Vec<Waiting>>);

impl Queue {
    /// Takes a place at the end.
    pub(super) fn join(&self, task: NodeId, candidate: &Candidate) -> oneshot::Receiver<Turn> {
        let (done, turn) = oneshot::channel();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|other| other.task != task);
        waiting.push(Waiting {
            task,
            candidate: candidate.clone(),
            done,
        });
        turn
    }

    /// Leaves it.
    pub(super) fn leave(&self, task: NodeId) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|other| other.task != task);
    }

    /// Those at the front, whoever of them comes first.
    fn take(&self) -> Vec<Waiting> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One whose job is gone waits for nobody.
        waiting.retain(|one| !one.done.is_closed());
        let most = waiting.len().min(ALONG);
        waiting.drain(..most).collect()
    }
}

/// One of a group, as it lies on top of those before it.
struct Member {
    node: Node,
    candidate: Candidate,
}

/// Lands what waits, as far as gates agree. The caller holds the landing.
pub(super) async fn work_off(system: &System, bench: &Bench) -> Result<(), Error> {
    let mut waiting: Vec<Option<Waiting>> = bench.queue.take().into_iter().map(Some).collect();
    let mut batches = Batches::new(waiting.len(), TOGETHER);
    while let Some(next) = batches.next_step() {
        let Next::Judge(group) = next else { continue };
        let tip = land::tip(system).await?;
        let members = stack(system, &tip, &group, &waiting).await?;
        let passed = judge(system, bench, &tip, &members).await?;
        let Some(Told::Land(group)) = batches.judged(passed) else {
            continue;
        };
        let Some(landed) = land_all(system, &tip, members).await? else {
            // Something is in the way of all: whoever is left looks again.
            return Ok(());
        };
        for at in group {
            let one = waiting.get_mut(at).and_then(Option::take);
            if let Some(one) = one.filter(|one| landed.contains(&one.task)) {
                // A job that is gone needs no answer; its task is completed all the same.
                let _ = one.done.send(Turn::Landed);
            }
        }
    }
    // Whoever is left over is dropped, and so looks again.
    Ok(())
}

/// Puts the group on top of `tip`. One that does not fit, or is not in review any more, is left out.
async fn stack(
    system: &System,
    tip: &CommitId,
    group: &[usize],
    waiting: &[Option<Waiting>],
) -> Result<Vec<Member>, Error> {
    let (mut members, mut top) = (Vec::new(), tip.clone());
    for at in group {
        let Some(one) = waiting.get(*at).and_then(Option::as_ref) else {
            continue;
        };
        let Some(node) = system.reader().node(one.task)? else {
            continue;
        };
        let submitted = one.candidate.submitted();
        if !is_in_review(&node, submitted) {
            continue;
        }
        let text = land::text(&node);
        let by = land::author_of(system, &node)?;
        let merged = system.context().store.candidate(&top, submitted, &text, &by);
        if let Merged::Clean(candidate) = merged.await.map_err(failed)? {
            top = candidate.commit().clone();
            members.push(Member { node, candidate });
        }
    }
    Ok(members)
}

fn is_in_review(node: &Node, submitted: &CommitId) -> bool {
    let status = node.task().map(|task| &task.status);
    matches!(status, Some(TaskStatus::InReview(review))
        if review.submission.commit == *submitted && review.landing.is_none())
}

fn landing_of(member: &Member, tree: &TreeId) -> Landing {
    Landing {
        tree: tree.clone(),
        commit: member.candidate.commit().clone(),
        base: member.candidate.base().clone(),
    }
}

/// Do all gates of all agree? The plan gate looks at what each changes by itself, the others at the
/// top. A passing verdict of each is kept for each, on the tree at the top.
async fn judge(system: &System, bench: &Bench, tip: &CommitId, members: &[Member]) -> Result<bool, Error> {
    let Some(top) = members.last() else {
        return Ok(true);
    };
    let _place = bench.judging.acquire().await.map_err(failed)?;
    for member in members {
        let own = landing_of(member, member.candidate.tree());
        let verdict = Shared::of(system, &member.node, &own)
            .await?
            .judge(gate::PLAN)
            .await?;
        if verdict.outcome == Outcome::Failed {
            return Ok(false);
        }
    }
    let whole = Landing {
        base: tip.clone(),
        ..landing_of(top, top.candidate.tree())
    };
    let specs = members.iter().filter_map(|member| member.node.task());
    let names: BTreeSet<&String> = specs.flat_map(|task| &task.spec.gates).collect();
    let shared = Shared::of(system, &top.node, &whole).await?;
    for name in names.into_iter().filter(|name| *name != gate::PLAN) {
        let verdict = shared.judge(name).await?;
        tracing::info!(gate = %name, together = members.len(), outcome = ?verdict.outcome, "gate");
        if verdict.outcome == Outcome::Failed {
            return Ok(false);
        }
    }
    for member in members {
        keep_verdicts(system, member, &whole).await?;
    }
    Ok(true)
}

async fn keep_verdicts(system: &System, member: &Member, whole: &Landing) -> Result<(), Error> {
    let Some(task) = member.node.task() else {
        return Ok(());
    };
    for gate in &task.spec.gates {
        let judgement = Judgement {
            gate: gate.clone(),
            tree: whole.tree.clone(),
            commit: whole.commit.clone(),
            bound: binding::bound(system, &member.node, whole, gate, &[]),
            findings: Vec::new(),
            took_ms: 0,
        };
        let verdict = sign(&system.context().keys, judgement);
        let record = Command::Task(TaskCommand::RecordVerdict { verdict });
        system
            .command_after(Some(member.node.updated), member.node.id, record)
            .await?;
    }
    Ok(())
}

/// The branch goes to the top in one step, or stays. Says who has landed; nothing when something is in
/// the way.
async fn land_all(
    system: &System,
    tip: &CommitId,
    members: Vec<Member>,
) -> Result<Option<Vec<NodeId>>, Error> {
    let Some(tree) = members.last().map(|top| top.candidate.tree().clone()) else {
        return Ok(Some(Vec::new()));
    };
    let mut begun: Vec<Member> = Vec::new();
    let mut permits: Vec<LandPermit> = Vec::new();
    let mut below = tip.clone();
    for member in members {
        match begin(system, member, &below, &tree).await? {
            Ok((member, permit)) => {
                below = member.candidate.commit().clone();
                begun.push(member);
                permits.push(permit);
            }
            Err(why) => {
                abandon(system, &begun, &why).await?;
                return Ok(None);
            }
        }
    }
    let context = system.context();
    let stack = begun.iter().map(|member| member.candidate.clone()).collect();
    let landed = context
        .repository
        .land_stack(permits, stack, &context.team.base, &context.store);
    if let Err(error) = landed.await {
        abandon(system, &begun, &error.to_string()).await?;
        land::wait_if_in_the_way(system, &error).await?;
        return Ok(None);
    }
    let tasks: Vec<NodeId> = begun.iter().map(|member| member.node.id).collect();
    for member in &begun {
        let complete = TaskCommand::Complete {
            tree: tree.clone(),
            commit: member.candidate.commit().clone(),
        };
        system.command(member.node.id, Command::Task(complete)).await?;
    }
    land::tell_those_at_work(system, &tasks, tip, &tree).await;
    Ok(Some(tasks))
}

/// The commit that lands, with its trailers, and the task's permit for it; or why there is none.
async fn begin(
    system: &System,
    member: Member,
    below: &CommitId,
    tree: &TreeId,
) -> Result<Result<(Member, LandPermit), String>, Error> {
    let stored = system.reader().node(member.node.id)?;
    let Some(node) = stored.filter(|node| is_in_review(node, member.candidate.submitted())) else {
        return Ok(Err("a task beside it was taken out of review".to_owned()));
    };
    let candidate = land::sign_off(system, &node, &member.candidate, Some(below)).await?;
    let member = Member { node, candidate };
    let landing = landing_of(&member, tree);
    let asked = system
        .command(
            member.node.id,
            Command::Task(TaskCommand::BeginLanding { landing }),
        )
        .await;
    match asked {
        Ok(Reply::Done {
            permit: Some(permit), ..
        }) => Ok(Ok((member, permit))),
        Ok(_) => Ok(Err("a task beside it gave no permit".to_owned())),
        Err(error) if matches!(error.code, Code::IllegalTransition | Code::Refused) => Ok(Err(error.message)),
        Err(error) => Err(error),
    }
}

async fn abandon(system: &System, begun: &[Member], why: &str) -> Result<(), Error> {
    for member in begun {
        let abandon = TaskCommand::AbandonLanding {
            reason: why.to_owned(),
        };
        system.command(member.node.id, Command::Task(abandon)).await?;
    }
    Ok(())
}
