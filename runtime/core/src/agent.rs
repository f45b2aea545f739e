//! The agent state machine: a Worknode of kind `agent` plus at most one live run.
//!
//! ```text
//! idle → busy → idle | backoff | quarantined | stopped
//! ```
//!
//! An agent that takes tasks goes back to `idle` after each; one with a standing duty is
//! started again as its restart kind says. Past the restart intensity it is `quarantined`,
//! which is an event like any other and so survives a restart of the daemon. One that was spawned
//! has one run and is never started again by itself: whoever spawned it decides what follows.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    error::{Code, Error, IllegalTransition},
    event::{Event, Principal},
    ids::RunId,
    lineage::Lineage,
    permission::{self, Request, Word},
    raise::Raise,
    restart::{Restart, RestartPolicy, RestartTracker},
    run::{
        Ending, Hold, ProcessIdentity, Purpose, Receipt, Run, RunLimits, RunSpec, RunStatus, SpawnPermit,
        StopCause,
    },
    time::Timestamp,
    usage::{Stuck, Usage, Usd},
};

/// What an agent may do at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Sees everything, writes decisions and alerts, spawns and stops agents; never changes code.
    Executive,
    /// Works on its task in its own private clone.
    Implementation,
    /// Reads everything, writes only reports, approves or rejects.
    Validation,
}

impl Tier {
    /// The tier's name, as in JSON and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Executive => "executive",
            Self::Implementation => "implementation",
            Self::Validation => "validation",
        }
    }
}

/// When an agent's process is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StartWhen {
    /// With the team, for a standing duty.
    Launch,
    /// For each task or review that it is given.
    Task,
    /// Only when a trigger spawns it, or makes a task for it by name.
    Trigger,
}

/// What an agent is, as configuration says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AgentSpec {
    /// Name of its profile.
    pub profile: String,
    /// Name of its driver.
    pub driver: String,
    /// What it may do at all.
    pub tier: Tier,
    /// When its process is started.
    pub start: StartWhen,
    /// When it is started again.
    pub restart: RestartPolicy,
    /// Limits of each run.
    pub limits: RunLimits,
    /// Of what runs share: what each is to have exactly, or it does not start. Of what is not named
    /// here it gets a part, at most as much as `limits` say.
    #[serde(default, skip_serializing_if = "Share::is_nothing")]
    pub asks: Share,
    /// For one that was spawned: the agent of the configuration whose definition it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// For one that was spawned through a capability: what that hands on to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Box<Lineage>>,
}

/// Where an agent stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum AgentStatus {
    /// No process; can be given work.
    Idle,
    /// It has a live run.
    Busy {
        /// Which.
        run: Box<Run>,
    },
    /// No process until then.
    Backoff {
        /// When it may start again.
        until: Timestamp,
    },
    /// It ended too often: no process until an operator resumes it.
    Quarantined {
        /// Why.
        reason: String,
    },
    /// No process until somebody resumes it.
    Stopped {
        /// Why.
        reason: String,
    },
}

impl AgentStatus {
    /// The state's name, as in JSON and on screen.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Busy { .. } => "busy",
            Self::Backoff { .. } => "backoff",
            Self::Quarantined { .. } => "quarantined",
            Self::Stopped { .. } => "stopped",
        }
    }

    /// The live run, while there is one.
    #[must_use]
    pub fn run(&self) -> Option<&Run> {
        match self {
            Self::Busy { run } => Some(run),
            _ => None,
        }
    }
}

/// An agent: what it is, and where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Agent {
    /// What it is.
    pub spec: AgentSpec,
    /// The restarts that still count.
    pub restarts: RestartTracker,
    /// Set when it is to be stopped for good once its run is over.
    pub stop_after_run: Option<String>,
    /// Where it stands.
    #[serde(flatten)]
    pub status: AgentStatus,
}

impl Agent {
    /// A new agent: no process yet.
    #[must_use]
    pub fn new(spec: AgentSpec) -> Self {
        Self {
            spec,
            restarts: RestartTracker::default(),
            stop_after_run: None,
            status: AgentStatus::Idle,
        }
    }

    /// The agent after `event`, which happened at `at`. The only way an agent changes.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the event does not fit the state.
    pub fn apply(&self, event: &Event, at: Timestamp) -> Result<Self, IllegalTransition> {
        let mut next = self.clone();
        let status = match &self.status {
            AgentStatus::Busy { run } => next.apply_while_busy(run, event, at)?,
            _ => next.apply_between_runs(event, at),
        };
        next.status = status.ok_or_else(|| self.illegal(event))?;
        Ok(next)
    }

