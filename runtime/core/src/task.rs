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

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

mod decide;
mod life;
mod retry;
#[cfg(test)]
mod tests;

pub use decide::{LandPermit, TaskCommand, TaskDecision, decide};
pub use retry::retry_after;

use crate::{
    agent::{Share, Tier},
    error::IllegalTransition,
    event::{Event, Principal},
    git::{CommitId, TreeId},
    ids::{NodeId, RunId},
    raise::Raises,
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
    /// So many different ones of these together, at least two: the operator, people who have a
    /// capability to review, and agents of the validation tier.
    Quorum(
        /// How many.
        #[schemars(range(min = 2, max = 9))]
        u8,
    ),
}

impl Approval {
    /// How many have to agree.
    #[must_use]
    pub const fn wanted(self) -> usize {
        match self {
            Self::None => 0,
            Self::Validation | Self::Operator => 1,
            Self::Quorum(wanted) => wanted as usize,
        }
    }

    /// Does it ask for less than `other` does? What neither covers counts as less.
    #[must_use]
    pub const fn is_weaker_than(self, other: Self) -> bool {
        match (self, other) {
            (_, Self::None) | (Self::Operator, Self::Validation | Self::Operator) => false,
            (Self::Validation | Self::Quorum(_), Self::Validation) => false,
            (Self::Quorum(own), Self::Quorum(wanted)) => own < wanted,
            (Self::None, _)
            | (Self::Validation | Self::Operator, Self::Quorum(_))
            | (Self::Validation | Self::Quorum(_), Self::Operator) => true,
        }
    }
}

/// What was done to a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanChange {
    /// A task came to it.
    Added,
    /// A task is another one than before.
    Changed,
    /// A task is not in it any more.
    Cancelled,
}

/// What a task is, as the plan says it. It changes only with the plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TaskSpec {
    /// The task's name in the plan, unique within its team.
    pub key: String,
    /// One line for people.
    pub title: String,
    /// What to do, for the agent.
    pub prompt: String,
    /// Globs of the files that may change; `!` excludes.
    pub files: Vec<String>,
    /// Globs of the files that may be made; `None` is whatever `files` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_create: Option<Vec<String>>,
    /// Globs of the files that may be deleted.
    pub may_delete: Vec<String>,
    /// Paths that must be there when it is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deliverables: Vec<String>,
    /// Tasks that must be completed first.
    pub depends_on: Vec<NodeId>,
    /// Name or glob of the agents that may take it; `None` is any of the implementation tier.
    pub agent: Option<String>,
    /// Profile of the agents that may take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How long it should take from its first claim until it is completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Duration>,
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
    /// Further limits of its own for each run, where they are tighter than the agent's.
    #[serde(default, skip_serializing_if = "Share::is_nothing")]
    pub limits: Share,
    /// Changed, or added, while the team worked: what the plan's file said before does not count.
    #[serde(default, skip_serializing_if = "is_false")]
    pub amended: bool,
}

impl TaskSpec {
    /// What each run of it may have at most.
    #[must_use]
    pub fn share(&self) -> Share {
        self.limits.and(Share::time(self.max_duration))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// One agent's hold on a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Claim {
    /// Who holds it.
    pub agent: NodeId,
    /// For which run of ours; `None` for a holder who lives elsewhere: somebody outside, a person.
    /// What such a holder does is not ours to stop, so its claim lives by heartbeats alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Which claim of this task it is: the fence that every later write must show.
    pub epoch: u64,
    /// Until when it holds without renewal.
    pub lease_until: Timestamp,
}

/// Work handed in for judgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Submission {
    /// The commit in the agent's clone.
    pub commit: CommitId,
    /// The claim under which it was made.
    pub epoch: u64,
    /// Who made it.
    pub agent: NodeId,
    /// In which run of ours, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}

/// An intent to land that has no outcome yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Landing {
    /// The tree that lands.
    pub tree: TreeId,
    /// The commit that carries it.
    pub commit: CommitId,
    /// The base tip under it.
    pub base: CommitId,
}

/// Somebody's word for a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Approved {
    /// Whose.
    pub by: Principal,
    /// Digest of what they were shown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub shown: String,
    /// Until when it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Approved {
    /// Does it still count?
    #[must_use]
    pub fn counts_at(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// Is it another's word than that? An agent is the same one in each of its runs.
    fn is_of_another(&self, by: &Principal) -> bool {
        match (&self.by, by) {
            (Principal::Agent { node, .. }, Principal::Agent { node: other, .. })
            | (Principal::Outside { node, .. }, Principal::Outside { node: other, .. }) => node != other,
            (own, other) => own != other,
        }
    }
}

