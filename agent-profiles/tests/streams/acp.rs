//! Gemini CLI and OpenCode as agents of the Agent Client Protocol.

use serde_json::{Value, json};
use worknode_core::usage::Stuck;
use worknode_profiles::stream::{Action, Cause, End, Opening, Pipe, Report, Resume};

use crate::{
    scene::{BRIEF, Heard, OPENING, cost, hear_bytes, hear_lines, now, shipped, used},
    spoken::their_words,
};

/// Up to the answer to the prompt.
fn words(name: &str) -> Vec<Value> {
    their_words(name, |event| event["result"]["stopReason"].is_string())
}

fn hear(driver: &str, words: &[Value]) -> Heard {
    hear_lines(&shipped(driver), &OPENING, words, End::Signal(15))
}

#[test]
fn gemini_is_told_the_brief_and_answered_and_ended() {
    let heard = hear("gemini", &words("acp-gemini"));
    // It does not end when its stdin is closed: the supervisor ends it.
    assert!(heard.finished());
    heard.done();
    let inputs = heard.inputs();
    assert!(inputs.iter().all(|(_, message)| message["jsonrpc"] == "2.0"));
    let [initialize, session, brief, ..] = &inputs[..] else {
        panic!("{inputs:?}")
    };
    assert_eq!(initialize.1["params"]["protocolVersion"], 1);
    assert_eq!(
        initialize.1["params"]["clientCapabilities"]["fs"]["writeTextFile"],
        false
    );
    assert_eq!(session.1["method"], "session/new");
    assert_eq!(session.1["params"]["cwd"], "/home/dev/project");
    assert_eq!(brief.1["params"]["prompt"][0]["text"], BRIEF);
    // The recorded client had offered files; this one does not, and says so when it is asked.
    assert_eq!(inputs[3].0, "answer 0");
    assert_eq!(inputs[3].1["error"]["code"], -32601);
    assert_eq!(
        inputs[5].1["result"]["outcome"],
        json!({"outcome": "selected", "optionId": "proceed_once"})
    );
    assert_eq!(used(heard.conversation.usage()), [4500, 126, 0, 0, 0]);
    assert_eq!(
        heard.conversation.last_words(),
        "All done after 2 tool result(s)."
    );
    assert_eq!(heard.tools(), ["edit", "execute"]);
}

#[test]
fn a_retry_that_is_read_after_the_end_holds_nobody() {
    let mut heard = hear("gemini", &words("acp-gemini"));
    let late = b"Attempt 1 failed with status 429. Retrying with backoff... _ApiError: {}\n";
    let actions = heard.conversation.output(Pipe::Stderr, late, now());
    assert!(actions.is_empty(), "{actions:?}");
    assert_eq!(heard.conversation.stuck(), None);
}

#[test]
fn opencode_is_told_the_brief_and_tells_its_cost() {
    let heard = hear("opencode", &words("acp-opencode"));
    heard.done();
    assert_eq!(
        heard.conversation.session(),
        Some("ses_e02c7ed02ffelR1PrcmbrVCp6o")
    );
    assert_eq!(heard.tools(), ["edit", "execute"]);
    let call = Report::Tool {
        name: "execute".into(),
        summary: "touch /home/dev/project/acp2.txt".into(),
    };
    assert!(heard.reports().contains(&&call), "{:#?}", heard.reports());
    assert_eq!(used(heard.conversation.usage()), [800, 42, 700, 0, 9090]);
}

#[test]
fn a_prompt_is_cancelled_by_a_message() {
    let mut heard = hear("opencode", &words("acp-opencode")[..4]);
    let cancel = heard.conversation.cancel();
    let Some(Action::Input { bytes, .. }) = cancel.first() else {
        panic!("{cancel:?}")
    };
    let message: Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!(message["method"], "session/cancel");
    let mut said = words("acp-opencode")[..4].to_vec();
    // The last event of the recording is the answer to a prompt that was cancelled.
    let mut last = their_words("acp-opencode", |_| false).pop().unwrap();
    assert_eq!(last["result"]["stopReason"], "cancelled");
    last["id"] = json!(3);
    said.push(last);
    let heard = hear("opencode", &said);
    assert!(heard.finished());
    assert_eq!(heard.cause(), Cause::Interrupted);
}

