//! Who can run: the agents of the configuration, and those that were spawned in their likeness.

use std::{collections::HashMap, sync::Arc};

use worknode_core::{
    agent::AgentSpec,
    budget::{Budget, Unit},
    error::Error,
    ids::NodeId,
    node::Kind,
};
use worknode_journal::Reader;

use crate::{
    definition::{AgentDefinition, TeamDefinition},
    store::all_of_kind,
};

/// An agent that was spawned.
#[derive(Clone, Debug)]
pub(crate) struct Spawned {
    /// Its Worknode.
    pub(crate) node: NodeId,
    /// That of whoever spawned it: an agent's, or the team's for the operator.
    pub(crate) parent: NodeId,
    /// What it is.
    pub(crate) definition: AgentDefinition,
}

impl Spawned {
    /// `spec`, with all else as the agent `base` has it.
    pub(crate) fn new(
        node: NodeId,
        parent: NodeId,
        base: &AgentDefinition,
        name: String,
        spec: AgentSpec,
    ) -> Self {
        // Its one run and all that it spawns share what one like it has. What it was given of tokens
        // and money is for all of them; its other limits are only its own run's.
        let own = Budget::from(&spec.limits);
        let given = [Unit::Tokens, Unit::Usd].into_iter();
        let given = given.filter_map(|unit| Some((unit, own.of(unit)?)));
        let budget = given.fold(base.budget.unwrap_or_default(), |budget, (unit, most)| {
            budget.at_most(unit, most)
        });
        let definition = AgentDefinition {
            name,
            budget: (!budget.is_unlimited()).then_some(budget),
            spec,
            ..base.clone()
        };
        Self {
            node,
            parent,
            definition,
        }
    }
}

/// The agents that were spawned before and whose likeness is still in the configuration, each
/// after the one that spawned it.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn stored(reader: &Reader, team: &TeamDefinition) -> Result<Vec<Spawned>, Error> {
    let nodes = all_of_kind(reader, Kind::Agent)?;
    let spawned = nodes.into_iter().filter_map(|node| {
        let agent = node.agent()?;
        let like = agent.spec.like.as_deref()?;
        let base = team.agents.iter().find(|base| base.name == like)?;
        // Since then the configuration may have an agent of this name itself.
        team.agent(node.id).is_none().then(|| {
            Spawned::new(
                node.id,
                node.parent.unwrap_or(team.node()),
                base,
                node.name.clone(),
                agent.spec.clone(),
            )
        })
    });
    Ok(spawned.collect())
}

/// What each agent is.
#[derive(Debug)]
pub(crate) struct Known(HashMap<NodeId, Arc<AgentDefinition>>);

impl Known {
    /// Those of the configuration and those that were spawned.
    pub(crate) fn new(team: &TeamDefinition, spawned: Vec<Spawned>) -> Self {
        let configured = team.agents.iter().map(|agent| {
            let node = team.agent_node(&agent.name);
            (node, Arc::new(agent.clone()))
        });
        let spawned = spawned
            .into_iter()
            .map(|spawned| (spawned.node, Arc::new(spawned.definition)));
        Self(spawned.chain(configured).collect())
    }

    pub(crate) fn learn(&mut self, node: NodeId, agent: AgentDefinition) {
        self.0.insert(node, Arc::new(agent));
    }

    pub(crate) fn forget(&mut self, node: NodeId) {
        self.0.remove(&node);
    }

    pub(crate) fn get(&self, node: NodeId) -> Option<Arc<AgentDefinition>> {
        self.0.get(&node).cloned()
    }

    /// All, by name.
    pub(crate) fn all(&self) -> Vec<(NodeId, Arc<AgentDefinition>)> {
        let mut all: Vec<_> = self
            .0
            .iter()
            .map(|(node, agent)| (*node, Arc::clone(agent)))
            .collect();
        all.sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
        all
    }
}
