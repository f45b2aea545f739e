//! How long a new daemon takes to have all runs of one that was killed.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use worknode_process::{Adopted, Shim, adopt};

use crate::{
    Bench, Failure,
    keep::Keeper,
    report::{Figure, Unit},
    role, runs,
};

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let counts: &[usize] = bench.load(&[100, 1_000], &[5]);
    counts.iter().map(|count| adopted(bench, *count)).collect()
}

fn adopted(bench: &Bench, count: usize) -> Result<Figure, Failure> {
    let dir = tempfile::tempdir()?;
    let keeper = Keeper::start(role::RUNS, dir.path(), count)?;
    let above = keeper.kept.above.clone();
    keeper.kill()?;
    let baseline = looked_at(&above)?;
    let (ours, lost) = bench.tokio.block_on(async {
        let (shims, lost, time) = adopt_all(dir.path(), count).await?;
        runs::end_all(&shims).await?;
        Ok::<_, Failure>((time, lost))
    })?;
    if let Some(lost) = lost {
        return Err(lost);
    }
    Ok(Figure {
        what: format!("adoption of {count} runs after kill -9"),
        unit: Unit::Seconds,
        ours: ours.as_secs_f64(),
        baseline: baseline.as_secs_f64(),
        load: "until all are held again; baseline: one look in /proc whether each process is there"
            .to_owned(),
    })
}

/// Those that live, why another was not adopted, and how long it all took.
async fn adopt_all(root: &Path, count: usize) -> Result<(Vec<Shim>, Option<Failure>, Duration), Failure> {
    let begun = Instant::now();
    let adopting = (0..count).map(|number| {
        let dir = root.join(number.to_string());
        tokio::spawn(async move { adopt(&dir, runs::run_id(&dir), &runs::secret()).await })
    });
    let (mut shims, mut lost) = (Vec::new(), None);
    for adopted in adopting.collect::<Vec<_>>() {
        match adopted.await? {
            Ok(Adopted::Live(shim)) => shims.push(shim),
            other => lost = Some(format!("a run was not adopted: {other:?}").into()),
        }
    }
    Ok((shims, lost, begun.elapsed()))
}

fn looked_at(pids: &[u32]) -> Result<Duration, Failure> {
    let begun = Instant::now();
    for pid in pids {
        std::fs::read(format!("/proc/{pid}/stat"))?;
    }
    Ok(begun.elapsed())
}
