//! Who spawns, and whether they may.

use std::sync::Arc;

use worknode_core::{
    agent::{AgentCommand, ended},
    budget::{self, SpawnLimits},
    command::Command,
    error::{Code, Error},
    event::Principal,
    ids::{NodeId, RunId},
    node::{Kind, Node},
    run::{RunStatus, StopCause},
};
use worknode_journal::NodeFilter;
use worknode_policies::authority::{Authority, Target, authorise};

use crate::{system::System, tuning::Tuning};

/// Whoever asks for another agent: an agent in one of its runs, or the team for everybody else.
pub(super) struct Spawner {
    /// Its Worknode; what it spawns hangs beneath.
    pub(super) node: Node,
    /// What its agents are told who asked.
    pub(super) name: String,
    run: Option<RunId>,
}

impl Spawner {
    pub(super) fn of(system: &System, by: &Principal) -> Result<Self, Error> {
        let (id, run) = match by {
            Principal::Agent { node, run, .. } => (*node, Some(*run)),
            Principal::Outside { .. }
            | Principal::Operator
            | Principal::Runtime
            | Principal::Trigger { .. } => (system.team().node(), None),
        };
        let node = system.reader().node(id)?;
        let node = node.ok_or_else(|| Error::new(Code::NotFound, format!("there is no Worknode {id}")))?;
        Ok(Self {
            node,
            name: by.to_string(),
            run,
        })
    }

    /// Is everything there that a spawn needs, apart from a budget?
    ///
    /// # Errors
    /// What is lacking.
    pub(super) fn may_spawn(
        &self,
        system: &System,
        authority: &Arc<Authority>,
        wish: &AgentCommand,
    ) -> Result<(), Error> {
        let standing = system.boundaries().of(self.node.id)?;
        let target = Target {
            node: self.node.id,
            ancestors: standing.above(),
            submitted_by: None,
        };
        authorise(authority, &Command::Agent(wish.clone()), &target)?;
        if self.is_ending(system)? {
            return Err(Error::new(
                Code::Refused,
                format!(
                    "`{}` may spawn nobody any more: its run is being stopped",
                    self.name
                ),
            ));
        }
        let spawner = budget::Spawner {
            name: &self.node.name,
            depth: self.depth(system, standing.above())?,
            spawned: self.live_children(system)?,
        };
        let Tuning {
            spawn, live_agents, ..
        } = system.tuning();
        let SpawnLimits { depth, fan_out } = spawn;
        let own = &authority.limits;
        let limits = SpawnLimits {
            depth: own.depth.map_or(depth, |own| own.min(depth)),
            fan_out: own.fan_out.map_or(fan_out, |own| own.min(fan_out)),
        };
        limits.check(spawner)?;
        let (live, most) = (system.reader().live_runs()?.len(), live_agents);
        if live >= most {
            let message = format!("{live} agents are alive, and {most} may be");
            return Err(Error::new(Code::LimitReached, message)
                .hint("wait until one is done, or raise `limits.agents`"));
        }
        Ok(())
    }

    /// On which level it is: how many spawned agents there are from it upwards, itself included.
    fn depth(&self, system: &System, above: &[NodeId]) -> Result<usize, Error> {
        let is_spawned = |node: &Node| node.agent().is_some_and(|agent| agent.spec.like.is_some());
        let mut depth = usize::from(is_spawned(&self.node));
        for id in above {
            depth += usize::from(system.reader().node(*id)?.as_ref().is_some_and(is_spawned));
        }
        Ok(depth)
    }

    fn live_children(&self, system: &System) -> Result<usize, Error> {
        let mut filter = NodeFilter {
            parent: Some(self.node.id),
            kind: Some(Kind::Agent),
            ..NodeFilter::default()
        };
        let mut live = 0;
        loop {
            let page = system.reader().nodes(&filter)?;
            let Some(last) = page.last() else { return Ok(live) };
            filter.after = Some(last.id);
            let agents = page.iter().filter_map(Node::agent);
            live += agents
                .filter(|agent| agent.spec.like.is_some() && agent.status.run().is_some())
                .count();
        }
    }

    fn is_ending(&self, system: &System) -> Result<bool, Error> {
        let Some(run) = self.run else { return Ok(false) };
        let status = system.reader().run(run)?.map(|stored| stored.run.status);
        Ok(matches!(
            status,
            None | Some(RunStatus::Stopping { .. } | RunStatus::Exited { .. })
        ))
    }

    /// What it spawned must end too, when its own run was stopped or went wrong in the meantime.
    /// Once the child's run is in the journal, the team sees to that.
    pub(super) async fn take_along(&self, system: &System, child: NodeId) -> Result<(), Error> {
        let Some(run) = self.run else { return Ok(()) };
        let stored = system.reader().run(run)?;
        let cause = stored.as_ref().map(|stored| stored.updated);
        let why = match stored.map(|stored| stored.run.status) {
            Some(RunStatus::Exited { receipt }) if !receipt.is_clean() => ended(&receipt),
            Some(RunStatus::Stopping { cause, .. }) => cause.words(),
            _ => return Ok(()),
        };
        tracing::warn!(spawner = %self.name, %why, "whoever spawned it ends");
        let stop = AgentCommand::StopRun {
            cause: StopCause::Parent {
                name: self.name.clone(),
            },
            grace: None,
        };
        let stopped = system.command_after(cause, child, Command::Agent(stop));
        stopped.await.map(drop)
    }
}
