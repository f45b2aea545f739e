//! What is written to a run's standard input.

use worknode_process::{CallError, Input};

use crate::scene::{Scene, adopted_live, spawn};

#[tokio::test]
async fn p7_input_is_written_once_though_a_second_daemon_repeats_it() {
    let scene = Scene::new();
    let mut command = scene.command("cat", &[]);
    command.stdin = Input::Held;
    let request = scene.request(command);
    let first = spawn(request.clone()).await.unwrap();
    first.input("a", b"one\n".to_vec()).await.unwrap();
    first.input("b", b"two \xff\n".to_vec()).await.unwrap();

    let second = adopted_live(&request).await;
    for (key, text) in [("a", &b"one\n"[..]), ("b", b"two \xff\n"), ("c", b"three\n")] {
        second.input(key, text.to_vec()).await.unwrap();
    }
    second.close_input().await.unwrap();
    assert!(second.wait().await.status.success());
    assert_eq!(
        std::fs::read(scene.path("out")).unwrap(),
        b"one\ntwo \xff\nthree\n"
    );
    assert_eq!(first.wait().await, second.wait().await);
}

#[tokio::test]
async fn input_that_nobody_reads_is_refused_beyond_a_bound() {
    let scene = Scene::new();
    let (shim, _) = scene
        .ready_in("echo up; mkfifo gate; read x < gate", |request| {
            request.command.stdin = Input::Held;
        })
        .await;
    let piece = vec![b'x'; 1024 * 1024];
    let mut taken = 0;
    let refused = loop {
        match shim.input(&taken.to_string(), piece.clone()).await {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 20);
    };
    assert!(matches!(refused, CallError::Refused(_)), "{refused}");
    shim.stopper().stop(std::time::Duration::ZERO).await;
}

#[tokio::test]
async fn a_run_without_input_says_so() {
    let scene = Scene::new();
    let shim = scene.ready("echo up; mkfifo gate; read x < gate").await;
    let error = shim.input("a", b"x".to_vec()).await.unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
    shim.stopper().stop(std::time::Duration::ZERO).await;
    shim.wait().await;
    assert!(matches!(shim.touch().await, Err(CallError::Gone)));
}
