//! Claude Code and Codex, spoken to: recordings of both directions.

use serde_json::{Value, json};
use worknode_core::usage::{Stuck, Usage};
use worknode_profiles::{
    Driver, McpServer,
    stream::{Action, Cause, End, Opening, Outcome, Phase, Report, Resume},
};

use crate::scene::{BRIEF, Heard, OPENING, cost, hear_bytes, hear_lines, shipped, transcripts, used};

/// What the program said in the recording `name`, up to the first event that `last` knows.
pub(crate) fn their_words(name: &str, last: impl Fn(&Value) -> bool) -> Vec<Value> {
    let text = std::fs::read_to_string(transcripts().join(format!("{name}.jsonl"))).unwrap();
    let mut said: Vec<Value> = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("<< ")) {
        said.push(serde_json::from_str(line).unwrap());
        if said.last().is_some_and(&last) {
            break;
        }
    }
    said
}

fn claude_words() -> Vec<Value> {
    let mut words = their_words("claude-stream-json-bidi", |event| event["type"] == "result");
    // Whoever recorded it numbered their requests otherwise.
    words[0]["response"]["request_id"] = json!("initialize");
    words
}

fn ids(heard: &Heard) -> Vec<String> {
    heard.inputs().iter().map(|(id, _)| (*id).to_owned()).collect()
}

#[test]
fn claude_is_told_the_brief_and_answered_and_dismissed() {
    let heard = hear_lines(&shipped("claude-code"), &OPENING, &claude_words(), End::Code(0));
    heard.done();
    let inputs = heard.inputs();
    assert_eq!(inputs[0].1["request"]["subtype"], "initialize");
    assert_eq!(inputs[1].0, "brief");
    assert_eq!(inputs[1].1["message"]["content"][0]["text"], BRIEF);
    let answer = &inputs[2].1["response"];
    assert_eq!(answer["request_id"], "d46b9d45-e584-4d6f-a5a9-3e78c53ba3bc");
    assert_eq!(answer["response"]["behavior"], "allow");
    assert_eq!(
        answer["response"]["updatedInput"]["file_path"],
        "/home/dev/project/p1.txt"
    );
    assert_eq!(inputs.len(), 4, "two permissions were asked");
    let end = &heard.actions[heard.actions.len() - 2..];
    assert_eq!(end, [Action::CloseInput, Action::Finished]);
    assert_eq!(used(heard.conversation.usage()), [3600, 126, 15_000, 900, 12_210]);
}

#[test]
fn claude_is_refused_what_only_a_person_could_answer() {
    let ask = json!({"type": "control_request", "request_id": "q", "request":
        {"subtype": "can_use_tool", "tool_name": "AskUserQuestion", "input": {}}});
    let other =
        json!({"type": "control_request", "request_id": "h", "request": {"subtype": "hook_callback"}});
    let heard = hear_lines(&shipped("claude-code"), &OPENING, &[ask, other], End::Code(0));
    let inputs = heard.inputs();
    assert_eq!(inputs[1].1["response"]["response"]["behavior"], "deny");
    assert_eq!(inputs[2].1["response"]["subtype"], "error");
    let asked = Report::PermissionAsked {
        what: "AskUserQuestion".into(),
        granted: false,
    };
    assert!(heard.reports().contains(&&asked));
}

#[test]
fn claude_is_interrupted_by_a_message_and_still_tells_what_it_used() {
    let mut words = claude_words();
    let result = words.pop().unwrap();
    let mut heard = hear_lines(&shipped("claude-code"), &OPENING, &words, End::Code(0));
    let cancel = heard.conversation.cancel();
    assert!(matches!(&cancel[..], [Action::Input { id, .. }] if id == "cancel"));
    assert_eq!(heard.conversation.cancel(), [], "once");
    let mut aborted = result;
    aborted["is_error"] = json!(true);
    aborted["subtype"] = json!("error_during_execution");
    aborted["terminal_reason"] = json!("aborted_tools");
    let line = format!("{aborted}\n");
    let actions = heard.conversation.output(
        worknode_profiles::stream::Pipe::Stdout,
        line.as_bytes(),
        crate::scene::now(),
    );
    assert!(actions.contains(&Action::Finished));
    assert_eq!(heard.cause(), Cause::Interrupted);
    assert_eq!(used(heard.conversation.usage())[4], 12_210);
}

#[test]
fn a_long_brief_stays_in_its_file() {
    let long = "x".repeat(worknode_profiles::stream::BRIEF + 1);
    let opening = Opening {
        brief: &long,
        ..OPENING
    };
    let heard = hear_lines(
        &shipped("claude-code"),
        &opening,
        &claude_words()[..1],
        End::Code(0),
    );
    let text = heard.inputs()[1].1["message"]["content"][0]["text"].clone();
    assert_eq!(
        text,
        "Read your brief in the file `/runs/1/brief.md` and do what it says."
    );
}

