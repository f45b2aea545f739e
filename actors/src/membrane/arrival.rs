//! Events that come in: through the rules, or onto the dead-letter list.

use serde_json::{Map, Value};
use worknode_core::{
    error::{Code, Error},
    event::{Event, Principal, Record},
    hlc::Hlc,
    ids::NodeId,
    letter::{self, Letter, LetterAction, LetterOutcome},
    membrane::MembraneSpec,
    node::Node,
};
use worknode_policies::membrane::{Arrival, Incoming, Rules, compile, compile::refusal};

use super::{Reply, boundaries::Stored};
use crate::system::System;

/// An event that is put aside, and what its sender is told.
#[derive(Clone, Debug)]
pub(crate) enum Aside {
    /// It was refused.
    Refused(String),
    /// There was no room for it.
    TooMuch(String),
}

/// What is to be stored, and whether that is a refusal.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) events: Vec<Event>,
    pub(crate) aside: Option<Aside>,
}

/// Decides on an event for `node` that `by` sends.
///
/// # Errors
/// `refused`, with the rule that said no.
pub(crate) fn emit(
    system: &System,
    node: &Node,
    by: &Principal,
    (name, version, data): (&str, u32, &Map<String, Value>),
) -> Result<Taken, Error> {
    let event = Incoming {
        node: node.id,
        by: by.clone(),
        name: name.to_owned(),
        version,
        data: data.clone(),
    };
    let rules = rules(system, node, by)?;
    match rules.arrive(event.clone(), &Stored(system.reader()), system.now()) {
        Arrival::Admit(event) => Ok(admitted(event)),
        Arrival::Refuse(reason) => Err(Error::new(
            Code::Refused,
            format!("`{name}` does not come in to `{}`: {reason}", node.name),
        )
        .hint("`worknode membrane show` shows what may come in")),
        Arrival::DeadLetter(reason) => Ok(kept(node, event, Aside::Refused(reason.to_string()))),
    }
}

/// Does what `by` does pass the membranes into `node`? For what changes the tree itself, which cannot
/// be put aside: it is done or not.
///
/// # Errors
/// `refused`, with the rule that said no.
pub(crate) fn passes_into(system: &System, node: NodeId, by: &Principal, event: &Event) -> Result<(), Error> {
    if *by == Principal::Runtime {
        return Ok(());
    }
    let standing = system.boundaries().of(node)?;
    if standing.rules().is_empty() {
        return Ok(());
    }
    let name = event.topic();
    // As it is stored, and so as filters know it.
    let data = match serde_json::to_value(event).map(|mut event| event["data"].take()) {
        Ok(Value::Object(data)) => data,
        Ok(_) | Err(_) => Map::new(),
    };
    let arriving = Incoming {
        node,
        by: by.clone(),
        name: name.to_owned(),
        version: 1,
        data,
    };
    match standing
        .rules()
        .arrive(arriving, &Stored(system.reader()), system.now())
    {
        Arrival::Admit(_) => Ok(()),
        Arrival::Refuse(reason) | Arrival::DeadLetter(reason) => {
            let message = format!("`{name}` does not pass the membranes of Worknode {node}: {reason}");
            Err(Error::new(Code::Refused, message).hint("`worknode membrane show` shows what may come in"))
        }
    }
}

/// Puts an event aside for which there was no room.
pub(crate) fn put_aside(
    node: &Node,
    by: &Principal,
    (name, version, data): (&str, u32, &Map<String, Value>),
    why: String,
) -> Taken {
    let event = Incoming {
        node: node.id,
        by: by.clone(),
        name: name.to_owned(),
        version,
        data: data.clone(),
    };
    kept(node, event, Aside::TooMuch(why))
}

