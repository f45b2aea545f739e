//! What a tree has, and taking a landing back.

use worknode_core::git::{CommitId, TreeId};

use crate::{candidate::Candidate, error::GitError, identity::Authorship, path::nul_separated, store::Store};

impl Store {
    /// Those of `paths` that are no file of `tree`.
    ///
    /// # Errors
    /// When the tree is not in the store, or git fails.
    pub async fn missing(&self, tree: &TreeId, paths: &[String]) -> Result<Vec<String>, GitError> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        // Its paths are no patterns: each names itself alone.
        let listed = self
            .ours()
            .sub("ls-tree")
            .args(["-z", tree.as_str(), "--"])
            .args(paths);
        let listed = listed.run().await?;
        let files: Vec<&[u8]> = nul_separated(&listed.stdout).filter_map(file_of).collect();
        let absent = paths.iter().filter(|path| !files.contains(&path.as_bytes()));
        Ok(absent.cloned().collect())
    }

    /// A commit on top of `landed` that takes back all that it changed of `before`, the commit under
    /// it. Merged onto the present base like any submission, it undoes that landing and nothing else.
    ///
    /// # Errors
    /// When one of the two is not in the store, or git fails.
    pub async fn undoing(
        &self,
        landed: &CommitId,
        before: &CommitId,
        message: &str,
        authorship: &Authorship,
    ) -> Result<CommitId, GitError> {
        let tree = self.tree_of(before).await?;
        let commit = self.commit(&tree, landed, message, authorship).await?;
        self.note(format!("refs/worknode/undoing/{commit}"), &commit)
            .await?;
        Ok(commit)
    }

    /// The same candidate with another message, on `base`: its own, or a commit of the same tree. Every
    /// verdict on its tree stands.
    ///
    /// # Errors
    /// When git fails.
    pub async fn reworded(
        &self,
        candidate: &Candidate,
        base: &CommitId,
        message: &str,
        authorship: &Authorship,
    ) -> Result<Candidate, GitError> {
        let commit = self.commit(candidate.tree(), base, message, authorship).await?;
        let reworded = candidate.with_commit(commit, base);
        self.note(reworded.kept_as(), reworded.commit()).await?;
        Ok(reworded)
    }
}

/// The path of an entry that is a file or a link.
fn file_of(entry: &[u8]) -> Option<&[u8]> {
    let tab = entry.iter().position(|byte| *byte == b'\t')?;
    let (kind, path) = entry.split_at(tab);
    let is_blob = kind.split(|byte| *byte == b' ').nth(1) == Some(b"blob");
    is_blob.then(|| path.get(1..)).flatten()
}

#[cfg(test)]
mod tests;
