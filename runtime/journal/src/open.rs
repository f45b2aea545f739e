//! Opening the file: by the one writer, by readers beside it, and by a reader alone.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};
use worknode_core::time::Timestamp;

use crate::{
    error::{OpenError, StoreError},
    limits,
    schema::{self, Head, Identity},
};

/// A journal open for writing.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) conn: Connection,
    pub(crate) origin: u32,
    pub(crate) head: Head,
    /// Held while the writer lives; the kernel lets go of it when the process dies.
    pub(crate) lock: File,
}

/// Opens `path` for writing, and makes a journal of it when there is none.
///
/// Recovery is SQLite's: what its write-ahead log holds whole is there, what was cut is not.
/// The projections were written together with the events, so nothing is folded again.
pub(crate) fn writer(path: &Path, now: Timestamp) -> Result<Opened, OpenError> {
    refuse_non_file(path)?;
    let lock = lock(path)?;
    let failed = |error| OpenError::store(path, StoreError::from(error));
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags).map_err(failed)?;
    conn.busy_timeout(limits::LOCK_WAIT).map_err(failed)?;
    let identity = schema::identify(&conn, path)?;
    configure(&conn).map_err(|reason| OpenError::store(path, reason))?;
    let mut read = || {
        if identity == Identity::Fresh {
            schema::create(&mut conn, now)?;
        }
        let origin = schema::origin(&conn)?;
        if identity == Identity::Older {
            schema::upgrade(&mut conn, origin)?;
        }
        let head = schema::head(&conn, origin)?;
        Ok::<_, StoreError>((origin, head))
    };
    let (origin, head) = read().map_err(|reason| OpenError::store(path, reason))?;
    Ok(Opened {
        conn,
        origin,
        head,
        lock,
    })
}

fn configure(conn: &Connection) -> Result<(), StoreError> {
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Failed {
            detail: format!("this file system cannot hold a write-ahead log (mode {mode})"),
        });
    }
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "wal_autocheckpoint", limits::CHECKPOINT_PAGES)?;
    conn.pragma_update(None, "journal_size_limit", limits::WAL_BYTES)?;
    conn.pragma_update(None, "cache_size", -16_384)?;
    conn.set_prepared_statement_cache_capacity(64);
    steady(conn)
}

/// A statement is planned once. Otherwise SQLite plans one with a bound `LIMIT` anew whenever it is
/// bound, which takes longer than most of ours run.
fn steady(conn: &Connection) -> Result<(), StoreError> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// One writer per journal, also against another daemon. A file of its own, because closing any
/// descriptor of the database would drop the locks that SQLite holds on it.
fn lock(path: &Path) -> Result<File, OpenError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(beside(path, "-lock"))
        .map_err(|error| OpenError::io(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(OpenError::io(path, &error)),
    }
}

/// How the connections of a [`Reader`](crate::Reader) are made.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    /// Beside the writer of this process.
    Beside,
    /// Nobody writes and the write-ahead log is empty: the file is read as it lies.
    AsItLies,
    /// A writer lives in another process, or died without closing: its log is read, and its
    /// index only looked at.
    WithLog,
}

/// Finds out how `path` can be read without making or changing any file.
pub(crate) fn access(path: &Path) -> Result<Access, OpenError> {
    refuse_non_file(path)?;
    if !exists(path)? {
        return Err(OpenError::NotFound {
            path: path.to_owned(),
        });
    }
    let log = match std::fs::metadata(beside(path, "-wal")) {
        Ok(meta) => meta.len(),
        // Without a log there is no writer, whatever else lies there.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Access::AsItLies),
        Err(error) => return Err(OpenError::io(path, &error)),
    };
    match (log, exists(&beside(path, "-shm"))?) {
        (_, true) => Ok(Access::WithLog),
        (0, false) => Ok(Access::AsItLies),
        (_, false) => Err(OpenError::NeedsWriter {
            path: path.to_owned(),
        }),
    }
}

/// A connection that cannot write.
pub(crate) fn reader(path: &Path, access: &Access) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = match access {
        Access::Beside => Connection::open_with_flags(path, flags)?,
        Access::AsItLies => {
            Connection::open_with_flags(uri(path, "immutable=1"), flags | OpenFlags::SQLITE_OPEN_URI)?
        }
        Access::WithLog => {
            Connection::open_with_flags(uri(path, "readonly_shm=1"), flags | OpenFlags::SQLITE_OPEN_URI)?
        }
    };
    conn.busy_timeout(limits::LOCK_WAIT)?;
    steady(&conn)?;
    conn.set_prepared_statement_cache_capacity(32);
    Ok(conn)
}

/// `path` as SQLite's URI, every unusual byte escaped.
fn uri(path: &Path, query: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.') {
            text.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text + "?mode=ro&" + query
}

/// The file that SQLite, or we, keep beside the database.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn exists(path: &Path) -> Result<bool, OpenError> {
    path.try_exists().map_err(|error| OpenError::io(path, &error))
}

fn refuse_non_file(path: &Path) -> Result<(), OpenError> {
    match std::fs::metadata(path) {
        Ok(meta) if !meta.is_file() => Err(OpenError::NotAFile {
            path: path.to_owned(),
        }),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(OpenError::io(path, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p5_every_commit_is_synced() {
        let dir = tempfile::tempdir().unwrap();
        let opened = writer(&dir.path().join("journal.db"), Timestamp::default()).unwrap();
        let pragma = |name: &str| -> String {
            opened
                .conn
                .query_row(
                    &format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}"),
                    [],
                    |row| row.get(0),
                )
                .unwrap()
        };
        assert_eq!(pragma("synchronous"), "2", "FULL");
        assert_eq!(pragma("journal_mode"), "wal");
    }

    #[test]
    fn paths_with_marks_of_their_own_are_paths() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a?mode=rw#b%20 é.db");
        drop(writer(&path, Timestamp::default()).unwrap());
        let conn = reader(&path, &access(&path).unwrap()).unwrap();
        assert_eq!(schema::identify(&conn, &path).unwrap(), Identity::Journal);
    }
}
