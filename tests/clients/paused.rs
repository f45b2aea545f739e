//! What a provider refuses for a while is waited for, and told.

use crate::{
    client::Client,
    stage::{Stage, WORK},
    stub::Fault,
};

fn kinds(stage: &Stage) -> Vec<String> {
    let events = stage.scene.events();
    let kinds = events
        .iter()
        .map(|event| event["type"].as_str().unwrap().to_owned());
    kinds.collect()
}

#[test]
fn a_quota_pauses_claude_codes_pool_and_then_it_goes_on() {
    let Some(stage) = Stage::set(Client::ClaudeCode) else {
        return;
    };
    stage.stub.says(&[WORK]);
    stage.stub.fail_next(Fault::RateLimit(1));
    let done = stage.run().wait();
    assert_eq!(done.code, Some(0), "{done:#?}\n{}", stage.logs());
    stage.landed();
    assert_eq!(stage.stub.served(), ["RateLimit(1)", "step 0", "step 1"]);
    let kinds = kinds(&stage);
    for kind in ["run_stuck", "pool_paused", "pool_resumed"] {
        assert!(kinds.iter().any(|seen| seen == kind), "no {kind} in {kinds:?}");
    }
}

#[test]
fn an_overloaded_provider_is_tried_again_by_claude_code_itself() {
    let Some(stage) = Stage::set(Client::ClaudeCode) else {
        return;
    };
    stage.stub.says(&[WORK]);
    stage.stub.fail_next(Fault::Overloaded);
    let done = stage.run().wait();
    assert_eq!(done.code, Some(0), "{done:#?}\n{}", stage.logs());
    stage.landed();
    assert!(kinds(&stage).iter().any(|kind| kind == "run_stuck"));
}

#[test]
fn a_page_in_place_of_an_answer_is_got_over() {
    for client in [Client::ClaudeCode, Client::Codex, Client::Gemini] {
        let Some(stage) = Stage::set(client) else {
            continue;
        };
        stage.stub.says(&[WORK]);
        stage.stub.fail_next(Fault::Garbage);
        let done = stage.run().wait();
        // It tries again by itself, or its run failed and the next attempt landed.
        assert_eq!(done.code, Some(0), "{done:#?}\n{}", stage.logs());
        stage.landed();
    }
}

#[test]
fn p4_a_client_whose_model_hangs_is_killed_as_any_other() {
    let Some(stage) = Stage::set(Client::ClaudeCode) else {
        return;
    };
    stage.stub.says(&[WORK]);
    stage.stub.fail_next(Fault::Hang);
    let _daemon = stage.run();
    stage.wait_until_served("Hang");
    stage.scene.worknode(&["kill", "--all"]).ok();
    stage.nobody_is_left();
    assert_eq!(stage.scene.landed(), ["seed", "team"]);
}

#[test]
fn every_client_gets_over_a_short_refusal() {
    for client in [Client::Codex, Client::Gemini, Client::OpenCode] {
        let Some(stage) = Stage::set(client) else { continue };
        stage.stub.says(&[WORK]);
        stage.stub.fail_next(Fault::RateLimit(1));
        let done = stage.run().wait();
        assert_eq!(done.code, Some(0), "{done:#?}\n{}", stage.logs());
        stage.landed();
        // The others wait without a word: Gemini tells at its end, when it is too late to wait.
        let told = kinds(&stage).iter().any(|kind| kind == "pool_paused");
        assert_eq!(told, client == Client::Codex, "{client:?}");
    }
}
