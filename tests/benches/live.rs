//! A thousand runs that live: what they cost while nothing happens, and how fast one knows how
//! they are.

use std::{fs, thread, time::Duration};

use crate::{
    Bench, Failure,
    keep::{ENDS, Keeper, STATUS},
    measure::Samples,
    report::{Figure, Unit},
    role,
};

const ASKED: usize = 10;
/// Most memory that a shim may have in view, in bytes.
const SHIM_RSS: f64 = 4e6;

/// What a keeper and what is above its agents come to.
struct Cost {
    /// Bytes of the keeper for each run.
    keeper: f64,
    above: Memory,
    /// Processor time in seconds for each second in which nothing happened: keeper, the others.
    idle: [f64; 2],
    /// Seconds to ask for all.
    status: Samples,
}

/// Bytes of one process on average.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    resident: f64,
    /// Its share of what it shares, and what it has alone.
    proportional: f64,
    private: f64,
    /// What the largest of them has in view.
    largest: f64,
}

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let count = bench.load(1_000, 5);
    let idle = bench.load(Duration::from_secs(10), Duration::from_millis(100));
    let (ours_dir, bare_dir) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let mut bare = Keeper::start(role::CHILDREN, bare_dir.path(), count)?;
    let baseline = cost(&mut bare, count, idle)?;
    bare.end()?;
    let mut keeper = Keeper::start(role::RUNS, ours_dir.path(), count)?;
    let ours = cost(&mut keeper, count, idle)?;
    let times = bench.load(100, 3);
    let [median, p99]: [f64; 2] = keeper.ask(&format!("{ENDS} {times}"))?;
    keeper.end()?;
    let mut figures = figures(count, idle, &ours, &baseline);
    for (what, seconds) in [("median", median), ("p99", p99)] {
        figures.push(Figure {
            what: format!("agent's exit to the daemon's view beside {count} runs, {what}"),
            unit: Unit::Seconds,
            ours: seconds,
            baseline: 0.050,
            load: format!("{times} times; baseline: the 50 ms that it may take at most"),
        });
    }
    Ok(figures)
}

fn cost(keeper: &mut Keeper, count: usize, idle: Duration) -> Result<Cost, Failure> {
    // What the start left to do is done, and the pauses of those who measure have grown.
    thread::park_timeout(idle * 3);
    let keeper_pid = [keeper.pid()];
    let before = [busy(&keeper_pid)?, busy(&keeper.kept.above)?];
    thread::park_timeout(idle);
    let after = [busy(&keeper_pid)?, busy(&keeper.kept.above)?];
    let mut status = Vec::new();
    for _ in 0..ASKED {
        status.push(keeper.ask::<Duration>(STATUS)?);
    }
    Ok(Cost {
        keeper: (keeper.kept.after as f64 - keeper.kept.before as f64) / count as f64,
        above: memory(&keeper.kept.above)?,
        idle: [0, 1].map(|at| (after[at] - before[at]) / idle.as_secs_f64()),
        status: Samples::from_iter(status),
    })
}

fn figures(count: usize, idle: Duration, ours: &Cost, baseline: &Cost) -> Vec<Figure> {
    let shims = format!("{count} runs that sleep, on average; baseline: a shell that waits for the same");
    let daemon = format!("growth of a process with {count} runs; baseline: with as many bare children");
    let still = format!(
        "{count} runs that sleep, {} s; baseline: shells and a program that keeps them",
        idle.as_secs_f64()
    );
    let asked =
        format!("all {count} asked for their resources at once; baseline: two files of /proc of each child");
    let figure = |what: &str, unit, ours, baseline, load: &str| Figure {
        what: what.to_owned(),
        unit,
        ours,
        baseline,
        load: load.to_owned(),
    };
    let (above, shells) = (ours.above, baseline.above);
    vec![
        figure(
            "memory of a shim, PSS",
            Unit::Bytes,
            above.proportional,
            shells.proportional,
            &shims,
        ),
        figure(
            "memory of a shim, private",
            Unit::Bytes,
            above.private,
            shells.private,
            &shims,
        ),
        figure(
            "memory of a shim, RSS",
            Unit::Bytes,
            above.resident,
            shells.resident,
            &shims,
        ),
        figure(
            "memory of the largest shim, RSS",
            Unit::Bytes,
            above.largest,
            SHIM_RSS,
            &format!("{count} runs that sleep; baseline: the 4 MB that it may have at most"),
        ),
        figure(
            "memory of the daemon for a live run",
            Unit::Bytes,
            ours.keeper,
            baseline.keeper,
            &daemon,
        ),
        figure(
            "idle: processor time of the daemon",
            Unit::OfOneCore,
            ours.idle[0],
            baseline.idle[0],
            &still,
        ),
        figure(
            "idle: processor time of all shims",
            Unit::OfOneCore,
            ours.idle[1],
            baseline.idle[1],
            &still,
        ),
        figure(
            "status of all live runs, median",
            Unit::Seconds,
            ours.status.median(),
            baseline.status.median(),
            &asked,
        ),
        figure(
            "status of all live runs, the slowest",
            Unit::Seconds,
            ours.status.p99(),
            baseline.status.p99(),
            &asked,
        ),
    ]
}

/// Seconds that these processes have been on a processor, all their threads.
fn busy(pids: &[u32]) -> Result<f64, Failure> {
    let mut nanos = 0_u64;
    for pid in pids {
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            nanos += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
    }
    Ok(Duration::from_nanos(nanos).as_secs_f64())
}

fn memory(pids: &[u32]) -> Result<Memory, Failure> {
    let mut sum = Memory::default();
    for pid in pids {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        for line in rollup.lines() {
            let mut words = line.split_ascii_whitespace();
            let field = words.next().unwrap_or_default();
            let mut bytes = || Ok::<_, Failure>(words.next().unwrap_or_default().parse::<f64>()? * 1024.0);
            match field {
                "Rss:" => {
                    let resident = bytes()?;
                    sum.resident += resident;
                    sum.largest = sum.largest.max(resident);
                }
                "Pss:" => sum.proportional += bytes()?,
                "Private_Clean:" | "Private_Dirty:" => sum.private += bytes()?,
                _ => {}
            }
        }
    }
    let count = pids.len() as f64;
    Ok(Memory {
        resident: sum.resident / count,
        proportional: sum.proportional / count,
        private: sum.private / count,
        largest: sum.largest,
    })
}
