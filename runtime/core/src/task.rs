//! The task state machine.
//!
//! ```text
//! pending → ready → claimed → in_progress → in_review → completed
//!             ↑________↓___________↓____________↓          (released, lapsed, rejected)
//! and blocked, failed, cancelled
//! ```
//!
//! Two promises are kept here by construction, and so hold on every path that can write an
//! event: **P1** (a claim's epoch is always the highest yet, and later writes carry it) and
//! **P3** ([`Task::apply`] refuses `task_completed` without a passing verdict of every required
//! gate on exactly the tree that landed).

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    bounds,
    error::{Code, Error},
    event::{Event, Principal},
    git::{CommitId, TreeId},
    ids::{NodeId, RunId},
    time::Timestamp,
    verdict::{Finding, Outcome, Verdict},
};

/// Who must agree, beside the gates, before work counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// The gates alone decide.
    None,
    /// An agent of the validation tier.
    #[default]
    Validation,
    /// A person.
    Operator,
}

/// What a task is, as the plan says it. Does not change while the task lives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// The task's name in the plan, unique within its team.
    pub key: String,
    /// One line for people.
    pub title: String,
    /// What to do, for the agent.
    pub prompt: String,
    /// Globs of the files that may change; `!` excludes.
    pub files: Vec<String>,
    /// Globs of the files that may be deleted.
    pub may_delete: Vec<String>,
    /// Tasks that must be completed first.
    pub depends_on: Vec<NodeId>,
    /// Name or glob of the agents that may take it; `None` is any of the implementation tier.
    pub agent: Option<String>,
    /// When it should be completed.
    pub deadline: Option<Timestamp>,
    /// Gates that must pass on the tree that lands.
    pub gates: Vec<String>,
    /// Who must agree beside them.
    pub approval: Approval,
    /// How many claims it gets before it fails.
    pub max_attempts: u32,
    /// Higher goes first.
    pub priority: i32,
    /// A time limit of its own for each run, shorter than the agent's.
    pub max_duration: Option<Duration>,
}

/// One agent's hold on a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Who holds it.
    pub agent: NodeId,
    /// For which run.
    pub run: RunId,
    /// Which claim of this task it is: the fence that every later write must show.
    pub epoch: u64,
    /// Until when it holds without renewal.
    pub lease_until: Timestamp,
}

/// Work handed in for judgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// The commit in the agent's clone.
    pub commit: CommitId,
    /// The claim under which it was made.
    pub epoch: u64,
    /// Who made it.
    pub agent: NodeId,
    /// In which run.
    pub run: RunId,
}

/// An intent to land that has no outcome yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landing {
    /// The tree that lands.
    pub tree: TreeId,
    /// The commit that carries it.
    pub commit: CommitId,
    /// The base tip under it.
    pub base: CommitId,
}

/// What is known of a submission so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Review {
    /// What is judged.
    pub submission: Submission,
    /// The latest verdict of each gate.
    pub verdicts: BTreeMap<String, Verdict>,
    /// Whether a reviewer has been asked for.
    pub review_requested: bool,
    /// Who approved this submission.
    pub approved_by: Option<Principal>,
    /// Set between intent and outcome of landing.
    pub landing: Option<Landing>,
}

impl Review {
    /// The required gates that have no passing verdict on `tree`.
    #[must_use]
    pub fn missing_gates<'a>(&self, required: &'a [String], tree: &TreeId) -> Vec<&'a str> {
        let passed = |gate: &str| {
            self.verdicts
                .get(gate)
                .is_some_and(|v| v.tree == *tree && v.outcome == Outcome::Passed)
        };
        required
            .iter()
            .map(String::as_str)
            .filter(|gate| !passed(gate))
            .collect()
    }
}

/// Where a task stands, with what belongs to that state and to no other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum TaskStatus {
    /// Waits for its dependencies.
    Pending,
    /// Can be claimed.
    Ready,
    /// Held, not begun.
    Claimed(Claim),
    /// Held and worked on.
    InProgress(Claim),
    /// Handed in.
    InReview(Box<Review>),
    /// Landed.
    Completed {
        /// The tree that landed.
        tree: TreeId,
        /// The commit on the base branch.
        commit: CommitId,
    },
    /// Cannot go on without help.
    Blocked {
        /// What is missing.
        reason: String,
    },
    /// Given up.
    Failed {
        /// Why.
        reason: String,
    },
    /// Not wanted any more.
    Cancelled {
        /// Why.
        reason: String,
    },
}

