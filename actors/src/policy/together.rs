//! Judging several submissions that lie on top of each other.
//!
//! A gate that only reads files looks at what each of them changes by itself, on top of those before
//! it: exactly that it would see if they landed one by one. Then it looks at all of it together, as do
//! the gates that run programs: what lands is the tree at the top, so every gate has passed that very
//! tree. What is found is told to those whose files it is about.

use std::collections::{BTreeMap, BTreeSet};

use tokio::{task::JoinSet, time::Instant};
use worknode_core::{
    command::Command,
    error::Error,
    git::{CommitId, TreeId},
    node::Node,
    task::{Landing, TaskCommand},
    verdict::Finding,
};
use worknode_gates::settings::Scope;
use worknode_git::Candidate;
use worknode_policies::{
    gate,
    landing::share,
    verdict::{Judgement, sign},
};

use super::{binding, gates::Shared};
use crate::{inspect::runs_program, outside::failed, system::System};

/// One of a group, as it lies on top of those before it.
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

/// What one gate found, and how long it took.
#[derive(Clone, Default)]
struct Found {
    findings: Vec<Finding>,
    took_ms: u64,
}

impl Found {
    fn fails(&self) -> bool {
        self.findings.iter().any(|finding| finding.weight.fails())
    }
}

/// What the gates found in the work of one by itself.
struct Own {
    files: BTreeSet<String>,
    found: BTreeMap<String, Found>,
}

/// Do all gates of all agree? If so, a passing verdict of each is kept for each, with what concerns
/// it.
pub(super) async fn judge(system: &System, tip: &CommitId, members: &[Member]) -> Result<Said, Error> {
    let Some(top) = members.last() else {
        return Ok(Said::Passed);
    };
    let mut own = Vec::with_capacity(members.len());
    for member in members {
        own.push(alone(system, member).await?);
    }
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
    let found = at_the_top(system, members, &whole).await?;
    let failing: Vec<&Found> = found.values().filter(|found| found.fails()).collect();
    if !failing.is_empty() {
        let findings: Vec<Finding> = failing.iter().flat_map(|found| found.findings.clone()).collect();
        return Ok(Said::Failed(share::at_fault(&findings, &changed)));
    }
    for (at, (member, own)) in members.iter().zip(own).enumerate() {
        let of = |gate: &String| {
            own.found.get(gate).cloned().unwrap_or_else(|| {
                let all = found.get(gate).cloned().unwrap_or_default();
                Found {
                    findings: share::own(&all.findings, &changed, at),
                    ..all
                }
            })
        };
        let verdicts: Vec<(&String, Found)> = member.gates().iter().map(|gate| (gate, of(gate))).collect();
        keep(system, member, &whole, verdicts).await?;
    }
    Ok(Said::Passed)
}

/// What gates that read files find in what this one changes. Where they are to look at everything,
/// only the plan is about the change.
async fn alone(system: &System, member: &Member) -> Result<Own, Error> {
    let team = system.team();
    let everything = team.gates.gates.scope == Scope::All;
    let landing = member.landing(member.candidate.tree());
    let shared = Shared::of_change(system, &member.node, &landing).await?;
    let mut found = BTreeMap::new();
    let reads = |name: &&String| *name == gate::PLAN || !(everything || runs_program(name, &team.gates));
    for name in member.gates().iter().filter(reads) {
        found.insert(name.clone(), timed(&shared, name).await?);
    }
    Ok(Own {
        files: shared.files(),
        found,
    })
}

/// What all gates but the plan's find in all of it: those that read files first, because they are quick,
/// and then those that run programs, beside each other.
async fn at_the_top(
    system: &System,
    members: &[Member],
    whole: &Landing,
) -> Result<BTreeMap<String, Found>, Error> {
    let mut found = BTreeMap::new();
    let Some(top) = members.last() else {
        return Ok(found);
    };
    let names: BTreeSet<&String> = members.iter().flat_map(Member::gates).collect();
    let others = names.into_iter().filter(|name| *name != gate::PLAN);
    let (programs, readers): (Vec<&String>, Vec<&String>) =
        others.partition(|name| runs_program(name, &system.team().gates));
    let shared = Shared::of(system, &top.node, whole).await?;
    for name in readers {
        found.insert(name.clone(), timed(&shared, name).await?);
    }
    if found.values().any(Found::fails) {
        return Ok(found);
    }
    let mut running = JoinSet::new();
    for name in programs {
        let (shared, name) = (shared.clone(), name.clone());
        running.spawn(async move {
            let found = timed(&shared, &name).await;
            (name, found)
        });
    }
    while let Some(ended) = running.join_next().await {
        let (name, program) = ended.map_err(failed)?;
        found.insert(name, program?);
    }
    for (gate, found) in &found {
        tracing::info!(%gate, together = members.len(), passed = !found.fails(), "gate");
    }
    Ok(found)
}

async fn timed(shared: &Shared, name: &str) -> Result<Found, Error> {
    let begun = Instant::now();
    let findings = shared.find(name).await?;
    Ok(Found {
        findings,
        took_ms: worknode_core::time::millis(begun.elapsed()),
    })
}

async fn keep(
    system: &System,
    member: &Member,
    whole: &Landing,
    verdicts: Vec<(&String, Found)>,
) -> Result<(), Error> {
    for (gate, found) in verdicts {
        let judgement = Judgement {
            gate: gate.clone(),
            tree: whole.tree.clone(),
            commit: whole.commit.clone(),
            bound: binding::bound(system, &member.node, whole, gate, &found.findings).await,
            findings: found.findings,
            took_ms: found.took_ms,
        };
        let verdict = sign(&system.context().keys, judgement);
        let record = Command::Task(TaskCommand::RecordVerdict { verdict });
        system
            .command_after(Some(member.node.updated), member.node.id, record)
            .await?;
    }
    Ok(())
}
