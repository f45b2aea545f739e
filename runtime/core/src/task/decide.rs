//! What a command to a task comes to.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Claim, Landing, PlanChange, Progress, ReleaseCause, Task, TaskSpec, TaskStatus,
    retry::{retry_after, seed},
};
use crate::{
    bounds,
    error::{Code, Error},
    event::{Event, Principal},
    git::{CommitId, TreeId},
    ids::{NodeId, RunId},
    node::Detail,
    raise::Raise,
    time::Timestamp,
    verdict::{Finding, Verdict},
};

/// What can be asked of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum TaskCommand {
    /// Its dependencies are completed.
    MarkReady,
    /// Give it to somebody.
    Claim {
        /// Whom.
        agent: NodeId,
        /// For which run of ours; `None` for a holder that the runtime does not run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<RunId>,
        /// For how long without renewal.
        lease: Duration,
    },
    /// The run is alive and has its brief.
    Start {
        /// The claim.
        epoch: u64,
    },
    /// The holder is still alive.
    Renew {
        /// The claim.
        epoch: u64,
        /// From now.
        lease: Duration,
    },
    /// Say how far it is.
    Progress {
        /// The claim.
        epoch: u64,
        /// What to say.
        progress: Progress,
    },
    /// Hand in a commit.
    Submit {
        /// The claim.
        epoch: u64,
        /// The commit in the agent's clone.
        commit: CommitId,
    },
    /// Let somebody else go on, in the same breath.
    HandOver {
        /// The claim.
        epoch: u64,
        /// Who goes on.
        to: NodeId,
        /// For how long without renewal.
        lease: Duration,
    },
    /// Let it go before or behind others.
    Prioritise {
        /// Higher goes first.
        priority: i32,
    },
    /// Let whoever works on it do more than usual, for a time.
    Raise {
        /// Which firing gives it.
        firing: String,
        /// What, and until when.
        raise: Box<Raise>,
    },
    /// What a firing gave is over.
    Lower {
        /// Which firing.
        firing: String,
    },
    /// The holder has not been heard of: take the task back if its lease is over.
    Lapse {
        /// The claim.
        epoch: u64,
    },
    /// The claim ends without a submission.
    Release {
        /// The claim.
        epoch: u64,
        /// Why.
        cause: ReleaseCause,
        /// In words.
        detail: String,
    },
    /// The holder cannot go on.
    Block {
        /// The claim.
        epoch: u64,
        /// What is missing.
        reason: String,
    },
    /// A gate has decided.
    RecordVerdict {
        /// What it decided.
        verdict: Verdict,
    },
    /// All gates passed; a reviewer should look.
    RequestReview {
        /// The candidate that the reviewer sees.
        candidate: CommitId,
    },
    /// A reviewer or the operator agrees with a submission.
    Approve {
        /// The submitted commit that was looked at.
        commit: CommitId,
        /// In words.
        note: String,
        /// Digest of what was looked at.
        #[serde(default)]
        shown: String,
    },
    /// A gate, a reviewer, a conflict or the operator refuses the submission.
    Reject {
        /// The submitted commit that was looked at.
        commit: CommitId,
        /// Why.
        findings: Vec<Finding>,
    },
    /// All agree: land exactly this.
    BeginLanding {
        /// What.
        landing: Landing,
    },
    /// It could not land, and nothing was changed.
    AbandonLanding {
        /// Why.
        reason: String,
    },
    /// It landed.
    Complete {
        /// The tree that landed.
        tree: TreeId,
        /// The commit on the base branch.
        commit: CommitId,
    },
    /// Give up.
    Fail {
        /// Why.
        reason: String,
    },
    /// Not wanted any more.
    Cancel {
        /// Why.
        reason: String,
    },
    /// Try a failed, cancelled or blocked task again.
    Retry,
    /// Change what the plan asks of it.
    Amend {
        /// What it asks from now on.
        spec: Box<TaskSpec>,
        /// What it asked before, as far as that is different.
        before: Map<String, Value>,
        /// What it asks now, as far as that is different.
        after: Map<String, Value>,
        /// Why.
        reason: String,
    },
    /// An approval is too old to count.
    Expire {
        /// Whose.
        by: Principal,
    },
}