/// What is known of a submission so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Review {
    /// What is judged.
    pub submission: Submission,
    /// The latest verdict of each gate.
    pub verdicts: BTreeMap<String, Verdict>,
    /// The candidate that a reviewer was asked to look at.
    pub candidate: Option<CommitId>,
    /// Who approved this submission, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approved>,
    /// Set between intent and outcome of landing.
    pub landing: Option<Landing>,
}

impl Review {
    /// Of a commit that was just handed in under a claim.
    fn of(claim: &Claim, commit: &CommitId) -> Self {
        Self {
            submission: Submission {
                commit: commit.clone(),
                epoch: claim.epoch,
                agent: claim.agent,
                run: claim.run,
            },
            verdicts: BTreeMap::new(),
            candidate: None,
            approvals: Vec::new(),
            landing: None,
        }
    }

    /// Those whose word counts towards `approval`: never the author, and of agents only those of the
    /// validation tier. One word of the operator stands for a validation; that of somebody outside
    /// counts in a quorum. Only people are ever given the capability for such a word.
    pub fn words(&self, approval: Approval) -> impl Iterator<Item = &Approved> {
        self.approvals.iter().filter(move |word| match &word.by {
            Principal::Operator => approval != Approval::None,
            Principal::Agent { node, tier, .. } => {
                matches!(approval, Approval::Validation | Approval::Quorum(_))
                    && *tier == Tier::Validation
                    && *node != self.submission.agent
            }
            Principal::Outside { node, .. } => {
                matches!(approval, Approval::Quorum(_)) && *node != self.submission.agent
            }
            Principal::Runtime | Principal::Trigger { .. } => false,
        })
    }

    /// The agents among those who approved.
    pub fn agents_who_agreed(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.approvals.iter().filter_map(|word| match &word.by {
            Principal::Agent { node, .. } => Some(*node),
            _ => None,
        })
    }

    /// Have as many agreed as `approval` asks for?
    #[must_use]
    pub fn is_approved(&self, approval: Approval) -> bool {
        self.words(approval).count() >= approval.wanted()
    }

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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
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
        /// The tip of the base branch before it: what changed is between the two.
        base: CommitId,
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Progress {
    /// How much is done, 0 to 100.
    pub percent: Option<u8>,
    /// In the agent's words.
    pub message: String,
}

/// Why a claim ended without a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
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
    /// Its provider gave nothing more.
    Provider,
    /// The holder tried, and could not do it.
    GivenUp,
    /// The holder passed it on to somebody else.
    HandedOver,
}

impl ReleaseCause {
    /// The cause's name, as in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GivenBack => "given_back",
            Self::Crashed => "crashed",
            Self::NothingSubmitted => "nothing_submitted",
            Self::Limit => "limit",
            Self::Stopped => "stopped",
            Self::Lapsed => "lapsed",
            Self::NotStarted => "not_started",
            Self::Provider => "provider",
            Self::GivenUp => "given_up",
            Self::HandedOver => "handed_over",
        }
    }

    /// Is it the fault of the work, so that it uses up an attempt? A stop on request is not, nor
    /// a provider that gives nothing more.
    #[must_use]
    pub const fn counts(self) -> bool {
        !matches!(
            self,
            Self::Stopped | Self::NotStarted | Self::Provider | Self::HandedOver
        )
    }

    /// Should the task wait a little before the next attempt? Not when somebody gave it back who
    /// found nothing wrong with it.
    #[must_use]
    pub const fn needs_rest(self) -> bool {
        self.counts() && !matches!(self, Self::GivenBack)
    }
}

/// A task: what it is, and where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Task {
    /// What it is. Shared, because it may be long and does not change while the task lives.
    pub spec: Arc<TaskSpec>,
    /// The highest epoch yet; 0 before the first claim.
    pub epoch: u64,
    /// Attempts used.
    pub attempts: u32,
    /// Objections to the last submission: they go into the next brief.
    pub findings: Vec<Finding>,
    /// The last submission that was rejected: the next attempt starts from it.
    pub last_submission: Option<CommitId>,
    /// Claims under which something outside the plan was handed in.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub strayed: u64,
    /// Agents that lost this task to a crash or a limit: others go first.
    pub lost_by: Vec<NodeId>,
    /// Whose work landed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_by: Option<NodeId>,
    /// What the holder last said.
    pub progress: Option<Progress>,
    /// After an attempt that went wrong: before this instant nobody is given the task. Who asks for
    /// exactly this one gets it all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// What whoever works on it may do beside the usual, each until its instant: by the firing that
    /// gave it.
    #[serde(default, skip_serializing_if = "Raises::is_empty")]
    pub raised: Raises,
    /// Where it stands.
    pub status: TaskStatus,
}

