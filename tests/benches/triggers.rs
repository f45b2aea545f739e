//! Ten thousand and a hundred thousand cron triggers: what it costs to load and to keep them, and how
//! late those act that are all due at the same instant.
//!
//! The first to be due share one second; the others are due once a year. Late is the time from
//! that second until the firing, with its deed and its outcome, has come out of the journal: it is
//! on the disk then. The baseline is a bare timer that wakes up at the same second and appends as
//! many events one by one to the same kind of journal; ten thousand stand beside APScheduler and
//! node-cron too, whose jobs note the time and are on no disk.
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
    schedulers,
};

/// How long the idle runtime is watched.
const IDLE: Duration = Duration::from_secs(5);
/// So many stand beside other schedulers.
const BESIDE_OTHERS: usize = 10_000;
const PATIENCE: Duration = Duration::from_secs(30);
const NANOS_OF_A_MILLISECOND: u128 = 1_000_000;

/// What so many triggers came to: ours, the plain way, or those of another scheduler.
struct Measured {
    load: f64,
    /// Bytes of each.
    memory: f64,
    idle: f64,
    late: Vec<f64>,
}

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let idle = bench.load(IDLE, Duration::from_millis(200));
    let together = bench.load(1_000, 100);
    bench.tokio.block_on(async {
        let mut figures = Vec::new();
        let usual = bench.load(vec![BESIDE_OTHERS, 100_000], vec![1_000]);
        for all in bench.size.map_or(usual, |size| vec![size]) {
            let (ours, plain, first) = measured(bench, all, together, idle).await?;
            let words = format!(
                "{all} cron triggers, {together} due in the same second, each a message to the operator; first load {first:.2} s; baseline: no triggers, and as many appends, one after the other"
            );
            figures.extend(compared(&format!("{all} triggers"), &ours, &plain, &words));
            if all == BESIDE_OTHERS {
                figures.extend(others(all, together, idle, &ours).await?);
            }
        }
        Ok(figures)
    })
}

/// The same figures beside those of other schedulers that can be had.
async fn others(
    all: usize,
    together: usize,
    idle: Duration,
    ours: &Measured,
) -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    for theirs in schedulers::all(all, together, idle).await? {
        let what = format!("{all} triggers and {}", theirs.name);
        let words = format!(
            "{together} of {all} due in the same second; baseline: {}, its jobs in memory alone, each notes the time",
            theirs.name
        );
        let theirs = Measured {
            load: theirs.load,
            memory: theirs.memory / all as f64,
            idle: theirs.idle,
            late: theirs.late,
        };
        figures.extend(compared(&what, ours, &theirs, &words));
    }
    Ok(figures)
}

/// Ours, the plain way, and the seconds of the first load.
async fn measured(
    bench: &Bench,
    all: usize,
    together: usize,
    idle: Duration,
) -> Result<(Measured, Measured, f64), Failure> {
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
    let_it_pass(second, idle).await;
    let used = processor_time()?;
    sleep(idle).await;
    let used = processor_time()?.saturating_sub(used);
    let late = lateness(again.system(), together, second).await?;
    let bare = bare(again.system(), together).await?;
    again.shutdown("the benchmark is over").await;
    let ours = Measured {
        load: load.as_secs_f64(),
        memory: memory as f64 / all as f64,
        idle: used.as_secs_f64() / idle.as_secs_f64(),
        late,
    };
    let plain = Measured {
        load: bare_load.as_secs_f64(),
        memory: f64::NAN,
        idle: f64::NAN,
        late: bare,
    };
    Ok((ours, plain, first_load.as_secs_f64()))
}

/// Waits until the second has gone by when it would come while the idle runtime is watched.
async fn let_it_pass(second: u64, idle: Duration) {
    let left = (second + 60 - now_millis() / 1_000 % 60) % 60;
    if left <= idle.as_secs() + 1 {
        sleep(Duration::from_secs(left + 2)).await;
    }
}

fn compared(who: &str, ours: &Measured, theirs: &Measured, load: &str) -> Vec<Figure> {
    let figure = |what: &str, unit, ours, baseline| Figure {
        what: format!("{who}, {what}"),
        unit,
        ours,
        baseline,
        load: load.to_owned(),
    };
    let max = |samples: &[f64]| samples.iter().copied().fold(0.0, f64::max);
    let samples = |measured: &Measured| measured.late.iter().copied().collect::<Samples>();
    let (late, base) = (samples(ours), samples(theirs));
    vec![
        figure("load", Unit::Seconds, ours.load, theirs.load),
        figure("memory of each", Unit::Bytes, ours.memory, theirs.memory),
        figure("idle", Unit::OfOneCore, ours.idle, theirs.idle),
        figure(
            "due to journalled, median",
            Unit::Seconds,
            late.median(),
            base.median(),
        ),
        figure("due to journalled, p99", Unit::Seconds, late.p99(), base.p99()),
        figure(
            "due to journalled, last",
            Unit::Seconds,
            max(&ours.late),
            max(&theirs.late),
        ),
    ]
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
