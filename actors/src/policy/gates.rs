//! Running gates on a candidate.

mod base;
mod boxed;
pub(crate) mod checkouts;
pub(crate) mod counts;

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::JoinSet,
    time::Instant,
};
use worknode_core::{
    command::Command,
    error::{Code, Error},
    git::CommitId,
    node::Node,
    task::{Landing, TaskCommand, TaskSpec},
    verdict::{Finding, Outcome},
};
use worknode_gates::{
    change::ChangeSet,
    gate::paths,
    judge::{Outcome as Judged, Profiles, of_files, settle},
    settings::Scope,
};
use worknode_policies::{
    change::Change,
    evidence::Material,
    gate::{self, plan_gate},
    landing::Candidate,
    verdict::{Judgement, sign},
};

use self::boxed::Boxed;
use super::{Bench, Made, binding, look_again_if_refused};
use crate::{
    inspect::{Tested, change_set, may_go, of_program},
    outside::failed,
    system::System,
};

/// Gates of one submission that run at the same time: each program has a checkout of its own.
const AT_ONCE: usize = 4;

/// What one gate found, how long it took, and what it looked at beside the tree.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) findings: Vec<Finding>,
    pub(super) took_ms: u64,
    pub(super) material: Material,
}

impl Found {
    pub(super) fn fails(&self) -> bool {
        self.findings.iter().any(|finding| finding.weight.fails())
    }
}

/// What the gates of one submission share: what changed is read once for all of them.
#[derive(Clone)]
pub(super) struct Shared {
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
    /// Whether somebody handed it in: then what runs is compared with the base. What a trigger looks at
    /// came by many plans, some of which let tests go.
    handed_in: bool,
}

/// Runs `gates` and records each verdict. The plan gate comes first: after it failed the others are
/// not run, because what changed outside the plan is not executed. The others run beside each other.
/// Whoever was judged keeps its place as long as it holds what this returns.
pub(super) async fn run<'a>(
    system: &System,
    bench: &'a Bench,
    node: &Node,
    made: &Made,
    gates: &[String],
) -> Result<SemaphorePermit<'a>, Error> {
    let place = bench.judging.acquire().await.map_err(failed)?;
    if let Candidate::Made(landing) = &made.known {
        run_on(system, node, landing, gates).await?;
    }
    Ok(place)
}

/// The same for who has a place already.
pub(super) async fn run_on(
    system: &System,
    node: &Node,
    landing: &Landing,
    gates: &[String],
) -> Result<(), Error> {
    let (plan, others): (Vec<&String>, Vec<&String>) = gates.iter().partition(|name| *name == gate::PLAN);
    let shared = Shared::of(system, node, landing, system.team().gates.gates.scope).await?;
    for name in plan {
        let found = shared.found(name).await?;
        let passed = !found.fails();
        keep(system, node, landing, name, found).await?;
        if !passed {
            return Ok(());
        }
    }
    let mut running = shared.begin(others);
    while let Some(ended) = running.join_next().await {
        let (name, found) = ended.map_err(failed)?;
        keep(system, node, landing, &name, found?).await?;
    }
    Ok(())
}

/// Signs what a gate found in what `landing` names, and records it. When somebody took the task out of
/// review meanwhile, there is nothing that it could count for.
pub(super) async fn keep(
    system: &System,
    node: &Node,
    landing: &Landing,
    gate: &str,
    found: Found,
) -> Result<(), Error> {
    let judgement = Judgement {
        gate: gate.to_owned(),
        tree: landing.tree.clone(),
        commit: landing.commit.clone(),
        bound: binding::bound(system, node, landing, gate, &found).await,
        findings: found.findings,
        took_ms: found.took_ms,
    };
    let verdict = sign(&system.context().keys, judgement);
    let passed = verdict.outcome == Outcome::Passed;
    tracing::info!(%gate, tree = %landing.tree.short(), passed, "gate");
    let record = Command::Task(TaskCommand::RecordVerdict { verdict });
    let recorded = system.command_after(Some(node.updated), node.id, record);
    look_again_if_refused(recorded.await)
}

/// The configuration was checked when it was read, so this is a defect.
fn mistaken(bad: Vec<worknode_gates::judge::BadSettings>) -> Error {
    let first = bad.first().map_or_else(String::new, ToString::to_string);
    Error::new(Code::InvalidConfig, format!("the gates have mistakes: {first}"))
}

