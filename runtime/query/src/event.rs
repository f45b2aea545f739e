//! An event as expressions see it.

use serde_json::Value as Json;
use worknode_core::{
    event::{Event, Principal, Record},
    node::Node,
    time::Timestamp,
};

use crate::{
    fact::{Fact, TooDeep},
    facts::Facts,
    node::node_record,
    scope::{Scope, Shape},
};

/// The names in `event`.
pub(crate) fn names() -> Scope {
    Scope::empty()
        .with("type", Shape::Text, "its type; of an event of your own, its name")
        .with("data", Shape::Open, "what belongs to its type")
        .with(
            "node",
            Shape::Text,
            "the identity of the Worknode that it is about",
        )
        .with("by", Shape::Text, "who did it")
        .with(
            "by_kind",
            Shape::Text,
            "`operator`, `runtime`, `trigger` or `agent`",
        )
        .with("at", Shape::Time, "when")
        .with("cause", Shape::Text, "the stamp of the event that led to it")
}

impl Facts {
    /// An event with the Worknode that it is about and the agent that acted, as far as they are
    /// known: the names of [`Scope::event`].
    ///
    /// # Errors
    /// [`TooDeep`] when its data nests deeper than facts may.
    pub fn of_event(
        record: &Record,
        node: Option<&Node>,
        agent: Option<&Node>,
        now: Timestamp,
    ) -> Result<Self, TooDeep> {
        let event = Self::new()
            .with("type", record.event.topic())
            .with("data", data(&record.event)?)
            .with("node", record.node.to_string())
            .with("by", record.by.to_string())
            .with("by_kind", by_kind(&record.by))
            .with("at", record.at.wall)
            .with("cause", record.cause.map(|cause| cause.to_string()));
        Ok(Self::new()
            .with("event", event)
            .with("node", node.map(|node| node_record(node, now)))
            .with("agent", agent.map(|agent| node_record(agent, now)))
            .at(now))
    }
}

const fn by_kind(by: &Principal) -> &'static str {
    match by {
        Principal::Operator => "operator",
        Principal::Runtime => "runtime",
        Principal::Trigger { .. } => "trigger",
        Principal::Agent { .. } => "agent",
        Principal::Outside { .. } => "outside",
    }
}

/// What belongs to the event's type. Of the user's own events it is what they were emitted with.
fn data(event: &Event) -> Result<Fact, TooDeep> {
    if let Event::Emitted { data, .. } = event {
        let entry = |(key, value): (&String, &Json)| {
            let fact = value
                .as_str()
                .map_or_else(|| Fact::json(value), |text| Ok(written(text)));
            Ok((key.clone(), fact?))
        };
        let entries: Result<Vec<_>, TooDeep> = data.iter().map(entry).collect();
        return Ok(Fact::map(entries?));
    }
    // A payload that cannot be written as JSON has no parts that could be asked for.
    match serde_json::to_value(event) {
        Ok(Json::Object(mut parts)) => parts
            .get_mut("data")
            .map_or_else(|| Ok(Fact::map([])), |data| Fact::json(data)),
        _ => Ok(Fact::map([])),
    }
}

/// A text of a command line: what is exactly how a number or a truth is written is one, so that
/// `event.data.exit_code != 0` says what it seems to say.
fn written(text: &str) -> Fact {
    if let Ok(truth) = text.parse::<bool>() {
        return Fact::from(truth);
    }
    if let Some(whole) = text.parse::<i64>().ok().filter(|whole| whole.to_string() == text) {
        return Fact::from(whole);
    }
    match text.parse::<f64>().ok().filter(|real| real.to_string() == text) {
        Some(real) if real.is_finite() => Fact::from(real),
        _ => Fact::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_exactly_a_number_is_one() {
        assert_eq!(written("0"), Fact::from(0));
        assert_eq!(written("-17"), Fact::from(-17));
        assert_eq!(written("0.81"), Fact::from(0.81));
        assert_eq!(written("true"), Fact::from(true));
        for text in ["007", "1.10", "+1", "inf", "NaN", "1e3", "", "0x10", "True"] {
            assert_eq!(written(text), Fact::from(text), "{text}");
        }
    }
}