/// The permission to put exactly one tree of one task on the base branch, once.
///
/// Only [`decide`] makes one, together with the event that records the intent. It can be
/// neither copied nor stored, and the function that lands consumes it.
#[derive(Debug)]
pub struct LandPermit {
    landing: Landing,
}

impl LandPermit {
    /// What may land.
    #[must_use]
    pub const fn landing(&self) -> &Landing {
        &self.landing
    }
}

/// What a command comes to: events to append, and then perhaps a permit to act.
#[derive(Debug, Default)]
pub struct TaskDecision {
    /// To be appended, all or none. Empty when there is nothing left to do.
    pub events: Vec<Event>,
    /// For the landing that the events announce.
    pub permit: Option<LandPermit>,
}

/// Decides what `command` by `by` comes to. Pure.
///
/// # Errors
/// `stale_epoch` for a write under an old claim, `held` for a claim on what somebody holds,
/// `illegal_transition` for what the state does not allow.
pub fn decide(
    task: &Task,
    command: &TaskCommand,
    by: &Principal,
    now: Timestamp,
) -> Result<TaskDecision, Error> {
    own_hold(task, by)?;
    let events = match command {
        TaskCommand::MarkReady => vec![Event::TaskReady],
        TaskCommand::Prioritise { priority } => prioritise(task, *priority)?,
        TaskCommand::Raise { firing, raise } => decide_raise(task, firing, raise, now)?,
        TaskCommand::Lower { firing } => decide_lower(task, firing),
        TaskCommand::Claim { agent, run, lease } => decide_claim(task, *agent, *run, *lease, now)?,
        TaskCommand::Start { epoch } => start(task, *epoch)?,
        TaskCommand::Renew { epoch, lease } => renew(task, *epoch, *lease, now)?,
        TaskCommand::Progress { epoch, progress } => report(task, *epoch, progress)?,
        TaskCommand::Submit { epoch, commit } => submit(task, *epoch, commit)?,
        TaskCommand::HandOver { epoch, to, lease } => hand_over(task, *epoch, *to, *lease, now)?,
        TaskCommand::Lapse { epoch } => lapse(task, *epoch, now)?,
        TaskCommand::Release { epoch, cause, detail } => release(task, *epoch, *cause, detail, now)?,
        TaskCommand::Block { epoch, reason } => block(task, *epoch, reason)?,
        TaskCommand::RecordVerdict { verdict } => vec![Event::VerdictRecorded {
            verdict: verdict.clone(),
        }],
        TaskCommand::RequestReview { candidate } => vec![Event::ReviewRequested {
            candidate: candidate.clone(),
        }],
        TaskCommand::Approve { commit, note, shown } => approve(task, commit, by, (note, shown), now)?,
        TaskCommand::Expire { by } => vec![Event::ApprovalExpired { by: by.clone() }],
        TaskCommand::Amend {
            spec,
            before,
            after,
            reason,
        } => return amend(task, spec, by, (before, after, reason)),
        TaskCommand::Reject { commit, findings } => reject(task, commit, by, findings)?,
        TaskCommand::BeginLanding { landing } => return begin_landing(task, landing, now),
        TaskCommand::AbandonLanding { reason } => vec![Event::LandingAbandoned {
            reason: reason.clone(),
        }],
        TaskCommand::Complete { tree, commit } => vec![Event::TaskCompleted {
            tree: tree.clone(),
            commit: commit.clone(),
        }],
        TaskCommand::Fail { reason } => vec![Event::TaskFailed {
            reason: reason.clone(),
        }],
        TaskCommand::Cancel { reason } => cancel(task, reason),
        TaskCommand::Retry => vec![Event::TaskRetried],
    };
    check(task, &events)?;
    Ok(TaskDecision { events, permit: None })
}

