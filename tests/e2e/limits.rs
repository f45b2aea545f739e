//! Limits of a team, of an agent and of what it spawned: reached during a run, and refused before.

use serde_json::Value;
use worknode_tests::{
    program::{Done, command},
    scene::Scene,
    wait::until,
};

/// One agent on one task that is tried once.
const TEAM: &str = r#"
[team]
name = "web"

[limits]
agents = 1
attempts = 1
LIMITS

[[agent]]
name = "worker"
limits = { grace = "1s" }
restart = { kind = "temporary" }
command = ["sh", "-c", """
SCRIPT
"""]

[[phase]]
name = "only"
[[phase.task]]
id = "one"
title = "One"
prompt = "Write one.txt"
files = ["one.txt"]
"#;

/// An agent that lives until the end, and one that it can spawn. The first leaves of its budget to
/// the second what is not in its own limit.
const BOSS: &str = r#"
[team]
name = "web"

[[agent]]
name = "boss"
profile = "executive"
driver = "command"
limits = { grace = "1s", OWN }
budget = { ALL }
restart = { kind = "temporary" }
command = ["sh", "-c", "while :; do sleep 0.2; done"]

[[agent]]
name = "helper"
profile = "executive"
driver = "command"
start = "trigger"
limits = { grace = "1s" }
command = ["sh", "-c", """
SCRIPT
"""]
"#;

const TALK: &str = "while :; do echo on; sleep 0.1; done";
const SPIN: &str = "while :; do :; done";
const FORK: &str = "for i in $(seq 60); do sleep 600 & done; wait";
/// Many that each hold a little: no process alone comes near its own limit.
const GROW: &str = r"for i in $(seq 12); do (x=$(head -c 3000000 /dev/zero | tr '\\0' x); sleep 600; :) & sleep 0.2; done; wait";

fn team(limits: &str, script: &str) -> Scene {
    Scene::with_team(&TEAM.replace("LIMITS", limits).replace("SCRIPT", script))
}

/// The receipts of all runs that are over.
fn receipts(scene: &Scene) -> Vec<Value> {
    let events = scene.events().into_iter();
    let ends = events.filter(|event| event["type"] == "run_exited");
    ends.map(|event| event["data"]["receipt"].clone()).collect()
}

/// How much of one thing is used, and how much may be.
fn used(of: &Value, what: &str) -> (u64, Option<u64>) {
    let uses = of["use"].as_array().unwrap();
    let entry = uses.iter().find(|entry| entry["what"] == what).unwrap();
    (entry["used"].as_u64().unwrap(), entry["limit"].as_u64())
}

/// The team works until nothing goes on; one run was started and reached this limit. Returns what
/// the next daemon knows of the team.
fn reached_by_the_team(limits: &str, script: &str, cause: &str) -> Value {
    let scene = team(limits, script);
    scene.worknode(&["run"]).fails(1);
    let receipts = receipts(&scene);
    assert_eq!(receipts.len(), 1, "{receipts:?}");
    assert_eq!(receipts[0]["cause"]["cause"], cause, "{receipts:?}");
    assert_eq!(receipts[0]["survivors"], 0);
    scene.worknode(&["up", "-d"]).ok();
    let status = scene.worknode(&["status", "--json"]).ok().json();
    scene.worknode(&["down"]).ok();
    assert_eq!(scene.processes(), 0);
    status
}

#[test]
fn p8_the_time_of_a_team_is_used_up_during_a_run() {
    let status = reached_by_the_team("time = \"2s\"", TALK, "time_limit");
    let (time, limit) = used(&status, "time");
    assert!(time >= 2_000 && limit == Some(2_000), "{status}");
}

#[test]
fn p8_the_processor_time_of_a_team_is_used_up_during_a_run() {
    let status = reached_by_the_team("cpu = \"1s\"", SPIN, "cpu_limit");
    let (cpu, limit) = used(&status, "cpu");
    assert!(cpu >= 1_000 && limit == Some(1_000), "{status}");
}

#[test]
fn p8_the_memory_of_a_team_is_reached_during_a_run_and_comes_back() {
    let status = reached_by_the_team("memory = 20_000_000", GROW, "memory_limit");
    assert_eq!(used(&status, "memory"), (0, Some(20_000_000)));
}

