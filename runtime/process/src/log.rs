//! One output file with a bound.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::report::StreamReport;

/// A file that keeps the last part of what is written to it.
///
/// At half of the limit the file is renamed to end in `.1`, which replaces the one before. Both
/// together never hold more than the limit. A write that fails drops what it should have
/// written and nothing else: the next write tries again, since a disk that was full for a while
/// should not cost the end of a run, which tells most.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    older: PathBuf,
    /// `None` after a rotation that could not create the next file.
    file: Option<File>,
    /// Most bytes in one of the two files.
    half: u64,
    in_current: u64,
    in_older: u64,
    tally: StreamReport,
}

impl Log {
    /// An empty log at `path`. Replaces an earlier log, and nothing that is not one: a device
    /// or a link could otherwise be renamed or written through.
    pub(crate) fn create(path: &Path, limit: u64) -> io::Result<Self> {
        let older = older(path);
        for old in [path, older.as_path()] {
            remove_regular(old)?;
        }
        Ok(Self {
            file: Some(create(path)?),
            path: path.to_path_buf(),
            older,
            half: limit / 2,
            in_current: 0,
            in_older: 0,
            tally: StreamReport::default(),
        })
    }

    /// Keeps `bytes`, or counts what of them is not kept. Blocks on the disk.
    pub(crate) fn append(&mut self, mut bytes: &[u8]) {
        self.tally.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            match self.write_some(bytes) {
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) => {
                    self.tally.dropped += bytes.len() as u64;
                    let path = self.path.display();
                    let write_error = &mut self.tally.write_error;
                    write_error.get_or_insert_with(|| format!("`{path}`: {error}"));
                    return;
                }
            }
        }
    }

    /// What has come of the stream so far.
    pub(crate) const fn tally(&self) -> &StreamReport {
        &self.tally
    }

    /// Writes a beginning of `bytes`, at least one byte of it.
    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.half == 0 {
            self.tally.dropped += bytes.len() as u64;
            return Ok(bytes.len());
        }
        if self.in_current >= self.half {
            self.rotate()?;
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(create(&self.path)?),
        };
        let room = usize::try_from(self.half - self.in_current).unwrap_or(usize::MAX);
        let part = bytes.get(..room).unwrap_or(bytes);
        match file.write(part) {
            Ok(0) => Err(io::Error::from(io::ErrorKind::WriteZero)),
            Ok(written) => {
                self.in_current += written as u64;
                Ok(written)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        fs::rename(&self.path, &self.older)?;
        self.tally.dropped += self.in_older;
        self.in_older = self.in_current;
        self.in_current = 0;
        self.file = None;
        Ok(())
    }
}

/// Where the part before the current one is kept.
fn older(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".1");
    PathBuf::from(name)
}

/// Only the owner reads what an agent printed.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn remove_regular(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => fs::remove_file(path),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is something else than a regular file",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kept(path: &Path) -> Vec<u8> {
        let mut all = fs::read(older(path)).unwrap_or_default();
        all.extend(fs::read(path).unwrap());
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn p8_what_is_kept_is_the_end_and_within_the_limit(
            limit in 0u64..50,
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("log");
            let mut log = Log::create(&path, limit).unwrap();
            for part in &parts {
                log.append(part);
            }
            let (all, kept) = (parts.concat(), kept(&path));
            prop_assert!(kept.len() as u64 <= limit);
            prop_assert!(all.ends_with(&kept));
            prop_assert_eq!(log.tally().dropped + kept.len() as u64, all.len() as u64);
            // Never less than the last half, when there was as much.
            prop_assert!(kept.len() as u64 >= (limit / 2).min(all.len() as u64));
        }
    }

    #[test]
    fn a_full_disk_is_counted_and_named_and_does_not_end_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = Log::create(&path, 1000).unwrap();
        let working = log
            .file
            .replace(File::options().write(true).open("/dev/full").unwrap());
        log.append(b"lost");
        assert_eq!(log.tally().dropped, 4);
        assert!(
            log.tally()
                .write_error
                .as_ref()
                .unwrap()
                .contains("No space left")
        );
        log.file = working;
        log.append(b"kept");
        assert_eq!(kept(&path), b"kept");
    }

    #[test]
    fn a_vanished_directory_costs_output_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = Log::create(&path, 4).unwrap();
        dir.close().unwrap();
        log.append(b"0123456789");
        assert_eq!(log.tally().dropped, 8);
        assert!(log.tally().write_error.is_some());
    }

    #[test]
    fn links_and_devices_are_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        for path in [link.as_path(), Path::new("/dev/null"), dir.path()] {
            assert!(Log::create(path, 10).is_err(), "{}", path.display());
        }
        assert!(link.is_symlink());
    }

    #[test]
    fn an_earlier_log_is_replaced_with_its_older_part() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        Log::create(&path, 8).unwrap().append(b"01234567");
        Log::create(&path, 8).unwrap().append(b"new");
        assert_eq!(kept(&path), b"new");
    }
}
