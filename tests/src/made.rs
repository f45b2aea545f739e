//! Worknodes as tests and benchmarks make them: straight in the journal, many at once.

use worknode_core::{
    bounds,
    event::{Draft, Event, Principal},
    ids::NodeId,
    node::{Detail, Kind, NodeSpec},
    task::{Approval, TaskSpec},
};

/// The operator makes a Worknode.
pub fn created(id: NodeId, node: NodeSpec) -> Draft {
    happened(id, Event::NodeCreated { node })
}

/// The operator makes one that has nothing but its name.
pub fn plain(id: NodeId, parent: NodeId, kind: Kind, name: impl Into<String>) -> Draft {
    created(id, NodeSpec::new(Some(parent), kind, name, Detail::Plain))
}

/// The operator makes a task.
pub fn task(id: NodeId, parent: NodeId, spec: TaskSpec) -> Draft {
    let name = spec.key.clone();
    let detail = Detail::Task(Box::new(spec));
    created(id, NodeSpec::new(Some(parent), Kind::Task, name, detail))
}

/// Something happens to a Worknode, by the operator.
pub const fn happened(node: NodeId, event: Event) -> Draft {
    Draft {
        node,
        by: Principal::Operator,
        cause: None,
        event,
    }
}

/// A task that asks for nothing in particular.
pub fn bare_task(key: impl Into<String>) -> TaskSpec {
    let key = key.into();
    TaskSpec {
        title: key.clone(),
        key,
        approval: Approval::None,
        max_attempts: bounds::ATTEMPTS,
        ..TaskSpec::default()
    }
}
