//! Where a branch was before, and where two parted.

use worknode_core::{git::CommitId, time::Timestamp};

use crate::{error::GitError, repository::Repository};

impl Repository {
    /// What `tip` was at `at`, by the dates of its commits along the first parents; `None` when all of
    /// them are younger.
    ///
    /// # Errors
    /// When there is no such commit, or git fails.
    pub async fn commit_at(&self, tip: &CommitId, at: Timestamp) -> Result<Option<CommitId>, GitError> {
        // As git's own objects write it: nothing is left to be guessed.
        let before = format!("--before=@{} +0000", at.as_millis() / 1_000);
        self.users()
            .sub("rev-list")
            .args(["-1", "--first-parent", &before, tip.as_str(), "--"])
            .first_object()
            .await
    }

    /// The last commit that both have; `None` when they have none.
    ///
    /// # Errors
    /// When one of them is not there, or git fails.
    pub async fn common(&self, one: &CommitId, other: &CommitId) -> Result<Option<CommitId>, GitError> {
        self.users()
            .sub("merge-base")
            .args([one.as_str(), other.as_str()])
            .accept(&[0, 1])
            .first_object()
            .await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use worknode_core::time::Timestamp;

    use crate::testing::{World, commit, git, write};

    #[tokio::test]
    async fn a_branch_is_known_as_it_was() {
        let world = World::new().await;
        let first = world.base().await;
        write(&world.user(), "README", "four\n");
        commit(&world.user(), "second");
        let second = world.base().await;
        let at = |at| world.repository.commit_at(&second, at);
        assert_eq!(at(Timestamp::from_millis(1_000)).await.unwrap(), None);
        let later = Timestamp::from_millis(4_000_000_000_000).plus(Duration::from_secs(1));
        assert_eq!(at(later).await.unwrap(), Some(second.clone()));

        git(&world.user(), ["checkout", "-q", "-b", "side", first.as_str()]);
        write(&world.user(), "side", "here\n");
        git(&world.user(), ["add", "side"]);
        commit(&world.user(), "aside");
        let side = world.repository.base_tip("side").await.unwrap();
        assert_eq!(
            world.repository.common(&side, &second).await.unwrap(),
            Some(first)
        );
    }
}
