//! The demo is the main job: every promise that it makes to whoever runs it first.

use std::collections::BTreeSet;

use serde_json::Value;
use worknode_tests::{
    program::{command, worknode},
    scene::Scene,
};

/// What must have happened, each with the words by which it is known.
const SEEN: &[(&str, &[&str])] = &[
    ("a submission outside its plan is refused", &["plan.outside"]),
    ("one that breaks a test is refused", &["tests.failed"]),
    ("an agent crashes and is restarted", &["\"agent_restarting\""]),
    (
        "a runaway is stopped at its time limit",
        &["\"time_limit\"", "\"kill_sent\":true"],
    ),
    ("and its task is taken from it", &["\"cause\":\"limit\""]),
    (
        "a cron trigger fires",
        &["\"name\":\"heartbeat\"", "\"trigger\":\"heartbeat\""],
    ),
    ("a deadline trigger fires", &["\"trigger\":\"usage-is-due\""]),
    ("an event trigger fires", &["\"trigger\":\"refused\""]),
    (
        "the executive stops an idle agent",
        &["\"agent_stop_requested\",\"data\":{\"reason\":\"idle\"}"],
    ),
];

#[test]
fn p3_p4_the_demo_lands_exactly_the_approved_work_and_leaves_nothing_behind() {
    let scene = Scene::empty();
    let dir = scene.file("demo");
    let dir = dir.as_path();
    let run = command(scene.path())
        .args(["demo", "--dir"])
        .arg(dir)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{said}\n{complaints}");
    assert!(
        said.contains("scripts") && said.contains("7 of 7 tasks completed"),
        "{said}"
    );

    let tasks = worknode(dir, ["task", "list", "--json"]).ok().json();
    let tasks = tasks.as_array().unwrap();
    assert!(
        tasks.iter().all(|task| task["status"] == "completed"),
        "{tasks:#?}"
    );
    let events = worknode(dir, ["events", "--json"]).ok().stdout;
    for (what, words) in SEEN {
        assert!(
            words.iter().all(|word| events.contains(word)),
            "not seen: {what} ({words:?})\n{said}"
        );
    }
    let records: Vec<Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    only_approved_work(dir, tasks, &records);
    assert_eq!(
        worknode_process::find_marked("WORKNODE_SOCKET", &socket(dir)).len(),
        0,
        "processes are left"
    );

    worknode(dir, ["audit", "verify"])
        .ok()
        .says(&["the chain is whole"]);
    // A second run finds nothing to do, and does nothing.
    worknode(dir, ["run"])
        .ok()
        .says(&["7 of 7 tasks completed", "0 attempts"]);
}

fn socket(dir: &std::path::Path) -> String {
    dir.canonicalize()
        .unwrap()
        .join(".worknode/worknode.sock")
        .to_string_lossy()
        .into_owned()
}

/// The base branch has the seed and one commit for each task; each has exactly the tree on
/// which its gates passed; the tests pass on the whole.
fn only_approved_work(dir: &std::path::Path, tasks: &[Value], records: &[Value]) {
    let git = |args: &[&str]| {
        let done = std::process::Command::new("git")
            .arg("-C")
            .arg(dir)
            .args(args)
            .output()
            .unwrap();
        assert!(done.status.success(), "git {args:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    let commits: Vec<String> = git(&["rev-list", "--reverse", "main"])
        .lines()
        .skip(1)
        .map(str::to_owned)
        .collect();
    let landed: BTreeSet<&str> = tasks
        .iter()
        .map(|task| task["commit"].as_str().unwrap())
        .collect();
    assert_eq!(
        commits.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        landed
    );
    for commit in &commits {
        let tree = git(&["rev-parse", &format!("{commit}^{{tree}}")]);
        for gate in ["plan", "tests"] {
            let passed = records.iter().any(|record| {
                let verdict = &record["data"]["verdict"];
                verdict["gate"] == gate && verdict["tree"] == tree && verdict["outcome"] == "passed"
            });
            assert!(
                passed,
                "{commit} landed without the gate {gate} on its tree {tree}"
            );
        }
    }
    assert_eq!(
        git(&["status", "--porcelain"]),
        "",
        "the work tree follows the branch"
    );
    let tests = std::process::Command::new("sh")
        .arg("tests/run.sh")
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(
        tests.status.success(),
        "{}",
        String::from_utf8_lossy(&tests.stdout)
    );
}
