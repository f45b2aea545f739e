//! Stops: asked, forced, repeated, late, at the same time.

use std::time::Duration;

use worknode_core::run::ProcessIdentity;
use worknode_process::{ExitStatus, Identify, Liveness, StopReport, stop_identity};

use crate::scene::{HANG, LONG, SHORT, Scene, is_in_state};

const TERM: ExitStatus = ExitStatus::Signal(15);
const KILL: ExitStatus = ExitStatus::Signal(9);

fn steps(report: &StopReport) -> Vec<&str> {
    report.steps.iter().map(|step| step.step.as_str()).collect()
}

#[tokio::test]
async fn who_listens_to_term_is_not_killed() {
    let scene = Scene::new();
    let process = scene.ready(HANG).await;
    let report = process.stopper().stop(LONG).await;
    assert!(report.was_running && report.term_sent && !report.kill_sent && report.gone());
    assert_eq!(steps(&report), ["term", "gone"]);
    assert_eq!(report.ended, 1);
    // Reaped when the stop answers, not some time later.
    assert!(ProcessIdentity::of(process.identity().pid).is_err());
    assert_eq!(process.wait().await.status, TERM);
}

#[tokio::test]
async fn who_ignores_term_is_killed_after_the_grace() {
    let scene = Scene::new();
    let process = scene
        .ready("trap '' TERM; mkfifo gate; sh -c 'read x < gate' & echo up; read x < gate")
        .await;
    let report = process.stopper().stop(SHORT).await;
    assert_eq!(steps(&report), ["term", "kill", "gone"]);
    assert!(report.term_sent && report.kill_sent && report.gone());
    assert_eq!(report.ended, 2);
    let exit = process.wait().await;
    assert_eq!(exit.status, KILL);
    assert_eq!(exit.leftovers, 0, "it was killed with its leader, not after it");
}

#[tokio::test]
async fn no_grace_means_kill_at_once() {
    let scene = Scene::new();
    let process = scene.ready(&format!("trap 'exit 5' TERM; {HANG}")).await;
    let report = process.stopper().stop(Duration::ZERO).await;
    assert_eq!(steps(&report), ["kill", "gone"]);
    assert_eq!(process.wait().await.status, KILL);
}

#[tokio::test]
async fn members_get_the_grace_even_when_the_leader_ends_at_once() {
    let scene = Scene::new();
    let worker = "trap 'echo saved > result; exit' TERM; echo up; while :; do read x < gate; done";
    let process = scene
        .ready(&format!(
            "mkfifo gate; sh -c '{}' & wait",
            worker.replace('\'', "\"")
        ))
        .await;
    let report = process.stopper().stop(LONG).await;
    assert!(!report.kill_sent && report.gone());
    assert_eq!(std::fs::read_to_string(scene.path("result")).unwrap(), "saved\n");
}

#[tokio::test]
async fn a_member_that_ignores_term_outlives_its_leader_only_for_the_grace() {
    let scene = Scene::new();
    let worker = "trap \"\" TERM; echo $$ > worker; echo up; read x < gate";
    let process = scene
        .ready(&format!("mkfifo gate; sh -c '{worker}' & wait"))
        .await;
    let report = process.stopper().stop(SHORT).await;
    assert_eq!(steps(&report), ["term", "kill", "gone"]);
    let exit = process.wait().await;
    assert_eq!((exit.status, exit.leftovers), (TERM, 1));
    assert!(
        scene
            .noted("worker")
            .is_none_or(|id| id.is_alive() == Liveness::Gone)
    );
}

#[tokio::test]
async fn a_stopped_process_acts_on_term() {
    let scene = Scene::new();
    let process = scene
        .ready("trap 'exit 9' TERM; echo up; kill -STOP $$; while :; do :; done")
        .await;
    is_in_state(process.identity(), 'T').await;
    let report = process.stopper().stop(LONG).await;
    assert!(!report.kill_sent && report.gone());
    assert_eq!(process.wait().await.status, ExitStatus::Code(9));
}

