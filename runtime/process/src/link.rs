//! The daemon's connection to a shim, kept by one task until the run is over.

use std::{collections::HashMap, fs::File, io, os::fd::AsRawFd, path::PathBuf, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{broadcast, mpsc, oneshot, watch},
    time::{sleep, timeout},
};
use worknode_core::{ids::RunId, run::ProcessIdentity};

use crate::{
    identity::Look,
    lost,
    record::{self, SOCKET},
    report::{Exit, Reached},
    secret::Secret,
    watch::Held,
    wire::{Ask, LINE_MAX, Message, Notice, Reply, Request, START_TIME, Snapshot, line},
};

/// Calls that wait to be sent. More wait before they are queued.
const CALLS: usize = 16;
/// Notices kept for a subscriber that is slow.
const NOTICES: usize = 64;
/// How long a line may take to be written.
const WRITE_TIME: Duration = Duration::from_secs(10);
/// How long the first answer may take: a shim that is still starting the agent answers after.
const HELLO_TIME: Duration = START_TIME.saturating_add(Duration::from_secs(5));
/// Attempts to connect again to a shim that lives, and the pause in between.
const RECONNECTS: u32 = 20;
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

/// Where a shim is, and how to be believed there.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    pub(crate) run: RunId,
    pub(crate) secret: Secret,
}

/// Something to be asked.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) ask: Ask,
    pub(crate) reply: oneshot::Sender<Reply>,
}

/// What the link tells everybody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    pub(crate) output: (u64, u64),
    pub(crate) frozen: bool,
    pub(crate) reached: Option<Reached>,
    pub(crate) exit: Option<Exit>,
}

/// An open connection.
#[derive(Debug)]
struct Wire {
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    inbox: Vec<u8>,
}

impl Wire {
    /// Connects and says the secret. `UnexpectedEof` when the shim does not take it.
    async fn connect(place: &Place, expected: Option<&ProcessIdentity>) -> io::Result<(Self, Snapshot)> {
        // Through the open directory: the path of a socket must be short.
        let dir = File::open(&place.dir)?;
        let path = format!("/proc/self/fd/{}/{SOCKET}", dir.as_raw_fd());
        let stream = UnixStream::connect(path).await?;
        let listening = stream.peer_cred()?.pid().and_then(|pid| u32::try_from(pid).ok());
        if let Some(expected) = expected
            && listening != Some(expected.pid)
        {
            return Err(io::Error::other(
                "another process than the run's shim listens in its place",
            ));
        }
        let (read, write) = stream.into_split();
        let mut wire = Self {
            read,
            write,
            inbox: Vec::new(),
        };
        wire.send(0, Ask::Hello(place.secret.clone())).await?;
        let answered = timeout(HELLO_TIME, wire.hello()).await;
        let snapshot = answered.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        Ok((wire, snapshot))
    }

    async fn hello(&mut self) -> io::Result<Snapshot> {
        loop {
            if let Message::Reply {
                reply: Reply::Hello(snapshot),
                ..
            } = self.receive().await?
            {
                return Ok(snapshot);
            }
        }
    }

