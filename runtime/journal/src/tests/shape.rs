//! The shape of the tree: what may hang where, what may be called what, what may depend on what.

use worknode_core::{
    body::{Link, NewBody, Relation},
    bounds,
    error::{Code, Error},
    event::Event,
    ids::NodeId,
    node::{Detail, Kind, NodeSpec},
    task::TaskSpec,
};

use super::support::{Store, child, draft, node, task, task_spec};
use crate::{AppendError, Selector};

fn moved(id: NodeId, parent: NodeId) -> worknode_core::event::Draft {
    draft(id, Event::NodeMoved { parent })
}

fn renamed(id: NodeId, name: &str) -> worknode_core::event::Draft {
    draft(id, Event::NodeRenamed { name: name.into() })
}

fn depends_on(id: NodeId, to: NodeId) -> worknode_core::event::Draft {
    let link = Link {
        relation: Relation::DependsOn,
        to,
    };
    draft(id, Event::Linked { link })
}

async fn code(store: &Store, draft: worknode_core::event::Draft) -> Code {
    Error::from(store.append(vec![draft]).await.unwrap_err()).code
}

/// `first` and below it one child each, down to `last`.
async fn chain(store: &Store, first: u128, last: u128, top: NodeId) {
    let mut above = top;
    for n in first..=last {
        let name = format!("level-{n}");
        store
            .append(vec![child(node(n), above, Kind::Project, &name)])
            .await
            .unwrap();
        above = node(n);
    }
}

#[tokio::test]
async fn a_worknode_moves_with_all_below_it() {
    let mut store = Store::new().await;
    chain(&store, 1, 3, NodeId::ROOT).await;
    chain(&store, 11, 12, NodeId::ROOT).await;
    store.append(vec![moved(node(2), node(12))]).await.unwrap();
    store.reopen().await;
    let reader = store.journal.reader();
    let above = reader.ancestors(node(3)).unwrap();
    assert_eq!(above, [node(2), node(12), node(11), NodeId::ROOT]);
    assert_eq!(reader.children(node(1), None, 10).unwrap(), []);
    assert_eq!(reader.children(node(12), None, 10).unwrap()[0].id, node(2));
    let below = Selector {
        root: node(11),
        ..Selector::default()
    };
    let levels = reader.select(&below).unwrap().nodes;
    let levels: Vec<_> = levels.iter().map(|(node, depth)| (node.id, *depth)).collect();
    assert_eq!(levels, [(node(2), 3), (node(3), 4), (node(11), 1), (node(12), 2)]);
    store.assert_sound().await;
}

#[tokio::test]
async fn nothing_hangs_below_itself() {
    let store = Store::new().await;
    chain(&store, 1, 3, NodeId::ROOT).await;
    assert_eq!(code(&store, moved(node(1), node(3))).await, Code::Usage);
    assert_eq!(code(&store, moved(node(1), node(1))).await, Code::Usage);
    assert_eq!(code(&store, moved(NodeId::ROOT, node(1))).await, Code::Usage);
    assert_eq!(code(&store, moved(node(1), NodeId::ROOT)).await, Code::Usage);
    assert_eq!(code(&store, moved(node(1), node(99))).await, Code::NotFound);
    assert_eq!(code(&store, moved(node(99), node(1))).await, Code::NotFound);
    store.assert_sound().await;
}

#[tokio::test]
async fn p8_nothing_is_made_or_moved_deeper_than_the_bound() {
    let store = Store::new().await;
    let deepest = bounds::DEPTH as u128;
    chain(&store, 1, deepest, NodeId::ROOT).await;
    let one_more = child(node(50), node(deepest), Kind::Project, "one more");
    assert_eq!(code(&store, one_more).await, Code::LimitReached);
    chain(&store, 101, 102, NodeId::ROOT).await;
    assert_eq!(
        code(&store, moved(node(101), node(deepest - 1))).await,
        Code::LimitReached
    );
    store
        .append(vec![moved(node(101), node(deepest - 2))])
        .await
        .unwrap();
    store.assert_sound().await;
}

#[tokio::test]
async fn p8_nobody_gets_more_children_than_the_bound() {
    let store = Store::new().await;
    chain(&store, 1, 1, NodeId::ROOT).await;
    let first = 1_000;
    let children = (0..bounds::CHILDREN as u128)
        .map(|n| child(node(first + n), node(1), Kind::Document, &n.to_string()))
        .collect();
    store.append(children).await.unwrap();
    store
        .append(vec![child(node(5), NodeId::ROOT, Kind::Document, "late")])
        .await
        .unwrap();
    let one_more = child(node(6), node(1), Kind::Document, "one more");
    assert_eq!(code(&store, one_more).await, Code::LimitReached);
    assert_eq!(code(&store, moved(node(5), node(1))).await, Code::LimitReached);
    // One leaves, one comes.
    store
        .append(vec![moved(node(first), NodeId::ROOT)])
        .await
        .unwrap();
    store.append(vec![moved(node(5), node(1))]).await.unwrap();
    store.assert_sound().await;
}

