//! The API as any program meets it: described by its own document, strict about what it takes, and
//! the same about every refusal.

use std::{collections::BTreeMap, net::TcpListener, thread};

use serde_json::{Value, json};
use worknode_tests::{http::Door, scene::Scene};

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

/// Each operation of the document: how it is asked, where, and what it says.
fn operations(door: &Door) -> Vec<(String, String, Value)> {
    let document = door.get("/api/v1/openapi.json").is(200).json();
    assert_eq!(document["openapi"], "3.1.0");
    let paths: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_value(document["paths"].clone()).unwrap();
    let mut all = Vec::new();
    for (path, verbs) in paths {
        for (verb, mut operation) in verbs {
            let pointer = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].clone();
            if let Some(pointer) = pointer.as_str() {
                operation["body"] = document.pointer(pointer.trim_start_matches('#')).unwrap().clone();
            }
            all.push((verb.to_uppercase(), path.clone(), operation));
        }
    }
    all
}

/// A path with something in it for each of its parts.
fn filled(path: &str) -> String {
    let stamp = "2026-11-21T10:24:30.123Z-0000-1a2b3c4d";
    path.replace("{stamp}", stamp)
        .replace("{action}", "replay")
        .replace("{verb}", "tag")
        .split(['{', '}'])
        .enumerate()
        .map(|(at, part)| if at % 2 == 0 { part } else { "nobody" })
        .collect()
}

#[test]
fn the_document_and_its_page_are_there_for_everybody() {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let scene = Scene::with_team(&format!("{TEAM}\n[daemon]\nlisten = \"{address}\"\n"));
    scene.worknode(&["up", "-d"]).ok();
    let stranger = Door::Tcp(address, None);
    for prefix in ["/api/v1", "/api"] {
        let document = stranger.get(&format!("{prefix}/openapi.json")).is(200);
        assert_eq!(document.json()["openapi"], "3.1.0");
        let page = stranger.get(&format!("{prefix}/docs")).is(200);
        assert!(page.body.contains("/api/v1/tasks/{id}/claim"));
        assert!(
            page.header("content-security-policy")
                .unwrap()
                .starts_with("default-src 'none'")
        );
    }
    // All else is not.
    for (method, path, operation) in operations(&stranger) {
        if operation["security"] == json!([]) {
            continue;
        }
        let body = if method == "GET" { "" } else { "{}" };
        let answer = stranger.ask(&method, &filled(&path), &[], body);
        assert_eq!(answer.status, 403, "p9: {method} {path}: {answer:#?}");
    }
}

