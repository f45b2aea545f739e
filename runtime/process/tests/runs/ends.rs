//! How runs end by themselves.

use worknode_process::{ExitStatus, Identify, Liveness};

use crate::scene::{HANG, LONG, Scene, is_over};

#[tokio::test]
async fn the_exit_code_is_reported_and_stays() {
    let scene = Scene::new();
    let shim = scene.start("exit 42").await;
    let exit = shim.wait().await;
    assert_eq!(exit.status, ExitStatus::Code(42));
    assert_eq!((exit.leftovers, exit.survivors), (0, 0));
    assert_eq!((exit.reached, &exit.stop), (None, &None));
    assert_eq!(shim.wait().await, exit);
}

#[tokio::test]
async fn a_signal_is_told_from_an_exit_code() {
    let scene = Scene::new();
    let exit = scene.end_of("kill -SEGV $$").await;
    assert_eq!(exit.status, ExitStatus::Signal(11));
    assert_eq!(exit.status.to_string(), "killed by signal 11");
}

#[tokio::test]
async fn p4_children_that_outlive_the_leader_are_counted_and_killed() {
    let scene = Scene::new();
    let script = "sh -c 'trap \"\" TERM HUP; echo $$ > first; echo up; read x < gate' &
                  setsid sleep 1000 & echo $! > second
                  while ! [ -s first ]; do :; done";
    let exit = scene.end_of(&format!("mkfifo gate; {script}")).await;
    assert_eq!(exit.status, ExitStatus::Code(0));
    assert_eq!((exit.leftovers, exit.survivors), (2, 0));
    assert!(!exit.output.stdout.cut, "the pipe closed with its last holder");
    for name in ["first", "second"] {
        assert!(scene.is_gone(name), "{name}");
    }
}

#[tokio::test]
async fn a_run_is_supervised_when_nobody_holds_a_handle() {
    let scene = Scene::new();
    let shim = scene.ready(HANG).await;
    let (id, stopper) = (shim.identity().clone(), shim.stopper());
    drop(shim);
    assert_eq!(id.is_alive(), Liveness::Alive);
    assert!(stopper.stop(LONG).await.gone());
    assert_eq!(id.is_alive(), Liveness::Gone);
}

#[tokio::test]
async fn the_shim_ends_with_its_run_and_leaves_nothing_but_the_record() {
    let scene = Scene::new();
    let request = scene.request(scene.script("exit 0"));
    let shim = crate::scene::spawn(request.clone()).await.unwrap();
    shim.wait().await;
    is_over(shim.shim()).await;
    assert!(request.dir.join("exit.json").exists());
    assert!(!request.dir.join("shim.sock").exists());
    if let Some(cgroups) = worknode_process::guarantees().cgroups {
        let left = cgroups.join(format!("{}.{}", request.run, shim.shim().pid));
        assert!(!left.exists());
    }
}
