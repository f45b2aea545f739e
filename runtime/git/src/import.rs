//! Bringing a submitted commit from an agent's clone into the store.

use std::{path::Path, time::Duration};

use worknode_core::git::CommitId;

use crate::{
    blocking::off_thread,
    error::GitError,
    layout::Layout,
    plain::PlainError,
    quarantine::{self, Quarantine},
    store::Store,
};

/// The longest listing of one tree that is read: about a million files. A tree can be made of few
/// objects and yet unfold to more files than any disk holds; such a one ends here.
pub(crate) const LISTING: usize = 64 * 1024 * 1024;

/// A size line of git is never longer; bounds the list of an agent's objects.
const SIZES: usize = 32 * 1024 * 1024;

/// What a submission may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportLimits {
    /// Bytes of the clone's own objects as they are stored. More is refused.
    pub stored: u64,
    /// Bytes of the same objects unpacked. More is refused: a small object can unpack to a huge
    /// file.
    pub unpacked: u64,
    /// How long git may take over them. Then the import fails.
    pub time: Duration,
}

impl Default for ImportLimits {
    fn default() -> Self {
        Self {
            stored: 512 << 20,
            unpacked: 2 << 30,
            time: Duration::from_secs(300),
        }
    }
}

/// A submitted commit was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The clone does not have it.
    #[error("the clone has no commit {commit}")]
    NoSuchCommit {
        /// What was asked for.
        commit: CommitId,
    },
    /// Its objects are damaged, missing or not as git writes them.
    #[error("commit {commit} is not complete and sound: {why}")]
    Broken {
        /// What was asked for.
        commit: CommitId,
        /// What git found.
        why: String,
    },
    /// It does not come from the base branch.
    #[error("commit {commit} has no history in common with the base {base}")]
    Unrelated {
        /// What was asked for.
        commit: CommitId,
        /// The base.
        base: CommitId,
    },
    /// The clone's own objects take more than allowed.
    #[error("the clone's own objects are larger than {limit} bytes")]
    TooLarge {
        /// The limit that was passed.
        limit: u64,
    },
    /// There are more object files, or more files in the tree, than allowed.
    #[error("the submission has more than {limit} object files, or a tree without end")]
    TooManyFiles {
        /// The limit on object files.
        limit: usize,
    },
    /// The clone's files are not plain files.
    #[error(transparent)]
    Clone(#[from] PlainError),
    /// git or the file system failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl Store {
    /// Takes `commit`, with all that it needs, from an agent's clone. `base` is the tip of the
    /// base branch, with which it must share history. Taking it twice is the same as once.
    ///
    /// No git runs in the clone. Its objects are copied first, then fetched from the copy with
    /// every object checked, so that what the store has is what its name says.
    ///
    /// # Errors
    /// When the commit is not there, not sound, not related or too large. Nothing then refers to
    /// it in the store.
    pub async fn import(
        &self,
        clone: &Path,
        commit: &CommitId,
        base: &CommitId,
        limits: &ImportLimits,
    ) -> Result<(), ImportError> {
        let name = submission(commit);
        self.take(clone, commit, base, &name, limits).await?;
        let judged = self.judge(commit, base).await;
        if judged.is_err() {
            self.forget(&name).await?;
        }
        judged
    }

    /// Keeps `commit` of a run that ended without handing it in, as [`Self::import`] would take
    /// it; but it may have any history.
    pub(crate) async fn keep_unmerged(
        &self,
        clone: &Path,
        commit: &CommitId,
        start: &CommitId,
        limits: &ImportLimits,
    ) -> Result<(), ImportError> {
        let name = format!("refs/worknode/kept/{commit}");
        if self.has_ref(&submission(commit)).await? {
            return Ok(self.note(name, commit).await?);
        }
        self.take(clone, commit, start, &name, limits).await?;
        let unfolded = self.unfold(commit).await;
        if unfolded.is_err() {
            self.forget(&name).await?;
        }
        unfolded
    }

    /// Brings a commit in under a name, unless it is there.
    async fn take(
        &self,
        clone: &Path,
        commit: &CommitId,
        base: &CommitId,
        name: &str,
        limits: &ImportLimits,
    ) -> Result<(), ImportError> {
        if commit.as_str().len() != self.format.digits() {
            return Err(ImportError::NoSuchCommit {
                commit: commit.clone(),
            });
        }
        // With the base named in the store, only what is new is fetched and walked.
        self.keep(&format!("refs/worknode/bases/{base}"), base).await?;
        if self.has_ref(name).await? {
            return Ok(());
        }
        let quarantine = self.quarantine(clone, limits).await?;
        let fetched = self.fetch_submission(&quarantine, commit, name, limits).await;
        off_thread(move || {
            drop(quarantine);
            Ok::<_, GitError>(())
        })
        .await?;
        fetched
    }

    async fn quarantine(&self, clone: &Path, limits: &ImportLimits) -> Result<Quarantine, ImportError> {
        let layout = Layout {
            format: self.format,
            head: quarantine::head()?,
            at: None,
            files: false,
            borrows: self.lends(),
            shallow: self.shallow.clone(),
            identity: None,
        };
        let (dir, clone, stored) = (self.dir.clone(), clone.to_owned(), limits.stored);
        off_thread(move || Quarantine::take(&dir, layout, &clone, stored)).await
    }

    async fn fetch_submission(
        &self,
        quarantine: &Quarantine,
        commit: &CommitId,
        name: &str,
        limits: &ImportLimits,
    ) -> Result<(), ImportError> {
        // Before it borrows: only the agent's own objects are in there to be counted.
        self.check_unpacked(quarantine, limits).await?;
        quarantine.name(commit)?;
        let known = self
            .git
            .ours(quarantine.dir())
            .sub("cat-file")
            .arg("-t")
            .arg(commit.as_str());
        let known = known.accept(&[0, 128]).run().await?;
        if known.stdout.trim_ascii() != b"commit" {
            return Err(ImportError::NoSuchCommit {
                commit: commit.clone(),
            });
        }
        let fetch = self
            .ours()
            .settings(&[
                "fetch.fsckObjects=true",
                "transfer.fsckObjects=true",
                "fetch.unpackLimit=1",
            ])
            .sub("fetch")
            .args([
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-recurse-submodules",
                "--",
            ])
            .arg(quarantine.dir())
            .arg(format!("+refs/heads/{}:{name}", quarantine::BRANCH))
            .within(limits.time);
        match fetch.run().await {
            Ok(_) => Ok(()),
            Err(GitError::Failed { stderr, .. }) => Err(ImportError::Broken {
                commit: commit.clone(),
                why: stderr,
            }),
            Err(error) => Err(error.into()),
        }
    }

    async fn check_unpacked(
        &self,
        quarantine: &Quarantine,
        limits: &ImportLimits,
    ) -> Result<(), ImportError> {
        let sizes = self
            .git
            .ours(quarantine.dir())
            .sub("cat-file")
            .args([
                "--batch-all-objects",
                "--unordered",
                "--batch-check=%(objectsize)",
            ])
            .at_most(SIZES)
            .within(limits.time)
            // Objects that cannot be read are found, and told, by the fetch.
            .accept(&[0, 1, 128])
            .run()
            .await?;
        let sizes = sizes.stdout.split(|byte| *byte == b'\n');
        let total = sizes
            .filter_map(|line| std::str::from_utf8(line).ok()?.parse::<u64>().ok())
            .fold(0_u64, u64::saturating_add);
        if total > limits.unpacked {
            Err(ImportError::TooLarge {
                limit: limits.unpacked,
            })
        } else {
            Ok(())
        }
    }

    /// What can only be said of sound objects.
    async fn judge(&self, commit: &CommitId, base: &CommitId) -> Result<(), ImportError> {
        let related = self
            .ours()
            .sub("merge-base")
            .args([base.as_str(), commit.as_str()]);
        if related.accept(&[0, 1]).run().await?.code == 1 {
            return Err(ImportError::Unrelated {
                commit: commit.clone(),
                base: base.clone(),
            });
        }
        self.unfold(commit).await
    }

    /// Sees that the tree of a commit has an end.
    async fn unfold(&self, commit: &CommitId) -> Result<(), ImportError> {
        let listing = self
            .ours()
            .sub("ls-tree")
            .args(["-r", "-z", "--name-only", commit.as_str()]);
        match listing.at_most(LISTING).run().await {
            Ok(_) => Ok(()),
            Err(GitError::TooMuchOutput { .. }) => Err(ImportError::TooManyFiles { limit: LISTING / 64 }),
            Err(error) => Err(error.into()),
        }
    }
}

/// The name under which a submitted commit is kept.
fn submission(commit: &CommitId) -> String {
    format!("refs/worknode/submissions/{commit}")
}

#[cfg(test)]
mod tests;