/// Starting what has begun succeeds.
fn start(task: &Task, epoch: u64) -> Result<Vec<Event>, Error> {
    if has_begun(task, epoch) {
        return Ok(Vec::new());
    }
    fence(task, epoch)?;
    Ok(vec![Event::TaskStarted { epoch }])
}

fn renew(task: &Task, epoch: u64, lease: Duration, now: Timestamp) -> Result<Vec<Event>, Error> {
    fence(task, epoch)?;
    check_lease(lease)?;
    let lease_until = now.plus(lease);
    Ok(vec![Event::ClaimRenewed { epoch, lease_until }])
}

fn report(task: &Task, epoch: u64, progress: &Progress) -> Result<Vec<Event>, Error> {
    fence(task, epoch)?;
    let progress = Progress {
        percent: progress.percent.map(|percent| percent.min(100)),
        message: progress.message.clone(),
    };
    Ok(begun_and(task, epoch, Event::TaskProgressed { epoch, progress }))
}

/// Handing in the same commit again succeeds.
fn submit(task: &Task, epoch: u64, commit: &CommitId) -> Result<Vec<Event>, Error> {
    if already_submitted(task, epoch, commit) {
        return Ok(Vec::new());
    }
    fence(task, epoch)?;
    let commit = commit.clone();
    Ok(begun_and(task, epoch, Event::TaskSubmitted { epoch, commit }))
}

/// Nothing is taken back from a holder that was heard of in time.
fn lapse(task: &Task, epoch: u64, now: Timestamp) -> Result<Vec<Event>, Error> {
    if !has_lapsed(task, epoch, now) {
        return Ok(Vec::new());
    }
    let detail = "its holder was not heard of until the end of the lease";
    let released = released(task, epoch, ReleaseCause::Lapsed, detail.to_owned(), now);
    with_exhaustion(task, released, detail)
}

fn release(
    task: &Task,
    epoch: u64,
    cause: ReleaseCause,
    detail: &str,
    now: Timestamp,
) -> Result<Vec<Event>, Error> {
    fence(task, epoch)?;
    let released = released(task, epoch, cause, detail.to_owned(), now);
    with_exhaustion(task, released, detail)
}

fn block(task: &Task, epoch: u64, reason: &str) -> Result<Vec<Event>, Error> {
    fence(task, epoch)?;
    let reason = reason.to_owned();
    Ok(begun_and(task, epoch, Event::TaskBlocked { epoch, reason }))
}

fn approve(
    task: &Task,
    commit: &CommitId,
    by: &Principal,
    (note, shown): (&str, &str),
    now: Timestamp,
) -> Result<Vec<Event>, Error> {
    same_submission(task, commit)?;
    Ok(vec![Event::TaskApproved {
        by: by.clone(),
        commit: commit.clone(),
        note: note.to_owned(),
        shown: shown.to_owned(),
        until: Some(now.plus(bounds::APPROVAL)),
    }])
}

fn reject(task: &Task, commit: &CommitId, by: &Principal, findings: &[Finding]) -> Result<Vec<Event>, Error> {
    same_submission(task, commit)?;
    let summary = findings
        .first()
        .map_or("rejected", |finding| finding.message.as_str());
    let rejected = Event::TaskRejected {
        by: by.clone(),
        findings: capped(findings),
    };
    with_exhaustion(task, rejected, summary)
}

/// The only place where a permit is made.
fn begin_landing(task: &Task, landing: &Landing, now: Timestamp) -> Result<TaskDecision, Error> {
    still_approved(task, now)?;
    let events = vec![Event::LandingStarted {
        landing: landing.clone(),
    }];
    check(task, &events)?;
    Ok(TaskDecision {
        events,
        permit: Some(LandPermit {
            landing: landing.clone(),
        }),
    })
}

