//! Notes are found by their words, the best first, and the newest first.

use serde_json::json;
use worknode_core::{
    event::{Draft, Event},
    ids::NodeId,
    node::{Detail, Kind, NodeSpec},
};

use super::support::{Store, draft, node, task};

fn note(n: u128, kind: &Kind, text: &str) -> Draft {
    let mut spec = NodeSpec::new(
        Some(NodeId::ROOT),
        kind.clone(),
        format!("note {n}"),
        Detail::Plain,
    );
    spec.body
        .attributes
        .insert("text".to_owned(), json!({ "deep": [text] }));
    draft(node(n), Event::NodeCreated { node: spec })
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

async fn store() -> Store {
    let store = Store::new().await;
    let notes = vec![
        note(1, &Kind::Issue, "the database is locked"),
        note(2, &Kind::Issue, "the database is gone, and with it the weather"),
        note(3, &Kind::Decision, "which database"),
        note(4, &Kind::Issue, "no route to host"),
        task(node(5), "database"),
    ];
    store.append(notes).await.unwrap();
    store
}

#[tokio::test]
async fn notes_of_one_kind_are_found_by_any_word_the_best_first() {
    let store = store().await;
    let reader = store.journal.reader();
    let found = |kind, text: &str| -> Vec<NodeId> {
        let found = reader.ranked(&kind, &words(text), 10).unwrap();
        assert!(found.is_sorted_by(|a, b| a.1 >= b.1), "{found:?}");
        found.into_iter().map(|(node, _)| node.id).collect()
    };
    assert_eq!(found(Kind::Issue, "database locked"), [node(1), node(2)]);
    assert_eq!(found(Kind::Issue, "datab"), [node(1), node(2)]);
    assert_eq!(found(Kind::Decision, "database locked"), [node(3)]);
    assert_eq!(found(Kind::Memory, "database"), []);
    assert_eq!(found(Kind::Task, "database"), [], "a task is no note");
    let archived = Event::NodeArchived {
        reason: String::new(),
    };
    store.append(vec![draft(node(1), archived)]).await.unwrap();
    assert_eq!(found(Kind::Issue, "database locked"), [node(2)]);
}

#[tokio::test]
async fn no_words_of_a_stranger_break_the_ranking() {
    let store = store().await;
    for hostile in [
        "", "\"", "\" OR \"", "*", "NEAR(", "\0", "😀", "text:", "^a", "a\"\"b",
    ] {
        let words = vec![hostile.to_owned(), "database".to_owned()];
        let found = store.journal.reader().ranked(&Kind::Issue, &words, 10).unwrap();
        assert_eq!(found.len(), 2, "{hostile:?}");
    }
    let many: Vec<String> = (0..10_000).map(|n| format!("word{n}")).collect();
    assert_eq!(
        store.journal.reader().ranked(&Kind::Issue, &many, 10).unwrap(),
        []
    );
}

#[tokio::test]
async fn the_newest_come_first_wherever_they_are() {
    let store = store().await;
    let reader = store.journal.reader();
    let ids = |nodes: Vec<worknode_core::node::Node>| -> Vec<NodeId> {
        nodes.into_iter().map(|node| node.id).collect()
    };
    assert_eq!(ids(reader.newest(&Kind::Issue, 2).unwrap()), [node(4), node(2)]);
    let below = reader.newest_below(NodeId::ROOT, &Kind::Issue, 10).unwrap();
    assert_eq!(ids(below), [node(4), node(2), node(1)]);
    assert_eq!(ids(reader.newest_below(node(1), &Kind::Issue, 10).unwrap()), []);
}
