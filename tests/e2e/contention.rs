//! Many want the same few tasks, all the time: each claim has one winner, and each winner is
//! written down.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use worknode_actors::{clock::SystemClock, runtime::Runtime, system::System};
use worknode_core::{
    bounds,
    command::Command,
    error::Code,
    event::Event,
    ids::NodeId,
    task::{ReleaseCause, TaskCommand},
};
use worknode_journal::{Durability, EventFilter};
use worknode_tests::{made, scene::Scene, within};

const TEAM: &str = "[team]\nname = \"rush\"\n";
const TASKS: usize = 16;
const CONTENDERS: usize = 64;

/// Some thousands, always.
#[tokio::test(flavor = "multi_thread")]
async fn p1_of_all_who_claim_a_task_one_gets_it() {
    contend(20_000).await;
}

/// A million, when asked: `just contention`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes without optimisation"]
async fn p1_of_a_million_claims_none_is_given_twice() {
    contend(1_000_000).await;
}

async fn contend(attempts: usize) {
    let scene = Scene::with_team(TEAM);
    let context = within::context(scene.path(), Arc::new(SystemClock)).await;
    let runtime = Runtime::start(context).await.unwrap();
    let system = runtime.system().clone();
    let tasks = create(&system).await;
    let begun = Instant::now();
    let contenders: Vec<_> = (0..CONTENDERS)
        .map(|contender| tokio::spawn(rush(system.clone(), Arc::clone(&tasks), contender, attempts)))
        .collect();
    let (mut asked, mut won) = (0, Vec::new());
    for contender in contenders {
        let (its, wins) = contender.await.unwrap();
        asked += its;
        won.extend(wins);
    }
    let took = begun.elapsed();
    assert_eq!(asked, attempts);
    let wins = won.len();
    won.sort_unstable();
    won.dedup();
    assert_eq!(won.len(), wins, "two were told that they hold the same claim");
    assert_eq!(one_at_a_time(&system, &tasks), won);
    assert!(wins >= TASKS, "somebody wins: {wins}");
    println!(
        "{asked} claims by {CONTENDERS} on {TASKS} tasks, {wins} won, none twice, {:.0} a second",
        asked as f64 / took.as_secs_f64()
    );
    runtime.shutdown("test").await;
}

/// Tasks of nobody's plan, ready to be claimed.
async fn create(system: &System) -> Arc<[NodeId]> {
    let team = system.team().node();
    let ids: Arc<[NodeId]> = (0..TASKS)
        .map(|n| NodeId::derived(team, &format!("wanted {n}")))
        .collect();
    let created = ids.iter().zip(0..).flat_map(|(id, n)| {
        let spec = made::bare_task(format!("wanted-{n}"));
        [made::task(*id, team, spec), made::happened(*id, Event::TaskReady)]
    });
    let drafts = created.collect();
    system
        .journal()
        .append(drafts, Durability::Durable)
        .await
        .unwrap();
    ids
}

/// One contender: claims this task and that, gives back what it gets, and says what it got. The
/// team, to whom a claim without a run is one to be taken back, may be faster.
async fn rush(
    system: System,
    tasks: Arc<[NodeId]>,
    contender: usize,
    attempts: usize,
) -> (usize, Vec<(NodeId, u64)>) {
    let agent = NodeId::derived(NodeId::ROOT, &format!("contender {contender}"));
    let mut won = Vec::new();
    let mine = (contender..attempts).step_by(CONTENDERS);
    let asked = mine.len();
    for attempt in mine {
        // In another order for each, so that all meet everywhere.
        let task = tasks[(attempt / CONTENDERS + contender * contender) % TASKS];
        let run = system.new_run();
        let claim = TaskCommand::Claim {
            agent,
            run: Some(run),
            lease: bounds::LEASE,
        };
        match system.command(task, Command::Task(claim)).await {
            Ok(reply) => {
                let node = reply.node().unwrap();
                let held = node.task().unwrap().status.claim().unwrap();
                assert_eq!(
                    (held.agent, held.run),
                    (agent, Some(run)),
                    "the winner is told of its own"
                );
                won.push((task, held.epoch));
                give_back(&system, task, held.epoch).await;
            }
            Err(error) => assert_eq!(error.code, Code::Held, "{error}"),
        }
    }
    (asked, won)
}

async fn give_back(system: &System, task: NodeId, epoch: u64) {
    let release = TaskCommand::Release {
        epoch,
        cause: ReleaseCause::Stopped,
        detail: String::new(),
    };
    match system.command(task, Command::Task(release)).await {
        Ok(_) => {}
        Err(error) => assert_eq!(error.code, Code::StaleEpoch, "{error}"),
    }
}

/// What the journal says was won: of each task one claim after the other, each ended before the
/// next begins, with epochs that only grow.
fn one_at_a_time(system: &System, tasks: &[NodeId]) -> Vec<(NodeId, u64)> {
    let mut held: BTreeMap<NodeId, Option<u64>> = tasks.iter().map(|task| (*task, None)).collect();
    let mut won: Vec<(NodeId, u64)> = Vec::new();
    let mut last: BTreeMap<NodeId, u64> = BTreeMap::new();
    let mut filter = EventFilter::default();
    loop {
        let page = system.reader().events(&filter).unwrap();
        let Some(newest) = page.last() else { break };
        filter.after = newest.at;
        for record in &page {
            let Some(holder) = held.get_mut(&record.node) else {
                continue;
            };
            match &record.event {
                Event::TaskClaimed { claim } => {
                    assert_eq!(*holder, None, "claimed while it was held");
                    let before = last.insert(record.node, claim.epoch);
                    assert!(before.is_none_or(|before| before < claim.epoch), "an epoch twice");
                    *holder = Some(claim.epoch);
                    won.push((record.node, claim.epoch));
                }
                Event::TaskReleased { epoch, .. } => assert_eq!(holder.take(), Some(*epoch)),
                _ => {}
            }
        }
    }
    won.sort_unstable();
    won
}