/// Cancelling what is cancelled succeeds.
fn cancel(task: &Task, reason: &str) -> Vec<Event> {
    if matches!(task.status, TaskStatus::Cancelled { .. }) {
        return Vec::new();
    }
    vec![Event::TaskCancelled {
        reason: reason.to_owned(),
    }]
}

/// What is asked of the task stays; only its place among others is another one.
fn prioritise(task: &Task, priority: i32) -> Result<Vec<Event>, Error> {
    if task.status.is_terminal() {
        let message = format!("a task that is {} has no place among others", task.status.name());
        return Err(Error::new(Code::IllegalTransition, message));
    }
    if task.spec.priority == priority {
        return Ok(Vec::new());
    }
    let spec = TaskSpec {
        priority,
        ..(*task.spec).clone()
    };
    let detail = Detail::Task(Box::new(spec));
    Ok(vec![Event::NodeUpdated { detail }])
}

/// What is over is counted no more, and makes room.
fn decide_raise(task: &Task, firing: &str, raise: &Raise, now: Timestamp) -> Result<Vec<Event>, Error> {
    if task.status.is_terminal() {
        let message = format!("nobody works any more on a task that is {}", task.status.name());
        return Err(Error::new(Code::IllegalTransition, message));
    }
    if task.raised.get(firing) == Some(raise) {
        return Ok(Vec::new());
    }
    let over = task.raised.iter().filter(|(_, known)| !known.holds_at(now));
    let over: Vec<&String> = over.map(|(firing, _)| firing).collect();
    let others = task
        .raised
        .keys()
        .filter(|known| *known != firing && !over.contains(known));
    if others.count() >= bounds::RAISES {
        let message = format!(
            "task `{}` is raised by {} firings already",
            task.spec.key,
            bounds::RAISES
        );
        return Err(Error::new(Code::LimitReached, message).hint("wait until one of them is over"));
    }
    let lowered = over.into_iter().filter(|known| *known != firing);
    let lowered = lowered.map(|firing| Event::TaskLowered {
        firing: firing.clone(),
    });
    let raised = Event::TaskRaised {
        firing: firing.to_owned(),
        raise: Box::new(raise.clone()),
    };
    Ok(lowered.chain([raised]).collect())
}

/// Lowering what is not raised succeeds.
fn decide_lower(task: &Task, firing: &str) -> Vec<Event> {
    let known = task.raised.contains_key(firing);
    let lowered = known.then(|| Event::TaskLowered {
        firing: firing.to_owned(),
    });
    lowered.into_iter().collect()
}

fn decide_claim(
    task: &Task,
    agent: NodeId,
    run: Option<RunId>,
    lease: Duration,
    now: Timestamp,
) -> Result<Vec<Event>, Error> {
    check_lease(lease)?;
    if let Some(held) = task.status.claim() {
        return Err(Error::new(
            Code::Held,
            format!(
                "task `{}` is held by another until {}",
                task.spec.key, held.lease_until
            ),
        )
        .hint("claim another one, or wait: a claim can wait for the next task that is ready"));
    }
    let claim = Claim {
        agent,
        run,
        epoch: task.epoch.saturating_add(1),
        lease_until: now.plus(lease),
    };
    Ok(vec![Event::TaskClaimed { claim }])
}

