//! Hooks: early words about what the gates will say, and nothing that counts.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use worknode_tests::{
    program::{Done, binary, command},
    scene::Scene,
    wait::wait_for,
};

const TEAM: &str = r#"
[team]
name = "hooked"

[[agent]]
name = "coder"
command = ["sh", "-c", """
touch ready
while ! test -e "$SCENE/go"; do sleep 0.1; done
rm ready
echo x > outside.txt && git add . && git commit -q --no-verify -m work
"""]
pass_env = ["SCENE"]
limits = { grace = "1s" }

[[phase]]
name = "all"
[[phase.task]]
id = "work"
title = "Work"
prompt = "Write work.txt"
files = ["work.txt", "src/**"]
max_attempts = 1
"#;

fn at_work() -> Scene {
    let scene = Scene::with_team(TEAM);
    let up = command(scene.path())
        .args(["up", "-d"])
        .env("SCENE", scene.path())
        .output();
    assert!(up.unwrap().status.success());
    scene.wait_for_task("work", "in_progress");
    wait_for("the agent to begin", || {
        scene.file(".worknode/workspaces/coder/ready").exists()
    });
    scene
}

/// The program as the agent's own in its run calls it, in its clone.
fn as_agent(scene: &Scene, args: &[&str], input: &str) -> Done {
    let ps = scene.worknode(&["ps", "--json"]).ok().json();
    let run = ps[0]["run"]["id"].as_str().unwrap();
    let state = scene.file(".worknode");
    let mut command = command(&state.join("workspaces/coder"));
    command
        .current_dir(state.join("workspaces/coder"))
        .env("WORKNODE_SOCKET", state.join("worknode.sock"))
        .env("WORKNODE_TOKEN_FILE", state.join("runs").join(run).join("token"))
        .env("WORKNODE_BRIEF", state.join("runs").join(run).join("brief.md"))
        .env("WORKNODE_TASK", "work")
        .env("WORKNODE_EPOCH", "1")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

fn tool(scene: &Scene, event: &str, path: &str) -> Value {
    let cwd = scene.file(".worknode/workspaces/coder");
    json!({
        "session_id": "s",
        "cwd": cwd,
        "permission_mode": "acceptEdits",
        "hook_event_name": event,
        "tool_name": "Write",
        "tool_input": { "file_path": cwd.join(path), "content": "x" },
        "tool_use_id": "t",
    })
}

#[test]
fn an_agents_program_hears_early_what_the_gates_will_say() {
    let scene = at_work();
    let hook = |event: &Value| as_agent(&scene, &["hook"], &event.to_string()).ok().stdout;
    assert_eq!(hook(&tool(&scene, "PreToolUse", "src/new.rs")), "");
    let denied: Value = serde_json::from_str(&hook(&tool(&scene, "PreToolUse", "README.md"))).unwrap();
    let output = &denied["hookSpecificOutput"];
    assert_eq!(output["permissionDecision"], "deny");
    let reason = output["permissionDecisionReason"].as_str().unwrap();
    assert!(
        reason.contains("`work.txt`") && reason.contains("task block"),
        "{reason}"
    );

    assert_eq!(hook(&tool(&scene, "PostToolUse", "src/new.rs")), "");
    wait_for("the edit to be told", || {
        let task = scene.worknode(&["task", "show", "work", "--json"]).ok().json();
        task["progress"]["message"] == "edited src/new.rs"
    });
    let start = hook(&json!({ "hook_event_name": "SessionStart", "source": "startup" }));
    assert!(
        start.contains("additionalContext") && start.contains("Write work.txt"),
        "{start}"
    );
    let stop = hook(&json!({ "hook_event_name": "Stop", "stop_hook_active": false }));
    assert!(
        stop.contains("\"block\"") && stop.contains("worknode task submit"),
        "{stop}"
    );
    assert_eq!(
        hook(&json!({ "hook_event_name": "Stop", "stop_hook_active": true })),
        ""
    );
    assert_eq!(as_agent(&scene, &["hook"], "not json").ok().stdout, "");

    // The plan of now counts, not that of the start.
    scene
        .worknode(&["plan", "change", "work", "--file", "README.md"])
        .ok();
    assert_eq!(hook(&tool(&scene, "PreToolUse", "README.md")), "");
    assert!(hook(&tool(&scene, "PreToolUse", "src/new.rs")).contains("deny"));
    scene.worknode(&["down"]).ok();
}

#[test]
fn p3_without_its_hooks_the_same_work_is_refused_all_the_same() {
    let scene = at_work();
    let clone = scene.file(".worknode/workspaces/coder");
    as_agent(&scene, &["hooks", "install"], "").ok();
    as_agent(&scene, &["hooks", "install"], "").ok();
    let git = |args: &[&str]| {
        let ps = scene.worknode(&["ps", "--json"]).ok().json();
        let run = ps[0]["run"]["id"].as_str().unwrap().to_owned();
        let state = scene.file(".worknode");
        let path = std::env::var("PATH").unwrap();
        let own = binary().parent().unwrap().to_string_lossy().into_owned();
        Command::new("git")
            .arg("-C")
            .arg(&clone)
            .args(args)
            .env("PATH", format!("{own}:{path}"))
            .env("WORKNODE_SOCKET", state.join("worknode.sock"))
            .env("WORKNODE_TOKEN_FILE", state.join("runs").join(run).join("token"))
            .env("WORKNODE_TASK", "work")
            .output()
            .unwrap()
    };
    // With the hook the commit is refused, with the rule and what to do.
    std::fs::write(clone.join("elsewhere.txt"), "x").unwrap();
    assert!(git(&["add", "elsewhere.txt"]).status.success());
    let refused = git(&["commit", "-qm", "x"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("plan.outside"),
        "{said}"
    );
    assert!(git(&["reset", "-q"]).status.success());
    std::fs::remove_file(clone.join("elsewhere.txt")).unwrap();
    // A hook of somebody else's is left alone.
    as_agent(&scene, &["hooks", "remove"], "").ok();
    assert!(!clone.join(".git/hooks/pre-commit").exists());
    std::fs::write(clone.join(".git/hooks/pre-commit"), "#!/bin/sh\nexit 0\n").unwrap();
    as_agent(&scene, &["hooks", "install"], "").fails(4);
    as_agent(&scene, &["hooks", "install", "--force"], "").ok();

    // The agent commits past it. What counts is judged on the tree, and says no.
    scene.write("go", "");
    scene.wait_for_task("work", "failed");
    let violated = scene
        .events()
        .into_iter()
        .find(|event| event["type"] == "rule_violated")
        .unwrap();
    assert_eq!(violated["data"]["rule"], "plan.outside");
    assert_eq!(scene.landed(), ["seed", "team"]);
    scene.worknode(&["down"]).ok();
}

/// `git` as a person calls it in the scene, with the program on its path.
fn git(scene: &Scene, args: &[&str]) -> Done {
    let path = std::env::var("PATH").unwrap();
    let own = binary().parent().unwrap().to_string_lossy().into_owned();
    let mut git = Command::new("git");
    git.arg("-C").arg(scene.path()).args(args);
    git.env("PATH", format!("{own}:{path}"));
    git.env_remove("WORKNODE_TASK").output().unwrap().into()
}

#[test]
fn the_hook_of_git_says_early_what_the_quick_gates_find_and_can_be_gone_round() {
    let scene = Scene::new();
    scene.worknode(&["hooks", "install"]).ok();
    let branches: String = (1..12)
        .map(|n| format!("    if a == {n}:\n        return {n}\n"))
        .collect();
    let tangled = format!("def f(a):\n    \"\"\"Says.\"\"\"\n{branches}    return 0\n");
    scene.write("a.py", &tangled);
    scene.write("b.py", "\"\"\"B.\"\"\"\nX = 1\n");
    assert!(git(&scene, &["add", "a.py", "b.py"]).ok().stdout.is_empty());

    let refused = git(&scene, &["commit", "-qm", "both"]);
    assert_ne!(refused.code, Some(0));
    for part in ["a.py:1: ", "complexity.cyclomatic", "--no-verify"] {
        assert!(refused.stderr.contains(part), "{part}\n{}", refused.stderr);
    }
    // What does not go in is not judged, though it is staged.
    git(&scene, &["commit", "-qm", "one", "b.py"]).ok();
    git(&scene, &["commit", "-qm", "all the same", "--no-verify"]).ok();
    assert_eq!(scene.landed(), ["seed", "one", "all the same"]);
    // It goes round the hook, and round nothing else.
    scene
        .worknode(&["gate", "run", "--diff", "HEAD~1"])
        .fails(6)
        .says(&["complexity.cyclomatic"]);
}
