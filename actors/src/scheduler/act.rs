//! What a firing does.

use std::{sync::Arc, time::Duration};

use worknode_core::{
    agent::{AgentCommand, AgentStatus, Share, Tier},
    command::Command,
    error::{Code, Error},
    event::{Event, PanicStage, Principal},
    hlc::Hlc,
    ids::{NodeId, RunId},
    node::{Detail, Kind, NodeSpec},
    run::{Purpose, StopCause},
    task::{Approval, TaskSpec},
    usage::Usd,
};
use worknode_journal::Firing;
use worknode_policies::authority::Authority;
use worknode_triggers::{
    Occurrence, SkipReason, Trigger,
    admit::{OverlapDecision, overlap_decision},
    condition::Condition,
    glob::Glob,
    spec::SpawnSpec,
    trigger::{Action, Recipient},
};

use super::{DueNow, State, watch::agents_that};
use crate::{definition::trigger_agent, store::all_of_kind, system::System};

/// Open firings that are settled at a start at the most; there are never more than were
/// begun at the moment of the crash.
const PAGE: usize = 1_000;
/// The phase that holds the tasks of triggers.
pub(crate) const PHASE: &str = "triggers";

impl State {
    /// Acts on one occurrence, once.
    #[tracing::instrument(name = "firing", skip_all, fields(
        trigger = %now.occurrence.trigger,
        occurrence = %now.occurrence.key,
    ))]
    pub(super) async fn fire(&mut self, mut now: DueNow) {
        if self.system.guard().blocks(PanicStage::Triggers) {
            return self.skip(&now.occurrence, now.due, SkipReason::Panic).await;
        }
        if let Some(condition) = &now.trigger.terms().agents
            && agents_that(&self.system, condition).is_empty()
        {
            return self.skip(&now.occurrence, now.due, SkipReason::NoAgent).await;
        }
        match now.action.as_ref() {
            Action::Notify { to, message } => self.notify(&now, to, message.as_deref()).await,
            Action::Emit(emit) => {
                let data = emit.data.clone().unwrap_or_default();
                let event = Event::Emitted {
                    name: emit.event.clone(),
                    version: 1,
                    data: data.into_iter().map(|(key, text)| (key, text.into())).collect(),
                };
                self.at_once(&now, vec![event], format!("emitted {}", emit.event))
                    .await;
            }
            Action::Escalate(_) | Action::Gate(_) | Action::Run(_) => self.refuse(&now).await,
            Action::Terminate {
                agents,
                condition,
                reason,
                grace,
            } => {
                if let Some(firing) = self.store(now.trigger.name(), now.cause, vec![fired(&now)]).await {
                    now.cause = Some(firing);
                    let matching = matching_agents(&self.system, agents, condition.as_ref());
                    let (system, reason, grace) =
                        (self.system.clone(), reason.clone(), grace.map(|span| span.0));
                    tokio::spawn(
                        async move { terminate(&system, &now, firing, matching, &reason, grace).await },
                    );
                }
            }
            Action::Spawn(spec) => self.spawn(now.clone_for_job(), spec.clone()).await,
        }
    }

    /// An occurrence whose deed is an event: intent, deed and outcome in one transaction.
    async fn at_once(&self, now: &DueNow, deed: Vec<Event>, outcome: String) {
        let events = [vec![fired(now)], deed, vec![acted(now, outcome)]].concat();
        self.store(now.trigger.name(), now.cause, events).await;
    }

    /// An action that this scheduler does not take. It says so; nothing is silently left undone.
    async fn refuse(&self, now: &DueNow) {
        let action = now.action.key();
        self.at_once(
            now,
            vec![],
            format!("not done: `{action}` in this form is not supported yet"),
        )
        .await;
    }

    async fn notify(&self, now: &DueNow, to: &Recipient, message: Option<&str>) {
        let to = match to {
            Recipient::Assignee => self.assignee(now.about),
            Recipient::Executive => "executive".to_owned(),
            Recipient::Operator => "operator".to_owned(),
            Recipient::Agent(name) => name.clone(),
            Recipient::Webhook(_) | Recipient::Command(_) => return self.refuse(now).await,
        };
        let message = message.map_or_else(|| format!("{} is due", now.occurrence), str::to_owned);
        let outcome = format!("notified {to}");
        self.at_once(now, vec![Event::Notified { to, message }], outcome)
            .await;
    }

    /// Who works on the task, or else the operator: a message reaches somebody.
    fn assignee(&self, task: Option<NodeId>) -> String {
        let holder = task.and_then(|task| {
            let node = self.system.reader().node(task).ok().flatten()?;
            let agent = node.task()?.status.claim()?.agent;
            self.system.agent(agent).map(|agent| agent.name.clone())
        });
        holder.unwrap_or_else(|| "operator".to_owned())
    }

    async fn spawn(&self, now: DueNow, spec: SpawnSpec) {
        let name = spec
            .agent
            .clone()
            .unwrap_or_else(|| trigger_agent(now.trigger.name()));
        let team = self.system.team();
        let Some(agent) = team.agents.iter().find(|agent| agent.name == name) else {
            self.at_once(&now, vec![], format!("there is no agent `{name}`"))
                .await;
            return;
        };
        if agent.spec.tier == Tier::Implementation && spec.task.is_some() {
            self.spawn_task(&now, &spec, &name).await;
        } else {
            self.spawn_run(now, &spec, &name).await;
        }
    }

    /// Code is changed under a task, with gates: the firing makes one, and dispatch does the rest.
    async fn spawn_task(&self, now: &DueNow, spec: &SpawnSpec, agent: &str) {
        let previous = self.open_tasks_of(now.trigger.name());
        match overlap_decision(now.trigger.overlap(), !previous.is_empty()) {
            OverlapDecision::Start => {}
            OverlapDecision::Skip | OverlapDecision::Queue => {
                return self
                    .skip(&now.occurrence, now.due, SkipReason::StillRunning)
                    .await;
            }
            OverlapDecision::ReplacePrevious => {
                let reason = format!("replaced by {}", now.occurrence);
                for task in previous {
                    let cancel = worknode_core::task::TaskCommand::Cancel {
                        reason: reason.clone(),
                    };
                    let cancelled = self.system.command_after(now.cause, task, Command::Task(cancel));
                    if let Err(error) = cancelled.await {
                        tracing::warn!(%error, "the task of an earlier firing could not be cancelled");
                    }
                }
            }
        }
        match self.create_task(now, spec, agent).await {
            Ok(key) => tracing::info!(task = %key, "a trigger made a task"),
            Err(error) if error.code == Code::AlreadyExists => {}
            Err(error) => {
                tracing::error!(%error, "a trigger's task could not be made");
                self.unstored.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        }
    }

    fn open_tasks_of(&self, trigger: &str) -> Vec<NodeId> {
        let prefix = format!("{trigger}-");
        let tasks = all_of_kind(self.system.reader(), Kind::Task).unwrap_or_default();
        let of_trigger = tasks
            .into_iter()
            .filter(|node| node.parent == Some(self.system.phase(PHASE)) && node.name.starts_with(&prefix));
        of_trigger
            .filter(|node| node.task().is_some_and(|t| !t.status.is_terminal()))
            .map(|n| n.id)
            .collect()
    }

    async fn create_task(&self, now: &DueNow, spec: &SpawnSpec, agent: &str) -> Result<String, Error> {
        let team = self.system.team();
        let trigger = now.trigger.name();
        let id = NodeId::derived(team.node(), &format!("firing:{}", now.occurrence));
        let key = format!("{trigger}-{}", &id.as_uuid().simple().to_string()[..8]);
        let wanted = spec.task.clone();
        let (title, prompt, files, gates) = wanted.map_or_else(
            || (trigger.to_owned(), String::new(), Vec::new(), None),
            |task| (task.title, task.prompt, task.files, task.gates),
        );
        let task = TaskSpec {
            key: key.clone(),
            title,
            prompt,
            files,
            may_delete: Vec::new(),
            depends_on: Vec::new(),
            agent: Some(agent.to_owned()),
            deadline: None,
            gates: gates.unwrap_or_else(|| team.default_gates.clone()),
            approval: if team.has_reviewer() {
                Approval::Validation
            } else {
                Approval::None
            },
            max_attempts: team.attempts,
            priority: 0,
            max_duration: spec.max_duration.map(|span| span.0),
            ..TaskSpec::default()
        };
        let phase = self.system.ensure_phase(PHASE).await?;
        let node = NodeSpec::new(Some(phase), Kind::Task, key.clone(), Detail::Task(Box::new(task)));
        let by = Principal::Trigger {
            name: trigger.to_owned(),
        };
        let draft = |node, cause, event| worknode_core::event::Draft {
            node,
            by: by.clone(),
            cause,
            event,
        };
        let drafts = vec![
            draft(team.node(), now.cause, fired(now)),
            draft(id, None, Event::NodeCreated { node }),
            draft(team.node(), None, acted(now, format!("made task {key}"))),
        ];
        self.system.store(drafts).await?;
        Ok(key)
    }

    /// Agents that change no code are simply started; the run's identity is the firing's.
    async fn spawn_run(&self, mut now: DueNow, spec: &SpawnSpec, agent: &str) {
        let node = self.system.team().agent_node(agent);
        let busy = match self.system.reader().node(node) {
            Ok(Some(found)) => found.agent().and_then(|a| a.status.run()).map(|run| run.spec.id),
            _ => None,
        };
        let decision = overlap_decision(now.trigger.overlap(), busy.is_some());
        if matches!(decision, OverlapDecision::Skip | OverlapDecision::Queue) {
            return self
                .skip(&now.occurrence, now.due, SkipReason::StillRunning)
                .await;
        }
        let Some(firing) = self.store(now.trigger.name(), now.cause, vec![fired(&now)]).await else {
            return;
        };
        now.cause = Some(firing);
        let replaced = busy.filter(|_| decision == OverlapDecision::ReplacePrevious);
        self.begin_run(now, spec, node, replaced);
    }

    /// Starts the run of a firing that is stored, in the background. Its identity follows from
    /// the firing, so that it can be repeated: what was started is not started again.
    fn begin_run(&self, now: DueNow, spec: &SpawnSpec, agent: NodeId, replaced: Option<RunId>) {
        let (title, prompt) = spec.task.as_ref().map_or_else(
            || {
                (
                    now.trigger.name().to_owned(),
                    spec.prompt.clone().unwrap_or_default(),
                )
            },
            |task| (task.title.clone(), task.prompt.clone()),
        );
        let purpose = Purpose::Fired {
            trigger: now.trigger.name().to_owned(),
            title,
            prompt,
        };
        let start = AgentCommand::Start {
            run: run_of(&self.system, &now.occurrence),
            purpose,
            share: Share {
                tokens: spec.budget.as_ref().and_then(|budget| budget.tokens),
                usd: spec.budget.as_ref().and_then(|budget| budget.usd).map(Usd::from),
                ..Share::time(spec.max_duration.map(|span| span.0))
            },
        };
        let system = self.system.clone();
        tokio::spawn(async move { start_run(&system, &now, agent, start, replaced).await });
    }

    /// Repeats the start of a run that a firing of an earlier daemon was to start; false when
    /// its agent is not there any more.
    fn repeat_run(&self, trigger: &Arc<Trigger>, action: &Arc<Action>, firing: &Firing) -> bool {
        let Action::Spawn(spec) = action.as_ref() else {
            return false;
        };
        let name = spec
            .agent
            .clone()
            .unwrap_or_else(|| trigger_agent(trigger.name()));
        let node = self.system.team().agent_node(&name);
        let Ok(Some(agent)) = self.system.reader().node(node) else {
            return false;
        };
        let now = DueNow {
            trigger: Arc::clone(trigger),
            occurrence: Occurrence {
                trigger: firing.trigger.clone(),
                key: firing.occurrence.clone(),
            },
            due: firing.due,
            action: Arc::clone(action),
            about: None,
            cause: Some(firing.recorded),
        };
        let busy = agent.agent().and_then(|agent| agent.status.run());
        let busy = busy.map(|run| run.spec.id).filter(|run| {
            let replaces = overlap_decision(trigger.overlap(), true) == OverlapDecision::ReplacePrevious;
            replaces && *run != run_of(&self.system, &now.occurrence)
        });
        self.begin_run(now, spec, node, busy);
        true
    }

    fn trigger(&self, name: &str) -> Option<Arc<Trigger>> {
        let all = self
            .timed
            .iter()
            .chain(self.watching.iter().map(|(trigger, _)| trigger));
        all.into_iter().find(|trigger| trigger.name() == name).cloned()
    }

    /// Firings of an earlier daemon that have no outcome: their deed may or may not have
    /// happened. Each deed can be repeated without a second effect, so it is.
    pub(super) async fn finish_what_was_fired(&mut self) -> Result<(), Error> {
        for firing in self.system.reader().open_firings(PAGE)? {
            let Some(trigger) = self.trigger(&firing.trigger) else {
                let outcome = "the trigger is no longer configured".to_owned();
                let event = Event::TriggerActed {
                    trigger: firing.trigger.clone(),
                    occurrence: firing.occurrence,
                    outcome,
                    failed: true,
                    started: None,
                };
                self.store(&firing.trigger, Some(firing.recorded), vec![event])
                    .await;
                continue;
            };
            if let Some(action) = trigger.action()
                && self.repeat_run(&trigger, action, &firing)
            {
                continue;
            }
            let outcome = match trigger.action().map(AsRef::as_ref) {
                Some(Action::Terminate {
                    agents,
                    condition,
                    reason,
                    grace,
                }) => {
                    let matching = matching_agents(&self.system, agents, condition.as_ref());
                    kill_all(
                        &self.system,
                        trigger.name(),
                        firing.recorded,
                        matching,
                        reason,
                        grace.map(|span| span.0),
                    )
                    .await
                }
                // Whatever else is done is stored together with its firing.
                _ => "interrupted by the end of the daemon".to_owned(),
            };
            let event = Event::TriggerActed {
                trigger: firing.trigger,
                occurrence: firing.occurrence,
                outcome,
                failed: false,
                started: None,
            };
            self.store(trigger.name(), Some(firing.recorded), vec![event])
                .await;
        }
        Ok(())
    }
}

