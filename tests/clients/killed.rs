//! A client that is killed while its tool runs leaves nothing, wherever its tools went.

use worknode_tests::wait::wait_for;

use crate::{client::Client, stage::Stage};

/// One child in a session of its own, one in the background, one that is waited for.
const AWAY: &str = "touch .git/begun; setsid sleep 9871 & sleep 9872 & sleep 9873";

fn leaves_nothing(client: Client) {
    let Some(stage) = Stage::set(client) else {
        return;
    };
    stage.stub.says(&[AWAY]);
    let _daemon = stage.run();
    stage.wait_for_mark(".git/begun");
    wait_for("the client, its shell and their children", || {
        stage.scene.processes() >= 4
    });
    if client == Client::Codex {
        // What npm installs is a launcher, which would die without what it launched.
        let programs = stage.inside();
        assert!(
            !programs.iter().any(|line| line.starts_with("node ")),
            "{programs:#?}"
        );
    }
    let agents = stage.scene.worknode(&["ps", "--json"]).ok().json();
    assert_eq!(agents[0]["run"]["status"], "running", "{agents:#}");

    stage
        .scene
        .worknode(&["kill", "--all", "--reason", "enough"])
        .ok();
    stage.nobody_is_left();
    let receipts = stage.receipts();
    let [receipt] = receipts.as_slice() else {
        panic!("{receipts:#?}")
    };
    assert_eq!(receipt["survivors"], 0, "{receipt:#}");
    assert_eq!(receipt["cause"]["reason"], "enough", "{receipt:#}");
    assert_eq!(stage.scene.landed(), ["seed", "team"]);
}

#[test]
fn p4_claude_code_leaves_nothing() {
    leaves_nothing(Client::ClaudeCode);
}

#[test]
fn p4_codex_leaves_nothing() {
    leaves_nothing(Client::Codex);
}

#[test]
fn p4_gemini_leaves_nothing() {
    leaves_nothing(Client::Gemini);
}

#[test]
fn p4_opencode_leaves_nothing() {
    leaves_nothing(Client::OpenCode);
}