    async fn send(&mut self, id: u64, ask: Ask) -> io::Result<()> {
        let line = line(&Request { id, ask })?;
        let written = timeout(WRITE_TIME, self.write.write_all(&line)).await;
        written.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// The next message. Nothing is lost when this is not waited for to the end.
    async fn receive(&mut self) -> io::Result<Message> {
        loop {
            if let Some(end) = self.inbox.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.inbox.drain(..=end).collect();
                return Ok(serde_json::from_slice(&line)?);
            }
            if self.inbox.len() > LINE_MAX {
                return Err(io::Error::other("a shim said more than it may"));
            }
            if self.read.read_buf(&mut self.inbox).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The task's own.
#[derive(Debug)]
pub(crate) struct Link {
    place: Place,
    shim: ProcessIdentity,
    wire: Wire,
    life: watch::Sender<Life>,
    pending: HashMap<u64, oneshot::Sender<Reply>>,
    next: u64,
}

type Handles = (
    mpsc::Sender<Call>,
    watch::Receiver<Life>,
    broadcast::Receiver<Notice>,
);

/// Why a conversation ended.
enum End {
    /// With the end of the run.
    Exit(Box<Exit>),
    /// Another daemon has taken over.
    Superseded,
    /// The connection broke.
    Broken,
}

impl Link {
    pub(crate) async fn connect(
        place: Place,
        expected: Option<&ProcessIdentity>,
    ) -> io::Result<(Self, Snapshot)> {
        let (wire, snapshot) = Wire::connect(&place, expected).await?;
        let link = Self {
            place,
            shim: snapshot.shim.clone(),
            wire,
            life: watch::Sender::new(life(&snapshot)),
            pending: HashMap::new(),
            next: 1,
        };
        Ok((link, snapshot))
    }

    /// Keeps the connection in a task of its own.
    pub(crate) fn keep(self) -> Handles {
        let (calls, queue) = mpsc::channel(CALLS);
        let (notices, subscriber) = broadcast::channel(NOTICES);
        let life = self.life.subscribe();
        tokio::spawn(self.run(queue, notices));
        (calls, life, subscriber)
    }

    async fn run(mut self, mut calls: mpsc::Receiver<Call>, notices: broadcast::Sender<Notice>) {
        let exit = loop {
            let end = self.converse(&mut calls, &notices).await;
            if let End::Exit(exit) = end {
                // Who is still waiting came after the end, and learns it before being let go.
                break *exit;
            }
            self.pending.clear();
            let reachable = matches!(end, End::Broken) && self.reconnect().await;
            if reachable {
                continue;
            }
            // Nothing can be asked any more; only the end is waited for.
            calls.close();
            while calls.try_recv().is_ok() {}
            break self.await_end().await;
        };
        tracing::debug!(run = %self.place.run, status = %exit.status, "a run has ended");
        self.life.send_modify(|life| life.exit = Some(exit));
    }

    async fn converse(
        &mut self,
        calls: &mut mpsc::Receiver<Call>,
        notices: &broadcast::Sender<Notice>,
    ) -> End {
        let mut asking = true;
        loop {
            tokio::select! {
                message = self.wire.receive() => match message {
                    Ok(message) => if let Some(end) = self.heard(message, notices) {
                        return end;
                    },
                    Err(error) => {
                        tracing::debug!(%error, run = %self.place.run, "the connection to a shim broke");
                        return End::Broken;
                    }
                },
                call = calls.recv(), if asking => match call {
                    Some(call) => if self.ask(call).await.is_err() {
                        return End::Broken;
                    },
                    None => asking = false,
                },
            }
        }
    }

    /// Hands on what the shim says. Answers whether that was its last word.
    fn heard(&mut self, message: Message, notices: &broadcast::Sender<Notice>) -> Option<End> {
        match message {
            Message::Exit(exit) => return Some(End::Exit(Box::new(exit))),
            Message::Superseded => return Some(End::Superseded),
            Message::Reply { id, reply } => {
                if let Some(waiting) = self.pending.remove(&id) {
                    let _ = waiting.send(reply);
                }
            }
            Message::Notice(notice) => self.tell(notice, notices),
        }
        None
    }

    async fn ask(&mut self, call: Call) -> io::Result<()> {
        let id = self.next;
        self.next += 1;
        self.pending.retain(|_, waiting| !waiting.is_closed());
        self.pending.insert(id, call.reply);
        self.wire.send(id, call.ask).await
    }

    fn tell(&self, notice: Notice, notices: &broadcast::Sender<Notice>) {
        self.life.send_modify(|life| match &notice {
            Notice::Output { stdout, stderr } => life.output = (*stdout, *stderr),
            Notice::Stopping { cause } => life.reached = Some(*cause),
            Notice::Frozen => life.frozen = true,
            Notice::Thawed => life.frozen = false,
        });
        // Nobody need listen.
        let _ = notices.send(notice);
    }

    /// A shim drops who does not keep up, and can be asked again.
    async fn reconnect(&mut self) -> bool {
        for _ in 0..RECONNECTS {
            if !matches!(self.shim.look(), Ok(Some(_))) {
                return false;
            }
            if let Ok((wire, snapshot)) = Wire::connect(&self.place, Some(&self.shim)).await {
                self.wire = wire;
                self.life.send_modify(|now| *now = life(&snapshot));
                return true;
            }
            sleep(RECONNECT_PAUSE).await;
        }
        false
    }

    /// Waits for the shim's own end, and then for what it left to be ended.
    async fn await_end(&self) -> Exit {
        if let Ok(Some(stat)) = self.shim.look()
            && let Ok(Some(held)) = Held::open(&stat)
        {
            let _ = held.exited().await;
        }
        match record::read_exit(&self.place.dir, self.place.run) {
            Ok(Some(exit)) => exit,
            Ok(None) | Err(_) => lost::end(&self.place.dir, self.place.run).await,
        }
    }
}

fn life(snapshot: &Snapshot) -> Life {
    Life {
        output: (snapshot.stdout, snapshot.stderr),
        frozen: snapshot.frozen,
        reached: snapshot.reached,
        exit: None,
    }
}