impl DueNow {
    fn clone_for_job(&self) -> Self {
        Self {
            trigger: Arc::clone(&self.trigger),
            occurrence: self.occurrence.clone(),
            due: self.due,
            action: Arc::clone(&self.action),
            about: self.about,
            cause: self.cause,
        }
    }
}

/// The run that an occurrence starts, whichever daemon does it.
fn run_of(system: &System, occurrence: &Occurrence) -> RunId {
    RunId::derived(system.team().node(), &occurrence.to_string())
}

fn fired(now: &DueNow) -> Event {
    Event::TriggerFired {
        trigger: now.occurrence.trigger.clone(),
        occurrence: now.occurrence.key.clone(),
        due: now.due,
        by: None,
    }
}

fn acted(now: &DueNow, outcome: String) -> Event {
    Event::TriggerActed {
        trigger: now.occurrence.trigger.clone(),
        occurrence: now.occurrence.key.clone(),
        outcome,
        failed: false,
        started: None,
    }
}

/// Agents that the pattern names, and for which the condition holds if there is one.
fn matching_agents(system: &System, pattern: &Glob, condition: Option<&Condition>) -> Vec<(NodeId, String)> {
    let agents = match condition {
        Some(condition) => agents_that(system, condition),
        None => {
            let all = system.agents().into_iter();
            all.map(|(node, agent)| (node, agent.name.clone())).collect()
        }
    };
    agents
        .into_iter()
        .filter(|(_, name)| pattern.matches(name))
        .collect()
}