#[test]
fn a_session_is_loaded_and_its_history_is_not_taken_for_work() {
    let opening = Opening {
        resume: Some(Resume {
            session: "ses_old",
            total: cost(9_000),
        }),
        ..OPENING
    };
    let all = words("acp-opencode");
    let mut said = vec![all[0].clone()];
    said.extend(all[2..8].iter().cloned());
    said.push(json!({"jsonrpc": "2.0", "id": 2, "result": {}}));
    let heard = hear_lines(&shipped("opencode"), &opening, &said, End::Signal(15));
    assert_eq!(heard.tools(), Vec::<&str>::new());
    let inputs = heard.inputs();
    assert_eq!(inputs[1].1["method"], "session/load");
    assert_eq!(inputs[1].1["params"]["sessionId"], "ses_old");
    assert_eq!(inputs[2].1["params"]["sessionId"], "ses_old");
    said.extend(all[2..].iter().cloned());
    let heard = hear_lines(&shipped("opencode"), &opening, &said, End::Signal(15));
    heard.done();
    assert_eq!(used(heard.conversation.usage())[4], 90);
    assert_eq!(used(heard.conversation.session_total())[4], 9_090);
}

#[test]
fn an_agent_that_cannot_load_says_so() {
    let opening = Opening {
        resume: Some(Resume {
            session: "old",
            total: cost(0),
        }),
        ..OPENING
    };
    let plain = json!({"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": 1, "agentCapabilities": {}}});
    let heard = hear_lines(&shipped("gemini"), &opening, &[plain], End::Signal(15));
    assert!(heard.finished());
    assert_eq!(heard.cause(), Cause::Session);
}

#[test]
fn failed_prompts_are_told_apart() {
    for (error, expected) in [
        (
            json!({"code": 429, "message": "Rate limited"}),
            Cause::Quota { reset_at: None },
        ),
        (
            json!({"code": -32603, "message": "Internal error", "data": {"details": "status: 529 Overloaded"}}),
            Cause::Overloaded,
        ),
        (json!({"code": -32603, "message": "Odd"}), Cause::Provider),
    ] {
        let mut said = words("acp-opencode")[..2].to_vec();
        said.push(json!({"jsonrpc": "2.0", "id": 3, "error": error}));
        let heard = hear("opencode", &said);
        assert!(heard.finished());
        assert_eq!(heard.cause(), expected, "{error}");
    }
    let login = json!({"jsonrpc": "2.0", "id": 2, "error": {"code": -32000, "message": "Log in first"}});
    let heard = hear("gemini", &[words("acp-gemini")[0].clone(), login]);
    assert_eq!(heard.cause(), Cause::Auth);
}

#[test]
fn other_reasons_to_stop_are_no_success() {
    for (reason, expected) in [
        ("max_tokens", Cause::ContextExhausted),
        ("max_turn_requests", Cause::MaxTurns),
        ("refusal", Cause::Provider),
    ] {
        let mut said = words("acp-opencode")[..2].to_vec();
        said.push(json!({"jsonrpc": "2.0", "id": 3, "result": {"stopReason": reason}}));
        assert_eq!(hear("opencode", &said).cause(), expected, "{reason}");
    }
}

#[test]
fn a_permission_without_a_way_to_give_it_is_cancelled() {
    let ask = json!({"jsonrpc": "2.0", "id": 9, "method": "session/request_permission", "params": {"options": [], "toolCall": {"title": "rm"}}});
    let heard = hear("gemini", &[ask]);
    assert_eq!(heard.inputs()[1].1["result"]["outcome"]["outcome"], "cancelled");
    let asked = Report::PermissionAsked {
        what: "rm".into(),
        granted: false,
    };
    assert!(heard.reports().contains(&&asked));
}

#[test]
fn gemini_s_retries_are_heard_here_too() {
    let err = std::fs::read(crate::scene::transcripts().join("gemini-f-429.err")).unwrap();
    let heard = hear_bytes(&shipped("gemini"), &OPENING, b"", &err, End::Signal(15));
    assert_eq!(heard.stuck(), [&Stuck::QuotaPaused { reset_at: None }]);
    // And its exit code still means what it meant.
    let heard = hear_bytes(&shipped("gemini"), &OPENING, b"", b"", End::Code(145));
    assert_eq!(heard.cause(), Cause::Auth);
    let mut conversation = heard.conversation;
    assert_eq!(conversation.output(Pipe::Stdout, b"\n\n", now()), []);
}
