//! Commands that need no team: they make one, check one, or tell about the program.

use std::process::Command;

use serde_json::{Value, json};
use worknode_tests::{scene::Scene, schema::fits};

/// What `worknode doctor` says of how the program is linked.
const SHIM_MEMORY: &str = "memory of a shim";

#[test]
fn init_makes_what_check_accepts_and_never_overwrites_unasked() {
    for (template, files) in [
        ("minimal", &["worknode.toml"][..]),
        ("webapp-claude", &["worknode.toml", "plan.toml"]),
    ] {
        let scene = Scene::new();
        let made = scene
            .worknode(&["init", "--template", template, "--json"])
            .ok()
            .json();
        assert_eq!(made["wrote"], serde_json::json!(files));
        assert!(scene.read(".gitignore").contains(".worknode/"));

        scene.write("worknode.toml", "mine");
        scene
            .worknode(&["init", "--template", template])
            .fails(5)
            .says(&["worknode.toml", "--force"]);
        assert_eq!(scene.read("worknode.toml"), "mine");
        scene
            .worknode(&["init", "--template", template, "--force"])
            .ok()
            .says(&["wrote worknode.toml"]);
        assert_ne!(scene.read("worknode.toml"), "mine");
        assert_eq!(scene.read(".gitignore").matches(".worknode").count(), 1);
    }
    Scene::new().worknode(&["init", "--template", "huge"]).fails(2);
}

#[test]
fn what_init_makes_runs() {
    let scene = Scene::new();
    scene.worknode(&["init"]).ok();
    scene
        .worknode(&["check"])
        .ok()
        .says(&["minimal: 1 agent, 1 task, 0 triggers; no mistakes found"]);
    let checked = scene.worknode(&["check", "--json"]).ok().json();
    assert_eq!((&checked["ok"], &checked["tasks"]), (&true.into(), &1.into()));
    assert!(!scene.file(".worknode").exists(), "checking changes nothing");
    scene.commit("team");
    let done = scene.worknode(&["run"]).ok().says(&["1 of 1 tasks completed"]);
    assert_eq!(done.stderr, "");
    assert_eq!(scene.landed().len(), 3);
    // Doing it again does nothing again.
    let again = scene.worknode(&["run", "--json"]).ok();
    let last: Value = serde_json::from_str(again.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["summary"]["attempts"], &last["summary"]["commits_landed"]),
        (&0.into(), &0.into())
    );
    assert_eq!(scene.landed().len(), 3);
}

#[test]
fn doctor_completions_and_schemas_speak() {
    let scene = Scene::empty();
    scene
        .worknode(&["doctor"])
        .ok()
        .says(&["git", "process identity"]);
    let found = scene.worknode(&["doctor", "--json"]).ok().json();
    let findings = found.as_array().unwrap();
    // How the program is linked depends on where it was built, and has a test of its own.
    let mut needed = findings.iter().filter(|finding| finding["what"] != SHIM_MEMORY);
    assert!(needed.all(|finding| finding["ok"] == true), "{found}");
    for shell in ["bash", "zsh", "fish"] {
        let script = scene.worknode(&["completions", shell]).ok().stdout;
        assert!(script.contains("worknode") && script.contains("kill"), "{shell}");
    }
    for of in ["config", "plan", "profile"] {
        let schema = scene.worknode(&["schema", of]).ok().json();
        assert!(
            schema["$schema"].is_string() && schema["properties"].is_object(),
            "{of}: {schema}"
        );
        assert_eq!(scene.worknode(&["schema", of, "--json"]).ok().json(), schema);
    }
    scene
        .worknode(&["schema"])
        .ok()
        .says(&["plan.toml", "worknode task list --json"]);
    // What all scenes answer is looked at with it: so it must tell one thing from another.
    let tasks = scene.worknode(&["schema", "task", "list"]).ok().json();
    assert_eq!(fits(&tasks, &json!([])), Ok(()));
    for wrong in [json!({}), json!([1]), json!([{ "key": "no more" }])] {
        assert!(fits(&tasks, &wrong).is_err(), "{wrong}");
    }
    for (command, word) in [
        ("completions", "tcsh-x"),
        ("schema", "weather"),
        ("no-such-command", "x"),
    ] {
        scene.worknode(&[command, word]).fails(2);
    }
}

#[test]
fn the_program_needs_no_shared_library_where_it_was_built_with_the_static_ones() {
    let scene = Scene::empty();
    let found = scene.worknode(&["doctor", "--json"]).ok().json();
    let findings = found.as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["what"] == SHIM_MEMORY);
    let there = |file: &str| {
        let asked = Command::new("cc")
            .arg(format!("-print-file-name={file}"))
            .output();
        asked.is_ok_and(|said| said.stdout.starts_with(b"/"))
    };
    let expected = cfg!(target_env = "gnu") && there("libc.a") && there("libgcc_eh.a");
    assert_eq!(finding.unwrap()["ok"], expected, "{found}");
}

/// Every command that `--help` names has help of its own, below it too.
#[test]
fn every_command_has_help() {
    let scene = Scene::empty();
    let mut left = vec![Vec::new()];
    let mut seen = 0;
    while let Some(path) = left.pop() {
        let args: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = scene.worknode(&args).ok().stdout;
        assert!(help.contains("Usage: worknode"), "{help}");
        seen += 1;
        let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        for line in commands.take_while(|line| !line.is_empty()) {
            // A name stands at the beginning; what goes on from the line above stands deeper.
            let Some(name) = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')) else {
                continue;
            };
            let name = name.split(' ').next().unwrap().to_owned();
            if name != "help" {
                left.push([path.as_slice(), &[name]].concat());
            }
        }
    }
    assert!(seen > 30, "{seen}");
    scene.worknode(&["--version"]).ok().says(&["worknode 0."]);
}
