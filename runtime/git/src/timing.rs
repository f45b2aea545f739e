//! How long the start of a run takes here. Nothing is asserted: a person reads it.
//!
//! `cargo test --release -p worknode-git timing -- --ignored --nocapture`

use std::time::{Duration, Instant};

use crate::{
    Identity,
    testing::{World, authorship, commit, write},
};

const TIMES: usize = 200;

fn say(what: &str, mut all: Vec<Duration>) {
    all.sort();
    let at = |share: usize| all[all.len() * share / 100];
    println!("{what:24} median {:?}, p99 {:?}", at(50), at(99));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn timing_of_a_start() {
    let world = World::new().await;
    let clone = world.clone("first").await;
    write(&clone, "new", "x");
    commit(&clone, "work");
    let previous = world.import(&clone).await.unwrap();
    let base = world.base().await;
    let who = Identity::new("Agent", "agent@worknode").unwrap();
    let dest = world.path("workspaces/agent");
    let run = world.path("run");
    std::fs::create_dir_all(&run).unwrap();
    let mut taken: [Vec<Duration>; 5] = Default::default();
    for _ in 0..TIMES {
        let mut begun = Instant::now();
        let mut lap = |which: usize| {
            taken[which].push(begun.elapsed());
            begun = Instant::now();
        };
        world.repository.base_tip("main").await.unwrap();
        lap(0);
        let kept = Some(&previous);
        world.store.start_point(&base, kept, &authorship()).await.unwrap();
        lap(1);
        let branch = "worknode/task";
        world
            .store
            .clone_for_agent(&dest, &base, branch, &who)
            .await
            .unwrap();
        lap(2);
        world.store.leftovers(&dest, &base, &run, 1 << 20).await.unwrap();
        lap(3);
        crate::remove_clone(&world.path("workspaces"), &dest)
            .await
            .unwrap();
        lap(4);
    }
    let names = [
        "base_tip",
        "start_point (previous)",
        "clone_for_agent",
        "leftovers (clean)",
        "remove_clone",
    ];
    for (name, all) in names.into_iter().zip(taken) {
        say(name, all);
    }
}
