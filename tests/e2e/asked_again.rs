//! Requests with a key that are sent again after the daemon was killed: each has one effect.

use serde_json::{Value, json};
use worknode_tests::{
    http::{Answer, Door},
    running::Running,
    scene::Scene,
};

const TEAM: &str = r#"
[team]
name = "t"

[[trigger]]
name = "by-hand"
every = "24h"
notify = { to = "operator", message = "fired" }
"#;

/// What has an effect each time it is asked for, and the event that tells of it.
const COMMANDS: [(&str, &str, &str); 7] = [
    ("/tasks", r#"{"title": "Write it"}"#, "node_created"),
    ("/tasks/claim", r#"{"agent": "ada"}"#, "task_claimed"),
    ("/events", r#"{"name": "deployed"}"#, "emitted"),
    (
        "/nodes",
        r#"{"kind": "document", "name": "notes"}"#,
        "node_created",
    ),
    ("/triggers/by-hand/fire", "{}", "trigger_fired"),
    (
        "/decisions",
        r#"{"question": "Which?", "decision": "This one", "rationale": "it is there"}"#,
        "node_created",
    ),
    ("/capabilities", r#"{"node": "ada"}"#, "emitted"),
];

fn keyed(door: &Door, path: &str, body: &str, key: &str) -> Answer {
    let path = format!("/api/v1{path}");
    door.ask("POST", &path, &[("Idempotency-Key", key)], body)
}

fn up(scene: &Scene) -> Running {
    let daemon = scene.daemon();
    scene.wait_for_daemon();
    daemon
}

fn team() -> (Scene, Running) {
    let scene = Scene::with_team(TEAM);
    let daemon = up(&scene);
    for name in ["ada", "bob"] {
        let node = json!({ "parent": "root", "kind": "document", "name": name });
        scene.door().post("/api/v1/nodes", &node).is(201);
    }
    (scene, daemon)
}

#[test]
fn p6_what_was_asked_with_a_key_is_done_once_though_the_daemon_is_killed() {
    let (scene, daemon) = team();
    let door = scene.door();
    // There is one to claim, and one more that a second claim would take.
    for key in ["one", "two"] {
        let task = json!({ "title": "T", "key": key });
        door.post("/api/v1/tasks", &task).is(201);
    }
    for (path, body, told) in COMMANDS {
        let before = scene.count(told);
        let answer = keyed(&door, path, body, "k");
        assert!((200..300).contains(&answer.status), "{path}: {answer:#?}");
        assert!(scene.count(told) > before, "{path} has an effect");
    }
    let named = scene.count("request_done");
    assert!(named >= COMMANDS.len(), "{named}");
    daemon.kill();
    let _daemon = up(&scene);
    for (path, body, told) in COMMANDS {
        let before = scene.count(told);
        keyed(&door, path, body, "k").refuses(409, "already_exists", "it was carried out at");
        assert_eq!(scene.count(told), before, "{path} was done once");
        keyed(&door, path, r#"{"name": "another"}"#, "k").refuses(422, "usage", "another request");
    }
    assert_eq!(scene.count("request_done"), named);
    // Another key is another request.
    let again = keyed(&door, "/events", r#"{"name": "deployed"}"#, "other");
    again.is(201);
}

#[test]
fn p6_what_may_be_repeated_is_repeated_and_what_keeps_its_key_answers_as_before() {
    let (scene, daemon) = team();
    let door = scene.door();
    let message = r#"{"to": "ada", "text": "hello"}"#;
    let sent = keyed(&door, "/messages", message, "k").is(201).json();
    door.post("/api/v1/tasks", &json!({ "title": "T", "key": "one" }))
        .is(201);
    let claim = json!({ "agent": "ada" });
    let epoch = door.post("/api/v1/tasks/one/claim", &claim).is(200).json()["epoch"].clone();
    let progress = json!({ "epoch": epoch, "percent": 40 }).to_string();
    keyed(&door, "/tasks/one/progress", &progress, "k").is(204);
    keyed(&door, "/tasks/one/cancel", r#"{"reason": "no"}"#, "k").is(200);
    assert_eq!(scene.count("request_done"), 0);
    daemon.kill();
    let _daemon = up(&scene);
    let again: Value = keyed(&door, "/messages", message, "k").is(201).json();
    assert_eq!(again, sent, "the same message");
    assert_eq!(scene.count("message_sent"), 1);
    let cancelled = keyed(&door, "/tasks/one/cancel", r#"{"reason": "no"}"#, "k");
    assert!(!cancelled.body.contains("earlier daemon"), "{cancelled:#?}");
    assert_eq!(scene.count("task_cancelled"), 1);
}
