//! What the kernel tells the shim: children that ended, and that it should end.

use std::{
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::{
    io::Errno,
    process::{WaitOptions, wait},
};
use signal_hook::{
    consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM},
    flag,
    low_level::pipe,
};

use crate::report::ExitStatus;

/// Makes a descriptor readable for every signal that matters here.
#[derive(Debug)]
pub(super) struct Signals {
    wake: UnixStream,
    end: Arc<AtomicBool>,
}

impl Signals {
    pub(super) fn register() -> io::Result<Self> {
        let (wake, write) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let end = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            flag::register(signal, Arc::clone(&end))?;
        }
        for signal in [SIGCHLD, SIGTERM, SIGINT] {
            pipe::register(signal, write.try_clone()?)?;
        }
        // Noted by nobody: a terminal that goes away is no reason to end.
        flag::register(SIGHUP, Arc::default())?;
        Ok(Self { wake, end })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    pub(super) fn clear(&self) {
        let mut buffer = [0; 256];
        while matches!((&self.wake).read(&mut buffer), Ok(read) if read > 0) {}
    }

    /// Whether somebody asked the shim to end since the last time.
    pub(super) fn asked_to_end(&self) -> bool {
        self.end.swap(false, Ordering::Relaxed)
    }
}

/// What a look at the ended children brought.
#[derive(Debug)]
pub(super) struct Reaped {
    /// How the leader ended, if it was among them.
    pub(super) leader: Option<ExitStatus>,
    /// No child is left, running or not: nothing descends from the shim any more.
    pub(super) childless: bool,
}

/// Waits for every child that has ended: the shim's own and those that came to it.
pub(super) fn reap(leader: u32) -> Reaped {
    let mut status = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, ended))) => {
                if pid.as_raw_nonzero().get().unsigned_abs() == leader {
                    status.get_or_insert(ExitStatus::from_wait(ended));
                }
            }
            Err(Errno::INTR) => {}
            other => {
                return Reaped {
                    leader: status,
                    childless: other.is_err(),
                };
            }
        }
    }
}
