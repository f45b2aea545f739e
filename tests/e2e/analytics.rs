//! What is said of how a team does, number by number.

use worknode_tests::{scene::Scene, wait::wait_for};

const TEAM: &str = r#"
[team]
name = "counted"

[[agent]]
name = "worker"
command = ["sh", "-c", "echo work > work.txt && git add . && git commit -qm work"]

[[agent]]
name = "nobody"
command = ["true"]
start = "trigger"

[[phase]]
name = "all"
[[phase.task]]
id = "work"
title = "Work"
prompt = "Write work.txt"
files = ["work.txt"]
agent = "worker"
[[phase.task]]
id = "left"
title = "Left"
prompt = "Nobody does it"
files = ["left.txt"]
agent = "nobody"
"#;

#[test]
fn the_numbers_are_those_of_what_happened() {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    wait_for("the work to land", || scene.count("task_completed") == 1);

    let progress = scene.http("/api/v1/analytics/progress");
    let of = |part: &str| progress[part]["groups"].as_array().unwrap().clone();
    let all = &of("progress")[0];
    assert_eq!(all["value"]["done"], 1, "{progress}");
    assert_eq!(all["value"]["total"], 2, "{progress}");
    assert_eq!(all["value"]["percent"], 50.0, "{progress}");
    let statuses: Vec<_> = of("by_status")
        .iter()
        .map(|group| (group["key"][0].clone(), group["value"].clone()))
        .collect();
    let is = |status: &str| (status.into(), 1.into());
    assert_eq!(statuses, [is("completed"), is("ready")], "{progress}");
    assert_eq!(of("by_parent").len(), 1, "one phase has tasks: {progress}");

    let agents = scene.http("/api/v1/analytics/agents?days=1");
    let known = agents["agents"].as_array().unwrap();
    let worker = known.iter().find(|agent| agent["agent"] == "worker").unwrap();
    assert_eq!(worker["completed"], 1, "{agents}");
    let days = worker["per_day"].as_object().unwrap();
    assert_eq!(
        days.values().filter_map(serde_json::Value::as_u64).sum::<u64>(),
        1
    );
    let runs = scene.count("run_exited");
    let counted: u64 = known.iter().map(|agent| agent["runs"].as_u64().unwrap()).sum();
    assert_eq!(counted, u64::try_from(runs).unwrap(), "{agents}");
    let busy = worker["busy_ms"].as_u64().unwrap();
    let day = 24.0 * 60.0 * 60.0 * 1_000.0;
    let utilisation = worker["utilisation"].as_f64().unwrap();
    assert!((utilisation * day - busy as f64).abs() < 1.0, "{agents}");
    for time in ["lead_time", "cycle_time"] {
        assert_eq!(agents[time]["count"], 1, "{agents}");
        let [half, most] = ["p50_ms", "p99_ms"].map(|of| agents[time][of].as_u64().unwrap());
        assert_eq!(half, most, "of one task all are the same: {agents}");
    }
    let lead = agents["lead_time"]["p50_ms"].as_u64();
    assert!(lead >= agents["cycle_time"]["p50_ms"].as_u64(), "{agents}");
    let elsewhere = scene.http("/api/v1/analytics/agents?under=left");
    assert_eq!(elsewhere["lead_time"]["count"], 0, "{elsewhere}");
}
