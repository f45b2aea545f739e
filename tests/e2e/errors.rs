//! What is said when something cannot be done: one of each code that people meet, as it was looked at.

use std::{
    collections::HashSet,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixListener,
    path::PathBuf,
};

use serde_json::{Value, json};
use worknode_core::{
    error::{Code, Error},
    time::Timestamp,
};
use worknode_journal::{AppendError, StoreError};
use worknode_tests::scene::Scene;

const TEAM: &str = r#"
[team]
name = "t"

[[agent]]
name = "worker"
command = ["sh", "-c", "while :; do sleep 1; done"]
limits = { grace = "1s" }

[limits]
spawn_fan_out = 1

[[agent]]
name = "helper"
profile = "executive"
start = "trigger"
command = ["sleep", "600"]
limits = { grace = "1s" }

[[phase]]
name = "only"
[[phase.task]]
id = "one"
title = "One"
prompt = "Write one.txt"
files = ["one.txt"]
"#;

/// Where the files are, one for each error that was looked at.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/e2e/errors")
}

/// The same with `TIME` for every instant.
fn without_times(text: &str) -> String {
    let is_time = |word: &&str| word.ends_with('Z') && word.parse::<Timestamp>().is_ok();
    let words = text.split([' ', '"', '\n']).filter(is_time);
    words.fold(text.to_owned(), |text, time| text.replace(time, "TIME"))
}

/// Compares with the file of that name, for people and for programs.
#[track_caller]
fn expect(scene: &Scene, name: &str, code: i32, args: &[&str]) {
    let path = folder().join(format!("{name}.txt"));
    let plain = |text: &str| {
        let there = scene.path().canonicalize().unwrap();
        let text = text.replace(&*there.to_string_lossy(), "DIR");
        without_times(&text.replace(&*scene.path().to_string_lossy(), "DIR"))
    };
    let text = scene.worknode(args).fails(code);
    let json = scene.worknode(&[args, &["--json"]].concat()).fails(code);
    let told: Value = serde_json::from_str(&json.stderr).unwrap_or_else(|error| panic!("{error}: {json:#?}"));
    let error: Error = serde_json::from_value(told["error"].clone()).unwrap();
    assert_eq!(i32::from(error.code.exit_code()), code, "{error}");
    if error.code != Code::GateFailed {
        let beside = (text.stdout.as_str(), json.stdout.as_str());
        assert_eq!(beside, ("", ""), "only findings stand beside an error");
    }
    let says_what_to_do = error.hint.is_some()
        || ["--help", "hint: ", "allowed are"]
            .iter()
            .any(|words| error.message.contains(words));
    assert!(says_what_to_do, "{error:?}");
    let seen = format!(
        "$ worknode {}\n{}\n{}(exit code {code})\n",
        args.join(" "),
        plain(&text.stderr),
        plain(&json.stderr)
    );
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &seen).unwrap();
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(seen, known, "UPDATE_EXPECT=1 writes it anew");
}

/// All codes, as the type itself describes them.
fn codes() -> Vec<Code> {
    let schema = schemars::schema_for!(Code).to_value();
    let variants = schema["oneOf"].as_array().unwrap();
    let name = |variant: &Value| serde_json::from_value(variant["const"].clone()).unwrap();
    variants.iter().map(name).collect()
}

#[test]
fn each_code_has_an_error_that_was_looked_at() {
    let tests = include_str!("errors.rs");
    let mut seen = HashSet::new();
    for file in fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(tests.contains(&format!("\"{name}\"")), "no test has {name}");
        let text = fs::read_to_string(&path).unwrap();
        let line = text.lines().find(|line| line.starts_with("{\"error\""));
        let told: Value = serde_json::from_str(line.unwrap()).unwrap();
        seen.insert(serde_json::from_value::<Code>(told["error"]["code"].clone()).unwrap());
    }
    let missing: Vec<_> = codes().into_iter().filter(|code| !seen.contains(code)).collect();
    assert!(
        codes().len() >= 18 && missing.is_empty(),
        "not looked at: {missing:?}"
    );
}

