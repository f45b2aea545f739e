//! Selections, against a plain filter over all Worknodes.

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;
use worknode_core::{
    event::{Draft, Event},
    hlc::Hlc,
    ids::NodeId,
    node::{Kind, Node},
    time::Timestamp,
};

use super::support::{MORNING, Store, child, draft, node};
use crate::{Selector, Span, limits};

const KINDS: [&str; 4] = ["project", "task", "document", "person"];
const STATUSES: [&str; 4] = ["", "pending", "ready", "cancelled"];
const TAGS: [&str; 3] = ["red", "green", "blue"];
const WORDS: [&str; 4] = ["schema", "Größe", "design twice", "c++"];

fn kind(name: &str) -> Kind {
    name.parse().unwrap()
}

/// One Worknode that the test makes; the numbers choose.
type Wish = (usize, usize, usize, usize, usize, u64);

/// A tree of what was wished, with a minute or less between any two events.
async fn grow(store: &Store, wishes: &[Wish]) {
    let mut ids = vec![NodeId::ROOT];
    for (at, &(above, of_kind, status, tag, word, pause)) in wishes.iter().enumerate() {
        let id = node(at as u128 + 1);
        let kind = kind(KINDS[of_kind]);
        let name = format!("{}-{at}", WORDS[word].chars().next().unwrap());
        let mut drafts = vec![child(id, ids[above % ids.len()], kind.clone(), &name)];
        let mut also = |event| drafts.push(draft(id, event));
        if kind == Kind::Task {
            let reason = String::new();
            match STATUSES[status] {
                "ready" => also(Event::TaskReady),
                "cancelled" => also(Event::TaskCancelled { reason }),
                _ => {}
            }
        }
        if tag < TAGS.len() {
            also(Event::Tagged {
                tag: TAGS[tag].into(),
            });
            also(Event::Assigned {
                to: ids[tag % ids.len()],
            });
        }
        if status == 0 && kind != Kind::Task {
            also(Event::NodeArchived {
                reason: String::new(),
            });
        }
        let text = serde_json::Value::String(format!("about {} and more", WORDS[word]));
        also(Event::AttributesSet {
            attributes: [("text".to_owned(), text)].into(),
            version: 0,
        });
        store.append(drafts).await.unwrap();
        store.clock.advance(Duration::from_millis(pause));
        // Deep enough to be a tree, and never too deep.
        if store.journal.reader().ancestors(id).unwrap().len() < 8 {
            ids.push(id);
        }
    }
}

fn holds(span: Span, at: Option<Hlc>) -> bool {
    if span == Span::default() {
        return true;
    }
    at.is_some_and(|at| {
        span.from.is_none_or(|from| at.wall >= from) && span.to.is_none_or(|to| at.wall <= to)
    })
}

fn words_of(node: &Node) -> BTreeSet<String> {
    let text = node.body.attributes.get(&"text".to_owned());
    let text = text.and_then(|value| value.0.as_str()).unwrap_or_default();
    let title = node.task().map_or("", |task| task.spec.title.as_str());
    let prompt = node.task().map_or("", |task| task.spec.prompt.as_str());
    let all = format!("{} {text} {title} {prompt}", node.name).to_lowercase();
    all.split(|c: char| !c.is_alphanumeric())
        .map(str::to_owned)
        .collect()
}

/// The same question, asked of one Worknode in the plainest way.
fn is_selected(selector: &Selector, node: &Node, above: &[NodeId]) -> bool {
    let words = selector.words.as_deref().unwrap_or_default().to_lowercase();
    let in_text = words_of(node);
    (node.id == selector.root || above.contains(&selector.root))
        && selector.parent.is_none_or(|parent| node.parent == Some(parent))
        && (selector.kinds.is_empty() || selector.kinds.contains(&node.kind))
        && (selector.statuses.is_empty() || selector.statuses.iter().any(|status| status == node.status()))
        && selector.name.as_ref().is_none_or(|name| node.name == *name)
        && selector
            .name_prefix
            .as_ref()
            .is_none_or(|prefix| node.name.starts_with(prefix))
        && selector
            .tag
            .as_ref()
            .is_none_or(|tag| node.body.tags.contains(tag))
        && selector
            .assignee
            .is_none_or(|to| node.body.assignees.contains(&to))
        && selector
            .archived
            .is_none_or(|archived| node.body.is_archived() == archived)
        && holds(selector.created, Some(node.created))
        && holds(selector.updated, Some(node.updated))
        && holds(selector.finished, node.times.finished)
        && words
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .all(|word| in_text.iter().any(|known| known.starts_with(word)))
}

