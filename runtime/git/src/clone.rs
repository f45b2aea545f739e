//! Work trees that the runtime hands out: to agents, and to gates.

use std::{fs, path::Path, time::Duration};

use worknode_core::git::CommitId;

use crate::{
    blocking::off_thread,
    command::TIME,
    error::GitError,
    identity::Identity,
    layout::{Head, Layout},
    refname::Branch,
    remove,
    store::Store,
};

/// More than the coarsest tick of a file system.
const TICK: Duration = Duration::from_secs(3);

impl Store {
    /// Makes a private clone for an agent at `dest`, which must not exist or be empty: `branch`
    /// checked out at `start`, no remote, no hooks, the agent's identity in its configuration.
    ///
    /// It borrows the objects of the store and of the user, so it is small and quick to make. It
    /// is not a linked worktree: whatever the agent does to its `.git` stays there.
    ///
    /// # Errors
    /// When the place is taken, the commit is unknown or the files cannot be written. Nothing is
    /// left behind then.
    pub async fn clone_for_agent(
        &self,
        dest: &Path,
        start: &CommitId,
        branch: &str,
        identity: &Identity,
    ) -> Result<(), GitError> {
        let head = Head::On(Branch::new(branch)?);
        self.spread(dest, start, head, Some(identity.clone())).await
    }

    /// Makes a clean checkout of `commit` at `dest`, which must not exist or be empty, for gates
    /// to run in: HEAD is detached, no file but those of the commit is there, and no filter,
    /// hook or setting of anybody's has touched them.
    ///
    /// # Errors
    /// When the place is taken, the commit is unknown or the files cannot be written. Nothing is
    /// left behind then.
    pub async fn checkout(&self, commit: &CommitId, dest: &Path) -> Result<(), GitError> {
        self.spread(dest, commit, Head::Detached(commit.clone()), None)
            .await
    }

    /// Makes a checkout as [`Self::checkout`] does, to be turned to another commit later.
    ///
    /// # Errors
    /// As [`Self::checkout`].
    pub async fn spare_checkout(&self, commit: &CommitId, dest: &Path) -> Result<(), GitError> {
        self.checkout(commit, dest).await?;
        let index = dest.join(".git/index");
        off_thread(move || settle(&index).map_err(GitError::io("settle", &index))).await
    }

    /// Turns a spare checkout, in which nothing has run, to `commit`. What differs is written, and the
    /// rest is looked at: then it is as [`Self::checkout`] would have made it.
    ///
    /// # Errors
    /// When the commit is unknown or the files cannot be written. The checkout is good for nothing then.
    pub async fn turn_checkout(&self, dest: &Path, commit: &CommitId) -> Result<(), GitError> {
        let dest = std::path::absolute(dest).map_err(GitError::io("find", dest))?;
        let layout = self.layout(commit, Head::Detached(commit.clone()), None);
        let gitdir = dest.join(".git");
        let place = gitdir.clone();
        off_thread(move || layout.write(&place)).await?;
        if self.attributes_differ(&gitdir, commit).await? {
            // How a file is written may be another, though the file is the same: all are written anew.
            let place = dest.clone();
            off_thread(move || remove::tree(&place)).await?;
            return self.checkout(commit, &dest).await;
        }
        self.fill(&dest, commit).await?;
        // Nothing is there that the commit does not have, wherever it would have come from.
        let clean = self.git.ours_with_files(&dest.join(".git"), &dest).sub("clean");
        clean.args(["-ffdxq"]).within(TIME * 5).run().await.map(drop)
    }

    /// Does any `.gitattributes` of the commit differ from those that the index has?
    async fn attributes_differ(&self, gitdir: &Path, commit: &CommitId) -> Result<bool, GitError> {
        let asked = self.git.ours(gitdir).sub("diff-index");
        let asked = asked.args(["--cached", "--name-only", commit.as_str(), "--"]);
        let differ = asked.arg(":(glob)**/.gitattributes").within(TIME).run().await?;
        Ok(!differ.stdout.is_empty())
    }

    fn layout(&self, commit: &CommitId, head: Head, identity: Option<Identity>) -> Layout {
        Layout {
            format: self.format,
            head,
            at: Some(commit.clone()),
            files: true,
            borrows: self.lends(),
            shallow: self.shallow.clone(),
            identity,
        }
    }

    async fn spread(
        &self,
        dest: &Path,
        commit: &CommitId,
        head: Head,
        identity: Option<Identity>,
    ) -> Result<(), GitError> {
        let dest = std::path::absolute(dest).map_err(GitError::io("find", dest))?;
        let layout = self.layout(commit, head, identity);
        let place = dest.clone();
        // From here on the place is ours, also when the writing fails.
        let written = off_thread(move || {
            claim(&place)?;
            Ok::<_, GitError>(layout.write(&place.join(".git")))
        });
        let outcome = match written.await? {
            Ok(()) => self.fill(&dest, commit).await,
            failed => failed,
        };
        if outcome.is_err() {
            let place = dest.clone();
            // The first error is the one to tell.
            let _ = off_thread(move || remove::tree(&place)).await;
        }
        outcome
    }

    /// Writes index and files. The refs are there already, and nothing but the commit's files is
    /// in the way.
    async fn fill(&self, dest: &Path, commit: &CommitId) -> Result<(), GitError> {
        self.git
            .ours_with_files(&dest.join(".git"), dest)
            .sub("read-tree")
            .args(["--reset", "-u"])
            .arg(format!("{commit}^{{commit}}"))
            .within(TIME * 5)
            .run()
            .await
            .map(drop)
    }
}

/// Lets git believe its index. A file that is as young as the index may have changed within the same
/// tick, so git would read it all again; nobody has touched these.
fn settle(index: &Path) -> std::io::Result<()> {
    let file = fs::File::options().append(true).open(index)?;
    let written = file.metadata()?.modified()?;
    file.set_modified(written + TICK)
}

/// Creates the folder, or finds it empty.
fn claim(dest: &Path) -> Result<(), GitError> {
    fs::create_dir_all(dest).map_err(|why| match fs::symlink_metadata(dest) {
        Ok(_) => GitError::PlaceTaken(dest.to_owned()),
        Err(_) => GitError::io("create", dest)(why),
    })?;
    let is_link = fs::symlink_metadata(dest).is_ok_and(|seen| seen.is_symlink());
    let mut entries = fs::read_dir(dest).map_err(GitError::io("read", dest))?;
    if is_link || entries.next().is_some() {
        return Err(GitError::PlaceTaken(dest.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
