//! Who may do what: an agent with its capability, and whoever comes through TCP.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

use worknode_tests::{
    program::{Done, command},
    scene::Scene,
    wait::wait_for,
};

/// Two agents that wait until they are told to end, each on its task.
const TEAM: &str = r#"
[team]
name = "t"

[[agent]]
name = "worker"
count = 2
limits = { grace = "1s" }
command = ["sh", "-c", "while ! [ -e ../../../go ]; do sleep 0.1; done; echo done > $WORKNODE_TASK.txt; git add . && git commit -qm work"]

[[phase]]
name = "only"
[[phase.task]]
id = "one"
title = "One"
prompt = "Write one.txt"
files = ["one.txt"]
[[phase.task]]
id = "two"
title = "Two"
prompt = "Write two.txt"
files = ["two.txt"]
"#;

/// The program as an agent in the run of `task` calls it.
fn as_agent_on(scene: &Scene, task: &str, args: &[&str]) -> Done {
    let ps = scene.worknode(&["ps", "--json"]).ok().json();
    let run = ps.as_array().unwrap().iter().find_map(|agent| {
        (agent["run"]["task"] == task).then(|| agent["run"]["id"].as_str().unwrap().to_owned())
    });
    as_run(scene, &run.unwrap(), task, args)
}

fn as_run(scene: &Scene, run: &str, task: &str, args: &[&str]) -> Done {
    let state = scene.file(".worknode");
    let mut command = command(scene.path());
    command
        .env("WORKNODE_SOCKET", state.join("worknode.sock"))
        .env("WORKNODE_TOKEN_FILE", state.join("runs").join(run).join("token"))
        .env("WORKNODE_TASK", task)
        .env("WORKNODE_EPOCH", "1")
        .args(args);
    command.output().unwrap().into()
}

#[test]
fn p3_p9_an_implementation_agent_does_its_task_and_nothing_else() {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    for task in ["one", "two"] {
        scene.wait_for_task(task, "in_progress");
    }
    // What was refused is kept; nothing of it happened.
    let happened = || {
        let events = scene.events();
        let told = ["rule_violated", "escalated", "notified"];
        let is_deed = |event: &&serde_json::Value| !told.contains(&event["type"].as_str().unwrap());
        events.iter().filter(is_deed).count()
    };
    let before = happened();
    let as_agent = |args: &[&str]| as_agent_on(&scene, "one", args);

    for args in [
        &["kill", "worker-2"][..],
        &["kill", "worker-1"],
        &["kill", "--all"],
        &["kill", "--all", "--dry-run"],
        &["down"],
        &[
            "approve",
            "two",
            "--commit",
            "0123456789012345678901234567890123456789",
        ],
        &[
            "reject",
            "two",
            "--reason",
            "mine is better",
            "--commit",
            "0123456789012345678901234567890123456789",
        ],
        &["task", "add", "Something else"],
        &["task", "cancel", "one"],
        &["task", "cancel", "two"],
        &["task", "retry", "two"],
        &["agent", "resume", "worker-2"],
        &["emit", "anything"],
    ] {
        as_agent(args).fails(4);
        let json = as_agent(&[args, &["--json"]].concat()).fails(4);
        assert!(json.stderr.contains("\"forbidden\""), "{json:#?}");
    }
    // Not on another's task, whatever epoch it says.
    for args in [
        &["task", "progress", "--task", "two", "nearly"][..],
        &[
            "task",
            "submit",
            "--task",
            "two",
            "0123456789012345678901234567890123456789",
        ],
        &["task", "block", "--task", "two", "no"],
        &["task", "release", "--task", "two"],
    ] {
        as_agent(args).fails(4).says(&["own_task"]);
    }
    // Nor under an epoch that it does not hold.
    as_agent(&["task", "progress", "--epoch", "2", "nearly"]).fails(4);
    assert_eq!(happened(), before, "nothing of all that happened");
    assert!(scene.count("rule_violated") > 0, "and it was kept");

    // What it may: look, and report on its own.
    for args in [
        &["status"][..],
        &["ps"],
        &["task", "list"],
        &["task", "show", "two"],
        &["events"],
    ] {
        as_agent(args).ok();
    }
    as_agent(&["task", "progress", "--percent", "40", "nearly"]).ok();
    // Progress is acknowledged before it is on the disk, so it shows a moment later.
    wait_for("the progress to show", || {
        let task = scene.worknode(&["task", "show", "one", "--json"]).ok().json();
        task["progress"]["percent"] == 40 && task["progress"]["message"] == "nearly"
    });
    scene.worknode(&["down"]).ok();
    assert_eq!(scene.processes(), 0);
}

