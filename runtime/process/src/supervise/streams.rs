//! The agent's output: from its pipes into its files.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::{
    log::Log,
    report::{OutputReport, StreamReport},
};

/// Bytes read at once: what a pipe holds by default.
const READ: usize = 64 * 1024;

#[derive(Debug)]
struct Stream {
    /// `None` at its end.
    pipe: Option<File>,
    log: Log,
}

/// Standard output and standard error. A pipe is always read, whatever becomes of the bytes: an
/// agent must not hang on a full pipe because a disk is full.
#[derive(Debug)]
pub(super) struct Streams {
    streams: [Stream; 2],
    buffer: Vec<u8>,
}

impl Streams {
    pub(super) fn new(stdout: Log, stderr: Log) -> Self {
        Self {
            streams: [stdout, stderr].map(|log| Stream { pipe: None, log }),
            buffer: vec![0; READ],
        }
    }

    /// Gives the next stream its pipe: standard output comes first.
    pub(super) fn attach(mut self, pipe: OwnedFd) -> Self {
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.pipe.is_none()) {
            if let Ok(flags) = fcntl_getfl(&pipe) {
                let _ = fcntl_setfl(&pipe, flags | OFlags::NONBLOCK);
            }
            stream.pipe = Some(File::from(pipe));
        }
        self
    }

    /// The pipes that are open, by number.
    pub(super) fn open(&self) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        let streams = self.streams.iter().enumerate();
        streams.filter_map(|(index, stream)| Some((index, stream.pipe.as_ref()?.as_fd())))
    }

    pub(super) fn ended(&self) -> bool {
        self.open().next().is_none()
    }

    /// Takes what is there of this stream, one buffer at most. True when there was something.
    pub(super) fn pump(&mut self, index: usize) -> bool {
        let Some(stream) = self.streams.get_mut(index) else {
            return false;
        };
        let Some(pipe) = &mut stream.pipe else {
            return false;
        };
        match pipe.read(&mut self.buffer) {
            Ok(0) => stream.pipe = None,
            Ok(read) => {
                stream.log.append(self.buffer.get(..read).unwrap_or_default());
                return true;
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(_) => stream.pipe = None,
        }
        false
    }

    /// Bytes written to standard output and to standard error.
    pub(super) fn counts(&self) -> (u64, u64) {
        let [stdout, stderr] = &self.streams;
        (stdout.log.tally().bytes, stderr.log.tally().bytes)
    }

    pub(super) fn report(&self) -> OutputReport {
        let [stdout, stderr] = &self.streams;
        let report = |stream: &Stream| StreamReport {
            cut: stream.pipe.is_some(),
            ..stream.log.tally().clone()
        };
        OutputReport {
            stdout: report(stdout),
            stderr: report(stderr),
        }
    }
}
