//! The team of a queen, five workers and two in reserve: its plan is worked to the end although one
//! worker is lost and another late, and its report tells what happened.

use std::process::Command;

use serde_json::Value;
use worknode_tests::{scene::Scene, wait::until};

use crate::examples::example;

/// The tasks of the plan, phase by phase, each with who did it.
const DONE: [(&str, &[(&str, &str)]); 6] = [
    (
        "phase0-foundation",
        &[("charter", "validator"), ("topology", "synchroniser")],
    ),
    ("phase1-benchmark", &[("baseline", "benchmarker")]),
    ("phase2-intelligence", &[("analyse", "analyst")]),
    ("phase3-synchronisation", &[("clocks", "reserve-1")]),
    (
        "phase4-optimisation",
        &[("tune", "reserve-2"), ("costs", "analyst")],
    ),
    ("phase5-validation", &[("validate", "validator")]),
];

/// The repository that the example's own script makes.
fn team() -> Scene {
    let scene = Scene::empty();
    let done = Command::new("sh")
        .arg(example("novacron").join("prepare.sh"))
        .arg(scene.path())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    scene.worknode(&["check"]).ok().says(&["no mistakes found"]);
    scene
}

#[test]
fn p2_p3_p6_a_queen_replaces_who_is_lost_and_late_and_the_report_is_true() {
    let scene = team();
    scene
        .worknode(&[
            "trigger",
            "next",
            "status",
            "-n",
            "2",
            "--from",
            "2027-01-01T00:00:01Z",
        ])
        .ok()
        .says(&["2027-01-01T00:10:00Z", "2027-01-01T00:20:00Z"]);
    let daemon = scene.daemon();
    scene.wait_for_daemon();
    // One after the other, so that a slow machine has its time for each.
    for (task, _) in DONE.iter().flat_map(|(_, tasks)| *tasks) {
        scene.wait_for_task(task, "completed");
    }
    scene.wait_for_event("the end of the plan", |event| {
        event["type"] == "plan_finished" && event["data"]["open"] == 0
    });
    let ended = scene.wait_for_event("the final report", |event| {
        event["type"] == "trigger_ended" && event["data"]["trigger"] == "final-report"
    });
    assert_eq!(ended["data"]["outcome"], "its task is completed", "{ended}");

    what_landed_is_in_the_order_of_the_phases(&scene);
    the_reserve_came_in_for_a_reason(&scene);
    all_left_what_the_next_need(&scene);
    status_is_there_when_its_time_comes(&scene);
    the_report_tells_what_happened(&scene);

    scene.worknode(&["down"]).ok();
    assert_eq!(daemon.wait().code, Some(0));
    assert_eq!(scene.processes(), 0);
    // Without a daemon it is read from the store.
    scene
        .worknode(&["report", "--under", "phase3-synchronisation"])
        .ok()
        .says(&["# Report: phase3-synchronisation", "1 of 1 tasks completed"]);
}

fn what_landed_is_in_the_order_of_the_phases(scene: &Scene) {
    let report = report(scene);
    let landed: Vec<&str> = texts(&report["landed"], "task");
    let phase_of = |task: &str| {
        DONE.iter()
            .position(|(_, tasks)| tasks.iter().any(|(key, _)| *key == task))
    };
    let phases: Vec<usize> = landed.iter().filter_map(|task| phase_of(task)).collect();
    assert_eq!(phases.len(), 8, "{landed:?}");
    assert!(phases.is_sorted(), "{landed:?}");
    let files = scene.git(&["ls-tree", "-r", "--name-only", "main"]);
    for task in report["phases"].as_array().unwrap().iter().flat_map(tasks_of) {
        for path in task["deliverables"].as_array().into_iter().flatten() {
            let path = path.as_str().unwrap();
            assert!(files.lines().any(|file| file == path), "no {path} in {files}");
        }
    }
    // And it works: that is what all of it was for.
    let tuned = scene.git(&["show", "main:bench/tuned.txt"]);
    assert!(tuned.starts_with("rounds 5\n"), "{tuned}");
}

