//! Claude Code, only read.

use serde_json::{Value, json};
use worknode_core::{time::Timestamp, usage::Stuck};
use worknode_profiles::stream::{Cause, End, Opening, Outcome, Phase, Pipe, Report, Resume};

use crate::scene::{OPENING, claude, cost, hear, hear_bytes, hear_lines, hear_with, now, transcripts, used};

#[test]
fn work_that_was_done_is_done() {
    let heard = hear(&claude(), "claude-subagent");
    heard.done();
    assert_eq!(heard.conversation.state(), Phase::Ended { success: true });
    assert_eq!(
        heard.conversation.last_words(),
        "All done after 1 tool result(s)."
    );
    assert_eq!(
        heard.conversation.session(),
        Some("363833e4-e9df-4151-96a3-7097eb0b2057")
    );
    assert_eq!(heard.conversation.stuck(), None);
}

#[test]
fn exit_code_0_without_a_result_is_no_success() {
    for name in ["claude-int-hang", "claude-epipe"] {
        let heard = hear(&claude(), name);
        assert_eq!(heard.end, End::Code(0));
        assert_eq!(heard.cause(), Cause::NoResult, "{name}");
    }
}

#[test]
fn exit_code_0_with_an_error_result_is_no_success() {
    let heard = hear(&claude(), "claude-int-bash");
    assert_eq!((heard.end, heard.cause()), (End::Code(0), Cause::Interrupted));
}

#[test]
fn subtype_success_of_a_request_that_failed_is_no_success() {
    let reset_at = Some(now().plus(std::time::Duration::from_millis(36_276)));
    for (name, expected) in [
        ("claude-f-429all", Cause::Quota { reset_at }),
        ("claude-f-429long", Cause::Quota { reset_at: None }),
        ("claude-f-529all", Cause::Overloaded),
        ("claude-f-garbage", Cause::Provider),
        ("claude-f-hangmax", Cause::Provider),
        ("ce-noauth", Cause::Auth),
    ] {
        let heard = hear(&claude(), name);
        assert_eq!(heard.cause(), expected, "{name}");
        // Even if the exit code had lied too.
        assert_ne!(heard.conversation.ended(End::Code(0)), Outcome::Done, "{name}");
        assert_eq!(heard.conversation.state(), Phase::Ended { success: false });
    }
}

#[test]
fn a_success_with_another_exit_code_is_none() {
    let heard = hear(&claude(), "claude-plain");
    heard.done();
    assert!(matches!(
        heard.conversation.ended(End::Code(1)),
        Outcome::Failed {
            cause: Cause::Crashed,
            ..
        }
    ));
}

#[test]
fn the_result_is_not_the_end_of_the_process() {
    // A tool in the background kept it alive until somebody killed it, a minute and a half later.
    let heard = hear(&claude(), "claude-bgtool");
    assert!(heard.finished());
    assert_eq!(heard.end, End::Signal(9));
    heard.done();
    for end in [End::Code(0), End::Code(143), End::Signal(15), End::Unknown] {
        assert_eq!(heard.conversation.ended(end), Outcome::Done);
    }
}

#[test]
fn a_signal_before_the_result_is_an_interruption() {
    let heard = hear(&claude(), "claude-term-bash");
    assert_eq!((heard.end, heard.cause()), (End::Code(143), Cause::Interrupted));
    assert!(!heard.finished());
}

