//! Work trees that the runtime hands out: to agents, and to gates.

use std::{
    fs,
    path::{Path, PathBuf},
};

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

    async fn spread(
        &self,
        dest: &Path,
        commit: &CommitId,
        head: Head,
        identity: Option<Identity>,
    ) -> Result<(), GitError> {
        let dest = std::path::absolute(dest).map_err(GitError::io("find", dest))?;
        let layout = Layout {
            format: self.format,
            head,
            files: true,
            borrows: self.lends(),
            shallow: self.shallow.clone(),
            identity,
        };
        let place = dest.clone();
        off_thread(move || claim(&place)).await?;
        let gitdir = dest.join(".git");
        let outcome = self.fill(layout, gitdir, &dest, commit).await;
        if outcome.is_err() {
            let place = dest.clone();
            // The first error is the one to tell.
            let _ = off_thread(move || remove::tree(&place)).await;
        }
        outcome
    }

    async fn fill(
        &self,
        layout: Layout,
        gitdir: PathBuf,
        dest: &Path,
        commit: &CommitId,
    ) -> Result<(), GitError> {
        let at = gitdir.clone();
        off_thread(move || layout.write(&at)).await?;
        self.git
            .ours_with_files(&gitdir, dest)
            .sub("reset")
            .args(["--hard", "--quiet", commit.as_str()])
            .within(TIME * 5)
            .run()
            .await
            .map(drop)
    }
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