#[tokio::test]
async fn p8_what_is_forgotten_leaves_room_for_another_and_needs_it_to_come_back() {
    let store = Store::new().await;
    chain(&store, 1, 1, NodeId::ROOT).await;
    let first = 1_000;
    let memories = (0..bounds::CHILDREN as u128)
        .map(|n| child(node(first + n), node(1), Kind::Memory, &n.to_string()))
        .collect();
    store.append(memories).await.unwrap();
    let one_more = || child(node(5), node(1), Kind::Memory, "one more");
    assert_eq!(code(&store, one_more()).await, Code::LimitReached);
    let archived = |id| {
        let reason = "forgotten".to_owned();
        draft(id, Event::NodeArchived { reason })
    };
    store.append(vec![archived(node(first))]).await.unwrap();
    // Twice is once.
    store.append(vec![archived(node(first))]).await.unwrap();
    store.append(vec![one_more()]).await.unwrap();
    let next = child(node(6), node(1), Kind::Memory, "next");
    assert_eq!(code(&store, next).await, Code::LimitReached);
    let back = draft(node(first), Event::NodeRestored);
    assert_eq!(code(&store, back.clone()).await, Code::LimitReached);
    // What takes no place takes none with it, and leaves none.
    store
        .append(vec![moved(node(first), NodeId::ROOT)])
        .await
        .unwrap();
    assert_eq!(
        code(&store, child(node(6), node(1), Kind::Memory, "next")).await,
        Code::LimitReached
    );
    store.append(vec![back]).await.unwrap();
    // Documents that are put away are still there.
    store.append(vec![archived(node(1))]).await.unwrap();
    store.assert_sound().await;
}

#[tokio::test]
async fn names_are_given_and_set_free_in_one_group() {
    let store = Store::new().await;
    for (n, name) in [(1, "a"), (2, "b"), (3, "c")] {
        store
            .append(vec![child(node(n), NodeId::ROOT, Kind::Project, name)])
            .await
            .unwrap();
    }
    assert_eq!(code(&store, renamed(node(1), "b")).await, Code::AlreadyExists);
    // The later row gives its name away, and the earlier one takes it.
    let (first, second, third) = tokio::join!(
        store.append(vec![renamed(node(2), "x")]),
        store.append(vec![renamed(node(1), "b")]),
        store.append(vec![child(node(4), NodeId::ROOT, Kind::Project, "a")]),
    );
    first.unwrap();
    second.unwrap();
    third.unwrap();
    // Two want the same name in one group: the first has it.
    let (first, second) = tokio::join!(
        store.append(vec![renamed(node(3), "y")]),
        store.append(vec![renamed(node(4), "y")]),
    );
    first.unwrap();
    assert!(matches!(second, Err(AppendError::AlreadyExists { .. })));
    // Another kind may be called the same.
    store
        .append(vec![child(node(5), NodeId::ROOT, Kind::Issue, "y")])
        .await
        .unwrap();
    store.assert_sound().await;
}

#[tokio::test]
async fn a_move_needs_its_name_to_be_free_below() {
    let store = Store::new().await;
    chain(&store, 1, 1, NodeId::ROOT).await;
    for (n, parent) in [(2, NodeId::ROOT), (3, node(1))] {
        store
            .append(vec![child(node(n), parent, Kind::Document, "notes")])
            .await
            .unwrap();
    }
    assert_eq!(code(&store, moved(node(2), node(1))).await, Code::AlreadyExists);
    let (freed, moved) = tokio::join!(
        store.append(vec![renamed(node(3), "old notes")]),
        store.append(vec![moved(node(2), node(1))]),
    );
    freed.unwrap();
    moved.unwrap();
    store.assert_sound().await;
}

#[tokio::test]
async fn no_task_waits_for_itself() {
    let store = Store::new().await;
    for n in 1..=4 {
        store.append(vec![task(node(n), &n.to_string())]).await.unwrap();
    }
    for (from, to) in [(1, 2), (2, 3), (3, 4)] {
        store
            .append(vec![depends_on(node(from), node(to))])
            .await
            .unwrap();
    }
    for from in [2, 3, 4] {
        assert_eq!(code(&store, depends_on(node(from), node(1))).await, Code::Usage);
    }
    assert_eq!(code(&store, depends_on(node(1), node(1))).await, Code::Usage);
    assert_eq!(code(&store, depends_on(node(1), node(9))).await, Code::NotFound);
    // Other links may run in a circle.
    let twin = Event::Linked {
        link: Link {
            relation: Relation::Duplicates,
            to: node(1),
        },
    };
    store.append(vec![draft(node(4), twin)]).await.unwrap();
    let (one, other) = tokio::join!(
        store.append(vec![
            child(node(5), NodeId::ROOT, Kind::Issue, "5"),
            child(node(6), NodeId::ROOT, Kind::Issue, "6")
        ]),
        async {
            tokio::join!(
                store.append(vec![depends_on(node(5), node(6))]),
                store.append(vec![depends_on(node(6), node(5))])
            )
        }
    );
    one.unwrap();
    assert!(other.0.is_ok() && other.1.is_err(), "{other:?}");
    store.assert_sound().await;
}

