//! What is said when something cannot be done: one of each code that people meet, as it was looked at.

use std::{fs, path::PathBuf};

use worknode_tests::scene::Scene;

const TEAM: &str = r#"
[team]
name = "t"

[[agent]]
name = "worker"
command = ["sh", "-c", "while :; do sleep 1; done"]
limits = { grace = "1s" }

[[phase]]
name = "only"
[[phase.task]]
id = "one"
title = "One"
prompt = "Write one.txt"
files = ["one.txt"]
"#;

/// Compares with the file of that name, for people and for programs.
#[track_caller]
fn expect(scene: &Scene, name: &str, code: i32, args: &[&str]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/e2e/errors/{name}.txt"));
    let plain = |text: &str| {
        let there = scene.path().canonicalize().unwrap();
        text.replace(&*there.to_string_lossy(), "DIR")
            .replace(&*scene.path().to_string_lossy(), "DIR")
    };
    let text = scene.worknode(args).fails(code);
    let json = scene.worknode(&[args, &["--json"]].concat()).fails(code);
    assert_eq!(
        (text.stdout.as_str(), json.stdout.as_str()),
        ("", ""),
        "errors go to standard error"
    );
    let told: serde_json::Value =
        serde_json::from_str(&json.stderr).unwrap_or_else(|error| panic!("{error}: {json:#?}"));
    assert!(told["error"]["code"].is_string(), "{told}");
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
    let scene = Scene::with_team(TEAM);
    expect(&scene, "already_exists", 5, &["init"]);
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
    scene.worknode(&["down"]).ok();
}
