//! Agents are stopped. What came of it is told when they are: a stop is over when it is proved.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use worknode_core::{
    agent::AgentCommand,
    bounds,
    command::Command,
    error::Error,
    event::Principal,
    ids::{NodeId, RunId},
    run::RunStatus,
};
use worknode_policies::authority::Authority;
use worknode_triggers::{condition::Condition, glob::Glob};

use super::text::filled;
use crate::{
    scheduler::{
        job::{Came, Job},
        watch::agents_that,
    },
    system::System,
};

/// What a stop may take beyond its grace.
const MARGIN: Duration = Duration::from_secs(10);

/// Kills each agent that is meant; what is dead already counts as killed.
pub(super) async fn agents(
    system: &System,
    job: &Job,
    which: (&Glob, Option<&Condition>),
    reason: &str,
    grace: Option<Duration>,
) -> Result<Came, Error> {
    let authority = Arc::new(Authority::whole(Principal::Trigger {
        name: job.trigger.name().to_owned(),
    }));
    let reason = filled(system, job, reason);
    let (mut killed, mut failed, mut ending) = (Vec::new(), Vec::new(), Vec::new());
    for (node, name) in matching(system, which.0, which.1) {
        let run = run_of(system, node)?;
        let kill = Command::Agent(AgentCommand::Kill {
            reason: reason.clone(),
            grace,
        });
        match system.ask(&authority, node, kill, Some(job.fired)).await {
            Ok(_) => ending.push((name, run)),
            Err(error) => failed.push(format!("{name}: {error}")),
        }
    }
    // Asked all at once, so that their graces run beside each other.
    let asked = Instant::now();
    for (name, run) in ending {
        match run {
            Some(run) if !is_over_in_time(system, run, grace, asked).await? => {
                failed.push(format!("{name}: it has not ended yet; the stop goes on"));
            }
            _ => killed.push(name),
        }
    }
    if !failed.is_empty() {
        return Ok(Came::Failed(format!("not stopped: {}", failed.join("; "))));
    }
    Ok(Came::Done(if killed.is_empty() {
        "no agent matched".to_owned()
    } else {
        format!("stopped {}", killed.join(", "))
    }))
}

fn run_of(system: &System, agent: NodeId) -> Result<Option<RunId>, Error> {
    let node = system.reader().node(agent)?;
    Ok(node.and_then(|node| Some(node.agent()?.status.run()?.spec.id)))
}

/// Waits until the run is over, as long as its stop may take since it was asked for.
async fn is_over_in_time(
    system: &System,
    run: RunId,
    grace: Option<Duration>,
    asked: Instant,
) -> Result<bool, Error> {
    let reader = system.reader();
    let own = reader
        .run(run)?
        .map_or(bounds::STOP_GRACE, |stored| stored.run.spec.limits.grace);
    let mut follower = system.journal().follow(system.journal().last_stamp());
    let over = async {
        loop {
            match reader.run(run)?.map(|stored| stored.run.status) {
                None | Some(RunStatus::Exited { .. }) => return Ok(true),
                Some(_) => drop(follower.next(64).await?),
            }
        }
    };
    let limit = grace.unwrap_or(own).max(own).saturating_add(MARGIN);
    tokio::time::timeout_at(asked + limit, over)
        .await
        .unwrap_or(Ok(false))
}

/// Agents that the pattern names, and for which the condition holds if there is one.
fn matching(system: &System, pattern: &Glob, condition: Option<&Condition>) -> Vec<(NodeId, String)> {
    let agents = match condition {
        Some(condition) => agents_that(system, condition),
        None => {
            let all = system.agents().into_iter();
            all.map(|(node, agent)| (node, agent.name.clone())).collect()
        }
    };
    let named = agents.into_iter().filter(|(_, name)| pattern.matches(name));
    named.collect()
}
