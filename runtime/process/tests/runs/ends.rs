//! How runs end by themselves.

use worknode_process::{ExitStatus, Identify, Liveness};

use crate::scene::Scene;

#[tokio::test]
async fn the_exit_code_is_reported_and_stays() {
    let scene = Scene::new();
    let mut process = scene.start("exit 42").await;
    let exit = process.wait().await;
    assert_eq!(exit.status, ExitStatus::Code(42));
    assert_eq!((exit.leftovers, exit.survivors), (0, 0));
    assert_eq!(process.wait().await, exit);
}

#[tokio::test]
async fn a_signal_is_told_from_an_exit_code() {
    let scene = Scene::new();
    let exit = scene.start("kill -SEGV $$").await.wait().await;
    assert_eq!(exit.status, ExitStatus::Signal(11));
    assert_eq!(exit.status.to_string(), "killed by signal 11");
}

#[tokio::test]
async fn p4_children_that_outlive_the_leader_are_counted_and_killed() {
    let scene = Scene::new();
    let script = "sh -c 'trap \"\" TERM HUP; echo $$ > first; echo up; read x < gate' &
                  sleep 1000 & echo $! > second
                  while ! [ -s first ]; do :; done";
    let mut process = scene.start(&format!("mkfifo gate; {script}")).await;
    let exit = process.wait().await;
    assert_eq!(exit.status, ExitStatus::Code(0));
    assert_eq!((exit.leftovers, exit.survivors), (2, 0));
    assert!(!exit.output.stdout.cut, "the pipe closed with its last holder");
    for name in ["first", "second"] {
        let left = scene.noted(name);
        assert!(left.is_none_or(|id| id.is_alive() == Liveness::Gone), "{name}");
    }
}

#[tokio::test]
async fn a_descendant_that_left_the_session_does_not_hold_up_the_report() {
    let scene = Scene::new();
    let mut process = scene
        .start("setsid sh -c 'echo $$ > away; exec sleep 1000' & while ! [ -s away ]; do :; done; echo done")
        .await;
    let exit = process.wait().await;
    assert_eq!(exit.status, ExitStatus::Code(0));
    assert_eq!(exit.leftovers, 0);
    assert!(exit.output.stdout.cut);
    assert_eq!(scene.stdout(), "done\n");
    let away = scene.noted("away").unwrap();
    assert_eq!(away.is_alive(), Liveness::Alive);
    assert!(
        worknode_process::stop_identity(&away, crate::scene::LONG)
            .await
            .gone()
    );
}

#[tokio::test]
async fn a_run_is_supervised_when_nobody_holds_a_handle() {
    let scene = Scene::new();
    let process = scene.ready("echo up; mkfifo gate; read x < gate").await;
    let (id, stopper) = (process.identity().clone(), process.stopper());
    drop(process);
    assert_eq!(id.is_alive(), Liveness::Alive);
    assert!(stopper.stop(crate::scene::LONG).await.gone());
    assert_eq!(id.is_alive(), Liveness::Gone);
}

#[test]
fn p7_a_runtime_that_goes_away_leaves_no_process() {
    let scene = Scene::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let id = runtime.block_on(async {
        scene
            .ready("trap '' TERM; echo up; mkfifo gate; read x < gate")
            .await
            .identity()
            .clone()
    });
    drop(runtime);
    // KILL was sent while the runtime went away; the kernel needs a moment to act on it.
    while id.is_alive() == Liveness::Alive {
        std::thread::yield_now();
    }
    assert_eq!(id.is_alive(), Liveness::Gone);
}
