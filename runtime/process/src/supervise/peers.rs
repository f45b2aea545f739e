//! The socket of the shim and who is connected to it.
//!
//! The newest connection that said the secret is the daemon. Nobody can hold the shim up: what
//! is read and what waits to be written is bounded, and who does not keep up is dropped.

use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::{UnixListener, UnixStream},
    },
    time::{Duration, Instant},
};

use crate::{
    secret::Secret,
    wire::{Ask, HELLO_MAX, LINE_MAX, Message, Request, line},
};

/// Connections that have not said the secret; the oldest one gives way.
const STRANGERS: usize = 8;
/// Time to say the secret.
const HELLO_TIME: Duration = Duration::from_secs(5);
/// Bytes that wait for a peer to read them.
const WAITING: usize = 1024 * 1024;
/// Bytes read at once.
const READ: usize = 64 * 1024;
/// How long the last words may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Which connection is meant.
pub(super) type Token = u64;

#[derive(Debug)]
struct Peer {
    token: Token,
    stream: UnixStream,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    since: Instant,
}

/// Everybody who is connected.
#[derive(Debug)]
pub(super) struct Peers {
    listener: UnixListener,
    secret: Secret,
    peers: Vec<Peer>,
    daemon: Option<Token>,
    next: Token,
}

impl Peers {
    pub(super) fn new(listener: UnixListener, secret: Secret) -> Self {
        Self {
            listener,
            secret,
            peers: Vec::new(),
            daemon: None,
            next: 0,
        }
    }

    pub(super) fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// The connections, and whether something waits to be written to them.
    pub(super) fn open(&self) -> impl Iterator<Item = (Token, BorrowedFd<'_>, bool)> {
        let peers = self.peers.iter();
        peers.map(|peer| (peer.token, peer.stream.as_fd(), !peer.outbox.is_empty()))
    }

    /// Whether a daemon is connected.
    pub(super) const fn has_daemon(&self) -> bool {
        self.daemon.is_some()
    }

    pub(super) fn accept(&mut self, now: Instant) {
        let Ok((stream, _)) = self.listener.accept() else {
            return;
        };
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        let strangers = self.peers.iter().filter(|peer| Some(peer.token) != self.daemon);
        let oldest = strangers.clone().map(|peer| peer.token).min();
        if strangers.count() >= STRANGERS
            && let Some(oldest) = oldest
        {
            self.drop_peer(oldest);
        }
        self.next += 1;
        self.peers.push(Peer {
            token: self.next,
            stream,
            inbox: Vec::new(),
            outbox: Vec::new(),
            since: now,
        });
    }

    /// When the next stranger has been silent for too long.
    pub(super) fn patience(&self) -> Option<Instant> {
        let strangers = self.peers.iter().filter(|peer| Some(peer.token) != self.daemon);
        strangers.map(|peer| peer.since + HELLO_TIME).min()
    }

    pub(super) fn drop_silent(&mut self, now: Instant) {
        let daemon = self.daemon;
        self.peers
            .retain(|peer| Some(peer.token) == daemon || peer.since + HELLO_TIME > now);
    }

    /// Reads what a connection has sent. The requests of the daemon come out; of anybody else,
    /// only the one that makes it the daemon.
    pub(super) fn read(&mut self, token: Token) -> Vec<Request> {
        let mut requests = Vec::new();
        match self.lines(token) {
            Ok(lines) => {
                for line in lines {
                    match self.admit(token, &line) {
                        Some(request) => requests.push(request),
                        None => self.drop_peer(token),
                    }
                }
            }
            Err(()) => self.drop_peer(token),
        }
        requests
    }

    /// The complete lines; an error when it is gone or says too much.
    fn lines(&mut self, token: Token) -> Result<Vec<Vec<u8>>, ()> {
        let known = self.daemon == Some(token);
        let peer = self.peers.iter_mut().find(|peer| peer.token == token).ok_or(())?;
        let mut buffer = [0; READ];
        let read = match peer.stream.read(&mut buffer) {
            Ok(0) => return Err(()),
            Ok(read) => read,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                0
            }
            Err(_) => return Err(()),
        };
        peer.inbox
            .extend_from_slice(buffer.get(..read).unwrap_or_default());
        let end = peer
            .inbox
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let whole: Vec<u8> = peer.inbox.drain(..end).collect();
        if peer.inbox.is_empty() {
            peer.inbox = Vec::new();
        }
        if peer.inbox.len() > if known { LINE_MAX } else { HELLO_MAX } {
            return Err(());
        }
        let lines = whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Ok(lines.map(<[u8]>::to_vec).collect())
    }

    /// The request in a line, if it may be made.
    fn admit(&mut self, token: Token, line: &[u8]) -> Option<Request> {
        let request: Request = serde_json::from_slice(line).ok()?;
        match &request.ask {
            Ask::Hello(secret) if secret.matches(&self.secret) => self.install(token),
            Ask::Hello(_) => return None,
            _ if self.daemon != Some(token) => return None,
            _ => {}
        }
        Some(request)
    }

    fn install(&mut self, token: Token) {
        if let Some(before) = self.daemon.replace(token)
            && before != token
        {
            self.send(before, &Message::Superseded);
            self.drop_peer(before);
            self.daemon = Some(token);
        }
    }

    /// Sends to a connection that may be gone by now.
    pub(super) fn send(&mut self, token: Token, message: &Message) {
        let Some(peer) = self.peers.iter_mut().find(|peer| peer.token == token) else {
            return;
        };
        let kept_up = match line(message) {
            Ok(line) if peer.outbox.len() + line.len() <= WAITING => {
                peer.outbox.extend(line);
                true
            }
            _ => false,
        };
        if kept_up {
            self.flush(token);
        } else {
            self.drop_peer(token);
        }
    }

    /// Sends to the daemon, if there is one.
    pub(super) fn tell(&mut self, message: &Message) {
        if let Some(daemon) = self.daemon {
            self.send(daemon, message);
        }
    }

    /// Writes what a connection takes.
    pub(super) fn flush(&mut self, token: Token) {
        let Some(peer) = self.peers.iter_mut().find(|peer| peer.token == token) else {
            return;
        };
        while !peer.outbox.is_empty() {
            match peer.stream.write(&peer.outbox) {
                Ok(written) => drop(peer.outbox.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => return self.drop_peer(token),
            }
        }
        peer.outbox = Vec::new();
    }

    fn drop_peer(&mut self, token: Token) {
        self.peers.retain(|peer| peer.token != token);
        if self.daemon == Some(token) {
            self.daemon = None;
        }
    }

    /// Says the last words to the daemon and waits, not for long, until they are written.
    pub(super) fn farewell(&mut self, message: &Message) {
        self.tell(message);
        for peer in &mut self.peers {
            let blocking = peer.stream.set_nonblocking(false);
            let bounded = blocking.and_then(|()| peer.stream.set_write_timeout(Some(FAREWELL)));
            let _ = bounded.and_then(|()| peer.stream.write_all(&peer.outbox));
        }
    }
}