#[test]
fn p4_p9_a_capability_ends_with_its_run() {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    scene.wait_for_task("one", "in_progress");
    scene.wait_for_task("two", "in_progress");
    let killed = scene.worknode(&["kill", "one", "--json"]).ok().json();
    let run = killed[0]["run"].as_str().unwrap().to_owned();
    for args in [
        &["status"][..],
        &["task", "progress", "still here"],
        &["task", "list"],
    ] {
        as_run(&scene, &run, "one", args)
            .fails(4)
            .says(&["the run of this capability is over"]);
    }
    // One that ended by itself too.
    let ps = scene.worknode(&["ps", "--json"]).ok().json();
    let other = ps
        .as_array()
        .unwrap()
        .iter()
        .find_map(|agent| agent["run"]["id"].as_str())
        .unwrap()
        .to_owned();
    as_run(&scene, &other, "two", &["status"]).ok();
    scene.write("go", "");
    scene.wait_for_task("two", "completed");
    as_run(&scene, &other, "two", &["status"])
        .fails(4)
        .says(&["over"]);
    // And what was never a capability.
    scene.write(&format!(".worknode/runs/{other}/token"), "wkn1.e30.AAAA");
    as_run(&scene, &other, "two", &["status"]).fails(4);
}

#[test]
fn p9_through_tcp_nobody_is_anybody_without_a_capability() {
    // Taken and let go of: free a moment ago, and Linux hands out others first.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let scene = Scene::with_team(&format!("{TEAM}\n[daemon]\nlisten = \"{address}\"\n"));
    scene.worknode(&["up", "-d"]).ok();
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(scene.file(".worknode/keys/operator.token"))
            .unwrap()
            .permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let token = scene.read(".worknode/keys/operator.token");

    for path in [
        "/api/v1/status",
        "/api/status",
        "/api/v1/tasks",
        "/api/v1/events",
        "/api/v1/agents",
    ] {
        assert_eq!(http(&address, "GET", path, None, "").0, 403, "{path}");
        assert_eq!(http(&address, "GET", path, Some("nonsense"), "").0, 403, "{path}");
        let (code, body) = http(&address, "GET", path, Some(&token), "");
        assert_eq!(code, 200, "{path}: {body}");
    }
    assert_eq!(http(&address, "POST", "/api/v1/shutdown", None, "{}").0, 403);
    let (code, problem) = http(&address, "POST", "/api/v1/kill", None, r#"{"all":true}"#);
    let problem: serde_json::Value = serde_json::from_str(&problem).unwrap();
    assert_eq!((code, &problem["code"]), (403, &"forbidden".into()));

    let (code, body) = http(
        &address,
        "POST",
        "/api/v1/tasks",
        Some(&token),
        r#"{"title":"From afar"}"#,
    );
    assert_eq!(code, 201, "{body}");
    scene.worknode(&["task", "show", "from-afar"]).ok();
    assert_eq!(http(&address, "GET", "/api/v1/nothing", Some(&token), "").0, 404);
    assert_eq!(http(&address, "POST", "/api/v1/tasks", Some(&token), "{").0, 400);
    assert_eq!(
        http(
            &address,
            "POST",
            "/api/v1/tasks",
            Some(&token),
            r#"{"titel":"x"}"#
        )
        .0 / 100,
        4
    );
    scene.worknode(&["down"]).ok();
}

/// The program as somebody outside calls it, with the capability in a file.
fn with(scene: &Scene, token: &str, args: &[&str]) -> Done {
    let mut command = command(scene.path());
    command
        .env("WORKNODE_SOCKET", scene.file(".worknode/worknode.sock"))
        .env("WORKNODE_TOKEN_FILE", scene.file(token))
        .args(args);
    command.output().unwrap().into()
}

/// Makes a narrower capability, offline, and keeps it in a file.
fn narrowed(scene: &Scene, from: &str, to: &str, args: &[&str]) {
    let all = [&["capability", "attenuate", from][..], args].concat();
    scene.write(to, &scene.worknode(&all).ok().stdout);
}

/// A team at work, and a capability for somebody outside.
fn with_ada() -> Scene {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    for task in ["one", "two"] {
        scene.wait_for_task(task, "in_progress");
    }
    scene
        .worknode(&["node", "create", "document", "ada", "--parent", "root"])
        .ok();
    scene.write("ada", &scene.worknode(&["capability", "new", "ada"]).ok().stdout);
    with(&scene, "ada", &["task", "list"]).ok();
    scene
}

#[test]
fn p9_a_holder_narrows_a_capability_offline_and_nobody_widens_it() {
    let scene = with_ada();
    narrowed(
        &scene,
        "ada",
        "reader",
        &["--only", "read", "--note", "for the linter"],
    );
    with(&scene, "reader", &["task", "list"]).ok();
    with(&scene, "reader", &["task", "claim", "one"]).fails(4);
    let shown = scene
        .worknode(&["capability", "show", "reader", "--json"])
        .ok()
        .json();
    assert_eq!(
        (&shown["operations"], &shown["notes"][0]),
        (&serde_json::json!(["read"]), &"for the linter".into())
    );
    scene
        .worknode(&["capability", "verify", "reader"])
        .ok()
        .says(&["it counts"]);
    let late = scene.worknode(&["capability", "verify", "reader", "--at", "2100-01-01T00:00:00Z"]);
    late.fails(4).says(&["expired"]);
    let wider = ["capability", "attenuate", "reader", "--only", "claim"];
    scene.worknode(&wider).fails(4).says(&["widened", "operations"]);

    // What was narrowed is not taken off, and a text that is cut short is nothing.
    let text = scene.read("reader");
    let parts: Vec<&str> = text.trim().split('.').collect();
    scene.write("cut", &[parts[0], parts[1], parts[2], parts[5]].join("."));
    with(&scene, "cut", &["task", "list"])
        .fails(4)
        .says(&["cut short"]);
    scene.write("half", &text[..text.len() / 2]);
    with(&scene, "half", &["task", "list"]).fails(4);

    // Files, teams and parts of the tree.
    narrowed(&scene, "ada", "docs", &["--file", "docs/**"]);
    with(&scene, "docs", &["task", "claim", "one"])
        .fails(4)
        .says(&["reaches beyond"]);
    narrowed(&scene, "ada", "elsewhere", &["--audience", "blog"]);
    with(&scene, "elsewhere", &["status"])
        .fails(4)
        .says(&["is for blog"]);
    narrowed(&scene, "ada", "within", &["--below", "one"]);
    with(&scene, "within", &["task", "list"]).ok();
    narrowed(&scene, "within", "without", &["--below", "two"]);
    with(&scene, "without", &["task", "list"])
        .fails(4)
        .says(&["widened", "part of the tree"]);
    scene.worknode(&["down"]).ok();
}

#[test]
fn p4_p9_what_is_taken_back_is_worth_nothing_also_after_a_restart() {
    let scene = with_ada();
    narrowed(&scene, "ada", "reader", &["--only", "read"]);
    let revoke = [
        "capability",
        "revoke",
        "--token",
        "ada",
        "--reason",
        "the laptop is lost",
    ];
    scene.worknode(&revoke).ok();
    let both_are_revoked = || {
        for token in ["ada", "reader"] {
            with(&scene, token, &["task", "list"])
                .fails(4)
                .says(&["revoked", "the laptop is lost"]);
        }
    };
    both_are_revoked();
    scene
        .worknode(&["capability", "verify", "reader"])
        .fails(4)
        .says(&["revoked"]);
    scene.worknode(&["down"]).ok();
    scene.worknode(&["up", "-d"]).ok();
    both_are_revoked();

    // Another key ends all that was issued.
    scene.write(
        "again",
        &scene
            .worknode(&["capability", "new", "ada", "--for", "2h"])
            .ok()
            .stdout,
    );
    with(&scene, "again", &["task", "list"]).ok();
    let operator = scene.read(".worknode/keys/operator.token");
    scene.worknode(&["capability", "rotate", "--grace", "0s"]).ok();
    with(&scene, "again", &["task", "list"])
        .fails(4)
        .says(&["replaced"]);
    assert_ne!(scene.read(".worknode/keys/operator.token"), operator);
    scene.write(
        "new",
        &scene
            .worknode(&["capability", "new", "ada", "--for", "3h"])
            .ok()
            .stdout,
    );
    with(&scene, "new", &["task", "list"]).ok();
    for name in [
        "capability_issued",
        "capability_revoked",
        "capability_key_replaced",
    ] {
        let condition = format!("event.type == \"{name}\"");
        let told = scene.worknode(&["events", "--where", &condition, "--json"]).ok();
        assert!(
            !told.stdout.is_empty() && !told.stdout.contains("wn2."),
            "{name}: {told:#?}"
        );
    }
    scene.worknode(&["down"]).ok();
}

/// One request, and the status and body of its answer.
fn http(address: &str, method: &str, path: &str, token: Option<&str>, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let bearer = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{bearer}Connection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
