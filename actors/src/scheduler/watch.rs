//! Events, as triggers see them.

use worknode_core::{
    bounds,
    event::{Principal, Record},
    ids::NodeId,
    node::Node,
    time::Timestamp,
};
use worknode_journal::Reader;
use worknode_query::Facts;
use worknode_triggers::{Trigger, condition::Condition, event::Seen, trigger::When};

use crate::system::System;

/// What triggers ask to know of an event. Read once, however many ask, and only when one asks.
pub(super) struct Known<'a> {
    record: &'a Record,
    source: String,
    path: Option<String>,
    facts: Option<Option<Facts>>,
}

impl<'a> Known<'a> {
    pub(super) fn of(record: &'a Record) -> Self {
        Self {
            source: record.node.to_string(),
            record,
            path: None,
            facts: None,
        }
    }

    /// The names from the team down.
    pub(super) fn path(&mut self, reader: &Reader) -> &str {
        self.path.get_or_insert_with(|| path(reader, self.record.node))
    }

    /// The event as this trigger asks to see it.
    pub(super) fn seen(&mut self, reader: &Reader, trigger: &Trigger) -> Seen<'_> {
        if matches!(trigger.when(), When::Event(rule) if rule.under.is_some()) {
            self.path(reader);
        }
        if trigger.needs_facts() && self.facts.is_none() {
            self.facts = Some(facts(reader, self.record));
        }
        Seen {
            kind: self.record.event.topic(),
            stamp: self.record.at,
            source: &self.source,
            path: self.path.as_deref().unwrap_or_default(),
            facts: self.facts.as_ref().and_then(Option::as_ref),
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

/// What conditions and texts are asked of an event.
pub(super) fn facts(reader: &Reader, record: &Record) -> Option<Facts> {
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
