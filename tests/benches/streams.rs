//! One event to a thousand who follow the journal over HTTP: how long until the last of them has it,
//! and what each takes of the daemon's memory. The baseline is one follower alone.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    sync::mpsc,
};
use worknode_tests::{program, running::Running};

use crate::{
    Bench, Failure,
    connection::Connection,
    measure::Samples,
    population::resident_of,
    report::{Figure, Unit},
    scene::Stage,
};

/// Who follow.
const FOLLOWERS: usize = 1_000;
/// How long an event may be on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(60);
/// How long everybody is left alone before memory is read.
const REST: Duration = Duration::from_secs(2);

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let followers = bench.size.unwrap_or_else(|| bench.load(FOLLOWERS, 20));
    let events = bench.load(50, 3);
    let stage = Stage::new("")?;
    let mut command = program::command(stage.scene.path());
    command.arg("up");
    let daemon = Running::start(command);
    stage.scene.wait_for_daemon();
    let socket = stage.scene.file(".worknode/worknode.sock");
    let figures = bench.tokio.block_on(async {
        let alone = Crowd::of(&socket, 1, 0).await?.told(&socket, events).await?;
        let before = resident_of(daemon.pid())?;
        let crowd = Crowd::of(&socket, followers, events).await?;
        tokio::time::sleep(REST).await;
        let quiet = resident_of(daemon.pid())?;
        let many = crowd.told(&socket, events).await?;
        let busy = resident_of(daemon.pid())?;
        let each = |now: u64| now.saturating_sub(before) as f64 / followers as f64;
        Ok(figures(
            followers,
            events,
            [many, alone],
            [each(quiet), each(busy)],
        ))
    });
    program::worknode(stage.scene.path(), ["down"]);
    figures
}

fn figures(
    followers: usize,
    events: usize,
    [many, alone]: [Samples; 2],
    [quiet, busy]: [f64; 2],
) -> Vec<Figure> {
    let line = |name: &str, ours, baseline| Figure {
        what: format!("journalled to the last of {followers} streams, {name}"),
        unit: Unit::Seconds,
        ours,
        baseline,
        load: format!(
            "{events} events, one at a time, from the answer that it is on the disk; server-sent events at \
             the Unix socket; baseline: one stream"
        ),
    };
    let memory = |what: &str, bytes| Figure {
        what: format!("memory of each of {followers} streams, {what}"),
        unit: Unit::Bytes,
        ours: bytes,
        baseline: f64::NAN,
        load: "what the daemon has more than before they came".to_owned(),
    };
    vec![
        line("p50", many.median(), alone.median()),
        line("p99", many.p99(), alone.p99()),
        memory("quiet", quiet),
        memory("after the events", busy),
    ]
}

/// Many who follow. Each says when it has seen an event of a name.
struct Crowd {
    followers: usize,
    /// The number of their first event: a stream begins with what was before.
    first: usize,
    seen: mpsc::UnboundedReceiver<(usize, Instant)>,
    tasks: tokio::task::JoinSet<Result<(), Failure>>,
}

impl Crowd {
    async fn of(socket: &Path, followers: usize, first: usize) -> Result<Self, Failure> {
        let (tell, seen) = mpsc::unbounded_channel();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..followers {
            let stream = follow(socket).await?;
            tasks.spawn(watch(stream, first, tell.clone()));
        }
        Ok(Self {
            followers,
            first,
            seen,
            tasks,
        })
    }

    /// How long each of so many events takes to the last of them.
    async fn told(mut self, socket: &Path, events: usize) -> Result<Samples, Failure> {
        let mut connection = Connection::to(socket).await?;
        let mut taken = Vec::with_capacity(events);
        for event in self.first..self.first + events {
            let body = format!("{{\"name\":\"tick\",\"data\":{{\"mark\":\"tick_{event}_\"}}}}");
            let (status, said) = connection.post("/events", &body).await?;
            let journalled = Instant::now();
            if !(200..300).contains(&status) {
                return Err(format!(
                    "the event was answered {status}: {}",
                    String::from_utf8_lossy(&said)
                )
                .into());
            }
            let last = tokio::time::timeout(ON_ITS_WAY, self.last_of(event)).await??;
            // Who was faster than the answer took no time.
            taken.push(last.saturating_duration_since(journalled));
        }
        self.tasks.shutdown().await;
        Ok(taken.into_iter().collect())
    }

    async fn last_of(&mut self, event: usize) -> Result<Instant, Failure> {
        let mut last = None;
        for _ in 0..self.followers {
            let (seen, at) = self.seen.recv().await.ok_or("a stream broke off")?;
            if seen != event {
                return Err(format!("event {seen} came where {event} was due").into());
            }
            last = last.max(Some(at));
        }
        last.ok_or_else(|| "nobody follows".into())
    }
}

/// A stream of what happens from now on, begun.
async fn follow(socket: &Path) -> Result<UnixStream, Failure> {
    let mut stream = loop {
        match UnixStream::connect(socket).await {
            // More knock at once than the kernel lets wait at the door.
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => tokio::task::yield_now().await,
            outcome => break outcome?,
        }
    };
    let request =
        "GET /api/v1/events?types=tick HTTP/1.1\r\nhost: worknode\r\naccept: text/event-stream\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Err("a stream was closed before it began".into());
        }
    }
    if head.starts_with(b"HTTP/1.1 200") {
        Ok(stream)
    } else {
        Err(format!("no stream: {}", String::from_utf8_lossy(&head)).into())
    }
}

/// Says when each event has come. What comes twice in one read is told twice.
async fn watch(
    mut stream: UnixStream,
    mut next: usize,
    tell: mpsc::UnboundedSender<(usize, Instant)>,
) -> Result<(), Failure> {
    const NAME: &[u8] = b"\"tick_";
    let mut read = Vec::with_capacity(1_024);
    loop {
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
        let at = Instant::now();
        while let Some(begin) = read.windows(NAME.len()).position(|part| part == NAME) {
            let rest = &read[begin + NAME.len()..];
            let Some(end) = rest.iter().position(|byte| *byte == b'_') else {
                break;
            };
            let number: usize = std::str::from_utf8(&rest[..end])?.parse()?;
            read.drain(..begin + NAME.len() + end);
            // A record may name its event more than once.
            if number == next {
                next += 1;
                if tell.send((number, at)).is_err() {
                    return Ok(());
                }
            }
        }
        // Only the beginning of a name may be needed again.
        let keep = read.len().saturating_sub(64);
        read.drain(..keep);
    }
}