/// Another plan for this task. Who is not the operator may ask for more than before, never for less.
fn amend(
    task: &Task,
    spec: &TaskSpec,
    by: &Principal,
    (before, after, reason): (&Map<String, Value>, &Map<String, Value>, &str),
) -> Result<TaskDecision, Error> {
    let refused = |what: &str| {
        let what = format!("the plan of task `{}` cannot change so: {what}", task.spec.key);
        Error::new(Code::Refused, what)
    };
    if matches!(&task.status, TaskStatus::InReview(review) if review.landing.is_some()) {
        return Err(refused("it is landing").hint("wait a moment: then it is completed, or in review again"));
    }
    if spec.key != task.spec.key {
        return Err(refused("its name is what others know it by"));
    }
    if *by != Principal::Operator {
        let dropped = task.spec.gates.iter().find(|gate| !spec.gates.contains(gate));
        if let Some(gate) = dropped {
            let what = format!("only the operator may take the gate `{gate}` away");
            return Err(refused(&what));
        }
        if spec.approval.is_weaker_than(task.spec.approval) {
            return Err(refused("only the operator may ask for less approval"));
        }
    }
    if task.replanned(spec.clone()).is_none() {
        let what = format!("it is {}", task.status.name());
        return Err(refused(&what).hint("a failed or cancelled task can be tried again first"));
    }
    let events = vec![
        Event::NodeUpdated {
            detail: Detail::Task(Box::new(spec.clone())),
        },
        Event::PlanChanged {
            change: PlanChange::Changed,
            before: before.clone(),
            after: after.clone(),
            reason: reason.to_owned(),
        },
    ];
    Ok(TaskDecision { events, permit: None })
}

/// A landing needs words that count now, not only when they were given.
fn still_approved(task: &Task, now: Timestamp) -> Result<(), Error> {
    let TaskStatus::InReview(review) = &task.status else {
        return Ok(());
    };
    let approval = task.spec.approval;
    let fresh = review.words(approval).filter(|word| word.counts_at(now)).count();
    if fresh >= approval.wanted() {
        return Ok(());
    }
    let what = format!("task `{}` is not approved, or not any more", task.spec.key);
    Err(Error::new(Code::IllegalTransition, what))
}

/// The end of a claim. After an attempt that went wrong the task rests for a while.
fn released(task: &Task, epoch: u64, cause: ReleaseCause, detail: String, now: Timestamp) -> Event {
    let rest = || retry_after(task.attempts, seed(&task.spec.key, epoch));
    Event::TaskReleased {
        epoch,
        cause,
        detail,
        retry_at: cause.needs_rest().then(|| now.plus(rest())),
    }
}

/// From one holder to the next, with nobody between. Only from a holder that the runtime does not
/// run: a run of ours is stopped first (P2).
fn hand_over(
    task: &Task,
    epoch: u64,
    to: NodeId,
    lease: Duration,
    now: Timestamp,
) -> Result<Vec<Event>, Error> {
    fence(task, epoch)?;
    if task.status.claim().is_some_and(|claim| claim.run.is_some()) {
        let what = format!("task `{}` is held by a run, which would go on", task.spec.key);
        return Err(Error::new(Code::Refused, what).hint("stop the run: its task goes to the next by itself"));
    }
    let detail = format!("handed over to {to}");
    let passed_on = released(task, epoch, ReleaseCause::HandedOver, detail, now);
    let claimed = decide_claim(&task.apply(&passed_on)?, to, None, lease, now)?;
    Ok([vec![passed_on], claimed].concat())
}

/// Is this claim held, by nobody that the runtime runs, past its lease? A run of ours does not lapse:
/// it is stopped first (P2).
fn has_lapsed(task: &Task, epoch: u64, now: Timestamp) -> bool {
    let claim = task.status.claim();
    claim.is_some_and(|claim| claim.epoch == epoch && claim.run.is_none() && claim.lease_until <= now)
}

fn check_lease(lease: Duration) -> Result<(), Error> {
    let (least, most) = (bounds::LEASE_LEAST, bounds::LEASE_MOST);
    if (least..=most).contains(&lease) {
        return Ok(());
    }
    let what = format!(
        "a lease is between {} and {} seconds",
        least.as_secs(),
        most.as_secs()
    );
    Err(Error::new(Code::Usage, what).hint("renew it as long as you work"))
}

/// Somebody outside writes only to what they hold themselves: knowing an epoch is not holding it.
fn own_hold(task: &Task, by: &Principal) -> Result<(), Error> {
    let (Principal::Outside { node, name }, Some(claim)) = (by, task.status.claim()) else {
        return Ok(());
    };
    if claim.agent == *node {
        return Ok(());
    }
    Err(Error::new(
        Code::Held,
        format!("task `{}` is held by another, not by {name}", task.spec.key),
    ))
}

