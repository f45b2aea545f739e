//! Membranes through the real program: set by configuration, seen over HTTP and at the terminal.

use serde_json::{Value, json};
use worknode_tests::scene::Scene;

const TEAM: &str = r#"
[team]
name = "t"

[[membrane]]
of = "team"
emit = ["task_progress", "build", "dead_lettered"]
redact = ["user.email"]

[[membrane.schema]]
type = "build"
version = 2
schema = { type = "object", required = ["code"], properties = { code = { type = "integer" } } }
upcast = { rename = { exit = "code" }, convert = { code = "integer" } }

[[membrane.translate]]
from = "subtask_progress"
to = "task_progress"
rename = { "worker.percent" = "percent" }
keep = ["percent"]
"#;

fn up(scene: &Scene) {
    scene.worknode(&["up", "-d"]).ok();
}

/// Head and body of the answer to a request at the socket.
fn http(scene: &Scene, method: &str, path: &str, body: &Value) -> (String, Value) {
    let answer = scene
        .door()
        .ask(method, &format!("/api/v1{path}"), &[], &body.to_string());
    (
        answer.head.to_lowercase(),
        serde_json::from_str(&answer.body).unwrap_or_default(),
    )
}

/// Name and data of the events of one's own that the program shows.
fn shown(scene: &Scene, args: &[&str]) -> Vec<(String, Value)> {
    let done = scene.worknode(&[&["events", "--json"], args].concat()).ok();
    let events = done
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let own = events.filter(|event| event["type"] == "emitted");
    own.map(|event| {
        let name = event["data"]["name"].as_str().unwrap().to_owned();
        (name, event["data"]["data"].clone())
    })
    .collect()
}

#[test]
fn an_inner_report_is_seen_outside_as_one_number_and_what_is_redacted_is_not() {
    let scene = Scene::with_team(TEAM);
    up(&scene);
    let inner = json!({ "worker": { "percent": 40, "log": ["…"] }, "user": { "email": "a@b.c" } });
    scene.write("inner.json", &inner.to_string());
    scene
        .worknode(&["emit", "subtask_progress", "--file", "inner.json"])
        .ok();
    scene.worknode(&["emit", "heartbeat"]).ok();
    let build = json!({ "type": "build", "version": 2, "data": { "code": 0, "user": { "email": "a@b.c", "id": 7 } } });
    let (head, _) = http(&scene, "POST", "/events", &build);
    assert!(head.contains(" 201 "), "{head}");
    let outside = [
        ("task_progress".to_owned(), json!({ "percent": 40 })),
        ("build".to_owned(), json!({ "code": 0, "user": { "id": 7 } })),
    ];
    assert_eq!(shown(&scene, &["--under", "t"]), outside);
    assert_eq!(
        shown(&scene, &["--under", "t", "--type", "task_progress"]),
        outside[..1]
    );
    let raw = shown(&scene, &["--under", "t", "--raw"]);
    assert_eq!(raw[0], ("subtask_progress".to_owned(), inner));
    assert_eq!(raw.len(), 3);
    scene.worknode(&["down"]).ok();
}

