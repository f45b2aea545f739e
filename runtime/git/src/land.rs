//! Putting an approved candidate on the user's branch: wholly, or not at all.
//!
//! The branch is locked first, where it must still be at the candidate's base. Under the lock the
//! files of the work tree follow, if the branch is checked out anywhere; git refuses that before
//! it has written anything when a change of the user's is in the way. Last, the branch moves. A
//! crash in between leaves the branch where it was, and landing again finishes the work.

use std::path::PathBuf;

use worknode_core::{
    git::CommitId,
    task::{LandPermit, Landing},
};

use crate::{
    candidate::Candidate,
    command::TIME,
    error::GitError,
    follow,
    land::act::Act,
    path::RepoPath,
    refname::Branch,
    repository::{Repository, RepositoryError},
    store::Store,
};

mod act;

/// The candidate is on the branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landed {
    /// The commit that landed.
    pub commit: CommitId,
}

/// The candidate did not land, and neither branch nor files were changed.
#[derive(Debug, thiserror::Error)]
pub enum LandError {
    /// The permit is for something else.
    #[error("the permit is for commit {permitted}, not for {candidate}")]
    NotPermitted {
        /// What may land.
        permitted: CommitId,
        /// What was to land.
        candidate: CommitId,
    },
    /// Somebody committed meanwhile: a new candidate is needed, and new verdicts on it.
    #[error("the base branch has moved to {now}; the work must be merged and checked again")]
    BaseMoved {
        /// Where the branch is now.
        now: CommitId,
    },
    /// Files of the user's would be overwritten.
    #[error("uncommitted files in `{}` are in the way: {}; commit, stash or move them", work_tree.display(), listed(files))]
    WorkTreeInTheWay {
        /// Where the branch is checked out.
        work_tree: PathBuf,
        /// The files in question.
        files: Vec<RepoPath>,
    },
    /// Another git command is at work, or was killed at work.
    #[error("another git command holds a lock: {why}; if none is running, remove the lock file")]
    Locked {
        /// What git said.
        why: String,
    },
    /// The user is in the middle of something that will move the branch itself.
    #[error("a {what} is under way in `{}`; finish or abort it first", work_tree.display())]
    Busy {
        /// Where.
        work_tree: PathBuf,
        /// What: rebase, merge, cherry-pick, revert or checkout.
        what: &'static str,
    },
    /// The repository or the branch cannot be used.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// git failed for another reason.
    #[error(transparent)]
    Other(#[from] GitError),
}

/// The first files, and how many more there are.
fn listed(files: &[RepoPath]) -> String {
    let first: Vec<_> = files.iter().take(10).map(ToString::to_string).collect();
    match files.len().saturating_sub(first.len()) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

impl Repository {
    /// Puts `candidate` on `branch`. Where the branch is checked out, the files follow.
    ///
    /// Landing what has landed is a success. When the future is dropped, a landing that has begun
    /// still ends; ask [`Self::contains`] what came of it.
    ///
    /// # Errors
    /// See [`LandError`]; nothing was changed then.
    pub async fn land(
        &self,
        permit: LandPermit,
        candidate: Candidate,
        branch: &str,
        store: &Store,
    ) -> Result<Landed, LandError> {
        let permitted = permit.landing();
        let same = permitted.tree == *candidate.tree()
            && permitted.commit == *candidate.commit()
            && permitted.base == *candidate.base();
        if !same {
            return Err(LandError::NotPermitted {
                permitted: permitted.commit.clone(),
                candidate: candidate.commit().clone(),
            });
        }
        self.put_on_branch(candidate, branch, store).await
    }

    /// Puts several candidates on `branch`, each made on top of the one before, in one step: the
    /// branch goes from the base of the first to the last, whose tree is the one that was judged. Each
    /// has its own permit for that tree.
    ///
    /// # Errors
    /// See [`LandError`]; nothing was changed then.
    pub async fn land_stack(
        &self,
        permits: Vec<LandPermit>,
        stack: Vec<Candidate>,
        branch: &str,
        store: &Store,
    ) -> Result<Landed, LandError> {
        let not_stacked = || unexpected("the candidates are not on top of each other".to_owned());
        let whole = Candidate::stacked(&stack).ok_or_else(not_stacked)?;
        let permitted = |(permit, candidate): (&LandPermit, &Candidate)| {
            let landing = permit.landing();
            landing.tree == *whole.tree()
                && landing.commit == *candidate.commit()
                && landing.base == *candidate.base()
        };
        let permits = permits.iter();
        if permits.len() != stack.len() || !permits.clone().zip(&stack).all(permitted) {
            return Err(LandError::NotPermitted {
                permitted: permits
                    .last()
                    .map_or_else(|| whole.base().clone(), |permit| permit.landing().commit.clone()),
                candidate: whole.commit().clone(),
            });
        }
        let chain: Vec<CommitId> = stack.iter().map(|candidate| candidate.commit().clone()).collect();
        self.put_chain_on_branch(whole, &chain, branch, store).await
    }

    async fn put_on_branch(
        &self,
        candidate: Candidate,
        branch: &str,
        store: &Store,
    ) -> Result<Landed, LandError> {
        let chain = [candidate.commit().clone()];
        self.put_chain_on_branch(candidate, &chain, branch, store).await
    }

    /// `chain` are the commits between the candidate's base and itself, the oldest first.
    async fn put_chain_on_branch(
        &self,
        candidate: Candidate,
        chain: &[CommitId],
        branch: &str,
        store: &Store,
    ) -> Result<Landed, LandError> {
        let now = self.base_tip(branch).await?;
        if self.contains(branch, candidate.commit()).await? {
            return Ok(Landed {
                commit: candidate.commit().clone(),
            });
        }
        if now != *candidate.base() {
            return Err(LandError::BaseMoved { now });
        }
        self.bring(&candidate, chain, store).await?;
        let changes = store.changes(candidate.base(), candidate.tree()).await?;
        let act = Act {
            repository: self.clone(),
            branch: Branch::new(branch)?,
            candidate,
            changes,
        };
        // A task of its own: a caller that stops waiting must not cut it off between two steps.
        match tokio::spawn(act.perform()).await {
            Ok(outcome) => outcome,
            Err(lost) => Err(unexpected(lost.to_string()).into()),
        }
    }

    /// Takes back what a landing has written to the work tree that was cut off before the branch
    /// moved: index and files go back to its base. Nothing is done where the branch is elsewhere.
    /// What the landing has written can be found again in its commit.
    ///
    /// # Errors
    /// When git cannot do it, as when somebody has changed these files since; they are left alone
    /// then.
    pub async fn take_back(&self, branch: &str, landing: &Landing) -> Result<(), RepositoryError> {
        let branch = Branch::new(branch)?;
        let place = self.checked_out(&branch).await?;
        let at_base = self.tip(&branch).await?.as_ref() == Some(&landing.base);
        if let Some(place) = place.filter(|_| at_base) {
            follow::move_files(&self.git, &place, &landing.commit, &landing.base).await?;
        }
        Ok(())
    }

    /// Copies the candidate's objects, checking each, and sees that it is what it claims to be.
    async fn bring(&self, candidate: &Candidate, chain: &[CommitId], store: &Store) -> Result<(), GitError> {
        self.users()
            .settings(&[
                "fetch.fsckObjects=true",
                "transfer.fsckObjects=true",
                "fetch.writeCommitGraph=false",
            ])
            .sub("fetch")
            .args([
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-recurse-submodules",
                "--no-prune",
                "--",
            ])
            .arg(store.dir())
            .arg(candidate.kept_as())
            .within(TIME * 5)
            .run()
            .await?;
        let (commit, tree, base) = (candidate.commit(), candidate.tree(), candidate.base());
        // Nothing comes onto the branch but the commits of the chain, each on top of the other.
        let asked = self
            .users()
            .sub("rev-list")
            .args(["--reverse", "--topo-order", "--parents"])
            .args([commit.as_str(), &format!("^{base}")]);
        let came = asked.text().await?;
        let below = std::iter::once(base).chain(chain);
        let wanted: Vec<String> = chain
            .iter()
            .zip(below)
            .map(|(own, below)| format!("{own} {below}"))
            .collect();
        if came != wanted.join("\n") {
            return Err(unexpected(format!(
                "{commit} would bring other commits than those approved: {came}"
            )));
        }
        let asked = self.users().sub("rev-parse").arg(format!("{commit}^{{tree}}"));
        let is = asked.text().await?;
        if is == tree.as_str() {
            return Ok(());
        }
        Err(unexpected(format!(
            "candidate {commit} should have tree {tree}, but has {is}"
        )))
    }
}

fn unexpected(why: String) -> GitError {
    GitError::Unexpected {
        what: "(landing)".to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests;
