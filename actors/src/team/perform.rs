//! Carrying out a step.

use worknode_core::{
    agent::{AgentCommand, Share},
    bounds,
    command::Command,
    error::{Code, Error},
    event::Event,
    git::CommitId,
    hlc::Hlc,
    ids::{NodeId, RunId},
    node::{Kind, Node},
    run::{Purpose, StopCause},
    task::{Claim, ReleaseCause, TaskCommand},
};

use super::{
    RUNTIME,
    settlement::{Settlement, settlement},
    steps::Step,
};
use crate::{submit::submit, system::System};

/// Does it, and says in the log when it could not be done. What is left undone shows in the
/// view and is decided again.
pub(super) async fn perform(system: &System, step: &Step) {
    let outcome = match step {
        Step::MarkReady { task } => mark_ready(system, *task).await,
        Step::Lapse { task, epoch } => {
            ask_task(system, None, *task, TaskCommand::Lapse { epoch: *epoch }).await
        }
        Step::Work { task, agent } => work(system, *task, *agent).await,
        Step::Review { task, agent } => start(system, *agent, Purpose::Review { task: *task }).await,
        Step::Duty { agent } => start(system, *agent, Purpose::Standing).await,
        Step::Wake { agent } => ask_agent(system, None, *agent, AgentCommand::BackoffOver).await,
        Step::Settle { task } => settle(system, *task).await,
        Step::StopRun { agent } => stop_run(system, *agent).await,
        Step::Finish { team, open } => finish(system, *team, *open).await,
    };
    if let Err(error) = outcome {
        tracing::warn!(%error, ?step, "a step could not be taken");
        // Whatever refused it may refuse it again at once: do not spin.
        tokio::time::sleep(bounds::RETRY_AFTER).await;
    }
}

/// Nothing goes on by itself any more.
async fn finish(system: &System, team: NodeId, open: usize) -> Result<(), Error> {
    let count = |states: &[&str]| system.reader().count(&Kind::Task, states);
    let event = Event::PlanFinished {
        completed: count(&["completed"])?,
        failed: count(&["failed", "cancelled"])?,
        open,
    };
    system.record(RUNTIME, team, vec![event]).await.map(drop)
}

async fn ask_task(
    system: &System,
    cause: Option<Hlc>,
    task: NodeId,
    command: TaskCommand,
) -> Result<(), Error> {
    let asked = system.command_after(cause, task, Command::Task(command));
    asked.await.map(drop)
}

async fn ask_agent(
    system: &System,
    cause: Option<Hlc>,
    agent: NodeId,
    command: AgentCommand,
) -> Result<(), Error> {
    let asked = system.command_after(cause, agent, Command::Agent(command));
    asked.await.map(drop)
}

/// A task is ready because of the last that it waited for.
async fn mark_ready(system: &System, task: NodeId) -> Result<(), Error> {
    let node = system.reader().node(task)?;
    let depends_on: Vec<NodeId> = node.iter().flat_map(Node::dependencies).collect();
    let mut last = None;
    for id in depends_on {
        last = last.max(updated(system, id)?);
    }
    let cause = last.or(node.map(|node| node.created));
    ask_task(system, cause, task, TaskCommand::MarkReady).await
}

/// A run is stopped because of what became of its task.
async fn stop_run(system: &System, agent: NodeId) -> Result<(), Error> {
    let node = system.reader().node(agent)?;
    let run = node.as_ref().and_then(|node| node.agent()?.status.run());
    let cause = match run.and_then(|run| run.spec.purpose.task()) {
        Some(task) => updated(system, task)?,
        None => None,
    };
    let stop = AgentCommand::StopRun {
        cause: StopCause::TaskGone,
        grace: None,
    };
    ask_agent(system, cause, agent, stop).await
}

/// The last event of a Worknode.
fn updated(system: &System, node: NodeId) -> Result<Option<Hlc>, Error> {
    Ok(system.reader().node(node)?.map(|node| node.updated))
}

