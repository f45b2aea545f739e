//! Limits are reached, and the shim itself acts.

use std::time::Duration;

use worknode_process::{Exit, Reached, RunRequest};

use crate::scene::{HANG, SHORT, Scene, spawn};

const LIMIT: Duration = Duration::from_millis(300);

async fn end_at(script: &str, change: impl FnOnce(&Scene, &mut RunRequest)) -> Exit {
    let scene = Scene::new();
    let mut request = scene.request(scene.script(script));
    request.limits.grace = SHORT;
    change(&scene, &mut request);
    let shim = spawn(request).await.unwrap();
    let exit = shim.wait().await;
    assert_eq!(shim.reached(), exit.reached, "what ends a run is also said");
    assert_eq!(exit.survivors, 0);
    exit
}

#[tokio::test]
async fn p8_time() {
    let exit = end_at(HANG, |_, request| request.limits.time = LIMIT).await;
    assert_eq!(exit.reached, Some(Reached::Time));
    assert!(exit.stop.unwrap().term_sent);
    assert!(exit.ran_ms >= 300);
}

#[tokio::test]
async fn p8_silence() {
    let exit = end_at(HANG, |_, request| request.limits.silence = LIMIT).await;
    assert_eq!(exit.reached, Some(Reached::Silence));
}

#[tokio::test]
async fn p8_output_is_no_silence() {
    let script = "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.1; done";
    let exit = end_at(script, |_, request| request.limits.silence = LIMIT * 2).await;
    assert_eq!(exit.reached, None);
}

#[tokio::test]
async fn p8_work_on_files_is_no_silence() {
    let script = "mkdir -p work/deep; for i in 1 2 3 4 5 6 7 8; do echo $i > work/deep/file; sleep 0.1; done";
    let exit = end_at(script, |scene, request| {
        request.limits.silence = LIMIT * 2;
        request.watch = vec![scene.path("work")];
    })
    .await;
    assert_eq!(exit.reached, None);
    let elsewhere = end_at(script, |scene, request| {
        request.limits.silence = LIMIT;
        request.watch = vec![scene.path("nothing-there")];
    })
    .await;
    assert_eq!(elsewhere.reached, Some(Reached::Silence));
}

#[tokio::test]
async fn p8_a_call_is_no_silence() {
    let scene = Scene::new();
    let (shim, _) = scene
        .ready_in(HANG, |request| request.limits.silence = LIMIT)
        .await;
    while shim.resources().await.unwrap().ran_ms < 900 {
        shim.touch().await.unwrap();
    }
    assert_eq!(shim.reached(), None);
    assert_eq!(shim.wait().await.reached, Some(Reached::Silence));
}

#[tokio::test]
async fn p8_memory() {
    // Two processes share what is too much only together: no limit of one process sees it.
    let eat = "head -c 30000000 /dev/zero | tail -c 30000000 > /dev/null; x=$(head -c 30000000 /dev/zero | tr '\\0' x); \
               echo up; while :; do sleep 1; done";
    let exit = end_at(&format!("({eat}) & ({eat}) & wait"), |_, request| {
        request.limits.memory = Some(48 * 1024 * 1024);
    })
    .await;
    assert_eq!(exit.reached, Some(Reached::Memory));
    assert!(exit.resources.memory_peak > 48 * 1024 * 1024);
}

#[tokio::test]
async fn p8_processes() {
    let script = "for i in 1 2 3 4 5 6 7 8 9; do setsid sleep 1000 & done; wait";
    let exit = end_at(script, |_, request| request.limits.processes = Some(5)).await;
    assert_eq!(exit.reached, Some(Reached::Processes));
    assert!(exit.resources.processes_peak > 5);
}

#[tokio::test]
async fn p8_processor_time() {
    let script = "while :; do :; done & while :; do :; done";
    let exit = end_at(script, |_, request| request.limits.cpu = Some(LIMIT)).await;
    assert_eq!(exit.reached, Some(Reached::Cpu));
    assert!(exit.resources.cpu_ms >= 300);
}

#[tokio::test]
async fn limits_that_are_not_reached_are_not_felt() {
    let exit = end_at("echo fine", |_, request| {
        request.limits.time = Duration::from_secs(60);
        request.limits.silence = Duration::from_secs(60);
        request.limits.memory = Some(1 << 30);
        request.limits.processes = Some(100);
        request.limits.cpu = Some(Duration::from_secs(60));
    })
    .await;
    assert!(exit.status.success());
    assert_eq!((exit.reached, exit.stop), (None, None));
}