    /// The state after an event that comes while `run` lives; `None` when it does not fit.
    fn apply_while_busy(
        &mut self,
        run: &Run,
        event: &Event,
        at: Timestamp,
    ) -> Result<Option<AgentStatus>, IllegalTransition> {
        if let Event::AgentStopRequested { reason } = event {
            self.stop_after_run = Some(reason.clone());
            return Ok(Some(self.status.clone()));
        }
        if event.run() != Some(run.spec.id) {
            return Ok(None);
        }
        let run = run.apply(event, at)?;
        Ok(Some(match event {
            Event::RunExited { .. } => AgentStatus::Idle,
            _ => AgentStatus::Busy { run: Box::new(run) },
        }))
    }

    /// The state after an event that comes while no run lives; `None` when it does not fit.
    fn apply_between_runs(&mut self, event: &Event, at: Timestamp) -> Option<AgentStatus> {
        use AgentStatus as S;
        Some(match (event, &self.status) {
            (Event::RunQueued { run }, S::Idle) => S::Busy {
                run: Box::new(Run::queued(run.clone())),
            },
            (Event::AgentRestarting { until, .. }, S::Idle) => {
                self.restarts = self.restarts.restarted(&self.spec.restart, at);
                S::Backoff { until: *until }
            }
            (Event::AgentReady, S::Backoff { .. }) => S::Idle,
            (Event::AgentQuarantined { reason }, S::Idle) => S::Quarantined {
                reason: reason.clone(),
            },
            (Event::AgentStopped { reason }, S::Idle | S::Backoff { .. } | S::Quarantined { .. }) => {
                self.stop_after_run = None;
                S::Stopped {
                    reason: reason.clone(),
                }
            }
            (Event::AgentResumed, S::Stopped { .. } | S::Quarantined { .. }) => {
                self.restarts = RestartTracker::default();
                S::Idle
            }
            _ => return None,
        })
    }

    fn illegal(&self, event: &Event) -> IllegalTransition {
        let state = match &self.status {
            AgentStatus::Busy { run } => run.status.name(),
            other => other.name(),
        };
        IllegalTransition {
            event: event.type_name(),
            subject: "the agent".to_owned(),
            state,
            because: String::new(),
        }
    }
}

/// What can be asked of an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum AgentCommand {
    /// Start a run.
    Start {
        /// Its identity.
        run: RunId,
        /// What for.
        #[serde(flatten)]
        purpose: Purpose,
        /// Tighter limits than the agent's own.
        #[serde(default)]
        share: Share,
        /// What it may do beside what the agent may.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        raised: Vec<Raise>,
    },
    /// The process is there.
    Started {
        /// Which run.
        run: RunId,
        /// Which process.
        process: ProcessIdentity,
    },
    /// Stop the present run; the agent stays available.
    StopRun {
        /// Why.
        cause: StopCause,
        /// Time between TERM and KILL, when not the run's own.
        grace: Option<Duration>,
    },
    /// Hold the present run still.
    Freeze {
        /// Who wants it; not one that somebody else holds for a stronger reason.
        #[serde(default)]
        hold: Hold,
        /// Why.
        reason: String,
    },
    /// Let it go on.
    Thaw {
        /// Only one that is held by this; `None`: whoever holds it.
        #[serde(default)]
        hold: Option<Hold>,
    },
    /// What the run has used so far.
    Used {
        /// Which run.
        run: RunId,
        /// All in all.
        usage: Usage,
    },
    /// The run gets nowhere, or goes on again.
    StuckOn {
        /// Which run.
        run: RunId,
        /// Why; `None` when it goes on.
        stuck: Option<Stuck>,
    },
    /// The run's program named its session.
    InSession {
        /// Which run.
        run: RunId,
        /// Its name.
        session: String,
    },
    /// The run's program asks for a permission that only a person gives.
    AskPermission {
        /// Which run.
        run: RunId,
        /// For what.
        request: Box<Request>,
    },
    /// A person answers.
    AnswerPermission(Box<Word>),
    /// A request for a permission ends without anybody's word.
    EndPermission {
        /// Which run.
        run: RunId,
        /// Which request.
        request: String,
        /// Its program asks for it no more; otherwise nobody has answered in time.
        withdrawn: bool,
    },
    /// The run is over.
    Exited {
        /// Which run.
        run: RunId,
        /// The proof; its cause is filled in from the stop that was under way.
        receipt: Box<Receipt>,
        /// Random bits for the backoff.
        random: u64,
    },
    /// The backoff is over.
    BackoffOver,
    /// Stop the present run, and start no other until resumed.
    Kill {
        /// Why.
        reason: String,
        /// Time between TERM and KILL, when not the run's own.
        grace: Option<Duration>,
    },
    /// Available again after a stop or quarantine.
    Resume,
}

