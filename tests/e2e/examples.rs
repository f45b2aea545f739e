//! The teams in `examples/`: what people copy works. The demo has a file of its own, and so have the
//! team that governs itself and the one with a queen.

use std::path::{Path, PathBuf};

use worknode_tests::scene::Scene;

pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name)
}

/// A repository with the files of an example in it.
fn copied(name: &str, files: &[&str]) -> Scene {
    let scene = Scene::new();
    for file in files {
        scene.write(file, &std::fs::read_to_string(example(name).join(file)).unwrap());
    }
    scene.commit("team");
    scene
}

#[test]
fn the_smallest_team_does_its_task() {
    let scene = copied("minimal", &["worknode.toml"]);
    scene.worknode(&["run"]).ok().says(&["1 of 1 tasks completed"]);
    assert_eq!(scene.read("hello.txt"), "hello\n");
}

/// Its agents need an account, so it is only read.
#[test]
fn the_team_of_claude_code_has_no_mistakes() {
    let scene = copied("webapp-claude", &["worknode.toml", "plan.toml"]);
    scene.worknode(&["check"]).ok().says(&["no mistakes found"]);
}

#[test]
fn the_team_with_triggers_of_each_kind_works_by_itself() {
    let scene = copied("triggers", &["worknode.toml", "agent-profiles/emergency.toml"]);
    let next = [
        "trigger",
        "next",
        "daily-journal",
        "-n",
        "1",
        "--from",
        "2027-03-26T12:00:00Z",
    ];
    scene
        .worknode(&next)
        .ok()
        .says(&["2027-03-29T07:00:00Z", "2027-03-29T09:00:00+02:00"]);
    let _daemon = scene.daemon();
    scene.wait_for_daemon();
    let of = |trigger: &str, kind: &'static str| {
        let trigger = trigger.to_owned();
        move |event: &serde_json::Value| event["type"] == kind && event["data"]["trigger"] == trigger.as_str()
    };
    for _ in 0..2 {
        scene.worknode(&["emit", "build_failed", "code=1"]).ok();
    }
    scene.wait_for_event("the watcher", of("build-broken", "trigger_fired"));
    scene.worknode(&["trigger", "fire", "daily-journal"]).ok();
    scene.wait_for_event("the journal", of("daily-journal", "trigger_acted"));
    scene
        .worknode(&["trigger", "runs"])
        .ok()
        .says(&["build-broken", "daily-journal", "by hand"]);
}

#[test]
fn every_example_has_its_readme_and_is_known_here() {
    let known = [
        "minimal",
        "novacron",
        "self-governing",
        "triggers",
        "webapp",
        "webapp-claude",
    ];
    let mut found: Vec<String> = std::fs::read_dir(example(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, known, "an example came or went: test it here");
    for name in known {
        assert!(example(name).join("README.md").exists(), "{name} has no README");
    }
}
