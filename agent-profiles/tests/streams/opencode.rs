//! OpenCode, only read.

use worknode_core::usage::Stuck;
use worknode_profiles::stream::{Cause, End, Outcome, Report};

use crate::scene::{OPENING, hear, hear_lines, now, opencode, used};

#[test]
fn work_that_was_done_is_done() {
    let heard = hear(&opencode(), "oc-write");
    heard.done();
    assert_eq!(heard.tools()[0], "write");
    let usage = heard.conversation.usage();
    assert_eq!(used(usage), [2400, 126, 2100, 0, 9090]);
    assert_eq!(usage.turns, 3);
    assert_eq!(
        heard.conversation.session(),
        Some("ses_e02d50df8ffesBy0sQHa10To8Z")
    );
}

#[test]
fn cost_of_a_resumed_session_is_of_this_run() {
    assert_eq!(
        used(hear(&opencode(), "oc-resume").conversation.usage()),
        [800, 42, 700, 0, 3030]
    );
}

#[test]
fn errors_that_go_round_in_circles_are_a_loop() {
    let heard = hear(&opencode(), "oc-f-garbage");
    assert!(
        matches!(heard.stuck()[..], [Stuck::Looping { .. }]),
        "{:?}",
        heard.stuck()
    );
    assert_eq!(used(heard.conversation.usage()), [0; 5]);
    // Long before the limit on its time.
    let told = heard.actions.len();
    assert!(told < 100, "{told}");
    assert_eq!(heard.cause(), Cause::Interrupted);
}

#[test]
fn exit_code_0_after_a_refused_permission_is_work_left_undone() {
    let heard = hear(&opencode(), "oc-perm");
    assert_eq!((heard.end, heard.cause()), (End::Code(0), Cause::WorkLeftUndone));
    assert!(heard.denied().contains(&"bash"));
    let ended = Report::ToolEnded {
        name: "bash".into(),
        ok: false,
    };
    assert!(heard.reports().contains(&&ended));
}

#[test]
fn failed_requests_are_told_apart() {
    let reset_at = Some(now().plus(std::time::Duration::from_secs(2)));
    for (name, expected) in [
        ("oc-f-429", Cause::Quota { reset_at }),
        ("oc-f-529", Cause::Overloaded),
        ("oc-f-401", Cause::Auth),
        ("oc-badmodel", Cause::Provider),
    ] {
        let heard = hear(&opencode(), name);
        assert_eq!(heard.cause(), expected, "{name}");
        assert_ne!(heard.conversation.ended(End::Code(0)), Outcome::Done, "{name}");
    }
}

#[test]
fn the_middle_of_the_work_is_no_end() {
    assert_eq!(hear(&opencode(), "oc-TERM-bash").cause(), Cause::Interrupted);
    let heard = hear(&opencode(), "oc-TERM-bash");
    assert!(matches!(
        heard.conversation.ended(End::Code(0)),
        Outcome::Failed {
            cause: Cause::NoResult,
            ..
        }
    ));
}

#[test]
fn a_signal_after_the_last_step_is_not_taken_for_success() {
    // There is no last event: nobody told it to end, so it may have had more to do.
    let heard = hear(&opencode(), "oc-plain");
    heard.done();
    assert!(matches!(
        heard.conversation.ended(End::Signal(15)),
        Outcome::Failed {
            cause: Cause::Interrupted,
            ..
        }
    ));
}

#[test]
fn a_step_after_the_last_one_was_not_the_last() {
    let step = |kind: &str, part: serde_json::Value| serde_json::json!({"type": kind, "sessionID": "s", "part": part});
    let stop = serde_json::json!({"reason": "stop", "tokens": {"input": 1, "output": 1}});
    let events = [
        step("step_finish", stop),
        step("step_start", serde_json::json!({})),
    ];
    let cause =
        |events: &[serde_json::Value]| hear_lines(&opencode(), &OPENING, events, End::Code(0)).outcome();
    assert_eq!(cause(&events[..1]), Outcome::Done);
    assert!(matches!(
        cause(&events),
        Outcome::Failed {
            cause: Cause::NoResult,
            ..
        }
    ));
}
