//! Random trees that change at random, many changes in one commit: what is stored is what a plain
//! model says, and what the model refuses is refused.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tokio::task::JoinSet;
use worknode_core::{
    body::{Link, Relation},
    bounds,
    event::{Draft, Event},
    ids::NodeId,
    node::Kind,
};

use super::support::{Store, child, draft, node};
use crate::{Durability, Selector};

const KINDS: [Kind; 2] = [Kind::Project, Kind::Task];

/// One wish; the numbers choose among what is there.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Create { below: usize, name: u8, kind: usize },
    Move { who: usize, to: usize },
    Rename { who: usize, name: u8 },
    Depend { who: usize, on: usize },
    Archive { who: usize, away: bool },
}

fn wish() -> impl Strategy<Value = Wish> {
    // Half of all new ones hang below the newest, so that the tree gets deep.
    let below = prop_oneof![Just(usize::MAX), any::<usize>()];
    prop_oneof![
        4 => (below, 0..4_u8, 0..2_usize).prop_map(|(below, name, kind)| Wish::Create { below, name, kind }),
        3 => (any::<usize>(), any::<usize>()).prop_map(|(who, to)| Wish::Move { who, to }),
        2 => (any::<usize>(), 0..4_u8).prop_map(|(who, name)| Wish::Rename { who, name }),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(who, on)| Wish::Depend { who, on }),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(who, away)| Wish::Archive { who, away }),
    ]
}

#[derive(Clone, Debug)]
struct Known {
    parent: Option<NodeId>,
    kind: Kind,
    name: String,
    needs: BTreeSet<NodeId>,
    archived: bool,
}

#[derive(Clone, Debug)]
struct Model {
    nodes: BTreeMap<NodeId, Known>,
    order: Vec<NodeId>,
}

impl Model {
    fn new() -> Self {
        let root = Known {
            parent: None,
            kind: Kind::Organisation,
            name: "all".into(),
            needs: BTreeSet::new(),
            archived: false,
        };
        Self {
            nodes: [(NodeId::ROOT, root)].into(),
            order: vec![NodeId::ROOT],
        }
    }

    fn pick(&self, choice: usize) -> NodeId {
        let last = self.order.len() - 1;
        self.order[if choice == usize::MAX {
            last
        } else {
            choice % self.order.len()
        }]
    }

    fn above(&self, id: NodeId) -> Vec<NodeId> {
        let mut above = Vec::new();
        let mut next = self.nodes[&id].parent;
        while let Some(id) = next {
            above.push(id);
            next = self.nodes[&id].parent;
        }
        above
    }

    fn height(&self, id: NodeId) -> usize {
        let depth = self.above(id).len();
        let below = self
            .nodes
            .keys()
            .filter(|other| self.above(**other).contains(&id));
        below
            .map(|other| self.above(*other).len() - depth)
            .max()
            .unwrap_or(0)
    }

    fn is_taken(&self, parent: NodeId, kind: &Kind, name: &str) -> bool {
        self.nodes
            .values()
            .any(|known| known.parent == Some(parent) && known.kind == *kind && known.name == name)
    }

    fn needs(&self, id: NodeId, other: NodeId) -> bool {
        id == other || self.nodes[&id].needs.iter().any(|next| self.needs(*next, other))
    }

    /// What the wish comes to: the event, and whether it is possible.
    fn wish(&mut self, wish: Wish) -> (Draft, bool) {
        match wish {
            Wish::Create { below, name, kind } => self.create(self.pick(below), name, &KINDS[kind]),
            Wish::Move { who, to } => self.hang(self.pick(who), self.pick(to)),
            Wish::Rename { who, name } => self.rename(self.pick(who), name),
            Wish::Depend { who, on } => self.depend(self.pick(who), self.pick(on)),
            Wish::Archive { who, away } => {
                let id = self.pick(who);
                if let Some(known) = self.nodes.get_mut(&id) {
                    known.archived = away;
                }
                let reason = String::new();
                let event = if away {
                    Event::NodeArchived { reason }
                } else {
                    Event::NodeRestored
                };
                (draft(id, event), true)
            }
        }
    }

