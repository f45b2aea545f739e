//! The same work by Worknode, in this process: each agent a task of the async runtime that claims
//! the next task, reports, and ends its claim with a durable write.
//!
//! A task of ours is completed by landing alone (P3), and no agent can do that. So the last durable
//! write here is `block`: it ends the claim, changes the task's state and is an event, like the
//! baseline's completion.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use worknode_actors::{
    claims::{Wanted, claim_next},
    runtime::Runtime,
    system::System,
};
use worknode_core::{
    bounds,
    command::Command,
    error::Code,
    event::{Event, Principal},
    ids::NodeId,
    node::Kind,
    task::{Progress, TaskCommand, TaskSpec},
};
use worknode_daemon::daemon::journal_path;
use worknode_journal::{Durability, Journal};
use worknode_policies::authority::Authority;
use worknode_tests::made;

use super::{Found, LIMIT, REPORTS};
use crate::{Failure, scene};

/// Drafts of one request.
const CHUNK: usize = 4_000;

/// Works off what is ready with so many agents.
pub(super) async fn run(runtime: &Runtime, agents: usize, pause: Duration) -> Result<Found, Failure> {
    let system = runtime.system().clone();
    let found = Arc::new(Mutex::new(Found::default()));
    let begun = Instant::now();
    let workers: Vec<_> = (0..agents)
        .map(|agent| {
            let (system, found) = (system.clone(), Arc::clone(&found));
            tokio::spawn(async move {
                // With a pause, not all at once: as agents are that work on something.
                tokio::time::sleep(pause * u32::try_from(agent)? / u32::try_from(agents)?).await;
                let own = work(&system, agent, begun, pause).await?;
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

async fn work(system: &System, agent: usize, begun: Instant, pause: Duration) -> Result<Found, Failure> {
    let operator = Arc::new(Authority::whole(Principal::Operator));
    let mut found = Found::default();
    while begun.elapsed() < LIMIT {
        let asked = Instant::now();
        let won = match claim_next(system, &operator, wanted(agent)).await {
            Ok(won) => won,
            Err(error) if error.code == Code::NotFound => break,
            Err(error) => return Err(error.into()),
        };
        found.claims.push(asked.elapsed());
        for report in 0..REPORTS {
            let progress = Progress {
                percent: u8::try_from(report * 10).ok(),
                message: "half of it".to_owned(),
            };
            system
                .report_progress(&operator, won.task, won.epoch, progress)
                .await?;
        }
        let block = TaskCommand::Block {
            epoch: won.epoch,
            reason: "done as far as this goes".to_owned(),
        };
        system
            .ask(&operator, won.task, Command::Task(block), None)
            .await?;
        found.tasks += 1;
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
    found.starved = usize::from(found.tasks == 0);
    Ok(found)
}

fn wanted(agent: usize) -> Wanted {
    Wanted {
        holder: holder(agent),
        name: format!("agent-{agent}"),
        lease: bounds::LEASE,
        scope: NodeId::ROOT,
        skills: std::collections::BTreeSet::new(),
        fits: None,
        steal: None,
        wait: Duration::ZERO,
    }
}

/// Reports as fast as so many agents make them, ten times a second each; answers how many a second
/// were acknowledged, and how much of one core that took.
pub(super) async fn reports(runtime: &Runtime, agents: usize, time: Duration) -> Result<[f64; 2], Failure> {
    let system = runtime.system().clone();
    let operator = Arc::new(Authority::whole(Principal::Operator));
    let mut held = Vec::with_capacity(agents);
    for agent in 0..agents {
        held.push(claim_next(&system, &operator, wanted(agent)).await?);
    }
    let (begun, cpu) = (Instant::now(), super::cpu()?);
    let round = Duration::from_millis(100);
    let workers: Vec<_> = held
        .into_iter()
        .enumerate()
        .map(|(agent, won)| {
            let (system, operator) = (system.clone(), Arc::clone(&operator));
            tokio::spawn(async move {
                let first = round * u32::try_from(agent)? / u32::try_from(agents)?;
                let mut due = tokio::time::interval_at((begun + first).into(), round);
                let mut made = 0_u64;
                while begun.elapsed() < time {
                    due.tick().await;
                    let progress = Progress {
                        percent: Some(50),
                        message: format!("step {made}"),
                    };
                    system
                        .report_progress(&operator, won.task, won.epoch, progress)
                        .await?;
                    made += 1;
                }
                Ok::<_, Failure>(made)
            })
        })
        .collect();
    let mut made = 0;
    for worker in workers {
        made += worker.await??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    Ok([made as f64 / seconds, (super::cpu()? - cpu) / seconds])
}

/// The holders and the tasks, ready, in the store of `dir`.
pub(super) async fn prepare(dir: &Path, agents: usize, tasks: usize) -> Result<(), Failure> {
    let path = journal_path(dir);
    std::fs::create_dir_all(path.parent().unwrap_or(dir))?;
    // The runtime makes the root and the team.
    let first = scene::runtime(dir).await?;
    first.shutdown("only to begin").await;
    first.system().journal().close().await?;
    drop(first);
    let journal = Journal::open(&path, Arc::new(worknode_actors::clock::SystemClock))?;
    let mut drafts = vec![
        made::plain(place("people"), NodeId::ROOT, Kind::Team, "people"),
        made::plain(place("backlog"), NodeId::ROOT, Kind::Phase, "backlog"),
    ];
    drafts.extend((0..agents).map(|agent| {
        let name = format!("agent-{agent}");
        made::plain(holder(agent), place("people"), Kind::Document, name)
    }));
    for task in 0..tasks {
        let id = place(&format!("task {task}"));
        drafts.push(made::task(id, place("backlog"), spec(task)));
        drafts.push(made::happened(id, Event::TaskReady));
    }
    for chunk in drafts.chunks(CHUNK) {
        journal.append(chunk.to_vec(), Durability::Durable).await?;
    }
    Ok(journal.close().await?)
}

fn place(name: &str) -> NodeId {
    NodeId::derived(NodeId::ROOT, name)
}

pub(super) fn holder(agent: usize) -> NodeId {
    place(&format!("agent {agent}"))
}

fn spec(task: usize) -> TaskSpec {
    TaskSpec {
        prompt: super::prompt(task),
        priority: i32::try_from(task % 3).unwrap_or(0),
        ..made::bare_task(super::title(task))
    }
}
