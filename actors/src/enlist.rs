//! Agents that the configuration has since the daemon started: those that new triggers bring with
//! them.

use worknode_core::{
    error::Error,
    event::{Draft, Event, Principal},
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
