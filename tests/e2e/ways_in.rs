//! What people have already, for other programs: definitions of agents, files that git ignores and
//! workspaces need, servers.

use std::fs;

use worknode_tests::scene::Scene;

const TEAM: &str = r#"
[team]
name = "t"

[[agent]]
name = "worker"
command = ["sh", "-c", "cat .env deep/local.env > one.txt; git add one.txt && git commit -qm work"]

[[phase]]
name = "only"
[[phase.task]]
id = "one"
title = "One"
prompt = "Write one.txt"
files = ["one.txt"]
"#;

#[test]
fn agents_of_claude_code_become_profiles_that_check_accepts() {
    let scene = Scene::with_team(TEAM);
    scene
        .worknode(&["import", "claude-agents"])
        .fails(3)
        .says(&[".claude/agents"]);
    scene.write(
        ".claude/agents/reviewer.md",
        "---\nname: reviewer\ndescription: Looks at changes\ntools: Read, Grep\ncolor: red\n---\nBe kind.\n",
    );
    scene.write(
        ".claude/agents/coder.md",
        "---\nname: coder\nmodel: opus\n---\nWrite tests first.\n",
    );
    let dry = scene
        .worknode(&["import", "claude-agents", "--dry-run", "--json"])
        .ok()
        .json();
    assert_eq!(dry["profiles"].as_array().unwrap().len(), 2);
    assert!(!scene.file("agent-profiles").exists(), "only said");
    let made = scene.worknode(&["import", "claude-agents"]).ok();
    made.says(&[
        "agent-profiles/reviewer.toml (validation tier)",
        "not taken over: color (red)",
    ]);
    assert!(
        scene
            .read("agent-profiles/coder.toml")
            .contains("Write tests first.")
    );
    scene
        .worknode(&["import", "claude-agents"])
        .fails(5)
        .says(&["--force"]);
    scene.worknode(&["import", "claude-agents", "--force"]).ok();

    scene.write("AGENTS.md", "# How we work\n\nSmall commits.\n");
    scene
        .worknode(&[
            "import",
            "instructions",
            "AGENTS.md",
            "--name",
            "careful",
            "--driver",
            "codex",
        ])
        .ok();
    scene
        .worknode(&["import", "instructions", "AGENTS.md", "--name", "../out"])
        .fails(2);
    let agents = ["careful", "coder", "reviewer"]
        .map(|name| format!("\n[[agent]]\nname = \"{name}-1\"\nprofile = \"{name}\"\n"));
    scene.write("worknode.toml", &format!("{TEAM}{}", agents.concat()));
    scene.worknode(&["check"]).ok().says(&["4 agents"]);
    // One mistake, and nothing is written.
    scene.write(".claude/agents/broken.md", "---\nname: x\n");
    scene.write(".claude/agents/new.md", "New.");
    scene
        .worknode(&["import", "claude-agents", "--force"])
        .fails(2)
        .says(&["broken.md"]);
    assert!(!scene.file("agent-profiles/new.toml").exists());
}

#[test]
fn a_workspace_has_the_ignored_files_that_it_needs_and_the_servers_of_the_repository() {
    let scene = Scene::new();
    scene.write(".gitignore", ".worknode/\n*.env\n.env\n");
    scene.write(".worktreeinclude", "*.env\n.env\n!secret.env\n");
    scene.write(
        ".mcp.json",
        r#"{"mcpServers": {"files": {"command": "files", "args": ["."]}}}"#,
    );
    let scene = scene.and_team(TEAM);
    for (name, text) in [(".env", "A\n"), ("deep/local.env", "B\n"), ("secret.env", "no\n")] {
        scene.write(name, text);
    }
    scene.worknode(&["run"]).ok();
    assert_eq!(scene.git(&["show", "main:one.txt"]), "A\nB");
    assert!(!scene.file(".worknode/workspaces/worker/secret.env").exists());
    let runs = fs::read_dir(scene.file(".worknode/runs")).unwrap();
    let kept = runs
        .filter(|run| run.as_ref().unwrap().path().join("mcp.json").is_file())
        .count();
    assert_eq!(kept, 1, "as it was at the start of the run");
}

#[test]
fn p8_more_ignored_files_than_can_be_listed_stop_no_run() {
    let scene = Scene::new();
    scene.write(".gitignore", ".worknode/\n*.env\n.env\n/cache/\n");
    scene.write(".worktreeinclude", "*.env\n.env\ncache/\n");
    let scene = scene.and_team(&TEAM.replace("cat .env deep/local.env", "echo alone"));
    let long = "x".repeat(240);
    for nth in 0..4_600 {
        scene.write(&format!("cache/{nth}-{long}"), "");
    }
    scene.worknode(&["run"]).ok();
    let told = scene.events().iter().any(|event| {
        event["type"] == "notified" && event["data"]["message"].to_string().contains(".worktreeinclude")
    });
    assert!(told, "the operator hears of it");
}