impl Shared {
    /// Reads what `landing` changes, or all of its tree.
    pub(super) async fn of(
        system: &System,
        node: &Node,
        landing: &Landing,
        scope: Scope,
    ) -> Result<Self, Error> {
        let Some(task) = node.task() else {
            return Err(Error::new(Code::Usage, format!("`{}` is not a task", node.name)));
        };
        let mut looked = Looked::at(system, landing, scope == Scope::All).await?;
        looked.let_go(|change| may_go(change, &task.spec));
        looked.handed_in = true;
        Ok(Self {
            spec: Arc::clone(&task.spec),
            looked,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    /// What one gate finds, once it has a place beside the others.
    pub(super) async fn found(&self, name: &str) -> Result<Found, Error> {
        let _place = self.places.acquire().await.map_err(failed)?;
        let begun = Instant::now();
        let (findings, material) = match name {
            gate::PLAN => (self.by_plan().await?, Material::default()),
            other => self.looked.by_gate(other).await?,
        };
        Ok(Found {
            findings,
            took_ms: worknode_core::time::millis(begun.elapsed()),
            material,
        })
    }

    /// Has these gates look beside each other, as far as there are places.
    fn begin<'a>(
        &self,
        names: impl IntoIterator<Item = &'a String>,
    ) -> JoinSet<(String, Result<Found, Error>)> {
        let mut running = JoinSet::new();
        for name in names {
            let (shared, name) = (self.clone(), name.clone());
            running.spawn(async move {
                let found = shared.found(&name).await;
                (name, found)
            });
        }
        running
    }

    /// What these gates find, each by its name.
    pub(super) async fn all<'a>(
        &self,
        names: impl IntoIterator<Item = &'a String>,
    ) -> Result<BTreeMap<String, Found>, Error> {
        let mut running = self.begin(names);
        let mut all = BTreeMap::new();
        while let Some(ended) = running.join_next().await {
            let (name, found) = ended.map_err(failed)?;
            all.insert(name, found?);
        }
        Ok(all)
    }

    /// The files that changed.
    pub(super) fn files(&self) -> BTreeSet<String> {
        let files = &self.looked.change.files;
        files.iter().map(|file| file.path().to_owned()).collect()
    }

    /// Those of them that the plan lets go.
    pub(super) fn may_go(&self) -> BTreeSet<String> {
        self.looked.change.may_go.clone()
    }

    /// The same with these files as those that may go.
    pub(super) fn letting_go(mut self, files: BTreeSet<String>) -> Self {
        self.looked.let_go(|_| files);
        self
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
    /// Says which files the plan lets go. Gates have not begun yet.
    fn let_go(&mut self, files: impl FnOnce(&ChangeSet) -> BTreeSet<String>) {
        if let Some(change) = Arc::get_mut(&mut self.change) {
            change.may_go = files(change);
        }
    }

    /// Reads what changed with the contents of its files; everything, when gates are to look at
    /// everything.
    async fn at(system: &System, landing: &Landing, everything: bool) -> Result<Self, Error> {
        let base = (!everything).then_some(&landing.base);
        let store = &system.context().store;
        let survey = store.survey(base, &landing.tree).await.map_err(failed)?;
        Ok(Self {
            system: system.clone(),
            landing: Arc::new(landing.clone()),
            change: Arc::new(change_set(survey, everything).await),
            profiles: Arc::new(Profiles::of(&system.team().gates.gates).map_err(mistaken)?),
            tested: Arc::new(Tested::default()),
            handed_in: false,
        })
    }

    /// A gate that reads files is judged on a thread for long work, one that runs a program in a box. Beside the findings
    /// stands what the program answered.
    async fn by_gate(&self, name: &str) -> Result<(Vec<Finding>, Material), Error> {
        let team = self.system.team();
        let now = self.system.now();
        let boxed = Boxed {
            system: &self.system,
            commit: &self.landing.commit,
        };
        if let (gate::TESTS, Some(tests)) = (name, &team.tests) {
            self.count(tests, &boxed).await?;
        }
        let ran = of_program(
            name,
            &team.gates,
            team.tests.as_ref(),
            &self.change,
            &boxed,
            &self.tested,
        )
        .await?;
        if let Some(said) = ran {
            let settled = settle(name, said.findings, said.severity, &self.profiles, now);
            return Ok((told(settled), said.material));
        }
        let (looked, gate, told_gates) = (self.clone(), name.to_owned(), Arc::clone(&team.gates));
        let judging = tokio::task::spawn_blocking(move || {
            of_files(&gate, &looked.change, &told_gates, &looked.profiles, now)
        });
        let judged = judging.await.map_err(failed)?;
        judged
            .map(|judged| (told(judged), self.beside(name)))
            .ok_or_else(|| Error::new(Code::InvalidConfig, format!("there is no gate `{name}`")))
    }

    /// What a gate that reads files looks at and the tree does not have.
    fn beside(&self, name: &str) -> Material {
        let texts = self.change.beside.iter().filter(|_| name == gate::LICENCE);
        texts.fold(Material::default(), |material, (path, text)| {
            material.with(path, text.as_bytes())
        })
    }
}

/// As verdicts carry them.
fn told(judged: Judged) -> Vec<Finding> {
    judged.findings.into_iter().map(Into::into).collect()
}

/// What each gate finds in a commit that nobody handed in: in what is new in it since `base`, or in all of
/// it. Tests are run on it as a whole in any case, once for all gates that ask what came of them.
///
/// # Errors
/// When one cannot be run, or judges only what somebody handed in.
pub(crate) async fn gates_on_commit(
    system: &System,
    names: &[String],
    commit: &CommitId,
    base: Option<&CommitId>,
) -> Result<Vec<Vec<Finding>>, Error> {
    if let Some(name) = names.iter().find(|name| *name == gate::PLAN) {
        let message = format!("the gate `{name}` compares a submission with what its task names");
        return Err(Error::new(Code::Usage, message).hint("a trigger can run every other gate"));
    }
    let tree = system.context().store.tree_of(commit).await.map_err(failed)?;
    let landing = Landing {
        tree,
        commit: commit.clone(),
        base: base.unwrap_or(commit).clone(),
    };
    let tested = Arc::new(Tested::default());
    let mut looks: BTreeMap<bool, Looked> = BTreeMap::new();
    let mut all = Vec::with_capacity(names.len());
    for name in names {
        // A program that runs tests looks at the files itself.
        let everything = base.is_none() && name != gate::TESTS;
        let looked = match looks.entry(everything) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Looked {
                tested: Arc::clone(&tested),
                ..Looked::at(system, &landing, everything).await?
            }),
        };
        all.push(looked.by_gate(name).await?.0);
    }
    Ok(all)
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
