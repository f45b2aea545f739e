//! Running gates on a candidate.

mod boxed;

use std::{collections::BTreeSet, sync::Arc};

use tokio::{sync::Semaphore, task::JoinSet, time::Instant};
use worknode_core::{
    command::Command,
    error::{Code, Error},
    git::CommitId,
    node::Node,
    task::{Landing, Task, TaskCommand, TaskSpec},
    verdict::{Finding, Outcome, Verdict},
};
use worknode_gates::{
    change::ChangeSet,
    gate::paths,
    judge::{Outcome as Judged, Profiles, of_files, settle},
    settings::Scope,
};
use worknode_policies::{
    change::Change,
    gate::{self, plan_gate},
    landing::Candidate,
    verdict::{Judgement, sign},
};

use self::boxed::Boxed;
use super::{Bench, Made, binding};
use crate::{
    inspect::{Tested, change_set, of_program},
    outside::failed,
    system::System,
};

/// Gates of one submission that run at the same time: each program has a checkout of its own.
const AT_ONCE: usize = 4;

/// What the gates of one submission share: what changed is read once for all of them.
#[derive(Clone)]
pub(super) struct Shared {
    node: Arc<Node>,
    spec: Arc<TaskSpec>,
    looked: Looked,
    places: Arc<Semaphore>,
}

/// A tree that gates judge, and what changed in it.
#[derive(Clone)]
struct Looked {
    system: System,
    landing: Arc<Landing>,
    change: Arc<ChangeSet>,
    profiles: Arc<Profiles>,
    tested: Arc<Tested>,
}

/// Runs `gates` and records each verdict. The plan gate comes first: after it failed the others are
/// not run, because what changed outside the plan is not executed. The others run beside each other.
pub(super) async fn run(
    system: &System,
    bench: &Bench,
    node: &Node,
    made: &Made,
    gates: &[String],
) -> Result<(), Error> {
    let Candidate::Made(landing) = &made.known else {
        return Ok(());
    };
    let _place = bench.judging.acquire().await.map_err(failed)?;
    run_on(system, node, landing, gates).await
}

/// The same for who has a place already.
pub(super) async fn run_on(
    system: &System,
    node: &Node,
    landing: &Landing,
    gates: &[String],
) -> Result<(), Error> {
    let (plan, others): (Vec<&String>, Vec<&String>) = gates.iter().partition(|name| *name == gate::PLAN);
    let shared = Shared::of(system, node, landing).await?;
    for name in plan {
        let verdict = shared.judge(name).await?;
        let passed = verdict.outcome == Outcome::Passed;
        shared.record(verdict).await?;
        if !passed {
            return Ok(());
        }
    }
    let mut running = JoinSet::new();
    for name in others {
        let (shared, name) = (shared.clone(), name.clone());
        running.spawn(async move { shared.judge(&name).await });
    }
    while let Some(verdict) = running.join_next().await {
        shared.record(verdict.map_err(failed)??).await?;
    }
    Ok(())
}

/// The configuration was checked when it was read, so this is a defect.
fn mistaken(bad: Vec<worknode_gates::judge::BadSettings>) -> Error {
    let first = bad.first().map_or_else(String::new, ToString::to_string);
    Error::new(Code::InvalidConfig, format!("the gates have mistakes: {first}"))
}

impl Shared {
    /// Reads what `landing` changes.
    pub(super) async fn of(system: &System, node: &Node, landing: &Landing) -> Result<Self, Error> {
        let Some(task) = node.task() else {
            return Err(Error::new(Code::Usage, format!("`{}` is not a task", node.name)));
        };
        let everything = system.team().gates.gates.scope == Scope::All;
        Self::looking(system, node, task, landing, everything).await
    }

    /// Reads what `landing` changes, wherever gates are to look.
    pub(super) async fn of_change(system: &System, node: &Node, landing: &Landing) -> Result<Self, Error> {
        let Some(task) = node.task() else {
            return Err(Error::new(Code::Usage, format!("`{}` is not a task", node.name)));
        };
        Self::looking(system, node, task, landing, false).await
    }