/// A part of what runs share: what one is to have, or may have at most. `None`: nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Share {
    /// Wall time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Duration>,
    /// Tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd: Option<Usd>,
    /// Processor time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Duration>,
    /// Bytes of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Processes that live at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
}

impl Share {
    /// A share that is only a time limit.
    #[must_use]
    pub fn time(time: Option<Duration>) -> Self {
        Self {
            time,
            ..Self::default()
        }
    }

    /// Is nothing said?
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Of each the smaller of what both say.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            time: tighter(self.time, other.time),
            tokens: tighter(self.tokens, other.tokens),
            usd: tighter(self.usd, other.usd),
            cpu: tighter(self.cpu, other.cpu),
            memory: tighter(self.memory, other.memory),
            processes: tighter(self.processes, other.processes),
        }
    }

    /// The limits of `own` where they are tighter than this share, else the share's.
    #[must_use]
    pub fn of(self, own: RunLimits) -> RunLimits {
        RunLimits {
            time: tighter(Some(own.time), self.time).unwrap_or(own.time),
            tokens: tighter(own.tokens, self.tokens),
            usd: tighter(own.usd, self.usd),
            cpu: tighter(own.cpu, self.cpu),
            memory: tighter(own.memory, self.memory),
            processes: tighter(own.processes, self.processes),
            ..own
        }
    }
}

fn tighter<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// What must be done once the events are stored.
#[derive(Debug)]
pub enum AgentEffect {
    /// Start the process.
    Spawn(SpawnPermit, Box<RunSpec>),
    /// Bring the process to its end.
    Stop {
        /// Which run's.
        run: RunId,
        /// Time between TERM and KILL, when not the run's own.
        grace: Option<Duration>,
    },
    /// Hold it still.
    Freeze(RunId),
    /// Let it go on.
    Thaw(RunId),
    /// Tell its program how what it asked for was answered.
    Answer(RunId),
}

/// What a command comes to.
#[derive(Debug, Default)]
pub struct AgentDecision {
    /// To be appended, all or none. Empty when there is nothing left to do.
    pub events: Vec<Event>,
    /// To be done afterwards.
    pub effect: Option<AgentEffect>,
}

/// Decides what `command` by `by` comes to. Pure.
///
/// # Errors
/// `held` for a start while a run lives, `refused` for a start of an agent that is stopped,
/// quarantined or backing off, `illegal_transition` for what the state does not allow.
pub fn decide(
    agent: &Agent,
    command: &AgentCommand,
    by: &Principal,
    now: Timestamp,
) -> Result<AgentDecision, Error> {
    let decision = match command {
        AgentCommand::Start {
            run,
            purpose,
            share,
            raised,
        } => decide_start(agent, *run, purpose, (*share, raised), now)?,
        AgentCommand::Started { run, process } => events(vec![Event::RunStarted {
            run: *run,
            process: process.clone(),
        }]),
        AgentCommand::StopRun { cause, grace } => decide_stop(agent, cause, *grace),
        AgentCommand::Freeze { hold, reason } => decide_freeze(agent, *hold, reason)?,
        AgentCommand::Thaw { hold } => decide_thaw(agent, *hold),
        AgentCommand::Used { run, usage } => of_present(agent, *run, |present| {
            (present.usage != *usage).then_some(Event::RunUsed {
                run: *run,
                usage: *usage,
            })
        }),
        AgentCommand::StuckOn { run, stuck } => of_present(agent, *run, |present| {
            (present.stuck != *stuck).then(|| Event::RunStuck {
                run: *run,
                stuck: stuck.clone(),
            })
        }),
        AgentCommand::InSession { run, session } => of_present(agent, *run, |present| {
            (present.session.as_ref() != Some(session)).then(|| Event::RunSession {
                run: *run,
                session: session.clone(),
            })
        }),
        AgentCommand::AskPermission { run, request } => decide_asked(agent, *run, request)?,
        AgentCommand::AnswerPermission(word) => decide_answered(agent, word, by, now)?,
        AgentCommand::EndPermission {
            run,
            request,
            withdrawn,
        } => decide_ended(agent, *run, (request, *withdrawn), by, now),
        AgentCommand::Exited { run, receipt, random } => decide_exited(agent, *run, receipt, *random, now)?,
        AgentCommand::BackoffOver => events(vec![Event::AgentReady]),
        AgentCommand::Kill { reason, grace } => decide_kill(agent, by, reason, *grace),
        AgentCommand::Resume => decide_resume(agent),
    };
    let mut state = agent.clone();
    for event in &decision.events {
        state = state.apply(event, now)?;
    }
    Ok(decision)
}