async fn terminate(
    system: &System,
    now: &DueNow,
    firing: Hlc,
    agents: Vec<(NodeId, String)>,
    reason: &str,
    grace: Option<Duration>,
) {
    let outcome = kill_all(system, now.trigger.name(), firing, agents, reason, grace).await;
    record_outcome(system, now, outcome).await;
}

/// Kills each agent; what is dead already counts as killed.
async fn kill_all(
    system: &System,
    trigger: &str,
    firing: Hlc,
    agents: Vec<(NodeId, String)>,
    reason: &str,
    grace: Option<Duration>,
) -> String {
    let authority = Arc::new(Authority::whole(Principal::Trigger {
        name: trigger.to_owned(),
    }));
    let mut killed = Vec::new();
    for (node, name) in agents {
        let kill = Command::Agent(AgentCommand::Kill {
            reason: reason.to_owned(),
            grace,
        });
        match system.ask(&authority, node, kill, Some(firing)).await {
            Ok(_) => killed.push(name),
            Err(error) => tracing::error!(%error, agent = %name, "a trigger could not stop an agent"),
        }
    }
    if killed.is_empty() {
        "no agent matched".to_owned()
    } else {
        format!("stopped {}", killed.join(", "))
    }
}

/// Starts the run, after the one that it replaces is over.
async fn start_run(
    system: &System,
    now: &DueNow,
    agent: NodeId,
    start: AgentCommand,
    replaced: Option<RunId>,
) {
    match system.reader().run(run_of(system, &now.occurrence)) {
        Ok(None) => {}
        // An earlier daemon came as far as the start, and not to its outcome.
        Ok(Some(_)) => return record_outcome(system, now, "started a run".to_owned()).await,
        Err(error) => {
            tracing::error!(%error, "a firing's run could not be looked up; the next daemon settles it");
            return;
        }
    }
    if let Some(run) = replaced {
        let by = Principal::Trigger {
            name: now.trigger.name().to_owned(),
        };
        let cause = StopCause::Requested {
            by,
            reason: format!("replaced by {}", now.occurrence),
        };
        if let Err(error) = system
            .command_after(
                now.cause,
                agent,
                Command::Agent(AgentCommand::StopRun { cause, grace: None }),
            )
            .await
        {
            return record_outcome(
                system,
                now,
                format!("the earlier run could not be stopped: {error}"),
            )
            .await;
        }
        wait_until_over(system, agent, run).await;
    }
    let outcome = match system
        .command_after(now.cause, agent, Command::Agent(start))
        .await
    {
        Ok(_) => "started a run".to_owned(),
        Err(error) => format!("not started: {error}"),
    };
    record_outcome(system, now, outcome).await;
}

/// Follows the journal until the agent's run is over; the run's own stop bounds the wait.
async fn wait_until_over(system: &System, agent: NodeId, run: RunId) {
    let mut follower = system.journal().follow(system.journal().last_stamp());
    loop {
        let node = system.reader().node(agent).ok().flatten();
        let still = node.and_then(|node| match &node.agent()?.status {
            AgentStatus::Busy { run: current } => Some(current.spec.id == run),
            _ => None,
        });
        if still != Some(true) || follower.next(64).await.is_err() {
            return;
        }
    }
}

async fn record_outcome(system: &System, now: &DueNow, outcome: String) {
    let by = Principal::Trigger {
        name: now.trigger.name().to_owned(),
    };
    if let Err(error) = system
        .record_after(now.cause, by, system.team().node(), vec![acted(now, outcome)])
        .await
    {
        tracing::error!(%error, "the outcome of a firing could not be stored; the next daemon settles it");
    }
}
