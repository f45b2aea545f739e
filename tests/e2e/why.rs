//! `worknode why`: the causes of what happened, told with a daemon and without one.

use serde_json::Value;
use worknode_tests::scene::Scene;

const TEAM: &str = r#"
[team]
name = "why"

[gate.tests]
command = ["sh", "tests/run.sh"]

[[agent]]
name = "worker"
command = ["sh", "-c", "touch broken && git add broken && git commit -qm work"]

[[agent]]
name = "watcher"
profile = "validation"
start = "trigger"
command = ["sleep", "600"]
limits = { time = "1s", grace = "1s" }
restart = { kind = "temporary" }

[[trigger]]
name = "look"
event = "go"
[trigger.spawn]
agent = "watcher"
task = { title = "Look" }

[[trigger]]
name = "tell"
event = "go"
notify = { to = "operator", message = "it went" }
"#;

/// A trigger that makes tasks which begin with its name.
const TASKS: &str = r#"
[[trigger]]
name = "make"
event = "make"
[trigger.spawn]
agent = "worker"
task = { title = "Make", files = ["x"] }
"#;

/// Each link of the chain: how it was found, and what happened.
fn chain(scene: &Scene, of: &str) -> Vec<(String, String)> {
    let told = scene.worknode(&["why", of, "--json"]).ok().json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let links = told["links"].as_array().unwrap().iter();
    links
        .map(|link| (text(&link["how"]), text(&link["record"]["type"])))
        .collect()
}

fn types(chain: &[(String, String)]) -> Vec<&str> {
    chain.iter().map(|(_, kind)| kind.as_str()).collect()
}

/// The chain from `first` on, which has to be in it.
fn from<'a>(types: &'a [&'a str], first: &str) -> &'a [&'a str] {
    let at = types.iter().position(|kind| *kind == first);
    &types[at.unwrap_or_else(|| panic!("no {first} in {types:?}"))..]
}

#[test]
fn p10_a_run_leads_to_its_trigger_and_to_the_event_and_its_end_to_the_limit() {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    scene.worknode(&["emit", "go"]).ok();
    let ended = scene.wait_for_event("the end of the run", |event| event["type"] == "run_exited");
    let run = ended["data"]["run"].as_str().unwrap();

    let of_run = chain(&scene, run);
    let expected = [
        "run_exited",
        "run_stopping",
        "run_started",
        "run_queued",
        "trigger_fired",
        "emitted",
    ];
    assert_eq!(types(&of_run), expected);
    // What could be named when it was stored is named there.
    let how = |kind: &str| {
        let link = of_run.iter().find(|(_, of)| of == kind);
        link.unwrap().0.as_str()
    };
    assert_eq!((how("trigger_fired"), how("emitted")), ("stated", "stated"));

    let of_agent = chain(&scene, "watcher");
    assert_eq!(from(&types(&of_agent), "run_stopping")[1..], expected[2..]);
    assert_eq!(types(&chain(&scene, "look"))[0], "trigger_fired");
    let told = scene.wait_for_event("the message", |event| event["type"] == "notified");
    let of_message = chain(&scene, told["at"].as_str().unwrap());
    assert_eq!(types(&of_message), ["notified", "trigger_fired", "emitted"]);

    let online = scene.worknode(&["why", run]).ok().stdout;
    for words in ["time limit", "look@", "because", "the operator asked for it"] {
        assert!(online.contains(words), "{words} is not in {online}");
    }
    scene.worknode(&["down"]).ok();
    assert_eq!(scene.worknode(&["why", run]).ok().stdout, online);
}

#[test]
fn p10_a_task_that_was_sent_back_leads_to_the_verdict_and_to_who_submitted() {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    scene
        .worknode(&["task", "add", "Break it", "--key", "broken", "--gate", "tests"])
        .ok();
    let back = scene.wait_for_event("the task to be sent back", |event| {
        event["type"] == "task_rejected"
    });
    let told = chain(&scene, back["at"].as_str().unwrap());
    let expected = [
        "task_rejected",
        "verdict_recorded",
        "task_submitted",
        "run_exited",
        "run_started",
        "run_queued",
        "task_claimed",
        "task_ready",
        "node_created",
    ];
    assert_eq!(types(&told), expected);
    // The next attempts find nothing to commit; the failure of the task leads back over them.
    scene.wait_for_event("the task to fail", |event| event["type"] == "task_failed");
    let failed = chain(&scene, "broken");
    let failed = types(&failed);
    assert_eq!(failed[..3], ["task_failed", "task_released", "run_exited"]);
    assert_eq!(from(&failed, "task_rejected"), expected);
    scene.worknode(&["down"]).ok();
}

#[test]
fn a_trigger_s_name_is_the_trigger_and_its_task_leads_to_its_firing() {
    let scene = Scene::with_team(&format!("{TEAM}{TASKS}"));
    scene.worknode(&["up", "-d"]).ok();
    scene.worknode(&["emit", "make"]).ok();
    let made = scene.wait_for_event("the task", |event| event["data"]["node"]["kind"] == "task");
    let expected = ["trigger_fired", "emitted"];
    assert_eq!(types(&chain(&scene, "make")), expected);
    let of_task = chain(&scene, made["at"].as_str().unwrap());
    assert_eq!(types(&of_task), ["node_created", "trigger_fired", "emitted"]);
    scene.worknode(&["down"]).ok();
}

#[test]
fn what_is_not_there_has_no_causes() {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    scene.wait_for_event("the triggers to be noted", |event| {
        event["type"] == "triggers_watched"
    });
    for of in [
        "nobody",
        "look@2026",
        "2026-11-21T10:24:30.123Z-0000-1a2b3c4d",
        "look",
        "../../etc",
    ] {
        let done = scene.worknode(&["why", of]);
        assert_eq!(done.code, Some(3), "{of}: {done:?}");
    }
    scene.worknode(&["down"]).ok();
}
