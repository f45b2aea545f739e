//! The daemon is killed while a tool runs. The client goes on, and the next daemon lands its work.

use crate::{
    client::Client,
    stage::{Stage, WORK},
};

fn goes_on(client: Client) {
    let Some(stage) = Stage::set(client) else {
        return;
    };
    let go = stage.scene.file("go");
    let wait = format!(
        "touch .git/begun; while ! test -e '{}'; do sleep 0.1; done; {WORK}",
        go.display()
    );
    stage.stub.says(&[&wait]);
    let mut first = stage.run();
    stage.wait_for_mark(".git/begun");
    first.signal("KILL");
    worknode_tests::wait::wait_for("the daemon to be gone", || first.is_over());
    assert!(
        stage.scene.processes() >= 2,
        "the client goes on without a daemon"
    );

    let second = stage.run();
    stage
        .scene
        .wait_for_event("the second daemon", |event| event["type"] == "daemon_started");
    stage.scene.write("go", "");
    let done = second.wait();
    assert_eq!(done.code, Some(0), "{done:#?}\n{}", stage.logs());
    stage.landed();
    assert_eq!(
        stage.scene.count("run_started"),
        1,
        "it was taken back, not started again"
    );
    // Nothing was said twice: the model was asked once for each step.
    assert_eq!(stage.stub.served(), ["step 0", "step 1"]);
}

#[test]
fn p6_p7_claude_code_goes_on_under_the_next_daemon() {
    goes_on(Client::ClaudeCode);
}

#[test]
fn p6_p7_codex_goes_on_under_the_next_daemon() {
    goes_on(Client::Codex);
}

#[test]
fn p6_p7_gemini_goes_on_under_the_next_daemon() {
    goes_on(Client::Gemini);
}

#[test]
fn p6_p7_opencode_goes_on_under_the_next_daemon() {
    goes_on(Client::OpenCode);
}
