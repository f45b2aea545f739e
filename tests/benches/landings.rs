//! A hundred submissions for one base, one in ten of which fails its gate: how long until all are
//! settled, in batches that are taken apart when they fail, against one by one.
//!
//! Everything is real: repositories, merges, checkouts, the gate's program, the branch that moves. What
//! is the same for both, like taking the submissions over, is not measured.

use std::{path::Path, process::Command as Program, time::Instant};

use worknode_core::{
    event::Principal,
    git::{CommitId, TreeId},
    ids::NodeId,
    task::{
        Approval, LandPermit, Landing, Review, Submission, Task, TaskCommand, TaskSpec, TaskStatus, decide,
    },
    time::Timestamp,
};
use worknode_git::{Authorship, Candidate, Git, Identity, ImportLimits, Merged, Repository, Store};
use worknode_policies::landing::batch::{Batches, Told};
use worknode_tests::scene::Scene;

use crate::{
    Bench, Failure,
    report::{Figure, Unit},
};

/// What gates look at together at the most, as in the runtime.
const TOGETHER: usize = 16;
/// The gate: it takes as long as a very quick test suite, and fails on a marked file.
const GATE: &str = "sleep 0.2; ! ls | grep -q bad\n";

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let count: u16 = bench.load(100, 10);
    bench.tokio.block_on(async {
        let alone = settle(count.into(), 1).await?;
        let batched = settle(count.into(), TOGETHER).await?;
        if alone.landed != batched.landed {
            return Err("batches landed others than one by one".into());
        }
        let load = format!(
            "{count} submissions for one base, one in ten fails, a gate of 0.2 s; {} judgements against {} \
             one by one",
            batched.judgements, alone.judgements
        );
        Ok(vec![Figure {
            what: "landings, time for each submission".into(),
            unit: Unit::Seconds,
            ours: batched.seconds / f64::from(count),
            baseline: alone.seconds / f64::from(count),
            load,
        }])
    })
}

struct Settled {
    seconds: f64,
    judgements: usize,
    landed: Vec<usize>,
}

/// A base with submissions, and the way to put them on it.
struct Stage {
    scene: Scene,
    repository: Repository,
    store: Store,
    by: Authorship,
    submitted: Vec<CommitId>,
}

impl Stage {
    async fn new(count: usize) -> Result<Self, Failure> {
        let scene = Scene::new();
        scene.write("tests/run.sh", GATE);
        scene.commit("gate");
        let git = Git::find().await?;
        let repository = Repository::open(&git, scene.path()).await?;
        let store = Store::open(&scene.file(".worknode/repo.git"), &repository).await?;
        let base = repository.base_tip("main").await?;
        let mut submitted = Vec::with_capacity(count);
        for nth in 0..count {
            scene.git(&["checkout", "--quiet", "--detach", base.as_str()]);
            let name = if nth % 10 == 3 { "bad" } else { "good" };
            scene.write(&format!("{name}-{nth}"), "work\n");
            scene.commit("work");
            let commit: CommitId = scene.git(&["rev-parse", "HEAD"]).parse()?;
            store
                .import(scene.path(), &commit, &base, &ImportLimits::default())
                .await?;
            submitted.push(commit);
        }
        scene.git(&["checkout", "--quiet", "main"]);
        let who = Identity::new("Bench", "bench@example.invalid")?;
        let by = Authorship {
            author: who.clone(),
            committer: who,
            at: Timestamp::from_millis(1_700_000_000_000),
        };
        Ok(Self {
            scene,
            repository,
            store,
            by,
            submitted,
        })
    }

    /// The group, one on top of the other.
    async fn stack(&self, group: &[usize]) -> Result<Vec<Candidate>, Failure> {
        let mut top = self.repository.base_tip("main").await?;
        let mut stack = Vec::with_capacity(group.len());
        for at in group {
            let merged = self
                .store
                .candidate(&top, &self.submitted[*at], "Work", &self.by)
                .await?;
            let Merged::Clean(candidate) = merged else {
                return Err("a submission does not fit".into());
            };
            top = candidate.commit().clone();
            stack.push(candidate);
        }
        Ok(stack)
    }

    /// Runs the gate on a clean checkout.
    async fn passes(&self, commit: &CommitId, nth: usize) -> Result<bool, Failure> {
        let place = self.scene.file(&format!(".worknode/checkouts/{nth}"));
        std::fs::create_dir_all(&place)?;
        self.store.checkout(commit, &place.join("tree")).await?;
        let passed = gate(&place.join("tree"))?;
        std::fs::remove_dir_all(&place)?;
        Ok(passed)
    }

    async fn land(&self, stack: Vec<Candidate>) -> Result<(), Failure> {
        let top = stack.last().ok_or("nothing to land")?;
        let tree = top.tree().clone();
        let permits = stack
            .iter()
            .map(|one| permit(one, &tree))
            .collect::<Result<_, _>>()?;
        self.repository
            .land_stack(permits, stack, "main", &self.store)
            .await?;
        Ok(())
    }
}

fn gate(tree: &Path) -> Result<bool, Failure> {
    let status = Program::new("sh")
        .arg("tests/run.sh")
        .current_dir(tree)
        .status()?;
    Ok(status.success())
}

/// From the decision that makes permits.
fn permit(candidate: &Candidate, tree: &TreeId) -> Result<LandPermit, Failure> {
    let mut task = Task::new(TaskSpec {
        approval: Approval::None,
        ..TaskSpec::default()
    });
    task.status = TaskStatus::InReview(Box::new(Review {
        submission: Submission {
            commit: candidate.submitted().clone(),
            epoch: 1,
            agent: NodeId::ROOT,
            run: None,
        },
        verdicts: std::collections::BTreeMap::new(),
        candidate: None,
        approvals: Vec::new(),
        landing: None,
    }));
    let landing = Landing {
        tree: tree.clone(),
        commit: candidate.commit().clone(),
        base: candidate.base().clone(),
    };
    let begin = TaskCommand::BeginLanding { landing };
    let decided = decide(&task, &begin, &Principal::Runtime, Timestamp::default())?;
    decided.permit.ok_or_else(|| "no permit".into())
}

async fn settle(count: usize, together: usize) -> Result<Settled, Failure> {
    let stage = Stage::new(count).await?;
    let begun = Instant::now();
    let mut batches = Batches::new(count, together);
    let (mut judgements, mut landed) = (0, Vec::new());
    while let Some(group) = batches.next_group() {
        let stack = stage.stack(&group).await?;
        let top = stack.last().ok_or("nothing to judge")?.commit().clone();
        judgements += 1;
        let passed = stage.passes(&top, judgements).await?;
        if let Some(Told::Land(group)) = batches.judged(passed) {
            stage.land(stack).await?;
            landed.extend(group);
        }
    }
    Ok(Settled {
        seconds: begun.elapsed().as_secs_f64(),
        judgements,
        landed,
    })
}