#[test]
fn a_foreign_event_of_a_wrong_form_is_kept_until_the_membrane_is_mended() {
    let scene = Scene::with_team(TEAM);
    up(&scene);
    let old = json!({ "type": "build", "version": 1, "data": { "exit": "7" } });
    assert!(http(&scene, "POST", "/events", &old).0.contains(" 201 "));
    let foreign = json!({ "type": "build", "version": 2, "data": { "status": "red" } });
    let (head, told) = http(&scene, "POST", "/events", &foreign);
    assert!(head.contains(" 403 "), "{head} {told}");
    assert_eq!(told["code"], "refused");
    let kept = scene.worknode(&["dead-letter", "list", "--json"]).ok().json();
    let letter = kept["letters"][0]["letter"].as_str().unwrap().to_owned();
    assert_eq!(kept["letters"][0]["original"]["data"], json!({ "status": "red" }));
    scene
        .worknode(&["dead-letter", "list"])
        .ok()
        .says(&[&letter, "lacks `code`"]);
    scene
        .worknode(&["dead-letter", "show", &letter])
        .ok()
        .says(&["\"red\""]);
    scene
        .worknode(&["dead-letter", "replay", &letter])
        .fails(4)
        .says(&["still refused"]);

    // Tried first, then mended.
    scene.write("event.json", &foreign.to_string());
    let tried = scene
        .worknode(&["membrane", "test", "t", "--event", "event.json"])
        .ok();
    tried.says(&["dead_letter", "schema", "outside of"]);
    let mended =
        json!({ "schema": [{ "type": "build", "version": 2, "schema": { "required": ["status"] } }] });
    scene.write("mended.json", &mended.to_string());
    scene.worknode(&["membrane", "set", "t", "mended.json"]).ok();
    scene
        .worknode(&["membrane", "show", "t"])
        .ok()
        .says(&["team t", "schema", "status"]);
    scene.worknode(&["dead-letter", "replay", &letter]).ok();
    scene.worknode(&["dead-letter", "replay", &letter]).fails(3);
    let builds: Vec<Value> = shown(&scene, &["--type", "build"])
        .into_iter()
        .map(|(_, data)| data)
        .collect();
    assert_eq!(builds, [json!({ "code": 7 }), json!({ "status": "red" })]);
    scene
        .worknode(&["dead-letter", "list"])
        .ok()
        .says(&["no dead letters"]);

    // What the configuration says holds again after a start, and goes with it.
    scene.worknode(&["down"]).ok();
    up(&scene);
    scene
        .worknode(&["membrane", "show", "t"])
        .ok()
        .says(&["task_progress"]);
    scene.worknode(&["down"]).ok();
    scene.write("worknode.toml", "[team]\nname = \"t\"\n");
    scene.commit("no membrane any more");
    up(&scene);
    scene
        .worknode(&["membrane", "show", "t"])
        .ok()
        .says(&["no membrane"]);
    scene.worknode(&["down"]).ok();
}

#[test]
fn p8_beyond_the_rate_it_is_429_with_retry_after() {
    let scene = Scene::with_team(
        "[team]\nname = \"t\"\n[[membrane]]\nof = \"team\"\nrate = { events = 1, per = \"1h\" }\n",
    );
    up(&scene);
    let event = json!({ "type": "tick" });
    assert!(http(&scene, "POST", "/events", &event).0.contains(" 201 "));
    let (head, told) = http(&scene, "POST", "/events", &event);
    assert!(head.contains(" 429 "), "{head}");
    let wait = head
        .lines()
        .find_map(|line| line.strip_prefix("retry-after: "))
        .unwrap();
    let wait: u64 = wait.trim().parse().unwrap();
    assert!((3_000..=3_600).contains(&wait), "{wait}");
    assert_eq!(told["code"], "backpressure");
    scene.worknode(&["emit", "tick"]).fails(1).says(&["rate"]);
    scene.worknode(&["down"]).ok();
}

#[test]
fn every_mistake_in_a_membrane_is_told_at_once_with_its_line() {
    let scene = Scene::with_team(
        "[team]\nname = \"t\"\n\n[[membrane]]\nof = \"phase:nowhere\"\nfilter = \"event.typ == 1\"\n\
         redact = [\"a..b\"]\nacept = [\"x\"]\n\n[[membrane.schema]]\ntype = \"build\"\nschema = { tipe = \"object\" }\n",
    );
    let told = scene.worknode(&["check"]).fails(2);
    told.says(&[
        "worknode.toml:5",
        "phase:nowhere",
        "worknode.toml:6",
        "event.typ",
        "worknode.toml:7",
        "a..b",
        "worknode.toml:8",
        "did you mean `accept`?",
        "worknode.toml:12",
        "tipe",
    ]);
}
