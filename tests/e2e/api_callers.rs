//! The API and who asks it: what was answered to one is not told to another, and nobody takes all the
//! room.

use std::thread;

use serde_json::{Value, json};
use worknode_tests::{
    http::{Answer, Door},
    scene::Scene,
    wait::{until, wait_for},
};

const TEAM: &str = r#"
[team]
name = "t"

[[agent]]
name = "coder"
profile = "implementation"
command = ["sh", "-c", "exit 1"]
sandbox = "off"
"#;

fn up() -> Scene {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    scene
}

/// Asks as whoever has this token.
fn as_holder(door: &Door, token: &str, method: &str, path: &str, key: Option<&str>, body: &Value) -> Answer {
    let bearer = format!("Bearer {}", token.trim());
    let mut headers = vec![("Authorization", bearer.as_str())];
    headers.extend(key.map(|key| ("Idempotency-Key", key)));
    let body = if method == "GET" {
        String::new()
    } else {
        body.to_string()
    };
    door.ask(method, path, &headers, &body)
}

#[test]
fn p9_a_narrower_capability_does_not_hear_what_the_wider_one_was_answered() {
    let scene = up();
    let door = scene.door();
    scene
        .worknode(&["node", "create", "document", "ada", "--parent", "root"])
        .ok();
    let operator = scene.file(".worknode/keys/operator.token");
    let wide = std::fs::read_to_string(&operator).unwrap();
    let narrow = [
        "capability",
        "attenuate",
        operator.to_str().unwrap(),
        "--only",
        "read",
    ];
    let narrow = scene.worknode(&narrow).ok().stdout;
    let ada = json!({ "node": "ada" });
    let keyed = |token: &str| as_holder(&door, token, "POST", "/api/v1/capabilities", Some("k"), &ada);
    let first = keyed(&wide).is(200);
    assert_eq!(keyed(&wide).is(200).body, first.body, "asked again");
    // The socket's owner may do just as much: it is the same who asks again through the other door.
    let by_socket = door.ask(
        "POST",
        "/api/v1/capabilities",
        &[("Idempotency-Key", "k")],
        &ada.to_string(),
    );
    assert_eq!(by_socket.is(200).body, first.body);
    let told = keyed(&narrow);
    assert_eq!(told.header("idempotency-replayed"), None);
    assert_ne!(told.body, first.body);
}

#[test]
fn p8_one_that_waits_for_much_does_not_hold_up_the_operator() {
    let scene = up();
    let door = scene.door();
    scene
        .worknode(&["node", "create", "document", "ada", "--parent", "root"])
        .ok();
    let ada = scene.worknode(&["capability", "new", "ada"]).ok().stdout;
    let asks = |door: &Door, token: &str, wait: &str| {
        let path = format!("/api/v1/events?types=deployed&wait={wait}");
        as_holder(door, token, "GET", &path, None, &Value::Null)
    };
    // More than it has places: whoever looks whether all are taken takes one for a moment.
    let waiting: Vec<_> = (0..160)
        .map(|_| {
            let (door, ada) = (door.clone(), ada.clone());
            // One that came too late for a place asks again.
            thread::spawn(move || {
                until("a place", || match asks(&door, &ada, "60s").status {
                    429 => Err("no place"),
                    status => Ok(status),
                })
            })
        })
        .collect();
    wait_for("all places of one caller to be taken", || {
        asks(&door, &ada, "1ms").status == 429
    });
    asks(&door, &ada, "1ms").refuses(429, "backpressure", "of one caller");
    door.get("/api/v1/status").is(200);
    door.post("/api/v1/events", &json!({ "name": "deployed" }))
        .is(201);
    for one in waiting {
        assert_eq!(one.join().unwrap(), 200);
    }
    asks(&door, &ada, "1ms").is(200);
}

#[test]
fn a_page_that_was_waited_for_is_in_order_from_the_end_too() {
    let scene = up();
    let door = scene.door();
    let last = door.get("/api/v1/events?newest=true&limit=1").is(200).json()[0]["at"].clone();
    let since = last.as_str().unwrap().replace(':', "%3A");
    let waiting = {
        let door = door.clone();
        let asked =
            format!("/api/v1/events?since={since}&newest=true&types=node_created,task_ready&wait=60s");
        thread::spawn(move || door.get(&asked).is(200).json())
    };
    let task = json!({ "key": "one", "title": "One", "agent": "nobody" });
    door.post("/api/v1/tasks", &task).is(201);
    let page = waiting.join().unwrap();
    let stamps: Vec<_> = page
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["at"].to_string())
        .collect();
    assert!(!stamps.is_empty() && stamps.is_sorted(), "{page:#}");
}
