//! Which places can be read when some are hidden.
//!
//! Landlock knows only what is allowed, and what is allowed for a directory holds for all beneath
//! it. So a directory on the way to a hidden place is not allowed itself; everything in it is,
//! entry by entry, except the way and the hidden place.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{CWD, Dir, FileType, Mode, OFlags, ResolveFlags, openat, openat2},
    io::Errno,
};

use super::SandboxError;

/// Entries of one directory that are allowed one by one. Each costs a few microseconds at every
/// start, and kernel memory as long as the process lives.
const IN_DIRECTORY: usize = 8_192;
/// The same, of all directories together.
const IN_TOTAL: usize = 16_384;

/// Where devices are. A disk can be read past all rules about its files.
const DEVICES: &str = "/dev";

/// Only names a place: nothing can be read or written through it. A link is named itself, not
/// what it leads to: allowing that because of a link beside the way would show what is hidden.
const NAME_ONLY: OFlags = OFlags::PATH.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);
const LISTING: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);

/// What is allowed at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    /// Reading it, and all beneath it.
    All,
    /// Listing it, and all beneath it.
    Names,
}

/// Everything but what is hidden.
pub(super) struct Readable {
    hidden: BTreeSet<PathBuf>,
}

/// Receives each place that is allowed.
pub(super) type Visitor<'a> = dyn FnMut(Allowed, OwnedFd) -> Result<(), SandboxError> + 'a;

impl Readable {
    /// Everything but `hide` and the devices.
    ///
    /// # Errors
    /// When a path is not absolute, or lies beneath what is writable: there everything is allowed.
    pub(super) fn new(hide: &[PathBuf], write: &[PathBuf]) -> Result<Self, SandboxError> {
        let mut hidden = hide
            .iter()
            .map(|path| real(path))
            .collect::<Result<BTreeSet<_>, _>>()?;
        hidden.insert(PathBuf::from(DEVICES));
        for path in &hidden {
            // Nobody asked to hide the other devices; they may lie in a place that is writable.
            if path == Path::new(DEVICES) {
                continue;
            }
            if let Some(place) = write
                .iter()
                .find(|place| path != *place && path.starts_with(place))
            {
                return Err(SandboxError::Contradiction {
                    hidden: path.clone(),
                    writable: place.clone(),
                });
            }
        }
        Ok(Self { hidden })
    }

    /// Visits what is allowed of the whole file system, and of `also` although it is hidden.
    pub(super) fn visit(&self, also: &[PathBuf], visitor: &mut Visitor<'_>) -> Result<(), SandboxError> {
        let mut ways = Vec::new();
        let root = Path::new("/");
        if !self.hidden.contains(root) {
            self.sort(root.to_owned(), named(root)?, &mut ways, visitor)?;
        }
        for path in also {
            if let Some(place) = named_if_there(path)? {
                self.sort(path.clone(), place, &mut ways, visitor)?;
            }
        }
        let mut left = IN_TOTAL;
        // Only directories on the way to a hidden place are ever listed, and none of them twice
        // for the same root: the list is as long as the hidden paths are deep.
        while let Some(way) = ways.pop() {
            self.beside(&way, &mut left, &mut ways, visitor)?;
        }
        Ok(())
    }

    /// Allows a place, or notes it as one that leads to something hidden.
    fn sort(
        &self,
        path: PathBuf,
        place: OwnedFd,
        ways: &mut Vec<PathBuf>,
        visitor: &mut Visitor<'_>,
    ) -> Result<(), SandboxError> {
        if self.next_on_way(&path).is_empty() {
            return visitor(Allowed::All, place);
        }
        ways.push(path);
        visitor(Allowed::Names, place)
    }

    /// Goes through a directory that leads to something hidden.
    fn beside(
        &self,
        way: &Path,
        left: &mut usize,
        ways: &mut Vec<PathBuf>,
        visitor: &mut Visitor<'_>,
    ) -> Result<(), SandboxError> {
        let next = self.next_on_way(way);
        let Some(directory) = directory(way)? else {
            return Ok(());
        };
        let names = match entries(way, &directory)? {
            Some(names) => names,
            // It may be passed and not listed, so all that is known to be in it is the way itself.
            None => next.iter().cloned().collect(),
        };
        *left = left
            .checked_sub(names.len())
            .ok_or_else(|| crowded(way, IN_TOTAL))?;
        for name in names {
            let path = way.join(&name);
            if self.hidden.contains(&path) {
                continue;
            }
            let Some(place) = entry(way, &directory, &name)? else {
                continue;
            };
            if next.contains(&name) {
                self.sort(path, place, ways, visitor)?;
            } else {
                visitor(Allowed::All, place)?;
            }
        }
        Ok(())
    }

