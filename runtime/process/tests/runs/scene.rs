//! A directory with a scripted child in it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
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
use worknode_process::{
    Adopted, Exit, Identify, Input, Limits, Liveness, RunRequest, Secret, Shim, SpawnError, SpawnSpec, adopt,
    clean_env,
};

/// Grace of stops that are expected not to need it.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// Grace of stops that are expected to use it up, and limits that are to be reached.
pub(crate) const SHORT: Duration = Duration::from_millis(50);
/// Says that it is ready, then waits for something that does not come.
pub(crate) const HANG: &str = "mkfifo gate; echo up; read x < gate";

pub(crate) struct Scene {
    dir: TempDir,
    starts: AtomicU32,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            starts: AtomicU32::new(0),
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
            stdin: Input::Closed,
            stdout: self.path("out"),
            stderr: self.path("err"),
            output_limit: 1024 * 1024,
            sandbox: None,
        }
    }

    pub(crate) fn script(&self, script: &str) -> SpawnSpec {
        self.command("/bin/sh", &["-c", script])
    }

    /// A request for a run of its own, with limits that are not reached.
    pub(crate) fn request(&self, command: SpawnSpec) -> RunRequest {
        let number = self.starts.fetch_add(1, Ordering::Relaxed);
        let dir = self.path(&format!("run-{number}"));
        fs::create_dir(&dir).unwrap();
        RunRequest {
            shim: env!("CARGO_BIN_EXE_worknode-test-shim").into(),
            run: RunId::derived(NodeId::ROOT, &dir.display().to_string()),
            dir,
            secret: secret(),
            command,
            limits: Limits::none(LONG, LONG),
            watch: Vec::new(),
        }
    }

    pub(crate) async fn spawn(&self, command: SpawnSpec) -> Result<Shim, SpawnError> {
        spawn(self.request(command)).await
    }

    pub(crate) async fn start(&self, script: &str) -> Shim {
        self.spawn(self.script(script)).await.unwrap()
    }

    /// Runs a script to its end.
    pub(crate) async fn end_of(&self, script: &str) -> Exit {
        self.start(script).await.wait().await
    }

    /// Starts a script and waits until it has written something to standard output.
    pub(crate) async fn ready(&self, script: &str) -> Shim {
        self.ready_in(script, |_| {}).await.0
    }

    /// The same with other limits and the like.
    pub(crate) async fn ready_in(
        &self,
        script: &str,
        change: impl FnOnce(&mut RunRequest),
    ) -> (Shim, RunRequest) {
        let mut request = self.request(self.script(script));
        change(&mut request);
        let shim = spawn(request.clone()).await.unwrap();
        self.has_written().await;
        (shim, request)
    }

    /// Waits until the run has written to standard output.
    pub(crate) async fn has_written(&self) {
        // A file that was just rotated away is not there until more comes.
        while !["out", "out.1"]
            .iter()
            .any(|name| fs::metadata(self.path(name)).is_ok_and(|file| file.len() > 0))
        {
            tokio::task::yield_now().await;
        }
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

    /// Whether the process is gone whose number the child wrote into a file.
    pub(crate) fn is_gone(&self, name: &str) -> bool {
        self.noted(name).is_none_or(|id| id.is_alive() == Liveness::Gone)
    }
}

pub(crate) fn secret() -> Secret {
    Secret::new([7; 32])
}

/// Takes the run over as a daemon does that knows the directory and its key.
pub(crate) async fn adopted(request: &RunRequest) -> Adopted {
    adopt(&request.dir, request.run, &request.secret).await.unwrap()
}

pub(crate) async fn adopted_live(request: &RunRequest) -> Shim {
    match adopted(request).await {
        Adopted::Live(shim) => shim,
        other => panic!("not alive: {other:?}"),
    }
}

/// Waits until the process is in this state, as in `/proc/PID/stat`.
pub(crate) async fn is_in_state(id: &ProcessIdentity, state: char) {
    let stat = format!("/proc/{}/stat", id.pid);
    while !fs::read_to_string(&stat)
        .unwrap()
        .contains(&format!(") {state} "))
    {
        tokio::task::yield_now().await;
    }
}

/// Waits until the process is gone.
pub(crate) async fn is_over(id: &ProcessIdentity) {
    while id.is_alive() == Liveness::Alive {
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
fn permit(run: RunId) -> SpawnPermit {
    let agent = Agent::new(AgentSpec {
        profile: "test".into(),
        driver: "command".into(),
        tier: Tier::Implementation,
        start: StartWhen::Task,
        restart: RestartPolicy::default(),
        limits: RunLimits::default(),
        asks: worknode_core::agent::Share::default(),
        like: None,
        lineage: None,
    });
    let start = AgentCommand::Start {
        raised: Vec::new(),
        run,
        purpose: Purpose::Standing,
        share: worknode_core::agent::Share::default(),
    };
    let decided = decide(&agent, &start, &Principal::Runtime, Timestamp::default()).unwrap();
    match decided.effect {
        Some(AgentEffect::Spawn(permit, _)) => permit,
        other => panic!("not a start: {other:?}"),
    }
}

/// Starts a run under a fresh permit.
pub(crate) async fn spawn(request: RunRequest) -> Result<Shim, SpawnError> {
    worknode_process::spawn(permit(request.run), request).await
}
