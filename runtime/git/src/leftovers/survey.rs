//! What is in a workspace, and what of it is handed to git to be read.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::Path,
};

use super::{LeftOut, Omitted, compare::place};
use crate::{
    changes::Change,
    error::GitError,
    path::{RepoPath, nul_separated},
};

/// What a file costs beyond its contents: the lines above it in a patch.
pub(super) const HEADING: u64 = 1024;

const SUBMODULE: &str = "160000";

/// One entry of the commit's tree.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tracked {
    mode: String,
    object: String,
    /// None for a commit of another repository.
    pub(super) size: Option<u64>,
    pub(super) path: Vec<u8>,
}

impl Tracked {
    /// As `git update-index --index-info -z` reads it.
    pub(super) fn entry(&self) -> Vec<u8> {
        let mut entry = format!("{} {} 0\t", self.mode, self.object).into_bytes();
        entry.extend_from_slice(&self.path);
        entry.push(0);
        entry
    }
}

/// Reads what `git ls-tree -r -l -z` lists.
pub(super) fn tracked(bytes: &[u8]) -> Result<Vec<Tracked>, GitError> {
    nul_separated(bytes).map(read).collect()
}

/// Reads `100644 blob OBJECT    SIZE\tPATH`.
fn read(line: &[u8]) -> Result<Tracked, GitError> {
    let strange = || GitError::Unexpected {
        what: "ls-tree".to_owned(),
        why: format!("the line {:?}", String::from_utf8_lossy(line)),
    };
    let tab = line.iter().position(|byte| *byte == b'\t').ok_or_else(strange)?;
    let (facts, path) = line.split_at(tab);
    let facts = std::str::from_utf8(facts).map_err(|_| strange())?;
    let parts: Vec<_> = facts.split_ascii_whitespace().collect();
    let &[mode, _, object, size] = parts.as_slice() else {
        return Err(strange());
    };
    Ok(Tracked {
        mode: mode.to_owned(),
        object: object.to_owned(),
        size: size.parse().ok(),
        path: path.get(1..).unwrap_or_default().to_vec(),
    })
}

/// What is handed to git, and what is not.
pub(super) struct Survey {
    /// Tracked files that are there.
    known: Vec<Vec<u8>>,
    /// New files.
    new: Vec<Vec<u8>>,
    /// Entries of the commit that are not looked at, as they were.
    pub(super) as_was: Vec<u8>,
    pub(super) left_out: LeftOut,
}

impl Survey {
    /// Looks at every file by its name only. `present` are those that git has found.
    pub(super) fn of(
        clone: &Path,
        tracked: &[Tracked],
        present: &[Vec<u8>],
        left_out: LeftOut,
        limit: u64,
    ) -> Self {
        let mut survey = Self {
            known: Vec::new(),
            new: Vec::new(),
            as_was: Vec::new(),
            left_out,
        };
        let mut look = Look {
            clone,
            folders: HashMap::new(),
            left: limit,
        };
        for entry in tracked {
            survey.known(&mut look, entry);
        }
        let names: HashSet<_> = tracked.iter().map(|entry| entry.path.as_slice()).collect();
        let others: HashSet<_> = tracked
            .iter()
            .filter(|entry| entry.mode == SUBMODULE)
            .map(|entry| entry.path.as_slice())
            .collect();
        for path in present {
            if path.ends_with(b"/") || is_below(path, &others) {
                survey
                    .left_out
                    .add(RepoPath::new(path.as_slice()), Omitted::Repository);
            } else if !names.contains(path.as_slice()) {
                survey.unknown(&mut look, path);
            }
        }
        survey
    }

    fn known(&mut self, look: &mut Look<'_>, entry: &Tracked) {
        if entry.mode == SUBMODULE {
            // Another repository's business. It stands as it was.
            return self.as_was.extend(entry.entry());
        }
        // Line ends or an encoding may make a file twice as large as its object.
        let free = entry.size.unwrap_or(0).saturating_mul(2).saturating_add(HEADING);
        match look.at(&entry.path) {
            Found::Nothing => {}
            Found::Link => self.known.push(entry.path.clone()),
            Found::File(size) if size <= free || look.charge(size) => self.known.push(entry.path.clone()),
            Found::File(_) => self.leave(entry, Omitted::TooLarge),
            Found::Unreadable => self.leave(entry, Omitted::Unreadable),
        }
    }

