//! One daemon per store: the kernel holds the lock, so a daemon that died leaves none behind.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    path::Path,
};

use worknode_core::error::{Code, Error};

/// The hold on a store. Dropping it lets go.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock at `path`, and writes who has it.
    ///
    /// # Errors
    /// `held` when another daemon has it, with that daemon's process.
    pub fn take(path: &Path) -> Result<Self, Error> {
        let cannot = |error: std::io::Error| {
            Error::new(
                Code::Failed,
                format!("cannot use the lock file `{}`: {error}", path.display()),
            )
        };
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(&mut file)),
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        file.set_len(0).map_err(cannot)?;
        file.rewind().map_err(cannot)?;
        write!(file, "{}", std::process::id()).map_err(cannot)?;
        Ok(Self { file })
    }

    /// The process that holds the lock at `path`; `None` when nobody does.
    #[must_use]
    pub fn holder(path: &Path) -> Option<String> {
        let mut file = File::open(path).ok()?;
        match file.try_lock() {
            Ok(()) => None,
            Err(_) => Some(read_pid(&mut file)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Who opens it next should not read of a daemon that is gone. The lock itself ends with
        // the file.
        let _ = self.file.set_len(0);
    }
}

fn held(file: &mut File) -> Error {
    let pid = read_pid(file);
    Error::new(
        Code::Held,
        format!("a daemon is already in charge of this directory (process {pid})"),
    )
    .hint("`worknode status` asks it, `worknode down` stops it")
}

fn read_pid(file: &mut File) -> String {
    let mut pid = String::new();
    match file.take(20).read_to_string(&mut pid) {
        Ok(n) if n > 0 => pid.trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p6_one_holder_at_a_time_and_a_stale_file_is_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("worknode.lock");
        std::fs::write(&path, "4242").unwrap();
        assert_eq!(Lock::holder(&path), None);
        let lock = Lock::take(&path).unwrap();
        let refused = Lock::take(&path).unwrap_err();
        assert_eq!(refused.code, Code::Held);
        assert!(
            refused.message.contains(&std::process::id().to_string()),
            "{refused}"
        );
        drop(lock);
        Lock::take(&path).unwrap();
    }
}
