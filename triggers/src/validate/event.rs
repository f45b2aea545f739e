//! A rule for events.

use std::time::Duration;

use super::{
    Problems, condition,
    words::{glob, shortened},
};
use crate::{
    condition::event_scope,
    event::Under,
    spec::TriggerSpec,
    trigger::{EventRule, When},
};

/// The most events that a count may take.
pub const MAX_COUNT: u32 = 1_000_000;
/// The same with `within`, where each one's time is remembered.
pub const MAX_COUNT_WITHIN: u32 = 1_000;

pub(super) fn rule(spec: &TriggerSpec, types: &str, problems: &mut Problems) -> Option<When> {
    let event = event_type(types, "event", problems);
    let reset_by = spec
        .reset_by
        .as_deref()
        .map(|types| event_type(types, "reset_by", problems));
    let under = spec.under.as_deref().and_then(|path| {
        let parsed = Under::parse(path).map_err(|error| error.to_string());
        let hint = || Some("write names from the team down, as in `webapp/backend`".to_owned());
        parsed
            .map_err(|message| problems.add("under", message, hint()))
            .ok()
    });
    let condition = condition(spec.condition.as_ref(), "where", event_scope(), problems);
    let need = how_many(spec, problems);
    time_rules(spec, problems);
    Some(When::Event(Box::new(EventRule {
        event: event?,
        under,
        condition,
        reset_by: reset_by.flatten(),
        need,
        in_a_row: spec.count.is_none(),
        within: spec.within.unwrap_or_default(),
        count_by: spec.count_by.unwrap_or_default(),
        debounce: spec.debounce.unwrap_or_default(),
        absent_for: spec.absent_for.unwrap_or_default(),
        cooldown: spec.cooldown.unwrap_or_default(),
    })))
}

/// A type, or a pattern for types.
fn event_type(types: &str, key: &str, problems: &mut Problems) -> Option<crate::glob::Glob> {
    if types.contains('/') {
        problems.add(key, format!("`/` is not allowed in `{}`", shortened(types)), None);
        return None;
    }
    glob(types, key, problems)
}

fn how_many(spec: &TriggerSpec, problems: &mut Problems) -> u32 {
    if spec.count.is_some() && spec.consecutive.is_some() {
        let hint = "`consecutive` wants them in a row, `count` does not mind what is between".to_owned();
        problems.add("count", "there is `consecutive` as well", Some(hint));
    }
    let most = if spec.within.is_some() {
        MAX_COUNT_WITHIN
    } else {
        MAX_COUNT
    };
    for (key, number) in [("consecutive", spec.consecutive), ("count", spec.count)] {
        if let Some(number) = number {
            problems.require(number > 0, key, "the count starts at 1");
            if number > most {
                problems.add(key, format!("{number} events are too many; at most {most}"), None);
            }
        }
    }
    spec.count.or(spec.consecutive).unwrap_or(1)
}

/// The rules that need time beside events.
fn time_rules(spec: &TriggerSpec, problems: &mut Problems) {
    let nothing = "this needs to be some time";
    for (key, span) in [
        ("within", spec.within),
        ("debounce", spec.debounce),
        ("absent_for", spec.absent_for),
    ] {
        let fine = span.is_none_or(|span| span.0 >= Duration::from_millis(1));
        problems.require(fine, key, nothing);
    }
    if spec.absent_for.is_some() {
        for (key, is_set) in [
            ("count", spec.count.is_some()),
            ("consecutive", spec.consecutive.is_some()),
            ("debounce", spec.debounce.is_some()),
        ] {
            if is_set {
                let hint = "`absent_for` acts when nothing comes; there is nothing to count".to_owned();
                problems.add(
                    key,
                    format!("`{key}` has no meaning beside `absent_for`"),
                    Some(hint),
                );
            }
        }
    }
}
