//! Gemini CLI, only read.

use worknode_core::usage::Stuck;
use worknode_profiles::stream::{Cause, End, Outcome, Report};

use crate::scene::{OPENING, gemini, hear, hear_bytes, transcripts, used};

#[test]
fn work_that_was_done_is_done() {
    let heard = hear(&gemini(), "gemini-write");
    heard.done();
    assert_eq!(heard.tools(), ["write_file", "run_shell_command"]);
    assert_eq!(used(heard.conversation.usage()), [2400, 126, 2100, 0, 0]);
    let said = Report::Said {
        text: "All done after 2 tool result(s).".into(),
    };
    assert!(
        heard.reports().contains(&&said),
        "what comes in pieces is told once"
    );
}

#[test]
fn exit_code_0_after_term_is_no_success() {
    let heard = hear(&gemini(), "gemini-TERM-nr");
    assert_eq!((heard.end, heard.cause()), (End::Code(0), Cause::NoResult));
}

#[test]
fn exit_code_0_with_status_error_is_no_success() {
    // A stream that is cut ends like this, with exit code 0.
    let heard = hear(&gemini(), "gemini-f-garbage");
    assert!(matches!(
        heard.conversation.ended(End::Code(0)),
        Outcome::Failed {
            cause: Cause::Provider,
            ..
        }
    ));
}

#[test]
fn exit_codes_are_statuses_without_what_is_beyond_255() {
    for (name, code, expected) in [
        ("gemini-f-401", 145, Cause::Auth),
        ("gemini-f-500", 244, Cause::Overloaded),
        ("gemini-f-529", 17, Cause::Overloaded),
    ] {
        let heard = hear(&gemini(), name);
        assert_eq!((heard.end, heard.cause()), (End::Code(code), expected), "{name}");
        // The code says it where the stream does not.
        let silent = hear_bytes(&gemini(), &OPENING, b"", b"", End::Code(code));
        assert_eq!(silent.cause(), expected, "{name}");
    }
    let quota = hear_bytes(&gemini(), &OPENING, b"", b"", End::Code(173));
    assert_eq!(quota.cause(), Cause::Quota { reset_at: None });
    for code in [137, 143] {
        let ended = hear_bytes(&gemini(), &OPENING, b"", b"", End::Code(code));
        assert_eq!(ended.cause(), Cause::Interrupted, "{code} is a signal");
    }
}

#[test]
fn exit_codes_of_its_own_mean_something() {
    assert_eq!(hear(&gemini(), "gemini-s1b").cause(), Cause::Session);
    let input = hear_bytes(&gemini(), &OPENING, b"", b"No input provided\n", End::Code(42));
    assert_eq!(input.cause(), Cause::Input);
    assert_eq!(hear(&gemini(), "gemini-hooks").cause(), Cause::MaxTurns);
    let turns = hear_bytes(&gemini(), &OPENING, b"", b"", End::Code(53));
    assert_eq!(turns.cause(), Cause::MaxTurns);
}

#[test]
fn a_quota_is_told_on_stderr_only() {
    let heard = hear(&gemini(), "gemini-f-429");
    assert_eq!(heard.stuck(), [&Stuck::QuotaPaused { reset_at: None }]);
    assert!(heard.retries().len() > 3 && heard.retries().iter().all(|status| *status == Some(429)));
    assert!(!heard.finished(), "it was still trying after 200 s");
}

#[test]
fn silence_on_stdout_is_not_death() {
    let heard = hear(&gemini(), "gemini-f-hang");
    assert!(heard.retries().contains(&None));
    assert_eq!(heard.conversation.stuck(), None);
}

#[test]
fn a_refused_tool_is_told() {
    let heard = hear(&gemini(), "gemini-hooks");
    assert_eq!(heard.denied(), ["Tool execution blocked: supervisor says no"]);
}

#[test]
fn its_other_format_is_garbage() {
    let heard = hear(&gemini(), "gemini-json");
    assert_eq!(heard.cause(), Cause::NoResult);
    let told = heard
        .reports()
        .into_iter()
        .filter(|report| matches!(report, Report::Garbage { .. }));
    assert!(
        (1..10).contains(&told.count()),
        "told, and not once for each line"
    );
}

#[test]
fn a_reset_time_in_a_retry_is_read() {
    let err = b"Attempt 1 failed with status 429. Retrying with backoff... _ApiError: {\"details\":[{\"retryDelay\":\"34s\"}]}\n";
    let heard = hear_bytes(&gemini(), &OPENING, b"", err, End::Signal(9));
    let reset_at = Some("2026-11-21T12:00:34Z".parse().unwrap());
    assert_eq!(heard.stuck(), [&Stuck::QuotaPaused { reset_at }]);
}

#[test]
fn every_recording_is_read_to_its_last_line() {
    for name in ["gemini-write", "gemini-hooks", "gemini-f-401"] {
        let out = std::fs::read_to_string(transcripts().join(format!("{name}.out"))).unwrap();
        assert!(out.lines().count() > 2);
        assert!(hear(&gemini(), name).finished(), "{name}");
    }
}
