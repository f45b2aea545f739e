//! Each client does a task, and it lands.

use crate::{
    client::Client,
    stage::{Stage, WORK},
};

fn lands(client: Client) {
    let Some(stage) = Stage::set(client, &[WORK]) else {
        return;
    };
    let done = stage.run().wait();
    assert_eq!(done.code, Some(0), "{done:#?}\n{}", stage.logs());
    stage.landed();

    // One run did it: it ended well, and what the model said it used is in its receipt.
    let receipts = stage.receipts();
    let [receipt] = receipts.as_slice() else {
        panic!("{receipts:#?}")
    };
    println!("{}: {receipt}", client.package());
    let usage = &receipt["usage"];
    assert!(
        receipt["failure"].is_null() && receipt["cause"].is_null(),
        "{receipt:#}"
    );
    for what in ["input_tokens", "output_tokens", "turns", "tool_calls"] {
        assert!(usage[what].as_u64() > Some(0), "{what}: {receipt:#}");
    }
    let events = stage.scene.events();
    let session = events.iter().find(|event| event["type"] == "run_session");
    assert!(session.is_some(), "no session was told");
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