    fn create(&mut self, parent: NodeId, name: u8, kind: &Kind) -> (Draft, bool) {
        let id = node(self.order.len() as u128 + 1_000);
        let name = name.to_string();
        let fits = self.above(parent).len() < bounds::DEPTH && !self.is_taken(parent, kind, &name);
        let made = child(id, parent, kind.clone(), &name);
        if fits {
            let known = Known {
                parent: Some(parent),
                kind: kind.clone(),
                name,
                needs: BTreeSet::new(),
                archived: false,
            };
            self.nodes.insert(id, known);
            self.order.push(id);
        }
        (made, fits)
    }

    fn hang(&mut self, id: NodeId, to: NodeId) -> (Draft, bool) {
        let known = &self.nodes[&id];
        let fits = id != NodeId::ROOT
            && known.parent != Some(to)
            && id != to
            && !self.above(to).contains(&id)
            && self.above(to).len() + 1 + self.height(id) <= bounds::DEPTH
            && !self.is_taken(to, &known.kind, &known.name);
        if fits && let Some(known) = self.nodes.get_mut(&id) {
            known.parent = Some(to);
        }
        (draft(id, Event::NodeMoved { parent: to }), fits)
    }

    fn rename(&mut self, id: NodeId, name: u8) -> (Draft, bool) {
        let name = name.to_string();
        let known = &self.nodes[&id];
        let fits = match known.parent {
            Some(parent) => !self.is_taken(parent, &known.kind, &name),
            None => known.name != name,
        };
        if fits && let Some(known) = self.nodes.get_mut(&id) {
            known.name.clone_from(&name);
        }
        (draft(id, Event::NodeRenamed { name }), fits)
    }

    fn depend(&mut self, id: NodeId, on: NodeId) -> (Draft, bool) {
        let fits = !self.needs(on, id);
        if fits && let Some(known) = self.nodes.get_mut(&id) {
            known.needs.insert(on);
        }
        let link = Link {
            relation: Relation::DependsOn,
            to: on,
        };
        (draft(id, Event::Linked { link }), fits)
    }

    fn compare(&self, store: &Store) {
        let reader = store.journal.reader();
        let mut all = reader.select(&Selector::default()).unwrap().nodes;
        all.sort_by_key(|(node, _)| node.id);
        assert_eq!(all.len(), self.nodes.len());
        for ((stored, depth), (id, known)) in all.iter().zip(&self.nodes) {
            assert_eq!((stored.id, stored.parent), (*id, known.parent));
            assert_eq!((&stored.kind, &stored.name), (&known.kind, &known.name));
            assert_eq!(stored.body.is_archived(), known.archived);
            assert_eq!(stored.dependencies().collect::<BTreeSet<_>>(), known.needs);
            let above = self.above(*id);
            assert_eq!(reader.ancestors(*id).unwrap(), above);
            assert_eq!(*depth, above.len(), "depth of {id}");
        }
    }
}

async fn live(groups: Vec<Vec<Wish>>) {
    let mut store = Store::new().await;
    let mut model = Model::new();
    for group in groups {
        let mut asked = JoinSet::new();
        for (at, wish) in group.into_iter().enumerate() {
            let (draft, fits) = model.wish(wish);
            let journal = store.journal.clone();
            asked.spawn(async move {
                let answer = journal.append(vec![draft], Durability::Durable).await;
                (at, wish, fits, answer)
            });
        }
        for (at, wish, fits, answer) in asked.join_all().await {
            assert_eq!(answer.is_ok(), fits, "{at}: {wish:?}: {answer:?}");
        }
        model.compare(&store);
    }
    store.assert_sound().await;
    store.reopen().await;
    model.compare(&store);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_tree_is_what_a_plain_model_says(
        groups in prop::collection::vec(prop::collection::vec(wish(), 1..16), 1..12),
    ) {
        // One thread: what is spawned first asks first.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(live(groups));
    }
}