#[test]
fn p8_the_processes_of_a_team_are_reached_during_a_run_and_come_back() {
    let status = reached_by_the_team("processes = 20", FORK, "processes_limit");
    assert_eq!(used(&status, "processes"), (0, Some(20)));
}

#[test]
fn p8_when_the_time_of_a_team_is_used_up_nothing_more_starts() {
    let scene = team("time = \"1s\"", TALK);
    scene.worknode(&["run"]).fails(1);
    scene.worknode(&["up", "-d"]).ok();
    scene.worknode(&["task", "retry", "one"]).ok();
    scene
        .worknode(&["status"])
        .ok()
        .says(&["of 1.0s", "0 of 1 completed"]);
    let spawned = scene.worknode(&["spawn", "worker", "--task", "one"]);
    spawned.fails(4).says(&["web has 0s of time left of 1s of time"]);
    assert_eq!(scene.count("run_started"), 1);
    scene.worknode(&["down"]).ok();
}

#[test]
fn p8_the_silence_of_a_team_is_that_of_each_run() {
    let status = reached_by_the_team("silence = \"1s\"", "sleep 600", "silence_limit");
    assert_eq!(used(&status, "time").1, None);
}

#[test]
fn p8_a_start_that_takes_too_long_has_failed() {
    let scene = team("start = \"1ms\"", TALK);
    scene.worknode(&["run"]).fails(1);
    let ending = &receipts(&scene)[0]["ending"];
    assert_eq!(
        (&ending["how"], &ending["reason"]),
        (&"not_started".into(), &"it did not start within 1ms".into())
    );
    assert_eq!(scene.processes(), 0);
}

#[test]
fn p8_the_attempts_of_a_team_are_those_of_a_task_that_does_not_say() {
    let scene = Scene::with_team(
        &TEAM
            .replace("attempts = 1", "attempts = 2")
            .replace(
                "restart = { kind = \"temporary\" }",
                "restart = { backoff = \"10ms\" }",
            )
            .replace("LIMITS", "")
            .replace("SCRIPT", "exit 3"),
    );
    scene.worknode(&["run"]).fails(1);
    assert_eq!(scene.count("task_claimed"), 2);
    let task = scene.worknode(&["task", "show", "one", "--json"]).ok().json();
    assert_eq!(
        (&task["status"], &task["max_attempts"]),
        (&"failed".into(), &2.into())
    );
}

fn show(scene: &Scene, agent: &str) -> Value {
    scene.worknode(&["agent", "show", agent, "--json"]).ok().json()
}

/// The agent's run, once its process is there.
fn run_of(scene: &Scene, agent: &str) -> String {
    until(agent, || {
        let seen = show(scene, agent);
        let run = seen["run"]["id"].as_str().filter(|_| seen["run"]["pid"].is_u64());
        run.map(str::to_owned).ok_or(seen)
    })
}

/// The boss spawns a helper.
fn spawn(scene: &Scene, more: &[&str]) -> Done {
    let run = run_of(scene, "boss");
    let state = scene.file(".worknode");
    let mut command = command(scene.path());
    command
        .env("WORKNODE_SOCKET", state.join("worknode.sock"))
        .env("WORKNODE_TOKEN_FILE", state.join("runs").join(run).join("token"))
        .args(["spawn", "helper", "--prompt", "x", "--json"])
        .args(more);
    command.output().unwrap().into()
}