#[tokio::test]
async fn a_stopped_process_that_ignores_term_is_killed() {
    let scene = Scene::new();
    let process = scene
        .ready("trap '' TERM; echo up; while :; do kill -STOP $$; done")
        .await;
    is_in_state(process.identity(), 'T').await;
    assert!(process.stopper().stop(SHORT).await.kill_sent);
    assert_eq!(process.wait().await.status, KILL);
}

#[tokio::test]
async fn p4_stopping_twice_and_after_the_end_succeeds() {
    let scene = Scene::new();
    let process = scene.ready(HANG).await;
    let stopper = process.stopper();
    assert!(stopper.stop(LONG).await.was_running);
    for _ in 0..2 {
        let again = stopper.stop(LONG).await;
        assert!(!again.was_running && !again.term_sent && again.gone());
        process.wait().await;
    }
    let ended = scene.start("exit 0").await;
    ended.wait().await;
    let late = ended.stopper().stop(LONG).await;
    assert_eq!(late, StopReport::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p4_stops_at_the_same_time_join_and_the_shortest_grace_counts() {
    let scene = Scene::new();
    let process = scene.ready(&format!("trap '' TERM; {HANG}")).await;
    let stops: Vec<_> = (0..40)
        .map(|number| {
            let stopper = process.stopper();
            let grace = if number == 39 { SHORT } else { LONG };
            tokio::spawn(async move { stopper.stop(grace).await })
        })
        .collect();
    let mut effective = 0;
    for stop in stops {
        let report = stop.await.unwrap();
        assert!(report.gone());
        effective += usize::from(report.was_running);
    }
    assert!(effective >= 1);
    assert_eq!(process.wait().await.status, KILL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p4_a_group_that_keeps_forking_is_brought_down() {
    let scene = Scene::new();
    let forker = "trap '' TERM; echo up; while :; do (while :; do :; done) & sleep 0.01; done";
    let process = scene.ready(forker).await;
    let report = process.stopper().stop(SHORT).await;
    assert!(report.gone(), "{report:?}");
    assert!(report.ended >= 2);
}

#[tokio::test]
async fn p7_a_process_of_an_earlier_daemon_is_stopped_with_its_group() {
    let scene = Scene::new();
    let process = scene
        .ready("trap '' TERM; mkfifo gate; sh -c 'read x < gate' & echo up; read x < gate")
        .await;
    let report = stop_identity(process.identity(), SHORT).await;
    assert_eq!(steps(&report), ["term", "kill", "gone"]);
    assert_eq!((report.ended, report.survivors), (2, 0));
    assert!(!process.wait().await.status.success());
    let again = stop_identity(process.identity(), LONG).await;
    assert_eq!(again, StopReport::default());
}

#[tokio::test]
async fn a_process_that_leads_no_group_is_stopped_alone() {
    let scene = Scene::new();
    let process = scene
        .ready("mkfifo gate; sh -c 'echo $$ > member; echo up; read x < gate' & wait; read y < gate")
        .await;
    let member = scene.noted("member").unwrap();
    let report = stop_identity(&member, LONG).await;
    assert!(report.was_running && report.gone());
    assert_eq!(report.ended, 1);
    assert_eq!(process.identity().is_alive(), Liveness::Alive);
    assert!(process.stopper().stop(LONG).await.gone());
}

#[tokio::test]
async fn p7_a_number_that_means_another_process_is_not_signalled() {
    let scene = Scene::new();
    let process = scene.ready(HANG).await;
    let right = process.identity().clone();
    let wrong = [
        ProcessIdentity {
            start_time: right.start_time + 1,
            ..right.clone()
        },
        ProcessIdentity {
            boot_id: "another".to_owned(),
            ..right.clone()
        },
    ];
    for identity in wrong {
        assert_eq!(identity.is_alive(), Liveness::Gone);
        assert_eq!(stop_identity(&identity, SHORT).await, StopReport::default());
    }
    assert_eq!(right.is_alive(), Liveness::Alive);
    process.stopper().stop(LONG).await;
}

#[tokio::test]
async fn p7_whoever_asks_is_never_stopped() {
    let own = ProcessIdentity::of(std::process::id()).unwrap();
    let report = stop_identity(&own, Duration::ZERO).await;
    assert!(!report.kill_sent && !report.gone());
}
