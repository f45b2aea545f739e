//! Hold on to a process: a pidfd, which always means the same process, whatever becomes of
//! its number.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::{Interest, unix::AsyncFd};

use crate::{
    identity::{raw_pid, vanished},
    procfs::Stat,
};

/// A process that is watched for its exit.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) pid: u32,
    start_time: u64,
    fd: AsyncFd<OwnedFd>,
}

/// A pidfd of the process that has this number now.
pub(crate) fn open_pidfd(pid: u32) -> io::Result<OwnedFd> {
    let raw = raw_pid(pid).ok_or_else(|| io::Error::from(rustix::io::Errno::SRCH))?;
    Ok(pidfd_open(raw, PidfdFlags::NONBLOCK)?)
}

impl Held {
    /// Takes hold of the process that was seen as `seen`; `None` when it is gone, or in another
    /// group by now.
    ///
    /// The number is read once before (`seen`) and once after the pidfd was opened. Both show
    /// the same start, so the same process had the number in between, and the pidfd means it.
    pub(crate) fn open(seen: &Stat) -> io::Result<Option<Self>> {
        match open_pidfd(seen.pid) {
            Ok(fd) => {
                let held = Self::new(seen, fd)?;
                let still = held.stat()?.is_some_and(|now| now.group == seen.group);
                Ok(still.then_some(held))
            }
            Err(error) if vanished(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Watches a process through a pidfd that is known to mean it.
    #[expect(
        deprecated,
        reason = "its successor is unsafe for types that may close or swap their descriptor while it is \
                  registered; an OwnedFd does neither"
    )]
    pub(crate) fn new(seen: &Stat, fd: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            pid: seen.pid,
            start_time: seen.start_time,
            fd: AsyncFd::with_interest(fd, Interest::READABLE)?,
        })
    }

    /// Waits until the process has exited. Whether somebody has reaped it does not matter.
    pub(crate) async fn exited(&self) -> io::Result<()> {
        self.fd.readable().await.map(|_| ())
    }

    /// The process as it is now; `None` when it has exited.
    pub(crate) fn stat(&self) -> io::Result<Option<Stat>> {
        match Stat::read(self.pid) {
            Ok(stat) => Ok((stat.start_time == self.start_time && !stat.has_exited()).then_some(stat)),
            Err(error) if vanished(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Signals this process and no other. One that has exited is no error.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(self.fd.get_ref().as_fd(), signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
