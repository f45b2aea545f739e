//! What a program asks a person for: it waits, somebody answers or nobody does, and it goes on.
//!
//! The programs here are scripts that speak the protocols of real clients.

use std::sync::Arc;

use serde_json::Value;
use worknode_actors::clock::SystemClock;
use worknode_core::{
    event::{Draft, Event, Principal},
    permission::Answer,
};
use worknode_journal::{Durability, Journal};
use worknode_tests::{
    program::{Done, command},
    scene::Scene,
    wait::until,
};

const TEAM: &str = r#"
[team]
name = "t"

[[agent]]
name = "worker"
driver = "asking"
limits = { grace = "1s" }
restart = { kind = "temporary" }
AGENT

[[phase]]
name = "only"
[[phase.task]]
id = "one"
title = "One"
prompt = "Write one.txt"
files = ["*.txt"]
"#;

const ASKS: &str = "permissions = \"ask\"";

/// Claude Code, which asks once and keeps what it is told.
const CLAUDE: &str = r#"
read -r hello
echo '{"type":"control_response","response":{"subtype":"success","request_id":"initialize","response":{}}}'
read -r brief
echo '{"type":"system","subtype":"init","session_id":"s","model":"m"}'
echo '{"type":"control_request","request_id":"q1","request":{"subtype":"can_use_tool","tool_name":"Bash","input":{"command":"make deploy TARGET=live"}}}'
MORE
read -r answer
printf '%s\n' "$answer" > answer.txt
git add . && git commit -qm work >&2
echo '{"type":"result","subtype":"success","is_error":false,"terminal_reason":"completed","result":"done","num_turns":1,"session_id":"s","total_cost_usd":0,"usage":{"input_tokens":1,"output_tokens":1}}'
"#;

/// A speaker of the Agent Client Protocol that does the same.
const ACP: &str = r#"
read -r hello
echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1,"agentCapabilities":{}}}'
read -r session
echo '{"jsonrpc":"2.0","id":2,"result":{"sessionId":"s"}}'
read -r brief
echo '{"jsonrpc":"2.0","id":7,"method":"session/request_permission","params":{"sessionId":"s","toolCall":{"toolCallId":"c","title":"make deploy","kind":"execute","rawInput":{"command":"make deploy TARGET=live"}},"options":[{"optionId":"always","kind":"allow_always","name":"a"},{"optionId":"once","kind":"allow_once","name":"o"},{"optionId":"no","kind":"reject_once","name":"n"}]}}'
read -r answer
printf '%s\n' "$answer" > answer.txt
git add . && git commit -qm work >&2
echo '{"jsonrpc":"2.0","id":3,"result":{"stopReason":"end_turn"}}'
"#;

fn scene_of(stream: &str, script: &str, agent: &str) -> Scene {
    let scene = Scene::new();
    let path = scene.script("client.sh", script);
    let driver = format!(
        "command = [\"sh\", \"{}\"]\nstream = \"{stream}\"\ntransport = \"two_way\"\nprompt = \"stdin\"\n",
        path.display()
    );
    scene.write("agent-profiles/drivers/asking.toml", &driver);
    scene.and_team(&TEAM.replace("AGENT", agent))
}

fn claude(agent: &str) -> Scene {
    scene_of("claude-code", &CLAUDE.replace("MORE", ""), agent)
}

/// Waits until something is asked.
#[track_caller]
fn asked(scene: &Scene) -> Value {
    until("a request", || {
        let all = scene.worknode(&["prompts", "--json"]).ok().json();
        all.get(0).cloned().ok_or(all)
    })
}

fn id(asked: &Value) -> &str {
    asked["id"].as_str().unwrap()
}

/// What the program was told, as it landed.
#[track_caller]
fn told(scene: &Scene) -> String {
    scene.wait_for_task("one", "completed");
    scene.git(&["show", "main:answer.txt"])
}

fn answers(scene: &Scene) -> Vec<Value> {
    let events = scene.events().into_iter();
    let answered = events.filter(|event| event["type"] == "permission_answered");
    answered.map(|event| event["data"].clone()).collect()
}

