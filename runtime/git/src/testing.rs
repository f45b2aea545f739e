//! A user, a store and agents in a temporary folder, with real repositories.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use worknode_core::{git::CommitId, time::Timestamp};

use crate::{Authorship, Candidate, Git, Identity, ImportError, ImportLimits, Merged, Repository, Store};

/// The world of one test.
pub(crate) struct World {
    dir: tempfile::TempDir,
    pub(crate) git: Git,
    pub(crate) repository: Repository,
    pub(crate) store: Store,
}

impl World {
    /// The user has a repository with one commit on `main`, and there is a store.
    pub(crate) async fn new() -> Self {
        Self::with(&["init", "-q", "-b", "main"]).await
    }

    pub(crate) async fn with(init: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let user = dir.path().join("user");
        fs::create_dir(&user).unwrap();
        git(&user, init.iter().copied());
        git(&user, ["config", "user.name", "User"]);
        git(&user, ["config", "user.email", "user@example.org"]);
        write(&user, "README", "one\ntwo\nthree\n");
        write(&user, "src/main.rs", "fn main() {}\n");
        commit(&user, "first");
        let git = Git::find().await.unwrap();
        let repository = Repository::open(&git, &user).await.unwrap();
        let store = Store::open(&dir.path().join("store.git"), &repository)
            .await
            .unwrap();
        Self {
            dir,
            git,
            repository,
            store,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn user(&self) -> PathBuf {
        self.path("user")
    }

    pub(crate) async fn base(&self) -> CommitId {
        self.repository.base_tip("main").await.unwrap()
    }

    /// An agent's clone of the base.
    pub(crate) async fn clone(&self, name: &str) -> PathBuf {
        let dest = self.path(name);
        let base = self.base().await;
        let who = Identity::new("Agent", "agent@worknode").unwrap();
        self.store
            .clone_for_agent(&dest, &base, "worknode/task", &who)
            .await
            .unwrap();
        dest
    }

    pub(crate) async fn import(&self, clone: &Path) -> Result<CommitId, ImportError> {
        let head = self.store.head_of(clone).await.unwrap().unwrap();
        let base = self.base().await;
        self.store
            .import(clone, &head, &base, &ImportLimits::default())
            .await?;
        Ok(head)
    }

    pub(crate) async fn merged(&self, submitted: &CommitId) -> Merged {
        let base = self.base().await;
        self.store
            .candidate(&base, submitted, "The task", &authorship())
            .await
            .unwrap()
    }

    /// From a clone with a commit to a candidate.
    pub(crate) async fn candidate(&self, clone: &Path) -> Candidate {
        let head = self.import(clone).await.unwrap();
        match self.merged(&head).await {
            Merged::Clean(candidate) => candidate,
            other => panic!("{other:?}"),
        }
    }

    /// A candidate that writes one file.
    pub(crate) async fn writing(&self, file: &str, text: &str) -> Candidate {
        let clone = self.clone(&format!("writes-{}", file.replace('/', "-"))).await;
        write(&clone, file, text);
        commit(&clone, "agent's work");
        self.candidate(&clone).await
    }
}

pub(crate) fn authorship() -> Authorship {
    Authorship {
        author: Identity::new("Agent", "agent@worknode").unwrap(),
        committer: Identity::new("Worknode", "worknode@localhost").unwrap(),
        at: Timestamp::from_millis(1_700_000_000_000),
    }
}

/// git as a person or an agent runs it. No configuration of this machine is in force.
pub(crate) fn try_git<A: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = A>) -> (bool, String) {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(args)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_EDITOR", "true")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    (
        output.status.success(),
        text + &String::from_utf8_lossy(&output.stderr),
    )
}

pub(crate) fn git<A: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = A>) -> String {
    let (fine, text) = try_git(folder, args);
    assert!(fine, "{text}");
    text
}

pub(crate) fn write(folder: &Path, file: &str, text: &str) {
    let file = folder.join(file);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

pub(crate) fn commit(folder: &Path, message: &str) -> CommitId {
    git(folder, ["add", "-A", "-f"]);
    git(folder, ["commit", "-q", "--no-verify", "-m", message]);
    git(folder, ["rev-parse", "HEAD"]).parse().unwrap()
}

/// Turns a clone into a trap: whatever git runs of it leaves a mark.
pub(crate) fn poison(world: &World, clone: &Path) -> PathBuf {
    let mark = world.path("mark");
    let program = world.path("evil.sh");
    fs::write(&program, format!("#!/bin/sh\ntouch {}\ncat\n", mark.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let hooks = clone.join(".git/hooks");
    fs::create_dir_all(&hooks).unwrap();
    for hook in [
        "post-checkout",
        "pre-commit",
        "reference-transaction",
        "post-merge",
        "post-index-change",
    ] {
        fs::copy(&program, hooks.join(hook)).unwrap();
    }
    let evil = program.to_str().unwrap();
    for key in [
        "core.fsmonitor",
        "core.sshCommand",
        "core.alternateRefsCommand",
        "core.pager",
        "uploadpack.packObjectsHook",
        "filter.evil.clean",
        "filter.evil.smudge",
        "merge.evil.driver",
        "diff.external",
        "gpg.program",
    ] {
        git(clone, ["config", key, evil]);
    }
    mark
}
