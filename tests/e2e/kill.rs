//! Stopping: proved by a receipt, as often as somebody asks, however the agent defends itself.

use worknode_process::find_marked;
use worknode_tests::scene::Scene;

use crate::operator::{TEAM, at_work, both};

fn run_of(scene: &Scene, agent: &str) -> String {
    let agent = scene.worknode(&["agent", "show", agent, "--json"]).ok().json();
    agent["run"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn p4_a_kill_is_proved_and_may_be_repeated() {
    let scene = at_work();
    let (easy, hard) = (run_of(&scene, "easy"), run_of(&scene, "hard"));
    let of_run = |run: &str| find_marked("WORKNODE_RUN", run).len();
    assert_eq!(of_run(&hard), 3);

    // Only looking.
    let would = both(
        &scene,
        &["kill", "--all", "--dry-run"],
        &["would stop agent easy", &hard],
    );
    assert_eq!(
        (would[0]["run"].as_str(), would[1]["was"].as_str()),
        (Some(&*easy), Some("busy"))
    );
    assert!(would[0]["receipt"].is_null());

    for args in [
        &["kill", "nobody"][..],
        &["kill", "easy", "nobody"],
        &["kill", "no such agent?"],
    ] {
        scene
            .worknode(args)
            .fails(3)
            .says(&["there is no agent, task or run"]);
    }
    scene.worknode(&["kill"]).fails(2);
    scene.worknode(&["kill", "easy", "--all"]).fails(2);
    assert_eq!(of_run(&hard), 3);
    assert!(of_run(&easy) > 0, "one unknown name, and nothing is killed");

    let killed = scene
        .worknode(&["kill", "hard", "--reason", "runs wild", "--json"])
        .ok()
        .json();
    let receipt = &killed[0]["receipt"];
    assert_eq!(
        (&killed[0]["run"], &receipt["kill_sent"], &receipt["term_sent"]),
        (&hard.clone().into(), &true.into(), &true.into())
    );
    assert_eq!(receipt["processes_ended"], 3);
    assert_eq!(receipt["cause"]["reason"], "runs wild");
    assert_eq!(of_run(&hard), 0);
    assert!(of_run(&easy) > 0, "nobody else is stopped");
    assert_eq!(
        scene.worknode(&["agent", "show", "hard", "--json"]).ok().json()["status"],
        "stopped"
    );
    assert_ne!(
        scene.worknode(&["task", "show", "two", "--json"]).ok().json()["status"],
        "in_progress"
    );

    // A beginning of a run's id, as far as it is unique.
    let until_unique = easy.bytes().zip(hard.bytes()).take_while(|(a, b)| a == b).count() + 1;
    let beginning = &easy[..until_unique.max(8)];
    scene
        .worknode(&["kill", beginning, "--reason", "that one"])
        .ok()
        .says(&["stopped by operator: that one", "nothing left"]);
    assert_eq!(of_run(&easy), 0);
    assert!(!scene.events().iter().any(|event| event["type"] == "run_exited"
        && event["data"]["run"] == easy
        && event["data"]["receipt"]["cause"].is_null()));

    // Killing what is dead is done already, however it is named.
    for name in ["hard", &hard, &easy, beginning] {
        let again = scene.worknode(&["kill", name, "--json"]).ok().json();
        assert_eq!(again.as_array().unwrap().len(), 1, "{again}");
    }
    scene.worknode(&["kill", "--all"]).ok();
    scene
        .worknode(&["kill", "--all"])
        .ok()
        .says(&["nothing was running"]);
    scene
        .worknode(&["kill", "easy", "hard", "one", "two", "one"])
        .ok();
    assert_eq!(scene.processes(), 0);
    assert_eq!(scene.count("run_started"), scene.count("run_exited"));
    assert_eq!(
        scene.worknode(&["task", "show", "one", "--json"]).ok().json()["status"],
        "cancelled"
    );

    // What was stopped stays so until somebody says otherwise, and then works again.
    let resumed = both(&scene, &["agent", "resume", "easy"], &["easy"]);
    assert_eq!(resumed[0]["status"], "idle");
    scene.write("go", "");
    scene.worknode(&["task", "retry", "one"]).ok();
    scene.wait_for_task("one", "completed");
    scene.worknode(&["agent", "resume", "--all"]).ok();
    scene.worknode(&["agent", "resume", "nobody"]).fails(3);
    scene.worknode(&["down"]).ok();
    assert_eq!(scene.processes(), 0);
}

/// A task is killed as the task that it is, also when an agent's name begins with its own.
#[test]
fn p4_a_whole_name_counts_before_the_beginning_of_another() {
    let team = TEAM
        .replace("id = \"one\"", "id = \"eas\"")
        .replace("agent = \"easy\"", "agent = \"e*\"");
    let scene = Scene::with_team(&team);
    scene.worknode(&["up", "-d"]).ok();
    scene.wait_for_task("eas", "in_progress");
    let killed = scene.worknode(&["kill", "eas", "--json"]).ok().json();
    assert_eq!(
        (&killed[0]["kind"], &killed[0]["target"]),
        (&"task".into(), &"eas".into())
    );
    assert!(killed[0]["receipt"].is_object(), "{killed}");
    scene.worknode(&["kill", "ea"]).fails(2).says(&["beginning of 2"]);
    assert_eq!(
        scene.worknode(&["agent", "show", "easy", "--json"]).ok().json()["status"],
        "idle"
    );
    scene.worknode(&["down"]).ok();
    assert_eq!(scene.processes(), 0);
}
