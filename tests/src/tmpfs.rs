//! A small disk of one's own.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// A file system in memory, unmounted when it goes away.
#[derive(Debug)]
pub struct Tmpfs {
    dir: TempDir,
}

impl Tmpfs {
    /// Mounts one of `mebibytes`; `None`, with the reason printed, where that is not allowed.
    pub fn mount(mebibytes: u32) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={mebibytes}m");
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(dir.path())
            .output();
        match done {
            Ok(done) if done.status.success() => return Some(Self { dir }),
            Ok(done) => print!("skipped: {}", String::from_utf8_lossy(&done.stderr)),
            Err(error) => println!("skipped: mount: {error}"),
        }
        None
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Fills it to the last byte, and returns the file that does.
    pub fn fill(&self) -> PathBuf {
        let path = self.path().join("ballast");
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .unwrap();
        for size in [64 * 1024, 4096, 1] {
            let zeros = vec![0; size];
            while file.write_all(&zeros).is_ok() {}
        }
        path
    }

    /// Whether not a single block is left.
    pub fn is_full(&self) -> bool {
        let probe = self.path().join("probe");
        let full =
            fs::write(&probe, [0; 4096]).is_err_and(|error| error.kind() == io::ErrorKind::StorageFull);
        // Without room the file is there and empty.
        let _ = fs::remove_file(&probe);
        full
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: a test that failed may still have something open there.
        let _ = Command::new("umount").arg("-l").arg(self.dir.path()).status();
    }
}
