//! An agent is started: one of the team, the one that the trigger brings with it, or another one
//! like that when it is busy and `overlap = "allow"`.
//!
//! Code is changed under a task, with gates: then the firing makes one, and dispatch does the rest.
//! The identity of the run, or of the task, follows from that of the firing, so that it can be
//! repeated: what was started is not started again.

use std::sync::Arc;

use worknode_core::{
    agent::{AgentCommand, Share, Tier},
    bounds,
    command::Command,
    error::{Code, Error},
    event::{Draft, Event, Principal},
    firing::Started,
    ids::{NodeId, RunId},
    node::{Detail, Kind, NodeSpec},
    raise::Raise,
    run::{Purpose, StopCause},
    task::{Approval, TaskSpec},
    usage::Usd,
};
use worknode_policies::authority::Authority;
use worknode_triggers::{
    Occurrence,
    spec::{Hindered, Overlap, SpawnSpec},
    terms::BACKOFF,
};

use super::{
    Deed,
    text::{about, filled},
};
use crate::{
    definition::{AgentDefinition, trigger_agent},
    guard::Readiness,
    scheduler::{
        TRY_AGAIN,
        job::{Came, Job},
        over::stop,
    },
    spawn::{Duty, Wanted, spawn},
    system::System,
};

/// The phase that holds the tasks of triggers.
pub(crate) const PHASE: &str = "triggers";

/// The agent that a trigger starts.
pub(in crate::scheduler) fn agent_of(
    system: &System,
    trigger: &str,
    spec: &SpawnSpec,
) -> Option<(NodeId, Arc<AgentDefinition>)> {
    let name = spec.agent.clone().unwrap_or_else(|| trigger_agent(trigger));
    let node = system.team().agent_node(&name);
    system.agent(node).map(|agent| (node, agent))
}

/// The run that an occurrence starts, whichever daemon does it.
fn run_of(system: &System, occurrence: &Occurrence) -> RunId {
    RunId::derived(system.team().node(), &occurrence.to_string())
}

/// Does this agent change code under the task that is wanted?
fn works_on_task(agent: &AgentDefinition, spec: &SpawnSpec) -> bool {
    agent.spec.tier == Tier::Implementation && spec.task.is_some()
}

/// The task, when the agent changes code under one. One that cannot be made now is left to
/// [`run`], which says why.
pub(super) async fn task(system: &System, job: &Job, spec: &SpawnSpec) -> Option<Deed> {
    let (_, agent) = agent_of(system, job.trigger.name(), spec)?;
    if !works_on_task(&agent, spec) {
        return None;
    }
    make_task(system, job, spec, &agent.name).await.ok()
}

async fn make_task(system: &System, job: &Job, spec: &SpawnSpec, agent: &str) -> Result<Deed, Error> {
    let team = system.team();
    let trigger = job.trigger.name();
    let id = NodeId::derived(team.node(), &format!("firing:{}", job.occurrence));
    let number = id.as_uuid().simple().to_string();
    let key = format!("{trigger}-{}", number.get(..8).unwrap_or(&number));
    let wanted = spec.task.as_ref();
    let task = TaskSpec {
        title: wanted.map_or_else(|| trigger.to_owned(), |task| filled(system, job, &task.title)),
        prompt: wanted.map_or_else(String::new, |task| filled(system, job, &task.prompt)),
        files: wanted.map_or_else(Vec::new, |task| task.files.clone()),
        may_delete: Vec::new(),
        depends_on: Vec::new(),
        agent: Some(agent.to_owned()),
        deadline: None,
        gates: wanted
            .and_then(|task| task.gates.clone())
            .unwrap_or_else(|| team.default_gates.clone()),
        approval: if team.has_reviewer() {
            Approval::Validation
        } else {
            Approval::None
        },
        max_attempts: team.attempts,
        priority: 0,
        max_duration: spec.max_duration.map(|span| span.0),
        key: key.clone(),
        ..TaskSpec::default()
    };
    let phase = system.ensure_phase(PHASE).await?;
    let node = NodeSpec::new(Some(phase), Kind::Task, key.clone(), Detail::Task(Box::new(task)));
    let draft = |event| Draft {
        node: id,
        by: Principal::Trigger {
            name: trigger.to_owned(),
        },
        cause: None,
        event,
    };
    let raised = raised(system, spec).into_iter().map(|raise| Event::TaskRaised {
        firing: job.occurrence.to_string(),
        raise: Box::new(raise),
    });
    let events = std::iter::once(Event::NodeCreated { node }).chain(raised);
    Ok(Deed {
        drafts: events.map(draft).collect(),
        came: Came::Started(format!("made task {key}"), Started::Task(id)),
    })
}

