//! Claims under contention: claim, report ten times, end; a closed loop of 100 to 10,000 agents over
//! 10,000 tasks. Ours in one process and through the socket, against the SQLite coordination of
//! agent swarms.

mod baseline;
mod ours;
mod socket;

use std::time::Duration;

use worknode_tests::program;

use crate::{
    Bench, Failure,
    measure::Samples,
    report::{Figure, Unit},
    scene,
    scene::Stage,
};

/// Reports on each task.
const REPORTS: usize = 10;
/// How long one load may take; what is not done by then is not counted.
const LIMIT: Duration = Duration::from_secs(30);
/// How long an agent works on something else, where the load is not a flood.
const PAUSE: Duration = Duration::from_secs(4);

/// When the baseline's writes are on the disk. Ours are at once.
#[derive(Clone, Copy, Debug)]
enum Durability {
    Full,
    Normal,
}

impl Durability {
    const fn pragma(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
        }
    }
}

/// What one load came to.
#[derive(Debug, Default)]
struct Found {
    tasks: usize,
    claims: Vec<Duration>,
    /// Claims that somebody else was faster with.
    lost: usize,
    /// Writes that were refused because the store was busy.
    busy: usize,
    /// Agents that got nothing.
    starved: usize,
    seconds: f64,
    /// Processor time, that of the agents included.
    processor: f64,
    bytes: u64,
}

impl Found {
    fn add(&mut self, other: Self) {
        self.tasks += other.tasks;
        self.claims.extend(other.claims);
        self.lost += other.lost;
        self.busy += other.busy;
        self.starved += other.starved;
    }

    fn per_second(&self) -> f64 {
        self.tasks as f64 / self.seconds
    }

    fn p99(&self) -> f64 {
        self.claims.iter().copied().collect::<Samples>().p99()
    }

    fn median(&self) -> f64 {
        self.claims.iter().copied().collect::<Samples>().median()
    }

    fn in_words(&self) -> String {
        let worst = self.claims.iter().max().copied().unwrap_or_default();
        format!(
            "{} tasks, slowest claim {worst:.1?}, {} lost races, {} busy errors, {} starved, {:.1} s of \
             processor time, {} B each",
            self.tasks,
            self.lost,
            self.busy,
            self.starved,
            self.processor,
            self.bytes / u64::try_from(self.tasks.max(1)).unwrap_or(1)
        )
    }
}

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let tasks = bench.load(10_000, 300);
    let crowds = match bench.size {
        Some(agents) => vec![agents],
        None => bench.load(vec![100, 1_000, 10_000], vec![20]),
    };
    let mut figures = Vec::new();
    for agents in crowds {
        figures.extend(flood(bench, agents, tasks)?);
        figures.push(pauses(bench, agents, tasks)?);
    }
    figures.extend(reports(bench)?);
    Ok(figures)
}

/// What follows takes minutes: whoever waits sees how far it is.
fn told(what: &str, agents: usize, found: Found) -> Found {
    eprintln!(
        "  {what}, {agents} agents: {:.0} tasks/s; claims {:.2} ms, p99 {:.2} ms; {}",
        found.per_second(),
        found.median() * 1e3,
        found.p99() * 1e3,
        found.in_words()
    );
    found
}

/// All agents ask again as soon as they are answered.
fn flood(bench: &Bench, agents: usize, tasks: usize) -> Result<Vec<Figure>, Failure> {
    let dir = tempfile::tempdir()?;
    let plain = |durability: Durability| {
        let before = cpu()?;
        let path = dir.path().join(durability.pragma());
        let mut found = baseline::run(&path, agents, tasks, durability)?;
        found.processor = cpu()? - before;
        let what = format!("baseline, {}", durability.pragma());
        Ok::<_, Failure>(told(&what, agents, found))
    };
    let full = plain(Durability::Full)?;
    let normal = plain(Durability::Normal)?;
    let (one, socket) = ("in one process", "through the socket");
    let within = told(one, agents, in_process(bench, agents, tasks, Duration::ZERO)?);
    let through = told(socket, agents, through_socket(bench, agents, tasks)?);
    let figures = [
        compared(one, agents, &within, &full, Durability::Full),
        compared(one, agents, &within, &normal, Durability::Normal),
        compared(socket, agents, &through, &full, Durability::Full),
    ];
    Ok(figures.into_iter().flatten().collect())
}

/// The same agents, which work on something else between two tasks.
fn pauses(bench: &Bench, agents: usize, tasks: usize) -> Result<Figure, Failure> {
    let pause = bench.load(PAUSE, Duration::from_millis(10));
    let what = "in one process with pauses";
    let calm = told(what, agents, in_process(bench, agents, tasks, pause)?);
    Ok(Figure {
        what: format!("claims of {agents} agents that pause, p99"),
        unit: Unit::Seconds,
        ours: calm.p99(),
        baseline: pause.as_secs_f64(),
        load: format!(
            "{:.0} tasks/s offered and done; {}; baseline: the pause between two tasks of an agent",
            calm.per_second(),
            calm.in_words()
        ),
    })
}

