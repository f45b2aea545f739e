//! The agent state machine: a Worknode of kind `agent` plus at most one live run.
//!
//! ```text
//! idle → busy → idle | backoff | quarantined | stopped
//! ```
//!
//! An agent that takes tasks goes back to `idle` after each; one with a standing duty is
//! started again as its restart kind says. Past the restart intensity it is `quarantined`,
//! which is an event like any other and so survives a restart of the daemon.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    error::{Code, Error, IllegalTransition},
    event::{Event, Principal},
    ids::RunId,
    restart::{Restart, RestartPolicy, RestartTracker},
    run::{
        Ending, ProcessIdentity, Purpose, Receipt, Run, RunLimits, RunSpec, RunStatus, SpawnPermit, StopCause,
    },
    time::Timestamp,
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
    /// Only when a trigger spawns it.
    Trigger,
}

/// What an agent is, as configuration says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
}

/// Where an agent stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
        use AgentStatus as S;
        let mut next = self.clone();
        next.status = match (event, &self.status) {
            (Event::RunQueued { run }, S::Idle) => S::Busy {
                run: Box::new(Run {
                    spec: run.clone(),
                    status: RunStatus::Queued,
                }),
            },
            (Event::RunExited { run: id, .. }, S::Busy { run }) if run.spec.id == *id => {
                run.apply(event, at)?;
                S::Idle
            }
            (event, S::Busy { run }) if event.run() == Some(run.spec.id) => S::Busy {
                run: Box::new(run.apply(event, at)?),
            },
            (Event::AgentStopRequested { reason }, status @ S::Busy { .. }) => {
                next.stop_after_run = Some(reason.clone());
                status.clone()
            }
            (Event::AgentRestarting { until, .. }, S::Idle) => {
                next.restarts = self.restarts.restarted(&self.spec.restart, at);
                S::Backoff { until: *until }
            }
            (Event::AgentReady, S::Backoff { .. }) => S::Idle,
            (Event::AgentQuarantined { reason }, S::Idle) => S::Quarantined {
                reason: reason.clone(),
            },
            (Event::AgentStopped { reason }, S::Idle | S::Backoff { .. } | S::Quarantined { .. }) => {
                next.stop_after_run = None;
                S::Stopped {
                    reason: reason.clone(),
                }
            }
            (Event::AgentResumed, S::Stopped { .. } | S::Quarantined { .. }) => {
                next.restarts = RestartTracker::default();
                S::Idle
            }
            _ => return Err(self.illegal(event)),
        };
        Ok(next)
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum AgentCommand {
    /// Start a run.
    Start {
        /// Its identity.
        run: RunId,
        /// What for.
        #[serde(flatten)]
        purpose: Purpose,
        /// A shorter time limit than the agent's own.
        max_duration: Option<Duration>,
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
    /// The run is over.
    Exited {
        /// Which run.
        run: RunId,
        /// The proof; its cause is filled in from the stop that was under way.
        receipt: Receipt,
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

/// What must be done once the events are stored.
#[derive(Debug)]
pub enum AgentEffect {
    /// Start the process.
    Spawn(SpawnPermit, RunSpec),
    /// Bring the process to its end.
    Stop {
        /// Which run's.
        run: RunId,
        /// Time between TERM and KILL, when not the run's own.
        grace: Option<Duration>,
    },
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
            max_duration,
        } => decide_start(agent, *run, purpose, *max_duration)?,
        AgentCommand::Started { run, process } => events(vec![Event::RunStarted {
            run: *run,
            process: process.clone(),
        }]),
        AgentCommand::StopRun { cause, grace } => decide_stop(agent, cause, *grace),
        AgentCommand::Exited { run, receipt, random } => decide_exited(agent, *run, receipt, *random, now)?,
        AgentCommand::BackoffOver => events(vec![Event::AgentReady]),
        AgentCommand::Kill { reason, grace } => decide_kill(agent, by, reason, *grace),
        AgentCommand::Resume => match agent.status {
            AgentStatus::Stopped { .. } | AgentStatus::Quarantined { .. } => {
                events(vec![Event::AgentResumed])
            }
            AgentStatus::Idle | AgentStatus::Busy { .. } | AgentStatus::Backoff { .. } => {
                AgentDecision::default()
            }
        },
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
    max_duration: Option<Duration>,
) -> Result<AgentDecision, Error> {
    match &agent.status {
        AgentStatus::Idle => {}
        AgentStatus::Busy { run } => {
            return Err(Error::new(
                Code::Held,
                format!("the agent already has run {}, {}", run.spec.id, run.status.name()),
            ));
        }
        AgentStatus::Backoff { until } => {
            return Err(Error::new(
                Code::Refused,
                format!("the agent is backing off until {until}"),
            ));
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
    let own = agent.spec.limits;
    let time = max_duration.map_or(own.time, |max| max.min(own.time));
    let spec = RunSpec {
        id: run,
        purpose: purpose.clone(),
        limits: RunLimits { time, ..own },
    };
    Ok(AgentDecision {
        events: vec![Event::RunQueued { run: spec.clone() }, Event::RunStarting { run }],
        effect: Some(AgentEffect::Spawn(SpawnPermit::new(run), spec)),
    })
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
    let mut receipt = receipt.clone();
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
    let on_request = receipt.cause.as_ref().is_some_and(|cause| !cause.is_limit());
    if on_request {
        return None;
    }
    let abnormal = !receipt.is_clean();
    let standing = *purpose == Purpose::Standing;
    if !abnormal && !standing {
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
    match &receipt.cause {
        None => how,
        Some(StopCause::Requested { by, reason }) => format!("stopped by {by}: {reason}"),
        Some(StopCause::TimeLimit) => "stopped at its time limit".to_owned(),
        Some(StopCause::SilenceLimit) => "stopped after too long a silence".to_owned(),
        Some(StopCause::Shutdown) => "stopped with the daemon".to_owned(),
        Some(StopCause::Strategy) => "stopped with its siblings".to_owned(),
        Some(StopCause::Orphaned) => format!("left behind by an earlier daemon; {how}"),
        Some(StopCause::TaskGone) => "stopped because its task was taken away".to_owned(),
    }
}
