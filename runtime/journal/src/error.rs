//! What can go wrong, and the stable code of each.
//!
//! One rule tells the kinds apart: a *refusal* is about the request and leaves the journal as
//! it was; a [`StoreError`] is about the file, the disk or another process.

use std::path::{Path, PathBuf};

use rusqlite::{ErrorCode, ffi};
use worknode_core::error::{Code, Error, IllegalTransition, MAY_BE_DONE};

/// The file, the disk or another process is in the way. Nothing acknowledged is lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The file contradicts itself, or cannot be understood.
    #[error("the journal is damaged: {detail}")]
    Corrupt {
        /// What was seen.
        detail: String,
    },
    /// There is no room to write. The journal goes on by itself when there is.
    #[error("the journal cannot be written, the disk is full: {detail}")]
    DiskFull {
        /// What the system said.
        detail: String,
    },
    /// Another process holds the database longer than can be waited for.
    #[error("the journal is in use by another process: {detail}")]
    Held {
        /// What was seen.
        detail: String,
    },
    /// It could not be read or written for another reason.
    #[error("the journal cannot be used: {detail}")]
    Failed {
        /// What the system said.
        detail: String,
    },
}

impl StoreError {
    pub(crate) fn corrupt(detail: impl Into<String>) -> Self {
        Self::Corrupt {
            detail: detail.into(),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        let detail = error.to_string();
        let E::SqliteFailure(failure, _) = &error else {
            return match error {
                // A column holds what this build never writes.
                E::FromSqlConversionFailure(..)
                | E::InvalidColumnType(..)
                | E::IntegralValueOutOfRange(..) => Self::Corrupt { detail },
                _ => Self::Failed { detail },
            };
        };
        match (failure.code, failure.extended_code) {
            (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => Self::Corrupt { detail },
            // Without room, SQLite fails in growing any of its three files.
            (ErrorCode::DiskFull, _)
            | (_, ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE | ffi::SQLITE_IOERR_FSYNC) => {
                Self::DiskFull { detail }
            }
            (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Self::Held { detail },
            _ => Self::Failed { detail },
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::Corrupt { .. } => Self::new(Code::CorruptJournal, message).hint(AFTER_DAMAGE),
            StoreError::DiskFull { .. } => {
                Self::new(Code::DiskFull, message).hint("make room; the journal then goes on by itself")
            }
            StoreError::Held { .. } => {
                Self::new(Code::Held, message).hint("close the other program and try again")
            }
            StoreError::Failed { .. } => {
                Self::new(Code::Failed, message).hint("`worknode doctor` looks at the directory and the disk")
            }
        }
    }
}

const AFTER_DAMAGE: &str = "keep a copy of the journal and its `-wal` file, then put back the last good copy; \
     `worknode audit verify` says which event is the first bad one";

/// The journal could not be opened. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There is no journal to read.
    #[error("there is no journal at `{}`", .path.display())]
    NotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The path leads to something that is not a file.
    #[error("`{}` is not a file, so it cannot be a journal", .path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// A good database of some other program.
    #[error("`{}` belongs to another program", .path.display())]
    NotAJournal {
        /// The path.
        path: PathBuf,
    },
    /// Written by a build that is newer than this one.
    #[error("`{}` has format {found}; this build knows formats up to {known}", .path.display())]
    Newer {
        /// The path.
        path: PathBuf,
        /// The format of the file.
        found: i64,
        /// The newest format of this build.
        known: i64,
    },
    /// Another journal handle, of this or another process, has it open for writing.
    #[error("the journal `{}` is already open in another process", .path.display())]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// Its last writer ended abruptly, and reading needs the repair that only a writer makes.
    #[error("the journal `{}` was not closed, and its index `-shm` is missing", .path.display())]
    NeedsWriter {
        /// The path.
        path: PathBuf,
    },
    /// The file or the disk is in the way.
    #[error("cannot open `{}`: {reason}", .path.display())]
    Store {
        /// The path.
        path: PathBuf,
        /// What is wrong.
        reason: StoreError,
    },
}

impl OpenError {
    pub(crate) fn store(path: &Path, reason: impl Into<StoreError>) -> Self {
        Self::Store {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    pub(crate) fn io(path: &Path, error: &std::io::Error) -> Self {
        let detail = error.to_string();
        let reason = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                StoreError::DiskFull { detail }
            }
            _ => StoreError::Failed { detail },
        };
        Self::store(path, reason)
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        let message = error.to_string();
        match error {
            OpenError::NotFound { .. } => Self::new(Code::NotFound, message),
            OpenError::NotAFile { .. } | OpenError::NotAJournal { .. } => {
                Self::new(Code::Usage, message).hint("name another path for the journal")
            }
            OpenError::Newer { .. } => Self::new(Code::Refused, message).hint("use a newer `worknode`"),
            OpenError::InUse { .. } => Self::new(Code::Held, message)
                .hint("one daemon works on a journal at a time: `worknode status`"),
            OpenError::NeedsWriter { .. } => {
                Self::new(Code::Refused, message).hint("start the daemon once: `worknode up`")
            }
            OpenError::Store { reason, .. } => Self {
                message,
                ..reason.into()
            },
        }
    }
}

/// The events were not appended: none of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// An event speaks of something that is not there.
    #[error("{what} does not exist")]
    NotFound {
        /// What.
        what: String,
    },
    /// An event would make or do something a second time.
    #[error("{what} already exists")]
    AlreadyExists {
        /// What.
        what: String,
    },
    /// An event does not fit the state of its Worknode or run.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// A bound would be passed.
    #[error("{what}: at most {limit}")]
    LimitReached {
        /// What would be too much.
        what: String,
        /// The bound.
        limit: usize,
    },
    /// No journal can hold this event.
    #[error("the event makes no sense: {why}")]
    Malformed {
        /// Why.
        why: String,
    },
    /// The queue before the writer stayed full. The events are not in it.
    #[error("the journal's queue is full")]
    Backpressure,
    /// The writer did not answer in time. Whether the events were appended is not known.
    #[error("the journal did not answer in time; the events may have been appended or not")]
    TimedOut,
    /// The journal was closed, or its writer failed.
    #[error("the journal is closed")]
    Closed,
    /// The file or the disk is in the way.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AppendError> for Error {
    fn from(error: AppendError) -> Self {
        let message = error.to_string();
        let (code, hint) = match error {
            AppendError::Illegal(illegal) => return illegal.into(),
            AppendError::Store(store) => return store.into(),
            AppendError::Backpressure => return Self::backpressure("the journal's queue"),
            AppendError::NotFound { .. } => (Code::NotFound, "`worknode tree` shows what there is"),
            AppendError::AlreadyExists { .. } => (Code::AlreadyExists, "give it another name"),
            AppendError::LimitReached { .. } => {
                (Code::LimitReached, "use less of it, or end what is done with")
            }
            AppendError::Malformed { .. } => return Self::new(Code::Usage, message),
            AppendError::TimedOut => (Code::TimedOut, MAY_BE_DONE),
            AppendError::Closed => (Code::Unreachable, "`worknode up -d` starts a daemon"),
        };
        Self::new(code, message).hint(hint)
    }
}

/// Something could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// All reading connections stayed in use.
    #[error("too many reads of the journal at once")]
    Backpressure,
    /// The journal was closed, or its writer failed, and there is nothing left to follow.
    #[error("the journal is closed")]
    Closed,
    /// The file or the disk is in the way.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Backpressure => Self::backpressure("the journal's set of readers"),
            ReadError::Closed => {
                Self::new(Code::Unreachable, "the journal is closed").hint("`worknode up -d` starts a daemon")
            }
            ReadError::Store(store) => store.into(),
        }
    }
}
