//! The plan as it stands, how far the work is from it, and what nobody has settled.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use worknode_actors::{definition::DeviationLimit, oversight, store::all_of_kind};
use worknode_core::{
    agent::Share,
    error::{Code, Error},
    escalation::{Matter, Rung},
    ids::NodeId,
    node::{Kind, Node},
    task::{Approval, TaskSpec},
    time::{Span, Timestamp},
};
use worknode_journal::Reader;
use worknode_policies::deviation::Deviation;

/// The plan as it stands.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PlanView {
    /// Its phases, in their order.
    pub phases: Vec<PhaseView>,
}

/// One phase.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PhaseView {
    /// Its Worknode.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// Its tasks.
    pub tasks: Vec<PlannedView>,
}

/// What the plan asks of one task.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[expect(missing_docs, reason = "the fields are those of a task in a plan's file")]
pub struct PlannedView {
    pub id: NodeId,
    pub key: String,
    pub title: String,
    pub status: String,
    pub files: Vec<String>,
    pub may_create: Option<Vec<String>>,
    pub may_delete: Vec<String>,
    pub deliverables: Vec<String>,
    pub depends_on: Vec<String>,
    pub agent: Option<String>,
    pub role: Option<String>,
    pub priority: i32,
    pub estimate: Option<Span>,
    pub deadline: Option<Timestamp>,
    pub gates: Vec<String>,
    pub approval: Approval,
    pub max_attempts: u32,
    pub max_duration: Option<Span>,
    /// Further limits of each run.
    #[serde(default, skip_serializing_if = "Share::is_nothing")]
    pub limits: Share,
    /// Whether it was changed, or added, while the team worked.
    pub amended: bool,
}

impl PlannedView {
    /// What `spec` asks.
    #[must_use]
    pub fn of(id: NodeId, spec: &TaskSpec, status: &str, depends_on: Vec<String>) -> Self {
        Self {
            id,
            key: spec.key.clone(),
            title: spec.title.clone(),
            status: status.to_owned(),
            files: spec.files.clone(),
            may_create: spec.may_create.clone(),
            may_delete: spec.may_delete.clone(),
            deliverables: spec.deliverables.clone(),
            depends_on,
            agent: spec.agent.clone(),
            role: spec.role.clone(),
            priority: spec.priority,
            estimate: spec.estimate.map(Span),
            deadline: spec.deadline,
            gates: spec.gates.clone(),
            approval: spec.approval,
            max_attempts: spec.max_attempts,
            max_duration: spec.max_duration.map(Span),
            limits: spec.limits,
            amended: spec.amended,
        }
    }
}

/// The plan, as the store has it.
///
/// # Errors
/// When the store cannot be read.
pub fn plan(reader: &Reader) -> Result<PlanView, Error> {
    let tasks = all_of_kind(reader, Kind::Task)?;
    let names: HashMap<NodeId, &str> = tasks.iter().map(|node| (node.id, node.name.as_str())).collect();
    let mut of_phase: HashMap<NodeId, Vec<PlannedView>> = HashMap::new();
    for node in &tasks {
        let (Some(task), Some(parent)) = (node.task(), node.parent) else {
            continue;
        };
        let waits = node.dependencies();
        let waits = waits.map(|id| {
            names
                .get(&id)
                .map_or_else(|| id.to_string(), |name| (*name).to_owned())
        });
        let view = PlannedView::of(node.id, &task.spec, node.status(), waits.collect());
        of_phase.entry(parent).or_default().push(view);
    }
    let phases = all_of_kind(reader, Kind::Phase)?;
    Ok(PlanView {
        phases: phases
            .into_iter()
            .map(|phase| PhaseView {
                tasks: of_phase.remove(&phase.id).unwrap_or_default(),
                id: phase.id,
                name: phase.name,
            })
            .collect(),
    })
}

/// What the plan asks of one task.
///
/// # Errors
/// When the store cannot be read, or the Worknode is no task.
pub fn planned(reader: &Reader, node: &Node) -> Result<PlannedView, Error> {
    let Some(task) = node.task() else {
        let what = format!("`{}` is not a task", node.name);
        return Err(Error::new(Code::Usage, what));
    };
    let name = |id: NodeId| Ok(reader.node(id)?.map_or_else(|| id.to_string(), |node| node.name));
    let waits = node.dependencies().map(name).collect::<Result<_, Error>>()?;
    Ok(PlannedView::of(node.id, &task.spec, node.status(), waits))
}

/// How far the work is from the plan.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DeviationView {
    /// Of what: a task, a phase, an agent or the team.
    pub of: String,
    /// Its kind.
    pub kind: String,
    /// In per cent.
    pub percent: f64,
    /// Above so many the executive tier is told.
    pub threshold_percent: f64,
    /// What it is made of, in per cent each, before the parts are weighted.
    pub parts: BTreeMap<String, f64>,
    /// Over how many tasks.
    pub tasks: usize,
    /// Whether nobody starts because of that.
    pub stops_spawns: bool,
}

impl DeviationView {
    /// What was found of `node`.
    #[must_use]
    pub fn of(node: &Node, found: Deviation, limit: DeviationLimit) -> Self {
        let percent = |per_mille: u32| f64::from(per_mille) / 10.0;
        Self {
            of: node.name.clone(),
            kind: node.kind.name().to_owned(),
            percent: percent(found.total),
            threshold_percent: percent(limit.threshold),
            parts: found
                .parts
                .into_iter()
                .map(|(name, part)| (name, percent(part)))
                .collect(),
            tasks: found.tasks,
            stops_spawns: limit.stop_spawns && found.total > limit.threshold,
        }
    }
}

/// Something that nobody has settled yet.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EscalationView {
    /// What it is about.
    pub node: String,
    /// What has to be settled.
    pub matter: Matter,
    /// What settles it is told with this.
    pub topic: String,
    /// In words.
    pub reason: String,
    /// Who is asked now.
    pub to: Option<Rung>,
    /// Until when they have time.
    pub until: Option<Timestamp>,
}

/// What is open.
///
/// # Errors
/// When the store cannot be read.
pub fn escalations(reader: &Reader) -> Result<Vec<EscalationView>, Error> {
    let open = oversight::open(reader, None)?;
    open.into_iter()
        .map(|(id, matter, open)| {
            let node = reader.node(id)?;
            Ok(EscalationView {
                node: node.map_or_else(|| id.to_string(), |node| node.name),
                matter,
                topic: open.topic,
                reason: open.reason,
                to: open.last.as_ref().map(|last| last.to),
                until: open.last.and_then(|last| last.until),
            })
        })
        .collect()
}
