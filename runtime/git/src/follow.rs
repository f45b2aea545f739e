//! Bringing the files of a work tree from the base to the candidate, without losing anything of
//! the user's.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use worknode_core::git::CommitId;

use crate::{
    blocking::off_thread,
    changes::Change,
    command::TIME,
    error::GitError,
    git::Git,
    import::LISTING,
    path::{RepoPath, nul_separated},
    worktree::WorkTree,
};

/// Paths named on one command line.
const AT_ONCE: usize = 256;

/// Moves the index and the files from `old` to `new`; the branch is the caller's business.
///
/// git checks everything before it writes anything: a file with changes that it would have to
/// write stops it. Where index and files are at `new` already, because an earlier attempt was
/// cut off after this step, nothing is left to do.
pub(crate) async fn move_files(
    git: &Git,
    place: &WorkTree,
    old: &CommitId,
    new: &CommitId,
) -> Result<(), GitError> {
    // Without this, a file that was only touched would look changed. What it finds is no error.
    git.users(&place.path)
        .sub("update-index")
        .args(["-q", "--refresh"])
        .accept(&[0, 1, 128])
        .run()
        .await?;
    git.users(&place.path)
        .sub("read-tree")
        .args(["-m", "-u", old.as_str(), new.as_str()])
        .within(TIME * 5)
        .until_done()
        .run()
        .await
        .map(drop)
}

/// Files that git does not track and that stand where the candidate puts a new one.
///
/// git itself looks only at those that are not ignored, and would overwrite the others. They are
/// the user's too: a file with secrets is a typical one.
pub(crate) async fn untracked_in_the_way(
    git: &Git,
    place: &WorkTree,
    changes: &[Change],
) -> Result<Vec<RepoPath>, GitError> {
    let tracked: BTreeSet<_> = paths(changes.iter().filter(|change| change.old_mode.is_some())).collect();
    let new: Vec<_> = paths(changes.iter().filter(|change| change.old_mode.is_none())).collect();
    let root = place.path.clone();
    let (mut found, occupied) =
        off_thread(move || Ok::<_, GitError>(occupied(&root, &new, &tracked))).await?;
    for some in occupied.chunks(AT_ONCE) {
        let answer = git
            .users(&place.path)
            .env("GIT_LITERAL_PATHSPECS", "1")
            .sub("ls-files")
            .args(["--others", "-z", "--"])
            .args(some)
            .at_most(LISTING)
            .run()
            .await?;
        found.extend(nul_separated(&answer.stdout).map(RepoPath::new));
    }
    Ok(found)
}

fn paths<'a>(changes: impl Iterator<Item = &'a Change>) -> impl Iterator<Item = PathBuf> {
    changes.map(|change| PathBuf::from(OsStr::from_bytes(change.path.as_bytes())))
}

/// Of the new paths, those where something is on disk. First what stands where a folder is
/// needed, then the paths that exist themselves, tracked or not.
fn occupied(root: &Path, new: &[PathBuf], tracked: &BTreeSet<PathBuf>) -> (Vec<RepoPath>, Vec<PathBuf>) {
    let (mut blocked, mut exist) = (BTreeSet::new(), Vec::new());
    for path in new {
        let blocker = path.ancestors().skip(1).find(|folder| {
            !folder.as_os_str().is_empty()
                && !tracked.contains(*folder)
                && fs::symlink_metadata(root.join(folder)).is_ok_and(|seen| !seen.is_dir())
        });
        match blocker {
            Some(blocker) => {
                blocked.insert(RepoPath::new(blocker.as_os_str().as_bytes()));
            }
            None if fs::symlink_metadata(root.join(path)).is_ok() => exist.push(path.clone()),
            None => {}
        }
    }
    (blocked.into_iter().collect(), exist)
}