/// The holder's first word begins the task: a fast agent speaks before the runtime has noted
/// that its process is there.
fn begun_and(task: &Task, epoch: u64, event: Event) -> Vec<Event> {
    match task.status {
        TaskStatus::Claimed(_) => vec![Event::TaskStarted { epoch }, event],
        _ => vec![event],
    }
}

/// Has the holder of this claim begun, or come further already?
const fn has_begun(task: &Task, epoch: u64) -> bool {
    let since = matches!(
        task.status,
        TaskStatus::InProgress(_)
            | TaskStatus::InReview(_)
            | TaskStatus::Completed { .. }
            | TaskStatus::Blocked { .. }
    );
    task.epoch == epoch && since
}

/// P1: a write must carry the epoch of the claim that is held now.
fn fence(task: &Task, epoch: u64) -> Result<(), Error> {
    match task.status.claim() {
        Some(claim) if claim.epoch == epoch => Ok(()),
        Some(_) => Err(stale(task, epoch)),
        None if epoch < task.epoch || matches!(task.status, TaskStatus::Ready) => Err(stale(task, epoch)),
        None => Err(Error::new(
            Code::IllegalTransition,
            format!(
                "task `{}` is {}; nobody holds it",
                task.spec.key,
                task.status.name()
            ),
        )
        .hint("`worknode task claim` takes one that is ready")),
    }
}

fn stale(task: &Task, epoch: u64) -> Error {
    Error::new(
        Code::StaleEpoch,
        format!(
            "epoch {epoch} of task `{}` is over; the task is {} at epoch {}",
            task.spec.key,
            task.status.name(),
            task.epoch
        ),
    )
    .hint("the claim was released or handed on: stop working on this task")
}

fn already_submitted(task: &Task, epoch: u64, commit: &CommitId) -> bool {
    matches!(&task.status, TaskStatus::InReview(r) if r.submission.epoch == epoch && r.submission.commit == *commit)
}

/// An approval or rejection counts for what was shown, and for nothing that came later.
fn same_submission(task: &Task, commit: &CommitId) -> Result<(), Error> {
    match &task.status {
        TaskStatus::InReview(review) if review.submission.commit == *commit => Ok(()),
        TaskStatus::InReview(review) => Err(Error::new(
            Code::StaleEpoch,
            format!(
                "task `{}` now has submission {} in review, not {}",
                task.spec.key,
                review.submission.commit.short(),
                commit.short()
            ),
        )
        .hint("look at the new submission first")),
        other => Err(Error::new(
            Code::IllegalTransition,
            format!(
                "task `{}` is {}; there is nothing to review",
                task.spec.key,
                other.name()
            ),
        )
        .hint("`worknode task list` shows which tasks are in review")),
    }
}

/// `event` puts the task back to ready; when no attempt is left, it fails in the same breath.
fn with_exhaustion(task: &Task, event: Event, why: &str) -> Result<Vec<Event>, Error> {
    let after = task.apply(&event)?;
    if after.attempts < after.spec.max_attempts {
        return Ok(vec![event]);
    }
    let reason = format!(
        "attempt {} of {} did not succeed: {why}",
        after.attempts, after.spec.max_attempts
    );
    Ok(vec![event, Event::TaskFailed { reason }])
}

fn capped(findings: &[Finding]) -> Vec<Finding> {
    findings.iter().take(bounds::FINDINGS).cloned().collect()
}

/// A decision never contains an event that its own state machine would refuse.
fn check(task: &Task, events: &[Event]) -> Result<(), Error> {
    let mut state = task.clone();
    // What is asked of a task is its Worknode's to change; its state stays.
    let of_state = |event: &&Event| !matches!(event, Event::NodeUpdated { .. });
    for event in events.iter().filter(of_state) {
        state = state.apply(event)?;
    }
    Ok(())
}
