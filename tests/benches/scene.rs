//! A team whose one agent writes down when it began.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use worknode_actors::{clock::SystemClock, runtime::Runtime};
use worknode_tests::{scene::Scene, within};

use crate::{Failure, role};

/// The agent's name.
pub(crate) const AGENT: &str = "probe";

/// A team on a repository of its own, and the file in which its agent leaves its stamps.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) scene: Scene,
    stamps: PathBuf,
}

impl Stage {
    /// The team with these triggers.
    pub(crate) fn new(triggers: &str) -> Result<Self, Failure> {
        let scene = Scene::new();
        let stamps = scene.file(".worknode/stamps");
        let program = program()?;
        let (program, file) = (program.to_string_lossy(), stamps.to_string_lossy());
        let command = serde_json::to_string(&[program.as_ref(), role::FLAG, role::STAMP, file.as_ref()])?;
        // JSON's strings are TOML's too, for the paths of temporary directories.
        scene.write(
            "worknode.toml",
            &format!(
                "[team]\nname = \"bench\"\n\n[[agent]]\nname = \"{AGENT}\"\nprofile = \"executive\"\n\
                 driver = \"command\"\ncommand = {command}\nstart = \"trigger\"\n\
                 restart = {{ kind = \"temporary\" }}\n\n{triggers}"
            ),
        );
        scene.commit("team");
        Ok(Self { scene, stamps })
    }

    /// Starts the team in this process, on the clock of the machine.
    pub(crate) async fn start(&self) -> Result<Runtime, Failure> {
        runtime(self.scene.path()).await
    }

    /// What was written so far: who began (a run, or `none`) and when.
    pub(crate) fn stamps(&self) -> Result<Vec<(String, u128)>, Failure> {
        read_stamps(&self.stamps)
    }

    /// The same program, started with nothing of ours around it: same directory, same
    /// environment, its stamps in `file`. To be asked for once a run has shown both.
    pub(crate) fn bare(&self, file: &Path) -> Result<Command, Failure> {
        let mut command = Command::new(program()?);
        command
            .args([role::FLAG, role::STAMP])
            .arg(file)
            .env_clear()
            .envs(environment(&std::fs::read(self.stamps.with_extension("env"))?))
            .current_dir(self.scene.file(".worknode/workspaces").join(AGENT))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(command)
    }
}

/// The team of a directory in this process, on the clock of the machine.
pub(crate) async fn runtime(dir: &Path) -> Result<Runtime, Failure> {
    Ok(Runtime::start(within::context(dir, Arc::new(SystemClock)).await).await?)
}

/// Reads a file of stamps.
pub(crate) fn read_stamps(file: &Path) -> Result<Vec<(String, u128)>, Failure> {
    let text = std::fs::read_to_string(file)?;
    let stamps = text.lines().map(|line| {
        let (run, nanos) = line.split_once(' ').ok_or("a stamp without a time")?;
        Ok((run.to_owned(), nanos.parse()?))
    });
    stamps.collect()
}

/// This program, which plays the agent too.
pub(crate) fn program() -> Result<PathBuf, Failure> {
    Ok(std::env::current_exe()?)
}

/// What the kernel shows of a process's environment, taken apart.
fn environment(shown: &[u8]) -> BTreeMap<OsString, OsString> {
    let variables = shown.split(|byte| *byte == 0).filter_map(|variable| {
        let at = variable.iter().position(|byte| *byte == b'=')?;
        let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        Some((text(&variable[..at]), text(&variable[at + 1..])))
    });
    variables.collect()
}
