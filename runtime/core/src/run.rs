//! The run state machine: one life of one agent process.
//!
//! ```text
//! queued → starting → running ⇄ frozen → stopping → exited
//! ```
//!
//! The process identity lives inside the states that have a process, so no other state can
//! be asked for a pid.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    error::IllegalTransition,
    event::{Event, Principal},
    git::CommitId,
    ids::{NodeId, RunId},
    permission::Permissions,
    raise::Raise,
    time::Timestamp,
    usage::{Stuck, Usage, Usd},
};

/// Which process this is, on this machine, since this boot. A pid alone is reused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ProcessIdentity {
    /// Process id; also the id of its process group.
    pub pid: u32,
    /// Start time in clock ticks since boot (field 22 of `/proc/PID/stat`, proc(5)).
    pub start_time: u64,
    /// The kernel's boot id: a pid means nothing after a reboot.
    pub boot_id: String,
}

/// What a run is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "purpose", rename_all = "snake_case")]
pub enum Purpose {
    /// Work on a task under a claim.
    Work {
        /// The task.
        task: NodeId,
        /// The claim.
        epoch: u64,
    },
    /// Look at the submission of a task.
    Review {
        /// The task.
        task: NodeId,
    },
    /// The agent's standing duty: no task of its own.
    Standing,
    /// What a trigger asked for.
    Fired {
        /// Which trigger.
        trigger: String,
        /// One line for people.
        title: String,
        /// What to do.
        prompt: String,
    },
    /// What whoever spawned the agent asked for.
    Spawned {
        /// Who.
        by: String,
        /// One line for people.
        title: String,
        /// What to do.
        prompt: String,
    },
}

impl Purpose {
    /// The task that the run is about.
    #[must_use]
    pub const fn task(&self) -> Option<NodeId> {
        match self {
            Self::Work { task, .. } | Self::Review { task } => Some(*task),
            Self::Standing | Self::Fired { .. } | Self::Spawned { .. } => None,
        }
    }
}

/// Limits of one run. Each is watched while the run lives: tokens and money by the daemon, which
/// reads what the program says, and the time of the start, all others by the run's shim, daemon or
/// not. Time, processor time, memory, processes, tokens and money are the run's share of its
/// agent's and its team's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct RunLimits {
    /// Wall time, without the time that it was frozen.
    pub time: Duration,
    /// Time without output, call or change of a file.
    pub silence: Duration,
    /// Time from the decision to start until the process is there.
    pub start: Duration,
    /// Time between TERM and KILL.
    pub grace: Duration,
    /// Bytes kept of each output stream.
    pub output: u64,
    /// Bytes of memory, all its processes together. `None`: not limited.
    pub memory: Option<u64>,
    /// Processes that live at the same time.
    pub processes: Option<u32>,
    /// Processor time, all its processes together.
    pub cpu: Option<Duration>,
    /// Tokens, as [`Usage::tokens`] counts them.
    pub tokens: Option<u64>,
    /// Money.
    pub usd: Option<Usd>,
    /// How long it goes on when no daemon watches over it.
    pub orphan_grace: Duration,
}

impl Default for RunLimits {
    fn default() -> Self {
        use crate::bounds;
        Self {
            time: bounds::RUN_TIME,
            silence: bounds::SILENCE,
            start: bounds::START_TIME,
            grace: bounds::STOP_GRACE,
            output: bounds::OUTPUT,
            memory: None,
            processes: Some(bounds::PROCESSES),
            cpu: None,
            tokens: None,
            usd: None,
            orphan_grace: bounds::ORPHAN_GRACE,
        }
    }
}

/// Who holds a run still: only the same lets it go on by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// Somebody asked, for inspection.
    #[default]
    Asked,
    /// Its pool of credentials pauses.
    Pool,
    /// It got nowhere, and its policy says to hold it then.
    Stuck,
}

/// Why a run is being stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum StopCause {
    /// Somebody asked.
    Requested {
        /// Who.
        by: Principal,
        /// Why.
        reason: String,
    },
    /// It ran as long as it may.
    TimeLimit,
    /// It was silent as long as it may.
    SilenceLimit,
    /// It had as much memory as it may.
    MemoryLimit,
    /// It had as many processes as it may.
    ProcessesLimit,
    /// It used as much processor time as it may.
    CpuLimit,
    /// It used as many tokens as it may.
    TokensLimit,
    /// It spent as much money as it may.
    UsdLimit,
    /// It got nowhere, and its policy says to stop it then.
    Stuck {
        /// Why.
        stuck: Stuck,
    },
    /// Its program said that it is done, and went on living.
    Lingering,
    /// Somebody stopped everything.
    Panic {
        /// Why.
        reason: String,
    },
    /// The agent that spawned it was stopped.
    Parent {
        /// Its name.
        name: String,
    },
    /// Somebody outside told its shim to end.
    Signalled,
    /// Its shim died, and so nobody could watch over it any more.
    ShimGone,
    /// The daemon shuts down.
    Shutdown,
    /// Another child of its team ended, and the strategy takes this one with it.
    Strategy,
    /// The daemon that started it is gone.
    Orphaned,
    /// Its task was taken from it.
    TaskGone,
    /// It could reach further than its agent may, and the time for that is over.
    Lowered,
}

