//! Everything that can have happened.
//!
//! An event is a fact in the past tense. Its type name (`task_claimed`) is what triggers match,
//! what `worknode events` prints and what the journal stores; names and fields are a contract.
//! Its schema version is [`SCHEMA_VERSION`] until a change makes an upcaster necessary.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    agent::Tier,
    body::Link,
    escalation::Escalation,
    firing::Started,
    git::{CommitId, TreeId},
    hlc::Hlc,
    ids::{NodeId, RunId},
    letter::{Letter, LetterOutcome},
    membrane::MembraneSpec,
    message::Message,
    node::{Detail, NodeSpec},
    permission::{Answer, Request},
    raise::Raise,
    run::{Hold, ProcessIdentity, Receipt, RunSpec, StopCause},
    task::{Claim, Landing, PlanChange, Progress, ReleaseCause},
    time::Timestamp,
    trigger::AlarmCause,
    usage::{Stuck, Usage},
    verdict::{Finding, Verdict},
};

/// Version of the event schema that this build writes.
pub const SCHEMA_VERSION: u16 = 1;

/// Version of the data of an event that does not say.
pub(crate) const fn first_version() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
pub(crate) const fn is_first_version(version: &u32) -> bool {
    *version == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Principal {
    /// A person at the socket or with the operator's token.
    Operator,
    /// The runtime itself.
    Runtime,
    /// A trigger of the configuration.
    Trigger {
        /// Its name.
        name: String,
    },
    /// An agent, in one of its runs.
    Agent {
        /// Its Worknode.
        node: NodeId,
        /// Its name.
        name: String,
        /// The run that holds the capability.
        run: RunId,
        /// What it may do at all.
        tier: Tier,
    },
    /// Somebody whom the runtime does not run, in the name of a Worknode.
    Outside {
        /// Its Worknode.
        node: NodeId,
        /// Its name.
        name: String,
    },
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("operator"),
            Self::Runtime => f.write_str("runtime"),
            Self::Trigger { name } => write!(f, "trigger {name}"),
            Self::Agent { name, .. } | Self::Outside { name, .. } => f.write_str(name),
        }
    }
}

/// What a panic blocks, in the order in which it is lifted: first what ends well without anybody
/// new, then who works, then what works by itself.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PanicStage {
    /// Approved work lands.
    Landings,
    /// Runs start.
    Spawns,
    /// Triggers fire.
    Triggers,
}

impl PanicStage {
    /// All of them, in the order in which they are lifted.
    pub const ALL: [Self; 3] = [Self::Landings, Self::Spawns, Self::Triggers];

    /// The stage's name, as in JSON and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Landings => "landings",
            Self::Spawns => "spawns",
            Self::Triggers => "triggers",
        }
    }
}

