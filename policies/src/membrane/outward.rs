//! What is seen from outside.

use std::{borrow::Cow, sync::Arc};

use serde_json::{Map, Value, json};
use worknode_core::{
    event::{Event, Record},
    ids::NodeId,
    node::Node,
    time::Timestamp,
};

use super::{Layer, Reason, Rules, translate};
use crate::names::fits;

/// What filters may ask beside the event.
pub trait World {
    /// A Worknode as it is now, when it is known.
    fn node(&self, id: NodeId) -> Option<Arc<Node>>;
}

/// Nothing beside the event.
impl World for () {
    fn node(&self, _: NodeId) -> Option<Arc<Node>> {
        None
    }
}

/// What is seen of an event from outside.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "it lives for a moment, and most events pass"
)]
pub enum Outward<'a> {
    /// This.
    Pass(Cow<'a, Record>),
    /// Nothing: it stays inside.
    Inside(Reason),
}

impl Rules {
    /// What is seen of `record` by who looks at a Worknode from outside: through all membranes from
    /// the event's own Worknode up to that one. `through` says which these are. Pure.
    ///
    /// What a membrane changes of one of the runtime's events makes it an event of the same type
    /// with data of its own: nothing of the original form is promised any more.
    #[must_use]
    pub fn outward<'a>(
        &self,
        record: &'a Record,
        through: &dyn Fn(NodeId) -> bool,
        world: &dyn World,
        now: Timestamp,
    ) -> Outward<'a> {
        let nearest_first = self.layers.iter().rev();
        let layers: Vec<&Layer> = nearest_first
            .map(AsRef::as_ref)
            .filter(|layer| through(layer.node))
            .collect();
        let mut seen = Cow::Borrowed(record);
        if layers.is_empty() {
            return Outward::Pass(seen);
        }
        if let Event::DeadLettered { reason, original } = &record.event {
            // What was refused was never looked through: of it only its name is told.
            let data = json!({ "reason": reason, "original": { "name": original.name } });
            seen = Cow::Owned(changed(record, "dead_lettered", 1, table(data)));
        }
        // First of all what any of them hides, so that none can rename it past another.
        for layer in &layers {
            redact(layer, &mut seen);
        }
        for layer in layers {
            if let Err(reason) = leave(layer, &mut seen, world, now) {
                return Outward::Inside(reason);
            }
        }
        Outward::Pass(seen)
    }
}

/// Through one membrane.
fn leave(layer: &Layer, seen: &mut Cow<'_, Record>, world: &dyn World, now: Timestamp) -> Result<(), Reason> {
    if let Some(filter) = &layer.filter {
        filter
            .passes(seen, world, now)
            .map_err(|why| layer.reason("filter", why))?;
    }
    let topic = seen.event.topic();
    if let Some(translation) = layer
        .translate
        .iter()
        .find(|translation| translation.from == topic)
    {
        let (version, data) = data_of(&seen.event);
        let to = translation.to.as_deref().unwrap_or(topic);
        let data = translate::apply(translation, Value::Object(data))
            .map_err(|why| layer.reason("translate", why.to_string()))?;
        *seen = Cow::Owned(changed(seen, to, version, table(data)));
        redact(layer, seen);
    }
    let topic = seen.event.topic();
    match &layer.emit {
        Some(emitted) if !emitted.iter().any(|glob| fits(glob, topic)) => {
            Err(layer.reason("emit", format!("events of type `{topic}` stay inside")))
        }
        _ => Ok(()),
    }
}

fn redact(layer: &Layer, seen: &mut Cow<'_, Record>) {
    if layer.redact.is_empty() {
        return;
    }
    let (version, mut data) = data_of(&seen.event);
    let mut any = false;
    for path in &layer.redact {
        any |= path.redact(&mut data);
    }
    if any {
        let topic = seen.event.topic().to_owned();
        *seen = Cow::Owned(changed(seen, &topic, version, data));
    }
}

fn changed(record: &Record, name: &str, version: u32, data: Map<String, Value>) -> Record {
    Record {
        event: Event::Emitted {
            name: name.to_owned(),
            version,
            data,
        },
        ..record.clone()
    }
}

/// The data of any event, and its version.
fn data_of(event: &Event) -> (u32, Map<String, Value>) {
    if let Event::Emitted { version, data, .. } = event {
        return (*version, data.clone());
    }
    // An event without data has none to change.
    match serde_json::to_value(event) {
        Ok(Value::Object(mut whole)) => (1, whole.remove("data").map(table).unwrap_or_default()),
        _ => (1, Map::new()),
    }
}

fn table(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(table) => table,
        _ => Map::new(),
    }
}
