//! Worknodes and events as expressions see them.

use std::collections::BTreeMap;

use serde_json::json;
use worknode_core::{
    body::{Link, Relation},
    bounds::EXPRESSION_PARTS,
    event::{Event, Principal, Record},
    ids::{NodeId, RunId},
    task::{Claim, Progress},
};

use super::samples::{NOW, stamp, task};
use crate::{Facts, Predicate, Scope, Shape};

fn record(event: Event) -> Record {
    Record {
        at: stamp(NOW),
        node: NodeId::ROOT,
        by: Principal::Operator,
        cause: None,
        version: 1,
        event,
    }
}

fn holds(source: &str, facts: &Facts) -> bool {
    let predicate = Predicate::compile(source, &Scope::event()).unwrap_or_else(|e| panic!("{source}: {e}"));
    predicate
        .matches(facts)
        .unwrap_or_else(|e| panic!("{source}: {e}"))
}

#[test]
fn every_fact_of_a_worknode_has_a_name_and_fits_it() {
    let scope = Scope::node();
    for (name, fact) in Facts::of_node(&task(), NOW).iter() {
        let known = scope.get(name).unwrap_or_else(|| panic!("{name} has no name"));
        let types: &[&str] = match &known.shape {
            Shape::Truth => &["bool"],
            Shape::Number => &["int", "double", "null_type"],
            Shape::Text => &["string", "null_type"],
            Shape::Time => &["google.protobuf.Timestamp", "timestamp", "null_type"],
            Shape::Span => &["google.protobuf.Duration", "duration", "null_type"],
            Shape::List => &["list"],
            Shape::Record(_) | Shape::Open => &["map"],
        };
        assert!(types.contains(&fact.type_name()), "{name}: {}", fact.type_name());
    }
    assert!(scope.iter().count() < EXPRESSION_PARTS, "a hint lists them all");
}

#[test]
fn what_a_worknode_carries_can_be_asked_for() {
    let link = Link {
        relation: Relation::DependsOn,
        to: NodeId::derived(NodeId::ROOT, "other"),
    };
    let attributes = BTreeMap::from([("value".to_owned(), json!(1200)), ("gone".to_owned(), json!(1))]);
    let without = BTreeMap::from([("gone".to_owned(), json!(null))]);
    let set = |attributes| Event::AttributesSet {
        attributes,
        version: 1,
    };
    let events = [
        set(attributes),
        set(without),
        Event::Tagged {
            tag: "urgent".to_owned(),
        },
        Event::Assigned { to: NodeId::ROOT },
        Event::Linked { link },
        Event::NodeArchived {
            reason: String::new(),
        },
    ];
    let node = events
        .into_iter()
        .enumerate()
        .fold(task(), |node, (counter, event)| {
            let mut record = record(event);
            record.at.counter = u16::try_from(counter).unwrap();
            node.apply(&record).unwrap()
        });
    let facts = Facts::of_node(&node, NOW);
    let source = format!(
        r#"attributes.value == 1200 && !has(attributes.gone) && "urgent" in tags && archived
           && assignees == ["{}"] && links.exists(l, l.relation == "depends_on" && l.to == "{to}")
           && "{to}" in depends_on && depends_on.size() == 2"#,
        NodeId::ROOT,
        to = link.to,
    );
    let predicate = Predicate::compile(&source, &Scope::node()).unwrap();
    assert_eq!(predicate.matches_strictly(&facts), Ok(true), "{facts:?}");
}

#[test]
fn only_what_is_asked_for_need_be_gathered() {
    let source = r#"kind == "task" && tags.all(name, name != title) && attributes.x == now"#;
    let predicate = Predicate::compile(source, &Scope::node()).unwrap();
    let facts = Facts::of_node_for(&task(), NOW, &|name| predicate.uses(name));
    let names: Vec<&str> = facts.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["attributes", "kind", "now", "tags", "title"]);
    assert_eq!(
        predicate.matches(&facts),
        predicate.matches(&Facts::of_node(&task(), NOW))
    );
}

#[test]
fn a_claimed_task_shows_its_holder() {
    let agent = NodeId::derived(NodeId::ROOT, "agent");
    let claim = Claim {
        agent,
        run: Some(RunId::derived(NodeId::ROOT, "run")),
        epoch: 1,
        lease_until: NOW,
    };
    let progress = Progress {
        percent: Some(40),
        message: String::new(),
    };
    let node = [
        Event::TaskReady,
        Event::TaskClaimed { claim },
        Event::TaskStarted { epoch: 1 },
        Event::TaskProgressed { epoch: 1, progress },
    ]
    .into_iter()
    .fold(task(), |node, event| node.apply(&record(event)).unwrap());
    let facts = Facts::of_node(&node, NOW);
    let source = format!(r#"holder == "{agent}" && progress == 40 && epoch == 1 && lease_until == now"#);
    let predicate = Predicate::compile(&source, &Scope::node()).unwrap();
    assert!(predicate.matches(&facts).unwrap());
}

#[test]
fn events_of_ones_own_and_of_the_runtime_can_be_asked() {
    let data = [
        ("exit_code".to_owned(), "2".into()),
        ("file".to_owned(), "a.rs".into()),
    ];
    let own = Event::Emitted {
        name: "compilation_failed".to_owned(),
        version: 1,
        data: data.into_iter().collect(),
    };
    let own = Facts::of_event(&record(own), Some(&task()), None, NOW).unwrap();
    assert!(holds(
        r#"event.type == "compilation_failed" && event.data.exit_code != 0"#,
        &own
    ));
    assert!(holds(
        r#"event.data.file.endsWith(".rs") && event.by == "operator""#,
        &own
    ));
    assert!(holds(
        r#"node.kind == "task" && node.holder == null && agent == null"#,
        &own
    ));
    assert!(!holds(r#"agent.idle > duration("4h")"#, &own));

    let event = Event::TaskReleased {
        epoch: 3,
        cause: worknode_core::task::ReleaseCause::Lapsed,
        detail: "gone".to_owned(),
        retry_at: None,
    };
    let released = Facts::of_event(&record(event), None, None, NOW).unwrap();
    assert!(holds(
        r#"event.type == "task_released" && event.data.cause == "lapsed" && event.data.epoch > 2"#,
        &released
    ));
    let ready = Facts::of_event(&record(Event::TaskReady), None, None, NOW).unwrap();
    assert!(holds(
        r#"event.at == now && !has(event.data.epoch) && node == null"#,
        &ready
    ));
}

#[test]
fn an_index_answers_only_for_the_worknode_that_is_asked_for() {
    let predicate = Predicate::compile(r#"node.kind == "task""#, &Scope::event()).unwrap();
    assert!(predicate.selection(NOW).terms.is_empty());
    assert!(!predicate.selection(NOW).exact);
}
