//! The loop: wait until something happens, and do what it asks for.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::Timespec,
};
use worknode_core::{run::ProcessIdentity, time::millis};

use super::{
    ending::{Ending, World},
    feed::Feed,
    limits::Watch,
    peers::{Peers, Token},
    signals::{Signals, reap},
    streams::Streams,
};
use crate::{
    fault,
    record::{self, SOCKET, ShimRecord},
    report::{Exit, ExitStatus, Reached},
    sandbox::Enforced,
    tree::Tree,
    wire::{Ask, Limits, Message, Notice, Reply, Request, Snapshot},
};

/// Between two notices of output.
const NOTICE: Duration = Duration::from_millis(100);
/// How often the end is tried to be stored, a second apart, when no daemon is there to hear it.
const RECORD_TRIES: u32 = 60;

/// What a start leaves in the hands of the loop.
pub(super) struct Parts {
    pub(super) record: ShimRecord,
    pub(super) leader: ProcessIdentity,
    pub(super) enforced: Option<Enforced>,
    pub(super) streams: Streams,
    pub(super) feed: Feed,
    pub(super) limits: Limits,
    pub(super) watch: Vec<PathBuf>,
    pub(super) begun: Instant,
    pub(super) signals: Signals,
    pub(super) peers: Peers,
}

/// A run and everything that keeps it.
pub(super) struct Life {
    record: ShimRecord,
    leader: ProcessIdentity,
    enforced: Option<Enforced>,
    tree: Tree,
    streams: Streams,
    feed: Feed,
    watch: Watch,
    signals: Signals,
    peers: Peers,
    ending: Ending,
    begun: Instant,
    status: Option<ExitStatus>,
    childless: bool,
    reached: Option<Reached>,
    /// Who waits for the end of a stop.
    waiting: Vec<(Token, u64)>,
    /// The counts that the daemon was told, and when it may be told again.
    told: (u64, u64),
    tell_at: Instant,
}

/// Something that can happen.
enum Source {
    Signals,
    Listener,
    Stream(usize),
    Feed,
    Peer(Token),
}