/// A subtree whose helper gets what the boss has left.
struct Subtree {
    unit: &'static str,
    /// The boss' own limit, and that of the whole subtree.
    own: &'static str,
    all: &'static str,
    /// What the helper is left with.
    left: u64,
    script: &'static str,
    cause: &'static str,
    /// More than that, how it is asked for, and what the refusal says.
    more: [&'static str; 2],
    refusal: &'static str,
}

impl Subtree {
    /// A helper is refused more than is left, gets just that, and is stopped when it reaches it.
    fn check(&self) -> Scene {
        let Self { unit, own, all, .. } = self;
        let config = BOSS
            .replace("OWN", &format!("{unit} = {own}"))
            .replace("ALL", &format!("{unit} = {all}"))
            .replace("SCRIPT", self.script);
        let scene = Scene::with_team(&config);
        scene.worknode(&["up", "-d"]).ok();
        let agents = || scene.count("node_created");
        let before = agents();
        spawn(&scene, &self.more)
            .fails(4)
            .says(&["limit_reached", "boss has", self.refusal]);
        assert_eq!(agents(), before, "nothing is made");

        let helper = spawn(&scene, &[]).ok().json();
        assert_eq!(used(&helper["run"], "time").0, 0, "it has just begun");
        let limits = scene.wait_for_event("the helper's run", |event| {
            event["type"] == "run_queued" && event["data"]["run"]["id"] == helper["run"]["id"]
        })["data"]["run"]["limits"]
            .clone();
        let granted = match (&limits[unit]["secs"], &limits[unit]["nanos"]) {
            (Value::Null, _) => limits[unit].as_u64(),
            (seconds, nanos) => seconds
                .as_u64()
                .map(|s| s * 1_000 + nanos.as_u64().unwrap() / 1_000_000),
        };
        assert_eq!(granted, Some(self.left), "{limits}");

        let ended = scene.wait_for_event("the end of the helper", |event| {
            event["type"] == "run_exited" && event["data"]["run"] == helper["run"]["id"]
        });
        let receipt = &ended["data"]["receipt"];
        assert_eq!(receipt["cause"]["cause"], self.cause, "{receipt}");
        assert!(show(&scene, "boss")["run"]["pid"].is_u64(), "the boss goes on");
        scene
    }
}

/// Of what is spent nothing is left, for the next daemon neither.
fn nothing_is_left(scene: &Scene, unit: &str, limit: u64) {
    scene.worknode(&["down", "--keep-agents"]).ok();
    scene.worknode(&["up", "-d"]).ok();
    spawn(scene, &[]).fails(4).says(&["boss has 0s", "left of"]);
    let (amount, most) = used(&show(scene, "boss"), unit);
    assert!(amount >= limit && most == Some(limit), "{amount} of {most:?}");
    scene
        .worknode(&["agent", "show", "boss"])
        .ok()
        .says(&["IT USES IN ALL"]);
    scene.worknode(&["status"]).ok().says(&["boss uses: "]);
    down(scene);
}

/// What was held is there again, for the next daemon too.
fn all_came_back(scene: &Scene, unit: &str, own: u64) {
    let kept = || used(&show(scene, "boss"), unit).0;
    assert_eq!(kept(), own);
    scene.worknode(&["down", "--keep-agents"]).ok();
    scene.worknode(&["up", "-d"]).ok();
    assert_eq!(kept(), own);
    spawn(scene, &[]).ok();
    down(scene);
}

fn down(scene: &Scene) {
    scene.worknode(&["down"]).ok();
    assert_eq!(scene.processes(), 0);
}

#[test]
fn p8_the_time_of_a_subtree_is_used_up_during_a_run() {
    let scene = Subtree {
        unit: "time",
        own: "\"5m\"",
        all: "\"302s\"",
        left: 2_000,
        script: TALK,
        cause: "time_limit",
        more: ["--max-duration", "3s"],
        refusal: "2s of time left of 5m 2s of time",
    };
    nothing_is_left(&scene.check(), "time", 302_000);
}

#[test]
fn p8_the_processor_time_of_a_subtree_is_used_up_during_a_run() {
    let scene = Subtree {
        unit: "cpu",
        own: "\"5m\"",
        all: "\"301s\"",
        left: 1_000,
        script: SPIN,
        cause: "cpu_limit",
        more: ["--cpu", "2s"],
        refusal: "1s of processor time left of 5m 1s",
    };
    nothing_is_left(&scene.check(), "cpu", 301_000);
}

#[test]
fn p8_the_memory_of_a_subtree_is_reached_during_a_run_and_comes_back() {
    let scene = Subtree {
        unit: "memory",
        own: "100_000_000",
        all: "120_000_000",
        left: 20_000_000,
        script: GROW,
        cause: "memory_limit",
        more: ["--memory", "64MiB"],
        refusal: "20MB of memory left of 120MB of memory",
    };
    all_came_back(&scene.check(), "memory", 100_000_000);
}

#[test]
fn p8_the_processes_of_a_subtree_are_reached_during_a_run_and_come_back() {
    let scene = Subtree {
        unit: "processes",
        own: "100",
        all: "120",
        left: 20,
        script: FORK,
        cause: "processes_limit",
        more: ["--processes", "21"],
        refusal: "20 processes left of 120 processes",
    };
    all_came_back(&scene.check(), "processes", 100);
}
