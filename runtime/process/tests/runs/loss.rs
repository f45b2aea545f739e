//! Shims that are killed, and shims that are told to end.

use std::process::Command;

use worknode_core::run::ProcessIdentity;
use worknode_process::{Adopted, ExitStatus, Means, Reached, StopReport};

use crate::scene::{LONG, SHORT, Scene, adopted, is_in_state, is_over};

/// With a descendant that has left the group and the session, and keeps the mark.
const FAMILY: &str = "setsid sh -c 'trap \"\" TERM HUP; echo $$ > note; mv note away; sleep 1000; :' & \
                      while ! [ -e away ]; do :; done; mkfifo gate; echo up; read x < gate";

fn send(signal: &str, to: &ProcessIdentity) {
    let sent = Command::new("kill").args([signal, &to.pid.to_string()]).status();
    assert!(sent.unwrap().success());
}

#[tokio::test]
async fn p7_a_killed_shim_leaves_nothing_and_its_daemon_knows() {
    let scene = Scene::new();
    let (shim, request) = scene.ready_in(FAMILY, |_| {}).await;
    send("-KILL", shim.shim());
    let exit = shim.wait().await;
    assert_eq!(exit.status, ExitStatus::Unknown);
    let stop = exit.stop.clone().unwrap();
    assert!(stop.gone(), "{stop:?}");
    assert!(scene.is_gone("away"));
    is_over(shim.identity()).await;
    // The record was made up for.
    assert!(matches!(adopted(&request).await, Adopted::Ended(found) if found == exit));
}

#[test]
fn p7_a_shim_that_was_killed_while_no_daemon_was_there_is_found_lost() {
    let scene = Scene::new();
    let daemon = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let first = daemon();
    let (shim, request) = first.block_on(scene.ready_in(FAMILY, |_| {}));
    let (supervisor, leader) = (shim.shim().clone(), shim.identity().clone());
    drop((shim, first));
    send("-KILL", &supervisor);
    daemon().block_on(async {
        // The kernel ends the agent's own process, with no daemon there.
        is_over(&leader).await;
        match adopted(&request).await {
            Adopted::Lost(exit) => {
                let stop = exit.stop.unwrap();
                assert!(stop.gone() && stop.ended >= 1, "{stop:?}");
                assert!(
                    stop.means
                        .iter()
                        .any(|means| matches!(means, Means::Cgroup | Means::Mark))
                );
            }
            other => panic!("{other:?}"),
        }
        assert!(scene.is_gone("away"));
    });
}

#[tokio::test]
async fn a_shim_that_is_told_to_end_stops_its_run() {
    let scene = Scene::new();
    let (shim, _) = scene
        .ready_in(FAMILY, |request| request.limits.grace = SHORT)
        .await;
    send("-HUP", shim.shim());
    shim.touch().await.unwrap();
    send("-TERM", shim.shim());
    let exit = shim.wait().await;
    assert_eq!(exit.reached, Some(Reached::Signalled));
    assert!(exit.stop.unwrap().gone());
    assert!(scene.is_gone("away"));
    assert_eq!(shim.stopper().stop(LONG).await, StopReport::default());
}

#[tokio::test]
async fn a_shim_that_is_held_still_does_not_hold_a_kill_up_for_ever() {
    let scene = Scene::new();
    let (shim, _) = scene.ready_in(FAMILY, |_| {}).await;
    send("-STOP", shim.shim());
    is_in_state(shim.shim(), 'T').await;
    let report = shim.stopper().stop(std::time::Duration::ZERO).await;
    assert!(report.gone(), "{report:?}");
    assert!(scene.is_gone("away"));
}

#[tokio::test]
async fn p12_a_shim_is_small() {
    let scene = Scene::new();
    let shim = scene
        .ready("head -c 20000000 /dev/zero; mkfifo gate; echo up; read x < gate")
        .await;
    while shim.output().0 < 20_000_000 {
        tokio::task::yield_now().await;
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", shim.shim().pid)).unwrap();
    let field = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    let (resident, own) = (field("VmRSS:"), field("RssAnon:"));
    println!("{resident} kB resident, {own} kB of it its own");
    assert!(own < 1024, "{own} kB");
    // The rest is the program's file, which all shims share; unoptimised it is large.
    let most = if cfg!(debug_assertions) { 6144 } else { 4096 };
    assert!(resident < most, "{resident} kB");
    shim.stopper().stop(LONG).await;
}