impl Life {
    pub(super) fn new(parts: Parts, tree: Tree) -> Self {
        Self {
            ending: Ending::new(parts.record.run.to_string()),
            record: parts.record,
            leader: parts.leader,
            enforced: parts.enforced,
            tree,
            streams: parts.streams,
            feed: parts.feed,
            watch: Watch::new(parts.limits, parts.watch, parts.begun),
            signals: parts.signals,
            peers: parts.peers,
            begun: parts.begun,
            status: None,
            childless: false,
            reached: None,
            waiting: Vec::new(),
            told: (0, 0),
            tell_at: parts.begun,
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let (stdout, stderr) = self.streams.counts();
        Snapshot {
            leader: self.leader.clone(),
            shim: self.record.shim.clone(),
            started_at: self.record.started_at,
            stdout,
            stderr,
            frozen: self.watch.is_frozen(),
            reached: self.reached,
            enforced: self.enforced.clone(),
        }
    }

    /// Keeps the run to its end, and leaves the record of it.
    pub(super) fn live(mut self) {
        // A child may have ended before anybody listened.
        self.reap(Instant::now());
        loop {
            self.timers(Instant::now());
            if self.ending.is_over() {
                return self.finish();
            }
            let (ready, writable) = self.wait();
            let now = Instant::now();
            for source in ready {
                self.happened(source, now);
            }
            for token in writable {
                self.peers.flush(token);
            }
            self.watch.set_daemon(self.peers.has_daemon(), now);
        }
    }

    /// Waits until something happens or is due.
    fn wait(&self) -> (Vec<Source>, Vec<Token>) {
        let mut sources = vec![Source::Signals, Source::Listener];
        let mut fds = vec![
            PollFd::from_borrowed_fd(self.signals.fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.peers.listener(), PollFlags::IN),
        ];
        for (index, fd) in self.streams.open() {
            sources.push(Source::Stream(index));
            fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
        }
        if let Some(fd) = self.feed.blocked() {
            sources.push(Source::Feed);
            fds.push(PollFd::from_borrowed_fd(fd, PollFlags::OUT));
        }
        for (token, fd, writing) in self.peers.open() {
            let also = if writing {
                PollFlags::OUT
            } else {
                PollFlags::empty()
            };
            sources.push(Source::Peer(token));
            fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN | also));
        }
        let timeout = self.next().map(|at| {
            let left = at.saturating_duration_since(Instant::now());
            Timespec::try_from(left).unwrap_or_default()
        });
        if poll(&mut fds, timeout.as_ref()).is_err() {
            // Interrupted by a signal; its byte is in the pipe.
            return (vec![Source::Signals], Vec::new());
        }
        let happened: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        sorted(sources.into_iter().zip(happened))
    }

    fn next(&self) -> Option<Instant> {
        let limit = self.watch.next().filter(|_| self.ending.is_alive());
        let tell = (self.peers.has_daemon() && self.streams.counts() != self.told).then_some(self.tell_at);
        [limit, tell, self.ending.next(), self.peers.patience()]
            .into_iter()
            .flatten()
            .min()
    }

    fn happened(&mut self, source: Source, now: Instant) {
        match source {
            Source::Signals => {
                self.signals.clear();
                if self.signals.asked_to_end() {
                    self.stop_for(Reached::Signalled, now);
                }
                self.reap(now);
            }
            Source::Listener => self.peers.accept(now),
            Source::Stream(index) => {
                if self.streams.pump(index) {
                    self.watch.touch(now);
                }
            }
            Source::Feed => self.feed.write(),
            Source::Peer(token) => {
                for request in self.peers.read(token) {
                    self.serve(token, request, now);
                }
            }
        }
    }

    fn reap(&mut self, now: Instant) {
        let reaped = reap(self.leader.pid);
        self.childless = reaped.childless;
        self.ending.hurry(now);
        if self.status.is_none()
            && let Some(status) = reaped.leader
        {
            self.status = Some(status);
            self.ending.leader_exited(&self.tree, now);
        }
    }

    fn timers(&mut self, now: Instant) {
        self.peers.drop_silent(now);
        if self.ending.is_alive()
            && let Some(cause) = self.watch.reached(&self.tree, now)
        {
            self.stop_for(cause, now);
        }
        if !self.ending.is_alive() {
            self.reap(now);
            self.ending.advance(
                &self.tree,
                World {
                    now: Instant::now(),
                    leader_gone: self.status.is_some(),
                    childless: self.childless,
                    drained: self.streams.ended(),
                },
            );
            self.answer_stops();
        }
        let counts = self.streams.counts();
        if counts != self.told && self.tell_at <= now {
            self.told = counts;
            self.tell_at = now + NOTICE;
            let (stdout, stderr) = counts;
            self.peers
                .tell(&Message::Notice(Notice::Output { stdout, stderr }));
        }
    }

    /// Stops the run because of a limit or a signal.
    fn stop_for(&mut self, cause: Reached, now: Instant) {
        if self.ending.is_alive() {
            self.reached = Some(cause);
            self.peers.tell(&Message::Notice(Notice::Stopping { cause }));
        }
        self.stop(self.watch.grace(), now);
    }

    fn stop(&mut self, grace: Duration, now: Instant) {
        if self.watch.is_frozen() && !grace.is_zero() {
            // Whoever is held still cannot act on TERM.
            let _ = self.tree.thaw();
            self.watch.thaw(now);
        }
        self.ending.stop(grace, &self.tree, now);
    }

    fn serve(&mut self, token: Token, request: Request, now: Instant) {
        let reply = match request.ask {
            Ask::Hello(_) => Reply::Hello(self.snapshot()),
            Ask::Stop { grace } => {
                self.stop(grace, now);
                self.waiting.push((token, request.id));
                return self.answer_stops();
            }
            Ask::Freeze => self.freeze(now),
            Ask::Thaw => self.thaw(now),
            Ask::Resources => Reply::Resources(self.watch.resources(&self.tree, now)),
            Ask::Touch => {
                self.watch.touch(now);
                Reply::Done
            }
            Ask::Input { key, bytes } => done(self.feed.take(&key, &bytes)),
            Ask::CloseInput => {
                self.feed.close();
                Reply::Done
            }
        };
        self.peers.send(
            token,
            &Message::Reply {
                id: request.id,
                reply,
            },
        );
    }

    fn freeze(&mut self, now: Instant) -> Reply {
        if !self.ending.is_alive() {
            return Reply::Refused("the run is being stopped".to_owned());
        }
        if self.watch.is_frozen() {
            return Reply::Done;
        }
        match self.tree.freeze() {
            Ok(()) => {
                self.watch.freeze(now);
                self.peers.tell(&Message::Notice(Notice::Frozen));
                Reply::Done
            }
            Err(error) => {
                let _ = self.tree.thaw();
                Reply::Refused(format!("the run cannot be held still: {error}"))
            }
        }
    }

    fn thaw(&mut self, now: Instant) -> Reply {
        if !self.watch.is_frozen() {
            return Reply::Done;
        }
        match self.tree.thaw() {
            Ok(()) => {
                self.watch.thaw(now);
                self.peers.tell(&Message::Notice(Notice::Thawed));
                Reply::Done
            }
            Err(error) => Reply::Refused(format!("the run cannot be let go on: {error}")),
        }
    }

    /// Answers who waits for a stop, once there is nothing left to stop.
    fn answer_stops(&mut self) {
        if !self.ending.is_concluded() {
            return;
        }
        // Those that waited when it happened; whoever comes later is told so.
        let first = std::mem::take(&mut self.waiting);
        for (token, id) in first {
            let report = self.ending.answer();
            self.peers.send(
                token,
                &Message::Reply {
                    id,
                    reply: Reply::Stopped(report),
                },
            );
        }
        self.ending.answered();
    }

    /// Nothing of the run is left: leaves the record, tells the daemon, tidies up.
    fn finish(mut self) {
        let now = Instant::now();
        let exit = Exit {
            status: self.status.unwrap_or(ExitStatus::Unknown),
            reached: self.reached,
            stop: self.ending.stop_report(),
            leftovers: self.ending.leftovers(),
            survivors: self.ending.survivors(),
            ran_ms: millis(now.saturating_duration_since(self.begun)),
            output: self.streams.report(),
            resources: self.watch.resources(&self.tree, now),
            enforced: self.enforced.clone(),
        };
        fault::at("before_exit_record");
        let here = Path::new(".");
        let mut stored = record::write_exit(here, self.record.run, &exit);
        let heard = self.peers.has_daemon();
        self.peers.farewell(&Message::Exit(exit.clone()));
        for _ in 0..RECORD_TRIES {
            if stored.is_ok() || heard {
                break;
            }
            // A disk that is full may have room in a moment.
            let second = Timespec {
                tv_sec: 1,
                tv_nsec: 0,
            };
            let _ = poll(&mut [], Some(&second));
            stored = record::write_exit(here, self.record.run, &exit);
        }
        if let Some(cgroup) = self.tree.cgroup() {
            cgroup.remove();
        }
        let _ = std::fs::remove_file(SOCKET);
    }
}

/// Who has something to be read, and which peers take more.
fn sorted(happened: impl Iterator<Item = (Source, PollFlags)>) -> (Vec<Source>, Vec<Token>) {
    let mut ready = Vec::new();
    let mut writable = Vec::new();
    for (source, flags) in happened {
        if let Source::Peer(token) = source
            && flags.contains(PollFlags::OUT)
        {
            writable.push(token);
        }
        let only_out = flags == PollFlags::OUT && matches!(source, Source::Peer(_));
        if !flags.is_empty() && !only_out {
            ready.push(source);
        }
    }
    (ready, writable)
}

fn done(taken: Result<(), &'static str>) -> Reply {
    match taken {
        Ok(()) => Reply::Done,
        Err(why) => Reply::Refused(why.to_owned()),
    }
}
