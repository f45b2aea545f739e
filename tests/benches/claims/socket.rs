//! The same through the socket of a daemon in a process of its own: each agent on its own
//! connection, which it keeps.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Instant,
};

use serde_json::Value;

use super::{Found, LIMIT, REPORTS, ours::holder};
use crate::{Failure, connection::Connection};

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
