use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::{
    body::Link,
    bounds,
    error::Code,
    event::Principal,
    membrane::MembraneSpec,
    task::{Approval, TaskSpec},
};

fn id(n: u128) -> NodeId {
    uuid::Uuid::from_u128(n).into()
}

fn node(kind: Kind, detail: Detail) -> Node {
    let spec = NodeSpec::new(Some(NodeId::ROOT), kind, "one", detail);
    applied(None, Event::NodeCreated { node: spec })
}

fn plain() -> Node {
    node(Kind::Team, Detail::Plain)
}

fn task() -> Node {
    let spec = TaskSpec {
        key: "one".into(),
        title: "One".into(),
        prompt: "Do it".into(),
        files: Vec::new(),
        may_delete: Vec::new(),
        depends_on: vec![id(7)],
        agent: None,
        deadline: None,
        gates: Vec::new(),
        approval: Approval::None,
        max_attempts: 3,
        priority: 0,
        max_duration: None,
        ..TaskSpec::default()
    };
    node(Kind::Task, Detail::Task(Box::new(spec)))
}

/// `event` happens, one millisecond after the last.
fn applied(node: Option<&Node>, event: Event) -> Node {
    let last = node.map_or(0, |node| node.updated.wall.as_millis());
    let record = Record {
        at: Hlc {
            wall: crate::time::Timestamp::from_millis(last + 1),
            counter: 0,
            origin: 1,
        },
        node: id(1),
        by: Principal::Operator,
        cause: None,
        version: 1,
        event,
    };
    match node {
        None => Node::created_by(&record).unwrap(),
        Some(node) => node.apply(&record).unwrap(),
    }
}

/// The Worknode after the change; asked again, nothing is left to do.
fn changed(node: &Node, change: &NodeChange) -> Node {
    let events = decide(node, change).unwrap();
    let after = events
        .into_iter()
        .fold(node.clone(), |node, event| applied(Some(&node), event));
    assert_eq!(decide(&after, change), Ok(vec![]), "{change:?} twice");
    after
}

fn set(attributes: Value) -> NodeChange {
    NodeChange::Set {
        attributes: serde_json::from_value(attributes).unwrap(),
        version: 0,
    }
}

fn needs(to: u128) -> NodeChange {
    NodeChange::Link {
        link: Link {
            relation: Relation::DependsOn,
            to: id(to),
        },
    }
}

#[test]
fn a_change_leads_to_what_was_asked_and_is_done_once() {
    for node in [plain(), task()] {
        let after = changed(&node, &set(json!({ "a": 1, "b": null })));
        assert_eq!(after.body.attributes.len(), 1);
        let after = changed(&after, &NodeChange::Tag { tag: "red".into() });
        let after = changed(&after, &NodeChange::Assign { to: id(2) });
        let after = changed(&after, &needs(3));
        assert!(after.dependencies().any(|needed| needed == id(3)));
        let after = changed(&after, &NodeChange::Move { to: id(4) });
        let after = changed(&after, &NodeChange::Rename { name: "two".into() });
        assert_eq!((after.parent, after.name.as_str()), (Some(id(4)), "two"));
        let membrane = MembraneSpec {
            capacity: Some(1),
            ..MembraneSpec::default()
        };
        let membrane = Some(Box::new(membrane));
        let after = changed(&after, &NodeChange::SetMembrane { membrane });
        assert!(after.body.membrane.is_some());
        let after = changed(&after, &NodeChange::Untag { tag: "red".into() });
        let after = changed(&after, &NodeChange::Unassign { to: id(2) });
        let after = changed(&after, &set(json!({ "a": null })));
        let after = changed(&after, &NodeChange::SetMembrane { membrane: None });
        assert!(after.body.tags.is_empty() && after.body.assignees.is_empty());
        assert!(after.body.attributes.is_empty() && after.body.membrane.is_none());
    }
}

#[test]
fn what_the_plan_says_is_no_new_link() {
    assert_eq!(decide(&task(), &needs(7)), Ok(vec![]));
}

#[test]
fn what_works_is_not_put_away() {
    let archive = NodeChange::Archive {
        reason: String::new(),
    };
    assert_eq!(
        decide(&task(), &archive).unwrap_err().code,
        Code::IllegalTransition
    );
    let over = applied(
        Some(&task()),
        Event::TaskCancelled {
            reason: String::new(),
        },
    );
    assert!(changed(&over, &archive).body.is_archived());
    let away = changed(&plain(), &archive);
    assert!(!changed(&away, &NodeChange::Restore).body.is_archived());
    assert_eq!(
        decide(&over, &needs(9)).unwrap_err().code,
        Code::IllegalTransition
    );
}

#[test]
fn what_a_newer_version_wrote_is_left_alone() {
    let newer = Event::AttributesSet {
        attributes: [("later".to_owned(), json!({ "deep": [1, 2] }))].into(),
        version: 9,
    };
    let node = applied(Some(&plain()), newer);
    let refused = decide(&node, &set(json!({ "a": 1 }))).unwrap_err();
    assert_eq!(refused.code, Code::IllegalTransition);
    let tagged = changed(&node, &NodeChange::Tag { tag: "red".into() });
    assert_eq!(tagged.body.attributes, node.body.attributes);
    let text = serde_json::to_string(&tagged).unwrap();
    assert_eq!(serde_json::from_str::<Node>(&text).unwrap(), tagged);
}

#[test]
fn p8_what_a_worknode_carries_is_bounded() {
    let full = |value: fn(usize) -> NodeChange| {
        (0..bounds::ATTRIBUTES).fold(plain(), |node, n| changed(&node, &value(n)))
    };
    let many: BTreeMap<String, Value> = (0..=bounds::ATTRIBUTES)
        .map(|n| (n.to_string(), json!(n)))
        .collect();
    let refused = decide(&plain(), &set(json!(many))).unwrap_err();
    assert_eq!(refused.code, Code::LimitReached);
    let tag: fn(usize) -> NodeChange = |n| NodeChange::Tag { tag: n.to_string() };
    let assign: fn(usize) -> NodeChange = |n| NodeChange::Assign { to: id(n as u128) };
    let link: fn(usize) -> NodeChange = |n| needs(n as u128 + 10);
    for one in [tag, assign, link] {
        let refused = decide(&full(one), &one(bounds::ATTRIBUTES)).unwrap_err();
        assert_eq!(refused.code, Code::LimitReached);
    }
}

#[test]
fn names_are_what_people_can_type_and_see() {
    let long = "x".repeat(bounds::NAME + 1);
    for wrong in ["", " a", "a ", "a\nb", "\u{7}", &long] {
        assert_eq!(check_name(wrong).unwrap_err().code, Code::Usage, "{wrong:?}");
        let tag = NodeChange::Tag {
            tag: wrong.to_owned(),
        };
        assert!(decide(&plain(), &tag).is_err());
        assert!(decide(&plain(), &set(json!({ wrong: 1 }))).is_err());
    }
    for right in ["a", "Größe 7", &"x".repeat(bounds::NAME)] {
        assert_eq!(check_name(right), Ok(()));
    }
}
