//! Which commit an agent's clone stands on, read by hand.
//!
//! git is never run in an agent's clone: its configuration could name programs for git to start.

use std::path::Path;

use worknode_core::git::CommitId;

use crate::{
    error::GitError,
    plain::{PlainError, PlainFolder},
    refname,
};

/// A HEAD or a branch file is one short line.
const ONE_LINE: u64 = 2048;

/// A clone of one task has a handful of refs; this has room for a hundred thousand.
const PACKED_REFS: u64 = 8 * 1024 * 1024;

/// An agent's clone does not say plainly where it stands.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// There is no clone.
    #[error("`{0}` is not a clone as it was handed out: it has no plain `.git` folder")]
    NotAClone(String),
    /// HEAD or the branch has contents that git does not write.
    #[error("`{file}` of the clone is not as git writes it")]
    Malformed {
        /// Which file, below `.git`.
        file: String,
    },
    /// A file could not be used.
    #[error(transparent)]
    Plain(#[from] PlainError),
    /// The reading itself could not be done.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// The commit that HEAD of the clone stands for; `None` when its branch has no commit yet.
pub(crate) fn read(clone: &Path) -> Result<Option<CommitId>, HeadError> {
    let folder = PlainFolder::new(clone)?;
    if !folder.is_folder(Path::new(".git"))? {
        return Err(HeadError::NotAClone(clone.display().to_string()));
    }
    let head = line(&folder, "HEAD")?.ok_or_else(|| malformed("HEAD"))?;
    let Some(name) = head.strip_prefix("ref:") else {
        return head.parse().map(Some).map_err(|_| malformed("HEAD"));
    };
    let name = name.trim_start();
    if !refname::is_ref(name) {
        return Err(malformed("HEAD"));
    }
    match line(&folder, name)? {
        // Also a branch that points to another branch: nothing that we hand out does.
        Some(id) => id.parse().map(Some).map_err(|_| malformed(name)),
        None => packed(&folder, name),
    }
}

fn malformed(file: &str) -> HeadError {
    HeadError::Malformed {
        file: file.to_owned(),
    }
}

/// The one line of a file below `.git`.
fn line(folder: &PlainFolder, file: &str) -> Result<Option<String>, HeadError> {
    let Some(bytes) = folder.read(&format!(".git/{file}"), ONE_LINE)? else {
        return Ok(None);
    };
    let text = String::from_utf8(bytes).map_err(|_| malformed(file))?;
    Ok(Some(text.trim_end().to_owned()))
}

/// Looks a ref up in the file where git gathers refs that have not changed for a while.
fn packed(folder: &PlainFolder, name: &str) -> Result<Option<CommitId>, HeadError> {
    let Some(bytes) = folder.read(".git/packed-refs", PACKED_REFS)? else {
        return Ok(None);
    };
    let entry = bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| std::str::from_utf8(line).ok()?.split_once(' '))
        .find(|(_, listed)| *listed == name);
    match entry {
        Some((id, _)) => id.parse().map(Some).map_err(|_| malformed("packed-refs")),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::PathBuf};

    use super::*;

    const ID: &str = "0123456789012345678901234567890123456789";

    fn clone() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let git = dir.path().join(".git");
        fs::create_dir_all(git.join("refs/heads")).unwrap();
        (dir, git)
    }

    #[test]
    fn branch_packed_branch_and_detached_head_are_read() {
        let (dir, git) = clone();
        fs::write(git.join("HEAD"), "ref: refs/heads/work\n").unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);

        fs::write(
            git.join("packed-refs"),
            format!("# pack-refs\n{ID} refs/heads/work\n^{ID}\n"),
        )
        .unwrap();
        assert_eq!(read(dir.path()).unwrap().unwrap().as_str(), ID);

        let newer = ID.replace('0', "a");
        fs::write(git.join("refs/heads/work"), format!("{newer}\n")).unwrap();
        assert_eq!(read(dir.path()).unwrap().unwrap().as_str(), newer);

        fs::write(git.join("HEAD"), ID).unwrap();
        assert_eq!(read(dir.path()).unwrap().unwrap().as_str(), ID);
    }

    #[test]
    fn p9_a_head_that_leads_elsewhere_is_refused() {
        let (dir, git) = clone();
        fs::write(dir.path().join("outside"), ID).unwrap();
        for bad in [
            "ref: ../../outside",
            "ref: refs/heads/../../../outside",
            "ref: refs/heads/.invalid",
            "ref: /etc/passwd",
            "ref: HEAD",
            "--exec=x",
            "",
            "\u{0}",
        ] {
            fs::write(git.join("HEAD"), bad).unwrap();
            assert!(
                matches!(read(dir.path()), Err(HeadError::Malformed { .. })),
                "{bad:?}"
            );
        }
        fs::write(git.join("HEAD"), vec![b'a'; 1024 * 1024]).unwrap();
        assert!(matches!(
            read(dir.path()),
            Err(HeadError::Plain(PlainError::TooLarge { .. }))
        ));
    }

    #[test]
    fn p9_a_head_that_is_a_link_is_refused() {
        let (dir, git) = clone();
        fs::write(dir.path().join("outside"), ID).unwrap();
        symlink("../outside", git.join("HEAD")).unwrap();
        assert!(matches!(
            read(dir.path()),
            Err(HeadError::Plain(PlainError::NotPlain(_)))
        ));

        fs::remove_file(git.join("HEAD")).unwrap();
        fs::write(git.join("HEAD"), "ref: refs/heads/work").unwrap();
        symlink("../../../outside", git.join("refs/heads/work")).unwrap();
        assert!(matches!(
            read(dir.path()),
            Err(HeadError::Plain(PlainError::NotPlain(_)))
        ));
    }

    #[test]
    fn p9_a_clone_whose_git_folder_is_a_file_or_a_link_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".git"), "gitdir: /somewhere").unwrap();
        assert!(matches!(read(dir.path()), Err(HeadError::NotAClone(_))));
        let other = tempfile::tempdir().unwrap();
        symlink(dir.path(), other.path().join(".git")).unwrap();
        assert!(matches!(
            read(other.path()),
            Err(HeadError::Plain(PlainError::NotPlain(_)))
        ));
    }
}