fn the_reserve_came_in_for_a_reason(scene: &Scene) {
    let report = report(scene);
    let trouble: Vec<String> = report["trouble"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} {}: {}", one["event"], one["of"], one["what"]))
        .collect();
    for told in [
        r#""run_exited" "synchroniser": "died of signal 9""#,
        r#""plan_changed" "clocks": "planned anew (agent): the worker synchroniser is lost""#,
        r#""plan_changed" "tune": "planned anew (agent): the phase phase4-optimisation is late""#,
        r#""run_exited" "optimiser": "stopped by queen: the phase phase4-optimisation is late""#,
    ] {
        assert!(
            trouble.iter().any(|line| line == told),
            "no {told} in {trouble:#?}"
        );
    }
    assert!(
        trouble
            .iter()
            .any(|line| line.starts_with(r#""plan_deviated" "phase4-optimisation""#)),
        "{trouble:#?}"
    );
    let ended = |trigger: &str| {
        let events = scene.events();
        let ended = events
            .iter()
            .filter(|event| event["type"] == "trigger_ended" && event["data"]["trigger"] == trigger);
        ended.count()
    };
    assert_eq!((ended("worker-lost"), ended("synthesis")), (1, 1));
    assert!(ended("phase-late") >= 1);
}

fn all_left_what_the_next_need(scene: &Scene) {
    for (phase, (_, tasks)) in DONE.iter().enumerate() {
        for (task, who) in *tasks {
            let key = format!("swarm/{who}/phase{phase}");
            let entry = scene.worknode(&["memory", "get", &key, "--json"]).ok().json();
            assert_eq!(entry["by"], *who, "{task}: {entry}");
            let synthesis = ["memory", "get", "swarm/queen/synthesis"];
            scene.worknode(&synthesis).ok().says(&[&key]);
        }
    }
}

fn status_is_there_when_its_time_comes(scene: &Scene) {
    scene.worknode(&["trigger", "fire", "status"]).ok();
    // One of before may be there already, when the clock came by at its ten minutes.
    until(
        "the status of now: eight tasks of the plan and the report",
        || {
            let found = scene.worknode(&["memory", "get", "swarm/queen/status", "--json"]);
            let is_new = found.code == Some(0) && found.json()["value"]["completed"] == 9;
            if is_new { Ok(()) } else { Err(found) }
        },
    );
}

fn the_report_tells_what_happened(scene: &Scene) {
    let report = report(scene);
    assert_eq!((&report["tasks"], &report["completed"]), (&9.into(), &9.into()));
    let phases = report["phases"].as_array().unwrap();
    assert_eq!(phases.len(), 7, "six of the plan, and that of triggers");
    for (phase, (name, tasks)) in phases.iter().zip(DONE) {
        assert_eq!(phase["name"], name);
        let done: Vec<(&str, &str)> = texts(&phase["tasks"], "key")
            .into_iter()
            .zip(texts(&phase["tasks"], "by"))
            .collect();
        assert_eq!(done, tasks);
    }
    for agent in report["agents"].as_array().unwrap() {
        let name = agent["name"].as_str().unwrap();
        let shown = scene.worknode(&["agent", "show", name, "--json"]).ok().json();
        assert_eq!(agent["tier"], shown["tier"]);
        assert!(agent["used"]["runs"].as_u64().unwrap() >= 1, "{agent}");
    }
    let commits = scene.git(&["log", "--format=%H", "main"]);
    for commit in texts(&report["landed"], "commit") {
        assert!(commits.contains(commit), "{commit} is not on main");
    }
    let written = scene.git(&["show", "main:reports/final.md"]);
    for part in [
        "# Report: novacron",
        "8 of 9 tasks completed",
        "## phase4-optimisation",
        "| tune: Tune the cluster | completed | reserve-2 | 1 |",
        "## Who did what",
        "| queen | executive |",
        "## Landed",
        "## Not as planned",
        "synchroniser: died of signal 9",
        "## Decided",
        "Who does clocks? reserve-1 does.",
        "Is the mission fulfilled? Yes. Because: 5 rounds where 15 were, and 5 are the target (queen)",
        "## Synthesis",
        "swarm/reserve-2/phase4",
    ] {
        assert!(written.contains(part), "no `{part}` in {written}");
    }
}

fn report(scene: &Scene) -> Value {
    scene.worknode(&["report", "--json"]).ok().json()
}

fn tasks_of(phase: &Value) -> impl Iterator<Item = &Value> {
    phase["tasks"].as_array().into_iter().flatten()
}

fn texts<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|one| one[key].as_str().unwrap())
        .collect()
}
