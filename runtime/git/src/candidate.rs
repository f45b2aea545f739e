//! The one commit that would land: the submission merged onto the base, as a single step.

use worknode_core::git::{CommitId, TreeId};

use crate::{
    command::utf8,
    error::GitError,
    identity::Authorship,
    import::LISTING,
    path::{RepoPath, nul_separated},
    store::Store,
};

/// A commit that could land: its only parent is the base, its tree is the merge of the base and
/// the submission. The agent's own commits are not among its ancestors, so no tree that nobody
/// approved ever comes onto the base branch.
///
/// It can only come from [`Store::candidate`]; the same inputs give the same one again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    base: CommitId,
    tree: TreeId,
    commit: CommitId,
    submitted: CommitId,
}

impl Candidate {
    /// The tip of the base branch that it builds on.
    #[must_use]
    pub const fn base(&self) -> &CommitId {
        &self.base
    }

    /// Its tree: what gates judge.
    #[must_use]
    pub const fn tree(&self) -> &TreeId {
        &self.tree
    }

    /// The commit itself.
    #[must_use]
    pub const fn commit(&self) -> &CommitId {
        &self.commit
    }

    /// The agent's commit that it was made from.
    #[must_use]
    pub const fn submitted(&self) -> &CommitId {
        &self.submitted
    }

    /// The same work as another commit, on `base`.
    pub(crate) fn with_commit(&self, commit: CommitId, base: &CommitId) -> Self {
        Self {
            commit,
            base: base.clone(),
            ..self.clone()
        }
    }

    /// Several, each on top of the one before, as one step from the base of the first: what moves the
    /// branch. `None` when they are not on top of each other.
    pub(crate) fn stacked(stack: &[Self]) -> Option<Self> {
        let (first, last) = (stack.first()?, stack.last()?);
        let mut pairs = stack.iter().zip(stack.iter().skip(1));
        pairs
            .all(|(below, above)| above.base == below.commit)
            .then(|| Self {
                base: first.base.clone(),
                ..last.clone()
            })
    }

    /// The name under which the store keeps it.
    pub(crate) fn kept_as(&self) -> String {
        format!("refs/worknode/candidates/{}", self.commit)
    }
}

/// What becomes of a submission on a base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merged {
    /// It fits.
    Clean(Candidate),
    /// Base and submission changed the same places.
    Conflict {
        /// The files in question.
        paths: Vec<RepoPath>,
    },
    /// It changes nothing.
    Empty,
}

/// Where a new attempt begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartPoint {
    /// The commit to check out.
    pub commit: CommitId,
    /// Whether the work of the attempt before is in it.
    pub carries_previous: bool,
}

impl Store {
    /// Merges `submitted` onto `base`, without any work tree, and makes a commit of the result.
    /// Only git's own merge is in force: no merge program and no attribute of anybody's.
    ///
    /// # Errors
    /// When one of the commits is not in the store, or git fails.
    pub async fn candidate(
        &self,
        base: &CommitId,
        submitted: &CommitId,
        message: &str,
        authorship: &Authorship,
    ) -> Result<Merged, GitError> {
        let (merged, unchanged) = tokio::try_join!(self.merge(base, submitted), self.tree_of(base))?;
        let tree = match merged {
            Ok(tree) => tree,
            Err(paths) => return Ok(Merged::Conflict { paths }),
        };
        if tree == unchanged {
            return Ok(Merged::Empty);
        }
        let commit = self.commit(&tree, base, message, authorship).await?;
        let candidate = Candidate {
            base: base.clone(),
            tree,
            commit,
            submitted: submitted.clone(),
        };
        self.note(candidate.kept_as(), candidate.commit()).await?;
        Ok(Merged::Clean(candidate))
    }

    /// Where the next attempt at a task begins: with the work of the attempt before on top of
    /// today's base when that fits, else with the base.
    ///
    /// # Errors
    /// When one of the commits is not in the store, or git fails.
    pub async fn start_point(
        &self,
        base: &CommitId,
        previous: Option<&CommitId>,
        authorship: &Authorship,
    ) -> Result<StartPoint, GitError> {
        if let Some(previous) = previous {
            let message = "Work of the previous attempt";
            if let Merged::Clean(kept) = self.candidate(base, previous, message, authorship).await? {
                return Ok(StartPoint {
                    commit: kept.commit,
                    carries_previous: true,
                });
            }
        }
        Ok(StartPoint {
            commit: base.clone(),
            carries_previous: false,
        })
    }

    /// The tree of a commit.
    ///
    /// # Errors
    /// When the commit is not in the store.
    pub async fn tree_of(&self, commit: &CommitId) -> Result<TreeId, GitError> {
        let asked = self
            .ours()
            .sub("rev-parse")
            .arg("--verify")
            .arg(format!("{commit}^{{tree}}"));
        asked.object().await
    }

    /// A commit of this tree with one parent.
    pub(crate) async fn commit(
        &self,
        tree: &TreeId,
        parent: &CommitId,
        message: &str,
        authorship: &Authorship,
    ) -> Result<CommitId, GitError> {
        self.ours()
            .env("GIT_AUTHOR_NAME", authorship.author.name())
            .env("GIT_AUTHOR_EMAIL", authorship.author.email())
            .env("GIT_AUTHOR_DATE", authorship.date())
            .env("GIT_COMMITTER_NAME", authorship.committer.name())
            .env("GIT_COMMITTER_EMAIL", authorship.committer.email())
            .env("GIT_COMMITTER_DATE", authorship.date())
            .sub("commit-tree")
            .args([tree.as_str(), "-p", parent.as_str(), "-F", "-"])
            .input(format!("{}\n", message.trim_end()))
            .object()
            .await
    }

    /// The merged tree, or the files that conflict.
    async fn merge(
        &self,
        base: &CommitId,
        submitted: &CommitId,
    ) -> Result<Result<TreeId, Vec<RepoPath>>, GitError> {
        let answer = self
            .ours()
            .settings(&[
                "merge.renames=true",
                "merge.renameLimit=7000",
                "merge.directoryRenames=conflict",
            ])
            .sub("merge-tree")
            .args(["--write-tree", "-z", "--name-only", "--no-messages"])
            .args([base.as_str(), submitted.as_str()])
            .at_most(LISTING)
            .accept(&[0, 1])
            .run()
            .await?;
        let mut parts = nul_separated(&answer.stdout);
        // Without a tree it was no merge at all: an unknown commit also ends with code 1.
        let tree = utf8("merge-tree", parts.next().unwrap_or_default().to_vec())?;
        let tree = tree.parse().map_err(|why| GitError::Unexpected {
            what: "merge-tree".to_owned(),
            why: format!("no tree came out of {base} and {submitted}: {why}"),
        })?;
        match answer.code {
            0 => Ok(Ok(tree)),
            _ => Ok(Err(parts.map(RepoPath::new).collect())),
        }
    }
}

#[cfg(test)]
mod tests;
