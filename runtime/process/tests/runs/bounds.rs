//! Commands with a time limit.

use std::time::Duration;

use worknode_process::{ExitStatus, run_to_end};

use crate::scene::{LONG, SHORT, Scene, is_over};

#[tokio::test]
async fn a_command_that_ends_in_time_is_not_stopped() {
    let scene = Scene::new();
    let request = scene.request(scene.script("echo fine; exit 1"));
    let done = run_to_end(request, LONG, LONG).await.unwrap();
    assert!(!done.timed_out());
    assert_eq!(done.exit.status, ExitStatus::Code(1));
    assert_eq!(scene.stdout(), "fine\n");
}

#[tokio::test]
async fn p8_at_its_time_limit_a_command_is_stopped_with_all_it_started() {
    let scene = Scene::new();
    let script = "trap '' TERM; mkfifo gate; sh -c 'read x < gate' & read x < gate";
    let request = scene.request(scene.script(script));
    let done = run_to_end(request, SHORT, SHORT).await.unwrap();
    assert!(done.timed_out());
    let stopped = done.stopped.unwrap();
    assert!(stopped.gone());
    assert!(!done.exit.status.success());
}

#[tokio::test]
async fn a_limit_beyond_time_is_no_limit() {
    let scene = Scene::new();
    let request = scene.request(scene.script("exit 0"));
    let done = run_to_end(request, Duration::MAX, Duration::MAX).await.unwrap();
    assert!(done.exit.status.success());
}

#[tokio::test]
async fn giving_up_on_a_command_kills_it() {
    let scene = Scene::new();
    let pid_file = scene.path("pid");
    // The script opens the pipe after it has noted who it is.
    let script = "echo $$ > note; mv note pid; mkfifo gate; read x < gate";
    let running = run_to_end(scene.request(scene.script(script)), LONG, LONG);
    let noted = async {
        while !pid_file.exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = running => panic!("{ended:?}"),
        () = noted => {}
    }
    if let Some(id) = scene.noted("pid") {
        is_over(&id).await;
    }
}
