//! Judging several submissions that lie on top of each other.
//!
//! A gate that only reads files looks at what each of them changes by itself, on top of those before
//! it: exactly that it would see if they landed one by one. Then it looks at all of it together, as do
//! the gates that run programs: what lands is the tree at the top, so every gate has passed that very
//! tree. What is found is told to those whose files it is about.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::{sync::Semaphore, task::JoinSet};
use worknode_core::{
    error::{Code, Error},
    git::{CommitId, TreeId},
    node::Node,
    task::Landing,
    verdict::Finding,
};
use worknode_gates::settings::Scope;
use worknode_git::Candidate;
use worknode_policies::{gate, landing::share};

use super::gates::{Found, Shared, keep};
use crate::{inspect::runs_program, outside::failed, system::System};

/// Of how many members it is read at once what they change.
const ALONE: usize = 2;

/// One of a group, as it lies on top of those before it.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) node: Node,
    pub(super) candidate: Candidate,
}

impl Member {
    /// Its landing, if `tree` is what lands.
    pub(super) fn landing(&self, tree: &TreeId) -> Landing {
        Landing {
            tree: tree.clone(),
            commit: self.candidate.commit().clone(),
            base: self.candidate.base().clone(),
        }
    }

    fn gates(&self) -> &[String] {
        self.node.task().map_or(&[], |task| &task.spec.gates)
    }
}

/// What gates say of a group.
pub(super) enum Said {
    /// All agree, on the tree at the top.
    Passed,
    /// They do not. Whose fault it is, by place, where that can be told.
    Failed(BTreeSet<usize>),
}

/// What the gates found in the work of one by itself.
struct Own {
    files: BTreeSet<String>,
    /// Those of them that its plan lets go.
    may_go: BTreeSet<String>,
    found: BTreeMap<String, Found>,
}

/// Do all gates of all agree? If so, a passing verdict of each is kept for each, with what concerns
/// it.
pub(super) async fn judge(system: &System, tip: &CommitId, members: &[Member]) -> Result<Said, Error> {
    let Some(top) = members.last() else {
        return Ok(Said::Passed);
    };
    let own = each_alone(system, members).await?;
    // What is wrong by itself stays so, and nothing outside the plan is run.
    let at_fault = own
        .iter()
        .enumerate()
        .filter(|(_, own)| own.found.values().any(Found::fails));
    let at_fault: BTreeSet<usize> = at_fault.map(|(at, _)| at).collect();
    if !at_fault.is_empty() {
        return Ok(Said::Failed(at_fault));
    }
    let whole = Landing {
        base: tip.clone(),
        ..top.landing(top.candidate.tree())
    };
    let changed: Vec<BTreeSet<String>> = own.iter().map(|own| own.files.clone()).collect();
    let found = at_the_top(system, members, &whole, may_go(&own)).await?;
    let failing: Vec<&Found> = found.values().filter(|found| found.fails()).collect();
    if !failing.is_empty() {
        let findings: Vec<Finding> = failing.iter().flat_map(|found| found.findings.clone()).collect();
        return Ok(Said::Failed(share::at_fault(&findings, &changed)));
    }
    for (at, (member, own)) in members.iter().zip(own).enumerate() {
        for gate in member.gates() {
            let of_all = || {
                let all = found.get(gate).ok_or_else(|| not_asked(gate))?;
                Ok::<_, Error>(Found {
                    findings: share::own(&all.findings, &changed, at),
                    took_ms: all.took_ms,
                    material: all.material.clone(),
                })
            };
            let found = own.found.get(gate).cloned().map_or_else(of_all, Ok)?;
            keep(system, &member.node, &whole, gate, found).await?;
        }
    }
    Ok(Said::Passed)
}

/// Nothing is signed for a gate that said nothing. A defect.
fn not_asked(gate: &str) -> Error {
    Error::new(
        Code::Failed,
        format!("the gate `{gate}` has not looked at a group"),
    )
}

/// What each does by itself, in their order.
async fn each_alone(system: &System, members: &[Member]) -> Result<Vec<Own>, Error> {
    let places = Arc::new(Semaphore::new(ALONE));
    let mut running = JoinSet::new();
    for (at, member) in members.iter().enumerate() {
        let (system, member, places) = (system.clone(), member.clone(), Arc::clone(&places));
        running.spawn(async move {
            let _place = places.acquire().await.map_err(failed)?;
            Ok::<_, Error>((at, alone(&system, &member).await?))
        });
    }
    let mut own = BTreeMap::new();
    while let Some(ended) = running.join_next().await {
        let (at, one) = ended.map_err(failed)??;
        own.insert(at, one);
    }
    Ok(own.into_values().collect())
}

/// What gates that read files find in what this one changes. Where they are to look at everything,
/// only the plan is about the change.
async fn alone(system: &System, member: &Member) -> Result<Own, Error> {
    let team = system.team();
    let everything = team.gates.gates.scope == Scope::All;
    let landing = member.landing(member.candidate.tree());
    let shared = Shared::of(system, &member.node, &landing, Scope::Change).await?;
    let reads = |name: &&String| *name == gate::PLAN || !(everything || runs_program(name, &team.gates));
    Ok(Own {
        files: shared.files(),
        found: shared.all(member.gates().iter().filter(reads)).await?,
        may_go: shared.may_go(),
    })
}

/// The files that may go by the plan of each who changes them.
fn may_go(own: &[Own]) -> BTreeSet<String> {
    let kept: BTreeSet<&String> = own
        .iter()
        .flat_map(|own| own.files.difference(&own.may_go))
        .collect();
    let let_go = own.iter().flat_map(|own| &own.may_go);
    let_go.filter(|file| !kept.contains(file)).cloned().collect()
}

/// What all gates but the plan's find in all of it: those that read files first, because they are quick,
/// and then those that run programs, beside each other.
async fn at_the_top(
    system: &System,
    members: &[Member],
    whole: &Landing,
    may_go: BTreeSet<String>,
) -> Result<BTreeMap<String, Found>, Error> {
    let Some(top) = members.last() else {
        return Ok(BTreeMap::new());
    };
    let names: BTreeSet<&String> = members.iter().flat_map(Member::gates).collect();
    let others = names.into_iter().filter(|name| *name != gate::PLAN);
    let (programs, readers): (Vec<&String>, Vec<&String>) =
        others.partition(|name| runs_program(name, &system.team().gates));
    let shared = Shared::of(system, &top.node, whole, system.team().gates.gates.scope)
        .await?
        .letting_go(may_go);
    let mut found = shared.all(readers).await?;
    if found.values().any(Found::fails) {
        return Ok(found);
    }
    found.extend(shared.all(programs).await?);
    for (gate, found) in &found {
        tracing::info!(%gate, together = members.len(), passed = !found.fails(), "gate");
    }
    Ok(found)
}