impl Task {
    /// A new task: nothing done yet.
    #[must_use]
    pub fn new(spec: TaskSpec) -> Self {
        Self {
            spec: Arc::new(spec),
            epoch: 0,
            attempts: 0,
            findings: Vec::new(),
            last_submission: None,
            strayed: 0,
            lost_by: Vec::new(),
            done_by: None,
            progress: None,
            retry_at: None,
            raised: Raises::new(),
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
        let mut next = self.clone();
        if next.is_raised_by(event) {
            return Ok(next);
        }
        next.status = match &self.status {
            TaskStatus::Claimed(claim) | TaskStatus::InProgress(claim)
                if claim_written_under(event) == Some(claim.epoch) =>
            {
                next.apply_of_holder(claim, event)?
            }
            TaskStatus::InReview(review) => next.apply_in_review(review.clone(), event)?,
            _ => next.apply_of_others(event)?,
        };
        Ok(next)
    }

    /// Takes note of what whoever works on it may do beside the usual: whatever its state is, unless
    /// it is over.
    fn is_raised_by(&mut self, event: &Event) -> bool {
        match event {
            Event::TaskRaised { firing, raise } if !self.status.is_terminal() => {
                self.raised.insert(firing.clone(), (**raise).clone());
                true
            }
            Event::TaskLowered { firing } => {
                self.raised.remove(firing);
                true
            }
            _ => false,
        }
    }

    /// What no holder writes, before it is handed in.
    fn apply_of_others(&mut self, event: &Event) -> Result<TaskStatus, IllegalTransition> {
        use TaskStatus as S;
        Ok(match (event, &self.status) {
            (Event::TaskReady, S::Pending) => S::Ready,
            (Event::TaskClaimed { claim }, S::Ready) => self.claimed(claim, event)?,
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
                self.attempts = 0;
                self.retry_at = None;
                S::Pending
            }
            _ => return Err(self.unfit(event)),
        })
    }

    fn claimed(&mut self, claim: &Claim, event: &Event) -> Result<TaskStatus, IllegalTransition> {
        if claim.epoch <= self.epoch {
            return Err(self.illegal(event, "the epoch of a new claim must be the highest yet"));
        }
        self.epoch = claim.epoch;
        self.attempts = self.attempts.saturating_add(1);
        self.progress = None;
        self.retry_at = None;
        Ok(TaskStatus::Claimed(claim.clone()))
    }

    /// P1: what its holder writes carries the epoch of exactly this claim.
    fn apply_of_holder(&mut self, claim: &Claim, event: &Event) -> Result<TaskStatus, IllegalTransition> {
        use TaskStatus as S;
        Ok(match (event, &self.status) {
            (Event::TaskStarted { .. }, S::Claimed(_)) => S::InProgress(claim.clone()),
            (Event::ClaimRenewed { lease_until, .. }, _) => self.renewed(claim, *lease_until),
            (Event::TaskReleased { cause, retry_at, .. }, _) => self.released(claim, *cause, *retry_at),
            (Event::TaskProgressed { progress, .. }, S::InProgress(_)) => {
                self.progress = Some(progress.clone());
                self.status.clone()
            }
            (Event::TaskSubmitted { commit, .. }, S::InProgress(_)) => {
                S::InReview(Box::new(Review::of(claim, commit)))
            }
            (Event::TaskBlocked { reason, .. }, S::InProgress(_)) => S::Blocked {
                reason: reason.clone(),
            },
            _ => return Err(self.unfit(event)),
        })
    }

    /// As it is, with a longer lease.
    fn renewed(&self, claim: &Claim, lease_until: Timestamp) -> TaskStatus {
        let claim = Claim {
            lease_until,
            ..claim.clone()
        };
        match self.status {
            TaskStatus::Claimed(_) => TaskStatus::Claimed(claim),
            _ => TaskStatus::InProgress(claim),
        }
    }

    fn released(&mut self, claim: &Claim, cause: ReleaseCause, retry_at: Option<Timestamp>) -> TaskStatus {
        self.retry_at = retry_at;
        if !cause.counts() {
            self.attempts = self.attempts.saturating_sub(1);
        } else if !self.lost_by.contains(&claim.agent) {
            self.lost_by.push(claim.agent);
        }
        TaskStatus::Ready
    }