impl StopCause {
    /// The cause's name, as in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Requested { .. } => "requested",
            Self::TimeLimit => "time_limit",
            Self::SilenceLimit => "silence_limit",
            Self::MemoryLimit => "memory_limit",
            Self::ProcessesLimit => "processes_limit",
            Self::CpuLimit => "cpu_limit",
            Self::TokensLimit => "tokens_limit",
            Self::UsdLimit => "usd_limit",
            Self::Stuck { .. } => "stuck",
            Self::Lingering => "lingering",
            Self::Panic { .. } => "panic",
            Self::Parent { .. } => "parent",
            Self::Signalled => "signalled",
            Self::ShimGone => "shim_gone",
            Self::Shutdown => "shutdown",
            Self::Strategy => "strategy",
            Self::Orphaned => "orphaned",
            Self::TaskGone => "task_gone",
            Self::Lowered => "lowered",
        }
    }

    /// In a few words.
    #[must_use]
    pub fn words(&self) -> String {
        let words = match self {
            Self::Requested { by, reason } => return format!("{by}: {reason}"),
            Self::Stuck { stuck } => return format!("gets nowhere: {}", stuck.name()),
            Self::Panic { reason } => return format!("panic: {reason}"),
            Self::Parent { name } => return format!("{name}, which spawned it, is stopped"),
            Self::TimeLimit => "time limit",
            Self::SilenceLimit => "silent for too long",
            Self::MemoryLimit => "memory limit",
            Self::ProcessesLimit => "too many processes",
            Self::CpuLimit => "limit of processor time",
            Self::TokensLimit => "limit of tokens",
            Self::UsdLimit => "limit of money",
            Self::Lingering => "done, and still alive",
            Self::Signalled => "a signal from outside",
            Self::ShimGone => "its shim died",
            Self::Shutdown => "the daemon stops",
            Self::Strategy => "a sibling ended",
            Self::Orphaned => "its daemon is gone",
            Self::TaskGone => "its task was taken away",
            Self::Lowered => "the time is over for which it could reach further",
        };
        words.to_owned()
    }
    /// Did something go wrong with the process, rather than somebody wanting its end? Then it
    /// counts as an abnormal end.
    #[must_use]
    pub const fn is_limit(&self) -> bool {
        match self {
            Self::TimeLimit
            | Self::SilenceLimit
            | Self::MemoryLimit
            | Self::ProcessesLimit
            | Self::CpuLimit
            | Self::TokensLimit
            | Self::UsdLimit
            | Self::ShimGone
            | Self::Stuck { .. } => true,
            Self::Requested { .. }
            | Self::Lingering
            | Self::Panic { .. }
            | Self::Parent { .. }
            | Self::Signalled
            | Self::Shutdown
            | Self::Strategy
            | Self::Orphaned
            | Self::TaskGone
            | Self::Lowered => false,
        }
    }
}

/// How the process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Ending {
    /// It ended by itself with this code.
    Code {
        /// Exit code.
        code: i32,
    },
    /// It died of this signal.
    Signal {
        /// Signal number.
        signal: i32,
    },
    /// It never came to life.
    NotStarted {
        /// Why.
        reason: String,
    },
    /// It is gone, and nobody saw how.
    Unseen,
}

/// The record that a run is really over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Receipt {
    /// How the process ended.
    pub ending: Ending,
    /// Why it was stopped, when it was.
    pub cause: Option<StopCause>,
    /// What the program's own words say about its end, when that is not well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// That was not its own fault: its provider gave nothing more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blameless: bool,
    /// When the process was there; `None` when it never was.
    pub started_at: Option<Timestamp>,
    /// When it was seen to be gone.
    pub ended_at: Timestamp,
    /// Processes of the run that had to be ended, the agent itself included.
    pub processes_ended: usize,
    /// Processes that could not be ended: the kernel holds them. Zero proves the stop.
    #[serde(default)]
    pub survivors: usize,
    /// Whether TERM was sent.
    pub term_sent: bool,
    /// Whether KILL was sent.
    pub kill_sent: bool,
    /// By which means processes were found and ended: `cgroup`, `subreaper`, `group`, `mark`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub means: Vec<String>,
    /// When each step of the stop was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// Bytes that it wrote to both streams.
    pub output_bytes: u64,
    /// Of these, bytes that were rotated away or could not be written.
    pub output_dropped: u64,
    /// Tokens and money, as last said.
    #[serde(default)]
    pub usage: Usage,
    /// What its processes took of the machine.
    #[serde(default)]
    pub resources: Resources,
    /// What it left in its workspace; `None` when it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Leftovers>,
}

