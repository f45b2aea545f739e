//! What carries a run's mark is found wherever it went.

use std::process::Command;

use worknode_process::{Identify, MARK, Means, find_marked};

use worknode_core::run::ProcessIdentity;

use crate::scene::{LONG, Scene};

#[tokio::test]
async fn p4_what_carries_the_mark_is_found_and_ended_with_the_run_though_it_is_no_descendant() {
    let scene = Scene::new();
    let (shim, request) = scene
        .ready_in(
            "mkfifo gate; setsid sleep 1000 & echo $! > away; echo up; read x < gate",
            |_| {},
        )
        .await;
    let run = request.run.to_string();
    // As a build server does that was there before: it starts something in the run's name.
    let mut foreign = Command::new("sleep").arg("1000").env(MARK, &run).spawn().unwrap();
    let foreign_id = ProcessIdentity::of(foreign.id()).unwrap();

    let leader = shim.identity().clone();
    let away = scene.noted("away").unwrap();
    // One that is just executing its program has no environment for a moment.
    let found = loop {
        let found = find_marked(MARK, &run);
        if [&leader, &away, &foreign_id]
            .iter()
            .all(|one| found.contains(one))
        {
            break found;
        }
        tokio::task::yield_now().await;
    };
    assert!(!found.contains(shim.shim()));
    assert!(find_marked(MARK, &run[..run.len() - 1]).is_empty());
    assert!(find_marked("RUN", &run).is_empty());

    let reaped = std::thread::spawn(move || foreign.wait().unwrap());
    let report = shim.stopper().stop(LONG).await;
    assert!(report.means.contains(&Means::Mark), "{report:?}");
    assert_eq!(report.ended, 3);
    reaped.join().unwrap();
    assert!(find_marked(MARK, &run).is_empty());
}
