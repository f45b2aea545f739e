//! How many questions a second go through the membrane and the mailbox of Worknodes and back,
//! against the same through a bare channel to a bare task.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};
use worknode_core::{command::Command, ids::NodeId};
use worknode_journal::Durability;

use crate::{
    Bench, Failure,
    measure::Samples,
    population::{bare_task, created},
    report::{Figure, Unit},
    scene::Stage,
};

const ASKERS: usize = 64;
const ROUNDS: usize = 3;

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let round = bench.load(Duration::from_secs(1), Duration::from_millis(50));
    bench.tokio.block_on(async {
        let stage = Stage::new("")?;
        let runtime = stage.start().await?;
        let system = runtime.system().clone();
        let ids: Vec<_> = (0..1_000)
            .map(|n| NodeId::derived(NodeId::ROOT, &format!("asked {n}")))
            .collect();
        let creations = ids.iter().map(|id| created(*id, Some(NodeId::ROOT))).collect();
        system.journal().append(creations, Durability::Durable).await?;
        let mut figures = Vec::new();
        for count in [1, 1_000] {
            let ids: Arc<[NodeId]> = ids.iter().take(count).copied().collect();
            let tasks: Arc<[_]> = ids.iter().map(|_| bare_task()).collect();
            let ask_a_task = move |n: usize| {
                let tasks = Arc::clone(&tasks);
                async move { ask_bare(&tasks[n % tasks.len()]).await }
            };
            let system = system.clone();
            let ask_a_worknode = move |n: usize| {
                let (system, ids) = (system.clone(), Arc::clone(&ids));
                async move {
                    system
                        .command(ids[n % ids.len()], Command::Get)
                        .await
                        .map(drop)
                        .map_err(Into::into)
                }
            };
            let (mut ours, mut baseline) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                baseline.push(rate(round, ask_a_task.clone()).await?);
                ours.push(rate(round, ask_a_worknode.clone()).await?);
            }
            figures.push(Figure {
                what: format!(
                    "questions to {count} Worknode{}",
                    if count == 1 { "" } else { "s" }
                ),
                unit: Unit::PerSecond,
                ours: Samples::from_iter(ours).median(),
                baseline: Samples::from_iter(baseline).median(),
                load: format!(
                    "`Get` from {ASKERS} tasks, all active; baseline: mpsc and oneshot to a bare task each"
                ),
            });
        }
        runtime.shutdown("the benchmark is over").await;
        Ok(figures)
    })
}

async fn ask_bare(task: &mpsc::Sender<oneshot::Sender<u64>>) -> Result<(), Failure> {
    let (reply, answer) = oneshot::channel();
    task.send(reply).await?;
    answer.await?;
    Ok(())
}

/// Questions a second, from [`ASKERS`] tasks that each ask one after the other.
async fn rate<F>(round: Duration, ask: impl Fn(usize) -> F + Clone + Send + 'static) -> Result<f64, Failure>
where
    F: Future<Output = Result<(), Failure>> + Send,
{
    let begun = Instant::now();
    let askers: Vec<_> = (0..ASKERS)
        .map(|asker| {
            let ask = ask.clone();
            tokio::spawn(async move {
                let mut asked = 0;
                while begun.elapsed() < round {
                    // Each begins elsewhere, so that all are asked alike.
                    ask(asker * 16 + asked).await?;
                    asked += 1;
                }
                Ok::<_, Failure>(asked)
            })
        })
        .collect();
    let mut asked = 0;
    for asker in askers {
        asked += asker.await??;
    }
    Ok(asked as f64 / begun.elapsed().as_secs_f64())
}
