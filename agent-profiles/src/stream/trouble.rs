//! What an error of a program or its provider is, by its status and its words.

use std::time::Duration;

use worknode_core::{time::Timestamp, usage::Stuck};

use super::{Cause, TEXT, json::clip, reset::reset_at};

/// So much of an error is read.
const READ: usize = 8 * 1024;

/// An error, as far as it is told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trouble<'a> {
    /// The status of the answer, when there was one.
    pub(super) status: Option<u16>,
    /// What was said.
    pub(super) text: &'a str,
    /// How long to wait, when it was said apart from the text.
    pub(super) wait: Option<Duration>,
}

impl Trouble<'_> {
    /// What it is, heard at `at`. What nobody knows is the provider's.
    pub(super) fn cause(&self, at: Timestamp) -> Cause {
        let text = clip(self.text, READ);
        let lower = text.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let status = self.status.or_else(|| status_in(&lower));
        // The words are more exact than the status: a 400 can be a conversation that is too long,
        // a 403 an empty account.
        let is = |statuses: fn(u16) -> bool, words: &[&str]| status.is_some_and(statuses) || has(words);
        if is(|status| status == 413, &TOO_LONG) {
            Cause::ContextExhausted
        } else if is(|status| status == 429, &QUOTA) {
            let said = self.wait.map(|wait| at.plus(wait));
            let reset_at = said.or_else(|| reset_at(&text, at));
            Cause::Quota { reset_at }
        } else if is(|status| matches!(status, 401 | 403), &AUTH) {
            Cause::Auth
        } else if is(|status| status >= 500, &OVERLOADED) {
            Cause::Overloaded
        } else if has(&SESSION) {
            Cause::Session
        } else {
            Cause::Provider
        }
    }
}

const TOO_LONG: [&str; 8] = [
    "prompt is too long",
    "prompt_too_long",
    "context length",
    "context_length",
    "context window",
    "contextwindow",
    "contextoverflow",
    "token count exceeds",
];
const QUOTA: [&str; 12] = [
    "rate limit",
    "rate_limit",
    "ratelimit",
    "usage limit",
    "usagelimit",
    "hit your limit",
    "limit reached",
    "quota",
    "too many requests",
    "resource_exhausted",
    "credit balance is too low",
    "insufficient_credits",
];
const AUTH: [&str; 9] = [
    "unauthorized",
    "authentication",
    "invalid api key",
    "api key not valid",
    "x-api-key",
    "not logged in",
    "please run /login",
    "auth_required",
    "permission_denied",
];
const OVERLOADED: [&str; 4] = [
    "overloaded",
    "high demand",
    "service unavailable",
    "internal server error",
];
const SESSION: [&str; 6] = [
    "no conversation found",
    "already in use",
    "no rollout found",
    "session not found",
    "already exists. use --resume",
    "error resuming session",
];

/// Is it about the session that was asked for?
pub(super) fn is_about_session(text: &str) -> bool {
    let lower = clip(text, READ).to_ascii_lowercase();
    SESSION.iter().any(|word| lower.contains(word))
}

/// Why a run that goes on with this is stuck.
pub(super) fn stuck(cause: Cause, text: &str) -> Option<Stuck> {
    match cause {
        Cause::Quota { reset_at } => Some(Stuck::QuotaPaused { reset_at }),
        Cause::Overloaded => Some(Stuck::Overloaded),
        Cause::Auth => Some(Stuck::Unauthenticated {
            what: clip(text, TEXT),
        }),
        Cause::ContextExhausted => Some(Stuck::ContextExhausted),
        _ => None,
    }
}

/// The statuses that stand for trouble.
pub(super) const STATUSES: [u16; 12] = [400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504, 529];

/// A status in a text: a number that is one, close behind a word that announces it.
fn status_in(lower: &str) -> Option<u16> {
    const ANNOUNCED: [&str; 6] = ["status", "code", "error", "rejected", "http", "failed"];
    /// "Request rejected (429)", "last status: 429", `"code": 529`
    const CLOSE: usize = 14;
    let bytes = lower.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    (0..bytes.len().saturating_sub(2)).find_map(|at| {
        let three = digit(at) && digit(at + 1) && digit(at + 2);
        let alone = (at == 0 || !digit(at - 1)) && !digit(at + 3);
        if !(three && alone) {
            return None;
        }
        let number: u16 = lower.get(at..at + 3)?.parse().ok()?;
        let before = String::from_utf8_lossy(&bytes[at.saturating_sub(CLOSE)..at]);
        let announced = ANNOUNCED.iter().any(|word| before.contains(word));
        (announced && STATUSES.contains(&number)).then_some(number)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn errors_are_told_apart_by_status_and_words() {
        let at = Timestamp::from_millis(0);
        let quota = Cause::Quota { reset_at: None };
        for (text, expected) in [
            ("API Error: Request rejected (429) · This would exceed …", quota),
            ("exceeded retry limit, last status: 429 Too Many Requests", quota),
            ("You exceeded your current quota", quota),
            ("Claude AI usage limit reached", quota),
            (
                "unexpected status 529 <unknown status code>: Overloaded, url: …",
                Cause::Overloaded,
            ),
            ("[API Error: {\"error\":{\"code\":529}}]", Cause::Overloaded),
            ("We’re currently experiencing high demand", Cause::Overloaded),
            (
                "unexpected status 401 Unauthorized: invalid x-api-key",
                Cause::Auth,
            ),
            ("Not logged in · Please run /login", Cause::Auth),
            ("[API Error: {\"error\":{\"code\":403}}]", Cause::Auth),
            (
                "prompt is too long: 213462 tokens > 200000 maximum",
                Cause::ContextExhausted,
            ),
            (
                "The input token count exceeds the maximum",
                Cause::ContextExhausted,
            ),
            ("No conversation found with session ID: 9", Cause::Session),
            ("connection refused (ECONNREFUSED)", Cause::Provider),
            ("wrote 429 lines; 500 of them are new", Cause::Provider),
        ] {
            let trouble = Trouble {
                text,
                ..Trouble::default()
            };
            assert_eq!(trouble.cause(at), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "((status|error|4|2|9|é|code|\")){0,16}|.{0,40}") {
            let _ = Trouble { text: &text, ..Trouble::default() }.cause(Timestamp::from_millis(0));
        }
    }
}
