//! Objects of an agent's clone, copied to where the agent cannot change them any more, before
//! git looks at them.
//!
//! Only files that are objects by name and place are taken, plain ones, up to a limit. The
//! clone's configuration, hooks, refs, grafts and its own list of borrowed folders stay outside,
//! so there is nothing in a quarantine that could make git do more than read objects.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use worknode_core::git::CommitId;

use crate::{
    error::GitError,
    import::ImportError,
    layout::{Head, Layout},
    plain::PlainFolder,
    refname::Branch,
};

/// Files that one clone may bring. Its own work is a few thousand at most; git packs more.
const FILES: usize = 200_000;

/// The branch under which the submitted commit stands in a quarantine.
pub(crate) const BRANCH: &str = "submitted";

const FOLDER: &str = "quarantine";

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A repository beside the store that lives for one question. Removed when dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    dir: PathBuf,
}

impl Scratch {
    /// Writes it, below the folder of the store.
    pub(crate) fn write(store: &Path, layout: &Layout) -> Result<Self, GitError> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = store
            .join(FOLDER)
            .join(format!("{}-{number}", std::process::id()));
        let scratch = Self { dir };
        layout.write(&scratch.dir)?;
        Ok(scratch)
    }

    /// Where it is.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is swept when the store is opened next.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A bare repository with the objects that are the agent's own.
#[derive(Debug)]
pub(crate) struct Quarantine {
    scratch: Scratch,
    layout: Layout,
}

impl Quarantine {
    /// Copies the clone's own objects, at most `limit` bytes. It borrows nothing yet.
    pub(crate) fn take(store: &Path, layout: Layout, clone: &Path, limit: u64) -> Result<Self, ImportError> {
        let empty = Layout {
            borrows: Vec::new(),
            ..layout.clone()
        };
        let scratch = Scratch::write(store, &empty)?;
        Copier {
            from: PlainFolder::new(clone)?,
            to: scratch.dir(),
            left: limit,
            limit,
            files: 0,
        }
        .all()?;
        Ok(Self { scratch, layout })
    }

    /// Where it is.
    pub(crate) fn dir(&self) -> &Path {
        self.scratch.dir()
    }

    /// Lets it borrow what the clone borrowed when it was made, and names the commit in it.
    pub(crate) fn name(&self, commit: &CommitId) -> Result<(), GitError> {
        self.layout.write_borrows(self.dir())?;
        let file = self.dir().join("refs/heads").join(BRANCH);
        fs::write(&file, format!("{commit}\n")).map_err(GitError::io("write", &file))
    }
}

/// What HEAD of a quarantine says: the branch that a fetch takes.
pub(crate) fn head() -> Result<Head, GitError> {
    Branch::new(BRANCH).map(Head::On)
}

/// Removes what a runtime that is no longer alive left behind.
pub(crate) fn sweep(store: &Path) {
    let Ok(entries) = fs::read_dir(store.join(FOLDER)) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.split_once('-'))
            .map(|(pid, _)| pid.to_owned());
        let alive = owner.is_some_and(|pid| {
            pid == std::process::id().to_string() || Path::new("/proc").join(pid).exists()
        });
        if !alive {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// One copying of a clone's objects.
struct Copier<'a> {
    from: PlainFolder,
    to: &'a Path,
    left: u64,
    limit: u64,
    files: usize,
}

impl Copier<'_> {
    fn all(mut self) -> Result<(), ImportError> {
        for folder in self.from.names(Path::new(".git/objects"))? {
            match folder.as_str() {
                "pack" => self.folder("pack", is_pack)?,
                fan if fan.len() == 2 && is_hex(fan) => self.folder(fan, is_loose)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn folder(&mut self, name: &str, wanted: fn(&str) -> bool) -> Result<(), ImportError> {
        let source = Path::new(".git/objects").join(name);
        let target = self.to.join("objects").join(name);
        fs::create_dir_all(&target).map_err(GitError::io("create", &target))?;
        for file in self.from.names(&source)? {
            if wanted(&file) {
                self.file(&source.join(&file), &target.join(&file))?;
            }
        }
        Ok(())
    }

    fn file(&mut self, source: &Path, target: &Path) -> Result<(), ImportError> {
        self.files += 1;
        if self.files > FILES {
            return Err(ImportError::TooManyFiles { limit: FILES });
        }
        // Gone since it was listed: git in the clone has just packed it. If it mattered, the
        // commit will be found incomplete.
        let Some(opened) = self.from.open(source)? else {
            return Ok(());
        };
        let mut copy = File::create(target).map_err(GitError::io("write", target))?;
        let copied = io::copy(&mut opened.take(self.left.saturating_add(1)), &mut copy)
            .map_err(GitError::io("copy", source))?;
        match self.left.checked_sub(copied) {
            Some(left) => self.left = left,
            None => return Err(ImportError::TooLarge { limit: self.limit }),
        }
        Ok(())
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_loose(name: &str) -> bool {
    matches!(name.len(), 38 | 62) && is_hex(name)
}

fn is_pack(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("pack-") else {
        return false;
    };
    let digits = rest.strip_suffix(".pack").or_else(|| rest.strip_suffix(".idx"));
    digits.is_some_and(|digits| matches!(digits.len(), 40 | 64) && is_hex(digits))
}