/// A mistake in the configuration of a daemon that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ConfigMistake {
    /// Where it stands, as in `worknode.toml:12:1`.
    pub place: String,
    /// The file, when it stands in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its line there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The key, as in `trigger[0].cron`; empty when it is about the file as a whole.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl fmt::Display for ConfigMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// One fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "the fields repeat the types' own words; each variant says what happened"
)]
pub enum Event {
    /// A Worknode came to be.
    NodeCreated { node: NodeSpec },
    /// The configuration asks something else of a Worknode that exists.
    NodeUpdated { detail: Detail },
    /// It hangs below another Worknode now.
    NodeMoved { parent: NodeId },
    /// It has another name.
    NodeRenamed { name: String },
    /// It is put away: still there, and left out of lists.
    NodeArchived { reason: String },
    /// It is not put away any more.
    NodeRestored,
    /// Its attributes changed: `null` takes one away.
    AttributesSet {
        attributes: BTreeMap<String, Value>,
        version: u32,
    },
    /// It has this tag.
    Tagged { tag: String },
    /// It has this tag no more, as far as it was given by the events that were seen.
    Untagged { tag: String, seen: Vec<Hlc> },
    /// That one is to see to it.
    Assigned { to: NodeId },
    /// No more, as far as it was assigned by the events that were seen.
    Unassigned { to: NodeId, seen: Vec<Hlc> },
    /// It has something to do with another Worknode.
    Linked { link: Link },
    /// No more, as far as it was linked by the events that were seen.
    Unlinked { link: Link, seen: Vec<Hlc> },
    /// Its membrane is this one now.
    MembraneSet { membrane: Option<Box<MembraneSpec>> },
    /// All that the task depends on is completed.
    TaskReady,
    /// An agent holds the task.
    TaskClaimed { claim: Claim },
    /// The holder's run is alive.
    ClaimRenewed { epoch: u64, lease_until: Timestamp },
    /// The holder began.
    TaskStarted { epoch: u64 },
    /// The holder says how far it is.
    TaskProgressed { epoch: u64, progress: Progress },
    /// The holder handed in a commit; its claim is over.
    TaskSubmitted { epoch: u64, commit: CommitId },
    /// The claim is over without a submission.
    TaskReleased {
        epoch: u64,
        cause: ReleaseCause,
        detail: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Timestamp>,
    },
    /// The holder cannot go on; its claim is over.
    TaskBlocked { epoch: u64, reason: String },
    /// A gate decided on a tree.
    VerdictRecorded { verdict: Verdict },
    /// All gates passed; a reviewer should look.
    ReviewRequested { candidate: CommitId },
    /// A reviewer or the operator agreed.
    TaskApproved {
        by: Principal,
        commit: CommitId,
        note: String,
        /// Digest of what they were shown.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        shown: String,
        /// Until when it counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// An approval was too old to count when it was needed.
    ApprovalExpired { by: Principal },
    /// The submission was refused.
    TaskRejected { by: Principal, findings: Vec<Finding> },
    /// About to put this tree on the base branch.
    LandingStarted { landing: Landing },
    /// It did not land, and nothing was changed.
    LandingAbandoned { reason: String },
    /// The tree is on the base branch.
    TaskCompleted { tree: TreeId, commit: CommitId },
    /// Given up.
    TaskFailed { reason: String },
    /// Not wanted any more.
    TaskCancelled { reason: String },
    /// Something of the runtime itself does not work as it should.
    AlarmRaised { what: String, detail: String },
    /// It does again.
    AlarmEnded { what: String },
    /// To be tried again from the beginning.
    TaskRetried,
    /// Whoever works on it may do more than usual, for a time.
    TaskRaised { firing: String, raise: Box<Raise> },
    /// What a firing gave is over.
    TaskLowered { firing: String },
    /// A run was decided.
    RunQueued { run: RunSpec },
    /// About to fork.
    RunStarting { run: RunId },
    /// The process is there.
    RunStarted { run: RunId, process: ProcessIdentity },
    /// The process is held still.
    RunFrozen {
        run: RunId,
        #[serde(default)]
        hold: Hold,
        #[serde(default)]
        reason: String,
    },
    /// The process goes on.
    RunThawed { run: RunId },
    /// What it has used so far, all in all.
    RunUsed { run: RunId, usage: Usage },
    /// It gets nowhere; without a cause: it goes on again.
    RunStuck { run: RunId, stuck: Option<Stuck> },
    /// Its program asks for a permission that only a person gives.
    PermissionRequested { run: RunId, request: Box<Request> },
    /// Somebody answered, or nobody did in time.
    PermissionAnswered {
        run: RunId,
        request: String,
        answer: Answer,
        by: Principal,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
        /// Digest of what they were shown; empty when nobody was.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        shown: String,
        /// The capability through which they answered; none at the socket of the daemon.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        through: Option<String>,
    },
    /// Its program named the session that it works in.
    RunSession { run: RunId, session: String },
    /// The process is told to end.
    RunStopping { run: RunId, cause: StopCause },
    /// The process is gone.
    RunExited { run: RunId, receipt: Box<Receipt> },
    /// The agent is to start no other run after this one.
    AgentStopRequested { reason: String },
    /// The agent may start again then.
    AgentRestarting { until: Timestamp, restarts: usize },
    /// The agent's backoff is over.
    AgentReady,
    /// The agent ended too often.
    AgentQuarantined { reason: String },
    /// The agent starts no run until it is resumed.
    AgentStopped { reason: String },
    /// The agent may start again.
    AgentResumed,
    /// A trigger's occurrence is due; it will be acted on once. `by` is who fired it by hand.
    TriggerFired {
        trigger: String,
        occurrence: String,
        due: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Box<Principal>>,
    },
    /// An attempt failed; the next one comes then.
    TriggerAttempted {
        trigger: String,
        occurrence: String,
        attempt: u32,
        failure: String,
        retry_at: Timestamp,
    },
    /// What came of it, and what was started that now goes on by itself.
    TriggerActed {
        trigger: String,
        occurrence: String,
        outcome: String,
        #[serde(default, skip_serializing_if = "is_false")]
        failed: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        started: Option<Started>,
    },
    /// What it started is over.
    TriggerEnded {
        trigger: String,
        occurrence: String,
        outcome: String,
        #[serde(default, skip_serializing_if = "is_false")]
        failed: bool,
    },
    /// An occurrence that was not acted on.
    TriggerSkipped {
        trigger: String,
        occurrence: String,
        due: Timestamp,
        reason: String,
    },
    /// So many occurrences up to then were not acted on, and are not listed one by one.
    TriggerPassed {
        trigger: String,
        until: Timestamp,
        count: u64,
        reason: String,
    },
    /// From here on, these triggers are watched: they owe nothing from before.
    TriggersWatched {
        triggers: Vec<String>,
        /// What each of them says, as a digest: by it the next daemon knows one that is another.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        digests: Vec<u64>,
    },
    /// These are not in the configuration any more.
    TriggersDropped { triggers: Vec<String> },
    /// The trigger does not act until it is resumed.
    TriggerPaused { trigger: String },
    /// It acts again, on what comes. So many occurrences were passed over meanwhile.
    TriggerResumed { trigger: String, passed: u64 },
    /// Something is wrong with the trigger, or is not any more.
    TriggerAlarm {
        trigger: String,
        cause: AlarmCause,
        detail: String,
        #[serde(default, skip_serializing_if = "is_false")]
        over: bool,
    },
    /// Somebody was told something.
    Notified { to: String, message: String },
    /// An event of the user's own.
    Emitted {
        name: String,
        /// Version of the form of the data.
        #[serde(default = "first_version", skip_serializing_if = "is_first_version")]
        version: u32,
        #[serde(default)]
        data: Map<String, Value>,
    },
    /// An event was refused, and is kept until somebody has looked at it.
    DeadLettered { reason: String, original: Box<Letter> },
    /// It is kept no longer.
    DeadLetterSettled { letter: Hlc, outcome: LetterOutcome },
    /// Somebody said something to it.
    MessageSent { message: Box<Message> },
    /// It was heard.
    MessageAcked { message: Hlc },
    /// The base branch was moved by somebody else.
    BaseMoved { from: CommitId, to: CommitId },
    /// The plan's tasks are in the tree.
    PlanLoaded { digest: String, tasks: usize },
    /// Somebody changed what the plan asks of this task. What is the same before and after is left
    /// out; what is long is told by its digest.
    PlanChanged {
        change: PlanChange,
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        before: Map<String, Value>,
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        after: Map<String, Value>,
        reason: String,
    },
    /// The work is further from the plan than it may be, or was and is not any more.
    PlanDeviated {
        /// Per mille, of the task, phase or team whose event this is.
        deviation: u32,
        /// Per mille.
        threshold: u32,
        /// What it is made of: names and per mille.
        parts: BTreeMap<String, u32>,
    },
    /// Somebody tried what a rule forbids.
    RuleViolated {
        /// Whose work or word it was.
        who: String,
        /// What they tried.
        what: String,
        /// Which rule forbids it.
        rule: String,
        /// Under which claim, when it was in the work handed in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<u64>,
    },
    /// Something that nobody has settled goes one step up.
    Escalated { step: Escalation },
    /// It is settled.
    EscalationSettled { topic: String, reason: String },
    /// No task of the plan can go on by itself.
    PlanFinished {
        completed: usize,
        failed: usize,
        open: usize,
    },
    /// The agents on these credentials pause: their provider gives nothing more until then.
    PoolPaused {
        pool: String,
        until: Timestamp,
        reason: String,
    },
    /// They go on.
    PoolResumed { pool: String },
    /// Everything is stopped, and nothing starts, fires or lands until that is lifted.
    Panicked { reason: String },
    /// This stage may go on again.
    PanicLifted { stage: PanicStage },
    /// A daemon took charge of the store.
    DaemonStarted { version: String, pid: u32 },
    /// It let go of it in good order.
    DaemonStopped { reason: String },
    /// What changed in the configuration is in force now; what a daemon only takes up at its start
    /// is named in `restart`.
    ConfigReloaded {
        added: Vec<String>,
        changed: Vec<String>,
        removed: Vec<String>,
        /// What else of it is in force.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        taken_up: Vec<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        restart: Vec<String>,
    },
    /// The configuration that was read anew has mistakes; `kept` says what goes on as it was.
    ConfigRejected {
        mistakes: Vec<ConfigMistake>,
        more: usize,
        kept: Vec<String>,
    },
    /// What was stored beside this is what a request with an idempotency key asked for. `key` and
    /// `asked` are digests: of who asked where with which key, and of what.
    RequestDone { key: String, asked: String },
}

impl Event {
    /// The type's name, as stored.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::NodeCreated { .. } => "node_created",
            Self::NodeUpdated { .. } => "node_updated",
            Self::NodeMoved { .. } => "node_moved",
            Self::NodeRenamed { .. } => "node_renamed",
            Self::NodeArchived { .. } => "node_archived",
            Self::NodeRestored => "node_restored",
            Self::AttributesSet { .. } => "attributes_set",
            Self::Tagged { .. } => "tagged",
            Self::Untagged { .. } => "untagged",
            Self::Assigned { .. } => "assigned",
            Self::Unassigned { .. } => "unassigned",
            Self::Linked { .. } => "linked",
            Self::Unlinked { .. } => "unlinked",
            Self::MembraneSet { .. } => "membrane_set",
            Self::TaskReady => "task_ready",
            Self::TaskClaimed { .. } => "task_claimed",
            Self::ClaimRenewed { .. } => "claim_renewed",
            Self::TaskStarted { .. } => "task_started",
            Self::TaskProgressed { .. } => "task_progressed",
            Self::TaskSubmitted { .. } => "task_submitted",
            Self::TaskReleased { .. } => "task_released",
            Self::TaskBlocked { .. } => "task_blocked",
            Self::VerdictRecorded { .. } => "verdict_recorded",
            Self::ReviewRequested { .. } => "review_requested",
            Self::TaskApproved { .. } => "task_approved",
            Self::ApprovalExpired { .. } => "approval_expired",
            Self::TaskRejected { .. } => "task_rejected",
            Self::LandingStarted { .. } => "landing_started",
            Self::LandingAbandoned { .. } => "landing_abandoned",
            Self::TaskCompleted { .. } => "task_completed",
            Self::TaskFailed { .. } => "task_failed",
            Self::TaskCancelled { .. } => "task_cancelled",
            Self::AlarmRaised { .. } => "alarm_raised",
            Self::AlarmEnded { .. } => "alarm_ended",
            Self::TaskRetried => "task_retried",
            Self::TaskRaised { .. } => "task_raised",
            Self::TaskLowered { .. } => "task_lowered",
            Self::RunQueued { .. } => "run_queued",
            Self::RunStarting { .. } => "run_starting",
            Self::RunStarted { .. } => "run_started",
            Self::RunFrozen { .. } => "run_frozen",
            Self::RunThawed { .. } => "run_thawed",
            Self::RunUsed { .. } => "run_used",
            Self::RunStuck { .. } => "run_stuck",
            Self::RunSession { .. } => "run_session",
            Self::PermissionRequested { .. } => "permission_requested",
            Self::PermissionAnswered { .. } => "permission_answered",
            Self::RunStopping { .. } => "run_stopping",
            Self::RunExited { .. } => "run_exited",
            Self::AgentStopRequested { .. } => "agent_stop_requested",
            Self::AgentRestarting { .. } => "agent_restarting",
            Self::AgentReady => "agent_ready",
            Self::AgentQuarantined { .. } => "agent_quarantined",
            Self::AgentStopped { .. } => "agent_stopped",
            Self::AgentResumed => "agent_resumed",
            Self::TriggerFired { .. } => "trigger_fired",
            Self::TriggerAttempted { .. } => "trigger_attempted",
            Self::TriggerActed { .. } => "trigger_acted",
            Self::TriggerEnded { .. } => "trigger_ended",
            Self::TriggerSkipped { .. } => "trigger_skipped",
            Self::TriggerPassed { .. } => "trigger_passed",
            Self::TriggersWatched { .. } => "triggers_watched",
            Self::TriggersDropped { .. } => "triggers_dropped",
            Self::TriggerPaused { .. } => "trigger_paused",
            Self::TriggerResumed { .. } => "trigger_resumed",
            Self::TriggerAlarm { .. } => "trigger_alarm",
            Self::Notified { .. } => "notified",
            Self::Emitted { .. } => "emitted",
            Self::DeadLettered { .. } => "dead_lettered",
            Self::DeadLetterSettled { .. } => "dead_letter_settled",
            Self::MessageSent { .. } => "message_sent",
            Self::MessageAcked { .. } => "message_acked",
            Self::BaseMoved { .. } => "base_moved",
            Self::PlanLoaded { .. } => "plan_loaded",
            Self::PlanChanged { .. } => "plan_changed",
            Self::PlanDeviated { .. } => "plan_deviated",
            Self::RuleViolated { .. } => "rule_violated",
            Self::Escalated { .. } => "escalated",
            Self::EscalationSettled { .. } => "escalation_settled",
            Self::PlanFinished { .. } => "plan_finished",
            Self::PoolPaused { .. } => "pool_paused",
            Self::PoolResumed { .. } => "pool_resumed",
            Self::Panicked { .. } => "panicked",
            Self::PanicLifted { .. } => "panic_lifted",
            Self::DaemonStarted { .. } => "daemon_started",
            Self::DaemonStopped { .. } => "daemon_stopped",
            Self::ConfigReloaded { .. } => "config_reloaded",
            Self::ConfigRejected { .. } => "config_rejected",
            Self::RequestDone { .. } => "request_done",
        }
    }

    /// What triggers and filters match: the type's name, or for the user's own events theirs.
    #[must_use]
    pub fn topic(&self) -> &str {
        match self {
            Self::Emitted { name, .. } => name,
            other => other.type_name(),
        }
    }

    /// The run that the event changes, when it changes one.
    #[must_use]
    pub const fn run(&self) -> Option<RunId> {
        match self {
            Self::RunQueued { run } => Some(run.id),
            Self::RunStarting { run }
            | Self::RunStarted { run, .. }
            | Self::RunFrozen { run, .. }
            | Self::RunThawed { run }
            | Self::RunUsed { run, .. }
            | Self::RunStuck { run, .. }
            | Self::RunSession { run, .. }
            | Self::PermissionRequested { run, .. }
            | Self::PermissionAnswered { run, .. }
            | Self::RunStopping { run, .. }
            | Self::RunExited { run, .. } => Some(*run),
            _ => None,
        }
    }

    /// Does the event change what its Worknode carries, whatever its kind?
    #[must_use]
    pub const fn changes_body(&self) -> bool {
        matches!(
            self,
            Self::NodeArchived { .. }
                | Self::NodeRestored
                | Self::AttributesSet { .. }
                | Self::Tagged { .. }
                | Self::Untagged { .. }
                | Self::Assigned { .. }
                | Self::Unassigned { .. }
                | Self::Linked { .. }
                | Self::Unlinked { .. }
                | Self::MembraneSet { .. }
                | Self::DeadLettered { .. }
                | Self::DeadLetterSettled { .. }
                | Self::MessageSent { .. }
                | Self::MessageAcked { .. }
        )
    }

    /// Is the event possible only in a tree of a certain shape, so that nothing else may change it
    /// in the same breath?
    #[must_use]
    pub const fn looks_at_tree(&self) -> bool {
        matches!(
            self,
            Self::NodeMoved { .. } | Self::NodeRenamed { .. } | Self::Linked { .. }
        )
    }

    /// Does the event change the state of its Worknode? The others are only remembered.
    #[must_use]
    pub const fn changes_node(&self) -> bool {
        !matches!(
            self,
            Self::AlarmRaised { .. }
                | Self::AlarmEnded { .. }
                | Self::TriggerFired { .. }
                | Self::TriggerAttempted { .. }
                | Self::TriggerActed { .. }
                | Self::TriggerEnded { .. }
                | Self::TriggerSkipped { .. }
                | Self::TriggerPassed { .. }
                | Self::TriggersWatched { .. }
                | Self::TriggersDropped { .. }
                | Self::TriggerPaused { .. }
                | Self::TriggerResumed { .. }
                | Self::TriggerAlarm { .. }
                | Self::Notified { .. }
                | Self::Emitted { .. }
                | Self::BaseMoved { .. }
                | Self::PlanLoaded { .. }
                | Self::PlanChanged { .. }
                | Self::PlanDeviated { .. }
                | Self::RuleViolated { .. }
                | Self::Escalated { .. }
                | Self::EscalationSettled { .. }
                | Self::PlanFinished { .. }
                | Self::PoolPaused { .. }
                | Self::PoolResumed { .. }
                | Self::Panicked { .. }
                | Self::PanicLifted { .. }
                | Self::DaemonStarted { .. }
                | Self::DaemonStopped { .. }
                | Self::ConfigReloaded { .. }
                | Self::ConfigRejected { .. }
                | Self::RequestDone { .. }
        )
    }
}

/// An event that has been decided and not yet stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Whose event.
    pub node: NodeId,
    /// Who did it.
    pub by: Principal,
    /// The event that led to it.
    pub cause: Option<Hlc>,
    /// What happened.
    pub event: Event,
}

/// An event as the journal holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Record {
    /// Its place in the order of everything, and its identity.
    pub at: Hlc,
    /// Whose event.
    pub node: NodeId,
    /// Who did it.
    pub by: Principal,
    /// The event that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Hlc>,
    /// Version of the event's schema.
    pub version: u16,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}
