//! How a repository of our own looks on disk. It is written by hand: four small files, so that no
//! template, default branch or ref format of somebody's configuration has a say in it.

use std::{
    fmt::Write as _,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use worknode_core::git::CommitId;

use crate::{error::GitError, identity::Identity, refname::Branch, refs};

/// The list of the object folders that are borrowed from.
const BORROWS: &str = "objects/info/alternates";

/// The digest that names objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Sha1,
    Sha256,
}

impl Format {
    /// How many digits a name has.
    pub(crate) const fn digits(self) -> usize {
        match self {
            Self::Sha1 => 40,
            Self::Sha256 => 64,
        }
    }

    /// From what `git rev-parse --show-object-format` says.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "sha1" => Some(Self::Sha1),
            "sha256" => Some(Self::Sha256),
            _ => None,
        }
    }
}

/// What HEAD says.
#[derive(Clone, Debug)]
pub(crate) enum Head {
    /// Nothing yet; for repositories in which only the runtime's own refs count.
    Nowhere,
    On(Branch),
    Detached(CommitId),
}

/// A repository to be written.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) format: Format,
    pub(crate) head: Head,
    /// The commit that HEAD's branch begins at.
    pub(crate) at: Option<CommitId>,
    /// Whether it has a work tree.
    pub(crate) files: bool,
    /// Object folders that it reads but never writes.
    pub(crate) borrows: Vec<PathBuf>,
    /// Commits whose parents are not there, in a shallow repository.
    pub(crate) shallow: Option<Vec<u8>>,
    pub(crate) identity: Option<Identity>,
}

impl Layout {
    /// Writes the repository, or brings one that was written earlier up to date.
    pub(crate) fn write(&self, gitdir: &Path) -> Result<(), GitError> {
        // What nobody reads yet need not be exchanged.
        let put = if gitdir.join("HEAD").exists() {
            exchange
        } else {
            create
        };
        for folder in ["objects/info", "objects/pack", "refs/heads", "info"] {
            let folder = gitdir.join(folder);
            fs::create_dir_all(&folder).map_err(GitError::io("create", &folder))?;
        }
        put(&gitdir.join("config"), self.config().as_bytes())?;
        if let Some(points) = &self.shallow {
            put(&gitdir.join("shallow"), points)?;
        }
        put(&gitdir.join(BORROWS), &self.borrowed()?)?;
        if let (Head::On(branch), Some(commit)) = (&self.head, &self.at) {
            refs::write(gitdir, branch.full(), commit)?;
        }
        // HEAD comes last: with it, git takes the folder for a repository.
        put(&gitdir.join("HEAD"), self.head_line().as_bytes())
    }

    /// Writes from where objects are borrowed.
    pub(crate) fn write_borrows(&self, gitdir: &Path) -> Result<(), GitError> {
        exchange(&gitdir.join(BORROWS), &self.borrowed()?)
    }

    fn borrowed(&self) -> Result<Vec<u8>, GitError> {
        let mut list = Vec::new();
        for folder in &self.borrows {
            let bytes = folder.as_os_str().as_bytes();
            if bytes.contains(&b'\n') {
                return Err(GitError::UnusablePath(folder.clone()));
            }
            list.extend_from_slice(bytes);
            list.push(b'\n');
        }
        Ok(list)
    }

    fn head_line(&self) -> String {
        match &self.head {
            Head::Nowhere => "ref: refs/heads/nowhere\n".to_owned(),
            Head::On(branch) => format!("ref: {}\n", branch.full()),
            Head::Detached(commit) => format!("{commit}\n"),
        }
    }

    fn config(&self) -> String {
        let version = u8::from(self.format == Format::Sha256);
        let bare = !self.files;
        let mut text = format!(
            "[core]\n\trepositoryformatversion = {version}\n\tfilemode = true\n\tbare = {bare}\n\
             \tlogallrefupdates = {}\n\tfilesRefLockTimeout = 5000\n\talternateRefsPrefixes = refs/heads/\n\
             \tbigFileThreshold = 16m\n[gc]\n\tauto = 0\n",
            self.files
        );
        if self.format == Format::Sha256 {
            text.push_str("[extensions]\n\tobjectformat = sha256\n");
        }
        if let Some(who) = &self.identity {
            let (name, email) = (quoted(who.name()), quoted(who.email()));
            // Writing into a String cannot fail.
            let _ = writeln!(text, "[user]\n\tname = {name}\n\temail = {email}");
        }
        text
    }
}

/// A value as git's configuration files quote it. Line breaks cannot be in an [`Identity`].
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Writes a file that is not there yet.
fn create(file: &Path, bytes: &[u8]) -> Result<(), GitError> {
    fs::write(file, bytes).map_err(GitError::io("write", file))
}

/// Writes a file so that a reader sees the old one or the new one.
fn exchange(file: &Path, bytes: &[u8]) -> Result<(), GitError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let beside = file.with_extension(format!("{}-{number}.new", std::process::id()));
    fs::write(&beside, bytes).map_err(GitError::io("write", &beside))?;
    fs::rename(&beside, file).map_err(GitError::io("write", file))
}
