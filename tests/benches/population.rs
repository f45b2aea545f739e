//! What a Worknode costs: in memory while it is active and while it is not, and to wake it up.
//!
//! Each process of this benchmark is a fresh one, so that what an allocator keeps of one
//! measurement is not counted in the next. The baseline of memory is what anything that keeps a
//! task for each object has at least: a bare task with a bounded channel.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::sync::{mpsc, oneshot};
use worknode_actors::{clock::SystemClock, runtime::Runtime, system::System};
use worknode_core::{
    bounds,
    command::Command as Ask,
    event::{Draft, Event, Principal},
    ids::NodeId,
    node::{Detail, Kind, NodeSpec},
};
use worknode_daemon::daemon::journal_path;
use worknode_journal::{Durability, Journal};

use crate::{
    Bench, Failure,
    measure::{Samples, timed},
    report::{Figure, Unit},
    role, scene,
    scene::Stage,
};

/// Worknodes stored in one transaction.
const CHUNK: usize = 5_000;
/// Worknodes whose first answer is timed.
const WOKEN: usize = 2_000;
/// Who asks at the same time.
const ASKERS: usize = 64;
/// How long all of them may take to become data again.
const PASSIVATION: Duration = Duration::from_secs(60);

/// What a process with Worknodes found; memory in bytes of the whole process.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    /// After every Worknode was read once: the store's own caches are full.
    warm: u64,
    /// With all of them active.
    active: u64,
    /// With none active again.
    passivated: u64,
    /// Seconds until the first answer of a Worknode that was not active: median, p99.
    woken: [f64; 2],
    /// Seconds of a plain read of one.
    read: [f64; 2],
}

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let count = bench.load(100_000, 5_000);
    let (full, empty) = (Stage::new("")?, Stage::new("")?);
    bench.tokio.block_on(populate(full.scene.path(), count))?;
    bench.tokio.block_on(populate(empty.scene.path(), 0))?;
    let dir = |stage: &Stage| stage.scene.path().to_string_lossy().into_owned();
    let few: u64 = child(&[role::STARTED, &dir(&empty)])?;
    let many: u64 = child(&[role::STARTED, &dir(&full)])?;
    let all: Found = child(&[role::WORKNODES, &dir(&full), &count.to_string()])?;
    let bare: u64 = child(&[role::TASKS, &count.to_string()])?;
    Ok(figures(count, [few, many], &all, bare))
}

fn figures(count: usize, [few, many]: [u64; 2], all: &Found, bare: u64) -> Vec<Figure> {
    let each = |more: u64, less: u64| (more as f64 - less as f64) / count as f64;
    let bytes = |what: &str, ours, load: &str| Figure {
        what: format!("memory of a Worknode, {what}"),
        unit: Unit::Bytes,
        ours,
        baseline: bare as f64 / count as f64,
        load: format!(
            "{load}; baseline: a bare task with a channel of {} each",
            bounds::MAILBOX
        ),
    };
    let time = |what: &str, at: usize| Figure {
        what: format!("first answer of a passivated Worknode, {what}"),
        unit: Unit::Seconds,
        ours: all.woken[at],
        baseline: all.read[at],
        load: format!(
            "one of {count} stored is asked `Get`, one at a time; baseline: a plain read of the store"
        ),
    };
    let active = format!("{count} active at once, growth of the process's resident set");
    let since =
        format!("the same process after all {count} were active: what the allocator keeps is counted");
    let never = format!("a started runtime on {count} stored, less one on an empty store");
    vec![
        bytes("active", each(all.active, all.warm), &active),
        bytes("passivated again", each(all.passivated, all.warm), &since),
        bytes("never asked", each(many, few), &never),
        time("median", 0),
        time("p99", 1),
    ]
}