/// All pages of it, each of at most `limit`.
fn all_pages(store: &Store, selector: &Selector) -> Vec<(Node, usize)> {
    let reader = store.journal.reader();
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = reader
            .select(&Selector {
                after,
                ..selector.clone()
            })
            .unwrap();
        assert!(page.nodes.len() <= selector.limit);
        all.extend(page.nodes);
        match page.next {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
}

fn span() -> impl Strategy<Value = Span> {
    let end =
        || prop::option::of((0..200_000_u64).prop_map(|n| Timestamp::from_millis(MORNING.as_millis() + n)));
    prop_oneof![
        3 => Just(Span::default()),
        1 => (end(), end()).prop_map(|(from, to)| Span { from, to })
    ]
}

fn chosen(from: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    let some = prop::collection::vec(prop::sample::select(from).prop_map(str::to_owned), 1..3);
    prop_oneof![2 => Just(Vec::new()), 1 => some]
}

fn selector() -> impl Strategy<Value = Selector> {
    let id = || {
        prop::option::weighted(
            0.3,
            (0..40_u128).prop_map(|n| if n == 0 { NodeId::ROOT } else { node(n) }),
        )
    };
    let text = |texts: &'static [&'static str]| {
        prop::option::weighted(0.3, prop::sample::select(texts).prop_map(str::to_owned))
    };
    let place = (id(), id(), chosen(&KINDS), chosen(&STATUSES));
    let labels = (
        text(&["s-1", "d-2", "nobody"]),
        text(&["s", "d-", "c-1", ""]),
        text(&["red", "green", "yellow"]),
        id(),
        prop::option::weighted(0.3, any::<bool>()),
    );
    let rest = (
        span(),
        span(),
        span(),
        text(&[
            "schema",
            "sche more",
            "größe",
            "DESIGN",
            "c++",
            "absent",
            "twice about",
        ]),
        1..7_usize,
    );
    (place, labels, rest).prop_map(|(place, labels, rest)| Selector {
        root: place.0.unwrap_or(NodeId::ROOT),
        parent: place.1,
        kinds: place.2.iter().map(|name| kind(name)).collect(),
        statuses: place.3,
        name: labels.0,
        name_prefix: labels.1,
        tag: labels.2,
        assignee: labels.3,
        archived: labels.4,
        created: rest.0,
        updated: rest.1,
        finished: rest.2,
        words: rest.3,
        limit: rest.4,
        ..Selector::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_selection_is_what_a_plain_filter_finds(
        wishes in prop::collection::vec((any::<usize>(), 0..4_usize, 0..4_usize, 0..5_usize, 0..4_usize, 0..60_000_u64), 1..40),
        selectors in prop::collection::vec(selector(), 40),
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let store = Store::new().await;
            grow(&store, &wishes).await;
            let everything = all_pages(&store, &Selector::default());
            assert_eq!(everything.len(), wishes.len() + 1);
            for selector in selectors {
                let expected: Vec<_> = everything
                    .iter()
                    .filter(|(node, _)| {
                        let above = store.journal.reader().ancestors(node.id).unwrap();
                        is_selected(&selector, node, &above)
                    })
                    .cloned()
                    .collect();
                assert_eq!(all_pages(&store, &selector), expected, "{selector:?}");
            }
        });
    }
}

#[tokio::test]
async fn no_words_of_a_stranger_break_the_search() {
    let store = Store::new().await;
    grow(&store, &[(0, 2, 1, 9, 0, 0), (0, 2, 1, 9, 3, 0)]).await;
    let found = |words: &str| {
        let selector = Selector {
            words: Some(words.to_owned()),
            ..Selector::default()
        };
        store.journal.reader().select(&selector).unwrap().nodes.len()
    };
    assert_eq!(found("schema"), 1);
    assert_eq!(found("SCHEMA about"), 1);
    assert_eq!(found("schema\0about"), 1);
    assert_eq!(found("c++"), 1);
    for nothing in ["", " \t\n", "\0", "\"", "\"\"\"", "***", "()", "+++", "😀"] {
        assert_eq!(found(nothing), 0, "{nothing:?}");
    }
    for hostile in [
        "schema OR about",
        "NEAR(schema about)",
        "text:schema",
        "schema\" OR \"about",
        "^schema",
        "schema AND",
        "NOT schema",
        "'; DROP TABLE nodes; --",
        "{a b} : schema",
    ] {
        // Taken word by word: whatever is found, nothing fails.
        assert!(found(hostile) <= 2, "{hostile}");
    }
    assert!(found(&"schema ".repeat(10_000)) <= 1);
    assert_eq!(found(&"x".repeat(1_000_000)), 0);
}

fn many(first: u128, count: u128, parent: NodeId) -> Vec<Draft> {
    (first..first + count)
        .map(|n| child(node(n), parent, Kind::Document, &format!("d-{n}")))
        .collect()
}

#[tokio::test]
async fn a_large_subtree_is_selected_as_a_small_one_is() {
    let store = Store::new().await;
    let (large, small) = (node(1), node(2));
    for (id, name) in [(large, "large"), (small, "small")] {
        store
            .append(vec![child(id, NodeId::ROOT, Kind::Project, name)])
            .await
            .unwrap();
    }
    // More than is looked up as a whole, in two levels.
    let half = limits::SMALL_SET as u128 / 2;
    store.append(many(10, half, large)).await.unwrap();
    store.append(many(100_000, 5, small)).await.unwrap();
    store.append(many(200_000, half + 50, node(10))).await.unwrap();
    let below = |root, kinds| Selector {
        root,
        kinds,
        ..Selector::default()
    };
    let count = |selector: &Selector| all_pages(&store, selector).len() as u128;
    assert_eq!(count(&below(large, vec![])), 2 * half + 51);
    assert_eq!(count(&below(large, vec![Kind::Project])), 1);
    assert_eq!(count(&below(node(10), vec![])), half + 51);
    assert_eq!(count(&below(small, vec![Kind::Document])), 5);
    let named = Selector {
        name_prefix: Some("d-10000".into()),
        ..below(large, vec![])
    };
    assert_eq!(count(&named), 0);
}