impl TaskStatus {
    /// The state's name, as in JSON and on screen.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Claimed(_) => "claimed",
            Self::InProgress(_) => "in_progress",
            Self::InReview(_) => "in_review",
            Self::Completed { .. } => "completed",
            Self::Blocked { .. } => "blocked",
            Self::Failed { .. } => "failed",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// Nothing more happens by itself.
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::Completed { .. } | Self::Failed { .. } | Self::Cancelled { .. }
        )
    }

    /// The hold on the task, while there is one.
    #[must_use]
    pub const fn claim(&self) -> Option<&Claim> {
        match self {
            Self::Claimed(claim) | Self::InProgress(claim) => Some(claim),
            _ => None,
        }
    }
}

/// What its holder last said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// How much is done, 0 to 100.
    pub percent: Option<u8>,
    /// In the agent's words.
    pub message: String,
}

/// Why a claim ended without a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseCause {
    /// The agent gave it back.
    GivenBack,
    /// Its process ended abnormally.
    Crashed,
    /// Its process ended well but left nothing to judge.
    NothingSubmitted,
    /// Its process was stopped at a limit.
    Limit,
    /// Its process was stopped on request, or the daemon shut down.
    Stopped,
    /// The lease ran out.
    Lapsed,
    /// The process could not be started.
    NotStarted,
}

impl ReleaseCause {
    /// Is it the fault of the work, so that it uses up an attempt? A stop on request is not.
    #[must_use]
    pub const fn counts(self) -> bool {
        !matches!(self, Self::Stopped | Self::NotStarted)
    }
}

/// A task: what it is, and where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// What it is.
    pub spec: TaskSpec,
    /// The highest epoch yet; 0 before the first claim.
    pub epoch: u64,
    /// Attempts used.
    pub attempts: u32,
    /// Objections to the last submission: they go into the next brief.
    pub findings: Vec<Finding>,
    /// The last submission that was rejected: the next attempt starts from it.
    pub last_submission: Option<CommitId>,
    /// Agents that lost this task to a crash or a limit: others go first.
    pub lost_by: Vec<NodeId>,
    /// What the holder last said.
    pub progress: Option<Progress>,
    /// Where it stands.
    pub status: TaskStatus,
}

/// The event does not fit the state: a defect, or a write that came too late.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{event}` is not possible while {subject} is {state}{because}")]
pub struct IllegalTransition {
    /// The event's type.
    pub event: &'static str,
    /// Which thing.
    pub subject: String,
    /// The state it is in.
    pub state: &'static str,
    /// More, when the state alone does not explain it; begins with `: `.
    pub because: String,
}

impl From<IllegalTransition> for Error {
    fn from(illegal: IllegalTransition) -> Self {
        Self::new(Code::IllegalTransition, illegal.to_string())
    }
}

impl Task {
    /// A new task: nothing done yet.
    #[must_use]
    pub const fn new(spec: TaskSpec) -> Self {
        Self {
            spec,
            epoch: 0,
            attempts: 0,
            findings: Vec::new(),
            last_submission: None,
            lost_by: Vec::new(),
            progress: None,
            status: TaskStatus::Pending,
        }
    }

    fn illegal(&self, event: &Event, because: &str) -> IllegalTransition {
        IllegalTransition {
            event: event.type_name(),
            subject: format!("task `{}`", self.spec.key),
            state: self.status.name(),
            because: if because.is_empty() {
                String::new()
            } else {
                format!(": {because}")
            },
        }
    }

