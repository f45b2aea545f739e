//! Removing a workspace, whatever an agent has left in it.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Component, Path, PathBuf},
};

use crate::{blocking::off_thread, error::GitError};

/// A workspace was not removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// It is not where workspaces are.
    #[error("`{}` is not below `{}`, or leads out of it; nothing was removed", path.display(), root.display())]
    Outside {
        /// What was to be removed.
        path: PathBuf,
        /// Where it should have been.
        root: PathBuf,
    },
    /// A link is on the way.
    #[error("`{}` is a symbolic link; nothing was removed", .0.display())]
    Link(PathBuf),
    /// The file system refused.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Removes the workspace `path`, which must lie below `root`. Links in it are removed, not
/// followed; folders that were made read-only are made writable first. What is gone already is a
/// success, and so is what an earlier call left half done. The agent must be stopped.
///
/// # Errors
/// When it is not below `root`, or something in it cannot be removed.
pub async fn remove_clone(root: &Path, path: &Path) -> Result<(), RemoveError> {
    let (root, path) = (root.to_owned(), path.to_owned());
    off_thread(move || {
        check(&root, &path)?;
        tree(&path).map_err(RemoveError::from)
    })
    .await
}

/// Whether the path has names only, and one at least.
fn leads_down(path: &Path) -> bool {
    let plain = |part| matches!(part, Component::Normal(_));
    path.components().next().is_some() && path.components().all(plain)
}

/// Whether `path` is below `root` by its own words, and without links on the way.
fn check(root: &Path, path: &Path) -> Result<(), RemoveError> {
    let outside = || RemoveError::Outside {
        path: path.to_owned(),
        root: root.to_owned(),
    };
    let below = path.strip_prefix(root).map_err(|_| outside())?;
    if !leads_down(below) {
        return Err(outside());
    }
    let mut place = root.to_owned();
    for part in below.components() {
        place.push(part);
        match fs::symlink_metadata(&place) {
            Ok(seen) if seen.is_symlink() => return Err(RemoveError::Link(place)),
            Ok(_) => {}
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(why) => return Err(GitError::io("look at", place)(why).into()),
        }
    }
    Ok(())
}

/// How deep folders are emptied where they are. No work of people goes deeper, and a stack and
/// open files for this many are nothing.
const SHALLOW: u8 = 32;

/// Removes a folder and all below it.
///
/// What [`shallow`] does not manage is moved: every folder first moves up into one flat heap, so that neither a stack, nor open files,
/// nor the length of a path grows with the depth, which is the agent's choice.
pub(crate) fn tree(path: &Path) -> Result<(), GitError> {
    let heap = heap_of(path);
    let is_folder = fs::symlink_metadata(path).is_ok_and(|seen| seen.is_dir());
    // What it fails at, the longer way below meets again, and tells.
    if is_folder && !heap.exists() && shallow(path, SHALLOW).unwrap_or(false) {
        return Ok(());
    }
    match fs::create_dir(&heap) {
        Err(why) if why.kind() != io::ErrorKind::AlreadyExists => {
            // No place for a heap: then there is no workspace either.
            return if path.exists() {
                Err(GitError::io("create", heap)(why))
            } else {
                Ok(())
            };
        }
        _ => {}
    }
    let mut heaped = Heap {
        folder: heap,
        next: 0,
    };
    let leftovers = heaped.entries(&heaped.folder.clone())?;
    heaped.next = leftovers
        .iter()
        .filter_map(|place| place.file_name()?.to_str()?.parse::<u64>().ok())
        .max()
        .map_or(0, |last| last.saturating_add(1));
    heaped.add(path)?;
    let mut waiting = heaped.entries(&heaped.folder.clone())?;
    while let Some(folder) = waiting.pop() {
        waiting.extend(heaped.empty(&folder)?);
    }
    fs::remove_dir(&heaped.folder).map_err(GitError::io("remove", &heaped.folder))
}

/// Empties a folder in place and removes it; false when something in it lies too deep.
fn shallow(folder: &Path, levels: u8) -> io::Result<bool> {
    let mut all = true;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            all &= match levels.checked_sub(1) {
                Some(levels) => shallow(&entry.path(), levels)?,
                None => false,
            };
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    if all {
        fs::remove_dir(folder)?;
    }
    Ok(all)
}

