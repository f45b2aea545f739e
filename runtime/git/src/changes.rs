//! What a candidate changes, file by file, in a form that rules can judge.

use worknode_core::git::{CommitId, TreeId};
use worknode_policies::change as judged;

use crate::{
    error::GitError,
    import::LISTING,
    path::{RepoPath, nul_separated},
    store::Store,
};

/// What kind of thing a path of a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileMode {
    /// An ordinary file.
    Regular,
    /// A file that may be run.
    Executable,
    /// A symbolic link. It may point anywhere.
    Symlink,
    /// A commit of another repository.
    Submodule,
}

impl FileMode {
    /// git's own number for it.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Regular => 0o100_644,
            Self::Executable => 0o100_755,
            Self::Symlink => 0o120_000,
            Self::Submodule => 0o160_000,
        }
    }

    /// From git's octal form; `None` stands for "there is nothing".
    fn parse(octal: &str) -> Result<Option<Self>, GitError> {
        match octal {
            "000000" => Ok(None),
            "100644" => Ok(Some(Self::Regular)),
            "100755" => Ok(Some(Self::Executable)),
            "120000" => Ok(Some(Self::Symlink)),
            "160000" => Ok(Some(Self::Submodule)),
            other => Err(unexpected(format!("file mode {other}"))),
        }
    }
}

/// What happened to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// Its contents changed (and perhaps whether it may be run).
    Modified,
    /// It is gone.
    Deleted,
    /// Only whether it may be run changed.
    ModeChanged,
    /// It became another kind of thing: a file became a link, say.
    TypeChanged,
}

/// One changed path. A renamed file is a deletion and an addition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub path: RepoPath,
    /// What.
    pub kind: ChangeKind,
    /// What was there before; `None` when nothing was.
    pub old_mode: Option<FileMode>,
    /// What is there after; `None` when nothing is.
    pub new_mode: Option<FileMode>,
}

/// As the rules of `policies` see it. A path that is not UTF-8 says so, and they refuse it.
impl From<Change> for judged::Change {
    fn from(change: Change) -> Self {
        Self {
            path: String::from_utf8_lossy(change.path.as_bytes()).into_owned(),
            utf8: change.path.as_str().is_some(),
            kind: match change.kind {
                ChangeKind::Added => judged::ChangeKind::Added,
                ChangeKind::Modified => judged::ChangeKind::Modified,
                ChangeKind::Deleted => judged::ChangeKind::Deleted,
                ChangeKind::ModeChanged => judged::ChangeKind::ModeChanged,
                ChangeKind::TypeChanged => judged::ChangeKind::TypeChanged,
            },
            old_mode: change.old_mode.map_or(0, FileMode::number),
            new_mode: change.new_mode.map_or(0, FileMode::number),
        }
    }
}

impl Store {
    /// Every path in which `tree` differs from the tree of `base`, ordered as git orders them.
    ///
    /// # Errors
    /// When one of the two is not in the store, or the list is longer than 64 MiB.
    pub async fn changes(&self, base: &CommitId, tree: &TreeId) -> Result<Vec<Change>, GitError> {
        let answer = self
            .ours()
            .sub("diff-tree")
            .args(["-r", "-z", "--raw", "--no-abbrev", "--no-renames"])
            .args(["--no-ext-diff", "--no-textconv", "--ignore-submodules=none"])
            .args([base.as_str(), tree.as_str()])
            .at_most(LISTING)
            .run()
            .await?;
        listed(&answer.stdout)
    }
}

/// Reads what `--raw -z` lists.
pub(crate) fn listed(bytes: &[u8]) -> Result<Vec<Change>, GitError> {
    let mut fields = nul_separated(bytes);
    let mut changes = Vec::new();
    while let Some(facts) = fields.next() {
        let path = fields
            .next()
            .ok_or_else(|| unexpected("a change without a path".to_owned()))?;
        changes.push(parse(facts, path)?);
    }
    Ok(changes)
}

/// Reads `:100644 100755 OLD NEW M`.
pub(crate) fn parse(facts: &[u8], path: &[u8]) -> Result<Change, GitError> {
    let strange = || unexpected(format!("the line {:?}", String::from_utf8_lossy(facts)));
    let text = std::str::from_utf8(facts).map_err(|_| strange())?;
    let parts: Vec<_> = text.strip_prefix(':').ok_or_else(strange)?.split(' ').collect();
    let &[old_mode, new_mode, old, new, letter] = parts.as_slice() else {
        return Err(strange());
    };
    let kind = match letter {
        "A" => ChangeKind::Added,
        "D" => ChangeKind::Deleted,
        "T" => ChangeKind::TypeChanged,
        "M" if old == new => ChangeKind::ModeChanged,
        "M" => ChangeKind::Modified,
        _ => return Err(strange()),
    };
    let (old_mode, new_mode) = (FileMode::parse(old_mode)?, FileMode::parse(new_mode)?);
    Ok(Change {
        path: RepoPath::new(path),
        kind,
        old_mode,
        new_mode,
    })
}

fn unexpected(why: String) -> GitError {
    GitError::Unexpected {
        what: "diff-tree".to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests;
