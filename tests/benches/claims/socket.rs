//! The same through the socket of a daemon in a process of its own: each agent on its own
//! connection, which it keeps.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Instant,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use super::{Found, LIMIT, REPORTS, ours::holder};
use crate::Failure;

/// Works off what is ready with so many agents.
pub(super) async fn run(socket: &Path, agents: usize) -> Result<Found, Failure> {
    let found = Arc::new(Mutex::new(Found::default()));
    let mut connections = Vec::with_capacity(agents);
    for _ in 0..agents {
        connections.push(Connection::to(socket).await?);
    }
    let begun = Instant::now();
    let workers: Vec<_> = connections
        .into_iter()
        .enumerate()
        .map(|(agent, connection)| {
            let found = Arc::clone(&found);
            tokio::spawn(async move {
                let own = work(connection, agent, begun).await?;
                found.lock().map_err(|_| "an agent failed")?.add(own);
                Ok::<_, Failure>(())
            })
        })
        .collect();
    for worker in workers {
        worker.await??;
    }
    let mut found = std::mem::take(&mut *found.lock().map_err(|_| "an agent failed")?);
    found.seconds = begun.elapsed().as_secs_f64();
    Ok(found)
}

async fn work(mut connection: Connection, agent: usize, begun: Instant) -> Result<Found, Failure> {
    let mut found = Found::default();
    let claim = format!("{{\"agent\":\"{}\"}}", holder(agent));
    while begun.elapsed() < LIMIT {
        let asked = Instant::now();
        let (status, won) = connection.post("/tasks/claim", &claim).await?;
        if status == 404 {
            break;
        }
        check(status, &won)?;
        found.claims.push(asked.elapsed());
        let won: Value = serde_json::from_slice(&won)?;
        let task = won["task"].as_str().ok_or("a claim without a task")?.to_owned();
        let epoch = &won["epoch"];
        for report in 0..REPORTS {
            let percent = report * 10;
            let body = format!("{{\"epoch\":{epoch},\"percent\":{percent},\"message\":\"half of it\"}}");
            let (status, said) = connection.post(&format!("/tasks/{task}/progress"), &body).await?;
            check(status, &said)?;
        }
        let body = format!("{{\"epoch\":{epoch},\"reason\":\"done as far as this goes\"}}");
        let (status, said) = connection.post(&format!("/tasks/{task}/block"), &body).await?;
        check(status, &said)?;
        found.tasks += 1;
    }
    found.starved = usize::from(found.tasks == 0);
    Ok(found)
}

fn check(status: u16, said: &[u8]) -> Result<(), Failure> {
    if (200..300).contains(&status) {
        return Ok(());
    }
    Err(format!("the daemon answered {status}: {}", String::from_utf8_lossy(said)).into())
}

/// A connection that is kept, and as much HTTP as is needed here: a client that costs little leaves
/// the machine to the daemon.
struct Connection {
    stream: UnixStream,
    read: Vec<u8>,
}

impl Connection {
    async fn to(socket: &Path) -> Result<Self, Failure> {
        let stream = loop {
            match UnixStream::connect(socket).await {
                // More knock at once than the kernel lets wait at the door.
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    tokio::task::yield_now().await;
                }
                outcome => break outcome?,
            }
        };
        Ok(Self {
            stream,
            read: Vec::with_capacity(1_024),
        })
    }

    async fn post(&mut self, path: &str, body: &str) -> Result<(u16, Vec<u8>), Failure> {
        let request = format!(
            "POST /api/v1{path} HTTP/1.1\r\nhost: worknode\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.read.clear();
        let head = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let text = String::from_utf8_lossy(&self.read[..head]).to_ascii_lowercase();
        let status = text
            .split(' ')
            .nth(1)
            .ok_or("an answer without a status")?
            .parse()?;
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(Ok(0), |length| length.trim().parse::<usize>())?;
        while self.read.len() < head + length {
            self.more().await?;
        }
        Ok((status, self.read[head..head + length].to_vec()))
    }

    async fn more(&mut self) -> Result<(), Failure> {
        if self.stream.read_buf(&mut self.read).await? == 0 {
            return Err("the daemon closed a connection".into());
        }
        Ok(())
    }
}
