use std::sync::Arc;

use proptest::prelude::*;
use worknode_core::{
    event::{Draft, Event, Principal},
    node::{Detail, NodeSpec},
    task::{Approval, TaskSpec},
    time::ManualClock,
};
use worknode_journal::{Durability, Journal};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn id(n: u128) -> NodeId {
    uuid::Uuid::from_u128(n).into()
}

fn spec(n: u128) -> TaskSpec {
    TaskSpec {
        key: n.to_string(),
        title: format!("Task {n}"),
        prompt: "Do it".into(),
        files: Vec::new(),
        may_delete: Vec::new(),
        depends_on: Vec::new(),
        agent: None,
        deadline: None,
        gates: Vec::new(),
        approval: Approval::None,
        max_attempts: 3,
        priority: i32::try_from(n % 5).unwrap(),
        max_duration: None,
        ..TaskSpec::default()
    }
}

/// Two hundred tasks in two phases: every third is ready, every fifth has a tag, the value of each is
/// its number.
async fn store() -> (tempfile::TempDir, Journal) {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    let journal = Journal::open(&dir.path().join("journal.db"), clock).unwrap();
    let draft = |node, event| Draft {
        node,
        by: Principal::Operator,
        cause: None,
        event,
    };
    let made = |parent, kind, name: &str, detail| NodeSpec::new(parent, kind, name, detail);
    let mut drafts = vec![
        draft(
            NodeId::ROOT,
            Event::NodeCreated {
                node: made(None, Kind::Organisation, "all", Detail::Plain),
            },
        ),
        draft(
            id(1),
            Event::NodeCreated {
                node: made(Some(NodeId::ROOT), Kind::Phase, "one", Detail::Plain),
            },
        ),
        draft(
            id(2),
            Event::NodeCreated {
                node: made(Some(NodeId::ROOT), Kind::Phase, "two", Detail::Plain),
            },
        ),
    ];
    for n in 100..300_u128 {
        let detail = Detail::Task(Box::new(spec(n)));
        let mut node = made(Some(id(1 + n % 2)), Kind::Task, &n.to_string(), detail);
        node.body.attributes.insert("value".into(), serde_json::json!(n));
        if n % 5 == 0 {
            node.body.tags.insert("fifth".into());
        }
        drafts.push(draft(id(n), Event::NodeCreated { node }));
        if n % 3 == 0 {
            drafts.push(draft(id(n), Event::TaskReady));
        }
    }
    journal.append(drafts, Durability::Durable).await.unwrap();
    (dir, journal)
}

fn names(journal: &Journal, query: &Query) -> Vec<String> {
    let mut names = Vec::new();
    let mut query = query.clone();
    for _ in 0..1_000 {
        let found = page(journal.reader(), &Arc::default(), &query, NOW).unwrap();
        assert!(found.nodes.len() <= query.limit);
        names.extend(found.nodes.into_iter().map(|(node, _)| node.name));
        match found.next {
            Some(next) => query.cursor = Some(next),
            None => return names,
        }
    }
    panic!("the pages have no end");
}

fn expected(test: impl Fn(u128) -> bool) -> Vec<String> {
    (100..300).filter(|n| test(*n)).map(|n| n.to_string()).collect()
}

