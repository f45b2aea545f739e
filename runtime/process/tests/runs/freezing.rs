//! Runs that are held still.

use std::time::Duration;

use worknode_process::{ExitStatus, Notice};

use crate::scene::{LONG, SHORT, Scene, adopted_live};

/// Counts as fast as it can.
const COUNT: &str = "echo up; (while :; do :; done) & while :; do :; done";

#[tokio::test]
async fn a_frozen_run_makes_no_progress_and_a_thawed_one_does() {
    let scene = Scene::new();
    let shim = scene.ready(COUNT).await;
    let mut notices = shim.notices();
    let cpu = async || shim.resources().await.unwrap().cpu_ms;
    let begun = cpu().await;
    while cpu().await <= begun {}
    shim.freeze().await.unwrap();
    shim.freeze().await.unwrap();
    let still = shim.resources().await.unwrap();
    assert!(still.frozen && shim.is_frozen());
    assert_eq!(still.processes, 2);
    // As long as it took to see it work, and longer, there is nothing to see.
    for _ in 0..20 {
        assert_eq!(cpu().await, still.cpu_ms);
    }
    shim.thaw().await.unwrap();
    while cpu().await <= still.cpu_ms {}
    while let Some(notice) = notices.next().await {
        if notice == Notice::Thawed {
            break;
        }
    }
    assert!(!shim.is_frozen());
    shim.stopper().stop(LONG).await;
}

#[tokio::test]
async fn p4_a_frozen_run_can_be_stopped_and_listens_to_term() {
    let scene = Scene::new();
    let shim = scene
        .ready("trap 'exit 9' TERM; echo up; while :; do :; done")
        .await;
    shim.freeze().await.unwrap();
    let report = shim.stopper().stop(LONG).await;
    assert!(report.gone() && !report.kill_sent, "{report:?}");
    assert_eq!(shim.wait().await.status, ExitStatus::Code(9));

    let shim = scene.ready("trap '' TERM; echo up; while :; do :; done").await;
    shim.freeze().await.unwrap();
    assert!(shim.stopper().stop(Duration::ZERO).await.gone());
}

#[tokio::test]
async fn p8_a_frozen_run_does_not_reach_its_time() {
    let scene = Scene::new();
    let (shim, request) = scene
        .ready_in(COUNT, |request| {
            request.limits.time = Duration::from_secs(1);
            request.limits.grace = SHORT;
        })
        .await;
    shim.freeze().await.unwrap();
    // Longer than it may run, and it is there.
    while shim.resources().await.unwrap().ran_ms < 1500 {}
    let seen = shim.resources().await.unwrap();
    assert!(seen.time_ms < 1000, "{seen:?}");
    drop(shim);
    let shim = adopted_live(&request).await;
    assert!(shim.is_frozen());
    shim.thaw().await.unwrap();
    let exit = shim.wait().await;
    assert_eq!(exit.reached, Some(worknode_process::Reached::Time));
    let (time, ran) = (exit.resources.time_ms, exit.ran_ms);
    assert!((1000..ran).contains(&time), "{time} of {ran}");
}
