//! Programs of gates, each in a box of its own on a clean checkout: what they run was written by an
//! agent.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use worknode_core::{error::Error, git::CommitId};
use worknode_process::sandbox::Sandbox;
use worknode_profiles::profile::SandboxMode;

use crate::{
    definition::TeamDefinition,
    inspect::{Answer, Asked, Program, Runner, read_report, run},
    keeper::{existing, shim_secret},
    outside::failed,
    system::System,
};

/// Runs programs on a checkout of exactly this commit: the one that would land, or the base under it.
pub(super) struct Boxed<'a> {
    pub(super) system: &'a System,
    pub(super) commit: &'a CommitId,
}

impl Runner for Boxed<'_> {
    async fn run(&self, asked: Asked) -> Result<Answer, Error> {
        let place = self.system.checkouts().take(self.system, self.commit).await?;
        self.in_checkout(asked, &place.folder(), &place.tree()).await
    }
}

/// How programs of gates are kept in their box.
pub(super) fn mode(team: &TeamDefinition) -> SandboxMode {
    team.tests
        .as_ref()
        .map_or(SandboxMode::default(), |tests| tests.sandbox)
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
        let mode = mode(team);
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
