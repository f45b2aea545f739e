//! What triggers do, one by one, through the real program: each deed happens, is recorded with
//! what came of it, and bad luck is bounded and told.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
};

use serde_json::Value;
use worknode_tests::{scene::Scene, wait::wait_for};

fn up(config: &str) -> Scene {
    let scene = Scene::with_team(&format!("[team]\nname = \"deeds\"\n\n{config}"));
    scene.worknode(&["up", "-d"]).ok();
    scene
}

fn of<'a>(trigger: &'a str, kind: &'a str) -> impl Fn(&Value) -> bool + 'a {
    move |event| event["type"] == kind && event["data"]["trigger"] == trigger
}

/// How many commands have a place of their own.
fn commands(scene: &Scene) -> usize {
    let places = std::fs::read_dir(scene.file(".worknode/commands"));
    let places = places.into_iter().flatten().flatten();
    places.filter(|place| place.file_name() != "marks").count()
}

/// Fires the trigger by hand, and waits for what comes of it.
fn outcome(scene: &Scene, trigger: &str) -> Value {
    scene.worknode(&["trigger", "fire", trigger]).ok();
    scene.wait_for_event(trigger, of(trigger, "trigger_acted"))["data"].clone()
}

#[test]
fn a_command_is_run_in_its_box_and_its_exit_code_is_the_outcome() {
    let scene = up(r#"
[[trigger]]
name = "good"
event = "go"
run = { command = ["sh", "-c", "test -n \"$WORKNODE_OCCURRENCE\" && echo fine > \"$TMPDIR/x\" && cat team.txt"] }
[[trigger]]
name = "values"
event = "go"
run = { command = ["sh", "-c", "echo \"$1\" >&2; exit 3", "sh", "{{event.data.word}}"] }
[[trigger]]
name = "slow"
event = "go"
run = { command = ["sleep", "1000"], timeout = "1s" }
[[trigger]]
name = "nosy"
event = "go"
run = { command = ["sh", "-c", "cat .worknode/keys/operator.token || touch here"] }
[[trigger]]
name = "nothing"
event = "go"
run = { command = ["/no/such/program"] }
"#);
    scene.write("team.txt", "us");
    scene.worknode(&["emit", "go", "word=$(touch oops); hello"]).ok();
    let came = |trigger: &str| scene.wait_for_event(trigger, of(trigger, "trigger_acted"))["data"].clone();
    let (good, values, slow, nosy) = (came("good"), came("values"), came("slow"), came("nosy"));
    assert_eq!(
        (&good["outcome"], &good["failed"]),
        (&"exited with code 0".into(), &Value::Null)
    );
    assert_eq!(values["outcome"], "exited with code 3: $(touch oops); hello");
    assert_eq!(values["failed"], true);
    assert!(slow["outcome"].as_str().unwrap().contains("time limit"), "{slow}");
    assert_eq!(nosy["failed"], true, "it sees no keys and writes nothing: {nosy}");
    assert_eq!(came("nothing")["failed"], true);
    assert!(!scene.file("oops").exists() && !scene.file("here").exists());
    assert_eq!(commands(&scene), 0);
    scene.worknode(&["down"]).ok();
}

#[test]
fn gates_judge_the_base_branch() {
    let scene = Scene::with_team(
        r#"
[team]
name = "deeds"
[gate.tests]
command = ["sh", "-c", "test -e team.txt"]
[[trigger]]
name = "audit"
event = "go"
gate = { gates = ["tests"] }
"#,
    );
    scene.worknode(&["up", "-d"]).ok();
    let failed = outcome(&scene, "audit");
    assert!(
        failed["outcome"].as_str().unwrap().contains("tests failed"),
        "{failed}"
    );
    assert_eq!(failed["failed"], true);
    scene.write("team.txt", "us");
    scene.git(&["add", "team.txt"]);
    scene.commit("a team");
    scene.worknode(&["emit", "go"]).ok();
    let passed = scene.wait_for_event("the second look", |event| {
        of("audit", "trigger_acted")(event) && event["data"]["failed"].is_null()
    });
    assert!(
        passed["data"]["outcome"]
            .as_str()
            .unwrap()
            .contains("tests passed")
    );
    scene.worknode(&["down"]).ok();
}

#[test]
fn tests_run_once_for_all_gates_that_ask_what_came_of_them() {
    let scene = Scene::new();
    let ran = scene.file("ran");
    let team = format!(
        r#"
[team]
name = "deeds"
[gate.tests]
command = ["sh", "-c", "echo x >> '{}'; echo TN: > lcov.info"]
sandbox = "off"
[gate.coverage]
reports = ["lcov.info"]
[[trigger]]
name = "audit"
event = "go"
gate = {{ gates = ["tests", "coverage", "secrets"] }}
"#,
        ran.display()
    );
    let scene = scene.and_team(&team);
    scene.worknode(&["up", "-d"]).ok();
    let told = outcome(&scene, "audit").to_string();
    assert!(told.contains("coverage") && told.contains("secrets"), "{told}");
    assert_eq!(scene.read("ran"), "x\n");
    scene.worknode(&["down"]).ok();
}

#[test]
fn gates_judge_all_of_a_commit_or_what_is_new_in_it() {
    let scene = Scene::with_team(
        r#"
[team]
name = "deeds"
[gate.secrets]
severity = "error"
[[trigger]]
name = "all"
event = "go"
gate = { gates = ["secrets", "size"] }
[[trigger]]
name = "since-branch"
event = "go"
gate = { gates = ["secrets"], diff = "before" }
[[trigger]]
name = "since-time"
event = "go"
gate = { gates = ["secrets"], diff = "7d" }
"#,
    );
    let key = format!("-----BEGIN RSA {} KEY-----\n", "PRIVATE");
    scene.write("key.pem", &key);
    scene.git(&["add", "key.pem"]);
    scene.commit("a key");
    scene.git(&["branch", "before"]);
    scene.write("team.txt", "us");
    scene.git(&["add", "team.txt"]);
    scene.commit("a team");
    scene.worknode(&["up", "-d"]).ok();
    scene.worknode(&["emit", "go"]).ok();
    let came = |trigger: &str| {
        let acted = scene.wait_for_event(trigger, of(trigger, "trigger_acted"))["data"].clone();
        let failed = acted["failed"] == Value::Bool(true);
        (acted["outcome"].as_str().unwrap().to_owned(), failed)
    };
    let (all, failed) = came("all");
    assert!(
        failed && all.contains("secrets failed") && all.contains("size passed"),
        "{all}"
    );
    let (since, failed) = came("since-branch");
    assert!(
        !failed && since.contains("since before: secrets passed"),
        "{since}"
    );
    // The repository is younger than that: all of it is new.
    let (since, failed) = came("since-time");
    assert!(failed && since.contains("since 7d: secrets failed"), "{since}");
    scene.worknode(&["down"]).ok();
}

#[test]
fn events_of_triggers_pass_the_membrane_and_carry_values() {
    let scene = up(r#"
[[trigger]]
name = "say"
event = "go"
emit = { event = "said", data = { word = "{{event.data.word}}, again" } }
[[trigger]]
name = "hear"
event = "said"
notify = { to = "operator", message = "heard {{event.data.word}}" }
"#);
    scene.worknode(&["emit", "go", "word=hello"]).ok();
    let told = scene.wait_for_event("the message", |event| event["type"] == "notified");
    assert_eq!(told["data"]["message"], "heard hello, again");
    let said = scene.wait_for_event("the event", |event| event["data"]["name"] == "said");
    let fired = scene.wait_for_event("the firing", of("say", "trigger_fired"));
    assert_eq!(said["cause"], fired["at"], "what caused it can be asked");
    assert_eq!(said["by"]["kind"], "trigger");
    scene.worknode(&["down"]).ok();
}

#[test]
fn p8_an_agent_that_cannot_start_is_tried_again_told_and_raises_one_alarm() {
    let scene = up(r#"
[[agent]]
name = "broken"
start = "trigger"
profile = "validation"
command = ["sh", "-c", "exit 7"]
[[trigger]]
name = "wake"
event = "go"
alarm_after = 2
spawn = { agent = "broken", prompt = "work" }
[[trigger]]
name = "ghost"
event = "go"
retry = { attempts = 2, backoff = "1s" }
run = { command = ["/no/such/program"] }
"#);
    let failures = || {
        let events = scene.events();
        let of_wake = |event: &&Value| event["data"]["trigger"] == "wake" && event["data"]["failed"] == true;
        events.iter().filter(of_wake).count()
    };
    // It ends, and then may not start any more.
    for round in 1..=3 {
        scene.worknode(&["emit", "go"]).ok();
        wait_for("the failure", || failures() == round);
    }
    let ended = scene.wait_for_event("its end", of("wake", "trigger_ended"));
    assert_eq!(ended["data"]["outcome"], "exited with code 7");
    let refused = scene.wait_for_event("its refusal", of("wake", "trigger_acted"));
    assert!(!refused["data"]["outcome"].is_null());
    let alarms = || {
        let events = scene.events();
        events
            .into_iter()
            .filter(|event| of("wake", "trigger_alarm")(event))
            .count()
    };
    wait_for("the alarm", || alarms() == 1);
    let listed = scene.worknode(&["trigger", "list", "--json"]).ok().json();
    assert!(listed.to_string().contains("failing"), "{listed}");
    let status = scene.worknode(&["status", "--json"]).ok().json();
    assert_eq!(status["alarms"][0]["trigger"], "wake", "{status}");
    assert_eq!(status["alarms"][0]["cause"], "failing");
    scene.worknode(&["status"]).ok().says(&[
        "trigger wake: its last 2 runs failed",
        "worknode trigger show wake",
    ]);
    let tried = scene.wait_for_event("the next attempt", of("ghost", "trigger_attempted"));
    assert_eq!(tried["data"]["attempt"], 1);
    let given_up = scene.wait_for_event("its end", of("ghost", "trigger_acted"));
    assert_eq!(given_up["data"]["failed"], true);
    scene.worknode(&["down"]).ok();
}

/// A server on this machine that answers each request with the next of these, or not at all.
fn server(answers: Vec<Option<&'static str>>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hook?secret=1", listener.local_addr().unwrap());
    let (asked, questions) = mpsc::channel();
    thread::spawn(move || {
        let mut held = Vec::new();
        for answer in answers {
            let Ok((stream, _)) = listener.accept() else {
                return;
            };
            let _ = asked.send(read_request(&stream));
            match answer {
                Some(answer) => drop((&stream).write_all(answer.as_bytes())),
                None => held.push(stream),
            }
        }
        // A server that hangs keeps its connections.
        while let Ok((stream, _)) = listener.accept() {
            held.push(stream);
        }
    });
    (address, questions)
}

fn read_request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let (mut text, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        text.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    text + &String::from_utf8(body).unwrap()
}

const OK: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const BROKEN: &str = "HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n";
const ELSEWHERE: &str = "HTTP/1.1 302 Found\r\nlocation: /hook\r\ncontent-length: 0\r\n\r\n";

#[test]
fn p8_a_server_that_hangs_fails_or_sends_elsewhere_is_asked_so_often_and_no_longer() {
    let (good, asked) = server(vec![Some(BROKEN), Some(OK)]);
    let (round, _rounds) = server(vec![Some(ELSEWHERE); 8]);
    let (silent, _held) = server(vec![None; 8]);
    let scene = up(&format!(
        r#"
[[trigger]]
name = "good"
event = "go"
retry = {{ attempts = 3, backoff = "1s" }}
notify = {{ webhook = {{ url = "{good}", key = "pager" }}, message = "it is {{{{event.type}}}}" }}
[[trigger]]
name = "round"
event = "go"
notify = {{ webhook = {{ url = "{round}" }} }}
[[trigger]]
name = "silent"
event = "go"
notify = {{ webhook = {{ url = "{silent}", timeout = "500ms" }} }}
"#
    ));
    scene.write(".worknode/keys/pager", "quiet\n");
    scene.worknode(&["emit", "go"]).ok();
    let came = |trigger: &str| scene.wait_for_event(trigger, of(trigger, "trigger_acted"))["data"].clone();
    let good = came("good");
    assert!(
        good["outcome"].as_str().unwrap().ends_with("/hook answered 200"),
        "{good}"
    );
    let first = asked.recv().unwrap().to_lowercase();
    let second = asked.recv().unwrap().to_lowercase();
    assert!(first.starts_with("post /hook?secret=1 http/1.1"), "{first}");
    for part in [
        "worknode-signature: t=",
        ",v1=",
        "idempotency-key: good@",
        "it is go",
    ] {
        assert!(first.contains(part) && second.contains(part), "{part}: {first}");
    }
    assert!(second.contains("\"attempt\":2"), "{second}");
    let round = came("round");
    assert!(
        round["outcome"]
            .as_str()
            .unwrap()
            .contains("redirects are not followed"),
        "{round}"
    );
    let silent = came("silent");
    assert!(
        silent["outcome"]
            .as_str()
            .unwrap()
            .contains("no answer within 500ms"),
        "{silent}"
    );
    assert_eq!(silent["failed"], true);
    scene.worknode(&["down"]).ok();
}

/// A command is begun, and the daemon is killed: the next one does not run it a second time.
#[test]
fn p6_what_a_killed_daemon_left_half_done_is_settled_and_not_done_again() {
    let (silent, asked) = server(vec![None, Some(OK)]);
    let scene = Scene::with_team(&format!(
        r#"
[team]
name = "deeds"
[[trigger]]
name = "half"
event = "go"
run = {{ command = ["sleep", "1000"] }}
[[trigger]]
name = "tell"
event = "go"
notify = {{ webhook = {{ url = "{silent}", timeout = "60s" }} }}
"#
    ));
    let daemon = scene.daemon();
    scene.wait_for_daemon();
    scene.worknode(&["emit", "go"]).ok();
    let first = asked.recv().unwrap();
    wait_for("the command to be begun", || commands(&scene) == 1);
    daemon.kill();
    scene.worknode(&["up", "-d"]).ok();
    let half = scene.wait_for_event("its outcome", of("half", "trigger_acted"));
    assert!(
        half["data"]["outcome"]
            .as_str()
            .unwrap()
            .starts_with("interrupted"),
        "{half}"
    );
    let told = scene.wait_for_event("the server's answer", of("tell", "trigger_acted"));
    assert!(
        told["data"]["outcome"]
            .as_str()
            .unwrap()
            .ends_with("answered 200"),
        "{told}"
    );
    // The server can tell that it is the same.
    let key = |text: &str| {
        let line = text
            .lines()
            .find(|line| line.to_lowercase().starts_with("idempotency-key"));
        line.unwrap().to_owned()
    };
    assert_eq!(key(&first), key(&asked.recv().unwrap()));
    for kind in ["trigger_fired", "trigger_acted"] {
        assert_eq!(scene.count(kind), 2, "{kind}");
    }
    scene.worknode(&["down"]).ok();
}
