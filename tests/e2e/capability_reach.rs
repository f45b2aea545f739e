//! What a narrow capability reaches through others: the tasks that it plans for them, and the agents
//! that it spawns.

use serde_json::Value;
use worknode_process::find_marked;
use worknode_tests::{
    program::{Done, command},
    scene::Scene,
    wait::until,
};

const TEAM: &str = r#"
[team]
name = "t"

[[agent]]
name = "boss"
profile = "executive"
driver = "command"
limits = { grace = "1s" }
command = ["sleep", "600"]

[[agent]]
name = "helper"
profile = "executive"
driver = "command"
start = "trigger"
limits = { grace = "1s", time = "20m" }
command = ["sleep", "600"]

[[agent]]
name = "patient"
profile = "executive"
driver = "command"
start = "trigger"
limits = { grace = "2m" }
command = ["sleep", "600"]

[[phase]]
name = "only"
[[phase.task]]
id = "code"
title = "Code"
prompt = "Write it"
files = ["src/**"]
role = "executive"
[[phase.task]]
id = "words"
title = "Words"
prompt = "Describe it"
files = ["docs/**"]
role = "executive"
"#;

/// A team, whose boss is at work.
fn with_boss() -> Scene {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    scene.wait_for_task("words", "ready");
    scene.wait_for_task("code", "ready");
    let token = until("the boss", || {
        let shown = scene.worknode(&["agent", "show", "boss", "--json"]).ok().json();
        let run = shown["run"]["id"]
            .as_str()
            .filter(|_| shown["run"]["pid"].is_u64());
        run.map(|run| format!(".worknode/runs/{run}/token")).ok_or(shown)
    });
    scene.write("boss", &scene.read(&token));
    scene
}

/// The program as its holder calls it with the boss's capability, narrowed.
fn narrowed(scene: &Scene, narrower: &[&str], args: &[&str]) -> Done {
    let all = [&["capability", "attenuate", "boss"][..], narrower].concat();
    scene.write("narrow", &scene.worknode(&all).ok().stdout);
    let mut command = command(scene.path());
    command
        .env("WORKNODE_SOCKET", scene.file(".worknode/worknode.sock"))
        .env("WORKNODE_TOKEN_FILE", scene.file("narrow"))
        .args(args);
    command.output().unwrap().into()
}

fn tasks(scene: &Scene) -> usize {
    let tasks = scene.worknode(&["task", "list", "--json"]).ok().json();
    tasks.as_array().unwrap().len()
}

#[test]
fn p9_nobody_plans_files_that_the_own_capability_does_not_name() {
    let scene = with_boss();
    let docs = |args: &[&str]| narrowed(&scene, &["--file", "docs/**"], args);
    // By every door to the plan, also beside what may be made and deleted.
    for beyond in [
        &["plan", "add", "More", "--file", "src/**"][..],
        &[
            "plan",
            "add",
            "More",
            "--file",
            "docs/a.md",
            "--may-delete",
            "src/a.rs",
        ],
        &["plan", "add", "More", "--file", "docs/a.md", "--may-create", "**"],
        &["task", "add", "More", "--file", "src/a.rs"],
        &["plan", "change", "words", "--file", "src/**"],
        &["plan", "change", "words", "--may-delete", "README.md"],
        &["plan", "change", "code", "--file", "docs/**"],
        &["plan", "change", "code", "--priority", "9"],
    ] {
        docs(beyond).fails(4).says(&["reaches beyond", "docs/**"]);
    }
    let node = r#"{"kind": "task", "name": "more", "parent": "only", "task": {"title": "More", "files": ["src/a.rs"]}}"#;
    let token = scene.read("narrow");
    let bearer = format!("Bearer {}", token.trim());
    scene
        .door()
        .ask("POST", "/api/v1/nodes", &[("Authorization", &bearer)], node)
        .is(403);
    assert_eq!(tasks(&scene), 2);

    docs(&["plan", "add", "More", "--key", "more", "--file", "docs/more/**"]).ok();
    docs(&["plan", "change", "more", "--file", "docs/a.md"]).ok();
    docs(&["plan", "change", "words", "--priority", "9"]).ok();
    scene.worknode(&["down"]).ok();
}

#[test]
fn p9_nobody_plans_where_the_own_capability_does_not_reach() {
    let scene = with_boss();
    let within = |args: &[&str]| narrowed(&scene, &["--below", "only"], args);
    within(&["plan", "add", "More"]).fails(4).says(&["not below"]);
    within(&["task", "add", "More"]).fails(4).says(&["not below"]);
    assert_eq!(tasks(&scene), 2);
    within(&["plan", "add", "More", "--phase", "only"]).ok();
    scene.worknode(&["down"]).ok();
}

/// The receipt of the agent's only run, once it is over.
fn receipt_of(scene: &Scene, run: &Value) -> Value {
    let ended = scene.wait_for_event("the end of the run", |event| {
        event["type"] == "run_exited" && event["data"]["run"] == *run
    });
    ended["data"]["receipt"].clone()
}

#[test]
fn p8_p9_no_run_outlives_the_capability_through_which_its_agent_was_spawned() {
    let scene = with_boss();
    let spawn_like = |like, name| ["spawn", like, "--name", name, "--prompt", "Look", "--json"];
    let spawn = |name| spawn_like("helper", name);
    // All of its time would go by until it is ended at the latest.
    let refused = narrowed(&scene, &["--for", "1m"], &spawn_like("patient", "late"));
    refused
        .fails(4)
        .says(&["expires at", "no time for a run", "holds longer"]);
    narrowed(&scene, &["--for", "15s"], &spawn("still")).ok();
    until("it is held still", || {
        let done = scene.worknode(&["freeze", "still"]);
        if done.code == Some(0) { Ok(()) } else { Err(done) }
    });
    narrowed(&scene, &["--for", "8s"], &spawn("short")).ok();
    let events = scene.events();
    let spawned =
        |event: &&Value| event["type"] == "run_queued" && event["data"]["run"]["purpose"] == "spawned";
    let queued: Vec<_> = events.iter().filter(spawned).collect();
    assert_eq!(queued.len(), 2);
    for ((name, most), queued) in [("still", 15), ("short", 8)].iter().zip(queued) {
        let run = &queued["data"]["run"];
        let time = run["limits"]["time"]["secs"].as_u64().unwrap();
        assert!(time < *most, "what is left, without the grace: {run}");
        let receipt = receipt_of(&scene, &run["id"]);
        assert_eq!(receipt["cause"]["cause"], "time_limit", "{receipt}");
        assert_eq!(find_marked("WORKNODE_RUN", run["id"].as_str().unwrap()).len(), 0);
        // Nor does it get another one.
        let shown = scene.worknode(&["agent", "show", name, "--json"]).ok().json();
        assert_ne!(shown["status"], "busy", "{shown}");
    }
    scene.worknode(&["down"]).ok();
}
