//! What a program says of itself: tokens, quota, sessions, and an end that is none.
//!
//! The programs here are scripts that speak the stream of a real client, so that every word and
//! every exit code is the test's to choose.

use serde_json::Value;
use worknode_tests::scene::{Resumes, Scene};

const TEAM: &str = r#"
[team]
name = "t"

LIMITS

[[agent]]
name = "worker"
driver = "scripted"
RESTART

[[phase]]
name = "only"
[[phase.task]]
id = "one"
title = "One"
prompt = "Write one.txt"
files = ["*.txt"]
[[phase.task]]
id = "two"
title = "Two"
prompt = "Write two.txt"
files = ["*.txt"]
depends_on = ["one"]
"#;

/// What every script begins with: the words of the client, and the work.
const WORDS: &str = r#"
init() { echo '{"type":"system","subtype":"init","session_id":"'"$1"'","model":"m"}'; }
turn() { echo '{"type":"assistant","message":{"id":"m'"$1"'","role":"assistant","model":"m","content":[{"type":"text","text":"on"}],"usage":{"input_tokens":'"$2"',"output_tokens":1}},"session_id":"s"}'; }
result() { echo '{"type":"result","subtype":"success","is_error":false,"terminal_reason":"completed","result":"done","num_turns":1,"session_id":"s","total_cost_usd":'"$1"',"usage":{"input_tokens":700,"output_tokens":30}}'; }
quota() { echo '{"type":"result","subtype":"success","is_error":true,"terminal_reason":"api_error","api_error_status":429,"result":"Claude AI usage limit reached|'"$1"'","session_id":"s","total_cost_usd":0,"usage":{"input_tokens":0,"output_tokens":0}}'; }
work() { echo done > "$WORKNODE_TASK.txt"; git add . && git commit -qm work >&2; }
"#;

/// A team with such limits of its own, and an agent that runs this.
fn scene(limits: &str, script: &str) -> Scene {
    scene_with(limits, "restart = { backoff = \"10ms\" }", script)
}

/// The same, and an agent that is started only once.
fn once(limits: &str, script: &str) -> Scene {
    let agent = format!("limits = {{ grace = \"1s\" {limits} }}\nrestart = {{ kind = \"temporary\" }}");
    scene_with("", &agent, script)
}

fn scene_with(limits: &str, agent: &str, script: &str) -> Scene {
    let scene = Scene::new();
    scene.scripted_client(&format!("{WORDS}\n{script}"), Resumes::AfterTheWord);
    scene.and_team(&TEAM.replace("LIMITS", limits).replace("RESTART", agent))
}

fn receipts(scene: &Scene) -> Vec<Value> {
    let ends = scene
        .events()
        .into_iter()
        .filter(|event| event["type"] == "run_exited");
    ends.map(|event| event["data"]["receipt"].clone()).collect()
}

#[test]
fn p11_what_a_run_has_used_is_in_its_receipt_and_in_the_team_s_budget() {
    let scene = scene(
        "[limits]\nusd = 5.0\ntokens = 1_000_000",
        "init $1; turn 1 700; work; result 0.25",
    );
    scene.worknode(&["run"]).ok();
    let receipts = receipts(&scene);
    assert_eq!(receipts.len(), 2);
    for receipt in receipts {
        assert_eq!(
            (&receipt["usage"]["input_tokens"], &receipt["usage"]["cost"]),
            (&700.into(), &250_000.into())
        );
        assert!(receipt["failure"].is_null(), "{receipt}");
    }
    scene.worknode(&["up", "-d"]).ok();
    let status = scene.worknode(&["status", "--json"]).ok().json();
    let usd = status["use"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["what"] == "usd")
        .unwrap();
    assert_eq!(
        (&usd["used"], &usd["limit"]),
        (&500_000.into(), &5_000_000.into()),
        "remembered by the next daemon"
    );
    scene.worknode(&["status"]).ok().says(&["usd $0.50 of $5.00"]);
    scene.worknode(&["down"]).ok();
}

