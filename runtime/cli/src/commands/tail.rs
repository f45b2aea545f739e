//! A log that grows and is rotated while it is read.
//!
//! Its writer renames the file to end in `.1`, which replaces the one before, and begins a new one.
//! Here files are held open from the moment they are seen until all that is in them has been read:
//! what is renamed or replaced meanwhile is still read to its end. A file that is known to have a
//! successor is written no more, so that its end is the end.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs::File,
    io::{ErrorKind, Read, Result},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Bytes that are read at once.
const READ: usize = 64 * 1024;
/// How often both names are looked at again while the log is being rotated.
const TRIES: usize = 16;

/// One log, read from the oldest byte that is kept.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    /// The oldest first. The last may still grow; it stays open until its successor is.
    files: VecDeque<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    inode: u64,
}

impl Open {
    /// Nothing when there is no such file.
    fn at(path: &Path) -> Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let inode = file.metadata()?.ino();
        Ok(Some(Self { file, inode }))
    }

    /// Is it still what is found at this path?
    fn is_at(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|found| found.ino() == self.inode)
    }
}

impl Tail {
    pub(super) const fn of(path: PathBuf) -> Self {
        Self {
            path,
            files: VecDeque::new(),
        }
    }

    /// What comes next; nothing when there is nothing more yet.
    pub(super) fn read(&mut self) -> Result<Vec<u8>> {
        loop {
            let is_over = self.files.len() > 1;
            if let Some(open) = self.files.front_mut() {
                let mut bytes = vec![0; READ];
                let read = open.file.read(&mut bytes)?;
                if read > 0 {
                    bytes.truncate(read);
                    return Ok(bytes);
                }
            }
            if is_over {
                self.files.pop_front();
            } else if !self.look()? {
                return Ok(Vec::new());
            }
        }
    }

    /// Opens what has come since. Returns whether anything has.
    fn look(&mut self) -> Result<bool> {
        let mut older = OsString::from(&self.path);
        older.push(".1");
        let older = PathBuf::from(older);
        for _ in 0..TRIES {
            let before = Open::at(&older)?;
            let now = Open::at(&self.path)?;
            let still = before.as_ref().is_none_or(|open| open.is_at(&older))
                && now.as_ref().is_none_or(|open| open.is_at(&self.path));
            if still {
                return Ok(self.take(before, now));
            }
        }
        // It is rotated faster than it can be looked at; the next look comes soon.
        Ok(false)
    }

    fn take(&mut self, before: Option<Open>, now: Option<Open>) -> bool {
        let known = self.files.back().map(|open| open.inode);
        let is_known = |open: &Option<Open>| known.is_some() && open.as_ref().map(|open| open.inode) == known;
        let came = match (is_known(&now), is_known(&before)) {
            (true, _) => [None, None],
            (false, true) => [None, now],
            (false, false) => [before, now],
        };
        let count = self.files.len();
        self.files.extend(came.into_iter().flatten());
        self.files.len() > count
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use super::*;

    /// A log as its writer sees it.
    struct Log(PathBuf);

    impl Log {
        fn append(&self, text: &str) {
            let mut file = File::options().append(true).create(true).open(&self.0).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn rotate(&self) {
            fs::rename(&self.0, self.0.with_extension("log.1")).unwrap();
        }
    }

    fn all(tail: &mut Tail) -> String {
        let mut text = String::new();
        loop {
            let bytes = tail.read().unwrap();
            if bytes.is_empty() {
                return text;
            }
            text.push_str(&String::from_utf8(bytes).unwrap());
        }
    }

    fn log() -> (tempfile::TempDir, Log, Tail) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stdout.log");
        (dir, Log(path.clone()), Tail::of(path))
    }

    #[test]
    fn nothing_is_lost_when_the_log_is_rotated_between_two_looks() {
        let (_dir, log, mut tail) = log();
        assert_eq!(all(&mut tail), "");
        log.append("one ");
        assert_eq!(all(&mut tail), "one ");
        // Both written after the last look; the first of them is renamed by the next.
        log.append("two ");
        log.rotate();
        log.append("three ");
        assert_eq!(all(&mut tail), "two three ");
        // Renamed, and nothing new yet.
        log.append("four ");
        log.rotate();
        assert_eq!(all(&mut tail), "four ");
        log.append("five");
        assert_eq!(all(&mut tail), "five");
    }

    #[test]
    fn nothing_is_lost_when_it_is_rotated_twice() {
        let (_dir, log, mut tail) = log();
        log.append("a");
        assert_eq!(all(&mut tail), "a");
        log.append("b");
        log.rotate();
        log.append("c");
        log.rotate();
        log.append("d");
        assert_eq!(
            all(&mut tail),
            "bcd",
            "the first is gone from the directory, and still open"
        );
    }

    #[test]
    fn it_begins_with_the_oldest_that_is_kept() {
        let (_dir, log, mut tail) = log();
        log.append("older ");
        log.rotate();
        log.append("newer");
        assert_eq!(all(&mut tail), "older newer");
    }
}