    /// The task after `event`. The only way a task changes, in life and in recovery.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the event does not fit the state.
    pub fn apply(&self, event: &Event) -> Result<Self, IllegalTransition> {
        use TaskStatus as S;
        let mut next = self.clone();
        next.status = match (event, &self.status) {
            (Event::TaskReady, S::Pending) => S::Ready,
            (Event::TaskClaimed { claim }, S::Ready) => {
                if claim.epoch <= self.epoch {
                    return Err(self.illegal(event, "the epoch of a new claim must be the highest yet"));
                }
                next.epoch = claim.epoch;
                next.attempts = self.attempts.saturating_add(1);
                next.progress = None;
                S::Claimed(claim.clone())
            }
            (Event::TaskStarted { epoch }, S::Claimed(claim)) if claim.epoch == *epoch => {
                S::InProgress(claim.clone())
            }
            (Event::ClaimRenewed { epoch, lease_until }, status) => match status {
                S::Claimed(claim) if claim.epoch == *epoch => S::Claimed(Claim {
                    lease_until: *lease_until,
                    ..claim.clone()
                }),
                S::InProgress(claim) if claim.epoch == *epoch => S::InProgress(Claim {
                    lease_until: *lease_until,
                    ..claim.clone()
                }),
                _ => return Err(self.illegal(event, "no such claim is held")),
            },
            (Event::TaskProgressed { epoch, progress }, S::InProgress(claim)) if claim.epoch == *epoch => {
                next.progress = Some(progress.clone());
                self.status.clone()
            }
            (Event::TaskSubmitted { epoch, commit }, S::InProgress(claim)) if claim.epoch == *epoch => {
                S::InReview(Box::new(Review {
                    submission: Submission {
                        commit: commit.clone(),
                        epoch: *epoch,
                        agent: claim.agent,
                        run: claim.run,
                    },
                    verdicts: BTreeMap::new(),
                    review_requested: false,
                    approved_by: None,
                    landing: None,
                }))
            }
            (Event::TaskReleased { epoch, cause, .. }, S::Claimed(claim) | S::InProgress(claim))
                if claim.epoch == *epoch =>
            {
                if cause.counts() {
                    if !next.lost_by.contains(&claim.agent) {
                        next.lost_by.push(claim.agent);
                    }
                } else {
                    next.attempts = self.attempts.saturating_sub(1);
                }
                S::Ready
            }
            (Event::TaskBlocked { reason, epoch }, S::InProgress(claim)) if claim.epoch == *epoch => {
                S::Blocked {
                    reason: reason.clone(),
                }
            }
            (_, S::InReview(review)) => return self.apply_in_review(next, review, event),
            (Event::TaskFailed { reason }, S::Ready | S::Pending | S::Blocked { .. }) => S::Failed {
                reason: reason.clone(),
            },
            (
                Event::TaskCancelled { reason },
                S::Pending | S::Ready | S::Claimed(_) | S::InProgress(_) | S::Blocked { .. },
            ) => S::Cancelled {
                reason: reason.clone(),
            },
            (Event::TaskRetried, S::Failed { .. } | S::Cancelled { .. } | S::Blocked { .. }) => {
                next.attempts = 0;
                S::Pending
            }
            _ => return Err(self.illegal(event, "")),
        };
        Ok(next)
    }

    fn apply_in_review(
        &self,
        mut next: Self,
        review: &Review,
        event: &Event,
    ) -> Result<Self, IllegalTransition> {
        let mut review = Box::new(review.clone());
        next.status = match event {
            Event::VerdictRecorded { verdict } if review.landing.is_none() => {
                review.verdicts.insert(verdict.gate.clone(), verdict.clone());
                TaskStatus::InReview(review)
            }
            Event::ReviewRequested { .. } if review.landing.is_none() => {
                review.review_requested = true;
                TaskStatus::InReview(review)
            }
            Event::TaskApproved { by, commit, .. } if *commit == review.submission.commit => {
                review.approved_by = Some(by.clone());
                TaskStatus::InReview(review)
            }
            Event::TaskRejected { findings, .. } if review.landing.is_none() => {
                next.findings.clone_from(findings);
                next.last_submission = Some(review.submission.commit);
                TaskStatus::Ready
            }
            Event::LandingStarted { landing } if review.landing.is_none() => {
                self.may_land(&review, &landing.tree)
                    .map_err(|why| self.illegal(event, &why))?;
                review.landing = Some(landing.clone());
                TaskStatus::InReview(review)
            }
            Event::LandingAbandoned { .. } if review.landing.is_some() => {
                review.landing = None;
                TaskStatus::InReview(review)
            }
            Event::TaskCompleted { tree, commit } => {
                let intended = review
                    .landing
                    .as_ref()
                    .is_some_and(|l| l.tree == *tree && l.commit == *commit);
                if !intended {
                    return Err(self.illegal(event, "no landing of this tree was begun"));
                }
                self.may_land(&review, tree)
                    .map_err(|why| self.illegal(event, &why))?;
                next.findings.clear();
                TaskStatus::Completed {
                    tree: tree.clone(),
                    commit: commit.clone(),
                }
            }
            Event::TaskCancelled { reason } if review.landing.is_none() => TaskStatus::Cancelled {
                reason: reason.clone(),
            },
            _ => return Err(self.illegal(event, "")),
        };
        Ok(next)
    }

    /// P3 in one place: may exactly this tree count as this task's work?
    fn may_land(&self, review: &Review, tree: &TreeId) -> Result<(), String> {
        let missing = review.missing_gates(&self.spec.gates, tree);
        if !missing.is_empty() {
            return Err(format!(
                "no passing verdict on tree {} of: {}",
                tree.short(),
                missing.join(", ")
            ));
        }
        let approved = match (self.spec.approval, &review.approved_by) {
            (Approval::None, _)
            | (_, Some(Principal::Operator))
            | (Approval::Validation, Some(Principal::Agent { .. })) => true,
            (Approval::Validation | Approval::Operator, _) => false,
        };
        if approved {
            Ok(())
        } else {
            Err("it has not been approved".to_owned())
        }
    }
}