fn compared(how: &str, agents: usize, ours: &Found, baseline: &Found, durability: Durability) -> [Figure; 3] {
    let load = format!(
        "claim, {REPORTS} reports, end; ours {}; baseline at {}: {}",
        ours.in_words(),
        durability.pragma(),
        baseline.in_words()
    );
    let figure = |what: &str, unit, ours, baseline| Figure {
        what: format!("{what} of {agents} agents {how}, {}", durability.pragma()),
        unit,
        ours,
        baseline,
        load: load.clone(),
    };
    [
        figure("tasks", Unit::PerSecond, ours.per_second(), baseline.per_second()),
        figure("claims, median,", Unit::Seconds, ours.median(), baseline.median()),
        figure("claims, p99,", Unit::Seconds, ours.p99(), baseline.p99()),
    ]
}

fn in_process(bench: &Bench, agents: usize, tasks: usize, pause: Duration) -> Result<Found, Failure> {
    let stage = Stage::new("")?;
    let path = worknode_daemon::daemon::journal_path(stage.scene.path());
    bench.tokio.block_on(async {
        ours::prepare(stage.scene.path(), agents, tasks).await?;
        let before = std::fs::metadata(&path)?.len();
        let runtime = scene::runtime(stage.scene.path()).await?;
        let cpu_before = cpu()?;
        let mut found = ours::run(&runtime, agents, pause).await?;
        found.processor = cpu()? - cpu_before;
        runtime.shutdown("the benchmark is over").await;
        runtime.system().journal().close().await?;
        found.bytes = std::fs::metadata(&path)?.len().saturating_sub(before);
        Ok(found)
    })
}

fn through_socket(bench: &Bench, agents: usize, tasks: usize) -> Result<Found, Failure> {
    let stage = Stage::new("")?;
    bench
        .tokio
        .block_on(ours::prepare(stage.scene.path(), agents, tasks))?;
    let path = worknode_daemon::daemon::journal_path(stage.scene.path());
    let before = std::fs::metadata(&path)?.len();
    let done = program::worknode(stage.scene.path(), ["up", "-d"]);
    if done.code != Some(0) {
        return Err(format!("no daemon: {done:?}").into());
    }
    let socket = stage.scene.file(".worknode/worknode.sock");
    let status = program::worknode(stage.scene.path(), ["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status.stdout)?;
    let daemon = status["daemon"]["pid"].to_string();
    let spent = || Ok::<_, Failure>(cpu()? + cpu_of(&daemon)?);
    let before_run = spent()?;
    let found = bench.tokio.block_on(socket::run(&socket, agents));
    let processor = spent()? - before_run;
    program::worknode(stage.scene.path(), ["down"]);
    let mut found = found?;
    found.processor = processor;
    found.bytes = std::fs::metadata(&path)?.len().saturating_sub(before);
    Ok(found)
}

/// Ten reports a second of each of 10,000 agents.
fn reports(bench: &Bench) -> Result<[Figure; 2], Failure> {
    let agents = bench.load(10_000, 50);
    let time = bench.load(Duration::from_secs(10), Duration::from_millis(300));
    let stage = Stage::new("")?;
    let [rate, cores] = bench.tokio.block_on(async {
        ours::prepare(stage.scene.path(), agents, agents).await?;
        let runtime = scene::runtime(stage.scene.path()).await?;
        let found = ours::reports(&runtime, agents, time).await?;
        runtime.shutdown("the benchmark is over").await;
        Ok::<_, Failure>(found)
    })?;
    let load =
        format!("{agents} agents, each reports every 100 ms for {time:?}; baseline: what that asks for");
    Ok([
        Figure {
            what: "progress reports acknowledged".to_owned(),
            unit: Unit::PerSecond,
            ours: rate,
            baseline: agents as f64 * 10.0,
            load: load.clone(),
        },
        Figure {
            what: "processor time for them, agents included".to_owned(),
            unit: Unit::OfOneCore,
            ours: cores,
            baseline: 1.0,
            load: load.replace("what that asks for", "half of a machine with two cores"),
        },
    ])
}

/// Processor seconds of this process so far.
fn cpu() -> Result<f64, Failure> {
    cpu_of("self")
}

/// Processor seconds of a process so far.
fn cpu_of(process: &str) -> Result<f64, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = |at: usize| {
        fields
            .split(' ')
            .nth(at)
            .and_then(|field| field.parse::<f64>().ok())
    };
    // User and system time, in hundredths of a second (proc(5)).
    let (user, system) = ticks(11)
        .zip(ticks(12))
        .ok_or("no processor time in /proc/self/stat")?;
    Ok((user + system) / 100.0)
}

fn title(task: usize) -> String {
    format!("task-{task}")
}

/// As long as a short prompt is.
fn prompt(task: usize) -> String {
    format!(
        "Do number {task}. {}",
        "Keep to the style of the files around it. ".repeat(10)
    )
}
