//! Mailboxes are bounded: what does not fit is told so, at once, with when to try again.

use std::sync::Arc;

use worknode_core::{
    bounds,
    command::Command,
    error::Code,
    event::Principal,
    task::{Progress, TaskCommand},
    time::{Clock, Timestamp},
};
use worknode_policies::authority::Authority;
use worknode_tests::{scene::Scene, within::Within};

const TEAM: &str = "[team]\nname = \"flood\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn p8_a_flood_is_answered_with_backpressure_and_nothing_is_dropped_silently() {
    let scene = Scene::with_team(TEAM);
    let within = Within::start(&scene, Timestamp::from_millis(1_000_000)).await;
    let system = within.system().clone();
    let team = system.team().node();
    let operator = Arc::new(Authority::whole(Principal::Operator));
    let flood: Vec<_> = (0..bounds::MAILBOX * 4)
        .map(|n| {
            let (system, operator) = (system.clone(), Arc::clone(&operator));
            tokio::spawn(async move {
                let emit = Command::Emit {
                    name: format!("flood-{n}"),
                    version: 1,
                    data: serde_json::Map::new(),
                };
                system.ask(&operator, team, emit, None).await
            })
        })
        .collect();
    let (mut stored, mut refused) = (0, 0);
    for asked in flood {
        match asked.await.unwrap() {
            Ok(_) => stored += 1,
            Err(error) => {
                assert_eq!(error.code, Code::Backpressure, "{error}");
                assert!(error.retry_after_ms.is_some_and(|wait| wait > 0));
                refused += 1;
            }
        }
    }
    assert_eq!(stored + refused, bounds::MAILBOX * 4);
    assert!(stored >= bounds::MAILBOX, "what fits is stored: {stored}");
    assert!(refused > 0, "what does not fit is refused");
    let emitted = scene.count_offline(&system, |topic| topic.starts_with("flood-"));
    assert_eq!(
        emitted, stored,
        "what was acknowledged is stored, and nothing else"
    );
    within.runtime.shutdown("test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worknode_is_passivated_when_idle_and_wakes_with_its_state() {
    let scene = Scene::with_team(TEAM);
    let within = Within::start(&scene, Timestamp::from_millis(1_000_000)).await;
    let system = within.system().clone();
    let team = system.team().node();
    let before = system.command(team, Command::Get).await.unwrap().node().unwrap();
    assert!(within.runtime.active().await >= 1);
    within.runtime.passivate(std::time::Duration::ZERO);
    while within.runtime.active().await > 0 {
        tokio::task::yield_now().await;
    }
    let after = system.command(team, Command::Get).await.unwrap().node().unwrap();
    // What only was remembered about it meanwhile moves its stamp, and nothing else.
    assert_eq!(
        (before.id, &before.name, &before.state),
        (after.id, &after.name, &after.state)
    );
    within.runtime.shutdown("test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p9_nobody_but_the_runtime_administers() {
    let scene = Scene::with_team(&format!(
        "{TEAM}\n[[phase]]\nname = \"p\"\n[[phase.task]]\nid = \"t\"\ntitle = \"T\"\nprompt = \"x\"\nfiles = [\"f\"]\n"
    ));
    let within = Within::start(&scene, Timestamp::from_millis(1_000_000)).await;
    let system = within.system().clone();
    let task = worknode_daemon::view::find(system.reader(), worknode_core::node::Kind::Task, "t").unwrap();
    let operator = Arc::new(Authority::whole(Principal::Operator));
    for command in [
        TaskCommand::MarkReady,
        TaskCommand::Fail {
            reason: String::new(),
        },
        TaskCommand::Complete {
            tree: "0".repeat(40).parse().unwrap(),
            commit: "0".repeat(40).parse().unwrap(),
        },
    ] {
        let refused = system
            .ask(&operator, task.id, Command::Task(command), None)
            .await
            .unwrap_err();
        assert_eq!(refused.code, Code::Forbidden, "{refused}");
    }
    let stale = TaskCommand::Progress {
        epoch: 1,
        progress: Progress::default(),
    };
    assert!(
        system
            .ask(&operator, task.id, Command::Task(stale), None)
            .await
            .is_err()
    );
    assert_eq!(within.clock.now(), Timestamp::from_millis(1_000_000));
    within.runtime.shutdown("test").await;
}