/// One step of a stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Step {
    /// `term`, `kill`, `gone`, and the like.
    pub step: String,
    /// When.
    pub at: Timestamp,
}

/// What the processes of a run took of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Resources {
    /// Milliseconds of wall time, without those that it was frozen.
    pub time_ms: u64,
    /// Milliseconds of processor time.
    pub cpu_ms: u64,
    /// Most bytes of memory at once, as far as was measured.
    pub memory_peak: u64,
    /// Most processes at once, as far as was measured.
    pub processes_peak: u32,
}

/// What a run left in its workspace that nobody took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Leftovers {
    /// Commits that were not handed in.
    pub commits: usize,
    /// The last of them; the runtime's store keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<CommitId>,
    /// Files that were changed and not committed.
    pub files: usize,
    /// Where these changes are kept, as a patch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
    /// What could not be kept, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Leftovers {
    /// Nothing is left, and that is certain.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.commits == 0 && self.files == 0 && self.problem.is_none()
    }
}

impl Receipt {
    /// The receipt of a run that ended so, with nothing else to say.
    #[must_use]
    pub fn new(ending: Ending, ended_at: Timestamp) -> Self {
        Self {
            ending,
            cause: None,
            failure: None,
            blameless: false,
            started_at: None,
            ended_at,
            processes_ended: 0,
            survivors: 0,
            term_sent: false,
            kill_sent: false,
            means: Vec::new(),
            steps: Vec::new(),
            output_bytes: 0,
            output_dropped: 0,
            usage: Usage::default(),
            resources: Resources::default(),
            workspace: None,
        }
    }

    /// Did the process end well and by itself? One that had said that it is done, and had to be
    /// ended only because it went on living, did.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        if self.failure.is_some() {
            return false;
        }
        match self.cause {
            None => matches!(self.ending, Ending::Code { code: 0 }),
            Some(StopCause::Lingering) => true,
            Some(_) => false,
        }
    }
}

/// What a run is, decided before it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RunSpec {
    /// Its identity.
    pub id: RunId,
    /// What for.
    #[serde(flatten)]
    pub purpose: Purpose,
    /// Within which limits.
    pub limits: RunLimits,
    /// What it may do beside what its agent may, each until its instant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub raised: Vec<Raise>,
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum RunStatus {
    /// Decided.
    Queued,
    /// About to fork; from here on a process may exist.
    Starting,
    /// Its process is there.
    Running {
        /// Which.
        process: ProcessIdentity,
        /// Since when.
        since: Timestamp,
    },
    /// Its process is held still.
    Frozen {
        /// Which.
        process: ProcessIdentity,
        /// When it started.
        since: Timestamp,
        /// By whom.
        #[serde(default)]
        hold: Hold,
    },
    /// It has been told to end, or is being ended.
    Stopping {
        /// Which, once there was one.
        process: Option<ProcessIdentity>,
        /// When it started, if it did.
        since: Option<Timestamp>,
        /// Why.
        cause: StopCause,
    },
    /// It is over.
    Exited {
        /// The proof.
        receipt: Box<Receipt>,
    },
}