const fn events(events: Vec<Event>) -> AgentDecision {
    AgentDecision { events, effect: None }
}

fn decide_start(
    agent: &Agent,
    run: RunId,
    purpose: &Purpose,
    (share, raised): (Share, &[Raise]),
    now: Timestamp,
) -> Result<AgentDecision, Error> {
    match &agent.status {
        AgentStatus::Idle => {}
        AgentStatus::Busy { run } => {
            return Err(Error::new(
                Code::Held,
                format!("the agent already has run {}, {}", run.spec.id, run.status.name()),
            )
            .hint("wait until that is over, or end it: `worknode kill`"));
        }
        AgentStatus::Backoff { until } => {
            return Err(
                Error::new(Code::Refused, format!("the agent is backing off until {until}"))
                    .hint("it starts again by itself then"),
            );
        }
        AgentStatus::Quarantined { reason } => {
            return Err(
                Error::new(Code::Refused, format!("the agent is quarantined: {reason}"))
                    .hint("`worknode agent resume NAME` lets it start again"),
            );
        }
        AgentStatus::Stopped { reason } => {
            return Err(
                Error::new(Code::Refused, format!("the agent is stopped: {reason}"))
                    .hint("`worknode agent resume NAME` lets it start again"),
            );
        }
    }
    let spec = RunSpec {
        id: run,
        purpose: purpose.clone(),
        limits: limits_at(&agent.spec, share, now)?,
        raised: raised.to_vec(),
    };
    Ok(AgentDecision {
        events: vec![Event::RunQueued { run: spec.clone() }, Event::RunStarting { run }],
        effect: Some(AgentEffect::Spawn(SpawnPermit::new(run), Box::new(spec))),
    })
}

/// The limits of a run that begins now: it does not outlive what its agent was given.
fn limits_at(spec: &AgentSpec, share: Share, now: Timestamp) -> Result<RunLimits, Error> {
    let mut limits = share.of(spec.limits);
    if let Some(lineage) = &spec.lineage {
        limits.time = limits.time.min(lineage.time_left(now, limits.grace)?);
    }
    Ok(limits)
}

/// What is reported about a run that is over is late, and changes nothing.
fn of_present(agent: &Agent, run: RunId, event: impl FnOnce(&Run) -> Option<Event>) -> AgentDecision {
    let present = agent.status.run().filter(|present| present.spec.id == run);
    events(present.and_then(event).into_iter().collect())
}

fn decide_asked(agent: &Agent, run: RunId, request: &Request) -> Result<AgentDecision, Error> {
    let present = agent.status.run().filter(|present| present.spec.id == run);
    let asked = present.map_or(Ok(None), |present| permission::ask(present, request))?;
    Ok(events(asked.into_iter().collect()))
}

fn decide_answered(
    agent: &Agent,
    word: &Word,
    by: &Principal,
    now: Timestamp,
) -> Result<AgentDecision, Error> {
    let Some(run) = agent.status.run() else {
        return Err(permission::nothing(&word.request));
    };
    let answered = permission::answer(run, word, by, now)?;
    Ok(AgentDecision {
        events: vec![answered],
        effect: Some(AgentEffect::Answer(run.spec.id)),
    })
}

fn decide_ended(
    agent: &Agent,
    run: RunId,
    (request, withdrawn): (&str, bool),
    by: &Principal,
    now: Timestamp,
) -> AgentDecision {
    let present = agent.status.run().filter(|present| present.spec.id == run);
    let ended = present.and_then(|present| permission::end(present, request, withdrawn, by, now));
    AgentDecision {
        effect: ended.as_ref().map(|_| AgentEffect::Answer(run)),
        events: ended.into_iter().collect(),
    }
}

