//! "Follow one task": the table in the documentation of `worknode-actors`, lived.

use std::collections::BTreeMap;

use serde_json::Value;
use worknode_tests::{scene::Scene, wait::wait_for};

const TEAM: &str = r#"
[team]
name = "follow"

[gate.tests]
command = ["sh", "tests/run.sh"]

[[agent]]
name = "worker"
command = ["sh", "-c", """
worknode task progress --percent 50 'half of it' &&
echo done > work.txt && git add work.txt && git commit -qm work && worknode task submit
"""]

[[agent]]
name = "reviewer"
profile = "validation"
command = ["sh", "-c", 'worknode approve "$WORKNODE_TASK" --note "as asked"']

[[trigger]]
name = "go"
event = "go"
[trigger.spawn]
agent = "worker"
task = { title = "Write the file", files = ["work.txt"] }
"#;

/// The rows of the table: whose events, and which.
fn documented() -> BTreeMap<String, Vec<String>> {
    let source = include_str!("../../actors/src/lib.rs");
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let cells = |line: &str| -> Vec<String> { line.split('|').map(|cell| cell.trim().to_owned()).collect() };
    for row in source
        .lines()
        .filter(|line| line.starts_with("//! | "))
        .map(cells)
    {
        if let [_, _, file, whose, events, _] = row.as_slice()
            && events.starts_with('`')
        {
            let file = format!(
                "{}/../../actors/src/{}",
                env!("CARGO_MANIFEST_DIR"),
                file.trim_matches('`')
            );
            assert!(std::path::Path::new(&file).exists(), "{file} is not there");
            let events = events
                .split_whitespace()
                .map(|event| event.trim_matches('`').to_owned());
            rows.entry(whose.clone()).or_default().extend(events);
        }
    }
    rows
}

fn of(events: &[Value], node: &str) -> Vec<String> {
    let own = events.iter().filter(|event| event["node"] == node);
    own.map(|event| event["type"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_documented_life_of_a_task_is_the_real_one() {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    scene.worknode(&["emit", "go"]).ok();
    let tasks = || scene.worknode(&["task", "list", "--json"]).ok().json();
    wait_for("the trigger's task", || tasks()[0]["key"].is_string());
    let first = tasks()[0].clone();
    let key = first["key"].as_str().unwrap();
    scene
        .worknode(&[
            "task",
            "add",
            "Read the file",
            "--key",
            "next",
            "--depends-on",
            key,
            "--agent",
            "nobody",
        ])
        .ok();
    wait_for("the next task to be ready", || tasks()[1]["status"] == "ready");
    wait_for("both agents to end by themselves", || {
        scene.count("run_exited") == 2
    });
    scene.worknode(&["down"]).ok();

    let events = scene.events();
    let agents = scene.worknode(&["ps", "--json"]).ok().json();
    let agent = |name: &str| {
        let agents = agents.as_array().unwrap();
        let found = agents.iter().find(|agent| agent["name"] == name).unwrap();
        found["id"].as_str().unwrap().to_owned()
    };
    let without = |list: Vec<String>, noise: &[&str]| -> Vec<String> {
        list.into_iter()
            .filter(|event| !noise.contains(&event.as_str()))
            .collect()
    };
    let team = events
        .iter()
        .find(|event| event["type"] == "trigger_fired")
        .unwrap()["node"]
        .as_str()
        .unwrap();
    let of_team = [
        "node_created",
        "daemon_started",
        "triggers_watched",
        "plan_loaded",
        "plan_finished",
        "emitted",
        "daemon_stopped",
    ];
    let lived = BTreeMap::from([
        ("team".to_owned(), without(of(&events, team), &of_team)),
        ("task".to_owned(), of(&events, first["id"].as_str().unwrap())),
        (
            "worker".to_owned(),
            without(of(&events, &agent("worker")), &["node_created"]),
        ),
        (
            "reviewer".to_owned(),
            without(of(&events, &agent("reviewer")), &["node_created"]),
        ),
        ("next".to_owned(), of(&events, tasks()[1]["id"].as_str().unwrap())),
    ]);
    assert_eq!(lived, documented());
    assert_eq!(scene.landed(), ["seed", "team", "Write the file"]);
}
