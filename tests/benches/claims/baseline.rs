//! The baseline: the SQLite coordination of agent swarms, done well. Tables agents, tasks and
//! events in WAL mode; a claim selects the best pending task by an index, updates it `WHERE
//! status = 'pending'` and looks at the count of rows; each report and each completion is an update
//! with an event.
//!
//! Each agent is a loop in a thread with a connection of its own, up to [`THREADS`]; beyond that the
//! agents of one thread take turns.

use std::{
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, TransactionBehavior, params};

use super::{Durability, Found, LIMIT, REPORTS};
use crate::Failure;

/// Connections at most.
const THREADS: usize = 1_000;
/// How long SQLite waits for its lock, as the usual drivers do.
const BUSY: Duration = Duration::from_secs(5);

const TABLES: &str = "
CREATE TABLE agents (id INTEGER PRIMARY KEY, name TEXT NOT NULL, status TEXT NOT NULL, seen INTEGER);
CREATE TABLE tasks (id INTEGER PRIMARY KEY, title TEXT NOT NULL, prompt TEXT NOT NULL, priority INTEGER NOT NULL,
  status TEXT NOT NULL, agent INTEGER, progress INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL,
  updated INTEGER);
CREATE INDEX tasks_next ON tasks (status, priority DESC, created);
CREATE TABLE events (id INTEGER PRIMARY KEY, task INTEGER NOT NULL, agent INTEGER NOT NULL, type TEXT NOT NULL,
  data TEXT NOT NULL, at INTEGER NOT NULL);
";

/// Works off so many tasks with so many agents.
pub(super) fn run(
    path: &Path,
    agents: usize,
    tasks: usize,
    durability: Durability,
) -> Result<Found, Failure> {
    prepare(path, agents, tasks, durability)?;
    let before = std::fs::metadata(path)?.len();
    let found = Mutex::new(Found::default());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let threads = agents.min(THREADS);
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let found = &found;
                scope.spawn(move || {
                    let mine: Vec<usize> = (thread..agents).step_by(threads).collect();
                    let own = work(path, &mine, durability, begun)?;
                    found.lock().map_err(|_| "a thread failed")?.add(own);
                    Ok::<_, Failure>(())
                })
            })
            .collect();
        for worker in workers {
            worker.join().map_err(|_| "a thread failed")??;
        }
        Ok::<_, Failure>(())
    })?;
    let mut found = found.into_inner().map_err(|_| "a thread failed")?;
    found.seconds = begun.elapsed().as_secs_f64();
    let conn = open(path, durability)?;
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    drop(conn);
    found.bytes = std::fs::metadata(path)?.len().saturating_sub(before);
    Ok(found)
}

fn open(path: &Path, durability: Durability) -> Result<Connection, Failure> {
    let conn = Connection::open(path)?;
    conn.busy_timeout(BUSY)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", durability.pragma())?;
    Ok(conn)
}

fn prepare(path: &Path, agents: usize, tasks: usize, durability: Durability) -> Result<(), Failure> {
    let mut conn = open(path, durability)?;
    conn.execute_batch(TABLES)?;
    let tx = conn.transaction()?;
    for agent in 0..agents {
        tx.prepare_cached("INSERT INTO agents VALUES (?1, ?2, 'idle', NULL)")?
            .execute(params![agent, format!("agent-{agent}")])?;
    }
    for task in 0..tasks {
        tx.prepare_cached(
            "INSERT INTO tasks (id, title, prompt, priority, status, created) VALUES (?1, ?2, ?3, ?4, 'pending', ?1)",
        )?
        .execute(params![task, super::title(task), super::prompt(task), task % 3])?;
    }
    tx.commit()?;
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

/// The agents of one thread, in turns: each claims, reports and completes one task.
fn work(path: &Path, agents: &[usize], durability: Durability, begun: Instant) -> Result<Found, Failure> {
    let mut conn = open(path, durability)?;
    let mut found = Found::default();
    let mut done = vec![0_usize; agents.len()];
    'all: loop {
        for (turn, agent) in agents.iter().enumerate() {
            if begun.elapsed() > LIMIT {
                break 'all;
            }
            let asked = Instant::now();
            let Some(task) = claim(&mut conn, *agent, &mut found)? else {
                break 'all;
            };
            found.claims.push(asked.elapsed());
            for report in 0..REPORTS {
                progress(&mut conn, task, *agent, report, &mut found)?;
            }
            complete(&mut conn, task, *agent, &mut found)?;
            done[turn] += 1;
            found.tasks += 1;
        }
    }
    found.starved += done.iter().filter(|done| **done == 0).count();
    Ok(found)
}

fn claim(conn: &mut Connection, agent: usize, found: &mut Found) -> Result<Option<i64>, Failure> {
    loop {
        let next = conn
            .prepare_cached(
                "SELECT id FROM tasks WHERE status = 'pending' ORDER BY priority DESC, created LIMIT 1",
            )?
            .query_row([], |row| row.get::<_, i64>(0));
        let task = match next {
            Ok(task) => task,
            Err(rusqlite::Error::QueryReturnedNoRows) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let changed = busy(found, || {
            conn.prepare_cached(
                "UPDATE tasks SET status = 'in_progress', agent = ?2, updated = ?3 WHERE id = ?1 AND status = 'pending'",
            )?
            .execute(params![task, agent, now()])
        })?;
        if changed == 1 {
            return Ok(Some(task));
        }
        found.lost += 1;
    }
}

fn progress(
    conn: &mut Connection,
    task: i64,
    agent: usize,
    report: usize,
    found: &mut Found,
) -> Result<(), Failure> {
    busy(found, || {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.prepare_cached("UPDATE tasks SET progress = ?2, updated = ?3 WHERE id = ?1")?
            .execute(params![task, report * 10, now()])?;
        event(&tx, task, agent, "progress")?;
        tx.commit()
    })
}

fn complete(conn: &mut Connection, task: i64, agent: usize, found: &mut Found) -> Result<(), Failure> {
    busy(found, || {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.prepare_cached("UPDATE tasks SET status = 'completed', updated = ?2 WHERE id = ?1")?
            .execute(params![task, now()])?;
        event(&tx, task, agent, "completed")?;
        tx.commit()
    })
}

fn event(conn: &Connection, task: i64, agent: usize, kind: &str) -> rusqlite::Result<()> {
    conn.prepare_cached("INSERT INTO events (task, agent, type, data, at) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![task, agent, kind, "{\"message\":\"half of it\"}", now()])?;
    Ok(())
}

/// Tries until it is not refused as busy, and counts the refusals.
fn busy<T>(found: &mut Found, mut act: impl FnMut() -> rusqlite::Result<T>) -> Result<T, Failure> {
    loop {
        match act() {
            Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == ErrorCode::DatabaseBusy => {
                found.busy += 1;
            }
            other => return Ok(other?),
        }
    }
}

fn now() -> i64 {
    i64::try_from(crate::measure::wall_nanos() / 1_000_000).unwrap_or(i64::MAX)
}
