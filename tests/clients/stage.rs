//! A repository, a team whose agent is a real client, and the model that it talks to.

use std::{fs, process::Command};

use serde_json::Value;
use tempfile::TempDir;
use worknode_tests::{
    program::command,
    running::Running,
    scene::Scene,
    wait::{until, wait_for},
};

use crate::{client::Client, install::installed, stub::Stub};

/// What the task's commit holds.
pub(crate) const WORK: &str =
    "echo hello > hello.txt && git add hello.txt && git commit -qm 'Write hello.txt'";

/// Variables by which a client would be led elsewhere, or believe that it runs inside another.
const NOT_OURS: [&str; 9] = [
    "ANTHROPIC_",
    "CLAUDE",
    "OPENAI_",
    "AZURE_",
    "CODEX_",
    "GEMINI_",
    "GOOGLE_",
    "OPENCODE_",
    "XDG_",
];

/// The stage of one test.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) scene: Scene,
    pub(crate) stub: Stub,
    home: TempDir,
    path: String,
    env: Vec<(&'static str, String)>,
}

impl Stage {
    /// A team of one; `None` where its client is not to be had.
    pub(crate) fn set(client: Client) -> Option<Self> {
        let bin = installed(client)?;
        let stub = Stub::start();
        let home = tempfile::tempdir().unwrap();
        let env = client.settle(home.path(), &stub);
        let (driver, entry) = (client.driver(), client.entry());
        let scene = Scene::with_team(&format!(
            r#"
[team]
name = "clients"

[gate.tests]
command = ["sh", "tests/run.sh"]

[[agent]]
name = "coder"
driver = "{driver}"
{entry}
limits = {{ time = "3m", silence = "1m", grace = "2s" }}

[[phase]]
name = "all"
[[phase.task]]
id = "hello"
title = "Write hello.txt"
prompt = "Write the word hello to hello.txt, and commit it."
files = ["hello.txt"]
"#
        ));
        let path = std::env::var("PATH").unwrap_or_default();
        Some(Self {
            path: format!("{}:{path}", bin.display()),
            scene,
            stub,
            home,
            env,
        })
    }

    /// One more variable of the daemon's environment.
    #[must_use]
    pub(crate) fn and(mut self, name: &'static str, value: String) -> Self {
        self.env.push((name, value));
        self
    }

    /// A directory in the user's home.
    pub(crate) fn home(&self, name: &str) -> String {
        let path = self.home.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path.to_string_lossy().into_owned()
    }

    /// `worknode run`, as this user would start it.
    pub(crate) fn run(&self) -> Running {
        let mut command: Command = command(self.scene.path());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().to_ascii_uppercase();
            let elsewhere = text.ends_with("_PROXY") || NOT_OURS.iter().any(|other| text.starts_with(other));
            if elsewhere {
                command.env_remove(name);
            }
        }
        // Its configuration lies in its home, as a rule.
        command.env_remove("XDG_CONFIG_HOME");
        command
            .arg("run")
            .env("HOME", self.home.path())
            .env("PATH", &self.path);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        Running::start(command)
    }

    /// Waits until the model was asked so often.
    #[track_caller]
    pub(crate) fn wait_until_served(&self, what: &str) {
        until(what, || {
            let served = self.stub.served();
            if served.iter().any(|request| request == what) {
                Ok(())
            } else {
                Err((served, self.logs()))
            }
        });
    }

    /// Waits for a file that a command of the agent makes in its clone.
    #[track_caller]
    pub(crate) fn wait_for_mark(&self, name: &str) {
        let path = self.scene.file(".worknode/workspaces/coder").join(name);
        until(name, || if path.exists() { Ok(()) } else { Err(self.logs()) });
    }

    /// Asserts that the task's work landed, once, and that nobody is left.
    #[track_caller]
    pub(crate) fn landed(&self) {
        assert_eq!(
            self.scene.landed(),
            ["seed", "team", "Write hello.txt"],
            "{}\n{:#?}",
            self.logs(),
            self.stub.served()
        );
        assert_eq!(self.scene.git(&["show", "main:hello.txt"]), "hello");
        self.nobody_is_left();
    }

    /// Asserts that no process of the agent is there any more, marked or not: the unmarked ones are
    /// still in its clone.
    #[track_caller]
    pub(crate) fn nobody_is_left(&self) {
        wait_for("the last process to be gone", || self.scene.processes() == 0);
        let inside = self.inside();
        assert!(inside.is_empty(), "{inside:#?}");
    }

    /// The programs that run in the state directory of the team.
    pub(crate) fn inside(&self) -> Vec<String> {
        let place = self.scene.file(".worknode").canonicalize().unwrap();
        let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        processes
            .filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(&place)))
            .map(|process| fs::read_to_string(process.join("cmdline")).unwrap_or_default())
            .map(|line| line.replace('\0', " "))
            .collect()
    }

    /// The receipts of all runs, in the order of their ends.
    pub(crate) fn receipts(&self) -> Vec<Value> {
        let events = self.scene.events();
        let exits = events.iter().filter(|event| event["type"] == "run_exited");
        exits.map(|event| event["data"]["receipt"].clone()).collect()
    }

    /// What the runs wrote, for a person who wonders.
    pub(crate) fn logs(&self) -> String {
        let mut all = String::new();
        let runs = fs::read_dir(self.scene.file(".worknode/runs"))
            .into_iter()
            .flatten();
        for run in runs.flatten() {
            for name in ["stdout.log", "stderr.log", "receipt.json"] {
                let text = fs::read_to_string(run.path().join(name)).unwrap_or_default();
                all.push_str(&format!("--- {name}\n{text}\n"));
            }
        }
        all
    }
}
