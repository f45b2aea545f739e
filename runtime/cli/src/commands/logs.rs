//! `worknode logs`: what an agent wrote.

use std::{
    io::{Seek, SeekFrom, Write},
    ops::ControlFlow,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use worknode_core::error::{Code, Error};
use worknode_daemon::{
    daemon::paths,
    view::{self, RunRef},
};

use super::ask_or_read;
use crate::{args::Logs, client::escaped, place::Place};

/// How often a file that grows is looked at.
const LOOK: Duration = Duration::from_millis(250);

pub(crate) async fn logs(place: &Place, args: &Logs) -> Result<(), Error> {
    let mut run = last_run(place, &args.of).await?;
    let name = if args.stderr { "stderr.log" } else { "stdout.log" };
    let mut tail = Tail::of(paths(&place.dir).run(run.id).join(name));
    if tail.copy_older()?.is_break() {
        return Ok(());
    }
    loop {
        // `worknode logs x | head`: the reader has what it wanted.
        let ControlFlow::Continue(moved) = tail.copy_new()? else {
            return Ok(());
        };
        if !args.follow || (run.over && !moved) {
            return Ok(());
        }
        if !moved {
            tokio::time::sleep(LOOK).await;
            run = last_run(place, &run.id.to_string()).await?;
        }
    }
}

async fn last_run(place: &Place, of: &str) -> Result<RunRef, Error> {
    let client = place.client()?;
    let path = format!("/runs/{}", escaped(of));
    ask_or_read(place, client.get(&path), |reader| view::last_run(reader, of)).await
}

/// A log file that may still grow, and may be rotated away.
struct Tail {
    path: PathBuf,
    /// Which file was read last, and how far.
    at: Option<(u64, u64)>,
}

impl Tail {
    const fn of(path: PathBuf) -> Self {
        Self { path, at: None }
    }

    /// What was rotated away and is still kept.
    fn copy_older(&self) -> Result<ControlFlow<()>, Error> {
        let mut older = self.path.clone().into_os_string();
        older.push(".1");
        Ok(copy(Path::new(&older), 0)?.map_continue(drop))
    }

    /// Copies what is new. Returns whether there was anything.
    fn copy_new(&mut self) -> Result<ControlFlow<(), bool>, Error> {
        let Ok(meta) = std::fs::metadata(&self.path) else {
            return Ok(ControlFlow::Continue(false));
        };
        let from = match self.at {
            Some((inode, read)) if inode == meta.ino() && read <= meta.len() => read,
            _ => 0,
        };
        let copied = copy(&self.path, from)?;
        Ok(copied.map_continue(|copied| {
            self.at = Some((meta.ino(), from + copied));
            copied > 0
        }))
    }
}

/// How many bytes were copied; breaks off when nobody reads any more.
fn copy(path: &Path, from: u64) -> Result<ControlFlow<(), u64>, Error> {
    let failed = |error: std::io::Error| {
        Error::new(Code::Failed, format!("cannot read `{}`: {error}", path.display()))
    };
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(ControlFlow::Continue(0)),
        Err(error) => return Err(failed(error)),
    };
    file.seek(SeekFrom::Start(from)).map_err(failed)?;
    let mut out = std::io::stdout().lock();
    let copied = match std::io::copy(&mut file, &mut out) {
        Ok(copied) => copied,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(ControlFlow::Break(())),
        Err(error) => return Err(failed(error)),
    };
    let _ = out.flush();
    Ok(ControlFlow::Continue(copied))
}