#[test]
fn p8_a_run_is_stopped_when_it_reaches_its_tokens() {
    let script = "init $1; for i in 1 2 3 4 5 6; do turn $i 400; sleep 0.1; done; sleep 600";
    let scene = once(", tokens = 1_000", script);
    scene.worknode(&["run"]).fails(1);
    let receipt = &receipts(&scene)[0];
    assert_eq!(receipt["cause"]["cause"], "tokens_limit", "{receipt}");
    assert!(
        receipt["usage"]["input_tokens"].as_u64().unwrap() >= 1_000,
        "{receipt}"
    );
    assert_eq!(scene.processes(), 0);
}

#[test]
fn p8_when_the_budget_is_used_up_nothing_more_starts() {
    // The first run takes it all; the second task has to wait for somebody to raise it.
    let scene = scene("[limits]\nusd = 1.0", "init $1; work; result 1.5");
    scene.worknode(&["run"]).fails(1);
    assert_eq!(scene.count("run_started"), 1);
    assert_eq!(
        scene.worknode(&["task", "show", "two", "--json"]).ok().json()["status"],
        "ready"
    );
    let team = scene.read("worknode.toml").replace("usd = 1.0", "usd = 9.0");
    scene.write("worknode.toml", &team);
    scene.commit("more money");
    scene.worknode(&["run"]).ok();
    assert_eq!(scene.count("run_started"), 2);
}

#[test]
fn p6_p8_at_a_quota_all_wait_until_it_is_reset_and_no_attempt_is_lost() {
    // Twice the provider says no, and when it will give again.
    let script = r#"init $1
tried=$(ls ../../runs | wc -l)
if [ "$tried" -lt 3 ]; then quota $(($(date +%s) + 2)); exit 1; fi
turn 1 10; work; result 0.01"#;
    let scene = scene("", script);
    scene.worknode(&["run"]).ok();
    assert!(scene.count("pool_paused") >= 1, "{:#?}", scene.events());
    assert!(scene.count("pool_resumed") >= 1);
    let task = scene.worknode(&["task", "show", "one", "--json"]).ok().json();
    assert_eq!(
        (&task["status"], &task["attempts"]),
        (&"completed".into(), &1.into()),
        "{task}"
    );
    let receipts = receipts(&scene);
    assert!(
        receipts[0]["blameless"] == true && receipts[0]["failure"].is_string(),
        "{receipts:#?}"
    );
    assert_eq!(scene.count("agent_quarantined"), 0);
}

#[test]
fn p3_exit_code_zero_without_a_word_is_no_success() {
    let scene = once("", "init $1; turn 1 10; work; exit 0");
    scene.worknode(&["run"]).fails(1);
    let receipt = &receipts(&scene)[0];
    assert_eq!(receipt["ending"]["code"], 0);
    assert!(receipt["failure"].is_string(), "{receipt}");
    assert_eq!(scene.landed(), ["seed", "team"]);
}

#[test]
fn a_run_that_broke_off_is_gone_on_with_in_its_session() {
    let script = r#"
if [ "$1" = resume ]; then echo "resumed $2" >&2; init $2; turn 2 10; work; result 0.02; exit 0; fi
init $1; turn 1 10
case $WORKNODE_TASK in one) exit 1;; esac
work; result 0.01"#;
    let scene = scene("", script);
    scene.worknode(&["run"]).ok();
    let starts: Vec<_> = scene
        .events()
        .into_iter()
        .filter(|event| event["type"] == "run_started")
        .collect();
    let run = |nth: usize| starts[nth]["data"]["run"].as_str().unwrap().to_owned();
    let stderr = scene.read(&format!(".worknode/runs/{}/stderr.log", run(1)));
    assert!(stderr.contains(&format!("resumed {}", run(0))), "{stderr}");
    assert_eq!(scene.count("run_session"), 3);
    // The brief tells, too, how the run before ended.
    let brief = scene.read(&format!(".worknode/runs/{}/brief.md", run(1)));
    assert!(
        brief.contains("How the last run ended") && brief.contains("exited with code 1"),
        "{brief}"
    );
}