    fn leave(&mut self, entry: &Tracked, why: Omitted) {
        self.as_was.extend(entry.entry());
        self.left_out.add(RepoPath::new(entry.path.as_slice()), why);
    }

    fn unknown(&mut self, look: &mut Look<'_>, path: &[u8]) {
        let why = match look.at(path) {
            Found::Nothing => return,
            Found::Link if look.charge(0) => return self.new.push(path.to_vec()),
            Found::File(size) if look.charge(size) => return self.new.push(path.to_vec()),
            Found::Link | Found::File(_) => Omitted::TooLarge,
            Found::Unreadable => Omitted::Unreadable,
        };
        self.left_out.add(RepoPath::new(path), why);
    }

    /// What git is to read, as it expects the list.
    pub(super) fn list(&self) -> Vec<u8> {
        let mut list = Vec::new();
        for path in self.known.iter().chain(&self.new) {
            list.extend_from_slice(path);
            list.push(0);
        }
        list
    }

    /// Notes the new files that git did not take.
    pub(super) fn refused(&mut self, changes: &[Change]) {
        let taken: HashSet<_> = changes.iter().map(|change| change.path.as_bytes()).collect();
        for path in self.new.drain(..) {
            if !taken.contains(path.as_slice()) {
                self.left_out.add(RepoPath::new(path), Omitted::Refused);
            }
        }
    }
}

/// Whether a path is one of `roots`, or below one.
fn is_below(path: &[u8], roots: &HashSet<&[u8]>) -> bool {
    if roots.is_empty() {
        return false;
    }
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    let ends = ends.map(|(at, _)| at).chain([path.len()]);
    ends.filter_map(|at| path.get(..at))
        .any(|part| roots.contains(part))
}

enum Found {
    /// Nothing that git could keep.
    Nothing,
    File(u64),
    Link,
    Unreadable,
}

/// One look at a workspace.
struct Look<'a> {
    clone: &'a Path,
    /// The folders seen so far, and whether each is real.
    folders: HashMap<Vec<u8>, bool>,
    left: u64,
}

impl Look<'_> {
    /// Takes the room for a file; false when there is none.
    fn charge(&mut self, size: u64) -> bool {
        let left = self.left.checked_sub(size.saturating_add(HEADING));
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    fn at(&mut self, path: &[u8]) -> Found {
        let folder = path.iter().rposition(|byte| *byte == b'/');
        if let Some(folder) = folder.and_then(|end| path.get(..end))
            && !self.is_folder(folder)
        {
            return Found::Nothing;
        }
        let full = place(self.clone, path);
        let seen = match fs::symlink_metadata(&full) {
            Ok(seen) => seen,
            Err(why) if why.kind() == std::io::ErrorKind::PermissionDenied => return Found::Unreadable,
            Err(_) => return Found::Nothing,
        };
        if seen.is_symlink() {
            return Found::Link;
        }
        if seen.is_file() {
            of_file(&full, &seen)
        } else {
            Found::Nothing
        }
    }

    /// Whether every part of the path is a folder and none a link: what lies behind a link is not
    /// in the workspace.
    fn is_folder(&mut self, path: &[u8]) -> bool {
        if let Some(known) = self.folders.get(path) {
            return *known;
        }
        let above = path.iter().rposition(|byte| *byte == b'/');
        let above = above.and_then(|end| path.get(..end));
        let real = above.is_none_or(|above| self.is_folder(above))
            // One that cannot be looked at is there: the question for the file will tell.
            && fs::symlink_metadata(place(self.clone, path)).map_or_else(
                |why| why.kind() == std::io::ErrorKind::PermissionDenied,
                |seen| seen.is_dir(),
            );
        self.folders.insert(path.to_vec(), real);
        real
    }
}

/// With the read bits of all, no question is needed. It is a regular file, so this does not wait.
fn of_file(path: &Path, seen: &fs::Metadata) -> Found {
    if seen.mode() & 0o444 == 0o444 || File::open(path).is_ok() {
        Found::File(seen.len())
    } else {
        Found::Unreadable
    }
}
