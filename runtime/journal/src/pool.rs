//! A few read connections, lent out one read at a time.

use std::{
    path::PathBuf,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use rusqlite::Connection;

use crate::{
    error::ReadError,
    limits,
    open::{self, Access},
};

/// Opens connections as they are needed, at most [`limits::READERS`], and keeps them.
#[derive(Debug)]
pub(crate) struct Pool {
    path: PathBuf,
    access: Access,
    lent: Mutex<Lent>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct Lent {
    idle: Vec<Connection>,
    out: usize,
}

impl Pool {
    pub(crate) fn new(path: PathBuf, access: Access) -> Self {
        Self {
            path,
            access,
            lent: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Lends a connection to `read`.
    pub(crate) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let idle = self.take()?;
        // From here on the place is given back whatever happens, a panic included.
        let mut loan = Loan {
            pool: self,
            conn: idle,
        };
        let conn = match loan.conn.take() {
            Some(conn) => conn,
            None => open::reader(&self.path, &self.access)?,
        };
        let result = read(&conn);
        loan.conn = Some(conn);
        result
    }

    /// Closes the connections that nobody uses.
    pub(crate) fn rest(&self) {
        self.lock().idle.clear();
    }

    /// A place among those that may read, with a connection if one is idle.
    fn take(&self) -> Result<Option<Connection>, ReadError> {
        let until = Instant::now() + limits::READ_WAIT;
        let mut lent = self.lock();
        loop {
            if lent.out < limits::READERS {
                lent.out += 1;
                return Ok(lent.idle.pop());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ReadError::Backpressure);
            }
            lent = self
                .returned
                .wait_timeout(lent, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lent> {
        // A list of connections cannot be left half changed.
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Loan<'pool> {
    pool: &'pool Pool,
    conn: Option<Connection>,
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let mut lent = self.pool.lock();
        lent.out = lent.out.saturating_sub(1);
        lent.idle.extend(self.conn.take());
        drop(lent);
        self.pool.returned.notify_one();
    }
}