impl RunStatus {
    /// The state's name, as in JSON and on screen.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running { .. } => "running",
            Self::Frozen { .. } => "frozen",
            Self::Stopping { .. } => "stopping",
            Self::Exited { .. } => "exited",
        }
    }

    /// It may have a process, or get one.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        !matches!(self, Self::Exited { .. })
    }

    /// The process, in the states that have one.
    #[must_use]
    pub const fn process(&self) -> Option<&ProcessIdentity> {
        match self {
            Self::Running { process, .. } | Self::Frozen { process, .. } => Some(process),
            Self::Stopping { process, .. } => process.as_ref(),
            Self::Queued | Self::Starting | Self::Exited { .. } => None,
        }
    }

    /// When the process came to life, in the states that know.
    #[must_use]
    pub const fn since(&self) -> Option<Timestamp> {
        match self {
            Self::Running { since, .. } | Self::Frozen { since, .. } => Some(*since),
            Self::Stopping { since, .. } => *since,
            Self::Queued | Self::Starting | Self::Exited { .. } => None,
        }
    }

    /// The state after an event that happened at `at`; `None` when it does not fit.
    fn after(&self, event: &Event, at: Timestamp) -> Option<Self> {
        Some(match (event, self) {
            (Event::RunStarting { .. }, Self::Queued) => Self::Starting,
            (Event::RunStarted { process, .. }, Self::Starting) => Self::Running {
                process: process.clone(),
                since: at,
            },
            // The stop was decided while the fork was under way: the process is known now.
            (
                Event::RunStarted { process, .. },
                Self::Stopping {
                    process: None, cause, ..
                },
            ) => Self::Stopping {
                process: Some(process.clone()),
                since: Some(at),
                cause: cause.clone(),
            },
            // One that is frozen already may be held by somebody else from now on.
            (
                Event::RunFrozen { hold, .. },
                Self::Running { process, since } | Self::Frozen { process, since, .. },
            ) => Self::Frozen {
                process: process.clone(),
                since: *since,
                hold: *hold,
            },
            (Event::RunThawed { .. }, Self::Frozen { process, since, .. }) => Self::Running {
                process: process.clone(),
                since: *since,
            },
            (
                Event::RunStopping { cause, .. },
                Self::Queued | Self::Starting | Self::Running { .. } | Self::Frozen { .. },
            ) => Self::Stopping {
                process: self.process().cloned(),
                since: self.since(),
                cause: cause.clone(),
            },
            (
                Event::RunExited { receipt, .. },
                Self::Queued
                | Self::Starting
                | Self::Running { .. }
                | Self::Frozen { .. }
                | Self::Stopping { .. },
            ) => Self::Exited {
                receipt: receipt.clone(),
            },
            _ => return None,
        })
    }
}

/// One life of one agent process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Run {
    /// What it is.
    pub spec: RunSpec,
    /// What it has used so far.
    #[serde(default)]
    pub usage: Usage,
    /// Why it gets nowhere, when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck: Option<Stuck>,
    /// Its program's own session, as far as it has named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What its program asks a person for.
    #[serde(default, skip_serializing_if = "Permissions::is_empty")]
    pub permissions: Permissions,
    /// Where it stands.
    #[serde(flatten)]
    pub status: RunStatus,
}

impl Run {
    /// A run that has been decided.
    #[must_use]
    pub fn queued(spec: RunSpec) -> Self {
        Self {
            spec,
            usage: Usage::default(),
            stuck: None,
            session: None,
            permissions: Permissions::default(),
            status: RunStatus::Queued,
        }
    }

    /// The run that `event` begins, when it is one that begins a run.
    #[must_use]
    pub fn begun_by(event: &Event) -> Option<Self> {
        match event {
            Event::RunQueued { run } => Some(Self::queued(run.clone())),
            _ => None,
        }
    }

    /// The run after `event`, which happened at `at`. The only way a run changes.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the event does not fit the state.
    pub fn apply(&self, event: &Event, at: Timestamp) -> Result<Self, IllegalTransition> {
        let mut next = self.clone();
        if self.status.is_live() && next.note(event, at) {
            return Ok(next);
        }
        next.status = self.status.after(event, at).ok_or_else(|| IllegalTransition {
            event: event.type_name(),
            subject: format!("run {}", self.spec.id),
            state: self.status.name(),
            because: String::new(),
        })?;
        if let Event::RunExited { receipt, .. } = event {
            next.usage = receipt.usage;
            next.stuck = None;
        }
        if matches!(event, Event::RunStopping { .. } | Event::RunExited { .. }) {
            next.permissions.open.clear();
        }
        Ok(next)
    }

    /// Takes in what is reported of a live run, which changes nothing of its state. Answers whether
    /// the event was a report.
    fn note(&mut self, event: &Event, at: Timestamp) -> bool {
        match event {
            Event::RunUsed { usage, .. } => self.usage = *usage,
            Event::RunStuck { stuck, .. } => self.stuck.clone_from(stuck),
            Event::RunSession { session, .. } => self.session = Some(session.clone()),
            other => return self.permissions.apply(other, at),
        }
        true
    }
}

/// The permission to start exactly one process, once.
///
/// Only [`crate::agent::decide`] makes one, together with the event that records the intent.
/// It can be neither copied nor stored, and the function that forks consumes it.
#[derive(Debug)]
pub struct SpawnPermit {
    run: RunId,
}

impl SpawnPermit {
    pub(crate) const fn new(run: RunId) -> Self {
        Self { run }
    }

    /// The run that may start.
    #[must_use]
    pub const fn run(&self) -> RunId {
        self.run
    }
}