fn codex_words() -> Vec<Value> {
    their_words("codex-app-server", |event| event["method"] == "turn/completed")
}

fn codex(words: &[Value]) -> Heard {
    hear_lines(&shipped("codex"), &OPENING, words, End::Code(0))
}

#[test]
fn codex_is_told_the_brief_and_answered_and_dismissed() {
    let heard = codex(&codex_words());
    heard.done();
    assert_eq!(
        ids(&heard),
        ["initialize", "initialized", "thread", "brief", "answer 0"]
    );
    let inputs = heard.inputs();
    let thread = &inputs[2].1;
    assert_eq!(thread["method"], "thread/start");
    assert_eq!(thread["params"]["approvalPolicy"], "never");
    assert_eq!(thread["params"]["model"], "sonnet");
    assert_eq!(inputs[3].1["params"]["input"][0]["text"], BRIEF);
    assert_eq!(
        inputs[3].1["params"]["threadId"],
        "01a1fd18-0e12-7db0-b242-36da044c5d7e"
    );
    assert_eq!(inputs[4].1, json!({"id": 0, "result": {"decision": "accept"}}));
    assert!(inputs.iter().all(|(_, message)| message.get("jsonrpc").is_none()));
    assert!(heard.finished());
    let usage = heard.conversation.usage();
    assert_eq!(used(usage), [1600, 84, 1400, 0, 0]);
    assert_eq!((usage.turns, usage.tool_calls), (2, 1));
    assert_eq!(
        heard.conversation.last_words(),
        "All done after 1 tool result(s)."
    );
}

#[test]
fn codex_goes_on_with_a_thread_and_counts_from_there() {
    let before = Usage {
        input_tokens: 800,
        output_tokens: 42,
        cache_read_tokens: 700,
        ..Usage::default()
    };
    // When nobody knows what was before, the first count tells: its last answer is the first here.
    for total in [before, Usage::default()] {
        let mut words = codex_words();
        for word in &mut words {
            if word["method"] == "thread/tokenUsage/updated" {
                for (key, more) in [
                    ("inputTokens", 1500),
                    ("cachedInputTokens", 700),
                    ("outputTokens", 42),
                ] {
                    let count = &mut word["params"]["tokenUsage"]["total"][key];
                    *count = json!(count.as_u64().unwrap() + more);
                }
            }
        }
        let session = "01a1fd18-0e12-7db0-b242-36da044c5d7e";
        let opening = Opening {
            resume: Some(Resume { session, total }),
            ..OPENING
        };
        let heard = hear_lines(&shipped("codex"), &opening, &words, End::Code(0));
        let open = &heard.inputs()[2].1;
        assert_eq!(
            (&open["method"], &open["params"]["threadId"]),
            (&json!("thread/resume"), &json!(session))
        );
        assert_eq!(used(heard.conversation.usage()), [1600, 84, 1400, 0, 0]);
    }
}

#[test]
fn codex_is_interrupted_by_a_message() {
    let mut heard = codex(&codex_words()[..20]);
    let cancel = heard.conversation.cancel();
    let Some(Action::Input { id, bytes }) = cancel.first() else {
        panic!("{cancel:?}")
    };
    let message: Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!(
        (id.as_str(), &message["method"]),
        ("cancel", &json!("turn/interrupt"))
    );
    assert_eq!(
        message["params"]["turnId"],
        "01a1fd18-0e36-7e31-878f-619589a15f72"
    );
    let over = json!({"method": "turn/completed", "params":
        {"threadId": "01a1fd18-0e12-7db0-b242-36da044c5d7e", "turn": {"status": "interrupted"}}});
    let mut words = codex_words()[..20].to_vec();
    words.push(over);
    let heard = codex(&words);
    assert_eq!(heard.cause(), Cause::Interrupted);
    assert!(heard.finished());
}

fn codex_failure(events: &[Value]) -> Heard {
    let mut words = codex_words()[..10].to_vec();
    words.extend_from_slice(events);
    codex(&words)
}

fn turn_failed(message: &str, kind: Value) -> Value {
    let turn = json!({"status": "failed", "error": {"message": message, "codexErrorInfo": kind}});
    json!({"method": "turn/completed", "params": {"turn": turn}})
}

