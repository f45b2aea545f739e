//! What can go wrong when git, or a file beside it, is asked for something.

use std::{io, path::PathBuf, time::Duration};

/// A git command or a file operation did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no git program.
    #[error(
        "git could not be started as `{program}`: {source}; install git 2.38 or newer and put it on PATH"
    )]
    Missing {
        /// What was tried.
        program: String,
        /// Why it did not start.
        source: io::Error,
    },
    /// The git program is older than what is needed.
    #[error(
        "git {found} is too old: git 2.38 or newer is needed, the first that can merge without a work tree"
    )]
    TooOld {
        /// What `git version` said.
        found: String,
    },
    /// The program at this place does not speak like git.
    #[error("`{program}` does not answer like git: {answer}")]
    NotGit {
        /// What was started.
        program: String,
        /// What it said.
        answer: String,
    },
    /// git ended with an exit code that means failure, or by a signal.
    #[error("`git {what}` failed ({ending}): {stderr}")]
    Failed {
        /// The subcommand.
        what: String,
        /// Its exit code or signal, in words.
        ending: String,
        /// The first part of what it wrote to standard error.
        stderr: String,
    },
    /// git took longer than allowed and was killed with everything that it had started.
    #[error("`git {what}` was stopped: it took longer than {after:?}")]
    TimedOut {
        /// The subcommand.
        what: String,
        /// The bound.
        after: Duration,
    },
    /// git wrote more than allowed and was killed.
    #[error("`git {what}` was stopped: it wrote more than {limit} bytes")]
    TooMuchOutput {
        /// The subcommand.
        what: String,
        /// The bound.
        limit: usize,
    },
    /// git answered something that is not understood.
    #[error("`git {what}` answered something unexpected: {why}")]
    Unexpected {
        /// The subcommand.
        what: String,
        /// What was wrong with the answer.
        why: String,
    },
    /// A file or folder could not be used.
    #[error("could not {doing} `{}`: {source}", path.display())]
    Io {
        /// What was being done, as a verb.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it did not work.
        source: io::Error,
    },
    /// The text cannot be the name of a branch.
    #[error("`{0}` cannot be the name of a branch; see `git help check-ref-format`")]
    BadBranch(String),
    /// The text cannot be a name or an address in a commit.
    #[error(
        "`{0}` cannot be a name or an e-mail address in a commit (empty, or has `<`, `>` or control characters)"
    )]
    BadIdentity(String),
    /// A clone is wanted where there is something already.
    #[error("`{}` exists and is not an empty folder: a clone needs a place of its own", .0.display())]
    PlaceTaken(PathBuf),
    /// git cannot write this path into its list of borrowed object folders.
    #[error("`{}` contains a line break, so that git cannot borrow objects from it; move the repository", .0.display())]
    UnusablePath(PathBuf),
}

impl GitError {
    /// For `map_err` on file operations.
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }

    /// What git wrote to standard error, when that is why it failed.
    pub(crate) fn stderr(&self) -> Option<&str> {
        match self {
            Self::Failed { stderr, .. } => Some(stderr),
            _ => None,
        }
    }
}
