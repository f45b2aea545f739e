//! What an agent spawned goes on while it does, and after it ended well. When it was stopped or
//! went wrong, its children end with it, and theirs with them.

use worknode_core::{
    agent::AgentCommand,
    command::Command,
    error::Error,
    event::{Event, Record},
    hlc::Hlc,
    ids::NodeId,
    run::{RunStatus, StopCause},
};

use super::State;

impl State {
    /// A run is over: its agent's children follow, unless it ended well.
    pub(super) fn take_children_along(&mut self, record: &Record) {
        let Event::RunExited { receipt, .. } = &record.event else {
            return;
        };
        if receipt.is_clean() {
            return;
        }
        for (child, parent) in self.living_children() {
            if parent == record.node {
                self.stop_with(child, parent, record.at);
            }
        }
    }

    /// The same for what ended while nobody followed: with or under an earlier daemon, or in the
    /// moment in which this one took its runs back.
    pub(super) fn take_orphans_along(&mut self) -> Result<(), Error> {
        for (child, parent) in self.living_children() {
            if self.view.run_of(parent).is_some() {
                continue;
            }
            let last = self.system.reader().runs_of(parent, 1)?.pop();
            if let Some(last) = last
                && let RunStatus::Exited { receipt } = &last.run.status
                && !receipt.is_clean()
            {
                self.stop_with(child, parent, last.updated);
            }
        }
        Ok(())
    }

    /// Spawned agents that have a run, each with the agent that spawned it.
    fn living_children(&self) -> Vec<(NodeId, NodeId)> {
        let agents = self.view.agents.values();
        let living = agents.filter_map(|node| {
            let agent = node.agent()?;
            let parent = node
                .parent
                .filter(|parent| self.view.agents.contains_key(parent))?;
            (agent.spec.like.is_some() && agent.status.run().is_some()).then_some((node.id, parent))
        });
        living.collect()
    }

    fn stop_with(&mut self, child: NodeId, parent: NodeId, ended: Hlc) {
        let name = self.view.agents.get(&parent).map(|node| node.name.clone());
        let stop = AgentCommand::StopRun {
            cause: StopCause::Parent {
                name: name.unwrap_or_else(|| parent.to_string()),
            },
            grace: None,
        };
        let system = self.system.clone();
        self.jobs.spawn(async move {
            let stopped = system.command_after(Some(ended), child, Command::Agent(stop));
            if let Err(error) = stopped.await {
                tracing::error!(%error, %child, "a child could not be stopped with its parent");
            }
        });
    }
}
