//! Dead letters: events that were refused and are kept until somebody has looked at them.
//!
//! The journal keeps the letter, a Worknode only which of them are open: a list in its state would
//! be written anew with each. When it keeps [`DEAD_LETTERS`] the oldest is given up for the next,
//! and that is an event too.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    bounds::DEAD_LETTERS,
    error::{Code, Error},
    event::{Event, Principal, first_version},
    hlc::Hlc,
    node::Node,
};

/// An event as it came and was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Letter {
    /// Its name.
    pub name: String,
    /// Version of the form of its data.
    #[serde(default = "first_version")]
    pub version: u32,
    /// Its data.
    #[serde(default)]
    pub data: Map<String, Value>,
    /// Who sent it.
    pub by: Principal,
}

/// What became of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LetterOutcome {
    /// It went through the membrane after all.
    Replayed,
    /// Somebody does not want it.
    Discarded,
    /// There was no room for it any more.
    Lost,
}

/// What can be done about a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LetterAction {
    /// Let the membrane look at it again.
    Replay,
    /// Throw it away.
    Discard,
}

/// The events that keep `original` at `node`. Pure.
#[must_use]
pub fn keep(node: &Node, reason: String, original: Letter) -> Vec<Event> {
    let letters = &node.body.letters;
    let too_many = letters.len().saturating_add(1).saturating_sub(DEAD_LETTERS);
    let lost = letters
        .iter()
        .take(too_many)
        .map(|letter| settled(*letter, LetterOutcome::Lost));
    let original = Box::new(original);
    lost.chain([Event::DeadLettered { reason, original }]).collect()
}

/// The event that ends the keeping of `letter` at `node`. Pure.
///
/// # Errors
/// `not_found` when it is not kept there, or no longer: what was replayed is not replayed again.
pub fn settle(node: &Node, letter: Hlc, outcome: LetterOutcome) -> Result<Event, Error> {
    if node.body.letters.contains(&letter) {
        return Ok(settled(letter, outcome));
    }
    let what = format!("`{}` keeps no dead letter {letter}", node.name);
    Err(Error::new(Code::NotFound, what)
        .hint("it may be settled already; `worknode dead-letter list` shows what is kept"))
}

const fn settled(letter: Hlc, outcome: LetterOutcome) -> Event {
    Event::DeadLetterSettled { letter, outcome }
}