async fn start(system: &System, agent: NodeId, purpose: Purpose) -> Result<(), Error> {
    let start = AgentCommand::Start {
        run: system.new_run(),
        purpose,
        share: Share::default(),
        raised: Vec::new(),
    };
    ask_agent(system, None, agent, start).await
}

/// Claims the task for a run of the agent, then starts the run.
async fn work(system: &System, task: NodeId, agent: NodeId) -> Result<(), Error> {
    let run = system.new_run();
    let claim = TaskCommand::Claim {
        agent,
        run: Some(run),
        lease: bounds::LEASE,
    };
    let reply = system.command(task, Command::Task(claim)).await?;
    let (claim, node) = (reply.stamp(), reply.node()?);
    let Some(claimed) = node.task() else { return Ok(()) };
    let epoch = claimed.epoch;
    let start = AgentCommand::Start {
        run,
        purpose: Purpose::Work { task, epoch },
        share: claimed.spec.share(),
        raised: Vec::new(),
    };
    if let Err(error) = ask_agent(system, claim, agent, start).await {
        let release = TaskCommand::Release {
            epoch,
            cause: ReleaseCause::NotStarted,
            detail: error.message.clone(),
        };
        ask_task(system, claim, task, release).await?;
        return Err(error);
    }
    Ok(())
}

/// The run that held the task is over. Its process is proved gone by then, so what it left can
/// be judged, or the task handed on (P2).
async fn settle(system: &System, task: NodeId) -> Result<(), Error> {
    let reader = system.reader();
    let Some(node) = reader.node(task)? else {
        return Ok(());
    };
    let Some(claim) = node.task().and_then(|task| task.status.claim().cloned()) else {
        return Ok(());
    };
    let Some(id) = claim.run else { return Ok(()) };
    let run = reader.run(id)?;
    let end = run.as_ref().map(|stored| stored.updated);
    let settled = match settlement(run.as_ref().map(|stored| &stored.run.status)) {
        Settlement::Keep => return Ok(()),
        Settlement::HandIn => submit_for(system, end, task, (&claim, id)).await,
        Settlement::Release(cause, detail) => {
            ask_task(system, end, task, release(&claim, cause, detail)).await
        }
    };
    match settled {
        // It was handed in, given back or cancelled in the meantime.
        Err(error) if matches!(error.code, Code::StaleEpoch | Code::IllegalTransition) => Ok(()),
        other => other,
    }
}

/// An agent that finished without a word hands in what is at the head of its clone.
async fn submit_for(
    system: &System,
    end: Option<Hlc>,
    task: NodeId,
    (claim, run): (&Claim, RunId),
) -> Result<(), Error> {
    let detail = match left_behind(system, claim, run).await? {
        None => "it finished without a commit".to_owned(),
        Some(commit) => match submit(system, system.authority(), task, claim.epoch, commit).await {
            // Its commit is not one that can be judged; that is the agent's doing.
            Err(error) if error.code == Code::Refused => error.message,
            other => return other.map(drop),
        },
    };
    ask_task(
        system,
        end,
        task,
        release(claim, ReleaseCause::NothingSubmitted, detail),
    )
    .await
}

fn release(claim: &Claim, cause: ReleaseCause, detail: String) -> TaskCommand {
    TaskCommand::Release {
        epoch: claim.epoch,
        cause,
        detail,
    }
}

/// The commit at the head of the agent's clone, when it is not the one that it started from.
async fn left_behind(system: &System, claim: &Claim, run: RunId) -> Result<Option<CommitId>, Error> {
    let Some(agent) = system.reader().node(claim.agent)? else {
        return Ok(None);
    };
    let workspace = system.context().paths.workspace(&agent.name);
    let head = system
        .context()
        .store
        .head_of(&workspace)
        .await
        .map_err(|error| Error::new(Code::Failed, format!("cannot see what the agent left: {error}")))?;
    let start = crate::keeper::start_of(&system.context().paths, run).await;
    Ok(head.filter(|head| Some(head) != start.as_ref()))
}
