//! Programs of gates, each in a box of its own on a clean checkout: what they run was written by an
//! agent.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use worknode_core::{error::Error, task::Landing};
use worknode_process::sandbox::Sandbox;
use worknode_profiles::profile::SandboxMode;

use crate::{
    inspect::{Answer, Asked, Program, Runner, read_report, run},
    keeper::{existing, shim_secret},
    outside::failed,
    system::System,
};

/// Runs programs on a checkout of exactly the tree that would land.
pub(super) struct Boxed<'a> {
    pub(super) system: &'a System,
    pub(super) landing: &'a Landing,
}

impl Runner for Boxed<'_> {
    async fn run(&self, asked: Asked) -> Result<Answer, Error> {
        let context = self.system.context();
        let root = context.paths.state.join("checkouts");
        let place = root.join(self.system.new_run().to_string());
        let checkout = place.join("tree");
        tokio::fs::create_dir_all(&place).await.map_err(failed)?;
        let answer = match context.store.checkout(&self.landing.commit, &checkout).await {
            Ok(()) => self.in_checkout(asked, &place, &checkout).await,
            Err(error) => Err(failed(error)),
        };
        if let Err(error) = worknode_git::remove_clone(&root, &place).await {
            tracing::warn!(%error, "a checkout could not be removed");
        }
        answer
    }
}

impl Boxed<'_> {
    async fn in_checkout(&self, asked: Asked, place: &Path, checkout: &Path) -> Result<Answer, Error> {
        let run_id = self.system.new_run();
        let scratch = place.join("scratch");
        tokio::fs::create_dir_all(&scratch).await.map_err(failed)?;
        let ran = run(Program {
            shim: self.system.context().paths.program.clone(),
            run: run_id,
            secret: shim_secret(self.system, run_id),
            command: asked.command,
            folder: checkout.to_owned(),
            place: place.to_owned(),
            timeout: asked.timeout,
            sandbox: self.sandbox(checkout, &scratch)?,
            env: BTreeMap::new(),
        })
        .await?;
        let mut reports = BTreeMap::new();
        for report in asked.reports {
            let bytes = read_report(checkout, &report).await;
            reports.insert(report, bytes);
        }
        Ok(Answer {
            ran,
            reports,
            root: checkout.canonicalize().map_err(failed)?.display().to_string(),
        })
    }

    /// The box: its checkout and a scratch folder to write, and nothing of the runtime to read.
    fn sandbox(&self, checkout: &Path, scratch: &Path) -> Result<Option<Sandbox>, Error> {
        let team = self.system.team();
        let mode = team
            .tests
            .as_ref()
            .map_or(SandboxMode::default(), |tests| tests.sandbox);
        if mode == SandboxMode::Off {
            return Ok(None);
        }
        let real = |path: &Path| -> Result<PathBuf, Error> { path.canonicalize().map_err(failed) };
        let mut write = vec![real(checkout)?, real(scratch)?];
        write.extend(existing(&team.gate_writes));
        Ok(Some(Sandbox {
            write,
            hide: vec![real(&self.system.context().paths.state)?],
            best_effort: mode == SandboxMode::BestEffort,
            ..Sandbox::default()
        }))
    }
}