/// What can be asked of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum TaskCommand {
    /// Its dependencies are completed.
    MarkReady,
    /// Give it to an agent for one run.
    Claim {
        /// Who.
        agent: NodeId,
        /// For which run.
        run: RunId,
        /// For how long without renewal.
        lease: Duration,
    },
    /// The run is alive and has its brief.
    Start {
        /// The claim.
        epoch: u64,
    },
    /// The run is still alive.
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
    let events = match command {
        TaskCommand::MarkReady => vec![Event::TaskReady],
        TaskCommand::Claim { agent, run, lease } => decide_claim(task, *agent, *run, *lease, now)?,
        TaskCommand::Start { epoch } => {
            fence(task, *epoch)?;
            vec![Event::TaskStarted { epoch: *epoch }]
        }
        TaskCommand::Renew { epoch, lease } => {
            fence(task, *epoch)?;
            vec![Event::ClaimRenewed {
                epoch: *epoch,
                lease_until: now.plus(*lease),
            }]
        }
        TaskCommand::Progress { epoch, progress } => {
            fence(task, *epoch)?;
            let percent = progress.percent.map(|p| p.min(100));
            let progress = Progress {
                percent,
                message: progress.message.clone(),
            };
            vec![Event::TaskProgressed {
                epoch: *epoch,
                progress,
            }]
        }
        TaskCommand::Submit { epoch, commit } => {
            if already_submitted(task, *epoch, commit) {
                return Ok(TaskDecision::default());
            }
            fence(task, *epoch)?;
            vec![Event::TaskSubmitted {
                epoch: *epoch,
                commit: commit.clone(),
            }]
        }
        TaskCommand::Release { epoch, cause, detail } => {
            fence(task, *epoch)?;
            let released = Event::TaskReleased {
                epoch: *epoch,
                cause: *cause,
                detail: detail.clone(),
            };
            with_exhaustion(task, released, detail)?
        }
        TaskCommand::Block { epoch, reason } => {
            fence(task, *epoch)?;
            vec![Event::TaskBlocked {
                epoch: *epoch,
                reason: reason.clone(),
            }]
        }
        TaskCommand::RecordVerdict { verdict } => vec![Event::VerdictRecorded {
            verdict: verdict.clone(),
        }],
        TaskCommand::RequestReview { candidate } => {
            vec![Event::ReviewRequested {
                candidate: candidate.clone(),
            }]
        }
        TaskCommand::Approve { commit, note } => {
            same_submission(task, commit)?;
            vec![Event::TaskApproved {
                by: by.clone(),
                commit: commit.clone(),
                note: note.clone(),
            }]
        }
        TaskCommand::Reject { commit, findings } => {
            same_submission(task, commit)?;
            let summary = findings
                .first()
                .map_or_else(|| "rejected".to_owned(), |f| f.message.clone());
            let rejected = Event::TaskRejected {
                by: by.clone(),
                findings: capped(findings),
            };
            with_exhaustion(task, rejected, &summary)?
        }
        TaskCommand::BeginLanding { landing } => {
            let events = vec![Event::LandingStarted {
                landing: landing.clone(),
            }];
            check(task, &events)?;
            return Ok(TaskDecision {
                events,
                permit: Some(LandPermit {
                    landing: landing.clone(),
                }),
            });
        }
        TaskCommand::AbandonLanding { reason } => vec![Event::LandingAbandoned {
            reason: reason.clone(),
        }],
        TaskCommand::Complete { tree, commit } => {
            vec![Event::TaskCompleted {
                tree: tree.clone(),
                commit: commit.clone(),
            }]
        }
        TaskCommand::Fail { reason } => vec![Event::TaskFailed {
            reason: reason.clone(),
        }],
        TaskCommand::Cancel { reason } => {
            if matches!(task.status, TaskStatus::Cancelled { .. }) {
                return Ok(TaskDecision::default());
            }
            vec![Event::TaskCancelled {
                reason: reason.clone(),
            }]
        }
        TaskCommand::Retry => vec![Event::TaskRetried],
    };
    check(task, &events)?;
    Ok(TaskDecision { events, permit: None })
}

fn decide_claim(
    task: &Task,
    agent: NodeId,
    run: RunId,
    lease: Duration,
    now: Timestamp,
) -> Result<Vec<Event>, Error> {
    if let Some(held) = task.status.claim() {
        return Err(Error::new(
            Code::Held,
            format!(
                "task `{}` is held by another run until {}",
                task.spec.key, held.lease_until
            ),
        ));
    }
    let claim = Claim {
        agent,
        run,
        epoch: task.epoch.saturating_add(1),
        lease_until: now.plus(lease),
    };
    Ok(vec![Event::TaskClaimed { claim }])
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
        )),
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
        )),
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
    for event in events {
        state = state.apply(event)?;
    }
    Ok(())
}
