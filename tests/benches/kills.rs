//! Stopping many runs at once, each with a process that forked twice, has a session of its own
//! and does not hear TERM; against a signal to the process group, and, when asked for, against
//! other supervisors.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use worknode_process::Shim;

use crate::{
    Bench, Failure,
    report::{Figure, Unit},
    runs, supervisors,
};

/// Between TERM and KILL.
pub(crate) const GRACE: Duration = Duration::from_millis(200);

/// What a way of stopping came to.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Seconds until it said that all is over, with the time that it was told to wait.
    pub(crate) seconds: f64,
    /// What lived afterwards.
    pub(crate) survivors: usize,
}

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let counts: &[usize] = bench.load(&[1, 10, 100, 1_000], &[1, 3]);
    let mut figures = Vec::new();
    for count in counts.iter().copied() {
        let dir = tempfile::tempdir()?;
        let raw = bench.tokio.block_on(raw(dir.path(), count))?;
        let ours = bench.tokio.block_on(ours(dir.path(), count))?;
        let plain = "baseline: TERM, grace, KILL to each process group, until each leader is reaped";
        let (beyond, grace) = ("beyond grace", GRACE.as_secs_f64());
        figures.extend(compared(
            count,
            "a kill of the group",
            (beyond, grace),
            [&ours, &raw],
            plain,
        ));
        if bench.supervisors {
            for (name, theirs) in bench.tokio.block_on(supervisors::all(dir.path(), count)) {
                // Whose grace is not used up: they wait for no more than the leaders.
                let load =
                    format!("baseline: {name}, from its stop order until it says that all are stopped");
                figures.extend(compared(
                    count,
                    name,
                    ("from order to end", 0.0),
                    [&ours, &theirs],
                    &load,
                ));
            }
        }
    }
    Ok(figures)
}

/// The time, without so much of it, and the survivors.
fn compared(
    count: usize,
    whom: &str,
    (time, without): (&str, f64),
    [ours, theirs]: [&Outcome; 2],
    load: &str,
) -> [Figure; 2] {
    let load = format!(
        "grace {} ms, all in parallel, {} processes; {load}",
        GRACE.as_millis(),
        2 * count
    );
    let figure = |what: &str, unit, ours, baseline| Figure {
        what: format!("kill of {count}, {what}, against {whom}"),
        unit,
        ours,
        baseline,
        load: load.clone(),
    };
    let seconds = |outcome: &Outcome| (outcome.seconds - without).max(0.0);
    let number = |outcome: &Outcome| outcome.survivors as f64;
    [
        figure(time, Unit::Seconds, seconds(ours), seconds(theirs)),
        figure("survivors", Unit::Processes, number(ours), number(theirs)),
    ]
}

async fn ours(root: &Path, count: usize) -> Result<Outcome, Failure> {
    let load = format!("ours-{count}-{}", std::process::id());
    let shims = runs::start_all(root, 0..count, &runs::escaping(&load)).await?;
    runs::load_is(&load, 2 * count).await?;
    let begun = Instant::now();
    let stop = |shim: Shim| async move {
        let report = shim.stopper().stop(GRACE).await;
        // With this its record is on the disk.
        shim.wait().await;
        report
    };
    let reports = runs::each(&shims, stop).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let outcome = survived(&load, seconds)?;
    let unproved = reports.iter().filter(|report| !report.gone()).count();
    if unproved > 0 && outcome.survivors == 0 {
        return Err(format!("{unproved} of {count} receipts do not say that all is gone").into());
    }
    Ok(outcome)
}

/// What one does without a supervisor.
async fn raw(root: &Path, count: usize) -> Result<Outcome, Failure> {
    let load = format!("raw-{count}-{}", std::process::id());
    let mut children = Vec::new();
    for _ in 0..count {
        children.push(runs::bare(root, &runs::escaping(&load))?);
    }
    runs::load_is(&load, 2 * count).await?;
    let begun = Instant::now();
    runs::signal_groups(&children, "TERM")?;
    tokio::time::sleep(GRACE).await;
    runs::signal_groups(&children, "KILL")?;
    for child in &mut children {
        child.wait()?;
    }
    survived(&load, begun.elapsed().as_secs_f64())
}

/// Counts what lives of a load, and ends it.
pub(crate) fn survived(load: &str, seconds: f64) -> Result<Outcome, Failure> {
    let survivors = runs::of_load(load).len();
    runs::kill_load(load)?;
    Ok(Outcome { seconds, survivors })
}