/// Freezing what is frozen succeeds, and a person's wish replaces the runtime's own; what has no
/// process, or is being stopped, cannot be frozen.
fn decide_freeze(agent: &Agent, hold: Hold, reason: &str) -> Result<AgentDecision, Error> {
    let status = agent.status.run().map(|run| (run.spec.id, &run.status));
    match status {
        Some((_, RunStatus::Frozen { hold: held, .. })) if *held == hold || hold != Hold::Asked => {
            Ok(AgentDecision::default())
        }
        Some((run, RunStatus::Running { .. } | RunStatus::Frozen { .. })) => Ok(AgentDecision {
            events: vec![Event::RunFrozen {
                run,
                hold,
                reason: reason.to_owned(),
            }],
            effect: Some(AgentEffect::Freeze(run)),
        }),
        Some((run, status)) => Err(Error::new(
            Code::IllegalTransition,
            format!("run {run} cannot be frozen: it is {}", status.name()),
        )
        .hint("only a run with a living process can; `worknode ps` shows them")),
        None => Err(Error::new(
            Code::IllegalTransition,
            format!("there is nothing to freeze: the agent is {}", agent.status.name()),
        )
        .hint("only a run with a living process can; `worknode ps` shows them")),
    }
}

/// Thawing what is not frozen succeeds.
fn decide_thaw(agent: &Agent, only: Option<Hold>) -> AgentDecision {
    match agent.status.run().map(|run| (run.spec.id, &run.status)) {
        Some((run, RunStatus::Frozen { hold, .. })) if only.is_none_or(|only| only == *hold) => {
            AgentDecision {
                events: vec![Event::RunThawed { run }],
                effect: Some(AgentEffect::Thaw(run)),
            }
        }
        _ => AgentDecision::default(),
    }
}

/// Stopping what is already stopping, or has nothing to stop, succeeds; a grace that is given
/// then may only hurry it.
fn decide_stop(agent: &Agent, cause: &StopCause, grace: Option<Duration>) -> AgentDecision {
    let Some(run) = agent.status.run() else {
        return AgentDecision::default();
    };
    let id = run.spec.id;
    let effect = Some(AgentEffect::Stop { run: id, grace });
    if matches!(run.status, RunStatus::Stopping { .. }) {
        return AgentDecision {
            events: Vec::new(),
            effect: effect.filter(|_| grace.is_some()),
        };
    }
    AgentDecision {
        events: vec![Event::RunStopping {
            run: id,
            cause: cause.clone(),
        }],
        effect,
    }
}

/// Resuming what may start anyway succeeds.
fn decide_resume(agent: &Agent) -> AgentDecision {
    match agent.status {
        AgentStatus::Stopped { .. } | AgentStatus::Quarantined { .. } => events(vec![Event::AgentResumed]),
        AgentStatus::Idle | AgentStatus::Busy { .. } | AgentStatus::Backoff { .. } => {
            AgentDecision::default()
        }
    }
}

/// No respawn first, then the stop: the agent is marked before its run is told to end.
fn decide_kill(agent: &Agent, by: &Principal, reason: &str, grace: Option<Duration>) -> AgentDecision {
    match &agent.status {
        AgentStatus::Stopped { .. } => AgentDecision::default(),
        AgentStatus::Idle | AgentStatus::Backoff { .. } | AgentStatus::Quarantined { .. } => {
            events(vec![Event::AgentStopped {
                reason: reason.to_owned(),
            }])
        }
        AgentStatus::Busy { .. } => {
            let cause = StopCause::Requested {
                by: by.clone(),
                reason: reason.to_owned(),
            };
            let mut decision = decide_stop(agent, &cause, grace);
            if agent.stop_after_run.is_none() {
                decision.events.insert(
                    0,
                    Event::AgentStopRequested {
                        reason: reason.to_owned(),
                    },
                );
            }
            decision
        }
    }
}

fn decide_exited(
    agent: &Agent,
    run: RunId,
    receipt: &Receipt,
    random: u64,
    now: Timestamp,
) -> Result<AgentDecision, Error> {
    let Some(current) = agent.status.run().filter(|current| current.spec.id == run) else {
        return Err(Error::new(
            Code::IllegalTransition,
            format!("run {run} is not the agent's present run"),
        ));
    };
    let mut receipt = Box::new(receipt.clone());
    if let (None, RunStatus::Stopping { cause, .. }) = (&receipt.cause, &current.status) {
        receipt.cause = Some(cause.clone());
    }
    let follow_up = after_exit(agent, &current.spec.purpose, &receipt, random, now);
    let mut list = vec![Event::RunExited { run, receipt }];
    list.extend(follow_up);
    Ok(events(list))
}