fn as_run(scene: &Scene, run: &str, args: &[&str]) -> Done {
    let state = scene.file(".worknode");
    let mut command = command(scene.path());
    command
        .env("WORKNODE_SOCKET", state.join("worknode.sock"))
        .env("WORKNODE_TOKEN_FILE", state.join("runs").join(run).join("token"))
        .args(args);
    command.output().unwrap().into()
}

#[test]
fn p9_what_is_allowed_is_what_was_shown_and_the_agent_goes_on() {
    let scene = claude(ASKS);
    scene.worknode(&["up", "-d"]).ok();
    let asked = asked(&scene);
    assert_eq!(
        (&asked["agent"], &asked["task"], &asked["tool"]),
        (&"worker".into(), &"one".into(), &"Bash".into())
    );
    assert!(
        asked["what"]
            .as_str()
            .unwrap()
            .contains("make deploy TARGET=live"),
        "{asked}"
    );
    assert!(asked["expires"].as_str() > asked["since"].as_str(), "{asked}");
    let beginning = &id(&asked)[..6];
    scene
        .worknode(&["prompts"])
        .ok()
        .says(&["worker on one asks for Bash", "make deploy TARGET=live"]);
    scene
        .worknode(&["prompts", "show", beginning])
        .ok()
        .says(&["TARGET=live"]);
    scene
        .worknode(&["status"])
        .ok()
        .says(&["agent worker asks for Bash"]);
    scene.worknode(&["ps"]).ok().says(&["waiting_on_human"]);

    let other = scene.worknode(&["prompts", "allow", beginning, "--shown", "sha256:00"]);
    other.fails(5).says(&["is not what was shown"]);
    let run = asked["run"].as_str().unwrap();
    let itself = as_run(&scene, run, &["prompts", "allow", id(&asked)]);
    itself.fails(4).says(&["worker may not"]);
    assert_eq!(answers(&scene).len(), 0, "neither counts");

    scene
        .worknode(&[
            "prompts",
            "allow",
            beginning,
            "--shown",
            asked["digest"].as_str().unwrap(),
        ])
        .ok();
    let told = told(&scene);
    assert!(
        told.contains(r#""behavior":"allow""#) && told.contains("make deploy TARGET=live"),
        "{told}"
    );
    let answer = &answers(&scene)[0];
    assert_eq!(
        (&answer["answer"], &answer["by"]["kind"], &answer["shown"]),
        (&"allowed".into(), &"operator".into(), &asked["digest"])
    );
    let event = scene.wait_for_event("the answer", |event| event["type"] == "permission_answered");
    let why = scene.worknode(&["why", event["at"].as_str().unwrap()]).ok();
    why.says(&["permission_answered", "permission_requested", "run_started"]);
    scene.worknode(&["prompts", "allow", id(&asked)]).fails(3);
    scene.worknode(&["down"]).ok();
}

#[test]
fn who_is_denied_is_told_why() {
    let scene = claude(ASKS);
    scene.worknode(&["up", "-d"]).ok();
    let asked = asked(&scene);
    scene
        .worknode(&["prompts", "deny", id(&asked), "--reason", "not before Monday"])
        .ok();
    let told = told(&scene);
    assert!(
        told.contains(r#""behavior":"deny""#) && told.contains("not before Monday"),
        "{told}"
    );
    scene.worknode(&["down"]).ok();
}

#[test]
fn p6_of_two_people_one_answers_and_the_other_is_told() {
    let scene = claude(ASKS);
    scene.write("stay", "");
    scene.worknode(&["up", "-d"]).ok();
    let asked = asked(&scene);
    let answer = |word: &'static str| scene.worknode(&["prompts", word, id(&asked)]);
    let both = std::thread::scope(|threads| {
        let one = threads.spawn(|| answer("allow"));
        let other = threads.spawn(|| answer("deny"));
        [one.join().unwrap(), other.join().unwrap()]
    });
    let [won, lost]: [Vec<Done>; 2] = {
        let (won, lost) = both.into_iter().partition(|done| done.code == Some(0));
        [won, lost]
    };
    assert_eq!((won.len(), lost.len()), (1, 1), "{won:#?} {lost:#?}");
    lost.into_iter()
        .next()
        .unwrap()
        .fails(5)
        .says(&["was answered already", "by operator"]);
    assert_eq!(answers(&scene).len(), 1);
    std::fs::remove_file(scene.file("stay")).unwrap();
    told(&scene);
    scene.worknode(&["down"]).ok();
}

#[test]
fn p8_what_nobody_answers_in_time_is_denied() {
    let scene = claude(&format!("{ASKS}\nanswer_within = \"1s\""));
    scene.worknode(&["up", "-d"]).ok();
    let told = told(&scene);
    assert!(
        told.contains(r#""behavior":"deny""#) && told.contains("Nobody answered in time"),
        "{told}"
    );
    let answer = &answers(&scene)[0];
    assert_eq!(
        (&answer["answer"], &answer["by"]["kind"]),
        (&"expired".into(), &"runtime".into())
    );
    scene.worknode(&["down"]).ok();
}

#[test]
fn p4_a_request_ends_with_its_run() {
    let scene = claude(ASKS);
    scene.worknode(&["up", "-d"]).ok();
    let asked = asked(&scene);
    scene.worknode(&["kill", "worker"]).ok();
    let left = scene.worknode(&["prompts", "--json"]).ok().json();
    assert_eq!(left, Value::Array(Vec::new()));
    scene
        .worknode(&["prompts", "allow", id(&asked)])
        .fails(3)
        .says(&["ended with its run"]);
    scene.worknode(&["down"]).ok();
}

#[test]
fn p7_a_request_outlives_the_daemon_and_is_asked_once() {
    let scene = claude(ASKS);
    let daemon = scene.daemon();
    scene.wait_for_daemon();
    let before = asked(&scene);
    daemon.kill();
    scene.worknode(&["up", "-d"]).ok();
    let after = asked(&scene);
    for same in ["id", "digest", "since", "expires", "what"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    scene.worknode(&["prompts", "allow", id(&after)]).ok();
    assert!(told(&scene).contains(r#""behavior":"allow""#));
    assert_eq!(scene.count("permission_requested"), 1);
    scene.worknode(&["down"]).ok();
}

/// Denies what was asked as a daemon does that is killed before it tells the program.
async fn deny_untold(scene: &Scene, asked: &Value) {
    let agent = scene.worknode(&["agent", "show", "worker", "--json"]).ok().json();
    let journal = Journal::open(&scene.file(".worknode/journal.db"), Arc::new(SystemClock)).unwrap();
    let denied = Draft {
        node: agent["id"].as_str().unwrap().parse().unwrap(),
        by: Principal::Operator,
        cause: None,
        event: Event::PermissionAnswered {
            run: asked["run"].as_str().unwrap().parse().unwrap(),
            request: id(asked).to_owned(),
            answer: Answer::Denied,
            by: Principal::Operator,
            reason: "said once".to_owned(),
            shown: asked["digest"].as_str().unwrap().to_owned(),
            through: None,
        },
    };
    journal.append(vec![denied], Durability::Durable).await.unwrap();
    journal.close().await.unwrap();
}

#[tokio::test]
async fn p5_an_answer_that_the_program_never_got_is_told_by_the_next_daemon() {
    let scene = claude(ASKS);
    let daemon = scene.daemon();
    scene.wait_for_daemon();
    let before = asked(&scene);
    daemon.kill();
    deny_untold(&scene, &before).await;
    scene.worknode(&["up", "-d"]).ok();
    assert!(told(&scene).contains("said once"));
    assert_eq!(
        (scene.count("permission_requested"), answers(&scene).len()),
        (1, 1)
    );
    scene.worknode(&["down"]).ok();
}

#[test]
fn what_a_program_takes_back_waits_no_more() {
    let takes_back = "while ! [ -e ../../../back ]; do sleep 0.05; done\n\
        echo '{\"type\":\"control_cancel_request\",\"request_id\":\"q1\"}'\n\
        echo '{\"type\":\"control_request\",\"request_id\":\"q2\",\"request\":{\"subtype\":\"can_use_tool\",\"tool_name\":\"Write\",\"input\":{}}}'";
    let scene = scene_of("claude-code", &CLAUDE.replace("MORE", takes_back), ASKS);
    scene.worknode(&["up", "-d"]).ok();
    let first = asked(&scene);
    scene.write("back", "");
    let second = until("the second request", || {
        let now = asked(&scene);
        if now["tool"] == "Write" { Ok(now) } else { Err(now) }
    });
    scene
        .worknode(&["prompts", "allow", id(&first)])
        .fails(5)
        .says(&["withdrawn"]);
    scene.worknode(&["prompts", "allow", id(&second)]).ok();
    assert!(told(&scene).contains("q2"));
    scene.worknode(&["down"]).ok();
}

#[test]
fn an_agent_of_the_agent_client_protocol_is_allowed_once_or_refused() {
    for (word, chosen) in [("allow", "once"), ("deny", "no")] {
        let scene = scene_of("acp", ACP, ASKS);
        scene.worknode(&["up", "-d"]).ok();
        let asked = asked(&scene);
        assert_eq!(asked["tool"], "execute");
        assert!(
            asked["what"]
                .as_str()
                .unwrap()
                .contains("make deploy TARGET=live"),
            "{asked}"
        );
        scene.worknode(&["prompts", word, id(&asked)]).ok();
        let told = told(&scene);
        assert!(
            told.contains(&format!(r#""optionId":"{chosen}""#)),
            "{word}: {told}"
        );
        scene.worknode(&["down"]).ok();
    }
}

#[test]
fn without_a_word_about_it_policy_answers_at_once() {
    let scene = claude("");
    scene.worknode(&["run"]).ok();
    assert!(told(&scene).contains(r#""behavior":"allow""#));
    assert_eq!(scene.count("permission_requested"), 0);
}

#[test]
fn nobody_is_asked_by_a_program_that_is_only_read() {
    let scene = claude(&format!("{ASKS}\nanswer_within = \"0s\""));
    let driver = scene.read("agent-profiles/drivers/asking.toml");
    let read_only = driver
        .replace("two_way", "lines")
        .replace("\"stdin\"", "\"none\"");
    scene.write("agent-profiles/drivers/asking.toml", &read_only);
    let check = scene.worknode(&["check"]).fails(2);
    check.says(&[
        "agent[0].permissions: driver `asking` is only read",
        "agent[0].answer_within: nobody answers in no time",
    ]);
}

/// The program as somebody calls it who is only asked for a word.
fn as_person(scene: &Scene, who: &str, args: &[&str]) -> Done {
    let mut command = command(scene.path());
    command
        .env("WORKNODE_SOCKET", scene.file(".worknode/worknode.sock"))
        .env("WORKNODE_TOKEN_FILE", scene.file(&format!("{who}.token")))
        .args(args);
    command.output().unwrap().into()
}

#[test]
fn p9_a_person_answers_through_a_capability_that_is_recorded() {
    let scene = claude(&format!("{ASKS}\n[[kind]]\nname = \"person\"\n"));
    scene.worknode(&["up", "-d"]).ok();
    let asked = asked(&scene);
    for (who, may) in [("eve", None), ("ada", Some("--review"))] {
        scene.worknode(&["node", "create", "person", who]).ok();
        let new = ["capability", "new", who].into_iter().chain(may);
        let token = scene.worknode(&new.collect::<Vec<_>>()).ok().stdout;
        scene.write(&format!("{who}.token"), &token);
    }
    as_person(&scene, "eve", &["prompts", "allow", id(&asked)]).fails(4);
    let elsewhere = ["capability", "new", "ada", "--review", "--below", "eve"];
    scene.write("far.token", &scene.worknode(&elsewhere).ok().stdout);
    as_person(&scene, "far", &["prompts"])
        .ok()
        .says(&["nothing waits for a person"]);
    as_person(&scene, "far", &["prompts", "show", id(&asked)]).fails(3);
    as_person(&scene, "far", &["prompts", "allow", id(&asked)]).fails(3);
    as_person(&scene, "ada", &["prompts", "allow", id(&asked)]).ok();
    told(&scene);
    let capability = as_person(&scene, "ada", &["capability", "show", "--json"])
        .ok()
        .json();
    let answer = &answers(&scene)[0];
    assert_eq!(
        (&answer["by"]["name"], &answer["through"]),
        (&"ada".into(), &capability["id"])
    );
    scene.worknode(&["down"]).ok();
}
