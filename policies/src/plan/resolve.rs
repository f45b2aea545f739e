//! Which Worknodes a plan means.

use std::collections::BTreeSet;

use worknode_core::{
    bounds,
    ids::NodeId,
    node::{Detail, Kind, NodeSpec},
    task::{Approval, TaskSpec},
};

use super::{PhaseSpec, Plan, PlanTask, graph};
use crate::gate;

/// What the team says where a task is silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Gates that must pass. `plan` is always one of them.
    pub gates: Vec<String>,
    /// Who must agree beside the gates.
    pub approval: Approval,
    /// How often a task is tried before it fails.
    pub max_attempts: u32,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            gates: vec![gate::PLAN.to_owned()],
            approval: Approval::default(),
            max_attempts: bounds::ATTEMPTS,
        }
    }
}

/// A Worknode that the plan means.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Its identity: a function of the team and of its name in the plan.
    pub id: NodeId,
    /// What it is.
    pub spec: NodeSpec,
}

impl Planned {
    /// The identity of the task `id` of `team`.
    #[must_use]
    pub fn task_id(team: NodeId, id: &str) -> NodeId {
        NodeId::derived(team, &format!("task:{id}"))
    }

    /// The identity of the phase `name` of `team`.
    #[must_use]
    pub fn phase_id(team: NodeId, name: &str) -> NodeId {
        NodeId::derived(team, &format!("phase:{name}"))
    }
}

/// The Worknodes of a plan that [`super::check`] found no mistake in: each phase, followed by
/// its tasks, in the order of the plan, so that a parent always comes before its children.
///
/// The identities are derived, so loading the same plan twice means the same Worknodes (P6).
#[must_use]
pub fn resolve(plan: &Plan, team: NodeId, defaults: &Defaults) -> Vec<Planned> {
    let awaited = graph::awaited(plan);
    plan.phase
        .iter()
        .zip(awaited)
        .flat_map(|(phase, awaited)| {
            let tasks = phase.task.iter().map(move |task| {
                let depends_on = dependencies(task, &awaited, team);
                task_node(task, depends_on, phase, team, defaults)
            });
            std::iter::once(phase_node(phase, team)).chain(tasks)
        })
        .collect()
}

fn phase_node(phase: &PhaseSpec, team: NodeId) -> Planned {
    Planned {
        id: Planned::phase_id(team, &phase.name),
        spec: NodeSpec::new(Some(team), Kind::Phase, phase.name.clone(), Detail::Plain),
    }
}

fn task_node(
    task: &PlanTask,
    depends_on: Vec<NodeId>,
    phase: &PhaseSpec,
    team: NodeId,
    defaults: &Defaults,
) -> Planned {
    let spec = TaskSpec {
        key: task.id.clone(),
        title: task.title.clone(),
        prompt: task.prompt.clone(),
        files: task.files.clone(),
        may_create: task.may_create.clone(),
        may_delete: task.may_delete.clone(),
        deliverables: task.deliverables.clone(),
        depends_on,
        agent: task.agent.clone(),
        role: task.role.clone(),
        estimate: task.estimate.map(|span| span.0),
        deadline: task.deadline,
        gates: with_plan_gate(task.gates.as_ref().unwrap_or(&defaults.gates)),
        approval: task.approval.unwrap_or(defaults.approval),
        max_attempts: task.max_attempts.unwrap_or(defaults.max_attempts),
        priority: task.priority,
        max_duration: task.max_duration.map(|span| span.0),
        limits: task.limits.map(|limits| limits.share()).unwrap_or_default(),
        amended: false,
    };
    Planned {
        id: Planned::task_id(team, &task.id),
        spec: NodeSpec::new(
            Some(Planned::phase_id(team, &phase.name)),
            Kind::Task,
            task.id.clone(),
            Detail::Task(Box::new(spec)),
        ),
    }
}

/// Its own dependencies, then those on the phase before, each once.
fn dependencies(task: &PlanTask, awaited: &[&str], team: NodeId) -> Vec<NodeId> {
    let mut seen = BTreeSet::new();
    task.depends_on
        .iter()
        .map(String::as_str)
        .chain(awaited.iter().copied())
        .map(|id| Planned::task_id(team, id))
        .filter(|id| seen.insert(*id))
        .collect()
}

/// The plan gate comes first and cannot be left out: it is what keeps an agent to its files.
fn with_plan_gate(gates: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    std::iter::once(gate::PLAN)
        .chain(gates.iter().map(String::as_str))
        .filter(|gate| seen.insert(*gate))
        .map(str::to_owned)
        .collect()
}
