//! The `tests` gate: did the team's own command say yes?
//!
//! | rule | what breaks it |
//! |---|---|
//! | `tests.failed` | an exit code other than 0, or death by a signal |
//! | `tests.timeout` | it did not end in time |
//! | `tests.not_started` | it could not be started |
//!
//! Only the exit code counts. Words in the output prove nothing; they are shown to the agent.

use std::time::Duration;

use worknode_core::{time::Span, verdict::Finding};

use crate::text;

/// Lines of output that go into the finding. Test runners put their summary last.
pub const TAIL_LINES: usize = 40;
/// Bytes of output that go into the finding: forty lines of two hundred characters.
pub const TAIL_BYTES: usize = 8 * 1024;

/// How the command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandEnd {
    /// By itself, with this code.
    Code(i32),
    /// It died of this signal.
    Signal(i32),
    /// It ran longer than this and was stopped.
    TimedOut(Duration),
    /// It never ran, for this reason.
    NotStarted(String),
}

/// Judges a finished command. `command` is shown, `output` is what it wrote. No finding means:
/// passed.
#[must_use]
pub fn judge(command: &str, end: &CommandEnd, output: &[u8]) -> Vec<Finding> {
    let command = text::clipped(&text::readable(command), 200);
    let (rule, what, hint) = match end {
        CommandEnd::Code(0) => return Vec::new(),
        CommandEnd::Code(code) => (
            "tests.failed",
            format!("`{command}` exited with code {code}"),
            format!("run `{command}` yourself and mend what fails before you submit again"),
        ),
        CommandEnd::Signal(signal) => (
            "tests.failed",
            format!("`{command}` died of signal {signal}"),
            format!("run `{command}` yourself; it was ended from outside or crashed"),
        ),
        CommandEnd::TimedOut(limit) => (
            "tests.timeout",
            format!("`{command}` was stopped after {}", Span(*limit)),
            "look for a test that waits for ever, or for input".to_owned(),
        ),
        CommandEnd::NotStarted(reason) => (
            "tests.not_started",
            format!(
                "`{command}` could not be started: {}",
                text::clipped(&text::readable(reason), 500)
            ),
            "the command is the team's configuration, not your work: `worknode task block`".to_owned(),
        ),
    };
    let tail = text::tail(output, TAIL_LINES, TAIL_BYTES);
    let message = if tail.is_empty() {
        what
    } else {
        format!("{what}; its output ended with:\n{tail}")
    };
    vec![Finding::new(rule, message).hint(hint)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(end: &CommandEnd) -> String {
        judge("cargo test", end, b"out\n")
            .first()
            .map_or_else(String::new, |f| f.rule.clone())
    }

    #[test]
    fn only_exit_code_zero_passes() {
        assert_eq!(rule(&CommandEnd::Code(0)), "");
        for code in [1, 101, -1, 255] {
            assert_eq!(rule(&CommandEnd::Code(code)), "tests.failed");
        }
        assert_eq!(rule(&CommandEnd::Signal(9)), "tests.failed");
        assert_eq!(
            rule(&CommandEnd::TimedOut(Duration::from_secs(60))),
            "tests.timeout"
        );
        assert_eq!(
            rule(&CommandEnd::NotStarted("no such file".into())),
            "tests.not_started"
        );
    }

    #[test]
    fn words_in_the_output_prove_nothing() {
        let findings = judge("x", &CommandEnd::Code(1), b"test result: ok. 0 failed\n");
        assert_eq!(findings.len(), 1);
    }

    #[test]
    fn p8_the_end_of_the_output_is_shown_and_no_more() {
        let mut output = vec![b'x'; 10_000_000];
        output.extend_from_slice(b"\n\x1b[31massertion failed\x1b[0m\xff\n");
        let findings = judge("cargo test", &CommandEnd::Code(101), &output);
        let message = &findings[0].message;
        assert!(message.starts_with("`cargo test` exited with code 101; its output ended with:\n"));
        assert!(message.ends_with("assertion failed\u{fffd}"));
        assert!(message.len() < TAIL_BYTES + 300);
    }
}
