//! The steps of one landing, once its objects are in the user's repository.

use super::{LandError, Landed, unexpected};
use crate::{
    candidate::Candidate,
    changes::Change,
    command::Invocation,
    error::GitError,
    follow,
    reflock::RefLock,
    refname::Branch,
    repository::Repository,
    worktree::{self, WorkTree},
};

/// One landing, with all that it needs.
#[derive(Debug)]
pub(super) struct Act {
    pub(super) repository: Repository,
    pub(super) branch: Branch,
    pub(super) candidate: Candidate,
    pub(super) changes: Vec<Change>,
}

impl Act {
    pub(super) async fn perform(self) -> Result<Landed, LandError> {
        let place = self.repository.checked_out(&self.branch).await?;
        let lock = match self.lock(place.as_ref()).await {
            Ok(lock) => lock,
            Err(error) => return Err(self.explain(error, None).await),
        };
        match self.under_lock(place.as_ref()).await {
            Ok(()) => self.finish(lock, place.as_ref()).await,
            Err(error) => {
                lock.release().await;
                Err(error)
            }
        }
    }

    /// In the work tree that has the branch, the lock holds its HEAD too: it stays there.
    pub(super) async fn lock(&self, place: Option<&WorkTree>) -> Result<RefLock, GitError> {
        let (new, old) = (self.candidate.commit(), self.candidate.base());
        RefLock::take(self.git_at(place), &self.branch, new, old).await
    }

    fn git_at(&self, place: Option<&WorkTree>) -> Invocation {
        match place {
            Some(place) => self.repository.git.users(&place.path),
            None => self.repository.users(),
        }
    }

    async fn under_lock(&self, place: Option<&WorkTree>) -> Result<(), LandError> {
        let git = &self.repository.git;
        if let Some((work_tree, what)) = worktree::busy(git, self.repository.root(), &self.branch).await? {
            return Err(LandError::Busy {
                work_tree: work_tree.path,
                what,
            });
        }
        let now = self.repository.checked_out(&self.branch).await?;
        if now.as_ref() != place {
            let work_tree = self.repository.root().to_owned();
            return Err(LandError::Busy {
                work_tree,
                what: "checkout",
            });
        }
        let Some(place) = place else { return Ok(()) };
        let files = follow::untracked_in_the_way(git, place, &self.changes).await?;
        if !files.is_empty() {
            return Err(LandError::WorkTreeInTheWay {
                work_tree: place.path.clone(),
                files,
            });
        }
        let moved = follow::move_files(git, place, self.candidate.base(), self.candidate.commit()).await;
        match moved {
            Ok(()) => Ok(()),
            Err(error) => Err(self.explain(error, Some(place)).await),
        }
    }

    /// Moves the branch, or takes the files back.
    async fn finish(&self, lock: RefLock, place: Option<&WorkTree>) -> Result<Landed, LandError> {
        let (commit, base) = (self.candidate.commit(), self.candidate.base());
        let outcome = lock.commit().await;
        if self.repository.tip(&self.branch).await?.as_ref() == Some(commit) {
            return Ok(Landed {
                commit: commit.clone(),
            });
        }
        if let Some(place) = place {
            follow::move_files(&self.repository.git, place, commit, base).await?;
        }
        match outcome {
            Ok(()) => Err(unexpected("it did not move the branch".to_owned()).into()),
            Err(error) => Err(self.explain(error, None).await),
        }
    }

    /// Which of the known obstacles a failure was; with `place`, also whether files of the user's
    /// were it.
    async fn explain(&self, error: GitError, place: Option<&WorkTree>) -> LandError {
        match self.obstacle(&error, place).await {
            Ok(Some(known)) => known,
            Ok(None) => error.into(),
            Err(another) => another,
        }
    }

    async fn obstacle(
        &self,
        error: &GitError,
        place: Option<&WorkTree>,
    ) -> Result<Option<LandError>, LandError> {
        let Some(text) = error.stderr() else {
            return Ok(None);
        };
        if let Some(now) = self.repository.tip(&self.branch).await?
            && now != *self.candidate.base()
        {
            return Ok(Some(LandError::BaseMoved { now }));
        }
        // Messages are in the C locale.
        if text.contains(".lock': File exists") {
            let why = text.lines().next().unwrap_or_default().to_owned();
            return Ok(Some(LandError::Locked { why }));
        }
        let Some(place) = place else { return Ok(None) };
        let mut files = self.repository.dirty_at(&place.path).await?;
        files.retain(|file| self.changes.iter().any(|change| change.path == *file));
        let work_tree = place.path.clone();
        Ok((!files.is_empty()).then_some(LandError::WorkTreeInTheWay { work_tree, files }))
    }
}
