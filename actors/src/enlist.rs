//! Agents that the configuration has since the daemon started, and those that it has no more: those
//! that triggers bring with them.

use worknode_core::{
    error::Error,
    event::{Draft, Event, Principal},
    ids::NodeId,
    node::{Detail, Kind, NodeSpec},
};

use crate::{definition::AgentDefinition, system::System};

/// Makes these agents part of the team; doing it again changes nothing. Answers the names of those
/// that are to be something else than they are: nobody but the Worknode itself may write what it
/// is, so that waits for the next start.
///
/// # Errors
/// When it cannot be stored; then none of them is part of the team.
pub async fn enlist(system: &System, agents: &[AgentDefinition]) -> Result<Vec<String>, Error> {
    let team = system.team().node();
    let (mut drafts, mut enlisted, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
    for agent in agents {
        let node = system.team().agent_node(&agent.name);
        system.stays(node);
        match system.reader().node(node)? {
            None => {
                let detail = Detail::Agent(Box::new(agent.spec.clone()));
                let node_spec = NodeSpec::new(Some(team), Kind::Agent, agent.name.clone(), detail);
                drafts.push(Draft {
                    node,
                    by: Principal::Runtime,
                    cause: None,
                    event: Event::NodeCreated { node: node_spec },
                });
            }
            Some(known) if known.agent().is_some_and(|known| known.spec == agent.spec) => {}
            Some(_) => {
                waiting.push(agent.name.clone());
                continue;
            }
        }
        // First the books: nobody can start an agent that has none.
        system.guard().enlist(node, agent)?;
        enlisted.push(agent.clone());
    }
    if !drafts.is_empty() {
        system.store(drafts).await?;
    }
    if !enlisted.is_empty() {
        system.enlarge(&enlisted);
    }
    Ok(waiting)
}

/// Lets these agents go as soon as each has no run: nobody can start them any more, as if the daemon
/// had begun without them. What they did stays in the journal, and so do their Worknodes.
pub fn discharge(system: &System, agents: &[String]) {
    for name in agents {
        let node = system.team().agent_node(name);
        system.leaves(node);
        let (system, name) = (system.clone(), name.clone());
        // Its run ends at its own limits, and the journal with its daemon.
        tokio::spawn(async move {
            if wait_until_idle(&system, node).await && system.take_leave(node, &name) {
                tracing::info!(agent = name, "the agent of a trigger that is gone has left");
            }
        });
    }
}

/// False when nobody will ever know.
async fn wait_until_idle(system: &System, agent: NodeId) -> bool {
    let mut follower = system.journal().follow(system.journal().last_stamp());
    loop {
        let busy = match system.reader().node(agent) {
            Ok(found) => {
                found.is_some_and(|node| node.agent().is_some_and(|agent| agent.status.run().is_some()))
            }
            Err(error) => {
                tracing::error!(%error, "it cannot be told whether an agent that is to leave has a run");
                return false;
            }
        };
        if !busy {
            return true;
        }
        if follower.next(64).await.is_err() {
            return false;
        }
    }
}