#[test]
fn errors_without_a_daemon_are_as_they_were_looked_at() {
    let empty = Scene::empty();
    expect(&empty, "usage_unknown_command", 2, &["statsu"]);
    expect(&empty, "usage_unknown_flag", 2, &["task", "list", "--colour"]);
    expect(&empty, "usage_missing", 2, &["task", "add"]);
    expect(&empty, "usage_value", 2, &["events", "--since", "yesterday"]);
    expect(
        &empty,
        "usage_condition",
        2,
        &["trigger", "next", "--cron", "61 * * * *"],
    );
    expect(&empty, "unreachable", 7, &["reload"]);
    expect(&empty, "not_found_team", 3, &["status"]);
    expect(
        &empty,
        "not_found_token",
        3,
        &["capability", "show", "nothing.token"],
    );
    empty.write("bad.token", "wn2.e30");
    expect(&empty, "forbidden_token", 4, &["capability", "show", "bad.token"]);
    empty.write("taken", "");
    expect(&empty, "failed", 1, &["man", "taken"]);
    let scene = Scene::with_team(TEAM);
    expect(&scene, "already_exists", 5, &["init"]);
    scene.write(
        "worknode.toml",
        &format!("{TEAM}\n[gate.tests]\ncommand = [\"false\"]\n"),
    );
    expect(&scene, "gate_failed", 6, &["gate", "run", "--gate", "tests"]);
    scene.write("worknode.toml", &TEAM.replace("[[agent]]", "[[agnet]]"));
    expect(&scene, "invalid_config", 2, &["check"]);
}

#[test]
fn errors_of_a_daemon_are_as_they_were_looked_at() {
    let scene = Scene::with_team(TEAM);
    scene.worknode(&["up", "-d"]).ok();
    scene.wait_for_task("one", "in_progress");
    expect(&scene, "not_found_task", 3, &["task", "show", "on-e"]);
    expect(&scene, "not_found_node", 3, &["node", "get", "wun"]);
    expect(
        &scene,
        "stale_epoch",
        5,
        &["task", "progress", "--task", "one", "--epoch", "7", "nearly"],
    );
    expect(&scene, "illegal_transition", 5, &["task", "retry", "one"]);
    scene.worknode(&["memory", "set", "operator/x", "1"]).ok();
    expect(
        &scene,
        "changed",
        5,
        &["memory", "set", "operator/x", "2", "--if-version", "7"],
    );
    expect(&scene, "usage_id", 2, &["capability", "revoke", "0123"]);
    expect(&scene, "held", 5, &["task", "claim", "one", "--as", "worker"]);
    let spawn = ["spawn", "helper", "--prompt", "Look"];
    scene.worknode(&spawn).ok();
    expect(&scene, "limit_reached", 4, &spawn);
    scene.worknode(&["panic"]).ok();
    expect(&scene, "refused", 4, &spawn);
    scene.worknode(&["down"]).ok();

    let journal = scene.file(".worknode/journal.db");
    let mut bytes = fs::read(&journal).unwrap();
    // The first hundred say that it is a journal.
    bytes[100..].fill(0x5a);
    fs::write(&journal, bytes).unwrap();
    expect(&scene, "corrupt_journal", 1, &["events"]);
}

/// Says the same to every request, at the socket of a daemon.
fn say(scene: &Scene, error: &Error) -> UnixListener {
    let problem = json!({
        "code": error.code, "detail": error.message, "hint": error.hint,
        "retry_after_ms": error.retry_after_ms,
    });
    let (status, body) = (error.code.http_status(), problem.to_string());
    let answer = format!(
        "HTTP/1.1 {status} No\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let socket = scene.file(".worknode/worknode.sock");
    fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let listener = UnixListener::bind(socket).unwrap();
    let door = listener.try_clone().unwrap();
    std::thread::spawn(move || {
        for stream in door.incoming() {
            let mut stream = stream.unwrap();
            let head = BufReader::new(stream.try_clone().unwrap()).lines();
            let head = head.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty()));
            let _ = head.count();
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    listener
}

/// What a daemon says only in distress, as its own parts say it.
#[test]
fn errors_of_a_daemon_in_distress_are_as_they_were_looked_at() {
    let full = StoreError::DiskFull {
        detail: "database or disk is full".to_owned(),
    };
    for (name, code, error) in [
        (
            "backpressure",
            1,
            Error::backpressure("the mailbox of this Worknode"),
        ),
        ("timed_out", 8, AppendError::TimedOut.into()),
        ("disk_full", 1, AppendError::Store(full).into()),
    ] {
        let scene = Scene::with_team(TEAM);
        let _door = say(&scene, &error);
        expect(&scene, name, code, &["emit", "deployed"]);
        fs::remove_file(scene.file(".worknode/worknode.sock")).unwrap();
    }
}
