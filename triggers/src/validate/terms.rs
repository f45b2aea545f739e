//! The further terms: bounds, retries, what hinders.

use worknode_core::time::Timestamp;

use super::{Problems, condition};
use crate::{
    condition::agent_scope,
    due::MAX_CATCH_UP,
    spec::{Overlap, RetrySpec, TriggerSpec},
    terms::{MAX_BACKOFF, Retry, Terms, USUAL},
};

/// Attempts of one action. More are an error.
const MAX_ATTEMPTS: u32 = 10;

/// The terms; nothing when they are the usual ones.
pub(super) fn terms(spec: &TriggerSpec, problems: &mut Problems) -> Option<Box<Terms>> {
    let (start, end) = (spec.start.unwrap_or(USUAL.start), spec.end.unwrap_or(USUAL.end));
    problems.require(start < end, "end", "the end is not after the start");
    numbers(spec, problems);
    if let Some(retry) = &spec.retry {
        self::retry(retry, problems);
    }
    let agents = match (&spec.event, &spec.deadline) {
        (None, None) => condition(spec.condition.as_ref(), "where", agent_scope(), problems),
        _ => None,
    };
    let terms = Terms {
        jitter: spec.jitter.unwrap_or_default().0,
        start,
        end,
        catch_up: spec.catch_up,
        max_concurrent: spec.max_concurrent,
        max_firings: spec.max_firings,
        retry: spec.retry.map(Retry::new),
        on_quota: spec.on_quota.unwrap_or(USUAL.on_quota),
        on_panic: spec.on_panic.unwrap_or(USUAL.on_panic),
        alarm_after: spec.alarm_after.unwrap_or(USUAL.alarm_after),
        agents,
    };
    (terms != USUAL).then(|| Box::new(terms))
}

fn numbers(spec: &TriggerSpec, problems: &mut Problems) {
    if spec.catch_up.is_some_and(|most| most > MAX_CATCH_UP) {
        problems.add(
            "catch_up",
            format!("at most {MAX_CATCH_UP} are made up for"),
            None,
        );
    }
    if spec.max_concurrent.is_some() && spec.overlap != Overlap::Allow {
        let hint = "add `overlap = \"allow\"`".to_owned();
        problems.add(
            "max_concurrent",
            "only one runs at a time with this `overlap`",
            Some(hint),
        );
    }
    let off = "this would switch the trigger off: write `enabled = false` for that";
    problems.require(spec.max_concurrent != Some(0), "max_concurrent", off);
    problems.require(spec.max_firings != Some(0), "max_firings", off);
    problems.require(
        spec.alarm_after != Some(0),
        "alarm_after",
        "the count starts at 1",
    );
    let never = spec.end.is_some_and(|end| end == Timestamp::from_millis(0));
    problems.require(!never, "end", off);
}

fn retry(retry: &RetrySpec, problems: &mut Problems) {
    if !(2..=MAX_ATTEMPTS).contains(&retry.attempts) {
        let message = format!(
            "{} attempts; from 2 to {MAX_ATTEMPTS} are possible",
            retry.attempts
        );
        problems.add("retry.attempts", message, None);
    }
    let long = retry.backoff.is_some_and(|backoff| backoff.0 > MAX_BACKOFF);
    problems.require(!long, "retry.backoff", "a wait is an hour at most");
}
