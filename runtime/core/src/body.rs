//! What every Worknode can carry, whatever its kind: attributes, tags, assignees, links, a
//! membrane of its own.
//!
//! All of it merges: attributes are last-writer-wins registers, tags, assignees and links are
//! observed-remove sets, each stamped with the event that changed it. Two stores that have seen
//! the same events hold the same.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    bounds,
    event::Event,
    hlc::Hlc,
    ids::NodeId,
    letter::LetterOutcome,
    membrane::MembraneSpec,
    merge::{Json, Lww, LwwMap, LwwOp, OrSet, OrSetOp, Seen},
};

/// What two Worknodes have to do with each other, read from the one that has the link.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// The other must be completed first. `A blocks B` is the same link, read from A: it is kept
    /// as `B depends on A`.
    DependsOn,
    /// The other says the same, and is the one that counts.
    Duplicates,
    /// The other made it.
    ProducedBy,
}

impl Relation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::DependsOn, Self::Duplicates, Self::ProducedBy];

    /// The relation's name, as in JSON and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DependsOn => "depends_on",
            Self::Duplicates => "duplicates",
            Self::ProducedBy => "produced_by",
        }
    }

    /// The same, read from the other side.
    #[must_use]
    pub const fn reverse_name(self) -> &'static str {
        match self {
            Self::DependsOn => "blocks",
            Self::Duplicates => "duplicated_by",
            Self::ProducedBy => "produces",
        }
    }
}

/// A link from one Worknode to another.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Link {
    /// What the two have to do with each other.
    pub relation: Relation,
    /// The other one.
    pub to: NodeId,
}

/// What a Worknode is created with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct NewBody {
    /// Version of the schema that the attributes follow; 0 where the kind has none.
    pub version: u32,
    /// Its attributes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Value>,
    /// Its tags.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// Who is to see to it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub assignees: BTreeSet<NodeId>,
    /// What it has to do with others.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub links: BTreeSet<Link>,
    /// Its own membrane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub membrane: Option<Box<MembraneSpec>>,
}

impl NewBody {
    /// Nothing at all: what most Worknodes are created with.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a Worknode carries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Body {
    /// Version of the schema that the attributes follow; 0 where the kind has none.
    #[serde(skip_serializing_if = "is_default")]
    pub version: u32,
    /// Its attributes. What this version does not know is kept.
    #[serde(skip_serializing_if = "is_default")]
    pub attributes: LwwMap<String, Json>,
    /// Its tags.
    #[serde(skip_serializing_if = "is_default")]
    pub tags: OrSet<String>,
    /// Who is to see to it.
    #[serde(skip_serializing_if = "is_default")]
    pub assignees: OrSet<NodeId>,
    /// What it has to do with others.
    #[serde(skip_serializing_if = "is_default")]
    pub links: OrSet<Link>,
    /// Is it put away?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived: Option<Lww<bool>>,
    /// Its own membrane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub membrane: Option<Box<MembraneSpec>>,
    /// The refused events that it keeps: the stamps of those that kept them.
    #[serde(skip_serializing_if = "is_default")]
    pub letters: OrSet<Hlc>,
    /// How many it kept and had to give up.
    #[serde(skip_serializing_if = "is_default")]
    pub letters_lost: u64,
    /// The messages to it that nobody has acknowledged: the stamps of those that kept them.
    #[serde(skip_serializing_if = "is_default")]
    pub inbox: OrSet<Hlc>,
}

