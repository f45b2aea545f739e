//! The work trees of the user's repository: the main one and linked ones.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use crate::{error::GitError, git::Git, refname::Branch};

/// A work tree that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkTree {
    pub(crate) path: PathBuf,
    /// The full name of the branch that is checked out; none when HEAD is detached.
    branch: Option<String>,
}

impl WorkTree {
    pub(crate) fn is_on(&self, branch: &Branch) -> bool {
        self.branch.as_deref() == Some(branch.full())
    }
}

/// All work trees whose folders exist. One whose folder was deleted holds nothing back.
pub(crate) async fn list(git: &Git, root: &Path) -> Result<Vec<WorkTree>, GitError> {
    let asked = git
        .users(root)
        .sub("worktree")
        .args(["list", "--porcelain", "-z"]);
    let mut all = parse(asked.run().await?.stdout);
    all.retain(|place| place.path.is_dir());
    Ok(all)
}

/// Entries end with an empty field; each begins with `worktree PATH`.
fn parse(listing: Vec<u8>) -> Vec<WorkTree> {
    let mut all = Vec::new();
    for field in listing.split(|byte| *byte == 0) {
        if let Some(path) = field.strip_prefix(b"worktree ") {
            let path = PathBuf::from(OsString::from_vec(path.to_vec()));
            all.push(WorkTree { path, branch: None });
        } else if let (Some(name), Some(last)) = (field.strip_prefix(b"branch "), all.last_mut()) {
            last.branch = String::from_utf8(name.to_vec()).ok();
        }
    }
    all
}

/// Files that git keeps while something is under way that will itself move a branch: the branch
/// that is checked out, or the one that the file names.
const UNDER_WAY: [(&str, &str); 5] = [
    ("rebase-merge/head-name", "rebase"),
    ("rebase-apply/head-name", "rebase"),
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
];

/// The work tree in which something is under way with `branch`, and what. During a rebase HEAD
/// is detached, but the branch is not free: the rebase will set it when it ends.
pub(crate) async fn busy(
    git: &Git,
    root: &Path,
    branch: &Branch,
) -> Result<Option<(WorkTree, &'static str)>, GitError> {
    for place in list(git, root).await? {
        let asked = git.users(&place.path).sub("rev-parse").arg("--absolute-git-dir");
        let mut gitdir = asked.run().await?.stdout;
        gitdir.pop();
        let gitdir = PathBuf::from(OsString::from_vec(gitdir));
        for (file, what) in UNDER_WAY {
            let Ok(text) = tokio::fs::read(gitdir.join(file)).await else {
                continue;
            };
            let names_it = text.trim_ascii() == branch.full().as_bytes();
            if names_it || (what != "rebase" && place.is_on(branch)) {
                return Ok(Some((place, what)));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_with_odd_paths_is_read() {
        let listing =
            b"worktree /a\0HEAD 12\0branch refs/heads/main\0\0worktree /b\nc\0HEAD 12\0detached\0\0";
        let all = parse(listing.to_vec());
        assert_eq!(all.len(), 2);
        assert!(all[0].is_on(&Branch::new("main").unwrap()));
        assert_eq!(
            (all[1].path.as_path(), &all[1].branch),
            (Path::new("/b\nc"), &None)
        );
    }
}
