//! From the instant at which a trigger is due to the first line of the agent's program, against
//! a sleep until then and a bare spawn of the same program.
//!
//! The trigger is due at every whole second, the baseline half a second later, so that both see
//! the same machine and neither waits for the other.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;
use worknode_actors::system::System;
use worknode_core::{event::Event, hlc::Hlc, ids::RunId};
use worknode_triggers::Occurrence;

use crate::{
    Bench, Failure,
    measure::{Samples, seconds_between, wall_nanos},
    report::{Figure, Unit},
    scene::{Stage, read_stamps},
};

const EVERY_SECOND: &str =
    "[[trigger]]\nname = \"tick\"\nevery = \"1s\"\n[trigger.spawn]\nagent = \"probe\"\n";
/// How much longer than its firings the whole may take.
const PATIENCE: Duration = Duration::from_secs(30);
const NANOS_OF_A_SECOND: u128 = 1_000_000_000;
const NANOS_OF_A_MILLISECOND: u128 = 1_000_000;

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let firings = bench.load(25, 3);
    bench.tokio.block_on(async {
        let stage = Stage::new(EVERY_SECOND)?;
        let runtime = stage.start().await?;
        let system = runtime.system();
        let from = system.journal().last_stamp();
        let limit = Duration::from_secs(firings as u64) + PATIENCE;
        // The first run shows the environment that the baseline is to have.
        tokio::time::timeout(limit, runs_over(system, from, 1)).await??;
        let bare = stage.scene.file(".worknode/bare");
        let baseline = baseline(&stage, &bare, firings);
        let ours = tokio::time::timeout(limit, runs_over(system, from, firings + 1));
        let (due, ours) = tokio::join!(baseline, ours);
        let (due, began) = (due?, ours??);
        runtime.shutdown("the benchmark is over").await;
        // Whose first run prepared what later ones find.
        let ours: Samples = late(&began, &stage.stamps()?).into_iter().skip(1).collect();
        let bare = read_stamps(&bare)?;
        let bare: Samples = due.iter().zip(bare).map(|(due, (_, began))| seconds_between(*due, began)).collect();
        let figure = |what, ours, baseline| Figure {
            what: format!("trigger due to exec, {what}"),
            unit: Unit::Seconds,
            ours,
            baseline,
            load: format!("{firings} firings of `every = \"1s\"`, each a journalled run in a new clone; baseline: sleep, bare spawn"),
        };
        Ok(vec![
            figure("median", ours.median(), bare.median()),
            figure("p99", ours.p99(), bare.p99()),
        ])
    })
}

/// Follows the journal until so many runs are over, and says when each firing was due, by the
/// run that it started.
async fn runs_over(system: &System, from: Hlc, runs: usize) -> Result<HashMap<String, u128>, Failure> {
    let mut follower = system.journal().follow(from);
    let (mut due_at, mut over) = (HashMap::new(), 0);
    while over < runs {
        for record in follower.next(64).await? {
            match &record.event {
                Event::TriggerFired {
                    trigger,
                    occurrence,
                    due,
                    ..
                } => {
                    let fired = Occurrence {
                        trigger: trigger.clone(),
                        key: occurrence.clone(),
                    }
                    .to_string();
                    let run = RunId::derived(system.team().node(), &fired);
                    due_at.insert(
                        run.to_string(),
                        u128::from(due.as_millis()) * NANOS_OF_A_MILLISECOND,
                    );
                }
                Event::RunExited { .. } => over += 1,
                _ => {}
            }
        }
    }
    Ok(due_at)
}

/// Seconds from each due instant to the stamp of its run, in the order of the stamps.
fn late(due_at: &HashMap<String, u128>, stamps: &[(String, u128)]) -> Vec<f64> {
    let began = stamps.iter();
    began
        .filter_map(|(run, began)| Some(seconds_between(*due_at.get(run)?, *began)))
        .collect()
}

/// Starts the bare program in the middle of so many seconds, and says when each was due.
async fn baseline(stage: &Stage, file: &std::path::Path, starts: usize) -> Result<Vec<u128>, Failure> {
    let mut dues = Vec::new();
    for _ in 0..starts {
        let now = wall_nanos();
        let due = (now / NANOS_OF_A_SECOND + 1) * NANOS_OF_A_SECOND + NANOS_OF_A_SECOND / 2;
        let mut command = stage.bare(file)?;
        let left = Duration::from_nanos(u64::try_from(due - now)?);
        tokio::time::sleep_until(Instant::now() + left).await;
        let mut child = command.spawn()?;
        tokio::task::spawn_blocking(move || child.wait()).await??;
        dues.push(due);
    }
    Ok(dues)
}
