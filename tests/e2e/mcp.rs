//! The tools that agents are given over the Model Context Protocol, and the hooks of Claude Flow,
//! through the program.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

use serde_json::{Value, json};
use worknode_tests::{program::command, scene::Scene};

use crate::memory::{TEAM, up};

/// A client of the server on standard input and output.
struct Client {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    id: u64,
}

impl Client {
    fn start(scene: &Scene) -> Self {
        let mut server = command(scene.path());
        server.arg("mcp").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = server.spawn().unwrap();
        let mut client = Self {
            to: child.stdin.take(),
            from: BufReader::new(child.stdout.take().unwrap()),
            child,
            id: 0,
        };
        let hello = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
        });
        let told = client.ask("initialize", hello);
        assert_eq!(told["serverInfo"]["name"], "worknode");
        assert!(told["instructions"].as_str().unwrap().contains("brief"));
        client.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        client
    }

    fn say(&mut self, message: &Value) {
        writeln!(self.to.as_mut().unwrap(), "{message}").unwrap();
    }

    fn answer(&mut self, method: &str, params: Value) -> Value {
        self.id += 1;
        let id = self.id;
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let mut line = String::new();
            assert_ne!(self.from.read_line(&mut line).unwrap(), 0, "the server went away");
            let answer: Value = serde_json::from_str(&line).unwrap();
            if answer["id"] == id {
                return answer;
            }
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.answer(method, params)["result"].clone()
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// What a call that succeeds answers.
    #[track_caller]
    fn done(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.call(tool, arguments);
        assert_ne!(answer["isError"], true, "{tool}: {answer}");
        answer["structuredContent"].clone()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It ends when nobody speaks to it any more.
        self.to.take();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_person_has_every_tool_and_resource() {
    let scene = up("exit 1\n");
    let mut client = Client::start(&scene);
    let tools = client.ask("tools/list", json!({}))["tools"].clone();
    let names: Vec<&str> = tools
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    for name in [
        "brief",
        "next_task",
        "claim",
        "progress",
        "submit",
        "blocked",
        "message",
        "search",
        "spawn",
        "stop",
        "reassign",
    ] {
        assert!(names.contains(&name), "no {name} in {names:?}");
    }
    let decided = client.done(
        "record_decision",
        json!({ "question": "Which store?", "decision": "SQLite" }),
    );
    let found = client.done("search", json!({ "query": "store", "in": "decisions" }));
    assert_eq!(found["found"][0]["id"], decided["id"]);
    let issue = client.done(
        "record_issue",
        json!({ "error": "it broke at line 7", "file": "a.rs" }),
    );
    let solved = json!({ "issue": issue["id"], "fix": "mend it" });
    assert_eq!(client.done("record_issue", solved)["resolved"], true);
    let hits = client.done("search", json!({ "query": "it broke at line 12" }));
    assert_eq!(
        (&hits["found"][0]["fits"], &hits["found"][0]["fix"]),
        (&json!("signature"), &json!("mend it"))
    );
    client.done("remember", json!({ "key": "notes/x", "value": { "a": 1 } }));
    assert_eq!(
        client.done("recall", json!({ "key": "notes/x" }))["value"],
        json!({ "a": 1 })
    );
    assert_eq!(
        client.done("recall", json!({ "namespace": "notes" }))["found"][0]["version"],
        1
    );
    assert!(client.done("query", json!({ "where": "kind == \"agent\"" }))["nodes"].is_array());
    client.done("message", json!({ "to": "coder", "text": "hello" }));
    assert_eq!(client.done("status", json!({}))["team"], "t");
    let brief = client.call("brief", json!({}));
    assert!(
        brief["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("Which store?")
    );
    let refused = client.call("stop", json!({ "target": "nobody", "reason": "test" }));
    assert_eq!(refused["isError"], true);
    assert_eq!(refused["structuredContent"]["code"], "not_found");
    assert_eq!(
        client.answer("tools/call", json!({ "name": "fly", "arguments": {} }))["error"]["code"],
        -32602
    );
    let resources = client.ask("resources/list", json!({}))["resources"].clone();
    for resource in resources.as_array().unwrap() {
        let read = client.ask("resources/read", json!({ "uri": resource["uri"] }));
        assert!(
            !read["contents"][0]["text"].as_str().unwrap().is_empty(),
            "{resource}"
        );
    }
}

#[test]
fn p8_a_line_without_an_end_is_not_kept() {
    let scene = up("exit 1\n");
    let mut client = Client::start(&scene);
    let long = json!({ "key": "notes/x", "value": "x".repeat(9_000_000) });
    let request = json!({ "jsonrpc": "2.0", "id": 77, "method": "tools/call", "params": { "name": "remember", "arguments": long } });
    client.say(&request);
    // The conversation goes on.
    assert_eq!(client.done("status", json!({}))["team"], "t");
    assert!(
        scene.http("/api/v1/memory")["namespaces"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

/// An agent that works with the tools alone: says something, notes something, hands in.
const AGENT: &str = r#"
top=$(dirname "$WORKNODE_SOCKET")/..
echo hello >hello.txt; git add hello.txt; git -c user.name=a -c user.email=a@b commit -qm hello
call() { echo "{\"jsonrpc\":\"2.0\",\"id\":$1,\"method\":\"tools/call\",\"params\":{\"name\":\"$2\",\"arguments\":$3}}"; }
{
  echo '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}}'
  echo '{"jsonrpc":"2.0","method":"notifications/initialized"}'
  call 2 progress '{"message":"half way","percent":50}'
  call 3 remember '{"key":"lead/x","value":1}'
  call 4 spawn '{"like":"coder","prompt":"more"}'
  call 5 submit '{}'
  cat "$top/wait"
} | worknode mcp >"$top/answers.out"
"#;

#[test]
fn p9_an_agent_works_through_its_tools_within_its_capability() {
    let scene = Scene::new();
    scene.write("work.sh", AGENT);
    scene.write(".gitignore", ".worknode/\nwait\nanswers.out\n");
    let scene = scene.and_team(TEAM);
    std::process::Command::new("mkfifo")
        .arg(scene.file("wait"))
        .status()
        .unwrap();
    scene.worknode(&["up", "-d"]).ok();
    let add = [
        "task",
        "add",
        "Say hello",
        "--key",
        "one",
        "--file",
        "hello.txt",
        "--gate",
        "plan",
    ];
    scene.worknode(&add).ok();
    scene.wait_for_event("the submission", |event| event["type"] == "task_submitted");
    // Now the agent may close its end.
    drop(
        std::fs::OpenOptions::new()
            .write(true)
            .open(scene.file("wait"))
            .unwrap(),
    );
    scene.wait_for_task("one", "completed");
    let answers = scene.read("answers.out");
    let answer = |id: u64| -> Value {
        let all = answers
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        all.into_iter()
            .find(|answer| answer["id"] == id)
            .unwrap_or_default()
    };
    assert_ne!(answer(2)["result"]["isError"], true, "{answers}");
    assert_eq!(
        answer(3)["result"]["structuredContent"]["code"],
        "forbidden",
        "{answers}"
    );
    assert_eq!(
        answer(4)["error"]["code"],
        -32602,
        "a tool that it does not have: {answers}"
    );
    assert!(
        scene
            .events()
            .iter()
            .any(|event| event["data"]["progress"]["message"] == "half way")
    );
}

#[test]
fn the_hooks_of_claude_flow_do_the_real_thing() {
    let scene = up("exit 1\n");
    let hook = |args: &[&str]| {
        scene
            .worknode(&[&["hooks"], args, &["--json"]].concat())
            .ok()
            .json()["told"]
            .clone()
    };
    scene
        .worknode(&["decision", "add", "Which schema?", "normal form"])
        .ok();
    scene
        .worknode(&["issue", "add", "schema does not load", "--fix", "migrate"])
        .ok();
    let begun = hook(&[
        "pre-task",
        "--description",
        "Design the schema",
        "--task-id",
        "t/1",
        "--auto-spawn-agents",
        "false",
    ]);
    assert_eq!(begun["decisions"][0]["decision"], "normal form");
    assert_eq!(begun["issues"][0]["fix"], "migrate");
    hook(&[
        "post-edit",
        "--file",
        "db/schema.sql",
        "--memory-key",
        "swarm/coder/schema",
    ]);
    let kept = scene
        .worknode(&["memory", "get", "swarm/coder/schema", "--json"])
        .ok()
        .json();
    assert_eq!(kept["value"]["file"], "db/schema.sql");
    hook(&["notify", "--message", "half way"]);
    assert!(
        scene
            .events()
            .iter()
            .any(|event| event["data"]["name"] == "notification")
    );
    hook(&["post-task", "--task-id", "t/1", "--analyze-performance", "true"]);
    let task = scene
        .worknode(&["memory", "get", "session/tasks/t:1", "--json"])
        .ok()
        .json();
    assert_eq!(task["value"]["status"], "done");
    hook(&["session-end", "--session-id", "s1", "--export-metrics", "true"]);
    let back = hook(&["session-restore", "--session-id", "s1"]);
    assert_eq!(back["memory"][0]["key"], "session/s1/summary");
    let said = scene.worknode(&["hooks", "session-restore"]).ok();
    assert!(said.stdout.contains("Which schema?"), "{said:?}");
}

/// Does its task by the hooks alone.
const HOOKED: &str = r#"
top=$(dirname "$WORKNODE_SOCKET")/..
set -e
worknode hooks pre-task --description 'Say hello'
echo hello >hello.txt; git add hello.txt; git -c user.name=a -c user.email=a@b commit -qm hello
worknode hooks post-edit --file hello.txt --memory-key swarm/coder/hello
worknode hooks session-restore >"$top/restored.out"
worknode hooks post-task --task-id "$WORKNODE_TASK"
"#;

#[test]
fn an_agent_hands_in_by_its_hooks() {
    let scene = up(HOOKED);
    let add = [
        "task",
        "add",
        "Say hello",
        "--key",
        "one",
        "--file",
        "hello.txt",
        "--gate",
        "plan",
    ];
    scene.worknode(&add).ok();
    scene.wait_for_task("one", "completed");
    let restored = scene.read("restored.out");
    for part in [
        "## Task: Say hello",
        "## Files edited\n\n- `hello.txt`",
        "Say hello",
    ] {
        assert!(restored.contains(part), "{part}: {restored}");
    }
    // A person sees the same, and without a daemon.
    let now = scene.worknode(&["continue", "coder"]).ok().stdout;
    scene.worknode(&["down"]).ok();
    let later = scene.worknode(&["continue", "coder"]).ok().stdout;
    assert!(
        now.contains("nothing is under way") && later.contains("# Where coder stands"),
        "{now}\n{later}"
    );
    let estimates = up_again(&scene);
    assert_eq!(estimates["tasks"], 1);
    assert_eq!(estimates["rows"][1]["name"], "coder");
}

fn up_again(scene: &Scene) -> Value {
    scene.worknode(&["up", "-d"]).ok();
    scene
        .worknode(&["estimates"])
        .ok()
        .says(&["coder", "HALF WITHIN"]);
    scene.worknode(&["estimates", "--json"]).ok().json()
}
