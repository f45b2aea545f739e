//! Gates on what is here.

use std::{collections::HashSet, sync::Arc, time::Instant};

use worknode_actors::{
    definition::TestsDefinition,
    inspect::{Tested, of_program},
};
use worknode_core::{
    error::Error,
    git::CommitId,
    task::TaskSpec,
    time::{Timestamp, millis},
};
use worknode_gates::{
    change::ChangeSet,
    finding::{Finding, Severity},
    gate::paths,
    judge::{Outcome, Profiles, of_files, settle},
    settings::All,
};
use worknode_policies::gate::{PLAN, plan_gate};

use super::{failed, here::Here};

/// What all gates of one run share.
#[derive(Clone)]
pub(super) struct Judged {
    pub(super) told: Arc<All>,
    pub(super) profiles: Arc<Profiles>,
    pub(super) change: Arc<ChangeSet>,
    pub(super) task: Option<Arc<Task>>,
    pub(super) tested: Arc<Tested>,
    pub(super) now: Timestamp,
}

/// The task that the change is for.
pub(super) struct Task {
    pub(super) spec: TaskSpec,
    /// What the change is compared with; `None` before the first commit.
    pub(super) base: Option<CommitId>,
    /// Whether the work is done, so that what it is to deliver has to be there.
    pub(super) done: bool,
}

impl Judged {
    /// The gates that only read files, each on a thread of its own.
    pub(super) async fn by_files(&self, wanted: &[String]) -> Result<Vec<Outcome>, Error> {
        let mut running = tokio::task::JoinSet::new();
        for name in wanted {
            let (judged, name) = (self.clone(), name.clone());
            running.spawn_blocking(move || {
                let begun = Instant::now();
                let mut outcome = judged.by_file(&name)?;
                outcome.took_ms = millis(begun.elapsed());
                Some(outcome)
            });
        }
        let mut outcomes = Vec::new();
        while let Some(judged) = running.join_next().await {
            outcomes.extend(judged.map_err(failed)?);
        }
        Ok(outcomes)
    }

    fn by_file(&self, name: &str) -> Option<Outcome> {
        match &self.task {
            Some(task) if name == PLAN => {
                let found = self.by_plan(task);
                Some(settle(PLAN, found, Severity::Error, &self.profiles, self.now))
            }
            _ => of_files(name, &self.change, &self.told, &self.profiles, self.now),
        }
    }

    /// What the plan of the task says, and then what is true of every change. What breaks both is told
    /// once.
    fn by_plan(&self, task: &Task) -> Vec<Finding> {
        let mut found: Vec<Finding> = Vec::new();
        if let Some(base) = &task.base {
            let changes: Vec<_> = self.change.files.iter().map(|file| file.change.clone()).collect();
            found.extend(
                plan_gate::judge(&task.spec, &changes, base)
                    .into_iter()
                    .map(Finding::from),
            );
        }
        if task.done {
            let there: HashSet<&str> = self.change.tree.iter().map(String::as_str).collect();
            let wanted = task.spec.deliverables.iter();
            let missing: Vec<String> = wanted.filter(|path| !is_there(path, &there)).cloned().collect();
            found.extend(plan_gate::undelivered(&missing).into_iter().map(Finding::from));
        }
        let known = |one: &Finding| {
            found
                .iter()
                .any(|other| other.rule == one.rule && other.file == one.file)
        };
        let further: Vec<Finding> = paths::judge(&self.change)
            .into_iter()
            .filter(|one| !known(one))
            .collect();
        found.extend(further);
        found
    }

    /// A gate that runs a program. They share the work tree, and so run one after the other.
    pub(super) async fn by_program(
        &self,
        name: &str,
        tests: Option<&TestsDefinition>,
        here: &Here,
    ) -> Result<Option<Outcome>, Error> {
        let begun = Instant::now();
        let found = of_program(name, &self.told, tests, &self.change, here, &self.tested).await?;
        Ok(found.map(|said| {
            let mut outcome = settle(name, said.findings, said.severity, &self.profiles, self.now);
            outcome.took_ms = millis(begun.elapsed());
            outcome
        }))
    }
}

/// A file, or a folder with one in it.
fn is_there(path: &str, tree: &HashSet<&str>) -> bool {
    let path = path.trim_end_matches('/');
    let below = format!("{path}/");
    tree.contains(path) || tree.iter().any(|other| other.starts_with(&below))
}