    /// Names in a directory beneath which something is hidden, or that are hidden.
    fn next_on_way(&self, directory: &Path) -> BTreeSet<OsString> {
        self.hidden
            .iter()
            .filter_map(|hidden| hidden.strip_prefix(directory).ok()?.iter().next())
            .map(OsStr::to_owned)
            .collect()
    }
}

/// Opens a place that the sandbox names.
pub(super) fn named(path: &Path) -> Result<OwnedFd, SandboxError> {
    named_if_there(path)?.ok_or_else(|| wrong(path, "there is no such file or directory"))
}

/// Opens a place that the sandbox names, without following any link; `None` when it is not there.
pub(super) fn named_if_there(path: &Path) -> Result<Option<OwnedFd>, SandboxError> {
    plain(path)?;
    // Asked not to follow the last part, the kernel would open the link itself instead of refusing.
    let flags = NAME_ONLY.difference(OFlags::NOFOLLOW);
    match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        Ok(place) => Ok(Some(place)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(Errno::LOOP) => Err(wrong(path, "it leads over a symbolic link; name the real place")),
        Err(error) => Err(wrong(path, error)),
    }
}

/// Where a path to be hidden really is. As much of it as is there has its links resolved.
fn real(path: &Path) -> Result<PathBuf, SandboxError> {
    plain(path)?;
    let there = path
        .ancestors()
        .find_map(|prefix| Some((prefix, prefix.canonicalize().ok()?)));
    let (prefix, real) = there.ok_or_else(|| wrong(path, "not even its root can be found"))?;
    let rest = path.strip_prefix(prefix).map_err(|error| wrong(path, error))?;
    // Joining an empty rest would add a slash, harmless to compare but not to read.
    Ok(if rest.as_os_str().is_empty() {
        real
    } else {
        real.join(rest)
    })
}

fn plain(path: &Path) -> Result<(), SandboxError> {
    if !path.is_absolute() {
        return Err(wrong(path, "the path is not absolute"));
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(wrong(path, "the path contains `..`"));
    }
    Ok(())
}

/// A directory on the way, opened to be looked through; `None` when it is gone, or no directory.
fn directory(way: &Path) -> Result<Option<OwnedFd>, SandboxError> {
    let open = |flags| openat2(CWD, way, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS);
    let opened = match open(LISTING) {
        // It may still be passed.
        Err(Errno::ACCESS) => open(LISTING | OFlags::PATH),
        opened => opened,
    };
    match opened {
        Ok(directory) => Ok(Some(directory)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => Ok(None),
        Err(error) => Err(wrong(way, error)),
    }
}

/// What is in a directory; `None` when it cannot be listed.
fn entries(way: &Path, directory: &OwnedFd) -> Result<Option<Vec<OsString>>, SandboxError> {
    let listing = match Dir::read_from(directory) {
        Ok(listing) => listing,
        Err(Errno::ACCESS | Errno::BADF) => return Ok(None),
        Err(error) => return Err(wrong(way, error)),
    };
    let mut names = Vec::new();
    for entry in listing {
        let entry = entry.map_err(|error| wrong(way, error))?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        // Following a link needs no right; where it leads has, or has not, one of its own.
        if name == "." || name == ".." || entry.file_type() == FileType::Symlink {
            continue;
        }
        if names.len() == IN_DIRECTORY {
            return Err(crowded(way, IN_DIRECTORY));
        }
        names.push(name.to_owned());
    }
    Ok(Some(names))
}

/// One entry; `None` when it is gone or cannot be reached.
fn entry(way: &Path, directory: &OwnedFd, name: &OsStr) -> Result<Option<OwnedFd>, SandboxError> {
    match openat(directory, name, NAME_ONLY, Mode::empty()) {
        Ok(place) => Ok(Some(place)),
        Err(Errno::NOENT | Errno::ACCESS | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(wrong(&way.join(name), error)),
    }
}

fn crowded(way: &Path, limit: usize) -> SandboxError {
    SandboxError::Crowded {
        path: way.to_owned(),
        limit,
    }
}

fn wrong(path: &Path, why: impl ToString) -> SandboxError {
    SandboxError::Place {
        path: path.to_owned(),
        why: why.to_string(),
    }
}
