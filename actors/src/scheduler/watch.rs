//! Events, as triggers see them.

use worknode_core::{
    bounds,
    event::{Principal, Record},
    hlc::Hlc,
    ids::NodeId,
    node::Node,
    time::Timestamp,
};
use worknode_journal::Reader;
use worknode_query::Facts;
use worknode_triggers::{Trigger, condition::Condition, event::Seen, trigger::When};

use crate::system::System;

/// What a trigger asks to know of an event; nothing is read that it does not ask for.
pub(super) struct Known {
    source: String,
    path: String,
    facts: Option<Facts>,
}

impl Known {
    pub(super) fn of(system: &System, trigger: &Trigger, record: &Record) -> Self {
        let reader = system.reader();
        let watches_part = matches!(trigger.when(), When::Event(rule) if rule.under.is_some());
        Self {
            source: record.node.to_string(),
            path: if watches_part {
                path(reader, record.node)
            } else {
                String::new()
            },
            facts: trigger.needs_facts().then(|| facts(reader, record)).flatten(),
        }
    }

    pub(super) fn seen<'a>(&'a self, kind: &'a str, stamp: Hlc) -> Seen<'a> {
        Seen {
            kind,
            stamp,
            source: &self.source,
            path: &self.path,
            facts: self.facts.as_ref(),
        }
    }
}

/// A Worknode, as conditions on tasks see it.
pub(super) fn facts_of_node(reader: &Reader, node: NodeId, now: Timestamp) -> Option<Facts> {
    Some(Facts::of_node(&found(reader, node)?, now))
}

/// The agents of the team for which a condition on `agent` and `now` holds. One for which it has
/// no answer is not among them, and that is told.
pub(super) fn agents_that(system: &System, condition: &Condition) -> Vec<(NodeId, String)> {
    let now = system.now();
    let holds = |node: NodeId| {
        let Some(agent) = facts_of_node(system.reader(), node, now) else {
            return false;
        };
        let answer = condition.holds(&Facts::new().with("agent", agent).at(now));
        answer.unwrap_or_else(|error| {
            tracing::warn!(%error, "a condition has no answer for an agent");
            false
        })
    };
    let agents = system.agents().into_iter();
    let named = agents.map(|(node, agent)| (node, agent.name.clone()));
    named.filter(|(node, _)| holds(*node)).collect()
}

fn facts(reader: &Reader, record: &Record) -> Option<Facts> {
    let node = found(reader, record.node);
    let agent = match &record.by {
        Principal::Agent { node, .. } => found(reader, *node),
        _ => None,
    };
    // Seen at the time of the event, so that a restart sees the same.
    let facts = Facts::of_event(record, node.as_ref(), agent.as_ref(), record.at.wall);
    facts
        .map_err(|error| tracing::warn!(%error, at = %record.at, "conditions cannot be asked of an event"))
        .ok()
}

/// The names from the team down.
fn path(reader: &Reader, node: NodeId) -> String {
    let mut names = Vec::new();
    let mut next = Some(node);
    while let Some(node) = next.and_then(|node| found(reader, node)) {
        names.push(node.name);
        next = node.parent.filter(|_| names.len() <= bounds::DEPTH);
    }
    names.reverse();
    names.join("/")
}

fn found(reader: &Reader, node: NodeId) -> Option<Node> {
    let found = reader.node(node);
    found
        .map_err(|error| tracing::error!(%error, "a trigger cannot read a Worknode"))
        .ok()
        .flatten()
}