/// Starts the run.
pub(super) async fn run(system: &System, job: &Job, spec: &SpawnSpec) -> Result<Came, Error> {
    let Some((node, agent)) = agent_of(system, job.trigger.name(), spec) else {
        let name = spec
            .agent
            .clone()
            .unwrap_or_else(|| trigger_agent(job.trigger.name()));
        return Ok(Came::Failed(format!("there is no agent `{name}`")));
    };
    if works_on_task(&agent, spec) {
        return put_task(system, job, spec, &agent.name).await;
    }
    let own = attempt(job, &job.occurrence);
    let run = run_of(system, &own);
    // An earlier daemon came as far as the start, and not to its outcome.
    let begun = |run| Came::Started("started a run".to_owned(), Started::Run(run));
    if system.reader().run(run)?.is_some() {
        return Ok(begun(run));
    }
    let stored = system.reader().node(node)?;
    let busy = stored.is_some_and(|found| found.agent().is_some_and(|agent| agent.status.run().is_some()));
    if busy && job.trigger.overlap() == Overlap::Allow {
        return beside(system, job, spec, &agent.name, &own).await;
    }
    let (title, prompt) = words(system, job, spec);
    let start = AgentCommand::Start {
        run,
        purpose: Purpose::Fired {
            trigger: job.trigger.name().to_owned(),
            title,
            prompt,
        },
        share: share(spec),
        raised: raised(system, spec),
    };
    let start = system.command_after(Some(job.fired), node, Command::Agent(start));
    match start.await {
        Ok(_) => Ok(begun(run)),
        Err(error) => Ok(not_started(system, job, node, &agent, &error)),
    }
}

/// Makes the task of a firing, after another was replaced, or for one that an earlier daemon accepted: then
/// it may be there already.
async fn put_task(system: &System, job: &Job, spec: &SpawnSpec, agent: &str) -> Result<Came, Error> {
    let Deed { drafts, came } = make_task(system, job, spec, agent).await?;
    match system.store(drafts).await {
        Err(error) if error.code != Code::AlreadyExists => Err(error),
        _ => Ok(came),
    }
}

/// Who is refused because the provider gives nothing more is tried again when it may: of several
/// that waited for the end of a pause, one alone tries whether it is over.
fn not_started(system: &System, job: &Job, node: NodeId, agent: &AgentDefinition, why: &Error) -> Came {
    let (guard, now) = (system.guard(), system.now());
    let words = format!("not started: {why}");
    let waits = job.trigger.terms().on_quota == Hindered::Wait;
    if !waits || guard.readiness(node, &agent.spec, now) != Readiness::Later {
        return Came::Failed(words);
    }
    let end = guard.due(now).unwrap_or_else(|| now.plus(BACKOFF));
    Came::Later(words, end.max(now.plus(TRY_AGAIN)))
}

/// Another agent like the one that is busy, for this firing alone.
async fn beside(
    system: &System,
    job: &Job,
    spec: &SpawnSpec,
    like: &str,
    own: &Occurrence,
) -> Result<Came, Error> {
    let (title, prompt) = words(system, job, spec);
    let authority = Arc::new(Authority::whole(Principal::Trigger {
        name: job.trigger.name().to_owned(),
    }));
    let wanted = Wanted {
        like: like.to_owned(),
        name: None,
        duty: Duty::Prompt { title, prompt },
        share: share(spec),
        raised: raised(system, spec),
        key: Some(own.to_string()),
    };
    let run = RunId::derived(system.team().node(), &format!("spawn:{own}"));
    match spawn(system, &authority, wanted).await {
        Ok(_) => Ok(Came::Started(
            format!("started another agent like {like}"),
            Started::Run(run),
        )),
        Err(error) => Ok(Came::Failed(format!("not started: {error}"))),
    }
}

/// Each attempt is a run of its own.
fn attempt(job: &Job, occurrence: &Occurrence) -> Occurrence {
    match job.attempts {
        0 => occurrence.clone(),
        failed => Occurrence {
            trigger: occurrence.trigger.clone(),
            key: format!("{}#{}", occurrence.key, failed.saturating_add(1)),
        },
    }
}

fn share(spec: &SpawnSpec) -> Share {
    Share {
        tokens: spec.budget.as_ref().and_then(|budget| budget.tokens),
        usd: spec.budget.as_ref().and_then(|budget| budget.usd).map(Usd::from),
        ..Share::time(spec.max_duration.map(|span| span.0))
    }
}

/// What its run may do beside the usual, from now on.
fn raised(system: &System, spec: &SpawnSpec) -> Vec<Raise> {
    let raise = spec.raise.as_ref().map(|raise| Raise {
        tier: raise.tier,
        permissions: raise.permissions.iter().copied().collect(),
        until: system.now().plus(raise.duration.0),
    });
    raise.into_iter().collect()
}

/// Title and prompt of the run. Without any, it is told what the trigger is about.
fn words(system: &System, job: &Job, spec: &SpawnSpec) -> (String, String) {
    let (title, prompt) = match (&spec.task, &spec.prompt) {
        (Some(task), _) => (
            filled(system, job, &task.title),
            filled(system, job, &task.prompt),
        ),
        (None, Some(prompt)) => (job.trigger.name().to_owned(), filled(system, job, prompt)),
        (None, None) => (job.trigger.name().to_owned(), about(system, job)),
    };
    // They are part of one event.
    (title, cut(prompt, bounds::EVENT_PAYLOAD / 2))
}

fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let mut end = most;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}

/// Ends the run of whoever worked on the task that is handed in.
pub(in crate::scheduler) async fn end_worker(system: &System, job: &Job, task: NodeId) {
    let live = system.reader().live_runs().unwrap_or_default();
    let on_it = live
        .into_iter()
        .filter(|stored| matches!(stored.run.spec.purpose, Purpose::Work { task: of, .. } if of == task));
    for stored in on_it {
        let cause = StopCause::Requested {
            by: Principal::Trigger {
                name: job.trigger.name().to_owned(),
            },
            reason: "its task is handed in".to_owned(),
        };
        let stopped = system.command_after(Some(job.fired), stored.agent, stop(cause));
        if let Err(error) = stopped.await {
            tracing::error!(%error, "a run whose task is handed in could not be stopped");
        }
    }
}
