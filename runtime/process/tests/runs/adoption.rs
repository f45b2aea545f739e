//! Daemons come and go; the run goes on.

use std::time::Duration;

use worknode_process::{AdoptError, Adopted, ExitStatus, Identify, Liveness, Reached, Secret, adopt};

use crate::scene::{HANG, LONG, SHORT, Scene, adopted, adopted_live, is_over, spawn};

/// A daemon that can be made to go away: its tasks and its connections end with it.
fn daemon() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Writes a line for every one that comes through the gate, and counts them.
const LINES: &str = "mkfifo gate; exec 3<>gate; echo 0; n=0; while read x <&3; do n=$((n+1)); echo $n; \
                     [ $x = last ] && exit 7; done";

#[test]
fn p7_a_run_outlives_its_daemon_and_is_taken_over_with_nothing_lost_or_doubled() {
    let scene = Scene::new();
    let first = daemon();
    let (id, started, request) = first.block_on(async {
        let (shim, request) = scene.ready_in(LINES, |_| {}).await;
        (shim.identity().clone(), shim.started_at(), request)
    });
    drop(first);
    std::fs::write(scene.path("gate"), "alone\n").unwrap();
    assert_eq!(id.is_alive(), Liveness::Alive);

    daemon().block_on(async {
        let shim = adopted_live(&request).await;
        assert_eq!((shim.identity(), shim.started_at()), (&id, started));
        std::fs::write(scene.path("gate"), "last\n").unwrap();
        let exit = shim.wait().await;
        assert_eq!(exit.status, ExitStatus::Code(7));
        assert_eq!(scene.stdout(), "0\n1\n2\n");
        assert_eq!(exit.output.stdout.bytes, 6);
    });
}

#[test]
fn p7_an_end_that_nobody_saw_is_found() {
    let scene = Scene::new();
    let first = daemon();
    let (shim, request) = first.block_on(scene.ready_in(LINES, |_| {}));
    let supervisor = shim.shim().clone();
    drop((shim, first));
    std::fs::write(scene.path("gate"), "last\n").unwrap();
    daemon().block_on(async {
        is_over(&supervisor).await;
        for _ in 0..2 {
            match adopted(&request).await {
                Adopted::Ended(exit) => assert_eq!(exit.status, ExitStatus::Code(7)),
                other => panic!("{other:?}"),
            }
        }
    });
}

#[tokio::test]
async fn p7_the_newest_daemon_counts_and_both_see_the_end() {
    let scene = Scene::new();
    let (first, request) = scene.ready_in(HANG, |_| {}).await;
    let second = adopted_live(&request).await;
    assert!(second.stopper().stop(LONG).await.gone());
    assert_eq!(first.wait().await, second.wait().await);
}

#[tokio::test]
async fn p7_what_was_never_started_is_told_apart() {
    let scene = Scene::new();
    let request = scene.request(scene.script("exit 0"));
    assert!(matches!(adopted(&request).await, Adopted::NeverStarted));
}

#[tokio::test]
async fn p7_a_start_that_failed_was_no_start() {
    let scene = Scene::new();
    std::fs::write(scene.path("noise"), "\u{1}").unwrap();
    assert!(scene.end_of("chmod +x noise").await.status.success());
    let request = scene.request(scene.command("./noise", &[]));
    assert!(spawn(request.clone()).await.is_err());
    assert!(matches!(adopted(&request).await, Adopted::NeverStarted));
    assert_eq!(std::fs::read_dir(&request.dir).unwrap().count(), 0);
}

#[tokio::test]
async fn p7_no_run_starts_twice_in_one_directory() {
    let scene = Scene::new();
    let (shim, request) = scene.ready_in(HANG, |_| {}).await;
    let mut again = request.clone();
    again.command.stdout = scene.path("out-2");
    let error = spawn(again.clone()).await.unwrap_err();
    assert!(error.to_string().contains("was started"), "{error}");
    shim.stopper().stop(LONG).await;
    assert!(spawn(again).await.is_err());
    assert!(adopted(&request).await.is_ended());
}

trait IsEnded {
    fn is_ended(&self) -> bool;
}

impl IsEnded for Adopted {
    fn is_ended(&self) -> bool {
        matches!(self, Self::Ended(_))
    }
}

#[tokio::test]
async fn p9_without_the_secret_a_shim_does_nothing() {
    let scene = Scene::new();
    let (shim, request) = scene.ready_in(HANG, |_| {}).await;
    let refused = adopt(&request.dir, request.run, &Secret::new([8; 32])).await;
    assert!(matches!(refused, Err(AdoptError::Refused { .. })), "{refused:?}");
    // The daemon that knows it is not disturbed.
    shim.touch().await.unwrap();
    shim.stopper().stop(LONG).await;
}

#[tokio::test]
async fn p9_nonsense_and_orders_without_a_secret_are_not_obeyed() {
    use std::io::{Read, Write};

    let scene = Scene::new();
    let (shim, request) = scene.ready_in(HANG, |_| {}).await;
    let path = request.dir.join("shim.sock");
    let long = "x".repeat(1_000_000);
    for line in [
        "nonsense",
        "{\"id\":1,\"ask\":{\"stop\":{\"grace\":{\"secs\":0,\"nanos\":0}}}}",
        &long,
    ] {
        let mut stranger = std::os::unix::net::UnixStream::connect(&path).unwrap();
        // It may be cut off while it is still speaking.
        let _ = stranger.write_all(line.as_bytes());
        let _ = stranger.write_all(b"\n");
        let mut said = Vec::new();
        let _ = stranger.read_to_end(&mut said);
        assert!(said.is_empty());
    }
    shim.touch().await.unwrap();
    assert_eq!(shim.identity().is_alive(), Liveness::Alive);
    shim.stopper().stop(LONG).await;
}

#[test]
fn p8_without_a_daemon_the_run_ends_after_a_while() {
    let scene = Scene::new();
    let first = daemon();
    let (shim, request) = first.block_on(scene.ready_in(HANG, |request| {
        request.limits.orphan_grace = Duration::from_millis(300);
        request.limits.grace = SHORT;
    }));
    let supervisor = shim.shim().clone();
    // As long as the daemon is there, nothing happens.
    first.block_on(async { while shim.resources().await.unwrap().ran_ms < 500 {} });
    assert_eq!(shim.reached(), None);
    drop((shim, first));
    daemon().block_on(async {
        is_over(&supervisor).await;
        match adopted(&request).await {
            Adopted::Ended(exit) => assert_eq!(exit.reached, Some(Reached::Orphaned)),
            other => panic!("{other:?}"),
        }
    });
}