#[test]
fn an_older_version_goes_on_after_term_and_says_success() {
    // TERM killed its tool and not itself. Only who sent the signal can know that.
    let heard = hear_lines(
        &claude(),
        &OPENING,
        &[
            json!({"type": "assistant", "message": {"id": "m1", "model": "claude-sonnet-5", "content":
                [{"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "sleep 311"}}]}}),
            json!({"type": "user", "message": {"content":
                [{"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": "Exit code 143"}]}}),
            json!({"type": "result", "subtype": "success", "is_error": false, "result": "done"}),
        ],
        End::Code(0),
    );
    heard.done();
    assert!(heard.reports().contains(&&Report::ToolEnded {
        name: "Bash".into(),
        ok: false
    }));
}

#[test]
fn silence_is_not_death() {
    // Six minutes without a word, and then it tries again by itself.
    let heard = hear(&claude(), "claude-f-hangdef");
    assert_eq!(heard.conversation.stuck(), None);
    assert!(!heard.finished());
    assert_eq!(heard.conversation.state(), Phase::Working);
    assert_eq!(heard.cause(), Cause::Interrupted);
}

#[test]
fn cost_is_of_this_run_although_the_program_counts_the_session() {
    let first = hear(&claude(), "claude-sess1");
    assert_eq!(used(first.conversation.usage()), [1200, 42, 5000, 300, 4070]);
    let opening = Opening {
        resume: Some(Resume {
            session: "11111111-2222-4333-8444-555555555555",
            total: first.conversation.session_total(),
        }),
        ..OPENING
    };
    let second = hear_with(&claude(), &opening, "claude-resume");
    assert_eq!(used(second.conversation.usage()), [1200, 42, 5000, 300, 4070]);
    assert_eq!(
        used(second.conversation.session_total()),
        [2400, 84, 10_000, 600, 8140]
    );
}

#[test]
fn older_versions_tell_only_the_cost_of_the_session() {
    let result = json!({"type": "result", "subtype": "success", "is_error": false, "result": "", "total_cost_usd": 0.01221,
        "usage": {"input_tokens": 1200, "output_tokens": 42}});
    for (before, expected) in [(8140, 4070), (0, 12_210), (20_000, 0)] {
        let opening = Opening {
            resume: Some(Resume {
                session: "s",
                total: cost(before),
            }),
            ..OPENING
        };
        let heard = hear_lines(&claude(), &opening, std::slice::from_ref(&result), End::Code(0));
        assert_eq!(used(heard.conversation.usage()), [1200, 42, 0, 0, expected]);
    }
}

#[test]
fn usage_of_one_message_is_counted_once() {
    // Each message comes in two lines here, and it was killed before any result.
    let heard = hear(&claude(), "claude-term-bash");
    let usage = heard.conversation.usage();
    assert_eq!(used(usage), [1200, 1, 5000, 300, 0]);
    assert_eq!((usage.turns, usage.tool_calls), (1, 1));
}

#[test]
fn what_subagents_used_counts() {
    let usage = hear(&claude(), "claude-subagent").conversation.usage();
    assert_eq!(used(usage), [3600, 126, 15_000, 900, 12_210]);
    assert_eq!(
        usage.turns, 2,
        "of the subagent's own answers nothing comes but its report"
    );
}

#[test]
fn usage_is_reported_as_a_total_that_never_shrinks() {
    let heard = hear(&claude(), "claude-permdenied");
    let told = heard.reports().into_iter().filter_map(|report| match report {
        Report::Usage(usage) => Some(usage.tokens()),
        _ => None,
    });
    let told: Vec<u64> = told.collect();
    assert!(told.len() > 2 && told.is_sorted(), "{told:?}");
}

#[test]
fn a_check_in_front_of_a_tool_that_does_not_answer_is_told() {
    let heard = hear(&claude(), "ce-stophook");
    let unchecked = Report::Unchecked {
        what: "PreToolUse of Bash".into(),
    };
    assert!(heard.reports().contains(&&unchecked), "{:#?}", heard.reports());
    // With `onFailure: block` it is refused instead.
    let blocked = hear(&claude(), "ce-hookfail");
    assert!(
        !blocked
            .reports()
            .iter()
            .any(|report| matches!(report, Report::Unchecked { .. }))
    );
}

#[test]
fn limits_of_its_own_are_told_apart() {
    assert_eq!(hear(&claude(), "claude-maxturns").cause(), Cause::MaxTurns);
    assert_eq!(hear(&claude(), "claude-budget").cause(), Cause::Budget);
    let long = json!({"type": "result", "subtype": "success", "is_error": true, "terminal_reason": "prompt_too_long",
        "api_error_status": 400, "result": "Prompt is too long"});
    let heard = hear_lines(&claude(), &OPENING, &[long], End::Code(1));
    assert_eq!(heard.cause(), Cause::ContextExhausted);
    assert_eq!(heard.stuck(), [&Stuck::ContextExhausted]);
}

#[test]
fn a_session_that_is_not_there_or_in_use_is_told_apart_from_a_crash() {
    assert_eq!(hear(&claude(), "claude-resume-bad").cause(), Cause::Session);
    // It says so on stderr only.
    assert_eq!(hear(&claude(), "claude-sess2").cause(), Cause::Session);
}

#[test]
fn a_refusal_to_start_is_told_with_its_words() {
    let (cause, reason) = hear(&claude(), "ce-scrub").failed();
    assert_eq!(cause, Cause::Input);
    assert!(reason.contains("bubblewrap is required"), "{reason}");
}

#[test]
fn permissions_that_were_denied_are_told_and_are_no_failure() {
    let heard = hear(&claude(), "claude-dontask");
    heard.done();
    assert_eq!(heard.denied(), ["Write"]);
}

#[test]
fn a_quota_is_known_with_its_reset_while_it_tries_again() {
    let heard = hear(&claude(), "claude-f-429all");
    assert_eq!(heard.retries(), [Some(429); 10]);
    let first = Stuck::QuotaPaused {
        reset_at: Some(now().plus(std::time::Duration::from_millis(2219))),
    };
    assert_eq!(heard.stuck()[0], &first);
}

#[test]
fn refused_credentials_are_known_while_it_tries_again() {
    let heard = hear(&claude(), "claude-f-401");
    assert_eq!(heard.retries(), [Some(401); 7]);
    assert!(matches!(heard.stuck()[..], [Stuck::Unauthenticated { .. }]));
    assert_eq!(heard.cause(), Cause::Interrupted);
}

#[test]
fn an_overload_is_known_and_over_when_it_gets_somewhere() {
    let retry = json!({"type": "system", "subtype": "api_retry", "attempt": 1, "error_status": 529, "error": "overloaded"});
    let answer =
        json!({"type": "assistant", "message": {"id": "m", "content": [{"type": "text", "text": "Hello."}]}});
    let heard = hear_lines(&claude(), &OPENING, &[retry, answer], End::Signal(9));
    assert_eq!(heard.stuck(), [&Stuck::Overloaded]);
    assert!(heard.reports().contains(&&Report::Unstuck));
    assert_eq!(heard.conversation.stuck(), None);
}

#[test]
fn an_account_without_anything_left_says_until_when() {
    let limits = json!({"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "resetsAt": 1_795_284_000}});
    let failed =
        json!({"type": "result", "subtype": "success", "is_error": true, "result": "You've hit your limit"});
    let heard = hear_lines(&claude(), &OPENING, &[limits, failed], End::Code(1));
    let reset_at: Option<Timestamp> = Some("2026-11-21T18:00:00Z".parse().unwrap());
    assert_eq!(heard.stuck()[0], &Stuck::QuotaPaused { reset_at });
    assert_eq!(heard.cause(), Cause::Quota { reset_at });
}

#[test]
fn success_in_the_middle_of_a_call_is_work_left_undone() {
    let call = json!({"type": "assistant", "message": {"id": "m", "content":
        [{"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "make"}}]}});
    let result = json!({"type": "result", "subtype": "success", "is_error": false, "result": "done"});
    let heard = hear_lines(&claude(), &OPENING, &[call.clone(), result.clone()], End::Code(0));
    assert_eq!(heard.cause(), Cause::WorkLeftUndone);
    // In the background it may go on.
    let started =
        json!({"type": "system", "subtype": "task_started", "tool_use_id": "t", "is_backgrounded": true});
    hear_lines(&claude(), &OPENING, &[call, started, result], End::Code(0)).done();
}

fn calls(commands: impl IntoIterator<Item = String>) -> Vec<Value> {
    let one = |(at, command): (usize, String)| {
        json!({"type": "assistant", "message": {"id": format!("m{at}"), "content":
            [{"type": "tool_use", "id": format!("t{at}"), "name": "Bash", "input": {"command": command}}]}})
    };
    commands.into_iter().enumerate().map(one).collect()
}

#[test]
fn the_same_call_again_and_again_is_a_loop_and_a_new_one_ends_it() {
    let looping = calls((0..40).map(|n| ["ls", "cat x"][n % 2].to_owned()));
    let heard = hear_lines(&claude(), &OPENING, &looping, End::Signal(9));
    assert!(matches!(heard.stuck()[..], [Stuck::Looping { .. }]));
    let over = calls((0..42).map(|n| {
        if n < 40 {
            "ls".to_owned()
        } else {
            format!("new {n}")
        }
    }));
    let heard = hear_lines(&claude(), &OPENING, &over, End::Signal(9));
    assert_eq!(heard.conversation.stuck(), None);
    // The tests after every change are work.
    let work = calls((0..60).map(|n| {
        if n % 2 == 0 {
            "make test".to_owned()
        } else {
            format!("edit {n}")
        }
    }));
    assert_eq!(
        hear_lines(&claude(), &OPENING, &work, End::Signal(9)).stuck(),
        Vec::<&Stuck>::new()
    );
}

#[test]
fn an_end_for_another_reason_is_no_success_without_an_error_flag_either() {
    let result = json!({"type": "result", "subtype": "success", "is_error": false, "result": "", "terminal_reason": "hook_stopped"});
    assert_eq!(
        hear_lines(&claude(), &OPENING, &[result], End::Code(0)).cause(),
        Cause::Provider
    );
}

#[test]
fn p8_what_was_in_a_line_too_long_to_read_is_not_held_against_it() {
    let call = json!({"type": "assistant", "message": {"id": "m", "content":
        [{"type": "tool_use", "id": "t", "name": "Read", "input": {"file_path": "huge"}}]}});
    let content = "x".repeat(worknode_profiles::stream::LINE);
    let ended = json!({"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": "t", "content": content}]}});
    let result = json!({"type": "result", "subtype": "success", "is_error": false, "result": "done"});
    let heard = hear_lines(&claude(), &OPENING, &[call, ended, result], End::Code(0));
    assert!(
        heard
            .reports()
            .iter()
            .any(|report| matches!(report, Report::Garbage { lines: 1, .. }))
    );
    heard.done();
}

#[test]
fn garbage_between_events_is_counted_and_read_over() {
    let out = std::fs::read(transcripts().join("claude-plain.out")).unwrap();
    let mut bytes = b"npm warn\n\xff\xfe\n[1,2]\n\n".to_vec();
    bytes.extend(&out);
    let heard = hear_bytes(&claude(), &OPENING, &bytes, b"", End::Code(0));
    heard.done();
    let garbage = heard
        .reports()
        .into_iter()
        .filter(|report| matches!(report, Report::Garbage { .. }));
    assert_eq!(garbage.count(), 2, "at the first line, and at the second");
}

#[test]
fn a_result_without_its_newline_counts() {
    let mut out = std::fs::read(transcripts().join("claude-plain.out")).unwrap();
    while out.last() == Some(&b'\n') {
        out.pop();
    }
    let heard = hear_bytes(&claude(), &OPENING, &out, b"", End::Code(0));
    assert_eq!(heard.conversation.state(), Phase::Working);
    heard.done();
}

#[test]
fn p8_texts_in_reports_are_bounded() {
    let long = "é".repeat(100_000);
    let mut conversation = hear_lines(
        &claude(),
        &OPENING,
        &[json!({"type": "assistant", "message": {"id": "m", "content": [{"type": "text", "text": long}]}})],
        End::Code(0),
    );
    let said = conversation
        .reports()
        .into_iter()
        .find_map(|report| match report {
            Report::Said { text } => Some(text.len()),
            _ => None,
        });
    assert!(said.is_some_and(|said| said <= worknode_profiles::stream::TEXT + 4));
    let endless = vec![b'x'; worknode_profiles::stream::LINE + 1];
    assert_eq!(
        conversation.conversation.output(Pipe::Stdout, &endless, now()),
        []
    );
}
