//! Descendants that try to get away.

use worknode_process::{Means, shim_of};

use crate::scene::{LONG, SHORT, Scene, is_in_state};

/// Starts a descendant that has left the group and the session, has lost its parent, and carries
/// no mark. It is the script `what`, and notes its number in `away` first.
fn gets_away(scene: &Scene, what: &str) -> &'static str {
    gets_away_prepared(scene, ":", what)
}

/// The same, which has done `first` when its number is noted.
fn gets_away_prepared(scene: &Scene, first: &str, what: &str) -> &'static str {
    let noting = format!("{first}; echo $$ > note; mv note away; {what}");
    std::fs::write(scene.path("escape"), noting).unwrap();
    "mkfifo gate; sh -c 'setsid env -i /bin/sh escape &' & \
     while ! [ -e away ]; do :; done; echo up; read x < gate"
}

const STAY: &str = "exec /bin/sleep 1000";

#[tokio::test]
async fn p4_a_double_fork_into_a_new_session_does_not_lead_out() {
    let scene = Scene::new();
    let shim = scene.ready(gets_away(&scene, STAY)).await;
    let report = shim.stopper().stop(LONG).await;
    assert!(report.gone(), "{report:?}");
    assert_eq!(report.ended, 2, "{report:?}");
    assert!(scene.is_gone("away"));
    assert_eq!(shim.wait().await.survivors, 0);
}

#[tokio::test]
async fn p4_who_ignores_every_signal_is_killed_wherever_it_went() {
    let scene = Scene::new();
    let (deaf, busy) = (
        "trap '' TERM HUP INT QUIT USR1 USR2",
        "while :; do /bin/sleep 0.1; done",
    );
    let shim = scene.ready(gets_away_prepared(&scene, deaf, busy)).await;
    let report = shim.stopper().stop(SHORT).await;
    assert!(report.gone() && report.kill_sent, "{report:?}");
    assert!(scene.is_gone("away"));
}

#[tokio::test]
async fn p4_a_stopped_descendant_is_ended_too() {
    let scene = Scene::new();
    let shim = scene
        .ready(gets_away(&scene, "kill -STOP $$; /bin/sleep 1000"))
        .await;
    let away = scene.noted("away").unwrap();
    is_in_state(&away, 'T').await;
    let report = shim.stopper().stop(LONG).await;
    assert!(report.gone(), "{report:?}");
    assert!(scene.is_gone("away"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p4_a_bomb_of_forks_is_brought_down() {
    let scene = Scene::new();
    // Twenty that listen to nothing, in sessions of their own, each forking all the time: none of
    // the others lives long, and none keeps its parent. They end by themselves after a while.
    let forker = "trap '' TERM; n=0; while [ $n -lt 3000 ]; do (sleep 0.2 &); n=$((n+1)); done";
    std::fs::write(scene.path("forker"), forker).unwrap();
    let bomb = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do \
                setsid sh forker & done; trap '' TERM; echo up; while :; do sleep 0.05; done";
    let shim = scene.ready(bomb).await;
    let report = shim.stopper().stop(SHORT).await;
    assert!(report.gone() && report.kill_sent, "{report:?}");
    assert!(report.ended >= 20, "{report:?}");
    if worknode_process::guarantees().kill_at_once {
        assert!(report.means.contains(&Means::Cgroup), "{report:?}");
    }
}

#[tokio::test]
async fn p9_a_process_without_mark_group_and_session_is_known_as_the_runs() {
    let scene = Scene::new();
    let (shim, request) = scene.ready_in(gets_away(&scene, STAY), |_| {}).await;
    let away = scene.noted("away").unwrap();
    assert_eq!(shim_of(away.pid).unwrap(), Some(request.run));
    assert_eq!(shim_of(shim.identity().pid).unwrap(), Some(request.run));
    assert_eq!(shim_of(shim.shim().pid).unwrap(), Some(request.run));
    assert_eq!(shim_of(std::process::id()).unwrap(), None);
    shim.stopper().stop(LONG).await;
    assert!(shim_of(away.pid).is_err());
}

#[tokio::test]
async fn p9_who_pretends_to_be_another_runs_shim_is_not_believed() {
    let scene = Scene::new();
    let other = scene.request(scene.script("exit 0")).run;
    let script = format!(
        "WORKNODE_SHIM={other} sh -c 'echo $$ > note; mv note away; mkfifo gate; echo up; read x < gate' & wait"
    );
    let (shim, request) = scene.ready_in(&script, |_| {}).await;
    let liar = scene.noted("away").unwrap();
    assert_eq!(shim_of(liar.pid).unwrap(), Some(request.run));
    shim.stopper().stop(LONG).await;
}