#[tokio::test]
async fn the_index_and_the_evaluation_agree() {
    let (_dir, journal) = store().await;
    let ask = |filter: &str, limit| {
        let query = Query {
            filter: Some(filter.to_owned()),
            limit,
            ..Query::below(NodeId::ROOT)
        };
        names(&journal, &query)
    };
    type Test = fn(u128) -> bool;
    let questions: [(&str, Test); 9] = [
        (r#"kind == "task""#, |_| true),
        (r#"kind == "task" && status == "ready""#, |n| n % 3 == 0),
        (r#"status in ["ready", "claimed"]"#, |n| n % 3 == 0),
        (r#""fifth" in tags"#, |n| n % 5 == 0),
        (r#""fifth" in tags && status == "pending""#, |n| {
            n % 5 == 0 && n % 3 != 0
        }),
        ("attributes.value > 250 && priority >= 3", |n| {
            n > 250 && n % 5 >= 3
        }),
        (r#"name.startsWith("12")"#, |n| (120..130).contains(&n)),
        (
            r#"kind == "task" && depth == 2 && !archived && name != "100""#,
            |n| n != 100,
        ),
        (r#"kind == "nothing at all""#, |_| false),
    ];
    for (question, test) in questions {
        for limit in [1, 7, 1_000] {
            assert_eq!(ask(question, limit), expected(test), "{question} by {limit}");
        }
    }
}

#[tokio::test]
async fn one_worknode_is_looked_up_by_its_id() {
    let (_dir, journal) = store().await;
    let one = page(journal.reader(), &Arc::default(), &Query::below(id(1)), NOW).unwrap();
    let task = one.nodes[1].0.clone();
    let ask = |id: &str| Query {
        filter: Some(format!("id == \"{id}\" && kind == \"task\"")),
        ..Query::below(NodeId::ROOT)
    };
    let query = ask(&task.id.to_string());
    assert_eq!(names(&journal, &query), [task.name]);
    let predicate = Predicate::compile(query.filter.as_deref().unwrap(), &Scope::node()).unwrap();
    let selector = indexed::selector(&query, Some(&predicate), NOW).unwrap();
    assert_eq!(selector.id, Some(task.id), "the index is asked");
    assert!(names(&journal, &ask("nonsense")).is_empty());
    // Ids are compared as they are written.
    assert!(names(&journal, &ask(&format!("urn:uuid:{}", task.id))).is_empty());
}

#[tokio::test]
async fn a_query_asks_below_one_worknode() {
    let (_dir, journal) = store().await;
    let mut query = Query {
        kinds: vec![Kind::Task],
        statuses: vec!["ready".into()],
        limit: 10,
        ..Query::below(id(1))
    };
    assert_eq!(names(&journal, &query), expected(|n| n % 6 == 0));
    query.filter = Some(r#"status == "pending""#.into());
    assert_eq!(names(&journal, &query), expected(|_| false));
    let children = Query {
        parent: Some(NodeId::ROOT),
        ..Query::below(NodeId::ROOT)
    };
    assert_eq!(names(&journal, &children), ["one", "two"]);
    let level = Query {
        levels: Some(1),
        ..Query::below(NodeId::ROOT)
    };
    assert_eq!(names(&journal, &level), ["all", "one", "two"]);
    let absent = page(journal.reader(), &Arc::default(), &Query::below(id(77)), NOW);
    assert_eq!(absent.unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn what_makes_no_sense_is_said_and_what_does_not_fit_is_counted() {
    let (_dir, journal) = store().await;
    let ask = |filter: &str, cursor: Option<&str>| {
        let query = Query {
            filter: Some(filter.to_owned()),
            cursor: cursor.map(str::to_owned),
            ..Query::below(NodeId::ROOT)
        };
        page(journal.reader(), &Arc::default(), &query, NOW)
    };
    for wrong in ["kind ==", "knd == \"task\"", "1 + 1"] {
        assert_eq!(ask(wrong, None).unwrap_err().code, Code::Usage, "{wrong}");
    }
    assert_eq!(ask("archived", Some("x")).unwrap_err().code, Code::Usage);
    let next = ask("!archived", None).unwrap().next.unwrap();
    assert_eq!(ask("archived", Some(&next)).unwrap_err().code, Code::Usage);
    let failed = ask(r#"attributes.value > "text""#, None).unwrap().failed;
    assert!(failed.nodes > 0 || failed.reason.is_none(), "{failed:?}");
}

#[tokio::test]
async fn aggregates_take_in_the_whole_subtree() {
    let (_dir, journal) = store().await;
    let query = Query {
        kinds: vec![Kind::Task],
        ..Query::below(id(2))
    };
    let wanted = [
        "count".to_owned(),
        "sum(attributes.value)".to_owned(),
        "count by status".to_owned(),
    ];
    let (outcomes, failed) = aggregate(journal.reader(), &Arc::default(), &query, &wanted, NOW)
        .await
        .unwrap();
    let json = serde_json::to_value(&outcomes).unwrap();
    assert_eq!(json[0]["groups"][0]["value"], 100, "{json}");
    assert_eq!(
        json[1]["groups"][0]["value"],
        (100..300).filter(|n| n % 2 == 1).sum::<i64>()
    );
    assert_eq!(json[2]["groups"].as_array().unwrap().len(), 2);
    assert_eq!(failed, Failed::default());
    let wrong = ["median(x)".to_owned()];
    let refused = aggregate(journal.reader(), &Arc::default(), &query, &wrong, NOW).await;
    assert_eq!(refused.unwrap_err().code, Code::Usage);
    let many = vec!["count".to_owned(); AGGREGATES + 1];
    let refused = aggregate(journal.reader(), &Arc::default(), &query, &many, NOW).await;
    assert_eq!(refused.unwrap_err().code, Code::LimitReached);
}

fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..3_usize).prop_map(|n| format!("kind == {:?}", ["task", "phase", "organisation"][n])),
        (0..3_usize).prop_map(|n| format!("status == {:?}", ["ready", "pending", "failed"][n])),
        (0..6_i32, prop::sample::select(vec![">", "<=", "==", ">="]))
            .prop_map(|(n, sign)| format!("priority {sign} {n}")),
        (0..3_usize).prop_map(|n| format!("name.startsWith({:?})", ["1", "29", "o"][n])),
        (100..300_u32).prop_map(|n| format!("attributes.value < {n}")),
        Just(r#""fifth" in tags"#.to_owned()),
        Just("archived".to_owned()),
        Just("created_at <= now".to_owned()),
        Just("completed_at > now - duration(\"1h\")".to_owned()),
        (1..3_u128).prop_map(|n| format!("parent == \"{}\"", id(n))),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    let sign = prop::sample::select(vec![" && ", " || ", " && !"]);
    prop::collection::vec((part(), sign), 1..4).prop_map(|parts| {
        let (text, _) = parts
            .into_iter()
            .fold((String::new(), ""), |(text, sign), (part, next)| {
                (format!("{text}{sign}({part})"), next)
            });
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn nothing_that_matches_is_left_out_by_the_index(conditions in prop::collection::vec(condition(), 24)) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let (_dir, journal) = store().await;
            let all = journal.reader().select(&Selector::default()).unwrap().nodes;
            for condition in conditions {
                let predicate = Predicate::compile(&condition, &Scope::node()).unwrap();
                let plain: Vec<String> = all
                    .iter()
                    .filter(|(node, depth)| {
                        let facts = facts_of(node, *depth, &Kinds::default(), NOW, &|_| true);
                        predicate.matches(&facts).unwrap_or(false)
                    })
                    .map(|(node, _)| node.name.clone())
                    .collect();
                let query = Query {
                    filter: Some(condition.clone()),
                    limit: 60,
                    ..Query::below(NodeId::ROOT)
                };
                assert_eq!(names(&journal, &query), plain, "{condition}");
            }
        });
    }
}