/// Beside the workspace, under a name that a second call finds again.
fn heap_of(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".removing-");
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

struct Heap {
    folder: PathBuf,
    next: u64,
}

impl Heap {
    /// Removes one thing, or moves it onto the heap when it is a folder; then says where it is.
    fn add(&mut self, path: &Path) -> Result<Option<PathBuf>, GitError> {
        let seen = match fs::symlink_metadata(path) {
            Ok(seen) => seen,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(GitError::io("look at", path)(why)),
        };
        if !seen.is_dir() {
            fs::remove_file(path).map_err(GitError::io("remove", path))?;
            return Ok(None);
        }
        // To move or empty a folder it must be writable. It is not a link: links are not folders.
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))
            .map_err(GitError::io("make writable", path))?;
        let place = self.folder.join(self.next.to_string());
        self.next += 1;
        fs::rename(path, &place).map_err(GitError::io("move", path))?;
        Ok(Some(place))
    }

    /// Empties a folder of the heap and removes it; answers with the folders that were in it.
    fn empty(&mut self, folder: &Path) -> Result<Vec<PathBuf>, GitError> {
        let mut found = Vec::new();
        for entry in self.entries(folder)? {
            found.extend(self.add(&entry)?);
        }
        fs::remove_dir(folder).map_err(GitError::io("remove", folder))?;
        Ok(found)
    }

    fn entries(&self, folder: &Path) -> Result<Vec<PathBuf>, GitError> {
        let read = fs::read_dir(folder).map_err(GitError::io("read", folder))?;
        let all: io::Result<Vec<_>> = read.map(|entry| entry.map(|entry| entry.path())).collect();
        all.map_err(GitError::io("read", folder))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[tokio::test]
    async fn read_only_deep_and_linked_things_go_and_what_they_point_at_stays() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("kept"), "").unwrap();
        let clone = root.path().join("agent");
        fs::create_dir_all(clone.join("locked/inner")).unwrap();
        fs::write(clone.join("locked/inner/file"), "").unwrap();
        fs::set_permissions(clone.join("locked/inner"), fs::Permissions::from_mode(0o000)).unwrap();
        fs::set_permissions(clone.join("locked"), fs::Permissions::from_mode(0o500)).unwrap();
        symlink(outside.path(), clone.join("link")).unwrap();
        // Deeper than any path can say: made from the inside.
        let made = std::process::Command::new("sh")
            .args([
                "-c",
                "n=$(printf %0200d 7); i=0; while [ $i -lt 30 ]; do mkdir $n && cd -P $n || exit 1; i=$((i+1)); done",
            ])
            .current_dir(&clone)
            .status()
            .unwrap();
        assert!(made.success());

        remove_clone(root.path(), &clone).await.unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        assert!(outside.path().join("kept").exists());
        remove_clone(root.path(), &clone).await.unwrap();
    }

    #[tokio::test]
    async fn what_an_earlier_call_left_half_done_is_finished() {
        let root = tempfile::tempdir().unwrap();
        let clone = root.path().join("agent");
        fs::create_dir_all(heap_of(&clone).join("7/below")).unwrap();
        fs::create_dir(&clone).unwrap();
        remove_clone(root.path(), &clone).await.unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn p9_nothing_outside_the_root_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("workspaces");
        let other = dir.path().join("other");
        fs::create_dir_all(&root).unwrap();
        fs::create_dir_all(other.join("below")).unwrap();
        symlink(&other, root.join("link")).unwrap();
        for bad in [
            root.clone(),
            other.clone(),
            root.join("../other"),
            PathBuf::from("other"),
        ] {
            let refused = remove_clone(&root, &bad).await;
            assert!(
                matches!(refused, Err(RemoveError::Outside { .. })),
                "{}",
                bad.display()
            );
        }
        for bad in [root.join("link"), root.join("link/below")] {
            let refused = remove_clone(&root, &bad).await;
            assert!(matches!(refused, Err(RemoveError::Link(_))), "{}", bad.display());
        }
        assert!(other.join("below").exists());
    }
}
