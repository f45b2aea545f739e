//! One path that differs between two trees.

/// How a path differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It was not there before.
    Added,
    /// Its content differs.
    Modified,
    /// It is gone.
    Deleted,
    /// It is another sort of thing: a symlink where a file was.
    TypeChanged,
    /// Only its permissions differ.
    ModeChanged,
}

/// One path that differs. A rename is told as a deletion and an addition, because each half
/// needs a permission of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The path relative to the repository, with `/` between its parts. Lossy when it is not
    /// UTF-8.
    pub path: String,
    /// Whether `path` is the whole truth: false when the real path is not UTF-8.
    pub utf8: bool,
    /// How it differs.
    pub kind: ChangeKind,
    /// Git's mode before; 0 when it was not there.
    pub old_mode: u32,
    /// Git's mode now; 0 when it is gone.
    pub new_mode: u32,
}

/// Git's mode of a symbolic link.
pub const SYMLINK: u32 = 0o120_000;
/// Git's mode of a submodule.
pub const SUBMODULE: u32 = 0o160_000;

impl Change {
    /// Is it a symlink, before or after?
    #[must_use]
    pub const fn is_symlink(&self) -> bool {
        self.old_mode == SYMLINK || self.new_mode == SYMLINK
    }

    /// Is it a submodule, before or after?
    #[must_use]
    pub const fn is_submodule(&self) -> bool {
        self.old_mode == SUBMODULE || self.new_mode == SUBMODULE
    }
}
