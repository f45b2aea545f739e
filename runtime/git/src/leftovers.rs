//! What a run that ended has left in its workspace: commits that nobody took, and changes that it
//! never committed. Both are kept before the workspace goes.
//!
//! The workspace may be a trap, so its `.git` is not asked: git runs with a scratch repository of
//! ours, which borrows the store's objects, and sees the clone only as a work tree. HEAD is read
//! as a file, and its commits come in as a submission does.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use worknode_core::git::CommitId;

use crate::{
    blocking::off_thread,
    error::GitError,
    import::ImportLimits,
    layout::{Head, Layout},
    path::RepoPath,
    quarantine::Scratch,
    store::Store,
};

mod compare;
mod patch;
mod survey;

/// Things left out that are named. The others are counted.
const NAMED: usize = 100;

/// What a run that ended has left in its workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Commits beyond the start. They are in the store now.
    pub unmerged: Option<Unmerged>,
    /// What differs from the last commit that could be read.
    pub uncommitted: Option<Uncommitted>,
    /// Why HEAD, or the commits below it, could not be taken. The uncommitted changes are then
    /// those since the start, so that no work is missing from them.
    pub untaken: Option<String>,
}

impl Leftovers {
    /// Whether nothing would be lost with the workspace.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.unmerged.is_none() && self.uncommitted.is_none() && self.untaken.is_none()
    }
}

/// Commits on HEAD beyond the start of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmerged {
    /// How many.
    pub commits: u64,
    /// The last one. The store keeps it as `refs/worknode/kept/<head>`.
    pub head: CommitId,
}

/// Changes that were never committed, new files included; files that git was told to ignore are
/// not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncommitted {
    /// The commit that the patch applies to.
    pub against: CommitId,
    /// How many files the patch changes.
    pub files: usize,
    /// The patch, for `git apply`; none when all was left out.
    pub patch: Option<PathBuf>,
    /// What is not in the patch, though it is not as it was in the commit.
    pub left_out: LeftOut,
}

/// What a patch does not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// How many things.
    pub total: usize,
    /// The first hundred of them.
    pub first: Vec<Omission>,
}

impl LeftOut {
    fn add(&mut self, path: RepoPath, why: Omitted) {
        self.total = self.total.saturating_add(1);
        if self.first.len() < NAMED {
            self.first.push(Omission { path, why });
        }
    }
}

/// One thing that a patch does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Omission {
    /// Where it is. A folder's path ends with a slash.
    pub path: RepoPath,
    /// Why it is not there.
    pub why: Omitted,
}

/// Why something is not in a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Omitted {
    /// There is no room for it below the limit.
    TooLarge,
    /// It is, or is in, another repository.
    Repository,
    /// It cannot be read.
    Unreadable,
    /// git does not take a file of this name, or it went away meanwhile.
    Refused,
    /// New files cannot be listed: there are too many, or one of them held git up. The path is
    /// the whole workspace.
    Unlisted,
}

/// What a workspace holds cannot be said.
#[derive(Debug, thiserror::Error)]
pub enum LeftoversError {
    /// There is no workspace.
    #[error("there is no workspace at `{}` (nothing, a link or a file)", .0.display())]
    NoWorkspace(PathBuf),
    /// git or the file system failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl Store {
    /// Says what the run that worked in `clone`, and began with the commit `start`, has left
    /// there, and keeps it: commits in the store, all else as `workspace.patch` in the folder
    /// `into`. The patch is at most `limit` bytes long; what finds no room is named.
    ///
    /// The run must have ended. Asking twice gives the same answer.
    ///
    /// # Errors
    /// When there is no workspace, `start` is not in the store, or the patch cannot be made in
    /// time or written.
    pub async fn leftovers(
        &self,
        clone: &Path,
        start: &CommitId,
        into: &Path,
        limit: u64,
    ) -> Result<Leftovers, LeftoversError> {
        let clone = std::path::absolute(clone).map_err(GitError::io("find", clone))?;
        let into = std::path::absolute(into).map_err(GitError::io("find", into))?;
        let place = clone.clone();
        off_thread(move || see_folder(&place)).await?;
        let (head, untaken) = match self.take_head(&clone, start).await {
            Ok(head) => (head, None),
            Err(why) => (None, Some(why)),
        };
        let unmerged = match &head {
            Some(head) => self.beyond(start, head).await?,
            None => None,
        };
        let against = head.as_ref().unwrap_or(start);
        let uncommitted = self.uncommitted(&clone, against, &into, limit).await?;
        Ok(Leftovers {
            unmerged,
            uncommitted,
            untaken,
        })
    }

    /// The commit that HEAD is at, once the store has it; else why not. A branch without a commit
    /// is not at any.
    async fn take_head(&self, clone: &Path, start: &CommitId) -> Result<Option<CommitId>, String> {
        let head = self.head_of(clone).await.map_err(|why| why.to_string())?;
        if let Some(head) = head.as_ref().filter(|head| *head != start) {
            self.keep_unmerged(clone, head, start, &ImportLimits::default())
                .await
                .map_err(|why| why.to_string())?;
        }
        Ok(head)
    }

    /// The commits that `head` has and `start` has not.
    async fn beyond(&self, start: &CommitId, head: &CommitId) -> Result<Option<Unmerged>, GitError> {
        if head == start {
            return Ok(None);
        }
        let asked = self
            .ours()
            .sub("rev-list")
            .arg("--count")
            .arg(format!("{start}..{head}"));
        let commits = asked.object().await?;
        Ok((commits > 0).then(|| Unmerged {
            commits,
            head: head.clone(),
        }))
    }

    async fn uncommitted(
        &self,
        clone: &Path,
        against: &CommitId,
        into: &Path,
        limit: u64,
    ) -> Result<Option<Uncommitted>, GitError> {
        let layout = Layout {
            format: self.format,
            head: Head::Nowhere,
            at: None,
            files: true,
            borrows: self.lends(),
            shallow: self.shallow.clone(),
            identity: None,
        };
        let store = self.dir.clone();
        let scratch = off_thread(move || Scratch::write(&store, &layout)).await?;
        let asked = compare::Comparison {
            git: &self.git,
            gitdir: scratch.dir(),
            clone,
            against,
        };
        let outcome = patch::write(&asked, into, limit).await;
        off_thread(move || {
            drop(scratch);
            Ok::<_, GitError>(())
        })
        .await?;
        outcome
    }
}

/// Sees that the workspace is a folder, and no link to one.
fn see_folder(clone: &Path) -> Result<(), LeftoversError> {
    match fs::symlink_metadata(clone) {
        Ok(seen) if seen.is_dir() => Ok(()),
        Ok(_) => Err(LeftoversError::NoWorkspace(clone.to_owned())),
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            Err(LeftoversError::NoWorkspace(clone.to_owned()))
        }
        Err(why) => Err(GitError::io("look at", clone)(why).into()),
    }
}

#[cfg(test)]
mod tests;