    /// What was handed in is looked at, or lands.
    fn apply_in_review(
        &mut self,
        mut review: Box<Review>,
        event: &Event,
    ) -> Result<TaskStatus, IllegalTransition> {
        match event {
            // A word may come while it lands, and is for the record then.
            Event::TaskApproved {
                by,
                commit,
                shown,
                until,
                ..
            } if *commit == review.submission.commit => {
                review.approvals.retain(|word| word.is_of_another(by));
                review.approvals.push(Approved {
                    by: by.clone(),
                    shown: shown.clone(),
                    until: *until,
                });
                Ok(TaskStatus::InReview(review))
            }
            Event::TaskCompleted { tree, commit } => self.landed(&review, tree, commit, event),
            Event::LandingAbandoned { .. } if review.landing.is_some() => {
                review.landing = None;
                Ok(TaskStatus::InReview(review))
            }
            event if review.landing.is_none() => self.apply_before_landing(review, event),
            _ => Err(self.unfit(event)),
        }
    }

    /// It is in review, and its landing has not begun.
    fn apply_before_landing(
        &mut self,
        mut review: Box<Review>,
        event: &Event,
    ) -> Result<TaskStatus, IllegalTransition> {
        match event {
            Event::VerdictRecorded { verdict } => {
                review.verdicts.insert(verdict.gate.clone(), verdict.clone());
            }
            Event::ReviewRequested { candidate } => review.candidate = Some(candidate.clone()),
            Event::ApprovalExpired { by } => review.approvals.retain(|word| word.is_of_another(by)),
            Event::TaskRejected { findings, .. } => return Ok(self.rejected(*review, findings)),
            Event::LandingStarted { landing } => {
                self.may_land(&review, &landing.tree)
                    .map_err(|why| self.illegal(event, &why))?;
                review.landing = Some(landing.clone());
            }
            Event::TaskCancelled { reason } => {
                return Ok(TaskStatus::Cancelled {
                    reason: reason.clone(),
                });
            }
            _ => return Err(self.unfit(event)),
        }
        Ok(TaskStatus::InReview(review))
    }

    fn rejected(&mut self, review: Review, findings: &[Finding]) -> TaskStatus {
        self.findings = findings.to_vec();
        if findings.iter().any(Finding::is_outside_plan) {
            self.strayed = self.strayed.saturating_add(1);
        }
        self.last_submission = Some(review.submission.commit);
        TaskStatus::Ready
    }

    fn landed(
        &mut self,
        review: &Review,
        tree: &TreeId,
        commit: &CommitId,
        event: &Event,
    ) -> Result<TaskStatus, IllegalTransition> {
        let intended = |l: &&Landing| l.tree == *tree && l.commit == *commit;
        let Some(landing) = review.landing.as_ref().filter(intended) else {
            return Err(self.illegal(event, "no landing of this tree was begun"));
        };
        self.may_land(review, tree)
            .map_err(|why| self.illegal(event, &why))?;
        self.findings.clear();
        self.done_by = Some(review.submission.agent);
        Ok(TaskStatus::Completed {
            tree: tree.clone(),
            commit: commit.clone(),
            base: landing.base.clone(),
        })
    }

    /// The event does not fit the state.
    fn unfit(&self, event: &Event) -> IllegalTransition {
        let because = match event {
            Event::ClaimRenewed { .. } => "no such claim is held",
            _ => "",
        };
        self.illegal(event, because)
    }

    /// The same task under another plan. `None` when the plan comes too late: the task is over.
    ///
    /// What was judged and approved was judged and approved as work for the plan of then, so it
    /// counts no more; except when it is landing already.
    #[must_use]
    pub fn replanned(&self, spec: TaskSpec) -> Option<Self> {
        if self.status.is_terminal() {
            return None;
        }
        let mut next = Self {
            spec: Arc::new(spec),
            ..self.clone()
        };
        if let TaskStatus::InReview(review) = &mut next.status
            && review.landing.is_none()
        {
            review.verdicts.clear();
            review.approvals.clear();
            review.candidate = None;
        }
        // What it waits for now may not be over.
        if next.status == TaskStatus::Ready && next.spec.depends_on != self.spec.depends_on {
            next.status = TaskStatus::Pending;
        }
        Some(next)
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
        if review.is_approved(self.spec.approval) {
            Ok(())
        } else {
            Err("it has not been approved".to_owned())
        }
    }
}

/// The epoch of the claim that an event was written under, when it is a holder's.
const fn claim_written_under(event: &Event) -> Option<u64> {
    match event {
        Event::TaskStarted { epoch }
        | Event::ClaimRenewed { epoch, .. }
        | Event::TaskProgressed { epoch, .. }
        | Event::TaskSubmitted { epoch, .. }
        | Event::TaskReleased { epoch, .. }
        | Event::TaskBlocked { epoch, .. } => Some(*epoch),
        _ => None,
    }
}
