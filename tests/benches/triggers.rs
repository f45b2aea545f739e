//! A hundred thousand cron triggers: what it costs to load and to keep them, and how late those
//! act that are all due at the same instant.
//!
//! The first to be due share one second; the others are due once a year. Late is the time from
//! that second until the firing, with its deed and its outcome, has come out of the journal: it is
//! on the disk then. The baseline is a bare timer that wakes up at the same second and appends as
//! many events one by one to the same kind of journal.
//!
//! As any first start of the process is slower than the next, load is that of a store that knows
//! the triggers already, and the first load is told beside it.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use tokio::time::sleep;
use worknode_actors::{runtime::Runtime, system::System};
use worknode_core::{
    event::{Event, Principal},
    time::Timestamp,
};
use worknode_tests::scene::Scene;

use crate::{
    Bench, Failure,
    measure::{Samples, timed, wall_nanos},
    population::resident,
    report::{Figure, Unit},
    scene::runtime,
};

/// How long the idle runtime is watched.
const IDLE: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(30);
const NANOS_OF_A_MILLISECOND: u128 = 1_000_000;

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let (all, together) = bench.load((100_000, 1_000), (1_000, 100));
    let idle = bench.load(IDLE, Duration::from_millis(200));
    bench.tokio.block_on(async {
        let (none, bare_load) = {
            let scene = team(0, 0, 0)?;
            let (empty, load) = timed(runtime(scene.path())).await;
            let empty = empty?;
            let none = resident()?;
            empty.shutdown("measured").await;
            (none, load)
        };
        // Far enough ahead for two loads, however slow the machine is today.
        let second = (now_millis() / 1_000 + bench.load(120, 8)) % 60;
        let scene = team(all, together, second)?;
        let (first, first_load) = timed(runtime(scene.path())).await;
        end(first?).await?;
        let (again, load) = timed(runtime(scene.path())).await;
        let again = again?;
        let memory = resident()?.saturating_sub(none);
        let used = processor_time()?;
        sleep(idle).await;
        let used = (processor_time()? - used).as_secs_f64() / idle.as_secs_f64();
        let late = lateness(again.system(), together, second).await?;
        let bare = bare(again.system(), together).await?;
        again.shutdown("the benchmark is over").await;
        let load_words = format!("{all} cron triggers; first load {:.2} s; baseline: no triggers", first_load.as_secs_f64());
        let due_words = format!("{together} of {all} due in the same second, each a message to the operator; baseline: as many appends, one after the other");
        let figure = |what: &str, unit, ours, baseline, load: &str| Figure {
            what: what.to_owned(),
            unit,
            ours,
            baseline,
            load: load.to_owned(),
        };
        let max = |samples: &[f64]| samples.iter().copied().fold(0.0, f64::max);
        let (ours, base): (Samples, Samples) = (late.iter().copied().collect(), bare.iter().copied().collect());
        Ok(vec![
            figure("triggers, load", Unit::Seconds, load.as_secs_f64(), bare_load.as_secs_f64(), &load_words),
            figure("triggers, memory of each", Unit::Bytes, memory as f64 / all as f64, f64::NAN, &load_words),
            figure("triggers, idle", Unit::OfOneCore, used, f64::NAN, &load_words),
            figure("triggers, due to journalled, median", Unit::Seconds, ours.median(), base.median(), &due_words),
            figure("triggers, due to journalled, p99", Unit::Seconds, ours.p99(), base.p99(), &due_words),
            figure("triggers, due to journalled, last", Unit::Seconds, max(&late), max(&bare), &due_words),
        ])
    })
}

/// A team with so many triggers, of which some are due at this second of each minute.
fn team(all: usize, together: usize, second: u64) -> Result<Scene, Failure> {
    let scene = Scene::new();
    let mut config = "[team]\nname = \"bench\"\n\n".to_owned();
    for at in 0..all {
        let cron = if at < together {
            format!("{second} * * * * *")
        } else {
            format!("0 {} {} 1 1 *", at % 60, at / 60 % 24)
        };
        config += &format!("[[trigger]]\nname = \"t{at}\"\ncron = \"{cron}\"\nnotify = \"operator\"\n");
    }
    scene.write("worknode.toml", &config);
    scene.commit("team");
    Ok(scene)
}

async fn end(runtime: Runtime) -> Result<(), Failure> {
    runtime.shutdown("measured").await;
    runtime.system().journal().close().await?;
    Ok(())
}

/// Waits for the second, and says how late each firing of it was, in seconds.
async fn lateness(system: &System, together: usize, second: u64) -> Result<Vec<f64>, Failure> {
    let now = now_millis() / 1_000;
    // Not the one that is just going by.
    let wait = (second + 60 - (now + 2) % 60) % 60 + 2;
    let due = Timestamp::from_millis((now + wait) * 1_000);
    let mut follower = system.journal().follow(system.journal().last_stamp());
    let mut waiting = HashSet::new();
    let mut late = Vec::new();
    let limit = Instant::now() + Duration::from_secs(wait) + PATIENCE;
    while late.len() < together {
        let left = limit.saturating_duration_since(Instant::now());
        let records = tokio::time::timeout(left, follower.next(1_024)).await??;
        let seen = wall_nanos();
        for record in records {
            match &record.event {
                Event::TriggerFired {
                    occurrence,
                    trigger,
                    due: of,
                    ..
                } if *of == due => {
                    waiting.insert((trigger.clone(), occurrence.clone()));
                }
                Event::TriggerActed {
                    occurrence, trigger, ..
                } if waiting.remove(&(trigger.clone(), occurrence.clone())) => {
                    let at = u128::from(due.as_millis()) * NANOS_OF_A_MILLISECOND;
                    late.push(seen.saturating_sub(at) as f64 / 1e9);
                }
                _ => {}
            }
        }
    }
    Ok(late)
}

/// The plain way: at one instant, one append after the other.
async fn bare(system: &System, count: usize) -> Result<Vec<f64>, Failure> {
    let begun = Instant::now();
    let mut late = Vec::new();
    for at in 0..count {
        let event = Event::Notified {
            to: "operator".to_owned(),
            message: format!("t{at} is due"),
        };
        system
            .record(Principal::Operator, system.team().node(), vec![event])
            .await?;
        late.push(begun.elapsed().as_secs_f64());
    }
    Ok(late)
}

/// What this process has had of the processor, in hundredths of a second.
fn processor_time() -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = stat.rsplit_once(')').ok_or("an odd stat")?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let mut ticks = || -> Result<u64, Failure> { Ok(fields.next().ok_or("a short stat")?.parse()?) };
    let sum = ticks()? + ticks()?;
    Ok(Duration::from_millis(sum * 10))
}

fn now_millis() -> u64 {
    u64::try_from(wall_nanos() / NANOS_OF_A_MILLISECOND).unwrap_or(u64::MAX)
}