#[test]
fn what_is_not_known_is_refused_by_its_name() {
    let scene = up();
    let door = scene.door();
    for (method, path, operation) in operations(&door) {
        let path = filled(&path);
        let asked = format!("{path}?nonsense=1");
        let body = if method == "GET" { "" } else { "{}" };
        let answer = door.ask(&method, &asked, &[], body);
        answer.refuses(400, "usage", "nonsense");
        if operation["body"]["additionalProperties"] == false {
            let answer = door.ask(&method, &path, &[], r#"{"nonsense": 1}"#);
            answer.refuses(400, "usage", "nonsense");
        }
    }
}

#[test]
fn every_refusal_is_a_problem() {
    let scene = up();
    let door = scene.door();
    door.get("/nowhere").refuses(404, "not_found", "/nowhere");
    door.get("/api/v1/nowhere")
        .refuses(404, "not_found", "/api/v1/nowhere");
    let wrong = door.ask("DELETE", "/api/v1/tasks", &[], "");
    let allow = wrong.clone().refuses(405, "usage", "DELETE");
    let allow = allow.header("allow").unwrap();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
    door.ask("POST", "/api/v1/tasks", &[], "{")
        .refuses(400, "usage", "JSON");
    door.post("/api/v1/tasks", &json!({ "title": 7 }))
        .refuses(400, "usage", "title");
    door.ask("POST", "/api/v1/tasks", &[("Content-Type", "text/plain")], "{}")
        .refuses(415, "usage", "Content-Type");
    let crowd = json!({ "title": "Agree", "approval": { "quorum": 10 } });
    door.post("/api/v1/tasks", &crowd).refuses(400, "usage", "quorum");
    let large = format!("{{\"title\": \"{}\"}}", "x".repeat(6_000_000));
    door.ask("POST", "/api/v1/tasks", &[], &large)
        .refuses(413, "usage", "");
    door.get("/api/v1/nodes/%FF").refuses(400, "usage", "");
    door.get("/api/v1/nodes?limit=many")
        .refuses(400, "usage", "limit");
    let head = door.ask("HEAD", "/api/v1/status", &[], "").is(200);
    assert_eq!(
        (head.body.as_str(), head.header("content-type")),
        ("", Some("application/json"))
    );
}

#[test]
fn a_request_has_a_name() {
    let scene = up();
    let door = scene.door();
    let own = door
        .ask("GET", "/api/v1/status", &[("X-Request-Id", "mine-7")], "")
        .is(200);
    assert_eq!(own.header("x-request-id"), Some("mine-7"));
    let (one, two) = (door.get("/api/v1/status"), door.get("/api/v1/status"));
    assert_ne!(
        one.header("x-request-id").unwrap(),
        two.header("x-request-id").unwrap()
    );
    // One that would not fit into a line of the log is not taken.
    let long = "x".repeat(200);
    for wrong in ["a b", &long, "<b>"] {
        let answer = door.ask("GET", "/api/v1/status", &[("X-Request-Id", wrong)], "");
        assert_ne!(answer.header("x-request-id"), Some(wrong));
    }
}

#[test]
fn p6_the_same_key_has_one_effect() {
    let scene = up();
    let door = scene.door();
    let keyed = |path: &str, key: &str, body: &Value| {
        door.ask("POST", path, &[("Idempotency-Key", key)], &body.to_string())
    };
    let tag = json!({ "name": "deployed", "data": { "to": "staging" } });
    let first = keyed("/api/v1/events", "k1", &tag).is(201);
    assert_eq!(first.header("idempotency-replayed"), None);
    let again = keyed("/api/v1/events", "k1", &tag).is(201);
    assert_eq!(
        (again.header("idempotency-replayed"), &again.body),
        (Some("true"), &first.body)
    );
    let named = |event: &&Value| event["data"]["name"] == "deployed";
    assert_eq!(scene.events().iter().filter(named).count(), 1);
    // Another request with the same key is a mistake, another place is not.
    keyed("/api/v1/events", "k1", &json!({ "name": "other" })).refuses(422, "usage", "k1");
    keyed("/api/v1/nodes/t/emit", "k1", &tag).is(201);
    // What was refused may be tried again.
    let claim = json!({ "agent": "t" });
    keyed("/api/v1/tasks/later/claim", "k2", &claim).refuses(404, "not_found", "later");
    door.post(
        "/api/v1/tasks",
        &json!({ "key": "later", "title": "Later", "agent": "nobody" }),
    )
    .is(201);
    let won = keyed("/api/v1/tasks/later/claim", "k2", &claim).is(200);
    assert_eq!(won.json()["epoch"], 1);
    assert_eq!(
        keyed("/api/v1/tasks/later/claim", "k2", &claim).is(200).body,
        won.body
    );
    for wrong in ["a b", &"k".repeat(300)] {
        keyed("/api/v1/tasks", wrong, &tag).refuses(400, "usage", "Idempotency-Key");
    }
}

#[test]
fn p1_an_epoch_is_an_etag() {
    let scene = up();
    let door = scene.door();
    door.post(
        "/api/v1/tasks",
        &json!({ "key": "one", "title": "One", "agent": "nobody" }),
    )
    .is(201);
    let won = door
        .post("/api/v1/tasks/one/claim", &json!({ "agent": "t" }))
        .is(200);
    assert_eq!(won.header("etag"), Some("\"1\""));
    assert_eq!(
        door.get("/api/v1/tasks/one").is(200).header("etag"),
        Some("\"1\"")
    );
    let with = |tag: &str, path: &str, body: &str| {
        door.ask(
            "POST",
            &format!("/api/v1/tasks/one/{path}"),
            &[("If-Match", tag)],
            body,
        )
    };
    with("\"1\"", "progress", r#"{"percent": 10}"#).is(204);
    with("\"7\"", "progress", r#"{"percent": 20}"#).refuses(409, "stale_epoch", "7");
    with("\"1\"", "progress", r#"{"percent": 20, "epoch": 2}"#).refuses(400, "usage", "two epochs");
    with("nothing", "progress", r#"{"percent": 20}"#).refuses(400, "usage", "epoch");
    with("\"1\"", "release", "{}").is(200);
    let again = door
        .post("/api/v1/tasks/one/claim", &json!({ "agent": "t" }))
        .is(200);
    assert_eq!(again.header("etag"), Some("\"2\""));
    with("\"1\"", "block", r#"{"reason": "late"}"#).refuses(409, "stale_epoch", "1");
}

#[test]
fn who_follows_no_stream_waits_for_a_page() {
    let scene = up();
    let door = scene.door();
    let last = door.get("/api/v1/events?newest=true&limit=1").is(200).json()[0]["at"].clone();
    let since = last.as_str().unwrap().replace(':', "%3A");
    let nothing = door.get(&format!("/api/v1/events?since={since}&types=deployed&wait=1ms"));
    assert_eq!(nothing.is(200).json(), json!([]));
    for path in ["/api/v1/events", "/api/v1/nodes/t/events"] {
        let asked = format!("{path}?since={since}&types=deployed&wait=60s");
        let waiting = {
            let door = door.clone();
            thread::spawn(move || door.get(&asked).is(200).json())
        };
        door.post("/api/v1/events", &json!({ "name": "deployed" }))
            .is(201);
        let page = waiting.join().unwrap();
        assert_eq!(page[0]["data"]["name"], "deployed", "{path}");
    }
    // Who waits does not hold up a stop.
    let now = door.get("/api/v1/events?newest=true&limit=1").is(200).json()[0]["at"].clone();
    let now = now.as_str().unwrap().replace(':', "%3A");
    let asked = format!("/api/v1/events?since={now}&types=deployed&wait=60s");
    let waiting = thread::spawn(move || door.ask("GET", &asked, &[], "").status);
    scene.worknode(&["down"]).ok();
    waiting.join().ok();
}
