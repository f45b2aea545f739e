//! The queue of those who may land and whose base has moved meanwhile, and of those who would wait long
//! for their first judgement. Who comes to the front takes the others along: they are put on top of
//! each other, gates judge the top once, and the branch goes there in one step. Which of them, when
//! gates say no, is decided by [`Batches`].
//!
//! Nobody hears an objection who was not judged alone. Whoever does neither land nor hear one, because
//! something came between, looks again.

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
    task::{LandPermit, TaskCommand, TaskStatus},
};
use worknode_git::{Candidate, Merged};
use worknode_policies::landing::{
    self, Step,
    batch::{Batches, Told},
};

use super::{
    Bench, gates, land,
    together::{self, Member, Said},
};
use crate::{membrane::Reply, outside::failed, system::System};

/// Submissions that are judged together.
const TOGETHER: usize = 16;
/// Submissions that one turn at the front takes along.
const ALONG: usize = 64;

/// What one that waited is told. Whoever is dropped without it has not landed, and looks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Landed;

/// One that waits.
#[derive(Debug)]
struct Waiting {
    task: NodeId,
    candidate: Candidate,
    done: oneshot::Sender<Landed>,
}

/// Those that wait.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<Vec<Waiting>>);

impl Queue {
    /// Takes a place at the end.
    pub(super) fn join(&self, task: NodeId, candidate: &Candidate) -> oneshot::Receiver<Landed> {
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

/// Lands what waits, as far as gates agree. The caller holds the landing.
pub(super) async fn work_off(system: &System, bench: &Bench) -> Result<(), Error> {
    let _place = tokio::select! {
        place = bench.judging.acquire() => place.map_err(failed)?,
        // Whoever stops waits for the landing, and must not wait for what is judged.
        () = bench.stopped() => return Ok(()),
    };
    let mut waiting: Vec<Option<Waiting>> = bench.queue.take().into_iter().map(Some).collect();
    if !land_who_passed(system, &mut waiting).await? {
        return Ok(());
    }
    waiting.retain(Option::is_some);
    let mut batches = Batches::new(waiting.len(), TOGETHER);
    while let Some(group) = batches.next_group() {
        let tip = land::tip(system).await?;
        let (places, members) = stack(system, &tip, &group, &waiting).await?;
        let told = tokio::select! {
            said = judge(system, &tip, &members) => match said? {
                Said::Passed => batches.judged(true),
                Said::Failed(at_fault) => {
                    let whose = |at: &usize| places.get(*at).copied();
                    batches.blamed(&at_fault.iter().filter_map(whose).collect())
                }
            },
            // Nothing has begun to land; the next daemon looks again.
            () = bench.stopped() => return Ok(()),
        };
        let Some(Told::Land(group)) = told else { continue };
        let Some(landed) = land_all(system, &tip, members).await? else {
            // Something is in the way of all: whoever is left looks again.
            return Ok(());
        };
        group
            .into_iter()
            .for_each(|at| tell_landed(waiting.get_mut(at), &landed));
    }
    // Whoever is left over is dropped, and so looks again.
    Ok(())
}

/// The first whose verdicts are about the branch as it is lands as it stands: to judge it again would
/// tell nothing new. After it the branch is elsewhere. Says whether nothing is in the way of the others.
async fn land_who_passed(system: &System, waiting: &mut [Option<Waiting>]) -> Result<bool, Error> {
    let tip = land::tip(system).await?;
    for place in waiting {
        let Some(member) = place.as_ref().map(|one| passed(system, &tip, one)).transpose()? else {
            continue;
        };
        let Some(member) = member else { continue };
        let Some(landed) = land_all(system, &tip, vec![member]).await? else {
            return Ok(false);
        };
        tell_landed(Some(place), &landed);
        break;
    }
    Ok(true)
}

/// Takes one out, and tells it if it is among those who landed.
fn tell_landed(place: Option<&mut Option<Waiting>>, landed: &[NodeId]) {
    let one = place.and_then(Option::take);
    if let Some(one) = one.filter(|one| landed.contains(&one.task)) {
        // A job that is gone needs no answer; its task is completed all the same.
        let _ = one.done.send(Landed);
    }
}

/// The one that waits, when all that it needs to land on `tip` has been said.
fn passed(system: &System, tip: &CommitId, one: &Waiting) -> Result<Option<Member>, Error> {
    if one.candidate.base() != tip {
        return Ok(None);
    }
    let Some(node) = system.reader().node(one.task)? else {
        return Ok(None);
    };
    let Some(task) = node
        .task()
        .filter(|_| is_in_review(&node, one.candidate.submitted()))
    else {
        return Ok(None);
    };
    let member = Member {
        node: node.clone(),
        candidate: one.candidate.clone(),
    };
    let landing = member.landing(one.candidate.tree());
    let counted = super::advance::what_counts(system, &node, task);
    let step = landing::next_step(
        &counted,
        &landing::Candidate::Made(landing),
        tip,
        &system.context().keys.public(),
    );
    Ok(matches!(step, Step::Land(_)).then_some(member))
}

/// One alone is judged as one that nobody waits beside: all objections are heard, and final.
async fn judge(system: &System, tip: &CommitId, members: &[Member]) -> Result<Said, Error> {
    match members {
        [one] => judge_alone(system, tip, one).await,
        several => together::judge(system, tip, several).await,
    }
}

async fn judge_alone(system: &System, tip: &CommitId, one: &Member) -> Result<Said, Error> {
    let said_no = Said::Failed(BTreeSet::new());
    let (id, landing) = (one.node.id, one.landing(one.candidate.tree()));
    let gates = one.node.task().map_or(&[][..], |task| &task.spec.gates);
    gates::run_on(system, &one.node, &landing, gates).await?;
    let Some(node) = system.reader().node(id)? else {
        return Ok(said_no);
    };
    let Some(task) = node.task() else {
        return Ok(said_no);
    };
    let counted = super::advance::what_counts(system, &node, task);
    let candidate = landing::Candidate::Made(landing);
    match landing::next_step(&counted, &candidate, tip, &system.context().keys.public()) {
        Step::Land(_) => Ok(Said::Passed),
        Step::Reject(findings) => {
            super::advance::reject(system, &node, findings).await?;
            Ok(said_no)
        }
        // Something happened to it meanwhile.
        _ => Ok(said_no),
    }
}

/// Puts the group on top of `tip`, and says who of it lies there. One that does not fit, or is not in
/// review any more, is left out.
async fn stack(
    system: &System,
    tip: &CommitId,
    group: &[usize],
    waiting: &[Option<Waiting>],
) -> Result<(Vec<usize>, Vec<Member>), Error> {
    let (mut places, mut members, mut top) = (Vec::new(), Vec::new(), tip.clone());
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
            places.push(*at);
            members.push(Member { node, candidate });
        }
    }
    Ok((places, members))
}

fn is_in_review(node: &Node, submitted: &CommitId) -> bool {
    let status = node.task().map(|task| &task.status);
    matches!(status, Some(TaskStatus::InReview(review))
        if review.submission.commit == *submitted && review.landing.is_none())
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
    let landing = member.landing(tree);
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
