//! What it costs to compile a condition, to gather facts, and to evaluate; and what the worst
//! accepted expression takes. `cargo bench -p worknode-query`

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use serde_json::json;
use worknode_core::{
    event::{Event, Principal, Record},
    hlc::Hlc,
    ids::NodeId,
    node::{Detail, Kind, Node, NodeSpec},
    task::{Approval, TaskSpec},
    time::Timestamp,
};
use worknode_query::{Aggregate, Fact, Facts, Predicate, Scope};

const NOW: Timestamp = Timestamp::from_millis(1_795_600_000_000);

const CONDITIONS: &[&str] = &[
    r#"kind == "task""#,
    r#"kind == "task" && status == "pending" && created_at > now - duration("168h")"#,
    r#"tags.exists(t, t == "core") && priority >= 3"#,
    r#"name.startsWith("sch") && title.matches("^Design (the|a)")"#,
    r#"attributes.value > 1000 && attributes.stage in ["won", "open"]"#,
];

/// Accepted, and as bad as we know how to write them.
const BOMBS: &[&str] = &[
    "tags.all(a, tags.all(b, tags.all(c, true)))",
    "tags.all(a, title.contains(a) || true)",
    r#"tags.all(a, title.matches("(a|b)*c") || true)"#,
    "tags.map(t, attributes).map(t, t).map(t, t).size() > 0",
    "tags.map(t, title).filter(t, t == title).size() == 0",
    "attributes.items.all(i, attributes.items.all(j, i == j || true))",
    "tags.all(t, attributes == attributes)",
    "tags.filter(t, tags.exists(u, t < u && false)).size() == 0",
];

fn main() {
    let scope = Scope::node();
    let node = task();
    println!(
        "facts of a task: {:?}",
        each(20_000, || Facts::of_node(&node, NOW))
    );
    if let Ok(predicate) = Predicate::compile(CONDITIONS[1], &scope) {
        let uses = |name: &str| predicate.uses(name);
        println!(
            "as many as the second condition asks for: {:?}",
            each(20_000, || Facts::of_node_for(&node, NOW, &uses))
        );
    }
    let facts = Facts::of_node(&node, NOW)
        .with("tags", vec!["rust", "core"])
        .with(
            "attributes",
            Fact::json(&json!({ "value": 1200, "stage": "won" })).unwrap_or_else(|_| Fact::null()),
        );
    for source in CONDITIONS {
        let compile = each(300, || Predicate::compile(source, &scope));
        let Ok(predicate) = Predicate::compile(source, &scope) else {
            println!("{source}: not accepted");
            continue;
        };
        let evaluate = each(50_000, || predicate.matches(&facts));
        println!("{source}\n    compile {compile:?}, evaluate {evaluate:?}");
    }
    worst(&scope);
    if let Ok(aggregate) = Aggregate::compile("p95(attributes.value) by kind, status", &scope) {
        let mut aggregation = aggregate.start();
        println!(
            "add to an aggregate: {:?}",
            each(50_000, || aggregation.add(&facts))
        );
    }
}

fn worst(scope: &Scope) {
    let heavy = heavy();
    println!("on 64 KiB of text, 2,000 tags and 400 items:");
    for source in BOMBS {
        match Predicate::compile(source, scope) {
            Ok(predicate) => {
                let result = predicate.matches(&heavy);
                let took = each(3, || predicate.matches(&heavy));
                println!("    {took:?} {source} = {result:?}");
            }
            Err(error) => println!("    refused: {source}: {error}"),
        }
    }
}

fn each<T>(times: u32, mut act: impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        black_box(act());
    }
    start.elapsed() / times
}

fn task() -> Node {
    let spec = TaskSpec {
        key: "schema".to_owned(),
        title: "Design the schema".to_owned(),
        prompt: String::new(),
        files: Vec::new(),
        may_delete: Vec::new(),
        depends_on: vec![NodeId::ROOT],
        agent: None,
        deadline: None,
        gates: vec!["tests".to_owned()],
        approval: Approval::Validation,
        max_attempts: 3,
        priority: 5,
        max_duration: None,
        ..TaskSpec::default()
    };
    let record = Record {
        at: Hlc {
            wall: NOW.minus(Duration::from_secs(3600)),
            counter: 0,
            origin: 1,
        },
        node: NodeId::derived(NodeId::ROOT, "bench"),
        by: Principal::Operator,
        cause: None,
        version: 1,
        event: Event::NodeCreated {
            node: NodeSpec::new(
                Some(NodeId::ROOT),
                Kind::Task,
                "schema",
                Detail::Task(Box::new(spec)),
            ),
        },
    };
    Node::created_by(&record).unwrap_or_else(|| unreachable!("the record creates a node"))
}

fn heavy() -> Facts {
    let items: Vec<_> = (0..400)
        .map(|i| json!({ "name": "ab".repeat(40), "at": i }))
        .collect();
    let tags: Vec<String> = (0..2_000).map(|i| format!("tag-{i}")).collect();
    Facts::of_node(&task(), NOW)
        .with("title", "a".repeat(64 * 1024))
        .with("tags", tags)
        .with(
            "attributes",
            Fact::json(&json!({ "items": items })).unwrap_or_else(|_| Fact::null()),
        )
}
