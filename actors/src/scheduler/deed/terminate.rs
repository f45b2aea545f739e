//! Agents are stopped.

use std::{sync::Arc, time::Duration};

use worknode_core::{agent::AgentCommand, command::Command, error::Error, event::Principal, ids::NodeId};
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
    let (mut killed, mut failed) = (Vec::new(), Vec::new());
    for (node, name) in matching(system, which.0, which.1) {
        let kill = Command::Agent(AgentCommand::Kill {
            reason: reason.clone(),
            grace,
        });
        match system.ask(&authority, node, kill, Some(job.fired)).await {
            Ok(_) => killed.push(name),
            Err(error) => failed.push(format!("{name}: {error}")),
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