    async fn looking(
        system: &System,
        node: &Node,
        task: &Task,
        landing: &Landing,
        everything: bool,
    ) -> Result<Self, Error> {
        Ok(Self {
            node: Arc::new(node.clone()),
            spec: Arc::clone(&task.spec),
            looked: Looked::at(system, landing, everything).await?,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    async fn record(&self, verdict: Verdict) -> Result<(), Error> {
        let passed = verdict.outcome == Outcome::Passed;
        tracing::info!(gate = %verdict.gate, tree = %self.looked.landing.tree.short(), passed, "gate");
        let record = Command::Task(TaskCommand::RecordVerdict { verdict });
        let recorded = self
            .looked
            .system
            .command_after(Some(self.node.updated), self.node.id, record);
        recorded.await.map(drop)
    }

    /// The verdict of one gate. It is not kept here.
    pub(super) async fn judge(&self, name: &str) -> Result<Verdict, Error> {
        let _place = self.places.acquire().await.map_err(failed)?;
        let begun = Instant::now();
        let findings = self.find(name).await?;
        let Looked { system, landing, .. } = &self.looked;
        let judgement = Judgement {
            gate: name.to_owned(),
            tree: landing.tree.clone(),
            commit: landing.commit.clone(),
            bound: binding::bound(system, &self.node, landing, name, &findings).await,
            findings,
            took_ms: worknode_core::time::millis(begun.elapsed()),
        };
        Ok(sign(&system.context().keys, judgement))
    }

    /// What one gate finds, all of it.
    pub(super) async fn find(&self, name: &str) -> Result<Vec<Finding>, Error> {
        match name {
            gate::PLAN => self.by_plan().await,
            other => self.looked.by_gate(other).await,
        }
    }

    /// The files that changed.
    pub(super) fn files(&self) -> BTreeSet<String> {
        let files = &self.looked.change.files;
        files.iter().map(|file| file.path().to_owned()).collect()
    }

    async fn by_plan(&self) -> Result<Vec<Finding>, Error> {
        let mut findings = judge_plan(&self.looked.system, &self.spec, &self.looked.landing).await?;
        // What breaks both is told once.
        let further = paths::judge(&self.looked.change).into_iter().map(Finding::from);
        let known = |finding: &Finding| {
            findings
                .iter()
                .any(|f| f.rule == finding.rule && f.file == finding.file)
        };
        let further: Vec<Finding> = further.filter(|finding| !known(finding)).collect();
        findings.extend(further);
        Ok(findings)
    }
}

impl Looked {
    /// Reads what changed with the contents of its files; everything, when gates are to look at
    /// everything.
    async fn at(system: &System, landing: &Landing, everything: bool) -> Result<Self, Error> {
        let base = (!everything).then_some(&landing.base);
        let store = &system.context().store;
        let survey = store.survey(base, &landing.tree).await.map_err(failed)?;
        Ok(Self {
            system: system.clone(),
            landing: Arc::new(landing.clone()),
            change: Arc::new(change_set(survey, everything)),
            profiles: Arc::new(Profiles::of(&system.team().gates.gates).map_err(mistaken)?),
            tested: Arc::new(Tested::default()),
        })
    }

    /// A gate that reads files is judged on a thread for long work, one that runs a program in a box.
    async fn by_gate(&self, name: &str) -> Result<Vec<Finding>, Error> {
        let team = self.system.team();
        let now = self.system.now();
        let boxed = Boxed {
            system: &self.system,
            landing: &self.landing,
        };
        let ran = of_program(
            name,
            &team.gates,
            team.tests.as_ref(),
            &self.change,
            &boxed,
            &self.tested,
        )
        .await?;
        if let Some((found, severity)) = ran {
            return Ok(told(settle(name, found, severity, &self.profiles, now)));
        }
        let (looked, gate, told_gates) = (self.clone(), name.to_owned(), Arc::clone(&team.gates));
        let judging = tokio::task::spawn_blocking(move || {
            of_files(&gate, &looked.change, &told_gates, &looked.profiles, now)
        });
        let judged = judging.await.map_err(failed)?;
        judged
            .map(told)
            .ok_or_else(|| Error::new(Code::InvalidConfig, format!("there is no gate `{name}`")))
    }
}

/// As verdicts carry them.
fn told(judged: Judged) -> Vec<Finding> {
    judged.findings.into_iter().map(Into::into).collect()
}

/// What a gate finds in a commit that nobody handed in: in what is new in it since `base`, or in all of
/// it. Tests are run on it as a whole in any case.
///
/// # Errors
/// When it cannot be run, or judges only what somebody handed in.
pub(crate) async fn gate_on_commit(
    system: &System,
    name: &str,
    commit: &CommitId,
    base: Option<&CommitId>,
) -> Result<Vec<Finding>, Error> {
    if name == gate::PLAN {
        let message = format!("the gate `{name}` compares a submission with what its task names");
        return Err(Error::new(Code::Usage, message).hint("a trigger can run every other gate"));
    }
    let tree = system.context().store.tree_of(commit).await.map_err(failed)?;
    let landing = Landing {
        tree,
        commit: commit.clone(),
        base: base.unwrap_or(commit).clone(),
    };
    // A program that runs tests looks at the files itself.
    let everything = base.is_none() && name != gate::TESTS;
    Looked::at(system, &landing, everything)
        .await?
        .by_gate(name)
        .await
}

async fn judge_plan(system: &System, spec: &TaskSpec, landing: &Landing) -> Result<Vec<Finding>, Error> {
    let changes = system
        .context()
        .store
        .changes(&landing.base, &landing.tree)
        .await
        .map_err(failed)?;
    let changes: Vec<Change> = changes.into_iter().map(Into::into).collect();
    let mut findings = plan_gate::judge(spec, &changes, &landing.base);
    let store = &system.context().store;
    let missing = store.missing(&landing.tree, &spec.deliverables).await;
    findings.extend(plan_gate::undelivered(&missing.map_err(failed)?));
    Ok(findings)
}
