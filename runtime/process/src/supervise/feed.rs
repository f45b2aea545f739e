//! The agent's standard input, when the daemon speaks to it.
//!
//! A daemon that takes over from another repeats what it cannot know to have been said. So each
//! piece has a key, and a piece whose key was seen is not written again.

use std::{
    collections::{HashSet, VecDeque},
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    ops::ControlFlow,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// Bytes that wait for the agent to read them.
const WAITING: usize = 4 * 1024 * 1024;
/// Pieces in the life of a run. Forgetting old keys instead would write them twice.
const PIECES: usize = 65_536;

#[derive(Debug)]
pub(super) struct Feed {
    /// `None` when it is closed.
    pipe: Option<File>,
    waiting: VecDeque<u8>,
    keys: HashSet<u64>,
    /// Close when everything is written.
    closing: bool,
}

impl Feed {
    pub(super) fn new(pipe: Option<OwnedFd>) -> Self {
        if let Some(pipe) = &pipe
            && let Ok(flags) = fcntl_getfl(pipe)
        {
            let _ = fcntl_setfl(pipe, flags | OFlags::NONBLOCK);
        }
        Self {
            pipe: pipe.map(File::from),
            waiting: VecDeque::new(),
            keys: HashSet::new(),
            closing: false,
        }
    }

    /// The pipe, while something waits for it.
    pub(super) fn blocked(&self) -> Option<BorrowedFd<'_>> {
        self.pipe
            .as_ref()
            .filter(|_| !self.waiting.is_empty())
            .map(File::as_fd)
    }

    /// Takes a piece to be written; says why not.
    pub(super) fn take(&mut self, key: &str, bytes: &[u8]) -> Result<(), &'static str> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let key = hasher.finish();
        if self.keys.contains(&key) {
            return Ok(());
        }
        if self.pipe.is_none() || self.closing {
            return Err("its standard input is closed");
        }
        if self.keys.len() >= PIECES {
            return Err("it was given as many pieces of input as a run may get");
        }
        if self.waiting.len() + bytes.len() > WAITING {
            return Err("it does not read what it was given before; try again later");
        }
        self.keys.insert(key);
        self.waiting.extend(bytes);
        self.write();
        Ok(())
    }

    /// Closes the pipe after what waits.
    pub(super) fn close(&mut self) {
        self.closing = true;
        self.write();
    }

    /// Writes what the pipe takes.
    pub(super) fn write(&mut self) {
        if self.fill_pipe().is_break() {
            return;
        }
        self.waiting.shrink_to(READ_AHEAD);
        if self.closing {
            self.pipe = None;
        }
    }

    /// Breaks when there is no pipe, or it takes no more; goes on when nothing waits any more.
    fn fill_pipe(&mut self) -> ControlFlow<()> {
        let Some(pipe) = &mut self.pipe else {
            return ControlFlow::Break(());
        };
        while !self.waiting.is_empty() {
            match pipe.write(self.waiting.as_slices().0) {
                Ok(written) => drop(self.waiting.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return ControlFlow::Break(()),
                // Nobody reads it any more.
                Err(_) => {
                    self.waiting.clear();
                    self.closing = true;
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// Memory kept for the next piece.
const READ_AHEAD: usize = 4096;

#[cfg(test)]
mod tests {
    use std::io::Read;

    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;

    #[test]
    fn p7_no_piece_is_written_twice_and_too_much_is_refused() {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let mut feed = Feed::new(Some(writer));
        feed.take("a", b"one ").unwrap();
        feed.take("b", b"two").unwrap();
        feed.take("a", b"one ").unwrap();
        assert!(feed.take("c", &vec![0; WAITING + 1]).is_err());
        feed.close();
        assert!(feed.take("d", b"late").is_err());
        assert!(feed.take("a", b"one ").is_ok(), "it was written");
        let mut read = String::new();
        File::from(reader).read_to_string(&mut read).unwrap();
        assert_eq!(read, "one two");
    }

    #[test]
    fn an_agent_that_closed_its_input_does_not_hold_anything_up() {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        drop(reader);
        let mut feed = Feed::new(Some(writer));
        feed.take("a", b"one").unwrap();
        assert!(feed.blocked().is_none());
        assert!(feed.take("b", b"two").is_err());
    }
}
