//! A directory with a scripted child in it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use worknode_core::{
    agent::{Agent, AgentCommand, AgentEffect, AgentSpec, StartWhen, Tier, decide},
    event::Principal,
    ids::{NodeId, RunId},
    restart::RestartPolicy,
    run::{ProcessIdentity, Purpose, RunLimits, SpawnPermit},
    time::Timestamp,
};
use worknode_process::{Activity, Identify, Process, SpawnError, SpawnSpec, clean_env};

/// Grace of stops that are expected not to need it.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// Grace of stops that are expected to use it up.
pub(crate) const SHORT: Duration = Duration::from_millis(50);

pub(crate) struct Scene {
    dir: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    /// What the child wrote to standard output, as far as it was kept in the newest file.
    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(self.path("out")).unwrap()
    }

    pub(crate) fn command(&self, program: &str, args: &[&str]) -> SpawnSpec {
        SpawnSpec {
            program: program.into(),
            args: args.iter().map(Into::into).collect(),
            env: clean_env(&["PATH"]),
            cwd: self.root().to_path_buf(),
            stdout: self.path("out"),
            stderr: self.path("err"),
            output_limit: 1024 * 1024,
        }
    }

    pub(crate) fn script(&self, script: &str) -> SpawnSpec {
        self.command("/bin/sh", &["-c", script])
    }

    pub(crate) async fn start(&self, script: &str) -> Process {
        spawn(self.script(script)).await.unwrap()
    }

    /// Starts a script and waits until it has written something to standard output.
    pub(crate) async fn ready(&self, script: &str) -> Process {
        let process = self.start(script).await;
        has_written(&process.activity()).await;
        process
    }

    /// The process whose number the child wrote into a file before it said that it was ready.
    pub(crate) fn noted(&self, name: &str) -> Option<ProcessIdentity> {
        let pid = fs::read_to_string(self.path(name))
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        ProcessIdentity::of(pid).ok()
    }
}

/// Waits until the run has written to standard output.
pub(crate) async fn has_written(activity: &Activity) {
    while activity.bytes_out() == 0 {
        tokio::task::yield_now().await;
    }
}

/// Waits until the process is stopped, as by SIGSTOP.
pub(crate) async fn is_stopped(id: &ProcessIdentity) {
    let stat = format!("/proc/{}/stat", id.pid);
    while !fs::read_to_string(&stat).unwrap().contains(") T ") {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn variables(pairs: &[(&str, &str)]) -> BTreeMap<std::ffi::OsString, std::ffi::OsString> {
    pairs
        .iter()
        .map(|(key, value)| (key.into(), value.into()))
        .collect()
}

/// A permit the only way there is: from the decision to start an idle agent.
fn permit() -> SpawnPermit {
    let agent = Agent::new(AgentSpec {
        profile: "test".into(),
        driver: "command".into(),
        tier: Tier::Implementation,
        start: StartWhen::Task,
        restart: RestartPolicy::default(),
        limits: RunLimits::default(),
    });
    let start = AgentCommand::Start {
        run: RunId::derived(NodeId::ROOT, "run"),
        purpose: Purpose::Standing,
        max_duration: None,
    };
    let decided = decide(&agent, &start, &Principal::Runtime, Timestamp::default()).unwrap();
    match decided.effect {
        Some(AgentEffect::Spawn(permit, _)) => permit,
        other => panic!("not a start: {other:?}"),
    }
}

/// Starts a run under a fresh permit.
pub(crate) async fn spawn(spec: SpawnSpec) -> Result<Process, SpawnError> {
    worknode_process::spawn(permit(), spec).await
}
