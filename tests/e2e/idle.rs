//! Supervision is free: a team that has nothing to do does nothing.

use worknode_tests::scene::Scene;

const TEAM: &str = r#"
[team]
name = "idle"

[[agent]]
name = "worker"
count = 8
command = ["sh", "-c", "exit 0"]
"#;

#[test]
fn p12_an_idle_daemon_starts_nothing_and_records_nothing() {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    scene.wait_for_event("the plan to be found empty", |event| {
        event["type"] == "plan_finished"
    });
    let before = scene.events().len();
    for _ in 0..5 {
        let status = scene.worknode(&["status", "--json"]).ok().json();
        assert_eq!(status["agents"].as_array().unwrap().len(), 8);
        assert_eq!(
            scene.processes(),
            0,
            "no process for an agent that has nothing to do"
        );
    }
    assert_eq!(scene.events().len(), before, "looking changes nothing");
    scene.worknode(&["down"]).ok();
}
