//! What runs makes room for what is due (`overlap = "replace"`).

use worknode_core::{
    agent::{AgentCommand, AgentStatus},
    command::Command,
    error::{Code, Error},
    event::Principal,
    firing::Started,
    hlc::Hlc,
    ids::{NodeId, RunId},
    run::{RunStatus, StopCause},
    task::TaskCommand,
};

use super::{
    State,
    job::{Came, Job, Stage, takes_time},
    outcome,
};
use crate::system::System;

/// A firing that is to end before another one acts.
#[derive(Debug)]
pub(super) struct Previous {
    job: Job,
    /// What it started; nothing when it had come to nothing yet.
    started: Option<Started>,
}

impl State {
    /// What another firing of the trigger replaces. Those that act are broken off at once.
    pub(super) fn previous(&mut self, place: usize) -> Vec<Previous> {
        let Some(slot) = self.slots.get_mut(place) else {
            return Vec::new();
        };
        let running = slot.live.iter_mut();
        let running = running.filter(|live| takes_time(&live.job.action) && !live.is_waiting());
        let previous = running.map(|live| {
            let started = match &mut live.stage {
                Stage::Running(started) => Some(*started),
                Stage::Acting(handle) => {
                    if let Some(handle) = handle.take() {
                        handle.abort();
                    }
                    None
                }
                Stage::Waiting | Stage::Resting(_) => None,
            };
            Previous {
                job: live.job.clone(),
                started,
            }
        });
        previous.collect()
    }
}

/// Ends them, and waits until that is so.
///
/// # Errors
/// What could not be ended.
pub(super) async fn end_all(system: &System, previous: &[Previous], by: &Job) -> Result<(), Error> {
    for one in previous {
        match one.started {
            None => {
                let came = Came::Failed(format!("replaced by {}", by.occurrence));
                outcome::record(system, &one.job, came).await;
            }
            Some(Started::Run(run)) => stop_run(system, run, by).await?,
            Some(Started::Task(task)) => cancel(system, task, by).await?,
            // Its successor raises it anew, and each takes back what it found.
            Some(Started::Priority { .. } | Started::Raised { .. }) => {}
        }
    }
    Ok(())
}

async fn stop_run(system: &System, run: RunId, by: &Job) -> Result<(), Error> {
    let Some(stored) = system.reader().run(run)? else {
        return Ok(());
    };
    if matches!(stored.run.status, RunStatus::Exited { .. }) {
        return Ok(());
    }
    let cause = StopCause::Requested {
        by: Principal::Trigger {
            name: by.trigger.name().to_owned(),
        },
        reason: format!("replaced by {}", by.occurrence),
    };
    let stop = Command::Agent(AgentCommand::StopRun { cause, grace: None });
    system.command_after(Some(by.fired), stored.agent, stop).await?;
    wait_until_over(system, stored.agent, run, by.fired).await;
    Ok(())
}

async fn cancel(system: &System, task: NodeId, by: &Job) -> Result<(), Error> {
    let cancel = TaskCommand::Cancel {
        reason: format!("replaced by {}", by.occurrence),
    };
    match system
        .command_after(Some(by.fired), task, Command::Task(cancel))
        .await
    {
        // It is over already.
        Err(error) if error.code != Code::IllegalTransition => Err(error),
        _ => Ok(()),
    }
}

/// Follows the journal until the agent's run is over; the run's own stop bounds the wait.
async fn wait_until_over(system: &System, agent: NodeId, run: RunId, since: Hlc) {
    let mut follower = system.journal().follow(system.journal().last_stamp().max(since));
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