/// Starts this program again in a role, and reads what it found.
fn child<T: DeserializeOwned>(role: &[&str]) -> Result<T, Failure> {
    let mut command = Command::new(scene::program()?);
    command
        .arg(role::FLAG)
        .args(role)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("the role {role:?} failed: {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Stores so many plain Worknodes below as few parents as the bounds allow.
async fn populate(dir: &Path, count: usize) -> Result<(), Failure> {
    let path = journal_path(dir);
    std::fs::create_dir_all(path.parent().unwrap_or(dir))?;
    let journal = Journal::open(&path, Arc::new(SystemClock))?;
    let mut drafts = vec![created(NodeId::ROOT, None)];
    drafts.extend((0..parents(count)).map(|n| created(parent(n), Some(NodeId::ROOT))));
    drafts.extend((0..count).map(|n| created(worknode(n), Some(parent(n / bounds::CHILDREN)))));
    for chunk in drafts.chunks(CHUNK) {
        journal.append(chunk.to_vec(), Durability::Durable).await?;
    }
    Ok(journal.close().await?)
}

/// What a store needs to have one more plain Worknode.
pub(crate) fn created(id: NodeId, parent: Option<NodeId>) -> Draft {
    let kind = if parent.is_none() {
        Kind::Organisation
    } else {
        Kind::Document
    };
    // The name that the runtime gives to the root that it makes.
    let name = if parent.is_none() {
        "root".to_owned()
    } else {
        id.to_string()
    };
    let node = NodeSpec::new(parent, kind, name, Detail::Plain);
    Draft {
        node: id,
        by: Principal::Operator,
        cause: None,
        event: Event::NodeCreated { node },
    }
}

const fn parents(count: usize) -> usize {
    count.div_ceil(bounds::CHILDREN)
}

fn parent(number: usize) -> NodeId {
    NodeId::derived(NodeId::ROOT, &format!("shelf {number}"))
}

fn worknode(number: usize) -> NodeId {
    NodeId::derived(NodeId::ROOT, &format!("document {number}"))
}

/// The role of a process that has only started on a store: prints its size in bytes.
pub(crate) fn started(dir: &Path) -> Result<(), Failure> {
    let size = tokio::runtime::Runtime::new()?.block_on(async {
        let _runtime = scene::runtime(dir).await?;
        resident()
    })?;
    println!("{size}");
    Ok(())
}

/// The role of a process that has all of them: active, and data again.
pub(crate) fn worknodes(dir: &Path, count: usize) -> Result<(), Failure> {
    let ids: Vec<NodeId> = (0..count).map(worknode).collect();
    let found = tokio::runtime::Runtime::new()?.block_on(async {
        let runtime = scene::runtime(dir).await?;
        for id in &ids {
            runtime.system().reader().node(*id)?;
        }
        let warm = resident()?;
        let (woken, read) = wake_some(runtime.system(), &ids).await?;
        ask_all(runtime.system(), &ids).await?;
        let active = resident()?;
        let there = runtime.active().await;
        if there < count {
            return Err(format!("only {there} of {count} Worknodes are active").into());
        }
        passivate(&runtime).await?;
        let passivated = resident()?;
        Ok::<_, Failure>(Found {
            warm,
            active,
            passivated,
            woken,
            read,
        })
    })?;
    println!("{}", serde_json::to_string(&found)?);
    Ok(())
}

/// Asks some of them, which are not active, and reads as many others, in turns.
pub(crate) async fn wake_some(system: &System, ids: &[NodeId]) -> Result<([f64; 2], [f64; 2]), Failure> {
    let (mut woken, mut read) = (Vec::new(), Vec::new());
    for pair in ids.chunks_exact(2).take(WOKEN) {
        let (answer, time) = timed(system.command(pair[0], Ask::Get)).await;
        answer?;
        woken.push(time);
        let begun = Instant::now();
        system.reader().node(pair[1])?;
        read.push(begun.elapsed());
    }
    let [woken, read] = [woken, read]
        .map(Samples::from_iter)
        .map(|s| [s.median(), s.p99()]);
    Ok((woken, read))
}

async fn ask_all(system: &System, ids: &[NodeId]) -> Result<(), Failure> {
    let share = ids.len().div_ceil(ASKERS).max(1);
    let askers = ids.chunks(share).map(|mine| {
        let (system, mine) = (system.clone(), mine.to_vec());
        tokio::spawn(async move {
            for id in mine {
                system.command(id, Ask::Get).await?;
            }
            Ok::<_, worknode_core::error::Error>(())
        })
    });
    for asker in askers.collect::<Vec<_>>() {
        asker.await??;
    }
    Ok(())
}

async fn passivate(runtime: &Runtime) -> Result<(), Failure> {
    let end = Instant::now() + PASSIVATION;
    runtime.passivate(Duration::ZERO);
    while runtime.active().await > 0 {
        if Instant::now() > end {
            return Err("the Worknodes did not become data again".into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// The role of a process that has a bare task for each: prints its growth in bytes.
pub(crate) fn tasks(count: usize) -> Result<(), Failure> {
    let growth = tokio::runtime::Runtime::new()?.block_on(async {
        let before = resident()?;
        let tasks: Vec<_> = (0..count).map(|_| bare_task()).collect();
        for task in &tasks {
            let (reply, answer) = oneshot::channel();
            task.send(reply).await?;
            answer.await?;
        }
        Ok::<_, Failure>(resident()?.saturating_sub(before))
    })?;
    println!("{growth}");
    Ok(())
}

/// A task that answers whoever asks, and nothing else.
pub(crate) fn bare_task() -> mpsc::Sender<oneshot::Sender<u64>> {
    let (sender, mut inbox) = mpsc::channel::<oneshot::Sender<u64>>(bounds::MAILBOX);
    tokio::spawn(async move {
        let mut answered = 0;
        while let Some(reply) = inbox.recv().await {
            answered += 1;
            // Whoever has gone away needs no answer.
            let _ = reply.send(answered);
        }
    });
    sender
}

/// Bytes of this process in memory.
pub(crate) fn resident() -> Result<u64, Failure> {
    resident_of(std::process::id())
}

/// Bytes of a process in memory. Exact, where `statm` may be some pages behind.
pub(crate) fn resident_of(pid: u32) -> Result<u64, Failure> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Rss:"))
        .ok_or("the kernel shows no Rss")?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024)
}
