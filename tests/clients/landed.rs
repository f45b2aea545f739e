//! Each client does a task, and it lands.

use crate::{
    client::{Client, KEY},
    stage::{Stage, WORK},
};

/// How each asks for a permission.
const QUESTIONS: [&str; 3] = ["can_use_tool", "requestApproval", "session/request_permission"];

fn lands(client: Client) {
    let Some(stage) = Stage::set(client) else {
        return;
    };
    let outside = stage.scene.file("README.md");
    let reads = format!("cat '{}' > \"$TMPDIR/copy\" && {WORK}", outside.display());
    stage.stub.says(&[&reads]);
    let done = stage.run().wait();
    assert_eq!(done.code, Some(0), "{done:#?}\n{}", stage.logs());
    stage.landed();

    // One run did it: it ended well, and what the model said it used is in its receipt.
    let receipts = stage.receipts();
    let [receipt] = receipts.as_slice() else {
        panic!("{receipts:#?}")
    };
    let usage = &receipt["usage"];
    assert!(receipt["failure"].is_null(), "{receipt:#}");
    // Gemini takes seconds to end after its last word; on a busy machine it is helped.
    let cause = &receipt["cause"];
    assert!(cause.is_null() || cause["cause"] == "lingering", "{receipt:#}");
    for what in ["input_tokens", "output_tokens", "turns", "tool_calls"] {
        assert!(usage[what].as_u64() > Some(0), "{what}: {receipt:#}");
    }
    let events = stage.scene.events();
    let session = events.iter().find(|event| event["type"] == "run_session");
    assert!(session.is_some(), "no session was told");
    println!("{}: landed, with {usage}", client.package());

    // Without a daemon nobody would answer: what every task needs is not asked for.
    let logs = stage.logs();
    for question in QUESTIONS {
        assert!(!logs.contains(question), "{logs}");
    }
}

#[test]
fn claude_code_lands_its_task() {
    lands(Client::ClaudeCode);
}

#[test]
fn codex_lands_its_task() {
    lands(Client::Codex);
}

#[test]
fn gemini_lands_its_task() {
    lands(Client::Gemini);
}

#[test]
fn opencode_lands_its_task() {
    lands(Client::OpenCode);
}

#[test]
fn claude_code_takes_a_configuration_directory_of_its_own() {
    let Some(stage) = Stage::set(Client::ClaudeCode) else {
        return;
    };
    stage.stub.says(&[WORK]);
    let own = stage.home("elsewhere");
    let stage = stage.and("CLAUDE_CONFIG_DIR", own.clone());
    let done = stage.run().wait();
    assert_eq!(done.code, Some(0), "{done:#?}\n{}", stage.logs());
    stage.landed();
    let kept = std::fs::read_dir(own).unwrap().count();
    assert!(kept > 0, "its session is kept there");
}

#[test]
fn codex_keeps_its_key_from_its_tools() {
    let Some(stage) = Stage::set(Client::Codex) else {
        return;
    };
    let looks = format!("env > .git/seen && {WORK}");
    stage.stub.says(&[&looks]);
    let done = stage.run().wait();
    assert_eq!(done.code, Some(0), "{done:#?}\n{}", stage.logs());
    stage.landed();
    let seen = stage.scene.read(".worknode/workspaces/coder/.git/seen");
    assert!(seen.contains("WORKNODE_RUN=") && !seen.contains(KEY), "{seen}");
}
