//! Codex, only read.

use worknode_core::usage::Stuck;
use worknode_profiles::stream::{Cause, End, Opening, Outcome, Report, Resume};

use crate::scene::{OPENING, codex, hear, hear_with, used};

#[test]
fn work_that_was_done_is_done() {
    let heard = hear(&codex(), "codex-write");
    heard.done();
    assert_eq!(heard.tools(), ["command", "command"]);
    assert_eq!(used(heard.conversation.usage()), [2400, 126, 2100, 0, 0]);
    assert_eq!(
        heard.conversation.last_words(),
        "All done after 2 tool result(s)."
    );
    assert!(heard.finished());
    assert_eq!(hear(&codex(), "codex-mcp").tools(), ["sup.claim_task"]);
}

#[test]
fn usage_is_of_this_run_although_the_program_counts_the_session() {
    let total = |input, cached, output| worknode_core::usage::Usage {
        input_tokens: input,
        cache_read_tokens: cached,
        output_tokens: output,
        ..Default::default()
    };
    let alone = hear(&codex(), "codex-resume").conversation.session_total();
    let opening = Opening {
        resume: Some(Resume {
            session: "x",
            total: total(
                alone.input_tokens - 800,
                alone.cache_read_tokens - 700,
                alone.output_tokens - 42,
            ),
        }),
        ..OPENING
    };
    let heard = hear_with(&codex(), &opening, "codex-resume");
    heard.done();
    assert_eq!(used(heard.conversation.usage()), [800, 42, 700, 0, 0]);
    assert_eq!(heard.conversation.session_total(), alone);
}

#[test]
fn failed_requests_are_told_apart() {
    for (name, expected) in [
        ("codex-f-429", Cause::Quota { reset_at: None }),
        ("codex-f-529", Cause::Overloaded),
        ("codex-f-500", Cause::Overloaded),
        ("codex-f-401", Cause::Auth),
        ("codex-f-garbage", Cause::Provider),
    ] {
        let heard = hear(&codex(), name);
        assert_eq!(heard.cause(), expected, "{name}");
        assert_eq!(heard.retries().len(), 5, "{name}");
        assert_ne!(heard.conversation.ended(End::Code(0)), Outcome::Done, "{name}");
    }
    assert_eq!(
        hear(&codex(), "codex-f-429").stuck(),
        [&Stuck::QuotaPaused { reset_at: None }]
    );
}

#[test]
fn warnings_are_no_errors() {
    // An item of type `error` stands before the work.
    hear(&codex(), "codex-mcp").done();
}

#[test]
fn refusals_that_are_no_event_are_read_on_stderr() {
    let heard = hear(&codex(), "codex-readonly");
    heard.done();
    assert!(
        heard.denied()[0].contains("read-only sandbox"),
        "{:?}",
        heard.denied()
    );
    let heard = hear(&codex(), "codex-hooks");
    assert!(
        heard.denied()[0].contains("supervisor says no"),
        "{:?}",
        heard.denied()
    );
}

#[test]
fn what_it_says_on_stderr_only_is_told() {
    assert_eq!(hear(&codex(), "codex-resume-bad").cause(), Cause::Session);
    let (cause, reason) = hear(&codex(), "codex-nogit").failed();
    assert_eq!(cause, Cause::Input);
    assert!(reason.starts_with("Not inside a trusted directory"), "{reason}");
}

#[test]
fn a_signal_leaves_no_event() {
    assert_eq!(hear(&codex(), "codex-TERM-bash").cause(), Cause::Interrupted);
    let heard = hear(&codex(), "codex-INT-bash");
    assert_eq!((heard.end, heard.cause()), (End::Code(1), Cause::Crashed));
}

#[test]
fn a_stalled_answer_is_seen_when_it_reconnects() {
    let heard = hear(&codex(), "codex-f-hangmid");
    let retry = Report::Retrying {
        attempt: 1,
        status: None,
        wait_ms: None,
    };
    assert!(heard.reports().contains(&&retry));
    assert_eq!(heard.conversation.stuck(), None);
}
