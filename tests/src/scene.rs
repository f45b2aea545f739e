//! A directory with a repository and a team in it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;
use worknode_actors::system::System;
use worknode_core::run::ProcessIdentity;
use worknode_journal::EventFilter;
use worknode_process::find_marked;

use crate::{
    program::{Done, command, worknode},
    running::{Running, send_signal},
};

/// Whether a client goes on with a session of an earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumes {
    /// It begins anew.
    Never,
    /// Its script gets `resume` before the session's name then.
    AfterTheWord,
}

/// A scratch repository with a team. What runs in it is ended when it goes away.
#[derive(Debug)]
pub struct Scene {
    dir: TempDir,
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

impl Scene {
    /// An empty directory.
    pub fn empty() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// A repository with one commit on `main`, which has a README and a test that passes.
    pub fn new() -> Self {
        Self::seeded(tempfile::tempdir().unwrap())
    }

    /// The same in a directory of the test's choice.
    pub fn seeded(dir: TempDir) -> Self {
        let scene = Self { dir };
        scene.write("README.md", "# scratch\n");
        scene.write(".gitignore", ".worknode/\n");
        scene.write("tests/run.sh", "test -f README.md && ! test -f broken\n");
        scene.git(&["init", "--quiet", "--initial-branch=main"]);
        scene.commit("seed");
        scene
    }

    /// The same with this `worknode.toml`, committed.
    pub fn with_team(config: &str) -> Self {
        Self::new().and_team(config)
    }

    /// Adds this `worknode.toml`, and commits it.
    #[must_use]
    pub fn and_team(self, config: &str) -> Self {
        self.write("worknode.toml", config);
        self.commit("team");
        self
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file, with the directories above it.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.file(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes an executable shell script.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        self.write(name, &format!("#!/bin/sh\n{text}\n"));
        let path = self.file(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    /// Runs git here and answers what it printed.
    #[track_caller]
    pub fn git(&self, args: &[&str]) -> String {
        let done = Command::new("git")
            .arg("-C")
            .arg(self.path())
            .args(["-c", "user.name=Test", "-c", "user.email=test@example.invalid"])
            .args(args)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    /// Commits everything.
    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    /// The subjects on the base branch, oldest first.
    pub fn landed(&self) -> Vec<String> {
        let log = self.git(&["log", "--reverse", "--format=%s", "main"]);
        log.lines().map(str::to_owned).collect()
    }

    /// Runs the program here to its end.
    pub fn worknode(&self, args: &[&str]) -> Done {
        worknode(self.path(), args)
    }

    /// Starts a daemon here that a test can kill. It does not outlive its test.
    pub fn daemon(&self) -> Running {
        let mut up = command(self.path());
        up.arg("up");
        Running::start(up)
    }

    /// All events so far, as JSON.
    pub fn events(&self) -> Vec<serde_json::Value> {
        let done = self.worknode(&["events", "--json"]).ok();
        done.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Makes the driver `scripted`: a client that is only read and speaks the stream of Claude Code, by
    /// this script, which gets the session's name.
    pub fn scripted_client(&self, script: &str, resumes: Resumes) {
        let path = self.script("client.sh", script);
        let path = path.display();
        let resume = match resumes {
            Resumes::Never => String::new(),
            Resumes::AfterTheWord => format!("resume = [\"sh\", \"{path}\", \"resume\", \"{{session}}\"]\n"),
        };
        self.write(
            "agent-profiles/drivers/scripted.toml",
            &format!(
                "command = [\"sh\", \"{path}\", \"{{session}}\"]\n{resume}\
                 stream = \"claude-code\"\ntransport = \"lines\"\nprompt = \"none\"\n"
            ),
        );
    }

    /// What the daemon answers at its socket, as the owner of it asks.
    #[track_caller]
    pub fn http(&self, path: &str) -> serde_json::Value {
        self.door().get(path).json()
    }

    /// How many events of this type there are.
    pub fn count(&self, kind: &str) -> usize {
        self.events().iter().filter(|event| event["type"] == kind).count()
    }

    /// How many events of a runtime in this process have a topic of this sort.
    pub fn count_offline(&self, system: &System, is_so: impl Fn(&str) -> bool) -> usize {
        let mut filter = EventFilter::default();
        let mut found = 0;
        loop {
            let page = system.reader().events(&filter).unwrap();
            let Some(last) = page.last() else { return found };
            filter.after = last.at;
            found += page.iter().filter(|record| is_so(record.event.topic())).count();
        }
    }

    /// The processes that carry this scene's socket: agents, and what they left.
    pub fn processes(&self) -> usize {
        self.marked().len()
    }

    fn marked(&self) -> Vec<ProcessIdentity> {
        let socket = self
            .path()
            .canonicalize()
            .unwrap()
            .join(".worknode/worknode.sock");
        find_marked("WORKNODE_SOCKET", &socket.to_string_lossy())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // A test that failed may have left a daemon; it ends itself and its agents.
        if self.file(".worknode/worknode.sock").exists() {
            let _ = self.worknode(&["down"]);
        }
        // One that was killed has left its agents.
        for process in self.marked() {
            send_signal("KILL", process.pid);
        }
    }
}
