//! The tools over HTTP: the same as over standard input and output, in the name of whoever holds the
//! capability that a request carries.

use std::net::TcpListener;

use serde_json::{Value, json};
use worknode_tests::{
    http::{Answer, Door},
    scene::Scene,
};

const TEAM: &str = r#"
[team]
name = "t"

[[agent]]
name = "coder"
profile = "implementation"
command = ["sleep", "600"]
sandbox = "off"
"#;

const ACCEPT: (&str, &str) = ("Accept", "application/json, text/event-stream");

fn up() -> (Scene, String) {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let scene = Scene::with_team(&format!("{TEAM}\n[daemon]\nlisten = \"{address}\"\n"));
    scene.worknode(&["up", "-d"]).ok();
    (scene, address)
}

fn send(door: &Door, method: &str, params: &Value, more: &[(&str, &str)]) -> Answer {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    door.ask("POST", "/mcp", &[&[ACCEPT], more].concat(), &request.to_string())
}

#[track_caller]
fn result(door: &Door, method: &str, params: &Value) -> Value {
    let answer = send(door, method, params, &[]).is(200).json();
    assert!(answer["error"].is_null(), "{method}: {answer}");
    answer["result"].clone()
}

#[track_caller]
fn call(door: &Door, tool: &str, arguments: &Value) -> Value {
    result(
        door,
        "tools/call",
        &json!({ "name": tool, "arguments": arguments }),
    )
}

fn tools(door: &Door) -> Vec<String> {
    let tools = result(door, "tools/list", &json!({}))["tools"].clone();
    let tools = tools.as_array().unwrap().iter();
    tools
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_operator_has_every_tool_and_resource_without_a_session() {
    let (scene, address) = up();
    let token = scene.read(".worknode/keys/operator.token").trim().to_owned();
    for door in [scene.door(), Door::Tcp(address, Some(token))] {
        let hello = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
        });
        let greeted = send(&door, "initialize", &hello, &[]).is(200);
        assert_eq!(greeted.json()["result"]["serverInfo"]["name"], "worknode");
        assert_eq!(
            greeted.header("mcp-session-id"),
            None,
            "nothing is kept between requests"
        );
        let names = tools(&door);
        for name in ["brief", "spawn", "stop", "reassign", "replan"] {
            assert!(names.iter().any(|known| known == name), "no {name} in {names:?}");
        }
        assert_eq!(
            call(&door, "status", &json!({}))["structuredContent"]["team"],
            "t"
        );
        let refused = call(&door, "stop", &json!({ "target": "nobody", "reason": "test" }));
        assert_eq!(
            (&refused["isError"], &refused["structuredContent"]["code"]),
            (&json!(true), &json!("not_found"))
        );
        for uri in ["worknode://brief", "worknode://plan", "worknode://tree"] {
            let read = result(&door, "resources/read", &json!({ "uri": uri }));
            assert!(!read["contents"][0]["text"].as_str().unwrap().is_empty(), "{uri}");
        }
        let wrong = send(
            &door,
            "tools/call",
            &json!({ "name": "fly", "arguments": {} }),
            &[],
        );
        assert_eq!(wrong.json()["error"]["code"], -32602);
    }
}

#[test]
fn p9_each_request_is_worth_what_its_capability_is() {
    let (scene, address) = up();
    let stranger = Door::Tcp(address.clone(), None);
    send(&stranger, "tools/list", &json!({}), &[]).refuses(403, "forbidden", "capability");
    let forged = Door::Tcp(address.clone(), Some("wkn1.e30.AAAA".to_owned()));
    assert_eq!(send(&forged, "tools/list", &json!({}), &[]).status, 403);
    // An agent in its run: neither the tools nor the ways of those who lead.
    scene
        .worknode(&["task", "add", "Wait", "--key", "one", "--file", "a.txt"])
        .ok();
    scene.wait_for_task("one", "in_progress");
    let ps = scene.worknode(&["ps", "--json"]).ok().json();
    let run = ps[0]["run"]["id"].as_str().unwrap().to_owned();
    let token = scene
        .read(&format!(".worknode/runs/{run}/token"))
        .trim()
        .to_owned();
    let agent = Door::Tcp(address, Some(token));
    assert!(!tools(&agent).iter().any(|tool| tool == "spawn"));
    let spawn = json!({ "name": "spawn", "arguments": { "like": "coder", "prompt": "more" } });
    assert_eq!(
        send(&agent, "tools/call", &spawn, &[]).json()["error"]["code"],
        -32602
    );
    // It reports on its own task without naming it, and notes only in its own name.
    let done = call(
        &agent,
        "progress",
        &json!({ "message": "half way", "percent": 50 }),
    );
    assert_eq!(done["isError"], false, "{done}");
    let other = call(&agent, "remember", &json!({ "key": "lead/x", "value": 1 }));
    assert_eq!(other["structuredContent"]["code"], "forbidden", "{other}");
    let brief = result(&agent, "resources/read", &json!({ "uri": "worknode://brief" }));
    assert!(
        brief["contents"][0]["text"].as_str().unwrap().contains("Wait"),
        "{brief}"
    );
    // When its run is over, so is its capability (P4).
    scene.worknode(&["kill", "coder"]).ok();
    send(&agent, "tools/list", &json!({}), &[]).refuses(403, "forbidden", "over");
}

#[test]
fn pages_of_other_sites_are_not_heard() {
    let (scene, address) = up();
    let token = scene.read(".worknode/keys/operator.token").trim().to_owned();
    let door = Door::Tcp(address, Some(token));
    let from = |origin: &str| send(&door, "tools/list", &json!({}), &[("Origin", origin)]).status;
    for origin in ["https://evil.example", "null", "http://localhost.evil.example"] {
        assert_eq!(from(origin), 403, "{origin}");
    }
    assert_eq!(from("http://localhost:6274"), 200);
    let large = json!({ "name": "remember", "arguments": { "key": "a/b", "value": "x".repeat(6_000_000) } });
    assert_eq!(send(&door, "tools/call", &large, &[]).status, 413);
    let stream = door.ask("GET", "/mcp", &[("Accept", "text/event-stream")], "");
    assert_eq!(stream.status, 405, "there is no stream that could be left open");
}

#[test]
fn an_executive_changes_the_plan() {
    let (scene, _) = up();
    let door = scene.door();
    let added = call(
        &door,
        "replan",
        &json!({ "title": "Write it", "key": "write", "prompt": "Write a.txt", "reason": "was missing" }),
    );
    assert_eq!(added["structuredContent"]["key"], "write", "{added}");
    let changed = call(
        &door,
        "replan",
        &json!({ "task": "write", "title": "Write it well", "reason": "it was not clear" }),
    );
    assert_eq!(
        changed["structuredContent"]["title"], "Write it well",
        "{changed}"
    );
    let gone = call(
        &door,
        "replan",
        &json!({ "task": "write", "cancel": true, "reason": "not needed" }),
    );
    assert_eq!(gone["structuredContent"]["status"], "cancelled", "{gone}");
}