/// Settles a dead letter of `node`. A replay is what the sender would have got had it come now, and
/// is recorded together with the end of the letter: never twice, never half (P6).
///
/// # Errors
/// `not_found` when the letter is not kept any more; `refused` when it is refused again: then it
/// stays.
pub(crate) fn settle(
    system: &System,
    node: &Node,
    stamp: Hlc,
    action: LetterAction,
) -> Result<Vec<Event>, Error> {
    let outcome = match action {
        LetterAction::Replay => LetterOutcome::Replayed,
        LetterAction::Discard => LetterOutcome::Discarded,
    };
    let settled = letter::settle(node, stamp, outcome)?;
    if action == LetterAction::Discard {
        return Ok(vec![settled]);
    }
    let (_, original) = read(system, node, stamp)?;
    let event = Incoming {
        node: node.id,
        by: original.by,
        name: original.name,
        version: original.version,
        data: original.data,
    };
    let rules = rules(system, node, &event.by)?;
    match rules.arrive(event, &Stored(system.reader()), system.now()) {
        Arrival::Admit(event) => Ok([vec![settled], admitted(event).events].concat()),
        Arrival::Refuse(reason) | Arrival::DeadLetter(reason) => {
            let message = format!("the dead letter {stamp} is still refused: {reason}");
            Err(Error::new(Code::Refused, message).hint("change the membrane, or discard it"))
        }
    }
}

/// A dead letter as it was kept, with the reason.
///
/// # Errors
/// `not_found` when there is none at this stamp; or the store cannot be read.
pub fn read(system: &System, node: &Node, stamp: Hlc) -> Result<(String, Letter), Error> {
    match system.reader().event(stamp)? {
        Some(Record {
            node: of,
            event: Event::DeadLettered { reason, original },
            ..
        }) if of == node.id => Ok((reason, *original)),
        _ => Err(Error::new(
            Code::NotFound,
            format!("`{}` has no dead letter {stamp}", node.name),
        )),
    }
}

/// What who sent an event is told when it was put aside.
pub(crate) fn answer(aside: Aside, records: &[Record]) -> Result<Reply, Error> {
    let kept = records
        .iter()
        .find(|record| matches!(record.event, Event::DeadLettered { .. }));
    let letter = kept.map_or(Hlc::ZERO, |record| record.at);
    match aside {
        Aside::TooMuch(reason) => Ok(Reply::PutAside { letter, reason }),
        Aside::Refused(reason) => {
            let message = format!("the event was refused and is kept as dead letter {letter}: {reason}");
            Err(Error::new(Code::Refused, message)
                .hint("mend the membrane and replay it: `worknode dead-letter replay`"))
        }
    }
}

/// Checks a membrane that somebody sets.
///
/// # Errors
/// `usage`, with every mistake in it.
pub(crate) fn check(node: &Node, membrane: Option<&MembraneSpec>) -> Result<(), Error> {
    match membrane.map(|membrane| compile(node.id, membrane)) {
        Some(Err(mistakes)) => Err(refusal(&mistakes)),
        Some(Ok(_)) | None => Ok(()),
    }
}

/// What the runtime itself records is no message from outside.
fn rules(system: &System, node: &Node, by: &Principal) -> Result<std::sync::Arc<Rules>, Error> {
    if *by == Principal::Runtime {
        return Ok(std::sync::Arc::default());
    }
    Ok(std::sync::Arc::clone(system.boundaries().of(node.id)?.rules()))
}

fn admitted(event: Incoming) -> Taken {
    let event = Event::Emitted {
        name: event.name,
        version: event.version,
        data: event.data,
    };
    Taken {
        events: vec![event],
        aside: None,
    }
}

fn kept(node: &Node, event: Incoming, aside: Aside) -> Taken {
    let (Aside::Refused(reason) | Aside::TooMuch(reason)) = &aside;
    let original = Letter {
        name: event.name,
        version: event.version,
        data: event.data,
        by: event.by,
    };
    Taken {
        events: letter::keep(node, reason.clone(), original),
        aside: Some(aside),
    }
}