/// What follows the end of a run, beside the end itself.
fn after_exit(
    agent: &Agent,
    purpose: &Purpose,
    receipt: &Receipt,
    random: u64,
    now: Timestamp,
) -> Option<Event> {
    if let Some(reason) = &agent.stop_after_run {
        return Some(Event::AgentStopped {
            reason: reason.clone(),
        });
    }
    if ended_as_meant(agent, receipt) {
        return None;
    }
    let abnormal = !receipt.is_clean();
    if !abnormal && *purpose != Purpose::Standing {
        return None;
    }
    match agent.restarts.decide(&agent.spec.restart, abnormal, now, random) {
        Restart::After(wait) => {
            let restarts = agent.restarts.count(&agent.spec.restart, now).saturating_add(1);
            Some(Event::AgentRestarting {
                until: now.plus(wait),
                restarts,
            })
        }
        Restart::Leave => Some(Event::AgentStopped {
            reason: ended(receipt),
        }),
        Restart::GiveUp => Some(Event::AgentQuarantined {
            reason: format!(
                "more than {} restarts within {}; last: {}",
                agent.spec.restart.max_restarts,
                agent.spec.restart.period,
                ended(receipt)
            ),
        }),
    }
}

/// Is the end of the run nothing that its agent is restarted for, or blamed for?
fn ended_as_meant(agent: &Agent, receipt: &Receipt) -> bool {
    let on_request = receipt
        .cause
        .as_ref()
        .is_some_and(|cause| !cause.is_limit() && *cause != StopCause::Lingering);
    // Whom its provider leaves without an answer waits with its pool, and is not to blame.
    on_request || receipt.blameless || agent.spec.like.is_some()
}

/// The end of a run in words.
#[must_use]
pub fn ended(receipt: &Receipt) -> String {
    let how = match &receipt.ending {
        Ending::Code { code: 0 } => "finished".to_owned(),
        Ending::Code { code } => format!("exited with code {code}"),
        Ending::Signal { signal } => format!("died of signal {signal}"),
        Ending::NotStarted { reason } => format!("could not start: {reason}"),
        Ending::Unseen => "ended unseen".to_owned(),
    };
    match (&receipt.cause, &receipt.failure) {
        (None, None) => how,
        (None, Some(failure)) => format!("{how}; it said: {failure}"),
        (Some(cause), _) => stopped(cause, &how),
    }
}

/// Why a run was stopped, in words. `how` is how it ended then.
fn stopped(cause: &StopCause, how: &str) -> String {
    match cause {
        StopCause::Requested { by, reason } => format!("stopped by {by}: {reason}"),
        StopCause::TimeLimit => "stopped at its time limit".to_owned(),
        StopCause::SilenceLimit => "stopped after too long a silence".to_owned(),
        StopCause::MemoryLimit => "stopped at its memory limit".to_owned(),
        StopCause::ProcessesLimit => "stopped at its limit of processes".to_owned(),
        StopCause::CpuLimit => "stopped at its limit of processor time".to_owned(),
        StopCause::TokensLimit => "stopped at its limit of tokens".to_owned(),
        StopCause::UsdLimit => "stopped at its limit of money".to_owned(),
        StopCause::Stuck { stuck } => format!("stopped because it got nowhere: {}", stuck.name()),
        StopCause::Lingering => "done, and ended because it went on living".to_owned(),
        StopCause::Panic { reason } => format!("stopped with everything: {reason}"),
        StopCause::Parent { name } => format!("stopped with {name}, which spawned it"),
        StopCause::ShimGone => "ended because its shim died".to_owned(),
        StopCause::Signalled => "stopped by a signal from outside".to_owned(),
        StopCause::Shutdown => "stopped with the daemon".to_owned(),
        StopCause::Strategy => "stopped with its siblings".to_owned(),
        StopCause::Orphaned => format!("left behind by an earlier daemon; {how}"),
        StopCause::TaskGone => "stopped because its task was taken away".to_owned(),
        StopCause::Lowered => "stopped when the time was over for which it could reach further".to_owned(),
    }
}