#[test]
fn p7_a_program_that_says_done_and_goes_on_living_is_ended_and_its_work_counts() {
    let scene = once("", "init $1; work; result 0.01; setsid sleep 600 & sleep 600");
    scene.worknode(&["run"]).ok();
    let receipt = &receipts(&scene)[0];
    assert_eq!(receipt["cause"]["cause"], "lingering", "{receipt}");
    assert!(receipt["failure"].is_null(), "{receipt}");
    assert_eq!(scene.landed(), ["seed", "team", "One", "Two"]);
    assert_eq!(scene.processes(), 0);
}

#[test]
fn p8_a_program_that_loops_is_stopped() {
    let script = r#"init $1; i=0
while :; do i=$((i+1)); echo '{"type":"assistant","message":{"id":"l'$i'","role":"assistant","model":"m","content":[{"type":"tool_use","id":"t'$i'","name":"Bash","input":{"command":"ls"}}],"usage":{"input_tokens":5,"output_tokens":1}},"session_id":"s"}'
echo '{"type":"user","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"t'$i'","content":"x"}]},"session_id":"s"}'; sleep 0.05; done"#;
    let scene = once("", script);
    scene.worknode(&["run"]).fails(1);
    let receipt = &receipts(&scene)[0];
    assert_eq!(
        (&receipt["cause"]["cause"], &receipt["cause"]["stuck"]["stuck"]),
        (&"stuck".into(), &"looping".into()),
        "{receipt}"
    );
    assert!(scene.count("run_stuck") >= 1);
}

#[test]
fn p7_tokens_that_were_counted_before_a_crash_are_not_counted_twice() {
    let script =
        "init $1; turn 1 700; turn 2 700; while ! [ -e ../../../go ]; do sleep 0.05; done; work; result 0.25";
    let scene = scene("[limits]\nusd = 5.0", script);
    let first = scene.daemon();
    scene.wait_for_event("usage to be stored", |event| event["type"] == "run_used");
    first.kill();
    scene.worknode(&["up", "-d"]).ok();
    scene.write("go", "");
    scene.wait_for_task("two", "completed");
    for receipt in receipts(&scene) {
        assert_eq!(receipt["usage"]["cost"], 250_000, "{receipt}");
        assert_eq!(
            receipt["usage"]["input_tokens"], 700,
            "the result's own count: {receipt}"
        );
    }
    assert_eq!(scene.count("run_started"), 2);
    scene.worknode(&["down"]).ok();
}

#[test]
fn p3_p7_what_a_run_said_while_nobody_watched_counts_as_if_somebody_had() {
    // It ends with code 0 and without a word about its work: no success, watched or not.
    let script = "init $1; turn 1 700; work; while ! [ -e ../../../go ]; do sleep 0.05; done; exit 0";
    let scene = once("", script);
    let first = scene.daemon();
    let started = scene.wait_for_event("the run", |event| event["type"] == "run_started");
    let run = started["data"]["run"].as_str().unwrap().to_owned();
    first.kill();
    scene.write("go", "");
    let exit = scene.file(&format!(".worknode/runs/{run}/exit.json"));
    worknode_tests::wait::wait_for("the end of the run", || exit.exists());
    scene.worknode(&["up", "-d"]).ok();
    scene.wait_for_event("the end", |event| event["type"] == "run_exited");
    let receipt = &receipts(&scene)[0];
    assert_eq!(receipt["usage"]["input_tokens"], 700, "{receipt}");
    assert!(receipt["failure"].is_string(), "{receipt}");
    assert_eq!(scene.count("task_submitted"), 0);
    scene.worknode(&["down"]).ok();
}
