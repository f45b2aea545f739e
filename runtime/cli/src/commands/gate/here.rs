//! Programs of gates, run in the work tree by the person who asks.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::SystemTime,
};

use worknode_actors::inspect::{Answer, Asked, Program, Runner, random_run, random_secret, read_report, run};
use worknode_core::error::{Code, Error};

/// The work tree.
pub(super) struct Here {
    root: PathBuf,
    program: PathBuf,
}

impl Here {
    pub(super) fn new(root: PathBuf) -> Result<Self, Error> {
        let program = std::env::current_exe()
            .map_err(|error| Error::new(Code::Failed, format!("the program cannot find itself: {error}")))?;
        Ok(Self { root, program })
    }

    /// When a report was written; `None` when it is not there.
    fn written(&self, report: &str) -> Option<SystemTime> {
        std::fs::symlink_metadata(self.root.join(report))
            .ok()?
            .modified()
            .ok()
    }
}

impl Runner for Here {
    async fn run(&self, asked: Asked) -> Result<Answer, Error> {
        let place = Scratch::new()?;
        let before: BTreeMap<&String, Option<SystemTime>> = asked
            .reports
            .iter()
            .map(|report| (report, self.written(report)))
            .collect();
        let ran = run(Program {
            shim: self.program.clone(),
            run: random_run(super::super::now()),
            secret: random_secret(),
            command: asked.command.clone(),
            folder: self.root.clone(),
            place: place.0.clone(),
            timeout: asked.timeout,
            sandbox: None,
            env: std::env::vars_os().filter(|(name, _)| name != "TMPDIR").collect(),
        })
        .await?;
        let mut reports = BTreeMap::new();
        for report in &asked.reports {
            // A report that was there before and was not written again is about another state.
            let written = self.written(report);
            let fresh = written.is_some() && before.get(report).is_none_or(|then| *then != written);
            let bytes = if fresh {
                read_report(&self.root, report).await
            } else {
                None
            };
            reports.insert(report.clone(), bytes);
        }
        Ok(Answer {
            ran,
            reports,
            root: self.root.display().to_string(),
        })
    }
}

/// A folder for what one program writes, gone when it is done.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new() -> Result<Self, Error> {
        let folder = std::env::temp_dir().join(format!("worknode-gate-{}", random_run(super::super::now())));
        std::fs::create_dir_all(&folder).map_err(|error| {
            Error::new(
                Code::Failed,
                format!("cannot make `{}`: {error}", folder.display()),
            )
        })?;
        Ok(Self(folder))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left over is in the folder that the system empties.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