/// Nothing to say. A set that is empty may still remember removals, so emptiness is not enough.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Body {
    /// The body of a Worknode that is created at `at`.
    #[must_use]
    pub fn new(given: &NewBody, at: Hlc) -> Self {
        let mut body = Self {
            version: given.version,
            membrane: given.membrane.clone(),
            ..Self::default()
        };
        for (name, value) in &given.attributes {
            write(&mut body.attributes, name, value, at);
        }
        for tag in &given.tags {
            add(&mut body.tags, tag, at);
        }
        for assignee in &given.assignees {
            add(&mut body.assignees, assignee, at);
        }
        for link in &given.links {
            add(&mut body.links, link, at);
        }
        body
    }

    /// Carries it nothing?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Is it put away?
    #[must_use]
    pub fn is_archived(&self) -> bool {
        self.archived.as_ref().is_some_and(|archived| *archived.value())
    }

    /// The Worknodes that must be completed first, by its links.
    pub fn depends_on(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.links
            .iter()
            .filter(|link| link.relation == Relation::DependsOn)
            .map(|link| link.to)
    }

    /// Takes `event` in, when it is one that changes a body. The events of one store come in their
    /// order; however those of several are mixed, and however often they come, the same comes out.
    ///
    /// Answers whether it was one.
    pub fn apply(&mut self, event: &Event, at: Hlc) -> bool {
        match event {
            Event::AttributesSet { attributes, version } => {
                self.version = self.version.max(*version);
                for (name, value) in attributes {
                    write(&mut self.attributes, name, value, at);
                }
            }
            Event::NodeArchived { .. } => self.put_away(true, at),
            Event::NodeRestored => self.put_away(false, at),
            Event::MembraneSet { membrane } => self.membrane.clone_from(membrane),
            _ => return self.apply_to_ties(event, at) || self.apply_to_mail(event, at),
        }
        true
    }

    /// What ties it to others: tags, who sees to it, links.
    fn apply_to_ties(&mut self, event: &Event, at: Hlc) -> bool {
        match event {
            Event::Tagged { tag } => add(&mut self.tags, tag, at),
            Event::Untagged { tag, seen } => remove(&mut self.tags, tag, seen, at),
            Event::Assigned { to } => add(&mut self.assignees, to, at),
            Event::Unassigned { to, seen } => remove(&mut self.assignees, to, seen, at),
            Event::Linked { link } => add(&mut self.links, link, at),
            Event::Unlinked { link, seen } => remove(&mut self.links, link, seen, at),
            _ => return false,
        }
        true
    }

    /// What lies before it and waits: messages, and letters that did not pass.
    fn apply_to_mail(&mut self, event: &Event, at: Hlc) -> bool {
        match event {
            Event::DeadLettered { .. } => add(&mut self.letters, &at, at),
            Event::DeadLetterSettled { letter, outcome } => self.settle(*letter, *outcome, at),
            Event::MessageSent { .. } => add(&mut self.inbox, &at, at),
            Event::MessageAcked { message } => remove(&mut self.inbox, message, &[*message], at),
            _ => return false,
        }
        true
    }

    fn settle(&mut self, letter: Hlc, outcome: LetterOutcome, at: Hlc) {
        if outcome == LetterOutcome::Lost && self.letters.contains(&letter) {
            self.letters_lost = self.letters_lost.saturating_add(1);
        }
        remove(&mut self.letters, &letter, &[letter], at);
    }

    fn put_away(&mut self, away: bool, at: Hlc) {
        match &mut self.archived {
            Some(archived) => {
                archived.write(away, at);
            }
            None => self.archived = Some(Lww::new(away, at)),
        }
    }
}

fn write(attributes: &mut LwwMap<String, Json>, name: &str, value: &Value, at: Hlc) {
    let value = (!value.is_null()).then(|| Json(value.clone()));
    let key = name.to_owned();
    attributes.apply(&LwwOp { key, value }, at);
    if attributes.tombstones() > bounds::REMEMBERED_REMOVALS {
        attributes.collect(&up_to(at));
    }
}

fn add<T: Ord + Clone>(set: &mut OrSet<T>, value: &T, at: Hlc) {
    let over = Vec::new();
    let value = value.clone();
    set.apply(&OrSetOp::Add { value, over }, at);
}

fn remove<T: Ord + Clone>(set: &mut OrSet<T>, value: &T, seen: &[Hlc], at: Hlc) {
    let (value, dots) = (value.clone(), seen.to_vec());
    set.apply(&OrSetOp::Remove { value, dots }, at);
    if set.tombstones() > bounds::REMEMBERED_REMOVALS {
        set.collect(&up_to(at));
    }
}

/// All that this store has recorded until `at`. It is the only one that writes: nobody else has to
/// hear of a removal before it can be forgotten.
fn up_to(at: Hlc) -> Seen {
    let mut seen = Seen::new();
    seen.note(at);
    seen
}
