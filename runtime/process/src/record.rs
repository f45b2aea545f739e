//! What a shim leaves in the directory of its run: who it is, and how the run ended.
//!
//! | file | written | says |
//! |---|---|---|
//! | `shim.json` | before the agent is started, and again when it has been | who to look for |
//! | `exit.json` | when nothing of the run is left | the end; nothing is written after it |
//! | `shim.sock` | while the shim lives | where it answers |

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::{FallocateFlags, fallocate};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use worknode_core::{ids::RunId, run::ProcessIdentity, time::Timestamp};

use crate::{report::Exit, text, wire::Limits};

/// The socket of the shim.
pub(crate) const SOCKET: &str = "shim.sock";
const SHIM: &str = "shim.json";
const EXIT: &str = "exit.json";
/// Where the end is prepared. It is given room on the disk before the run starts, so that a
/// disk that the run has filled can still take its end.
const EXIT_NEW: &str = "exit.json.new";
const SHIM_NEW: &str = "shim.json.new";
/// Room for the end.
const EXIT_ROOM: u64 = 16 * 1024;
/// Most that is read of a record.
const RECORD_MAX: u64 = 1024 * 1024;

/// Who supervises a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ShimRecord {
    pub(crate) run: RunId,
    pub(crate) shim: ProcessIdentity,
    /// The first process of the run, once there is one.
    pub(crate) leader: Option<ProcessIdentity>,
    pub(crate) cgroup: Option<CgroupPath>,
    pub(crate) started_at: Timestamp,
    pub(crate) limits: Limits,
}

/// A path that may be any bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CgroupPath(#[serde(with = "text")] pub(crate) PathBuf);

/// The end of a run as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct ExitRecord {
    run: RunId,
    #[serde(flatten)]
    exit: Exit,
}

/// Takes the directory for this run. Fails with `AlreadyExists` when a run was started in it
/// before: no run starts twice.
pub(crate) fn claim(dir: &Path, record: &ShimRecord) -> io::Result<()> {
    if dir.join(EXIT).exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let new = dir.join(SHIM_NEW);
    write(&new, record)?;
    // Unlike a rename, a link never replaces what is there.
    let linked = fs::hard_link(&new, dir.join(SHIM));
    fs::remove_file(&new)?;
    linked?;
    let room = create(&dir.join(EXIT_NEW))?;
    match fallocate(&room, FallocateFlags::empty(), 0, EXIT_ROOM) {
        // Not every file system can promise room.
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Replaces the record of [`claim`].
pub(crate) fn update(dir: &Path, record: &ShimRecord) -> io::Result<()> {
    write(&dir.join(SHIM_NEW), record)?;
    fs::rename(dir.join(SHIM_NEW), dir.join(SHIM))
}

/// Undoes [`claim`], for a run that did not start.
pub(crate) fn release(dir: &Path) {
    for name in [SHIM_NEW, EXIT_NEW, SOCKET, SHIM] {
        let _ = fs::remove_file(dir.join(name));
    }
}

/// Stores the end, so that it is there after a crash of the machine too.
pub(crate) fn write_exit(dir: &Path, run: RunId, exit: &Exit) -> io::Result<()> {
    let record = ExitRecord {
        run,
        exit: exit.clone(),
    };
    let bytes = serde_json::to_vec(&record)?;
    let new = dir.join(EXIT_NEW);
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(&bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()?;
    fs::rename(&new, dir.join(EXIT))?;
    File::open(dir)?.sync_all()
}

/// The end of the run, once there is one.
pub(crate) fn read_exit(dir: &Path, run: RunId) -> io::Result<Option<Exit>> {
    let record: Option<ExitRecord> = read(&dir.join(EXIT))?;
    match record {
        Some(record) if record.run != run => Err(another(record.run)),
        found => Ok(found.map(|record| record.exit)),
    }
}

/// Who supervises the run, or did.
pub(crate) fn read_shim(dir: &Path, run: RunId) -> io::Result<Option<ShimRecord>> {
    let record: Option<ShimRecord> = read(&dir.join(SHIM))?;
    match record {
        Some(record) if record.run != run => Err(another(record.run)),
        found => Ok(found),
    }
}

fn another(run: RunId) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("it is the directory of run {run}"),
    )
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
}

fn write(path: &Path, record: &impl Serialize) -> io::Result<()> {
    create(path)?.write_all(&serde_json::to_vec(record)?)
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = io::read_to_string(io::Read::take(file, RECORD_MAX))?;
    Ok(Some(serde_json::from_str(&bytes)?))
}
