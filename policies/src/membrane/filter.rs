//! The condition of a membrane.

use worknode_core::{
    event::{Principal, Record},
    time::Timestamp,
};
use worknode_query::{Facts, Predicate, QueryError, Scope};

use super::outward::World;

/// A condition on an event, the Worknode that it is about and the agent that acted.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    predicate: Predicate,
    /// Whether it asks for more than the event: looking that up costs a read of the store.
    asks_node: bool,
    asks_agent: bool,
}

impl Filter {
    pub(super) fn compile(source: &str) -> Result<Self, QueryError> {
        let predicate = Predicate::compile(source, &Scope::event())?;
        Ok(Self {
            asks_node: mentions(source, "node"),
            asks_agent: mentions(source, "agent"),
            predicate,
        })
    }

    /// Does the event pass? What cannot be decided does not.
    pub(super) fn passes(&self, record: &Record, world: &dyn World, now: Timestamp) -> Result<(), String> {
        let node = self.asks_node.then(|| world.node(record.node)).flatten();
        let agent = match &record.by {
            Principal::Agent { node, .. } if self.asks_agent => world.node(*node),
            _ => None,
        };
        let facts = Facts::of_event(record, node.as_deref(), agent.as_deref(), now);
        let facts = facts.map_err(|error| format!("cannot be decided: {error}"))?;
        match self.predicate.matches(&facts) {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("`{}` does not hold", self.predicate)),
            Err(error) => Err(format!("`{}` cannot be decided: {error}", self.predicate)),
        }
    }
}

/// Does the name stand in the expression, on its own? More may be found than is asked for, never
/// less.
fn mentions(source: &str, name: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    source.split(|c: char| !word(c)).any(|found| found == name)
}