#[test]
fn codex_failures_are_told_apart() {
    let limits = json!({"method": "account/rateLimits/updated", "params": {"rateLimits":
        {"primary": {"usedPercent": 100.0, "resetsAt": 1_795_284_000}, "secondary": {"usedPercent": 12, "resetsAt": 1_795_999_999}}}});
    let reset_at = Some("2026-11-21T18:00:00Z".parse().unwrap());
    let heard = codex_failure(&[
        limits,
        turn_failed("You've hit your usage limit.", json!("usageLimitExceeded")),
    ]);
    assert_eq!(heard.cause(), Cause::Quota { reset_at });
    assert_eq!(heard.stuck(), [&Stuck::QuotaPaused { reset_at }]);
    // Nothing is given before the last of the windows that are full has ended.
    let both = json!({"method": "account/rateLimits/updated", "params": {"rateLimits":
        {"primary": {"usedPercent": 100, "resetsAt": 1_795_284_000}, "secondary": {"usedPercent": 100, "resetsAt": 1_795_370_400}}}});
    let failed = turn_failed("You've hit your usage limit.", json!("usageLimitExceeded"));
    let reset_at = Some("2026-11-22T18:00:00Z".parse().unwrap());
    assert_eq!(codex_failure(&[both, failed]).cause(), Cause::Quota { reset_at });
    for (message, kind, expected) in [
        (
            "Too long.",
            json!("contextWindowExceeded"),
            Cause::ContextExhausted,
        ),
        (
            "Went away.",
            json!({"responseStreamDisconnected": {"httpStatusCode": 529}}),
            Cause::Overloaded,
        ),
        ("No.", json!("unauthorized"), Cause::Auth),
        ("Odd.", json!("other"), Cause::Provider),
    ] {
        assert_eq!(
            codex_failure(&[turn_failed(message, kind)]).cause(),
            expected,
            "{message}"
        );
    }
    let retry = json!({"method": "error", "params": {"willRetry": true, "error":
        {"message": "Reconnecting... 2/5", "codexErrorInfo": {"httpConnectionFailed": {"httpStatusCode": 429}}}}});
    assert_eq!(codex_failure(&[retry]).retries(), [Some(429)]);
}

#[test]
fn codex_subagents_do_not_end_the_conversation() {
    let other = json!({"method": "turn/completed", "params": {"threadId": "another", "turn": {"status": "completed"}}});
    assert!(!codex_failure(&[other]).finished());
}

#[test]
fn a_thread_that_is_not_there_ends_the_conversation() {
    let error = json!({"id": 2, "error": {"code": -32600, "message": "no rollout found for thread id x"}});
    let opening = Opening {
        resume: Some(Resume {
            session: "x",
            total: cost(0),
        }),
        ..OPENING
    };
    let words = [codex_words()[0].clone(), error];
    let heard = hear_lines(&shipped("codex"), &opening, &words, End::Signal(15));
    assert!(heard.finished());
    assert_eq!(heard.cause(), Cause::Session);
}

#[test]
fn a_question_for_a_person_is_refused_and_known() {
    let ask = json!({"id": 7, "method": "item/tool/requestUserInput", "params": {}});
    let waits = json!({"method": "thread/status/changed", "params": {"status": {"activeFlags": ["waitingOnUserInput"]}}});
    let heard = codex_failure(&[waits, ask]);
    assert!(matches!(heard.stuck()[..], [Stuck::PermissionPrompt { .. }]));
    let inputs = heard.inputs();
    assert_eq!(inputs.last().unwrap().1["error"]["code"], -32601);
}

#[test]
fn programs_that_nobody_reads_are_judged_by_their_exit_code() {
    let command = shipped("command");
    let run = |out: &[u8], err: &[u8], end| hear_bytes(&command, &OPENING, out, err, end);
    run(
        b"{\"type\":\"result\",\"is_error\":true}\nbye\n",
        b"",
        End::Code(0),
    )
    .done();
    assert_eq!(run(b"bye\n", b"", End::Code(0)).conversation.last_words(), "bye");
    let (cause, reason) = run(b"", b"no such thing\n", End::Code(3)).failed();
    assert_eq!(
        (cause, reason.as_str()),
        (Cause::Crashed, "it ended with exit code 3: no such thing")
    );
    assert_eq!(run(b"", b"", End::Signal(9)).cause(), Cause::Interrupted);
    assert_eq!(run(b"", b"", End::Unknown).cause(), Cause::Crashed);
    assert_eq!(run(b"", b"", End::Code(0)).conversation.state(), Phase::Opening);
    assert_eq!(run(b"", b"", End::Code(0)).outcome(), Outcome::Done);
}

#[test]
fn mcp_servers_are_named_where_the_protocol_opens_a_session() {
    let servers = [McpServer {
        name: "worknode".into(),
        command: "/bin/worknode".into(),
        args: vec!["mcp".into()],
        env: [("A".to_owned(), "1".to_owned())].into(),
    }];
    let opening = Opening {
        mcp: &servers,
        ..OPENING
    };
    let driver: Driver = shipped("gemini");
    let words = their_words("acp-gemini", |_| true);
    let heard = hear_lines(&driver, &opening, &words, End::Code(0));
    let expected = json!([{"name": "worknode", "command": "/bin/worknode", "args": ["mcp"], "env": [{"name": "A", "value": "1"}]}]);
    assert_eq!(heard.inputs()[1].1["params"]["mcpServers"], expected);
}
