//! The team of three tiers that governs itself: each of its triggers does its thing.

use std::{fs, path::Path};

use serde_json::Value;
use worknode_core::time::Timestamp;
use worknode_tests::{scene::Scene, wait::until};

use crate::examples::example;

/// The example as its README says to copy it.
fn team() -> Scene {
    let scene = Scene::empty();
    let from = example("self-governing");
    copy(&from.join("seed"), scene.path());
    for name in ["agents", "agent-profiles"] {
        copy(&from.join(name), &scene.file(name));
    }
    scene.write(
        "worknode.toml",
        &fs::read_to_string(from.join("worknode.toml")).unwrap(),
    );
    scene.write(".gitignore", ".worknode/\n");
    scene.git(&["init", "--quiet", "--initial-branch=main"]);
    scene.commit("The program as it is found");
    scene.worknode(&["check"]).ok().says(&["no mistakes found"]);
    scene
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

fn of<'a>(trigger: &'a str, kind: &'a str) -> impl Fn(&Value) -> bool + 'a {
    move |event| event["type"] == kind && event["data"]["trigger"] == trigger
}

fn count(scene: &Scene, trigger: &str, kind: &str) -> usize {
    let events = scene.events();
    events.iter().filter(|event| of(trigger, kind)(event)).count()
}

/// Fires a trigger, and waits until what it started is over.
fn fire(scene: &Scene, trigger: &str) {
    let before = count(scene, trigger, "trigger_ended");
    scene.worknode(&["trigger", "fire", trigger]).ok();
    let ended = until(trigger, || {
        let events = scene.events();
        let mut ends = events.iter().filter(|event| of(trigger, "trigger_ended")(event));
        ends.nth(before).cloned().ok_or(events.len())
    });
    assert!(ended["data"]["failed"].is_null(), "{ended}");
}

fn show(scene: &Scene, task: &str) -> Value {
    scene.worknode(&["task", "show", task, "--json"]).ok().json()
}

#[test]
fn p3_p6_p9_three_tiers_mend_their_build_keep_their_deadlines_and_report_by_themselves() {
    let scene = team();
    let daemon = scene.daemon();
    scene.wait_for_daemon();
    let blocked = scene.wait_for_task("farewell", "blocked");
    assert!(blocked.to_string().contains("src/count.sh"), "{blocked}");

    a_deadline_that_is_near_brings_more_and_more(&scene);

    // What cannot be built stays blocked.
    fire(&scene, "plan-check");
    assert_eq!(show(&scene, "farewell")["status"], "blocked");

    the_second_failure_in_a_row_brings_a_debugger(&scene);

    // Now it can go on.
    fire(&scene, "plan-check");
    scene.wait_for_task("farewell", "completed");
    fire(&scene, "weekly-audit");
    fire(&scene, "daily-report");
    what_is_left_can_be_read(&scene);
    scene.worknode(&["down"]).ok();
    assert_eq!(daemon.wait().code, Some(0));
    assert_eq!(scene.processes(), 0);
}

fn a_deadline_that_is_near_brings_more_and_more(scene: &Scene) {
    // It moves to so near that a day and half a day before it are over already.
    let near: Timestamp = now(scene).plus(std::time::Duration::from_secs(6 * 3_600 + 2));
    let change = ["plan", "change", "farewell", "--deadline", &near.to_string()];
    scene.worknode(&change).ok();
    let told = scene.wait_for_event("half a day before", |event| {
        event["type"] == "notified" && event["data"]["message"] == "half a day is left for farewell"
    });
    assert_eq!(
        (&told["data"]["to"], &told["by"]["name"]),
        (&"executive".into(), &"deadlines".into())
    );
    let passed = scene.wait_for_event("a day before", of("deadlines", "trigger_skipped"));
    assert!(
        passed["data"]["occurrence"].as_str().unwrap().ends_with("#1day"),
        "{passed}"
    );
    scene.wait_for_event("the emergency", of("deadlines", "trigger_ended"));
    scene.wait_for_event("the priority", |event| {
        event["type"] == "plan_changed" && event["data"]["after"]["priority"] == 100
    });
    assert_eq!(count(scene, "deadlines", "trigger_fired"), 2, "each step once");
}

/// What the daemon's clock says, which has stamped its last event.
fn now(scene: &Scene) -> Timestamp {
    scene.worknode(&["emit", "look_at_the_clock"]).ok();
    let events = scene.events();
    let stamp = events.last().unwrap()["at"].as_str().unwrap().to_owned();
    stamp[..24].parse().unwrap()
}

fn the_second_failure_in_a_row_brings_a_debugger(scene: &Scene) {
    fire(scene, "build");
    assert_eq!(count(scene, "build-broken", "trigger_fired"), 0, "once is chance");
    fire(scene, "build");
    let ended = scene.wait_for_event("the end of the repair", of("build-broken", "trigger_ended"));
    assert_eq!(ended["data"]["outcome"], "its task is completed", "{ended}");
    assert_eq!(scene.landed().last().unwrap(), "Mend the build");
    // It would have gone on: its work was done.
    let events = scene.events();
    let stopped = events.iter().find(|event| {
        event["type"] == "run_exited"
            && event["data"]["receipt"]["cause"]["reason"] == "its task is handed in"
    });
    assert!(stopped.is_some());
    // A build that succeeds begins anew: one more failure would be the first.
    fire(scene, "build");
    assert_eq!(count(scene, "build-broken", "trigger_fired"), 1);
}

fn what_is_left_can_be_read(scene: &Scene) {
    assert_eq!(
        scene.landed()[1..3],
        ["Mend the build", "Say goodbye"],
        "{:?}",
        scene.landed()
    );
    assert!(scene.git(&["show", "main:src/farewell.sh"]).contains("Goodbye"));
    let files = scene.git(&["ls-tree", "--name-only", "main", "reports/"]);
    let report = scene.git(&["show", &format!("main:{files}")]);
    for part in [
        "## Tasks",
        "| `farewell` | completed |",
        "## Decided",
        "Try it again",
        "It goes before everything else",
        "## Went wrong",
        "Syntax error",
    ] {
        assert!(report.contains(part), "no `{part}` in {report}");
    }
    let found = "2 tasks completed, 0 submissions refused, 0 rules broken; the base branch can be built";
    let day = files.trim_start_matches("reports/").trim_end_matches(".md");
    scene
        .worknode(&["memory", "get", &format!("auditor/{day}")])
        .ok()
        .says(&[found]);
    scene
        .worknode(&["message", "list", "chief"])
        .ok()
        .says(&["2 tasks completed"]);
    scene
        .worknode(&["issue", "search", "src/count.sh: 5: Syntax error"])
        .ok()
        .says(&["add the missing `done`"]);
    // Nothing was fired by a plan of ours: each is known by its trigger.
    scene.worknode(&["trigger", "runs"]).ok().says(&[
        "build-broken",
        "plan-check",
        "weekly-audit",
        "daily-report",
        "deadlines",
    ]);
}
