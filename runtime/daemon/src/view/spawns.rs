//! Who spawned whom, and how many of them live.

use std::collections::HashMap;

use worknode_core::{
    bounds,
    ids::NodeId,
    node::{Kind, Node},
};

/// Agents by who spawned them.
pub(super) struct Spawns<'a> {
    agents: HashMap<NodeId, &'a Node>,
    live: HashMap<NodeId, usize>,
}

fn is_spawned(node: &Node) -> bool {
    node.agent().is_some_and(|agent| agent.spec.like.is_some())
}

impl<'a> Spawns<'a> {
    /// As these Worknodes have it.
    pub(super) fn among(nodes: impl IntoIterator<Item = &'a Node>) -> Self {
        let mut spawns = Self {
            agents: HashMap::new(),
            live: HashMap::new(),
        };
        for node in nodes.into_iter().filter(|node| node.kind == Kind::Agent) {
            spawns.agents.insert(node.id, node);
            let lives = node.agent().is_some_and(|agent| agent.status.run().is_some());
            if let Some(parent) = node.parent.filter(|_| lives && is_spawned(node)) {
                *spawns.live.entry(parent).or_default() += 1;
            }
        }
        spawns
    }

    /// How many agents led to this one by spawning, itself included; none for one of the
    /// configuration.
    pub(super) fn depth(&self, node: NodeId) -> usize {
        let above = |id: &NodeId| self.agents.get(id).and_then(|node| node.parent);
        let chain = std::iter::successors(Some(node), above).take(bounds::DEPTH + 1);
        chain
            .filter_map(|id| self.agents.get(&id))
            .filter(|node| is_spawned(node))
            .count()
    }

    /// How many agents it has spawned that live.
    pub(super) fn live(&self, node: NodeId) -> usize {
        self.live.get(&node).copied().unwrap_or_default()
    }
}
