//! Reading files in a folder that somebody hostile may write to, even at this moment.
//!
//! Only regular files that really lie below the folder are read. Symbolic links, pipes (on which
//! an `open` would wait for ever) and devices are refused, and no more is read than asked for.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Opening a pipe with this flag answers at once. The number is that of all common machines; on
/// others the check of the file's kind before opening remains.
#[cfg(all(
    target_os = "linux",
    not(any(target_arch = "mips", target_arch = "mips64", target_arch = "sparc64"))
))]
const DO_NOT_WAIT: i32 = 0o4000;
#[cfg(all(unix, not(target_os = "linux")))]
const DO_NOT_WAIT: i32 = 0x4;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "mips", target_arch = "mips64", target_arch = "sparc64")
))]
const DO_NOT_WAIT: i32 = 0;

/// A file of an agent's clone that is not as git writes it.
#[derive(Debug, thiserror::Error)]
pub enum PlainError {
    /// Something on the way is not a plain file or folder.
    #[error("`{}` is not a plain file below plain folders (a link, pipe, device or other thing)", .0.display())]
    NotPlain(PathBuf),
    /// The file is larger than such a file ever is.
    #[error("`{}` is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        limit: u64,
    },
    /// It could not be read.
    #[error("could not read `{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A folder in which only plain things are touched.
#[derive(Debug)]
pub(crate) struct PlainFolder {
    root: PathBuf,
}

impl PlainFolder {
    /// `root` itself is trusted: it is a path that the runtime chose.
    pub(crate) fn new(root: &Path) -> Result<Self, PlainError> {
        let root = fs::canonicalize(root).map_err(|source| PlainError::Io {
            path: root.to_owned(),
            source,
        })?;
        Ok(Self { root })
    }

    /// The whole file; `None` when there is no such file.
    pub(crate) fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, PlainError> {
        let Some(file) = self.open(Path::new(path))? else {
            return Ok(None);
        };
        let full = self.root.join(path);
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|source| PlainError::Io {
                path: full.clone(),
                source,
            })?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
            Ok(Some(bytes))
        } else {
            Err(PlainError::TooLarge { path: full, limit })
        }
    }

    /// Opens a regular file; `None` when there is none, or there is a folder of that name.
    pub(crate) fn open(&self, path: &Path) -> Result<Option<File>, PlainError> {
        let full = self.root.join(path);
        let not_plain = || PlainError::NotPlain(full.clone());
        let io = |source| PlainError::Io {
            path: full.clone(),
            source,
        };
        if let Some(folder) = path.parent()
            && !self.is_folder(folder)?
        {
            return Ok(None);
        }
        let seen = found(fs::symlink_metadata(&full)).map_err(io)?;
        let Some(seen) = seen.filter(|seen| !seen.is_dir()) else {
            return Ok(None);
        };
        if !seen.is_file() {
            return Err(not_plain());
        }
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(DO_NOT_WAIT)
            .open(&full);
        let Some(file) = found(opened).map_err(io)? else {
            return Ok(None);
        };
        // It may have been exchanged since we looked.
        let now = file.metadata().map_err(io)?;
        if !is_the_same(&now, &seen) || !self.holds(&file) {
            return Err(not_plain());
        }
        Ok(Some(file))
    }

    /// The names in a folder, in no order; none when there is no such folder.
    pub(crate) fn names(&self, path: &Path) -> Result<Vec<String>, PlainError> {
        if !self.is_folder(path)? {
            return Ok(Vec::new());
        }
        let full = self.root.join(path);
        let io = |source| PlainError::Io {
            path: full.clone(),
            source,
        };
        let Some(entries) = found(fs::read_dir(&full)).map_err(io)? else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        for entry in entries {
            // git's own names are ASCII: others are none of git's.
            names.extend(entry.map_err(io)?.file_name().into_string());
        }
        Ok(names)
    }

    /// Whether every part of `path` is a folder and none is a link.
    pub(crate) fn is_folder(&self, path: &Path) -> Result<bool, PlainError> {
        let mut full = self.root.clone();
        for part in path.components() {
            full.push(part);
            let looked = found(fs::symlink_metadata(&full)).map_err(|source| PlainError::Io {
                path: full.clone(),
                source,
            })?;
            match looked {
                None => return Ok(false),
                Some(seen) if seen.is_dir() => {}
                Some(seen) if seen.is_file() => return Ok(false),
                Some(_) => return Err(PlainError::NotPlain(full)),
            }
        }
        Ok(true)
    }

    /// Whether an open file lies below the root: the kernel knows, whatever the path looked like.
    #[cfg(target_os = "linux")]
    fn holds(&self, file: &File) -> bool {
        use std::os::fd::AsRawFd;
        fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
            .is_ok_and(|place| place.starts_with(&self.root))
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(
        clippy::unused_self,
        reason = "the same shape as where the kernel can be asked"
    )]
    const fn holds(&self, _: &File) -> bool {
        true
    }
}

/// Turns "there is none" into an answer.
fn found<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn is_the_same(now: &Metadata, seen: &Metadata) -> bool {
    now.is_file() && (now.dev(), now.ino()) == (seen.dev(), seen.ino())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn p9_links_pipes_and_floods_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("plain"), "hello").unwrap();
        symlink(outside.path().join("secret"), at("link")).unwrap();
        symlink(outside.path(), at("folder")).unwrap();
        assert!(
            std::process::Command::new("mkfifo")
                .arg(at("pipe"))
                .status()
                .unwrap()
                .success()
        );

        let folder = PlainFolder::new(dir.path()).unwrap();
        assert_eq!(folder.read("plain", 5).unwrap().unwrap(), b"hello");
        assert!(matches!(
            folder.read("plain", 4),
            Err(PlainError::TooLarge { .. })
        ));
        assert!(folder.read("absent", 5).unwrap().is_none());
        assert!(folder.read("plain/below", 5).unwrap().is_none());
        for refused in ["link", "folder/secret", "pipe"] {
            assert!(
                matches!(folder.read(refused, 100), Err(PlainError::NotPlain(_))),
                "{refused}"
            );
        }
    }
}
