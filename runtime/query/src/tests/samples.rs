//! Worknodes and facts to ask about.

use std::time::Duration;

use serde_json::json;
use worknode_core::{
    event::{Event, Principal, Record},
    hlc::Hlc,
    ids::NodeId,
    node::{Detail, Kind, Node, NodeSpec},
    task::{Approval, TaskSpec},
    time::Timestamp,
};

use crate::{Fact, Facts};

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_795_600_000_000);

pub(super) fn ago(span: Duration) -> Timestamp {
    NOW.minus(span)
}

pub(super) fn stamp(wall: Timestamp) -> Hlc {
    Hlc {
        wall,
        counter: 0,
        origin: 1,
    }
}

pub(super) fn task_spec() -> TaskSpec {
    TaskSpec {
        key: "schema".to_owned(),
        title: "Design the schema".to_owned(),
        prompt: "…".to_owned(),
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
    }
}

pub(super) fn created(node: NodeSpec, at: Timestamp) -> Node {
    Node::created_by(&Record {
        at: stamp(at),
        node: NodeId::derived(NodeId::ROOT, "sample"),
        by: Principal::Operator,
        cause: None,
        version: 1,
        event: Event::NodeCreated { node },
    })
    .unwrap()
}

pub(super) fn task() -> Node {
    let detail = Detail::Task(Box::new(task_spec()));
    let spec = NodeSpec::new(Some(NodeId::ROOT), Kind::Task, "schema", detail);
    created(spec, ago(Duration::from_secs(3600)))
}

/// A task with all that a Worknode can have, as it will come from elsewhere.
pub(super) fn rich() -> Facts {
    Facts::of_node(&task(), NOW)
        .with("status", "completed")
        .with("tags", vec!["rust", "core"])
        .with("assignees", vec!["ann"])
        .with("completed_at", ago(Duration::from_secs(600)))
        .with(
            "attributes",
            Fact::json(&json!({ "value": 1200, "stage": "won", "scores": [1, 2, 3], "ratio": 0.5 })).unwrap(),
        )
}
