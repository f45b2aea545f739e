//! Limits of a task of its own: each is reached during a run, counts beside its agent's where it is
//! tighter, and can be changed while the team works.

use serde_json::{Value, json};
use worknode_tests::scene::{Resumes, Scene};

/// An agent with wide limits, and one task that is tried once and has limits of its own.
const TEAM: &str = r#"
[team]
name = "t"

[[agent]]
name = "worker"
driver = "scripted"
limits = { grace = "1s", time = "10m", tokens = 1_000_000, usd = 100.0 }
restart = { backoff = "10ms" }

[[phase]]
name = "only"
[[phase.task]]
id = "one"
title = "One"
prompt = "Write one.txt"
files = ["one.txt"]
max_attempts = 1
"#;

/// A client that tells the price of each step, in the words of OpenCode, and never ends by itself.
const SPENDS: &str = r#"
while :; do
    echo '{"type":"step_finish","timestamp":1,"sessionID":"s","part":{"type":"step-finish","reason":"tool-calls","cost":0.4,"tokens":{"input":40,"output":1,"reasoning":0,"cache":{"read":0,"write":0}}}}'
    sleep 0.1
done
"#;

/// A client that tells the tokens of each turn, and never ends by itself.
const THINKS: &str = r#"
echo '{"type":"system","subtype":"init","session_id":"'"$1"'","model":"m"}'
i=0
while :; do
    i=$((i + 1))
    echo '{"type":"assistant","message":{"id":"m'$i'","role":"assistant","model":"m","content":[{"type":"text","text":"on"}],"usage":{"input_tokens":400,"output_tokens":1}},"session_id":"s"}'
    sleep 0.1
done
"#;

fn scene(client: &str, limits: &str) -> Scene {
    let scene = Scene::new();
    scene.scripted_client(client, Resumes::Never);
    scene.and_team(&format!("{TEAM}{limits}\n"))
}

/// The receipt of the nth run, which is over.
fn receipt(scene: &Scene, nth: usize) -> Value {
    let events = scene.events().into_iter();
    let mut ends = events.filter(|event| event["type"] == "run_exited");
    ends.nth(nth).unwrap()["data"]["receipt"].clone()
}

/// The one run of the task ends at this limit, and so does the task, which is tried once.
fn ends_at(scene: &Scene, cause: &str) -> Value {
    scene.worknode(&["run"]).fails(1);
    assert_eq!(scene.count("run_started"), 1);
    let receipt = receipt(scene, 0);
    assert_eq!(receipt["cause"]["cause"], cause, "{receipt}");
    assert_eq!(receipt["survivors"], 0, "{receipt}");
    let task = scene.worknode(&["task", "show", "one", "--json"]).ok().json();
    assert_eq!(task["status"], "failed", "{task}");
    assert_eq!(scene.processes(), 0);
    receipt
}

#[test]
fn p8_a_run_is_stopped_at_the_tokens_of_its_task() {
    let receipt = ends_at(&scene(THINKS, "limits = { tokens = 1_000 }"), "tokens_limit");
    let used = receipt["usage"]["input_tokens"].as_u64().unwrap();
    assert!(
        (1_000..100_000).contains(&used),
        "far below those of its agent: {receipt}"
    );
}

#[test]
fn p8_a_run_is_stopped_at_the_money_of_its_task() {
    let scene = scene(SPENDS, "limits = { usd = 1.0 }");
    let driver = "agent-profiles/drivers/scripted.toml";
    scene.write(driver, &scene.read(driver).replace("claude-code", "opencode"));
    scene.commit("another client");
    let receipt = ends_at(&scene, "usd_limit");
    let cost = receipt["usage"]["cost"].as_u64().unwrap();
    assert!((1_000_000..100_000_000).contains(&cost), "{receipt}");
}

#[test]
fn p8_a_run_is_stopped_at_the_time_of_its_task() {
    ends_at(&scene(THINKS, "max_duration = \"1s\""), "time_limit");
}

#[test]
fn p8_the_limits_of_a_task_change_with_its_plan_and_count_for_the_next_run() {
    let scene = scene(THINKS, "limits = { tokens = 1_000, processes = 50 }");
    scene.worknode(&["up", "-d"]).ok();
    scene.wait_for_task("one", "failed");
    assert_eq!(receipt(&scene, 0)["cause"]["cause"], "tokens_limit");

    // Nobody begins while it is changed.
    scene.worknode(&["panic"]).ok();
    scene.worknode(&["task", "retry", "one"]).ok();
    let change = |args: &[&str]| scene.worknode(&[&["plan", "change", "one"], args].concat());
    change(&["--usd", "0"]).fails(2);
    change(&[
        "--tokens",
        "2000",
        "--usd",
        "1.5",
        "--clear",
        "processes",
        "--reason",
        "more to read",
    ])
    .ok();
    let changed = scene.wait_for_event("the change", |event| event["type"] == "plan_changed");
    let told = &changed["data"];
    assert_eq!(
        told["before"],
        json!({ "limits": { "tokens": 1_000, "processes": 50 } }),
        "{changed}"
    );
    assert_eq!(
        told["after"],
        json!({ "limits": { "tokens": 2_000, "usd": 1_500_000 } }),
        "{changed}"
    );
    assert_eq!(told["reason"], "more to read");

    scene.worknode(&["unpanic"]).ok();
    scene.wait_for_task("one", "failed");
    let second = receipt(&scene, 1);
    assert_eq!(second["cause"]["cause"], "tokens_limit", "{second}");
    assert!(
        second["usage"]["input_tokens"].as_u64().unwrap() >= 2_000,
        "{second}"
    );
    scene.worknode(&["down"]).ok();
    assert_eq!(scene.processes(), 0);
}