#[tokio::test]
async fn what_a_new_worknode_names_must_be_there() {
    let store = Store::new().await;
    let with = |body| {
        let mut spec = NodeSpec::new(Some(NodeId::ROOT), Kind::Issue, "broken", Detail::Plain);
        spec.body = body;
        draft(node(1), Event::NodeCreated { node: spec })
    };
    let link = Link {
        relation: Relation::ProducedBy,
        to: node(9),
    };
    let linked = with(NewBody {
        links: [link].into(),
        ..NewBody::default()
    });
    assert_eq!(code(&store, linked).await, Code::NotFound);
    let assigned = with(NewBody {
        assignees: [node(9)].into(),
        ..NewBody::default()
    });
    assert_eq!(code(&store, assigned).await, Code::NotFound);
    store
        .append(vec![child(node(2), NodeId::ROOT, Kind::Issue, "2")])
        .await
        .unwrap();
    let assigned = draft(node(2), Event::Assigned { to: node(9) });
    assert_eq!(code(&store, assigned).await, Code::NotFound);
    store.assert_sound().await;
}

#[tokio::test]
async fn a_plan_that_changes_changes_what_is_blocked_and_found() {
    let store = Store::new().await;
    for n in 1..=3 {
        store.append(vec![task(node(n), &n.to_string())]).await.unwrap();
    }
    let spec = TaskSpec {
        depends_on: vec![node(2)],
        title: "Measure twice".into(),
        ..task_spec("1")
    };
    let detail = Detail::Task(Box::new(spec));
    store
        .append(vec![draft(node(1), Event::NodeUpdated { detail })])
        .await
        .unwrap();
    let reader = store.journal.reader();
    assert_eq!(reader.links_to(node(2)).unwrap()[0].node, node(1));
    let words = Selector {
        words: Some("twice".into()),
        ..Selector::default()
    };
    assert_eq!(reader.select(&words).unwrap().nodes[0].0.id, node(1));
    assert_eq!(code(&store, depends_on(node(2), node(1))).await, Code::Usage);
    store.assert_sound().await;
}

#[tokio::test]
async fn p8_attributes_beyond_a_payload_are_refused_whole() {
    let store = Store::new().await;
    let set = |bytes| {
        let value = serde_json::Value::String("x".repeat(bytes));
        Event::AttributesSet {
            attributes: [("text".to_owned(), value)].into(),
            version: 0,
        }
    };
    store
        .append(vec![child(node(1), NodeId::ROOT, Kind::Document, "long")])
        .await
        .unwrap();
    let large = draft(node(1), set(bounds::EVENT_PAYLOAD + 1));
    assert_eq!(code(&store, large).await, Code::LimitReached);
    store
        .append(vec![draft(node(1), set(bounds::EVENT_PAYLOAD - 1_000))])
        .await
        .unwrap();
    store.assert_sound().await;
}

#[tokio::test]
async fn moves_are_counted_for_those_who_remember_where_things_hang() {
    let store = Store::new().await;
    chain(&store, 1, 2, NodeId::ROOT).await;
    let before = store.journal.moves();
    store.append(vec![renamed(node(2), "other")]).await.unwrap();
    assert_eq!(store.journal.moves(), before);
    store.append(vec![moved(node(2), NodeId::ROOT)]).await.unwrap();
    assert_ne!(store.journal.moves(), before);
}

#[tokio::test]
async fn worknodes_are_found_by_what_people_call_them() {
    let store = Store::new().await;
    chain(&store, 0x10, 0x11, NodeId::ROOT).await;
    for (n, kind) in [(0x20, Kind::Issue), (0x21, Kind::Document)] {
        store
            .append(vec![child(node(n), node(0x10), kind, "same")])
            .await
            .unwrap();
    }
    let reader = store.journal.reader();
    let ids = |nodes: Vec<worknode_core::node::Node>| nodes.iter().map(|node| node.id).collect::<Vec<_>>();
    let named = |parent, name| ids(reader.children_named(parent, name).unwrap());
    assert_eq!(named(node(0x10), "same"), [node(0x20), node(0x21)]);
    assert_eq!(named(NodeId::ROOT, "same"), []);
    let beginning = |text: &str| ids(reader.beginning_with(text, 10).unwrap());
    assert_eq!(beginning(&node(0x11).to_string()), [node(0x11)]);
    assert_eq!(beginning("00000000-0000-7"), [NodeId::ROOT]);
    assert_eq!(beginning("0").len(), 5);
    assert_eq!(beginning("same"), []);
    assert_eq!(reader.place_of(NodeId::ROOT).unwrap(), Some(1));
    assert_eq!(reader.place_of(node(99)).unwrap(), None);
}
